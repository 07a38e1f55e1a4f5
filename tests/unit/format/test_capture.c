/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/clock.h"
#include "format/capture.h"
#include "format/capture_profile.h"

#define N_SAMPLES 5000

/* ---- a capture made here ---- */

struct made {
	struct names *names;
	struct tree tree;
	struct buf bytes;
	int64_t wall_sum, cpu_sum;
};

static int sink(void *ctx, const void *block, size_t len)
{
	buf_put(ctx, block, len);
	return 0;
}

static struct frame_id frame_of(struct names *names, const char *name, uint32_t line)
{
	struct frame frame = {
		.name = names_cstr(names, name),
		.file = names_cstr(names, "/srv/app.py"),
		.line = line,
		.first_line = 1,
		.kind = FRAME_PYTHON,
	};

	return names_frame(names, &frame);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static struct node_id random_stack(struct made *made, uint32_t *seed)
{
	struct frame_id frames[40];
	size_t n = next_random(seed) % 40;
	char name[16];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "f%u", next_random(seed) % 9);
		frames[i] = frame_of(made->names, name, next_random(seed) % 5);
	}
	return tree_stack(&made->tree, frames, n);
}

static void write_start(struct capture_writer *writer)
{
	struct capture_header header = {
		.start_real_ns = 1763800000ll * NS_PER_S,
		.start_monotonic_ns = 77,
		.rate_hz = 100,
		.flags = CAPTURE_NATIVE,
		.command = "python app.py",
		.host = "here",
		.version = "1",
	};
	struct capture_process process = {.id = 1,
					  .pid = 4711,
					  .parent_pid = 1,
					  .command = "python app.py",
					  .runtime = "CPython 3.11"};
	struct capture_thread threads[] = {
		{.id = 1, .process = 1, .tid = 4711, .name = "MainThread"},
		{.id = 2, .process = 1, .tid = 4712, .name = "worker;\n\x1b[31m"},
	};

	assert_int_equal(capture_write_header(writer, &header), 0);
	assert_int_equal(capture_write_process(writer, &process), 0);
	for (size_t i = 0; i < array_len(threads); i++)
		assert_int_equal(capture_write_thread(writer, &threads[i]), 0);
}

static void write_samples(struct made *made, struct capture_writer *writer)
{
	uint32_t seed = 1;

	for (int64_t i = 0; i < N_SAMPLES; i++) {
		struct capture_sample sample = {
			.time_ns = i * 10 * NS_PER_MS + next_random(&seed),
			.thread = 1 + next_random(&seed) % 2,
			.node = random_stack(made, &seed),
			.state = (uint8_t)(next_random(&seed) % STATE_COUNT),
			.flags = (uint8_t)(next_random(&seed) % 2),
			.wall_ns = next_random(&seed),
			.cpu_ns = next_random(&seed),
		};

		made->wall_sum += sample.wall_ns;
		made->cpu_sum += sample.cpu_ns;
		assert_int_equal(capture_write_sample(writer, &sample), 0);
	}
}

static void make_capture(struct made *made, bool compress)
{
	struct capture_stats stats = {
		.time_ns = 50 * NS_PER_S,
		.ticks = N_SAMPLES,
		.torn = 3,
		.native = {[CAPTURE_NATIVE_COMPLETE] = 700, [CAPTURE_NATIVE_LATER] = 5},
		.native_bytes = 1ull << 40,
	};
	struct capture_end end = {.time_ns = 60 * NS_PER_S,
				  .code = ERR_GONE,
				  .exit_status = -1,
				  .text = "process 4711 has ended"};
	struct capture_writer *writer;

	*made = (struct made){.names = names_new()};
	tree_init(&made->tree);
	buf_init(&made->bytes, (size_t)64 << 20);
	writer = capture_writer_new(made->names, &made->tree, compress, sink, &made->bytes);
	write_start(writer);
	write_samples(made, writer);
	assert_int_equal(capture_write_stats(writer, &stats), 0);
	assert_int_equal(capture_write_end(writer, &end), 0);
	assert_int_equal(capture_flush(writer), 0);
	capture_writer_free(writer);
}

static void made_done(struct made *made)
{
	tree_done(&made->tree);
	names_free(made->names);
	buf_done(&made->bytes);
}

/* ---- reading it ---- */

struct folded {
	struct names *names;
	struct tree tree;
	struct capture_fold *fold;
	struct capture_reader *reader;
};

static void fold_begin(struct folded *folded, const struct capture_fold_opts *opts)
{
	folded->names = names_new();
	tree_init(&folded->tree);
	folded->fold = capture_fold_new(folded->names, &folded->tree, opts);
	folded->reader = capture_reader_new(folded->names, &folded->tree, capture_fold_events(),
					    folded->fold);
}

static void fold_done(struct folded *folded)
{
	capture_reader_free(folded->reader);
	capture_fold_free(folded->fold);
	tree_done(&folded->tree);
	names_free(folded->names);
}

