/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "store/sqlite/streams.h"
#include "unit.h"

#define MOST 5000

static uint64_t noise(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

/* Kinds of columns, and what a number of each is made of. */
enum kind { WEIGHTS, COUNTS, MULTIPLES, ZEROS, LARGE, ANY, KINDS };

static uint64_t number_of(enum kind kind, uint64_t random)
{
	switch (kind) {
	case WEIGHTS: /* microseconds of 10 ms */
		return 9000 + random % 2000;
	case COUNTS:
		return 1 + random % 5;
	case MULTIPLES:
		return 10000 * (random % 1000);
	case ZEROS:
		return 0;
	case LARGE: /* around the border of the forms */
		return ((uint64_t)1 << 34) - 3 + random % 6;
	default:
		return random >> random % 64;
	}
}

struct sample {
	uint64_t *numbers[STREAMS_MAX];
	struct streams streams;
	struct block_room room;
	struct buf data;
	size_t raw_bytes;
};

static void make(struct sample *sample, uint32_t n, bool is_quick)
{
	uint64_t random = 88172645463325252u;

	*sample = (struct sample){.streams = {.n_runs = 1 + KINDS, .n = n, .is_quick = is_quick}};
	for (size_t run = 0; run < sample->streams.n_runs; run++) {
		sample->numbers[run] = xcalloc(n + 1u, sizeof(uint64_t));
		for (uint32_t i = 0; i < n; i++)
			sample->numbers[run][i] =
				run ? number_of((enum kind)(run - 1), noise(&random))
				    : 1 + noise(&random) % 50;
		sample->streams.runs[run] = sample->numbers[run];
	}
	block_room_init(&sample->room);
	buf_init(&sample->data, 1 << 24);
	assert_int_equal(streams_write(&sample->streams, &sample->room, &sample->data,
				       &sample->raw_bytes, NULL),
			 0);
}

static void sample_done(struct sample *sample)
{
	for (size_t run = 0; run < sample->streams.n_runs; run++)
		free(sample->numbers[run]);
	block_room_done(&sample->room);
	buf_done(&sample->data);
}

static struct streams_shape shape_of(const struct sample *sample)
{
	return (struct streams_shape){sample->streams.n_runs, sample->streams.n, sample->raw_bytes};
}

static void streams_read_back_as_written(void **state)
{
	const uint32_t sizes[] = {0, 1, 2, 8, 95, 96, 300, 1024, MOST};

	(void)state;
	for (size_t s = 0; s < 2 * array_len(sizes); s++) {
		struct sample sample;
		struct streams_shape shape;
		uint64_t *out;

		make(&sample, sizes[s / 2], s % 2);
		shape = shape_of(&sample);
		out = xcalloc(shape.n_runs * shape.n + 1, sizeof(*out));
		assert_int_equal(
			streams_read(sample.data.data, sample.data.len, &shape, &sample.room, out),
			0);
		for (size_t run = 0; run < shape.n_runs; run++)
			assert_memory_equal(out + run * shape.n, sample.numbers[run],
					    shape.n * sizeof(*out));
		free(out);
		sample_done(&sample);
	}
}

/* Uniform noise over 2,000 values holds 11 bits, a multiple below 1,000 ten. */
static void streams_cost_little_more_than_the_numbers_hold(void **state)
{
	uint64_t random = 1, *numbers = xcalloc(MOST, sizeof(*numbers));
	const double bits[] = {[WEIGHTS] = 11.0, [COUNTS] = 2.33, [MULTIPLES] = 9.97, [ZEROS] = 0};

	(void)state;
	for (enum kind kind = WEIGHTS; kind <= ZEROS; kind++) {
		struct sample sample;
		struct streams streams = {.n_runs = 2, .n = MOST};
		size_t raw_bytes;

		make(&sample, 1, false);
		buf_reset(&sample.data);
		for (uint32_t i = 0; i < MOST; i++)
			numbers[i] = number_of(kind, noise(&random));
		streams.runs[0] = xcalloc(MOST, sizeof(*numbers)); /* all zero: nearly nothing */
		streams.runs[1] = numbers;
		assert_int_equal(
			streams_write(&streams, &sample.room, &sample.data, &raw_bytes, NULL), 0);
		assert_in_range(sample.data.len, 0, (size_t)(MOST / 8 * bits[kind] * 1.1) + 64);
		free((void *)streams.runs[0]);
		sample_done(&sample);
	}
	free(numbers);
}

/* Damage that a forged sum would hide: refused or some numbers, never a read or write elsewhere. */
static void streams_survive_any_bytes(void **state)
{
	uint64_t random = 7;
	struct sample sample;
	struct streams_shape shape;
	uint64_t *out;

	(void)state;
	for (int is_quick = 0; is_quick < 2; is_quick++) {
		make(&sample, 300, is_quick);
		shape = shape_of(&sample);
		out = xcalloc(shape.n_runs * shape.n, sizeof(*out));
		for (int i = 0; i < 20000; i++) {
			size_t len = i % 3 ? sample.data.len : noise(&random) % sample.data.len;
			char *bytes =
				xcalloc(len + 1, 1); /* of its own, so that ASan sees its end */

			memcpy(bytes, sample.data.data, len);
			for (uint64_t n = noise(&random) % 4; n > 0 && len; n--)
				bytes[noise(&random) % min_of(len, i % 2 ? len : 40ul)] ^=
					(char)noise(&random);
			(void)!streams_read(bytes, len, &shape, &sample.room, out);
			free(bytes);
		}
		free(out);
		sample_done(&sample);
	}
}

/* Raw bytes come from the head: they must agree with what the runs say. */
static void streams_refuse_another_shape(void **state)
{
	struct sample sample;
	uint64_t *out;

	(void)state;
	make(&sample, 300, false);
	out = xcalloc((1 + KINDS) * 301, sizeof(*out));
	for (int i = 0; i < 3; i++) {
		struct streams_shape shape = shape_of(&sample);

		shape.raw_bytes += i == 0;
		shape.n += i == 1;
		shape.n_runs -= i == 2;
		assert_int_equal(
			streams_read(sample.data.data, sample.data.len, &shape, &sample.room, out),
			ERR_CORRUPT);
	}
	free(out);
	sample_done(&sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_read_back_as_written),
		cmocka_unit_test(streams_cost_little_more_than_the_numbers_hold),
		cmocka_unit_test(streams_survive_any_bytes),
		cmocka_unit_test(streams_refuse_another_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
