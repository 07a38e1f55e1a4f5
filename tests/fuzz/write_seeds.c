/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the first corpus of the format targets: write_seeds tests/fuzz/corpus.  All of it is made by
 * our own writers; what a fuzzer found is added by hand, named after what was wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/gzip.h"
#include "codec/zstd.h"
#include "format/capture.h"
#include "format/format.h"
#include "format/pprof.h"
#include "sample_profiles.h"

static const char *corpus;

static void save(const char *target, const char *name, const struct buf *bytes)
{
	cleanup_file FILE *file = NULL;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s/%s", corpus, target, name);
	file = fopen(path, "we");
	if (!file || fwrite(bytes->data, 1, bytes->len, file) != bytes->len) {
		perror(path);
		exit(1);
	}
}

/* A file of that format, and what it is packed or unpacked. */
static void save_profiles(uint32_t seed, uint32_t flags)
{
	static const char *const names_of[][2] = {
		{"raw", "collapsed"}, {"speedscope", "speedscope"}, {"pprof", "pprof"}};
	struct names *names = names_new();
	struct profile profile;
	struct format_output output = {.profile = &profile, .title = "seed"};
	char name[64];

	profile_init(&profile, names);
	sample_profile(&profile, seed, flags);
	snprintf(name, sizeof(name), "sample-%u", flags);
	for (size_t i = 0; i < 3; i++) {
		struct buf bytes;

		buf_init(&bytes, 16u << 20);
		if (format_by_name(names_of[i][0])->write(&output, &bytes, NULL) < 0)
			exit(1);
		save(names_of[i][1], name, &bytes);
		if (i == 1)
			save("json", name, &bytes);
		if (i == 2)
			save("gzip", name, &bytes);
		buf_done(&bytes);
	}
	profile_done(&profile);
	names_free(names);
}

static void save_raw_pprof(uint32_t seed, uint32_t flags)
{
	struct pprof_write_opts opts = {0};
	struct names *names = names_new();
	struct profile profile;
	struct buf bytes;
	char name[64];

	profile_init(&profile, names);
	sample_profile(&profile, seed, flags);
	buf_init(&bytes, 16u << 20);
	if (pprof_write_profile(&profile, &opts, &bytes, NULL) < 0)
		exit(1);
	snprintf(name, sizeof(name), "raw-%u", flags);
	save("pprof", name, &bytes);
	save("proto", name, &bytes);
	buf_done(&bytes);
	profile_done(&profile);
	names_free(names);
}

static int to_buf(void *ctx, const void *block, size_t len)
{
	buf_put(ctx, block, len);
	return 0;
}

static void write_events(struct capture_writer *writer, struct names *names, struct tree *tree)
{
	struct capture_header header = {.start_real_ns = 1763800000000000000,
					.rate_hz = 100,
					.command = "app",
					.host = "h",
					.version = "1"};
	struct capture_process process = {
		.id = 1, .pid = 7, .command = "app", .runtime = "CPython"};
	struct capture_thread thread = {.id = 1, .process = 1, .tid = 7, .name = "w"};
	struct capture_source source = {.process = 1, .file = "a.py", .text = "x = 1\n", .len = 6};
	struct capture_stats stats = {.time_ns = 5, .ticks = 3};
	struct capture_end end = {.time_ns = 9, .exit_status = -1, .text = ""};
	int r = capture_write_header(writer, &header) | capture_write_process(writer, &process) |
		capture_write_thread(writer, &thread) | capture_write_source(writer, &source);

	for (uint32_t i = 0; i < 20; i++) {
		char name[8];
		struct frame frame = {.kind = FRAME_PYTHON, .line = i};
		struct node_id node = {i ? i % tree->n : 0};
		struct capture_sample sample = {
			.time_ns = i, .thread = 1, .wall_ns = 10, .cpu_ns = i};

		snprintf(name, sizeof(name), "f%u", i % 5);
		frame.name = names_cstr(names, name);
		sample.node = tree_child(tree, node, names_frame(names, &frame));
		sample.state = (uint8_t)(i % STATE_COUNT);
		r |= capture_write_sample(writer, &sample);
	}
	r |= capture_write_stats(writer, &stats) | capture_write_end(writer, &end) |
	     capture_flush(writer);
	if (r)
		exit(1);
}

static void save_capture(bool compress)
{
	struct names *names = names_new();
	struct capture_writer *writer;
	struct tree tree;
	struct buf bytes;

	tree_init(&tree);
	buf_init(&bytes, 1u << 20);
	writer = capture_writer_new(names, &tree, compress, to_buf, &bytes);
	write_events(writer, names, &tree);
	save("capture", compress ? "zstd" : "plain", &bytes);
	capture_writer_free(writer);
	buf_done(&bytes);
	tree_done(&tree);
	names_free(names);
}

static void save_bodies(void)
{
	struct buf bytes;

	buf_init(&bytes, 1u << 20);
	if (gzip_compress("one", 3, 6, &bytes, NULL) < 0 ||
	    gzip_compress("two", 3, 6, &bytes, NULL) < 0)
		exit(1);
	save("gzip", "two-members", &bytes);
	buf_reset(&bytes);
	if (zstd_compress("hello hello hello", 17, 3, &bytes, NULL) < 0)
		exit(1);
	save("gzip", "zstd", &bytes);
	buf_done(&bytes);
}

int main(int argc, char **argv)
{
	static const uint32_t flags[] = {0, SAMPLE_MARKERS | SAMPLE_STATES,
					 SAMPLE_HOSTILE | SAMPLE_NATIVE | SAMPLE_QUALNAMES};

	if (argc != 2)
		return 2;
	corpus = argv[1];
	for (size_t i = 0; i < 3; i++)
		save_profiles((uint32_t)i, flags[i]);
	save_raw_pprof(1, SAMPLE_MARKERS | SAMPLE_STATES | SAMPLE_TWO_TYPES);
	save_raw_pprof(2, SAMPLE_NATIVE | SAMPLE_QUALNAMES);
	save_capture(false);
	save_capture(true);
	save_bodies();
	return 0;
}