static int64_t sum_of(const struct folded *folded, enum capture_column column)
{
	return profile_sum(capture_fold_profile(folded->fold),
			   capture_fold_column(folded->fold, column));
}

static void capture_reads_back_what_was_written(void **state)
{
	struct capture_fold_opts opts = {.keep_timed = true};

	(void)state;
	for (int compress = 0; compress < 2; compress++) {
		const struct capture_facts *facts;
		struct made made;
		struct folded folded;

		make_capture(&made, compress);
		fold_begin(&folded, &opts);
		assert_int_equal(capture_feed(folded.reader, made.bytes.data, made.bytes.len, NULL),
				 0);
		assert_true(capture_is_complete(folded.reader));
		assert_int_equal(capture_good_bytes(folded.reader), made.bytes.len);
		assert_int_equal(sum_of(&folded, CAPTURE_WALL), made.wall_sum);
		assert_int_equal(sum_of(&folded, CAPTURE_CPU), made.cpu_sum);
		assert_int_equal(sum_of(&folded, CAPTURE_SAMPLES), N_SAMPLES);
		assert_int_equal(capture_fold_timed(folded.fold)->n_samples, N_SAMPLES);
		assert_int_equal(capture_fold_profile(folded.fold)->tree.n, made.tree.n);
		facts = capture_fold_facts(folded.fold);
		assert_string_equal(facts->header.command, "python app.py");
		assert_int_equal(facts->end.code, ERR_GONE);
		assert_int_equal(facts->stats.torn, 3);
		assert_int_equal(facts->stats.native[CAPTURE_NATIVE_COMPLETE], 700);
		assert_int_equal(facts->stats.native[CAPTURE_NATIVE_LATER], 5);
		assert_true(facts->stats.native_bytes == 1ull << 40);
		assert_int_equal(facts->n_threads, 2);
		assert_int_equal(capture_fold_profile(folded.fold)->duration_ns, 60 * NS_PER_S);
		fold_done(&folded);
		made_done(&made);
	}
}

/* A sleeper that stands for five ticks of 10 ms, and a thread that ran at two of them. */
static void write_repeats(struct capture_writer *writer)
{
	struct capture_sample samples[] = {
		{.time_ns = 15, .thread = 2, .wall_ns = 15, .cpu_ns = 7},
		{.time_ns = 35, .thread = 2, .wall_ns = 20},
		{.time_ns = 51, .thread = 1, .wall_ns = 51, .cpu_ns = 1, .repeats = 4},
	};

	for (size_t i = 0; i < array_len(samples); i++)
		assert_int_equal(capture_write_sample(writer, &samples[i]), 0);
	assert_int_equal(capture_flush(writer), 0);
}

static void capture_counts_every_tick_of_a_sample_that_stands_for_several(void **state)
{
	static const int64_t times[] = {10, 15, 20, 30, 35, 40, 51};
	struct capture_fold_opts opts = {.keep_timed = true};
	struct made made = {.names = names_new()};
	struct capture_writer *writer;
	const struct timed *timed;
	struct folded folded;
	int64_t wall_ns = 0;

	(void)state;
	tree_init(&made.tree);
	buf_init(&made.bytes, 1u << 20);
	writer = capture_writer_new(made.names, &made.tree, false, sink, &made.bytes);
	write_start(writer);
	write_repeats(writer);
	fold_begin(&folded, &opts);
	assert_int_equal(capture_feed(folded.reader, made.bytes.data, made.bytes.len, NULL), 0);
	assert_int_equal(sum_of(&folded, CAPTURE_SAMPLES), 7);
	assert_int_equal(sum_of(&folded, CAPTURE_WALL), 86);
	assert_int_equal(capture_fold_facts(folded.fold)->n_samples, 7);
	timed = capture_fold_timed(folded.fold);
	assert_int_equal(timed->n_samples, array_len(times));
	for (size_t i = 0; i < timed->n_samples; i++) {
		assert_int_equal(timed->samples[i].time_ns, times[i]);
		wall_ns += timed->samples[i].wall_ns;
	}
	assert_int_equal(wall_ns, 86);
	fold_done(&folded);
	capture_writer_free(writer);
	made_done(&made);
}

/* Nodes of the profile of two stacks that differ in their column only. */
static uint32_t nodes_with(const struct capture_fold_opts *opts)
{
	struct names *names = names_new();
	struct frame frame = *names_frame_get(names, frame_of(names, "f", 7));
	struct capture_writer *writer;
	struct folded folded;
	struct tree tree;
	struct buf bytes;
	uint32_t n;

	tree_init(&tree);
	buf_init(&bytes, 1u << 20);
	writer = capture_writer_new(names, &tree, false, sink, &bytes);
	write_start(writer);
	for (frame.column = 3; frame.column < 5; frame.column++) {
		struct capture_sample sample = {.thread = 1};

		sample.node = tree_child(&tree, (struct node_id){0}, names_frame(names, &frame));
		assert_int_equal(capture_write_sample(writer, &sample), 0);
	}
	assert_int_equal(capture_flush(writer), 0);
	fold_begin(&folded, opts);
	assert_int_equal(capture_feed(folded.reader, bytes.data, bytes.len, NULL), 0);
	n = capture_fold_profile(folded.fold)->tree.n - 1;
	fold_done(&folded);
	capture_writer_free(writer);
	buf_done(&bytes);
	tree_done(&tree);
	names_free(names);
	return n;
}

