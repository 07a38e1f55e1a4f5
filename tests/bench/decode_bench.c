/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a gzipped pprof costs before the store's writer sees it, step by step, without a server.
 *
 *	decode_bench FILE ROUNDS [SERIES]
 *
 * FILE is anything that holds gzipped pprofs: what server_bodies writes, or a request of an SDK
 * (tests/bench/sdk), of which Python's are not gzipped.  Each is inflated, read into names of its own, and translated into one dictionary,
 * as an upload is; with SERIES the n-th goes into dictionary n modulo SERIES.  Prints lines "name value":
 * CPU microseconds a profile, and all of it as a multiple of inflating alone.  For counted instructions
 * run it under valgrind --tool=callgrind --toggle-collect=decode.
 */
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "codec/gzip.h"
#include "codec/proto.h"
#include "format/pprof.h"
#include "profile/profile.h"
#include "store/sqlite/dict.h"

#define RAW_MAX_BYTES ((size_t)64 << 20)
#define DICT_MAX_NODES (4u << 20)
#define SERIES_MAX 1000

struct body {
	const uint8_t *data;
	size_t len;
};

enum step { STEP_INFLATE, STEP_READ, STEP_TRANSLATE, STEP_FREE, STEP_COUNT };

static const char *const step_names[STEP_COUNT] = {"inflate", "read", "translate", "free"};

struct bench {
	struct body *bodies;
	size_t n, cap;
	struct service services[SERIES_MAX];
	struct dict *dicts[SERIES_MAX];
	size_t n_dicts;
	int64_t ns[STEP_COUNT];
	uint64_t nodes, translated;
};

static void *read_file(const char *path, size_t *ret_len)
{
	cleanup_file FILE *file = fopen(path, "re");
	uint8_t *data;
	long len;

	if (!file || fseek(file, 0, SEEK_END) < 0 || (len = ftell(file)) < 0)
		return NULL;
	rewind(file);
	data = xcalloc((size_t)len + 1, 1);
	*ret_len = fread(data, 1, (size_t)len, file);
	return data;
}

static void add_body(struct bench *bench, const uint8_t *data, size_t len)
{
	bench->bodies = vec_grow(bench->bodies, &bench->cap, bench->n + 1, sizeof(*bench->bodies));
	bench->bodies[bench->n++] = (struct body){data, len};
}

/* Every gzip member in the file, wherever it lies. */
static void find_gzipped(struct bench *bench, const uint8_t *data, size_t len)
{
	struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
	uint8_t *raw = xcalloc(RAW_MAX_BYTES, 1);
	size_t used, got;

	for (size_t i = 0; i + 18 < len; i++) {
		if (memcmp(data + i, "\x1f\x8b\x08", 3) != 0 ||
		    libdeflate_gzip_decompress_ex(inflater, data + i, len - i, raw, RAW_MAX_BYTES,
						  &used, &got) != LIBDEFLATE_SUCCESS)
			continue;
		add_body(bench, data + i, used);
		i += used - 1;
	}
	libdeflate_free_decompressor(inflater);
	free(raw);
}

/* The field of that number, as a message. */
static bool find_inner(struct cursor message, uint32_t number, struct cursor *ret_inner)
{
	struct proto_field field;

	while (proto_next(&message, &field))
		if (field.number == number && field.bytes) {
			*ret_inner = proto_message(&field);
			return true;
		}
	return false;
}

/* A push.v1.PushRequest with a pprof that is not gzipped: series, sample, raw_profile. */
static void find_pushed(struct bench *bench, const uint8_t *data, size_t len)
{
	struct cursor at = cursor_over(data, len);

	if (find_inner(at, 1, &at) && find_inner(at, 2, &at) && find_inner(at, 1, &at))
		add_body(bench, at.at, cursor_left(&at));
}

/* The profiles of one upload: mostly one, unless samples are labelled. */
struct upload {
	struct names *names;
	struct profile profiles[PPROF_MAX_SERIES + 1];
	size_t n;
};

static int add_profile(void *ctx, const struct labels *labels, struct profile **ret_profile,
		       struct err *err)
{
	struct upload *upload = ctx;

