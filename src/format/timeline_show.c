/* SPDX-License-Identifier: Apache-2.0 */
/* Moving the picture: windows are added to the sum, and taken from it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "format/timeline_private.h"

/* The column of a type and state, made when it is first needed. */
static size_t column_of(struct timeline *timeline, enum timeline_type type, uint8_t state)
{
	static const char *const types[] = {[TIMELINE_WALL] = "wall", [TIMELINE_CPU] = "cpu"};
	int16_t *index = &timeline->columns[type][state];

	if (!*index) {
		int made = profile_column(&timeline->profile, types[type], "nanoseconds",
					  thread_state_name((enum thread_state)state));

		/* Two types and eight states are fewer than a profile may have columns. */
		assert(made >= 0);
		*index = (int16_t)(made + 1);
	}
	return (size_t)(*index - 1);
}

static void add_value(struct timeline *timeline, const struct entry *entry, enum timeline_type type,
		      int64_t value)
{
	if (value)
		profile_add(&timeline->profile, column_of(timeline, type, entry->state),
			    (struct node_id){entry->node}, value);
}

/* `sign` -1 takes it away again. */
static void add_window(struct timeline *timeline, size_t index, int sign)
{
	const struct window *window = &timeline->windows[index];

	for (size_t i = 0; i < window->n; i++) {
		const struct entry *entry = &window->entries[i];

		add_value(timeline, entry, TIMELINE_WALL, sign * entry->wall_ns);
		add_value(timeline, entry, TIMELINE_CPU, sign * entry->cpu_ns);
		timeline->profile.n_samples += sign * entry->n_samples;
	}
	timeline->profile.duration_ns += sign * (window->until_ns - window->from_ns);
}

/* The first window that ends later; the open one is the last there is. */
static size_t position_of(const struct timeline *timeline, int64_t time_ns)
{
	size_t low = 0, high = timeline->n_windows - 1;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (timeline->windows[middle].until_ns <= time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Two ranges that mostly overlap: only what is in one of them is touched. */
static void move_to(struct timeline *timeline, size_t from, size_t shown)
{
	bool has_less = false;

	for (size_t i = timeline->from; i < timeline->shown; i++)
		if (i < from || i >= shown) {
			add_window(timeline, i, -1);
			has_less = true;
		}
	for (size_t i = from; i < shown; i++)
		if (i < timeline->from || i >= timeline->shown)
			add_window(timeline, i, 1);
	timeline->from = from;
	timeline->shown = shown;
	timeline->generation += has_less;
}

/* Of a live one: what no strip shows any more. */
static void drop_old(struct timeline *timeline)
{
	int64_t border_ns = timeline->windows[timeline->shown].from_ns - timeline->opts.keep_ns;
	size_t n = 0;

	while (n < timeline->shown && timeline->windows[n].until_ns <= border_ns) {
		timeline->n_entries -= timeline->windows[n].n;
		free(timeline->windows[n++].entries);
	}
	timeline->n_windows -= n;
	memmove(timeline->windows, timeline->windows + n,
		timeline->n_windows * sizeof(*timeline->windows));
	timeline->shown -= n;
}

void timeline_show(struct timeline *timeline, int64_t from_ns, int64_t until_ns)
{
	size_t shown = position_of(timeline, until_ns);
	size_t from = from_ns > 0 ? position_of(timeline, from_ns) : 0;

	move_to(timeline, min_of(from, shown), shown);
	if (timeline->opts.keep_ns)
		drop_old(timeline);
	timeline_forget_ended(timeline);
}

const struct profile *timeline_profile(const struct timeline *timeline)
{
	return &timeline->profile;
}

uint64_t timeline_generation(const struct timeline *timeline)
{
	return timeline->generation;
}

void timeline_range(const struct timeline *timeline, int64_t *ret_from_ns, int64_t *ret_until_ns)
{
	*ret_from_ns = timeline->opts.keep_ns ? 0 : timeline->windows[timeline->from].from_ns;
	*ret_until_ns = timeline->windows[timeline->shown].from_ns;
}

int64_t timeline_end_ns(const struct timeline *timeline)
{
	return timeline->windows[timeline->n_windows - 1].from_ns;
}