static void capture_carries_columns_and_lines_stay_whole(void **state)
{
	struct capture_fold_opts none = {0}, columns = {.columns = true};
	struct capture_fold_opts functions = {.columns = true, .by_function = true};

	(void)state;
	assert_int_equal(nodes_with(&none), 1);
	assert_int_equal(nodes_with(&columns), 2);
	assert_int_equal(nodes_with(&functions), 1);
}

static void capture_reads_any_portions(void **state)
{
	struct capture_fold_opts opts = {0};
	struct made made;
	struct folded folded;
	uint32_t seed = 7;

	(void)state;
	make_capture(&made, true);
	fold_begin(&folded, &opts);
	for (size_t at = 0, n; at < made.bytes.len; at += n) {
		n = min_of(1 + next_random(&seed) % 333, made.bytes.len - at);
		assert_int_equal(capture_feed(folded.reader, made.bytes.data + at, n, NULL), 0);
	}
	assert_true(capture_is_complete(folded.reader));
	assert_int_equal(sum_of(&folded, CAPTURE_WALL), made.wall_sum);
	fold_done(&folded);
	made_done(&made);
}

static void capture_cut_short_is_read_to_its_last_block(void **state)
{
	struct capture_fold_opts opts = {0};
	struct made made;
	struct folded folded;

	(void)state;
	make_capture(&made, true);
	fold_begin(&folded, &opts);
	assert_int_equal(capture_feed(folded.reader, made.bytes.data, made.bytes.len - 1, NULL), 0);
	assert_false(capture_is_complete(folded.reader));
	assert_in_range(capture_good_bytes(folded.reader), 1, made.bytes.len - 1);
	assert_in_range(sum_of(&folded, CAPTURE_SAMPLES), 1, N_SAMPLES);
	fold_done(&folded);
	made_done(&made);
}

static void capture_notices_every_flipped_bit(void **state)
{
	struct capture_fold_opts opts = {0};
	struct made made;
	uint32_t seed = 3;

	(void)state;
	make_capture(&made, false);
	for (int i = 0; i < 200; i++) {
		size_t at = next_random(&seed) % made.bytes.len;
		struct folded folded;
		int r;

		made.bytes.data[at] ^= 4;
		fold_begin(&folded, &opts);
		r = capture_feed(folded.reader, made.bytes.data, made.bytes.len, NULL);
		/* A length may now claim more than there is: that is a capture cut short. */
		assert_true(r < 0 || !capture_is_complete(folded.reader));
		assert_in_range(sum_of(&folded, CAPTURE_SAMPLES), 0, N_SAMPLES);
		fold_done(&folded);
		made.bytes.data[at] ^= 4;
	}
	made_done(&made);
}

static void capture_filters_add_up(void **state)
{
	const struct capture_filter parts[][2] = {
		{{.thread = "MainThread"}, {.thread = "4712"}},
		{{.until_ns = 20 * NS_PER_S}, {.from_ns = 20 * NS_PER_S}},
		{{.pid = 4711}, {.pid = 1}},
	};
	struct made made;

	(void)state;
	make_capture(&made, false);
	for (size_t i = 0; i < array_len(parts); i++) {
		int64_t sum = 0;

		for (int part = 0; part < 2; part++) {
			struct capture_fold_opts opts = {.filter = parts[i][part],
							 .split_states = true,
							 .thread_markers = true,
							 .process_markers = true};
			const struct profile *profile;
			struct folded folded;

			fold_begin(&folded, &opts);
			assert_int_equal(
				capture_feed(folded.reader, made.bytes.data, made.bytes.len, NULL),
				0);
			profile = capture_fold_profile(folded.fold);
			for (size_t c = 0; c < profile->n_columns; c++)
				if (strcmp(names_text(folded.names, profile->columns[c].type.type,
						      NULL),
					   "wall") == 0)
					sum += profile_sum(profile, c);
			fold_done(&folded);
		}
		assert_int_equal(sum, made.wall_sum);
	}
	made_done(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capture_reads_back_what_was_written),
		cmocka_unit_test(capture_counts_every_tick_of_a_sample_that_stands_for_several),
		cmocka_unit_test(capture_carries_columns_and_lines_stay_whole),
		cmocka_unit_test(capture_reads_any_portions),
		cmocka_unit_test(capture_cut_short_is_read_to_its_last_block),
		cmocka_unit_test(capture_notices_every_flipped_bit),
		cmocka_unit_test(capture_filters_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
