/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/pace.h"

#include <math.h>

#include "base/clock.h"

/* splitmix64 (Vigna): full period for every seed, which matters more here than secrecy. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* The mean is over about so many ticks: 64 exponential gaps tell it within 9 %. */
#define SPACING_TICKS 64

static int64_t draw_gap(struct pace *pace)
{
	double uniform = ((double)(next_random(&pace->random) >> 11) + 1) / 9007199254740993.0;
	double periods = fmin(-log(uniform), PACE_MAX_GAP_PERIODS);

	return (int64_t)(periods * (double)pace->period_ns);
}

void pace_init(struct pace *pace, double rate_hz, int64_t now_ns, uint64_t seed)
{
	int64_t period_ns = (int64_t)((double)NS_PER_S / rate_hz);

	*pace = (struct pace){
		.period_ns = period_ns,
		.last_ns = now_ns,
		.spacing_ns = period_ns,
		.random = seed,
	};
	pace->due_ns = now_ns + draw_gap(pace);
}

bool pace_tick(struct pace *pace, int64_t now_ns)
{
	bool late = now_ns - pace->due_ns > pace->period_ns;

	pace->ticks++;
	pace->late += late;
	pace->spacing_ns += (now_ns - pace->last_ns - pace->spacing_ns) / SPACING_TICKS;
	pace->last_ns = now_ns;
	pace->due_ns += draw_gap(pace);
	while (now_ns - pace->due_ns > pace->period_ns) {
		pace->missed++;
		pace->due_ns += draw_gap(pace);
	}
	return late;
}

uint32_t pace_skip(struct pace *pace, int64_t now_ns, int64_t *ret_last_ns)
{
	uint32_t n = 0;

	while (pace->due_ns <= now_ns) {
		*ret_last_ns = pace->last_ns = pace->due_ns;
		pace->due_ns += draw_gap(pace);
		n++;
	}
	pace->ticks += n;
	return n;
}
