/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store under faults: power cuts, failing syncs, full disks, many threads.  What it answers is
 * tests/store_oracle's business.
 */
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "faulty_vfs.h"
#include "store/sqlite/sqlite_store.h"
#include "unit.h"

#define START_NS (1763800000ll * NS_PER_S) /* 2025-11-22 08:26:40 */
#define N_PUTS 60

struct ledger {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t acked; /* puts 0 .. acked - 1 were acknowledged */
	size_t answered;
	int last_code;
};

struct fixture {
	char dir[64];
	struct store *store;
	struct ledger ledger;
	struct store_clock clock;
	struct store_io io;
	struct store_config config;
};

static int64_t later(void *ctx)
{
	(void)ctx;
	return START_NS + 36000 * NS_PER_S;
}

static void set_up(struct fixture *fixture, bool is_faulty)
{
	*fixture = (struct fixture){
		.clock = {later, NULL}, .io = {FAULTY_VFS_NAME}, .dir = "/tmp/store-test-XXXXXX"};
	pthread_mutex_init(&fixture->ledger.lock, NULL);
	pthread_cond_init(&fixture->ledger.changed, NULL);
	assert_non_null(mkdtemp(fixture->dir));
	store_config_init(&fixture->config, fixture->dir);
	fixture->config.retention = (struct store_retention){0};
	fixture->config.clock = &fixture->clock;
	fixture->config.io = is_faulty ? &fixture->io : NULL;
	assert_int_equal(sqlite_store_open(&fixture->config, &fixture->store, NULL), 0);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info;
	(void)kind;
	(void)at;
	return remove(path);
}

static void remove_dir(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void tear_down(struct fixture *fixture)
{
	if (fixture->store)
		fixture->store->ops->close(fixture->store);
	remove_dir(fixture->dir);
}

static void on_done(void *ctx, int code, const char *text)
{
	struct ledger *ledger = ctx;

	(void)text;
	pthread_mutex_lock(&ledger->lock);
	ledger->acked += code == 0 || code == ERR_DUPLICATE;
	ledger->answered++;
	ledger->last_code = code;
	pthread_cond_broadcast(&ledger->changed);
	pthread_mutex_unlock(&ledger->lock);
}

/* Put number i: one stack of its own worth i + 1 ms, in one of three hours and two services. */
static int put_number(struct store *store, int i, store_done_fn *done, void *ctx)
{
	struct names *names = names_new();
	struct labels labels = {
		.items = {{LABEL_METRIC, "process_cpu"}, {LABEL_SERVICE, i % 2 ? "b" : "a"}},
		.n = 2};
	char id[32], name[32];
	struct profile profile;
	struct store_profile put = {
		.tenant = "t", .id = id, .labels = &labels, .profile = &profile};
	struct frame frame = {.kind = FRAME_PYTHON};
	int r;

	snprintf(id, sizeof(id), "id-%d", i);
	snprintf(name, sizeof(name), "%d", i);
	profile_init(&profile, names);
	assert_int_equal(profile_column(&profile, "cpu", "nanoseconds", ""), 0);
	frame.name = names_cstr(names, name);
	profile_add(&profile, 0,
		    tree_child(&profile.tree, (struct node_id){0}, names_frame(names, &frame)),
		    (i + 1) * NS_PER_MS);
	profile.start_ns = START_NS + (int64_t)i * 61 * NS_PER_S;
	profile.duration_ns = 10 * NS_PER_S;
	profile.period_type = names_cstr(names, "cpu");
	profile.period_unit = names_cstr(names, "nanoseconds");
	r = store->ops->put(store, &put, done, ctx, NULL);
	profile_done(&profile);
	names_free(names);
	return r;
}

static int put_and_wait(struct fixture *fixture, int i)
{
	struct ledger *ledger = &fixture->ledger;
	size_t before = ledger->answered;
	int r = put_number(fixture->store, i, on_done, ledger);

	if (r < 0)
		return r;
	pthread_mutex_lock(&ledger->lock);
	while (ledger->answered == before)
		pthread_cond_wait(&ledger->changed, &ledger->lock);
	r = ledger->last_code;
	pthread_mutex_unlock(&ledger->lock);
	return r;
}

/* Values by put number; fails the test when one is neither whole nor absent. */
static size_t read_numbers(struct store *store, bool *has, size_t n)
{
	cleanup(arena_done) struct arena arena;
	struct selector selector;
	struct store_query query = {
		.tenant = "t",
		.selector = &selector,
		.range = {START_NS - 3600 * NS_PER_S, START_NS + 86400 * NS_PER_S}};
	struct store_merged merged;
	size_t found = 0;

	arena_init(&arena);
	memset(has, 0, n * sizeof(*has));
	assert_int_equal(selector_parse("{}", &arena, &selector, NULL), 0);
	assert_int_equal(store->ops->merge(store, &query, &merged, NULL), 0);
	assert_false(merged.is_partial);
	for (uint32_t node = 1; node < merged.profile->tree.n; node++) {
		const struct frame *frame = names_frame_get(
			merged.names, (struct frame_id){merged.profile->tree.frame[node]});
		long i = strtol(names_text(merged.names, frame->name, NULL), NULL, 10);

		assert_int_equal(profile_value(merged.profile, 0, (struct node_id){node}),
				 (i + 1) * NS_PER_MS);
		assert_in_range(i, 0, n - 1);
		has[i] = true;
		found++;
	}
	selector_done(&selector);
	store_merged_done(&merged);
	return found;
}

/* ---- power cuts ---- */

static size_t note_acked(void *ctx)
{
	struct ledger *ledger = ctx;
	size_t acked;

	pthread_mutex_lock(&ledger->lock);
	acked = ledger->acked;
	pthread_mutex_unlock(&ledger->lock);
	return acked;
}

static void check_snapshot(const struct fixture *fixture, const struct faulty_vfs *vfs, size_t i)
{
	struct store_config config = fixture->config;
	char dir[] = "/tmp/store-cut-XXXXXX";
	bool has[N_PUTS];
	struct store *store;
	struct err err = {0};
	size_t acked;

	assert_non_null(mkdtemp(dir));
	acked = faulty_vfs_write(vfs, i, fixture->dir, dir);
	config.dir = dir;
	config.io = NULL;
	if (sqlite_store_open(&config, &store, &err) < 0)
		fail_msg("snapshot %zu does not open: %s", i, err.text);
	read_numbers(store, has, N_PUTS);
	for (size_t number = 0; number < acked; number++)
		if (!has[number])
			fail_msg("snapshot %zu: put %zu of %zu acknowledged is lost", i, number,
				 acked);
	/* It goes on from there: what was sent again is taken once. */
	for (int number = 0; number < N_PUTS; number++)
		assert_int_equal(put_number(store, number, NULL, NULL), 0);
	sqlite_store_settle(store);
	assert_int_equal(read_numbers(store, has, N_PUTS), N_PUTS);
	store->ops->close(store);
	remove_dir(dir);
}

static void a_power_cut_loses_nothing_that_was_acknowledged(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2; seed++) {
		struct faulty_vfs *vfs = faulty_vfs_new(seed);
		struct fixture fixture;
		size_t n, step;

		set_up(&fixture, true);
		faulty_vfs_watch(vfs, note_acked, &fixture.ledger);
		for (int i = 0; i < N_PUTS; i++) {
			assert_int_equal(put_and_wait(&fixture, i), 0);
			if (i % 20 == 19)
				sqlite_store_settle(fixture.store);
		}
		n = faulty_vfs_snapshots(vfs);
		assert_true(n > N_PUTS);
		step = n / 40 + 1;
		for (size_t i = seed % step; i < n; i += step)
			check_snapshot(&fixture, vfs, i);
		tear_down(&fixture);
		faulty_vfs_free(vfs);
	}
}

