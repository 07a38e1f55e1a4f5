/* SPDX-License-Identifier: Apache-2.0 */
/* A long question read by several threads has the answer of one. */
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/query.h"
#include "unit.h"

#define START_NS (1763800000ll * NS_PER_S)
#define N_SERIES 40
#define N_PROFILES 20 /* of each, one in ten seconds */
#define N_STACKS 50
#define STEP_NS (7 * NS_PER_S)
#define HELPERS 3

struct fixture {
	char dir[64];
	struct store *store;
	struct store_clock clock;
	struct arena arena;
	struct selector selector;
	struct store_query ask;
};

static int64_t later(void *ctx)
{
	(void)ctx;
	return START_NS + 3600 * NS_PER_S;
}

static void set_helpers(struct fixture *fixture, int n)
{
	sqlite_store_of(fixture->store)->helpers_left = n;
}

static void ignore(void *ctx, int code, const char *text)
{
	(void)ctx;
	(void)code;
	(void)text;
}

/* Some stacks of many, others in each profile; every third series has a dictionary of its own. */
static void put(struct fixture *fixture, int series, int i)
{
	struct names *names = names_new();
	struct err err = {0};
	char host[32];
	struct labels labels = {.items = {{LABEL_METRIC, "process_cpu"},
					  {"host", host},
					  {LABEL_SERVICE, series % 3 ? "shop" : "till"}},
				.n = 3};
	struct profile profile;
	struct store_profile what = {.tenant = "t", .labels = &labels, .profile = &profile};

	snprintf(host, sizeof(host), "h%d", series);
	profile_init(&profile, names);
	assert_int_equal(profile_column(&profile, "cpu", "nanoseconds", ""), 0);
	for (int s = (series + i) % 7; s < N_STACKS; s += 3) {
		struct frame frame = {.kind = FRAME_PYTHON};
		char name[32];

		snprintf(name, sizeof(name), "f%d", s);
		frame.name = names_cstr(names, name);
		profile_add(
			&profile, 0,
			tree_child(&profile.tree, (struct node_id){0}, names_frame(names, &frame)),
			(1 + series + s * i) * 1234567);
	}
	profile.start_ns = START_NS + i * 10 * NS_PER_S + series * NS_PER_MS;
	profile.duration_ns = 10 * NS_PER_S;
	profile.period_type = names_cstr(names, "cpu");
	profile.period_unit = names_cstr(names, "nanoseconds");
	if (fixture->store->ops->put(fixture->store, &what, ignore, NULL, &err) < 0)
		fail_msg("%s", err.text);
	profile_done(&profile);
	names_free(names);
}

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	struct store_config config;

	fixture->clock.now_ns = later;
	snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/scan-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	store_config_init(&config, fixture->dir);
	config.retention = (struct store_retention){0};
	config.clock = &fixture->clock;
	assert_int_equal(sqlite_store_open(&config, &fixture->store, NULL), 0);
	for (int i = 0; i < N_PROFILES; i++)
		for (int series = 0; series < N_SERIES; series++)
			put(fixture, series, i);
	sqlite_store_settle(fixture->store);
	arena_init(&fixture->arena);
	assert_int_equal(
		selector_parse("{host!=\"h7\"}", &fixture->arena, &fixture->selector, NULL), 0);
	fixture->ask = (struct store_query){
		.tenant = "t",
		.selector = &fixture->selector,
		.range = {START_NS + 3210 * NS_PER_MS, START_NS + 194567 * NS_PER_MS},
	};
	*state = fixture;
	return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info;
	(void)kind;
	(void)at;
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	fixture->store->ops->close(fixture->store);
	nftw(fixture->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	selector_done(&fixture->selector);
	arena_done(&fixture->arena);
	free(fixture);
	return 0;
}

/* ---- the mechanism ---- */

struct count {
	size_t blocks;
	int64_t covered_ns;
	size_t *n_forks;
};

static int visit(struct query *query, struct scanned *scanned, void *ctx)
{
	struct count *count = ctx;

	(void)query;
	count->blocks++;
	count->covered_ns += scanned->range.until_ns - scanned->range.from_ns;
	return 0;
}

static void *fork_count(const void *ctx)
{
	const struct count *count = ctx;
	struct count *forked = xcalloc(1, sizeof(*forked));

	++*count->n_forks;
	return forked;
}

static void join_count(void *ctx, void *other)
{
	struct count *count = ctx, *forked = other;

	count->blocks += forked->blocks;
	count->covered_ns += forked->covered_ns;
	free(forked);
}

