/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/window.h"

#include <assert.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "base/map.h"
#include "base/vec.h"

/* A last aligned window shorter than this joins the next one. */
#define WINDOW_LEAST_NS 1000000000ll
/* Real times that we believe: the years 1970 to 2200. */
#define REAL_MAX_NS (7258118400ll * 1000000000ll)
#define TIME_MAX_NS (100ll * 366 * 86400 * 1000000000ll)

struct window {
	int64_t from_ns, until_ns; /* since the start of the stream */
	struct profile profile;
	struct map64 memo; /* (thread, node) -> node of the profile */
	size_t cpu_column;
	int16_t wall_columns[STATE_COUNT]; /* index + 1 */
};

struct window_cutter {
	struct names *names;
	struct capture_fold *fold;
	window_done_fn *done;
	void *ctx;
	int64_t start_real_ns, period_ns;
	int64_t reached_ns;
	struct window *older, *newer; /* newer may be NULL; both before the start */
};

static void window_free(struct window *window)
{
	if (!window)
		return;
	profile_done(&window->profile);
	map64_done(&window->memo);
	free(window);
}

static struct window *window_new(const struct window_cutter *cutter, int64_t from_ns,
				 int64_t until_ns)
{
	struct window *window = xcalloc(1, sizeof(*window));
	int column;

	window->from_ns = from_ns;
	window->until_ns = until_ns;
	profile_init(&window->profile, cutter->names);
	column = profile_column(&window->profile, "cpu", "nanoseconds", NULL);
	window->cpu_column = (size_t)max_of(column, 0);
	/* Without any sample the type must still be there: nothing ran is an answer. */
	column = profile_column(&window->profile, "wall", "nanoseconds", NULL);
	assert(column >= 0);
	window->profile.period = cutter->period_ns;
	window->profile.n_profiles = 1;
	return window;
}

struct window_cutter *window_cutter_new(struct names *names, struct capture_fold *fold,
					window_done_fn *done, void *ctx)
{
	struct window_cutter *cutter = xcalloc(1, sizeof(*cutter));

	cutter->names = names;
	cutter->fold = fold;
	cutter->done = done;
	cutter->ctx = ctx;
	return cutter;
}

void window_cutter_free(struct window_cutter *cutter)
{
	if (!cutter)
		return;
	window_free(cutter->older);
	window_free(cutter->newer);
	free(cutter);
}

/* The next ten of seconds of the real clock, at least WINDOW_LEAST_NS away. */
static int64_t aligned_end(const struct window_cutter *cutter, int64_t from_ns)
{
	int64_t real_ns = cutter->start_real_ns + from_ns;
	int64_t end_ns = (real_ns / AGENT_WINDOW_NS + 1) * AGENT_WINDOW_NS;

	if (end_ns - real_ns < WINDOW_LEAST_NS)
		end_ns += AGENT_WINDOW_NS;
	return end_ns - cutter->start_real_ns;
}

int window_start(struct window_cutter *cutter, const struct capture_header *header)
{
	if (cutter->older || header->start_real_ns < 0 || header->start_real_ns > REAL_MAX_NS)
		return ERR_CORRUPT;
	cutter->start_real_ns = header->start_real_ns;
	if (header->rate_hz >= 1e-3 && header->rate_hz <= 1e9)
		cutter->period_ns = (int64_t)(1e9 / header->rate_hz);
	cutter->older = window_new(cutter, 0, AGENT_FIRST_WINDOW_NS);
	return 0;
}

static int hand_over(struct window_cutter *cutter, int64_t until_ns)
{
	struct window *window = cutter->older;
	int r;

	window->profile.start_ns = cutter->start_real_ns + window->from_ns;
	window->profile.duration_ns = until_ns - window->from_ns;
	r = window->profile.duration_ns > 0 ? cutter->done(cutter->ctx, &window->profile) : 0;
	cutter->older = cutter->newer;
	cutter->newer = NULL;
	if (!cutter->older)
		cutter->older = window_new(cutter, until_ns, aligned_end(cutter, until_ns));
	window_free(window);
	return r;
}