	(void)labels;
	(void)err;
	*ret_profile = &upload->profiles[upload->n++];
	profile_init(*ret_profile, upload->names);
	return 0;
}

static void lap(struct bench *bench, enum step step, int64_t *since)
{
	int64_t now = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	bench->ns[step] += now - *since;
	*since = now;
}

static void translate(struct bench *bench, struct dict *dict, const struct profile *profile)
{
	cleanup(arena_done) struct arena arena;
	uint64_t over_limit = 0;

	arena_init(&arena);
	bench->translated +=
		dict_translate(dict, profile, &arena, &over_limit)[profile->tree.n - 1];
	bench->nodes += profile->tree.n;
}

int decode(struct bench *bench, const struct body *body, struct dict *dict, struct upload *upload,
	   struct err *err);

/* Not static: callgrind is told by its name where to count. */
int decode(struct bench *bench, const struct body *body, struct dict *dict, struct upload *upload,
	   struct err *err)
{
	const struct codec_limits limits = codec_limits_of(RAW_MAX_BYTES);
	struct pprof_split split = {.series = add_profile, .ctx = upload, .keeps_spans = true};
	cleanup(buf_done) struct buf raw = {0};
	int64_t at = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int r = 0;

	buf_init(&raw, RAW_MAX_BYTES);
	if (gzip_is_gzip(body->data, body->len))
		r = gzip_decompress(body->data, body->len, &limits, NULL, &raw, err);
	else
		buf_put(&raw, body->data, body->len);
	lap(bench, STEP_INFLATE, &at);
	if (r < 0)
		return r;
	upload->names = names_new();
	upload->n = 0;
	r = pprof_read_split(raw.data, raw.len, &format_limits_server, upload->names, &split, err);
	lap(bench, STEP_READ, &at);
	for (size_t i = 0; r == 0 && i < upload->n; i++)
		translate(bench, dict, &upload->profiles[i]);
	lap(bench, STEP_TRANSLATE, &at);
	for (size_t i = 0; i < upload->n; i++)
		profile_done(&upload->profiles[i]);
	names_free(upload->names);
	lap(bench, STEP_FREE, &at);
	return r;
}

static void report(const struct bench *bench, double n)
{
	int64_t all = 0;

	for (int step = 0; step < STEP_COUNT; step++) {
		printf("%s_us %.1f\n", step_names[step], (double)bench->ns[step] / 1e3 / n);
		all += bench->ns[step];
	}
	printf("all_us %.1f\nall_per_inflate %.2f\n", (double)all / 1e3 / n,
	       (double)all / (double)bench->ns[STEP_INFLATE]);
	printf("nodes %.0f\ndictionary_nodes %u\ndictionary_frames %u\n", (double)bench->nodes / n,
	       bench->dicts[0]->tree.n, names_frame_count(bench->dicts[0]->names));
}

int main(int argc, char **argv)
{
	static struct bench bench;
	static struct upload upload;
	size_t len = 0;
	long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	cleanup_free uint8_t *data = argc > 2 ? read_file(argv[1], &len) : NULL;
	struct err err = {0};

	bench.n_dicts = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 1;
	if (!data || rounds < 1 || !bench.n_dicts || bench.n_dicts > SERIES_MAX) {
		fprintf(stderr, "usage: %s FILE ROUNDS [SERIES]\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < bench.n_dicts; i++) {
		bench.dicts[i] = dict_new(&bench.services[i], (uint32_t)i + 1, 0, 0);
		dict_begin(bench.dicts[i], DICT_MAX_NODES);
	}
	find_gzipped(&bench, data, len);
	if (!bench.n)
		find_pushed(&bench, data, len);
	for (long round = 0; round < rounds; round++)
		for (size_t i = 0; i < bench.n; i++)
			if (decode(&bench, &bench.bodies[i], bench.dicts[i % bench.n_dicts],
				   &upload, &err) < 0) {
				fprintf(stderr, "%s\n", err.text);
				return 1;
			}
	printf("profiles %zu\n", bench.n);
	report(&bench, (double)bench.n * (double)rounds);
	for (size_t i = 0; i < bench.n_dicts; i++) {
		dict_free(bench.dicts[i]);
		free(bench.services[i].dicts);
	}
	free(bench.bodies);
	return 0;
}
