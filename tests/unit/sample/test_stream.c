/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "sample/stream.h"

/*
 * The stream of a crew that is this very process: native threads, no interpreter.  What is written is
 * read back with the real decoder.
 */
struct fixture {
	struct names *names, *read_names;
	struct tree tree, read_tree;
	struct target target;
	struct crew crew;
	struct capture_stats stats;
	struct stream stream;
	struct capture_reader *reader;
	int64_t wall_ns, cpu_ns;
	int64_t last_ns;
	int samples, entries, threads;
	char last_name[64];
};

static int see_sample(void *ctx, const struct capture_sample *sample)
{
	struct fixture *f = ctx;

	f->samples++;
	f->entries += 1 + (int)sample->repeats;
	assert_true(sample->time_ns >= f->last_ns);
	f->last_ns = sample->time_ns;
	f->wall_ns += sample->wall_ns;
	f->cpu_ns += sample->cpu_ns;
	return 0;
}

static int see_thread(void *ctx, const struct capture_thread *thread)
{
	struct fixture *f = ctx;

	f->threads++;
	snprintf(f->last_name, sizeof(f->last_name), "%s", thread->name);
	return 0;
}

static int sink(void *ctx, const void *block, size_t len)
{
	struct fixture *f = ctx;

	return capture_feed(f->reader, block, len, NULL);
}

static void begin(struct fixture *f)
{
	static const struct capture_events events = {.sample = see_sample, .thread = see_thread};
	struct capture_header header = {.rate_hz = 1, .command = "", .host = "", .version = ""};
	struct capture_process process = {.id = 1, .pid = getpid(), .command = "", .runtime = ""};

	*f = (struct fixture){.names = names_new(), .read_names = names_new()};
	tree_init(&f->tree);
	tree_init(&f->read_tree);
	f->reader = capture_reader_new(f->read_names, &f->read_tree, &events, f);
	assert_int_equal(process_identify(getpid(), &f->target.process.id, NULL), 0);
	crew_init(&f->crew, &f->target, 1);
	f->stream = (struct stream){
		.writer = capture_writer_new(f->names, &f->tree, false, sink, f),
		.names = f->names,
		.crew = &f->crew,
		.stats = &f->stats,
		.process_id = 1,
	};
	assert_int_equal(capture_write_header(f->stream.writer, &header), 0);
	assert_int_equal(capture_write_process(f->stream.writer, &process), 0);
	assert_int_equal(crew_list(&f->crew, 0, NULL), 0);
	stream_begin(&f->stream);
}

static void end(struct fixture *f)
{
	capture_writer_free(f->stream.writer);
	capture_reader_free(f->reader);
	crew_done(&f->crew);
	tree_done(&f->tree);
	tree_done(&f->read_tree);
	names_free(f->names);
	names_free(f->read_names);
}

/* What a tick would have found out. */
static void all_members(struct fixture *f, enum member_news news)
{
	for (size_t i = 0; i < f->crew.n; i++) {
		f->crew.members[i].news = (uint8_t)news;
		f->crew.members[i].has_node = true;
		assert_true(thread_cpu(&f->crew.members[i].files, &f->crew.members[i].cpu) >= 0 ||
			    news == MEMBER_LOST);
	}
}

static void burn(int64_t ns)
{
	int64_t until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until)
		continue;
}

