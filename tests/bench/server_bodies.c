/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes as Pyroscope's Go agents make them, as whole HTTP requests in a file, for server_load.
 *
 *	server_bodies FILE SERIES PROFILES FIRST_NS STEP_S [bare]
 *
 * PROFILES per series, STEP_S seconds each and apart, in time order.  One profile: 300 samples of 3,000
 * locations, gzipped about 48 KB.  Series run the same program, but every series has its own order of
 * strings, functions and locations, and every profile its own samples, drawn by Zipf's law (exponent
 * 1.1) from 3,000 stacks; weights are nanoseconds with jitter.
 *
 * `bare`: without ids, so that a request sent again is another profile.
 *
 * FILE holds, per request: its length (32 bits, little endian), its bytes.  Prints lines "name value",
 * among them what inflating the same bytes costs libdeflate alone.
 */
#include <libdeflate.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "codec/gzip.h"

#define N_SAMPLES 300
#define N_LOCATIONS 3000
#define N_FUNCTIONS 750
#define N_FILES 120
#define N_STACKS 3000
#define DEPTH_MIN 12
#define DEPTH_SPREAD 36
#define BODY_MAX_BYTES ((size_t)1 << 20)

struct stack {
	uint32_t frames[DEPTH_MIN + DEPTH_SPREAD]; /* leaf last */
	uint32_t n;
};

struct generator {
	uint64_t random;
	struct stack *stacks;
	double *cumulated;
	uint32_t *order; /* of this series: place of a frame in its tables */
	uint32_t *at;	 /* the other way round */
	uint32_t *function_at;
	bool is_bare;
	uint64_t raw_bytes, gz_bytes, inflate_ns;
	struct libdeflate_decompressor *inflater;
	char *inflated;
};

static double draw(struct generator *generator)
{
	generator->random ^= generator->random << 13;
	generator->random ^= generator->random >> 7;
	generator->random ^= generator->random << 17;
	return (double)(generator->random >> 11) * 0x1p-53;
}

/* Shared callers at the top, then ever more choice: as stacks of a service are. */
static void make_stacks(struct generator *generator)
{
	double sum = 0;

	generator->stacks = xcalloc(N_STACKS, sizeof(*generator->stacks));
	generator->cumulated = xcalloc(N_STACKS, sizeof(double));
	for (size_t i = 0; i < N_STACKS; i++) {
		struct stack *stack = &generator->stacks[i];

		stack->n = DEPTH_MIN + (uint32_t)(draw(generator) * DEPTH_SPREAD);
		for (uint32_t d = 0; d < stack->n; d++) {
			double choice = pow(draw(generator), 3) * (d < 8 ? 3 : 60);

			stack->frames[d] = (d * 61 + (uint32_t)choice) % N_LOCATIONS;
		}
		sum += pow((double)i + 1, -1.1);
		generator->cumulated[i] = sum;
	}
}

static const struct stack *pick(struct generator *generator)
{
	size_t low = 0, high = N_STACKS - 1;
	double at = draw(generator) * generator->cumulated[high];

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (generator->cumulated[mid] < at)
			low = mid + 1;
		else
			high = mid;
	}
	return &generator->stacks[low];
}

static void shuffle(struct generator *generator, uint32_t *items, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		items[i] = i;
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(draw(generator) * (i + 1)), kept = items[i];

		items[i] = items[j];
		items[j] = kept;
	}
}

/* The orders of a series are the same in all of its profiles. */
static void make_orders(struct generator *generator, long series)
{
	uint64_t kept = generator->random;

	generator->random = (uint64_t)series * 0x9e3779b97f4a7c15u + 1;
	shuffle(generator, generator->at, N_LOCATIONS);
	shuffle(generator, generator->function_at, N_FUNCTIONS);
	for (uint32_t i = 0; i < N_LOCATIONS; i++)
		generator->order[generator->at[i]] = i;
	generator->random = kept;
}

/* ---- protobuf ---- */

static void put_number(struct buf *out, unsigned field, uint64_t value)
{
	buf_put_varint(out, field << 3);
	buf_put_varint(out, value);
}

static void put_bytes(struct buf *out, unsigned field, const void *data, size_t len)
{
	buf_put_varint(out, field << 3 | 2);
	buf_put_varint(out, len);
	buf_put(out, data, len);
}

static void put_text(struct buf *out, unsigned field, const char *text)
{
	put_bytes(out, field, text, strlen(text));
}

static void put_sample(struct generator *generator, struct buf *out, struct buf *part,
		       struct buf *ids)
{
	const struct stack *stack = pick(generator);

