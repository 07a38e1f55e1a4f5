/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/tick_private.h"

#include <stdlib.h>

#include "base/clock.h"

#define HOLD_NS (40 * NS_PER_US) /* what is held needs up to three readings more */

void tick_done(struct tick *tick)
{
	free(tick->wanted);
	free(tick->outcomes);
	*tick = (struct tick){0};
}

static int look_and_bind(struct tick *tick, struct python_look *look)
{
	int r = python_look(tick->target->python, look);

	if (r < 0)
		return r;
	if (look->is_list_changed || tick->crew->has_unbound || tick->crew->is_contested) {
		if (crew_misses(tick->crew, look)) {
			r = crew_list(tick->crew, tick->last_ns, NULL);
			if (r < 0)
				return r;
		}
		crew_bind(tick->crew, look);
	}
	/* Noted at once: the next look of this tick compares with this one. */
	for (uint32_t i = 0; i < look->n; i++) {
		struct member *member =
			look->threads[i].is_changed ? crew_of_python(tick->crew, i) : NULL;

		if (member)
			member->asleep_since_ns = 0;
	}
	return 0;
}

static int pause_running(struct tick *tick, struct python_look *look, int64_t *now_ns)
{
	for (int i = 0; i < TICK_MAX_TRIES && tick_pauses(tick, *now_ns); i++) {
		int r;

		if (i > 0) {
			r = look_and_bind(tick, look);
			if (r < 0)
				return r;
		}
		if (look->n_running == 0)
			return 0;
		r = tick_read_all_running(tick, look, *now_ns);
		*now_ns = clock_monotonic_ns();
		if (r != 0)
			return r;
	}
	return 0;
}

/* Of those that the last look wanted to be read: who sleeps has been. */
static void keep_wanting_the_awake(struct tick *tick)
{
	size_t n = 0;

	for (size_t i = 0; i < tick->n_wanted; i++) {
		const struct member *member = crew_of_python(tick->crew, tick->wanted[i]);

		if (member && member->news == MEMBER_LOST)
			tick->wanted[n++] = tick->wanted[i];
	}
	tick->n_wanted = n;
}

/* Is the next reading likely to follow soon enough to prove this one?  Not across a look. */
static bool may_hold(const struct tick *tick, int64_t now_ns)
{
	return tick->n_wanted == 1 && !tick->native && !locals_are_wanted(tick->locals) &&
	       now_ns + HOLD_NS < tick->look_due_ns;
}

/* A tick between looks: tick.h. */
static int run_glance(struct tick *tick, int64_t now_ns)
{
	for (size_t i = 0; i < tick->crew->n; i++) {
		struct member *member = &tick->crew->members[i];

		if (member->asleep_since_ns && member->has_node)
			member->news = MEMBER_SAME;
		else if (member->python != PYTHON_NO_THREAD)
			member->news = MEMBER_LOST; /* until it is read */
	}
	keep_wanting_the_awake(tick);
	tick->last_ns = now_ns;
	return tick_read_unpaused(tick, tick->wanted, tick->n_wanted,
				  PYTHON_ANY | (may_hold(tick, now_ns) ? PYTHON_MAY_HOLD : 0),
				  false);
}

int tick_run(struct tick *tick, int64_t *ret_now_ns)
{
	int64_t now_ns = clock_monotonic_ns();
	struct python_look look;
	int r;

	if (now_ns < tick->look_due_ns && !tick->crew->has_unbound) {
		*ret_now_ns = now_ns;
		return run_glance(tick, now_ns);
	}
	tick->n_wanted = 0;
	tick->is_stopped = false;
	for (size_t i = 0; i < tick->crew->n; i++) {
		tick->crew->members[i].news = MEMBER_UNKNOWN;
		tick->crew->members[i].was_stepped = false;
	}
	r = look_and_bind(tick, &look);
	if (r < 0)
		return r;
	tick->stats->left_out = look.n_over_limit;
	if (tick->native)
		native_refresh(tick->native, now_ns, look.is_list_changed);
	r = pause_running(tick, &look, &now_ns);
	if (r < 0)
		return r;
	tick->stats->traced += !tick->is_nonblocking && !tick_pauses(tick, now_ns);
	/* Those that still want a pause here lost the race TICK_MAX_TRIES times: read as they are. */
	for (size_t i = 0; i < tick->crew->n; i++)
		if (tick->crew->members[i].news == MEMBER_UNKNOWN) {
			r = tick_probe(tick, &look, &tick->crew->members[i], now_ns);
			if (r < 0)
				return r;
		}
	tick->last_ns = *ret_now_ns = now_ns;
	if (!tick_pauses(tick, now_ns))
		tick->look_due_ns = now_ns + TICK_LOOK_GAP_NS;
	return tick_read_wanted(tick, tick_pauses(tick, now_ns));
}
