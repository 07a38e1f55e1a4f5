/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a capture, folded with markers and states, and as a timeline that is moved over.  The checksums of blocks are set right first:
 * a fuzzer would not guess them, and they guard against accidents only.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "codec/crc.h"
#include "format/capture.h"
#include "format/capture_profile.h"
#include "format/timeline.h"

#define MAX_BYTES 65536

static void repair(uint8_t *data, size_t size)
{
	for (size_t at = 0; size - at >= CAPTURE_BLOCK_HEAD_BYTES;) {
		struct cursor head = cursor_over(data + at + 8, 4);
		size_t len = cursor_le32(&head);
		uint32_t crc;

		if (len > size - at - CAPTURE_BLOCK_HEAD_BYTES)
			break;
		crc = crc32_of(0, data + at + CAPTURE_BLOCK_HEAD_BYTES, len);
		for (int i = 0; i < 4; i++)
			data[at + 16 + (size_t)i] = (uint8_t)(crc >> (8 * i));
		at += CAPTURE_BLOCK_HEAD_BYTES + len;
	}
}

static void check_sums(struct capture_fold *fold)
{
	const struct profile *profile = capture_fold_profile(fold);
	const struct timed *timed = capture_fold_timed(fold);

	if (timed->n_samples != capture_fold_facts(fold)->n_kept)
		abort();
	for (size_t i = 0; i < timed->n_samples; i++)
		if (timed->samples[i].node.v >= profile->tree.n ||
		    timed->samples[i].thread >= timed->n_threads)
			abort();
	for (size_t i = 0; i < profile->n_columns; i++)
		if (profile_sum(profile, i) < 0)
			abort();
}

static int64_t sum_of(const struct timeline *timeline)
{
	const struct profile *profile = timeline_profile(timeline);
	int64_t sum = 0;

	for (size_t i = 0; i < profile->n_columns; i++)
		if (__builtin_add_overflow(sum, profile_sum(profile, i), &sum))
			return INT64_MAX;
	return sum;
}

static void check_rows(const struct timeline *timeline, struct arena *arena)
{
	struct timeline_row *rows;
	size_t n = timeline_rows(timeline, 7, arena, &rows);

	for (size_t i = 0; i < n; i++) {
		if (rows[i].node.v >= timeline_profile(timeline)->tree.n || rows[i].n_cells > 7 ||
		    !rows[i].name || !rows[i].command)
			abort();
		for (size_t cell = 0; cell < rows[i].n_cells; cell++)
			if (rows[i].cells[cell] >= STATE_COUNT &&
			    rows[i].cells[cell] != TIMELINE_CELL_NONE)
				abort();
	}
}

/* Wherever the range was, the whole is what it was; only sums that were saturated cannot be undone. */
static void check_moves(struct timeline *timeline, const uint8_t *data, size_t size)
{
	int64_t end_ns = timeline_end_ns(timeline), whole;
	struct arena arena;

	arena_init(&arena);
	timeline_show(timeline, 0, TIMELINE_END);
	whole = sum_of(timeline);
	for (size_t i = 0; i + 1 < size && i < 32; i += 2) {
		int64_t from_ns = end_ns / 255 * data[i];

		timeline_show(timeline, from_ns, from_ns + end_ns / 255 * data[i + 1]);
		check_rows(timeline, &arena);
	}
	timeline_show(timeline, 0, TIMELINE_END);
	if (whole < INT64_MAX / 4 && sum_of(timeline) != whole)
		abort();
	arena_done(&arena);
}

static void run_timeline(const uint8_t *data, size_t size)
{
	struct timeline_opts opts = {.window_ns = size % 7 ? 1 << 20 : 0,
				     .process_markers = size % 2,
				     .gil_only = size % 3 == 0};
	struct names *names = names_new();
	struct capture_reader *reader;
	struct timeline *timeline;
	struct tree tree;
	struct err err;

	names_set_limits(names, 10000, 10000);
	tree_init(&tree);
	timeline = timeline_new(names, &tree, &opts);
	reader = capture_reader_new(names, &tree, timeline_events(), timeline);
	(void)!capture_feed(reader, data, size, &err);
	timeline_cut(timeline);
	check_moves(timeline, data, size);
	capture_reader_free(reader);
	timeline_free(timeline);
	tree_done(&tree);
	names_free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[MAX_BYTES];
	struct capture_fold_opts opts = {
		.filter = {.hide_idle = size % 2, .thread = size % 3 ? NULL : "w"},
		.process_markers = true,
		.thread_markers = true,
		.by_function = size % 5 == 0,
		.split_states = true,
		.keep_timed = true};
	struct names *names = names_new();
	struct capture_reader *reader;
	struct capture_fold *fold;
	struct tree tree;
	struct err err;

	size = size < MAX_BYTES ? size : MAX_BYTES;
	memcpy(copy, data, size);
	repair(copy, size);
	names_set_limits(names, 10000, 10000);
	tree_init(&tree);
	fold = capture_fold_new(names, &tree, &opts);
	reader = capture_reader_new(names, &tree, capture_fold_events(), fold);
	/* In two portions: a block may be cut by the border. */
	if (capture_feed(reader, copy, size / 2, &err) == 0)
		(void)!capture_feed(reader, copy + size / 2, size - size / 2, &err);
	if (capture_good_bytes(reader) > size)
		abort();
	check_sums(fold);
	capture_reader_free(reader);
	capture_fold_free(fold);
	tree_done(&tree);
	names_free(names);
	run_timeline(copy, size);
	return 0;
}