	buf_reset(part);
	buf_reset(ids);
	for (uint32_t d = stack->n; d-- > 0;)
		buf_put_varint(ids, generator->order[stack->frames[d]] + 1);
	put_bytes(part, 1, ids->data, ids->len);
	buf_reset(ids);
	buf_put_varint(ids, (uint64_t)(1e7 * (0.9 + 0.2 * draw(generator))));
	put_bytes(part, 2, ids->data, ids->len);
	put_bytes(out, 2, part->data, part->len);
}

/* Strings: the five of put_strings(), then names of functions, then of files. */
static void put_location(struct buf *out, struct buf *part, struct buf *line, uint32_t place,
			 uint32_t frame)
{
	buf_reset(part);
	buf_reset(line);
	put_number(line, 1, frame / (N_LOCATIONS / N_FUNCTIONS) + 1);
	put_number(line, 2, frame % 64 + 11);
	put_number(part, 1, place + 1);
	put_number(part, 2, 1);
	put_number(part, 3, 0x400000 + (uint64_t)frame * 64);
	put_bytes(part, 4, line->data, line->len);
	put_bytes(out, 4, part->data, part->len);
}

static void put_function(struct buf *out, struct buf *part, uint32_t place, uint32_t function)
{
	buf_reset(part);
	put_number(part, 1, function + 1);
	put_number(part, 2, 5 + place);
	put_number(part, 3, 5 + place);
	put_number(part, 4, 5 + N_FUNCTIONS + function % N_FILES);
	put_bytes(out, 5, part->data, part->len);
}

static void put_strings(const struct generator *generator, struct buf *out)
{
	static const char *const words[] = {"Handle",  "Serve",	 "decode", "Encode",  "walk",
					    "Resolve", "cached", "Merge",  "flush",   "Lookup",
					    "append",  "Commit", "parse",  "Schedule"};
	char text[128];

	put_text(out, 6, "");
	put_text(out, 6, "cpu");
	put_text(out, 6, "nanoseconds");
	put_text(out, 6, "/usr/local/bin/shop");
	put_text(out, 6, "0123456789abcdef0123456789abcdef01234567");
	for (uint32_t i = 0; i < N_FUNCTIONS; i++) {
		uint32_t function = generator->function_at[i];

		snprintf(text, sizeof(text), "example.com/shop/internal/pkg%u.(*%s%u).%s%u",
			 function % N_FILES, words[function % 14], function % 37,
			 words[function / 14 % 14], function * 2654435761u >> 20);
		put_text(out, 6, text);
	}
	for (uint32_t i = 0; i < N_FILES; i++) {
		snprintf(text, sizeof(text), "/build/shop/internal/pkg%u/source.go", i);
		put_text(out, 6, text);
	}
}

static void put_profile(struct generator *generator, int64_t start_ns, int64_t length_ns,
			struct buf *out)
{
	cleanup(buf_done) struct buf part = {0}, line = {0};

	buf_init(&part, BODY_MAX_BYTES);
	buf_init(&line, BODY_MAX_BYTES);
	put_number(&part, 1, 1);
	put_number(&part, 2, 2);
	put_bytes(out, 1, part.data, part.len);
	put_bytes(out, 11, part.data, part.len);
	for (int i = 0; i < N_SAMPLES; i++)
		put_sample(generator, out, &part, &line);
	buf_reset(&part);
	put_number(&part, 1, 1);
	put_number(&part, 2, 0x400000);
	put_number(&part, 3, 0x1400000);
	put_number(&part, 5, 3);
	put_number(&part, 6, 4);
	put_bytes(out, 3, part.data, part.len);
	for (uint32_t place = 0; place < N_LOCATIONS; place++)
		put_location(out, &part, &line, place, generator->at[place]);
	for (uint32_t place = 0; place < N_FUNCTIONS; place++)
		put_function(out, &part, place, generator->function_at[place]);
	put_strings(generator, out);
	put_number(out, 9, (uint64_t)start_ns);
	put_number(out, 10, (uint64_t)length_ns);
	put_number(out, 12, 10000000);
}

/* ---- requests ---- */

static void put_label(struct buf *series, struct buf *part, const char *name, const char *value)
{
	buf_reset(part);
	put_text(part, 1, name);
	put_text(part, 2, value);
	put_bytes(series, 1, part->data, part->len);
}

