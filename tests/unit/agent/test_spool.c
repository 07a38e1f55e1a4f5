/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/spool.h"

static char dir[64];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/spool-test-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static struct spool *opened(size_t max_bytes)
{
	struct spool *spool = NULL;

	assert_int_equal(spool_open(dir, max_bytes, &spool, NULL), 0);
	return spool;
}

static void put(struct spool *spool, int number)
{
	char text[32];

	snprintf(text, sizeof(text), "record %d", number);
	assert_int_equal(spool_put(spool, text, strlen(text), NULL), 0);
}

/* The oldest record is that number; takes it. */
static void take(struct spool *spool, int number)
{
	struct buf out;
	char text[32];

	buf_init(&out, 1u << 20);
	snprintf(text, sizeof(text), "record %d", number);
	assert_int_equal(spool_peek(spool, &out), 0);
	assert_string_equal(out.data, text);
	spool_pop(spool);
	buf_done(&out);
}

static void assert_empty(struct spool *spool)
{
	struct buf out;

	buf_init(&out, 1u << 20);
	assert_int_equal(spool_peek(spool, &out), -ENOENT);
	buf_done(&out);
}

static struct spool_stats stats_of(const struct spool *spool)
{
	struct spool_stats stats;

	spool_stats(spool, &stats);
	return stats;
}

/* The only segment that there is. */
static void segment_path(char *into, size_t cap)
{
	for (int i = 0; i < 100; i++) {
		snprintf(into, cap, "%s/%016x.spool", dir, i);
		if (access(into, F_OK) == 0)
			return;
	}
	fail_msg("no segment");
}

static void spool_gives_back_in_order_across_runs(void **state)
{
	struct spool *spool = opened(1u << 20);

	(void)state;
	assert_empty(spool);
	for (int i = 0; i < 5; i++)
		put(spool, i);
	take(spool, 0);
	put(spool, 5);
	spool_close(spool);
	/* The first segment was not taken whole: it comes again. */
	spool = opened(1u << 20);
	assert_int_equal(stats_of(spool).records, 6);
	put(spool, 6);
	for (int i = 0; i < 7; i++)
		take(spool, i);
	assert_empty(spool);
	assert_int_equal(stats_of(spool).bytes, 0);
	spool_close(spool);
	spool = opened(1u << 20);
	assert_empty(spool);
	spool_close(spool);
}

static void spool_drops_whole_old_segments_past_its_ceiling(void **state)
{
	enum { RECORD_BYTES = 300000, N_RECORDS = 40 };
	struct spool *spool = opened(4u << 20);
	char *big = calloc(1, RECORD_BYTES);
	struct buf out;
	int first;

	(void)state;
	for (int i = 0; i < N_RECORDS; i++) {
		big[0] = (char)i;
		assert_int_equal(spool_put(spool, big, RECORD_BYTES, NULL), 0);
		assert_in_range(stats_of(spool).bytes, 1, 4u << 20);
	}
	assert_in_range(stats_of(spool).dropped, 1, N_RECORDS - 1);
	assert_int_equal(stats_of(spool).dropped + stats_of(spool).records, N_RECORDS);
	first = (int)stats_of(spool).dropped;
	buf_init(&out, 1u << 20);
	assert_int_equal(spool_peek(spool, &out), 0);
	assert_int_equal(out.data[0], first);
	assert_int_equal(spool_put(spool, big, 5u << 20, NULL), ERR_LIMIT);
	buf_done(&out);
	free(big);
	spool_close(spool);
}

static void spool_cuts_a_torn_tail(void **state)
{
	struct spool *spool = opened(1u << 20);
	char path[128];
	struct stat st;

	(void)state;
	for (int i = 0; i < 3; i++)
		put(spool, i);
	spool_close(spool);
	segment_path(path, sizeof(path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	spool = opened(1u << 20);
	assert_int_equal(stats_of(spool).damaged, 1);
	put(spool, 3);
	take(spool, 0);
	take(spool, 1);
	take(spool, 3);
	assert_empty(spool);
	spool_close(spool);
}

static void spool_steps_over_a_damaged_record(void **state)
{
	struct spool *spool = opened(1u << 20);
	char path[128];
	int fd;

	(void)state;
	for (int i = 0; i < 3; i++)
		put(spool, i);
	spool_close(spool);
	segment_path(path, sizeof(path));
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	/* The second record: 12 bytes of head and "record 0" before it, then its own head. */
	assert_int_equal(pwrite(fd, "X", 1, 20 + 12), 1);
	close(fd);
	spool = opened(1u << 20);
	take(spool, 0);
	take(spool, 2);
	assert_empty(spool);
	assert_int_equal(stats_of(spool).damaged, 1);
	spool_close(spool);
}

static void spool_leaves_foreign_files_alone(void **state)
{
	char path[128];
	struct spool *spool;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/notes.spool", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	spool = opened(1u << 20);
	put(spool, 1);
	take(spool, 1);
	spool_close(spool);
	assert_int_equal(access(path, F_OK), 0);
}

static void spool_belongs_to_one_process_at_a_time(void **state)
{
	struct spool *spool = opened(1u << 20), *other = NULL;
	struct err err;

	(void)state;
	assert_int_equal(spool_open(dir, 1u << 20, &other, &err), -EBUSY);
	assert_non_null(strstr(err.text, dir));
	spool_close(spool);
}

#define spool_test(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		spool_test(spool_gives_back_in_order_across_runs),
		spool_test(spool_drops_whole_old_segments_past_its_ceiling),
		spool_test(spool_cuts_a_torn_tail),
		spool_test(spool_steps_over_a_damaged_record),
		spool_test(spool_leaves_foreign_files_alone),
		spool_test(spool_belongs_to_one_process_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