/* After a long silence: the window ends where the stream was last, a new one begins where it is now. */
static int skip_silence(struct window_cutter *cutter, int64_t time_ns)
{
	int r = 0;

	while (r == 0 && cutter->newer)
		r = hand_over(cutter, cutter->older->until_ns);
	if (r == 0)
		r = hand_over(cutter, min_of(cutter->older->until_ns,
					     max_of(cutter->reached_ns, cutter->older->from_ns)));
	window_free(cutter->older);
	cutter->older = window_new(cutter, time_ns, aligned_end(cutter, time_ns));
	return r;
}

int window_reached(struct window_cutter *cutter, int64_t time_ns)
{
	int r = 0;

	if (!cutter->older || time_ns > TIME_MAX_NS)
		return ERR_CORRUPT;
	if (time_ns - cutter->reached_ns > WINDOW_MAX_SILENCE_NS)
		r = skip_silence(cutter, time_ns);
	while (r == 0 && time_ns >= cutter->older->until_ns + WINDOW_GRACE_NS)
		r = hand_over(cutter, cutter->older->until_ns);
	cutter->reached_ns = max_of(cutter->reached_ns, time_ns);
	return r;
}

/* ---- samples ---- */

static size_t wall_column(struct window *window, uint8_t state)
{
	int16_t *index = &window->wall_columns[state];

	if (!*index) {
		int made = profile_column(&window->profile, "wall", "nanoseconds",
					  thread_state_name((enum thread_state)state));

		*index = (int16_t)(made + 1);
	}
	return (size_t)(*index - 1);
}

static void window_add(const struct window_cutter *cutter, struct window *window,
		       const struct capture_sample *sample, int64_t wall_ns, int64_t cpu_ns)
{
	struct node_id node = capture_fold_node(cutter->fold, sample->thread, sample->node,
						&window->profile.tree, &window->memo);

	profile_add(&window->profile, wall_column(window, sample->state), node, wall_ns);
	profile_add(&window->profile, window->cpu_column, node, cpu_ns);
}

/*
 * The sample stands for [time - wall, time]: what lies before `border` is the older window's.  CPU goes
 * with wall, and the two parts add up to the whole.
 */
static void add_split(const struct window_cutter *cutter, const struct capture_sample *sample)
{
	int64_t border_ns = cutter->older->until_ns;
	int64_t after_ns = min_of(sample->time_ns - border_ns, sample->wall_ns);
	int64_t cpu_after_ns =
		sample->wall_ns > 0
			? (int64_t)((__int128)sample->cpu_ns * after_ns / sample->wall_ns)
			: sample->cpu_ns;

	if (after_ns < sample->wall_ns)
		window_add(cutter, cutter->older, sample, sample->wall_ns - after_ns,
			   sample->cpu_ns - cpu_after_ns);
	window_add(cutter, cutter->newer, sample, after_ns, cpu_after_ns);
}

int window_sample(struct window_cutter *cutter, const struct capture_sample *sample)
{
	int r = window_reached(cutter, sample->time_ns);
	struct window *last;

	if (r < 0)
		return r;
	last = cutter->newer ? cutter->newer : cutter->older;
	if (sample->time_ns >= last->until_ns && !cutter->newer)
		cutter->newer =
			window_new(cutter, last->until_ns, aligned_end(cutter, last->until_ns));
	if (cutter->newer && sample->time_ns > cutter->older->until_ns) {
		add_split(cutter, sample);
		cutter->newer->profile.n_samples += 1 + (int64_t)sample->repeats;
	} else {
		window_add(cutter, cutter->older, sample, sample->wall_ns, sample->cpu_ns);
		cutter->older->profile.n_samples += 1 + (int64_t)sample->repeats;
	}
	return 0;
}

/* A last moment in which nothing was seen says nothing: a target that could not be read, mostly. */
static bool is_worth_it(const struct window *window, int64_t end_ns)
{
	return window->profile.n_samples || end_ns - window->from_ns >= WINDOW_LEAST_NS;
}

int window_finish(struct window_cutter *cutter)
{
	int64_t end_ns = cutter->reached_ns;
	int r = 0;

	while (r == 0 && cutter->older && cutter->older->from_ns < end_ns &&
	       is_worth_it(cutter->older, end_ns))
		r = hand_over(cutter, min_of(cutter->older->until_ns, end_ns));
	return r;
}