static void put_push(struct buf *out, const struct buf *profile, long series_at, int64_t start_ns,
		     bool is_bare)
{
	cleanup(buf_done) struct buf series = {0}, part = {0};
	char text[64];

	buf_init(&series, BODY_MAX_BYTES);
	buf_init(&part, BODY_MAX_BYTES);
	put_label(&series, &part, "__name__", "process_cpu");
	put_label(&series, &part, "service_name", "shop");
	snprintf(text, sizeof(text), "host-%03ld", series_at);
	put_label(&series, &part, "host", text);
	put_label(&series, &part, "side", series_at % 2 ? "odd" : "even");
	buf_reset(&part);
	put_bytes(&part, 1, profile->data, profile->len);
	snprintf(text, sizeof(text), "%ld-%lld", series_at, (long long)start_ns);
	if (!is_bare)
		put_text(&part, 2, text);
	put_bytes(&series, 2, part.data, part.len);
	put_bytes(out, 1, series.data, series.len);
}

static void write_request(FILE *file, const struct buf *body)
{
	cleanup(buf_done) struct buf head = {0};
	uint32_t len;

	buf_init(&head, BODY_MAX_BYTES);
	buf_printf(&head,
		   "POST /push.v1.PusherService/Push HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		   "Content-Type: application/proto\r\nContent-Length: %zu\r\n\r\n",
		   body->len);
	len = (uint32_t)(head.len + body->len);
	fwrite(&len, sizeof(len), 1, file);
	fwrite(head.data, 1, head.len, file);
	fwrite(body->data, 1, body->len, file);
}

static void time_inflate(struct generator *generator, const struct buf *gz)
{
	int64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	size_t len;

	if (libdeflate_gzip_decompress(generator->inflater, gz->data, gz->len, generator->inflated,
				       BODY_MAX_BYTES, &len) != LIBDEFLATE_SUCCESS)
		abort();
	generator->inflate_ns += (uint64_t)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - began);
}

static void write_profile(struct generator *generator, FILE *file, long series, int64_t start_ns,
			  int64_t length_ns)
{
	cleanup(buf_done) struct buf raw = {0}, gz = {0}, body = {0};

	buf_init(&raw, BODY_MAX_BYTES);
	buf_init(&gz, BODY_MAX_BYTES);
	buf_init(&body, BODY_MAX_BYTES);
	put_profile(generator, start_ns, length_ns, &raw);
	if (gzip_compress(raw.data, raw.len, GZIP_DEFAULT_LEVEL, &gz, NULL) < 0)
		abort();
	generator->raw_bytes += raw.len;
	generator->gz_bytes += gz.len;
	time_inflate(generator, &gz);
	put_push(&body, &gz, series, start_ns, generator->is_bare);
	write_request(file, &body);
}

static void generator_init(struct generator *generator)
{
	*generator = (struct generator){
		.random = 88172645463325252u,
		.order = xcalloc(N_LOCATIONS, sizeof(uint32_t)),
		.at = xcalloc(N_LOCATIONS, sizeof(uint32_t)),
		.function_at = xcalloc(N_FUNCTIONS, sizeof(uint32_t)),
		.inflater = libdeflate_alloc_decompressor(),
		.inflated = xcalloc(1, BODY_MAX_BYTES),
	};
	make_stacks(generator);
}

static void generator_done(struct generator *generator)
{
	libdeflate_free_decompressor(generator->inflater);
	free(generator->inflated);
	free(generator->order);
	free(generator->at);
	free(generator->function_at);
	free(generator->stacks);
	free(generator->cumulated);
}

int main(int argc, char **argv)
{
	cleanup_file FILE *file = argc == 6 || argc == 7 ? fopen(argv[1], "we") : NULL;
	struct generator generator;
	long n_series, n_profiles, n;
	int64_t first_ns, step_ns;

	if (!file) {
		fprintf(stderr, "usage: %s FILE SERIES PROFILES FIRST_NS STEP_S [bare]\n", argv[0]);
		return 2;
	}
	n_series = strtol(argv[2], NULL, 10);
	n_profiles = strtol(argv[3], NULL, 10);
	first_ns = strtoll(argv[4], NULL, 10);
	step_ns = strtoll(argv[5], NULL, 10) * NS_PER_S;
	n = n_series * n_profiles;
	generator_init(&generator);
	generator.is_bare = argc == 7;
	for (long i = 0; i < n_profiles; i++)
		for (long series = 0; series < n_series; series++) {
			make_orders(&generator, series);
			write_profile(&generator, file, series, first_ns + i * step_ns, step_ns);
		}
	printf("profiles %ld\nsamples %d\nlocations %d\n", n, N_SAMPLES, N_LOCATIONS);
	printf("gz_bytes %.0f\nraw_bytes %.0f\n", (double)generator.gz_bytes / (double)n,
	       (double)generator.raw_bytes / (double)n);
	printf("inflate_us %.2f\n", (double)generator.inflate_ns / 1e3 / (double)n);
	generator_done(&generator);
	return ferror(file) ? 1 : 0;
}