static void stream_carries_lost_time_to_the_next_sample(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	all_members(&f, MEMBER_PROVEN);
	assert_int_equal(stream_samples(&f.stream, 100, 0), 0);
	all_members(&f, MEMBER_LOST);
	assert_int_equal(stream_samples(&f.stream, 250, 0), 0);
	all_members(&f, MEMBER_PAUSED);
	assert_int_equal(stream_samples(&f.stream, 300, 0), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	assert_int_equal(f.samples, 2);
	assert_int_equal(f.wall_ns, 300);
	assert_int_equal(f.stats.samples, 2);
	assert_int_equal(f.stats.paused, 1);
	assert_int_equal(f.stats.proven, 1);
	end(&f);
}

/* No reading has proven what was held: its time goes to the next sample, and it is counted. */
static void stream_drops_held_samples_that_nothing_proves(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	all_members(&f, MEMBER_PROVEN);
	assert_int_equal(stream_samples(&f.stream, 100, 0), 0);
	all_members(&f, MEMBER_HELD);
	for (int64_t now_ns = 200; now_ns < 200 + 10 * PYTHON_MAX_HELD; now_ns += 10)
		assert_int_equal(stream_samples(&f.stream, now_ns, 0), 0);
	assert_int_equal(f.stats.samples, 1);
	all_members(&f, MEMBER_PROVEN);
	assert_int_equal(stream_samples(&f.stream, 300, 0), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	assert_int_equal(f.samples, 2);
	assert_int_equal(f.wall_ns, 300);
	assert_int_equal(f.stats.dropped, PYTHON_MAX_HELD);
	end(&f);
}

static void stream_makes_one_sample_of_ticks_that_a_thread_slept_through(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	all_members(&f, MEMBER_PROVEN);
	f.crew.members[0].state = STATE_SLEEPING;
	assert_int_equal(stream_samples(&f.stream, 100, 0), 0);
	all_members(&f, MEMBER_SAME);
	for (int64_t now_ns = 200; now_ns <= 500; now_ns += 100)
		assert_int_equal(stream_samples(&f.stream, now_ns, 0), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	assert_int_equal(f.samples, 1);
	all_members(&f, MEMBER_PAUSED);
	assert_int_equal(stream_samples(&f.stream, 600, 0), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	assert_int_equal(f.samples, 3);
	assert_int_equal(f.entries, 6);
	assert_int_equal(f.wall_ns, 600);
	assert_int_equal(f.stats.samples, 6);
	/* What it sleeps through at the end is not lost. */
	all_members(&f, MEMBER_SAME);
	assert_int_equal(stream_samples(&f.stream, 700, 0), 0);
	assert_int_equal(stream_rests(&f.stream), 0);
	assert_int_equal(stream_rests(&f.stream), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	assert_int_equal(f.entries, 7);
	assert_int_equal(f.wall_ns, 700);
	end(&f);
}

/* The thread runs a burst, then waits: the burst's time must not land on the wait. */
static void stream_gives_cpu_time_to_samples_that_found_the_thread_running(void **state)
{
	struct fixture f;
	struct member *member;

	(void)state;
	begin(&f);
	member = &f.crew.members[0];
	burn(10 * NS_PER_MS);
	all_members(&f, MEMBER_PROVEN);
	member->state = STATE_SLEEPING;
	assert_int_equal(stream_samples(&f.stream, 100, 0), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	assert_int_equal(f.cpu_ns, 0);
	all_members(&f, MEMBER_PAUSED);
	member->state = STATE_RUNNING_GIL;
	assert_int_equal(stream_samples(&f.stream, 200, 0), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	assert_true(f.cpu_ns >= 10 * NS_PER_MS);
	end(&f);
}

static void stream_settles_what_no_running_sample_came_for(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	burn(10 * NS_PER_MS);
	all_members(&f, MEMBER_PROVEN);
	f.crew.members[0].state = STATE_SLEEPING;
	assert_int_equal(stream_samples(&f.stream, 100, 0), 0);
	assert_int_equal(stream_settle(&f.stream, 150, 1000), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	assert_int_equal(f.cpu_ns, 0);
	assert_int_equal(stream_settle(&f.stream, 1200, 1000), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	assert_true(f.cpu_ns >= 10 * NS_PER_MS);
	end(&f);
}

static void *short_life(void *ctx)
{
	(void)ctx;
	burn(30 * NS_PER_MS);
	return NULL;
}

/* A thread that nobody ever saw still has its CPU time in the stream. */
static void stream_gives_the_time_of_unseen_threads_to_a_thread_of_its_own(void **state)
{
	struct fixture f;
	pthread_t thread;
	int64_t total_ns, first_ns;

	(void)state;
	begin(&f);
	assert_int_equal(process_cpu(getpid(), &first_ns), 0);
	assert_int_equal(pthread_create(&thread, NULL, short_life, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	all_members(&f, MEMBER_PROVEN);
	assert_int_equal(stream_samples(&f.stream, 1, 0), 0);
	assert_int_equal(stream_departed(&f.stream, 2), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	assert_int_equal(process_cpu(getpid(), &total_ns), 0);
	assert_string_equal(f.last_name, STREAM_UNSEEN_NAME);
	assert_true(f.cpu_ns >= 30 * NS_PER_MS);
	assert_true(f.cpu_ns <= total_ns - first_ns + 5 * NS_PER_MS);
	/* Once: the rest is given out now. */
	first_ns = f.cpu_ns;
	assert_int_equal(stream_departed(&f.stream, 3), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	assert_true(f.cpu_ns - first_ns < 10 * NS_PER_MS);
	end(&f);
}

struct gate {
	pthread_barrier_t seen, done;
};

static void *watched_life(void *ctx)
{
	struct gate *gate = ctx;

	pthread_barrier_wait(&gate->seen);
	pthread_barrier_wait(&gate->done);
	burn(20 * NS_PER_MS);
	return NULL;
}

static void stream_gives_the_last_time_of_a_thread_to_that_thread(void **state)
{
	struct fixture f;
	struct gate gate;
	pthread_t thread;
	int threads;

	(void)state;
	begin(&f);
	pthread_barrier_init(&gate.seen, NULL, 2);
	pthread_barrier_init(&gate.done, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, watched_life, &gate), 0);
	pthread_barrier_wait(&gate.seen);
	assert_int_equal(crew_list(&f.crew, 0, NULL), 0);
	assert_int_equal(f.crew.n, 2);
	all_members(&f, MEMBER_PROVEN);
	assert_int_equal(stream_samples(&f.stream, 1, 0), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	threads = f.threads;
	pthread_barrier_wait(&gate.done);
	pthread_join(thread, NULL);
	assert_int_equal(crew_list(&f.crew, 1, NULL), 0);
	assert_int_equal(f.crew.n, 1);
	assert_int_equal(f.crew.n_departed, 1);
	f.cpu_ns = 0;
	assert_int_equal(stream_departed(&f.stream, 2), 0);
	assert_int_equal(capture_flush(f.stream.writer), 0);
	assert_int_equal(f.threads, threads); /* no stand-in was needed */
	assert_true(f.cpu_ns >= 18 * NS_PER_MS);
	assert_int_equal(f.crew.n_departed, 0);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stream_carries_lost_time_to_the_next_sample),
		cmocka_unit_test(stream_drops_held_samples_that_nothing_proves),
		cmocka_unit_test(stream_makes_one_sample_of_ticks_that_a_thread_slept_through),
		cmocka_unit_test(stream_gives_cpu_time_to_samples_that_found_the_thread_running),
		cmocka_unit_test(stream_settles_what_no_running_sample_came_for),
		cmocka_unit_test(stream_gives_the_time_of_unseen_threads_to_a_thread_of_its_own),
		cmocka_unit_test(stream_gives_the_last_time_of_a_thread_to_that_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