/* ---- failing writes ---- */

static void after_a_failed_sync_nothing_is_acknowledged_any_more(void **state)
{
	(void)state;
	for (int after = 1; after <= 12; after++) {
		struct faulty_vfs *vfs = faulty_vfs_new((uint64_t)after);
		struct fixture fixture;
		bool has[N_PUTS], failed = false;
		struct store_stats stats;
		size_t acked;

		set_up(&fixture, true);
		faulty_vfs_fail_syncs(vfs, after);
		for (int i = 0; i < 20; i++) {
			int r = put_and_wait(&fixture, i);

			assert_true(r == 0 || r == -EIO);
			assert_false(failed && r == 0);
			failed = failed || r < 0;
		}
		assert_true(failed);
		fixture.store->ops->stats(fixture.store, &stats);
		assert_true(stats.is_failed);
		acked = fixture.ledger.acked;
		assert_true(read_numbers(fixture.store, has, N_PUTS) >= acked);
		tear_down(&fixture);
		faulty_vfs_free(vfs);
	}
}

static void a_full_disk_refuses_puts_answers_reads_and_resumes(void **state)
{
	struct faulty_vfs *vfs = faulty_vfs_new(3);
	struct fixture fixture;
	bool has[N_PUTS];
	int r = -ENOSPC;

	(void)state;
	set_up(&fixture, true);
	for (int i = 0; i < 10; i++)
		assert_int_equal(put_and_wait(&fixture, i), 0);
	faulty_vfs_set_full(vfs, true);
	for (int i = 10; i < 20; i++)
		assert_int_equal(put_and_wait(&fixture, i), -ENOSPC);
	assert_int_equal(read_numbers(fixture.store, has, N_PUTS), 10);
	faulty_vfs_set_full(vfs, false);
	for (int tries = 0; tries < 100 && r == -ENOSPC; tries++) {
		r = put_and_wait(&fixture, 10);
		usleep(50000);
	}
	assert_int_equal(r, 0);
	assert_int_equal(read_numbers(fixture.store, has, N_PUTS), 11);
	tear_down(&fixture);
	faulty_vfs_free(vfs);
}