static struct count scan(struct fixture *fixture, int helpers, size_t *ret_forks)
{
	const struct store_range *range = &fixture->ask.range;
	const struct steps steps = {
		.from_ns = range->from_ns,
		.range = *range,
		.step_ns = range->until_ns - range->from_ns,
		.n = 1,
		.max_level = LEVEL_FINE,
	};
	struct count count = {.n_forks = ret_forks};
	const struct scan_sink sink = {visit, &count, fork_count, join_count};
	struct query query;

	*ret_forks = 0;
	set_helpers(fixture, helpers);
	assert_int_equal(
		query_begin(&query, sqlite_store_of(fixture->store), &fixture->ask, true, NULL), 0);
	assert_int_equal(query_scan(&query, query.series, query.n_series, &steps, &sink, NULL), 0);
	assert_int_equal(query.n_blocks, count.blocks);
	query_end(&query);
	assert_int_equal(sqlite_store_of(fixture->store)->helpers_left, helpers);
	return count;
}

static void each_block_is_visited_once(void **state)
{
	struct fixture *fixture = *state;
	size_t n_forks;
	struct count one = scan(fixture, 0, &n_forks), many;

	assert_int_equal(n_forks, 0);
	assert_int_equal(one.blocks, (N_SERIES - 1) * N_PROFILES);
	for (int i = 0; i < 20; i++) {
		many = scan(fixture, HELPERS, &n_forks);
		assert_int_equal(n_forks, HELPERS);
		assert_int_equal(many.blocks, one.blocks);
		assert_int_equal(many.covered_ns, one.covered_ns);
	}
}

/* ---- answers ---- */

static void value_of_each(const struct store_merged *merged, int64_t *values)
{
	memset(values, 0, N_STACKS * sizeof(*values));
	for (uint32_t node = 1; node < merged->profile->tree.n; node++) {
		const struct frame *frame = names_frame_get(
			merged->names, (struct frame_id){merged->profile->tree.frame[node]});
		long i = strtol(names_text(merged->names, frame->name, NULL) + 1, NULL, 10);

		assert_in_range(i, 0, N_STACKS - 1);
		values[i] += profile_value(merged->profile, 0, (struct node_id){node});
	}
}

static void a_flame_graph_is_the_same(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture->store;
	int64_t one[N_STACKS], many[N_STACKS];
	struct store_merged a, b;

	set_helpers(fixture, 0);
	assert_int_equal(store->ops->merge(store, &fixture->ask, &a, NULL), 0);
	value_of_each(&a, one);
	set_helpers(fixture, HELPERS);
	assert_int_equal(store->ops->merge(store, &fixture->ask, &b, NULL), 0);
	value_of_each(&b, many);
	assert_memory_equal(one, many, sizeof(one));
	assert_true(profile_sum(a.profile, 0) > 0);
	assert_int_equal(profile_sum(a.profile, 0), profile_sum(b.profile, 0));
	assert_int_equal(a.n_profiles, b.n_profiles);
	assert_int_equal(a.covered_ns, b.covered_ns);
	assert_int_equal(a.wall_covered_ns, b.wall_covered_ns);
	assert_int_equal(a.n_blocks, b.n_blocks);
	store_merged_done(&a);
	store_merged_done(&b);
}

static void a_timeline_is_the_same(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture->store;
	const char *by = "host";
	struct store_line *one, *many;
	size_t n_one, n_many;

	set_helpers(fixture, 0);
	assert_int_equal(store->ops->timeline(store, &fixture->ask, STEP_NS, &by, 1,
					      &fixture->arena, &one, &n_one, NULL),
			 0);
	set_helpers(fixture, HELPERS);
	assert_int_equal(store->ops->timeline(store, &fixture->ask, STEP_NS, &by, 1,
					      &fixture->arena, &many, &n_many, NULL),
			 0);
	assert_int_equal(n_one, N_SERIES - 1);
	assert_int_equal(n_one, n_many);
	for (size_t i = 0; i < n_one; i++) {
		assert_int_equal(one[i].n, many[i].n);
		assert_memory_equal(one[i].points, many[i].points,
				    one[i].n * sizeof(*one[i].points));
	}
}

static void a_question_given_up_says_so(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture->store;
	struct store_query ask = fixture->ask;
	struct store_merged merged;
	bool is_cancelled = true;
	struct err err = {0};

	set_helpers(fixture, HELPERS);
	ask.is_cancelled = &is_cancelled;
	assert_int_equal(store->ops->merge(store, &ask, &merged, &err), -ECANCELED);
	assert_string_equal(err.text, "the query was cancelled");
	assert_int_equal(sqlite_store_of(store)->helpers_left, HELPERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_block_is_visited_once),
		cmocka_unit_test(a_flame_graph_is_the_same),
		cmocka_unit_test(a_timeline_is_the_same),
		cmocka_unit_test(a_question_given_up_says_so),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
