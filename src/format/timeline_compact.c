/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps a timeline small: windows that become one, and threads that do. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/vec.h"
#include "format/marker.h"
#include "format/timeline_private.h"

/* ---- windows ---- */

static bool is_same(const struct entry *a, const struct entry *b)
{
	return a->thread == b->thread && a->node == b->node && a->state == b->state;
}

static int by_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->thread != y->thread)
		return x->thread < y->thread ? -1 : 1;
	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->state - y->state;
}

/* Those that agree become one; returns how many are left. */
static size_t join_entries(struct entry *entries, size_t n)
{
	size_t kept = 0;

	qsort(entries, n, sizeof(*entries), by_place);
	for (size_t i = 0; i < n; i++) {
		struct entry *last = kept ? &entries[kept - 1] : NULL;

		if (!last || !is_same(last, &entries[i])) {
			entries[kept++] = entries[i];
			continue;
		}
		last->wall_ns = timeline_sum(last->wall_ns, entries[i].wall_ns);
		last->cpu_ns = timeline_sum(last->cpu_ns, entries[i].cpu_ns);
		last->n_samples += entries[i].n_samples;
		last->is_last |= entries[i].is_last;
	}
	return kept;
}

/* A thread that is in both did last what the second says. */
static void unmark_first(struct timeline *timeline, struct window *first,
			 const struct window *second)
{
	for (size_t i = 0; i < second->n; i++)
		timeline->threads[second->entries[i].thread].last_entry = 1;
	for (size_t i = 0; i < first->n; i++)
		if (timeline->threads[first->entries[i].thread].last_entry)
			first->entries[i].is_last = false;
	for (size_t i = 0; i < second->n; i++)
		timeline->threads[second->entries[i].thread].last_entry = 0;
}

static void join(struct timeline *timeline, struct window *into, struct window *second)
{
	size_t n = into->n + second->n;

	unmark_first(timeline, into, second);
	into->entries = vec_grow(into->entries, &into->cap, n, sizeof(*into->entries));
	if (second->n)
		memcpy(into->entries + into->n, second->entries,
		       second->n * sizeof(*second->entries));
	into->n = join_entries(into->entries, n);
	into->until_ns = second->until_ns;
	timeline->n_entries -= n - into->n;
	free(second->entries);
}

static bool is_too_much(const struct timeline *timeline)
{
	return timeline->n_entries > TIMELINE_MAX_ENTRIES ||
	       timeline->n_windows > TIMELINE_MAX_WINDOWS;
}

/* Not over a border of the picture, and not with the window that is open. */
static bool may_join(const struct timeline *timeline, size_t i)
{
	return i + 2 < timeline->n_windows && i + 1 != timeline->from && i + 1 != timeline->shown;
}

void timeline_compact(struct timeline *timeline)
{
	size_t n = timeline->n_windows, kept = 0, from = 0, shown = 0;

	if (!is_too_much(timeline))
		return;
	for (size_t i = 0; i < n; i++) {
		struct window *window = &timeline->windows[i];

		if (i == timeline->from)
			from = kept;
		if (i == timeline->shown)
			shown = kept;
		if (may_join(timeline, i))
			join(timeline, window, &timeline->windows[++i]);
		timeline->windows[kept++] = *window;
	}
	timeline->n_windows = kept;
	timeline->from = from;
	timeline->shown = shown;
	/* More stacks than that at once: fewer steps do not help, and the next time comes later. */
}

/* ---- threads ---- */

/* Those that no window has any more: their marker becomes that of all that ended. */
static uint32_t *frames_after(struct timeline *timeline)
{
	uint32_t n = names_frame_count(timeline->names);
	uint32_t *frame_of = xcalloc((size_t)n + 1, sizeof(*frame_of));
	uint32_t ended = marker_frame(timeline->names, TIMELINE_ENDED_NAME).v;

	for (uint32_t i = 0; i < n; i++)
		frame_of[i] = i;
	for (size_t i = 0; i < timeline->n_threads; i++)
		if (timeline->threads[i].marker.v < n)
			frame_of[timeline->threads[i].marker.v] = ended;
	frame_of[0] = 0;
	for (size_t w = 0; w < timeline->n_windows; w++)
		for (size_t i = 0; i < timeline->windows[w].n; i++) {
			uint32_t marker =
				timeline->threads[timeline->windows[w].entries[i].thread].marker.v;

			if (marker < n)
				frame_of[marker] = marker;
		}
	return frame_of;
}

/* Where the stacks of the windows stand in the new tree. */
static void map_entries(struct timeline *timeline, const uint32_t *frame_of, struct tree *into)
{
	const struct tree *tree = &timeline->profile.tree;
	cleanup_free uint32_t *node_of = xcalloc(tree->n, sizeof(*node_of));

	for (uint32_t i = 1; i < tree->n; i++)
		node_of[i] = tree_child(into, (struct node_id){node_of[tree->parent[i]]},
					(struct frame_id){frame_of[tree->frame[i]]})
				     .v;
	for (size_t w = 0; w < timeline->n_windows; w++)
		for (size_t i = 0; i < timeline->windows[w].n; i++)
			timeline->windows[w].entries[i].node =
				node_of[timeline->windows[w].entries[i].node];
}

void timeline_forget_ended(struct timeline *timeline)
{
	cleanup_free uint32_t *frame_of = NULL;
	struct profile after;

	/* The places of the open window's entries would not hold any more. */
	if (timeline->profile.tree.n <= timeline->crowded_nodes || timeline->open_places.n)
		return;
	frame_of = frames_after(timeline);
	profile_init(&after, timeline->names);
	after.tree.max_nodes = timeline->profile.tree.max_nodes;
	profile_map_frames(&timeline->profile, frame_of, &after);
	map_entries(timeline, frame_of, &after.tree);
	profile_done(&timeline->profile);
	timeline->profile = after;
	map64_reset(&timeline->nodes);
	timeline->generation++;
	/* Those who are there need that much: look again when it has doubled. */
	timeline->crowded_nodes = max_of(timeline->crowded_nodes, 2 * after.tree.n);
}