/* ---- many threads ---- */

struct worker {
	struct fixture *fixture;
	int first;
	bool is_reader;
	const bool *is_over;
};

static void *work(void *ctx)
{
	struct worker *worker = ctx;
	bool has[N_PUTS * 8];

	if (worker->is_reader) {
		while (!__atomic_load_n(worker->is_over, __ATOMIC_ACQUIRE))
			read_numbers(worker->fixture->store, has, N_PUTS * 8);
		return NULL;
	}
	for (int i = 0; i < N_PUTS; i++)
		if (put_number(worker->fixture->store, worker->first + i, on_done,
			       &worker->fixture->ledger) < 0)
			abort();
	return NULL;
}

static void threads_put_and_read_at_once(void **state)
{
	enum { WRITERS = 4, READERS = 2 };
	struct worker workers[WRITERS + READERS];
	pthread_t threads[WRITERS + READERS];
	struct fixture fixture;
	bool is_over = false, has[N_PUTS * 8];

	(void)state;
	set_up(&fixture, false);
	for (int i = 0; i < WRITERS + READERS; i++) {
		workers[i] = (struct worker){&fixture, i * N_PUTS / 2, i >= WRITERS, &is_over};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	sqlite_store_settle(fixture.store);
	__atomic_store_n(&is_over, true, __ATOMIC_RELEASE);
	for (int i = WRITERS; i < WRITERS + READERS; i++)
		pthread_join(threads[i], NULL);
	/* Neighbours put the same half: each number is there once. */
	assert_int_equal(read_numbers(fixture.store, has, N_PUTS * 8), N_PUTS * (WRITERS + 1) / 2);
	tear_down(&fixture);
}

/* ---- queries that are given up, sources ---- */

static void a_query_stops_when_it_is_cancelled_or_late(void **state)
{
	cleanup(arena_done) struct arena arena;
	struct selector selector;
	bool is_cancelled = true;
	struct store_query query = {.tenant = "t",
				    .selector = &selector,
				    .range = {START_NS, START_NS + 3600 * NS_PER_S}};
	struct store_merged merged;
	struct fixture fixture;
	struct err err;

	(void)state;
	set_up(&fixture, false);
	arena_init(&arena);
	assert_int_equal(selector_parse("{}", &arena, &selector, NULL), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(put_and_wait(&fixture, i), 0);
	query.is_cancelled = &is_cancelled;
	assert_int_equal(fixture.store->ops->merge(fixture.store, &query, &merged, &err),
			 -ECANCELED);
	query.is_cancelled = NULL;
	query.deadline_ns = clock_monotonic_ns() - 1;
	assert_int_equal(fixture.store->ops->merge(fixture.store, &query, &merged, &err), -ETIME);
	selector_done(&selector);
	tear_down(&fixture);
}

static void the_newest_source_of_a_file_is_kept(void **state)
{
	cleanup(arena_done) struct arena arena;
	const struct store_source sent[] = {{"/srv/app.py", "one\n", 4, 10},
					    {"/srv/app.py", "three\n", 6, 30},
					    {"/srv/app.py", "two\n", 4, 20}};
	struct store_source got;
	struct fixture fixture;

	(void)state;
	set_up(&fixture, false);
	arena_init(&arena);
	for (size_t i = 0; i < array_len(sent); i++)
		assert_int_equal(fixture.store->ops->put_source(fixture.store, "t", "shop",
								&sent[i], NULL, NULL, NULL),
				 0);
	sqlite_store_settle(fixture.store);
	assert_int_equal(fixture.store->ops->get_source(fixture.store, "t", "shop", "/srv/app.py",
							&arena, &got, NULL),
			 0);
	assert_string_equal(got.text, "three\n");
	assert_int_equal(got.time_ns, 30);
	assert_int_equal(fixture.store->ops->get_source(fixture.store, "t", "shop", "/srv/b.py",
							&arena, &got, NULL),
			 0);
	assert_int_equal(got.len, 0);
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_power_cut_loses_nothing_that_was_acknowledged),
		cmocka_unit_test(after_a_failed_sync_nothing_is_acknowledged_any_more),
		cmocka_unit_test(a_full_disk_refuses_puts_answers_reads_and_resumes),
		cmocka_unit_test(threads_put_and_read_at_once),
		cmocka_unit_test(a_query_stops_when_it_is_cancelled_or_late),
		cmocka_unit_test(the_newest_source_of_a_file_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
