/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a capture, folded with markers and states.  The checksums of blocks are set right first:
 * a fuzzer would not guess them, and they guard against accidents only.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "codec/crc.h"
#include "format/capture.h"
#include "format/capture_profile.h"

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
	return 0;
}
