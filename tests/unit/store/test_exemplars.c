/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles by name, spans by id, exemplars: what goes in comes out, alone, and goes when its time has come. */
#include "unit.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/sqlite/page_sum.h"
#include "store/sqlite/sqlite_store.h"

#define START_NS (1763800000ll * NS_PER_S) /* 2025-11-22 08:26:40 */
#define DAY_NS (86400 * NS_PER_S)
#define TYPE "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
#define UUID "7c1bd2f0-9a54-4f3c-8d55-0123456789ab"

struct fixture {
	char dir[64];
	struct store *store;
	struct store_config config;
	struct store_clock clock;
	_Atomic int64_t now_ns; /* read by the writer's thread */
	struct arena arena;
};

static int64_t turned(void *ctx)
{
	return ((struct fixture *)ctx)->now_ns;
}

static void open_store(struct fixture *fixture)
{
	struct err err;

	if (sqlite_store_open(&fixture->config, &fixture->store, &err) < 0)
		fail_msg("%s", err.text);
}

static void set_up(struct fixture *fixture)
{
	*fixture = (struct fixture){.dir = "/tmp/exemplars-test-XXXXXX",
				    .now_ns = START_NS + 3600 * NS_PER_S};
	fixture->clock = (struct store_clock){turned, fixture};
	assert_non_null(mkdtemp(fixture->dir));
	store_config_init(&fixture->config, fixture->dir);
	fixture->config.clock = &fixture->clock;
	arena_init(&fixture->arena);
	open_store(fixture);
}

static void reopen(struct fixture *fixture)
{
	fixture->store->ops->close(fixture->store);
	open_store(fixture);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info;
	(void)kind;
	(void)at;
	return remove(path);
}

static void tear_down(struct fixture *fixture)
{
	fixture->store->ops->close(fixture->store);
	nftw(fixture->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	arena_done(&fixture->arena);
}

/* ---- putting ---- */

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_done;
	int code;
};

static void on_done(void *ctx, int code, const char *text)
{
	struct waiting *waiting = ctx;

	(void)text;
	pthread_mutex_lock(&waiting->lock);
	waiting->is_done = true;
	waiting->code = code;
	pthread_cond_signal(&waiting->changed);
	pthread_mutex_unlock(&waiting->lock);
}

/* A stack of one frame; 0: no span. */
struct part {
	const char *function;
	int64_t value;
	uint64_t span;
	uint8_t trace;
};

struct sent {
	int64_t start_ns, duration_ns; /* 0: ten seconds */
	const char *id, *profile_id;
	const char *region;
	const struct part *parts;
	size_t n;
};

static void add_part(struct profile *profile, const struct part *part)
{
	struct frame frame = {.name = names_cstr(profile->names, part->function),
			      .kind = FRAME_PYTHON};
	struct node_id node = tree_child(&profile->tree, (struct node_id){0},
					 names_frame(profile->names, &frame));
	struct span span = {.id = {part->span}, .trace = {{part->trace}}};

	profile_add(profile, 0, node, part->value);
	if (!part->span && !part->trace)
		return;
	if (!profile->spans)
		profile->spans = spans_new();
	spans_add(profile->spans, spans_index(profile->spans, &span), node, 0, part->value);
}

static int put(struct fixture *fixture, const struct sent *sent)
{
	struct waiting waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
	struct names *names = names_new();
	struct labels labels = {0};
	struct profile profile;
	struct store_profile put = {.tenant = STORE_TENANT_DEFAULT,
				    .id = sent->id,
				    .profile_id = sent->profile_id,
				    .labels = &labels,
				    .profile = &profile};
	int r;

	profile_init(&profile, names);
	assert_int_equal(profile_column(&profile, "cpu", "nanoseconds", ""), 0);
	profile.period_type = names_cstr(names, "cpu");
	profile.period_unit = names_cstr(names, "nanoseconds");
	profile.start_ns = sent->start_ns;
	profile.duration_ns = sent->duration_ns ? sent->duration_ns : 10 * NS_PER_S;
	profile.n_profiles = 1;
	for (size_t i = 0; i < sent->n; i++)
		add_part(&profile, &sent->parts[i]);
	assert_int_equal(labels_set(&labels, &fixture->arena, LABEL_SERVICE, "shop", NULL), 0);
	assert_int_equal(labels_set(&labels, &fixture->arena, LABEL_METRIC, "process_cpu", NULL),
			 0);
	assert_int_equal(labels_set(&labels, &fixture->arena, "region", sent->region, NULL), 0);
	r = fixture->store->ops->put(fixture->store, &put, on_done, &waiting, NULL);
	pthread_mutex_lock(&waiting.lock);
	while (r == 0 && !waiting.is_done)
		pthread_cond_wait(&waiting.changed, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
	profile_done(&profile);
	names_free(names);
	return r < 0 ? r : waiting.code;
}

/* ---- asking ---- */

struct asked {
	struct store_range range;
	struct store_pick pick;
};

/* The value of a function in what is picked; NULL: of all. */
static int64_t picked(struct fixture *fixture, const struct asked *asked, const char *function)
{
	struct selector selector = {0};
	struct store_merged merged = {0};
	struct store_query query = {.tenant = STORE_TENANT_DEFAULT,
				    .selector = &selector,
				    .pick = &asked->pick,
				    .range = asked->range};
	struct err err;
	int64_t sum = 0;

	assert_int_equal(selector_parse(TYPE "{}", &fixture->arena, &selector, NULL), 0);
	if (fixture->store->ops->merge(fixture->store, &query, &merged, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(merged.is_partial);
	for (uint32_t node = 1; node < merged.profile->tree.n; node++) {
		const struct frame *frame = names_frame_get(
			merged.names, (struct frame_id){merged.profile->tree.frame[node]});

		if (!function || strcmp(names_text(merged.names, frame->name, NULL), function) == 0)
			sum += profile_value(merged.profile, 0, (struct node_id){node});
	}
	store_merged_done(&merged);
	selector_done(&selector);
	return sum;
}

struct told {
	char profile_id[STORE_ID_MAX_BYTES + 1];
	char region[16];
	uint64_t span;
	uint8_t trace;
	int64_t time_ns, value;
};

struct listing {
	struct told items[64];
	size_t n;
	struct store_exemplar_sum sum;
};

static int on_exemplar(void *ctx, const struct store_exemplar *exemplar, struct err *err)
{
	struct listing *listing = ctx;
	struct told *told = &listing->items[listing->n++];
	const char *region = labels_get(exemplar->labels, "region");

	(void)err;
	assert_true(listing->n < array_len(listing->items));
	*told = (struct told){.span = exemplar->span.v,
			      .trace = exemplar->trace.bytes[0],
			      .time_ns = exemplar->time_ns,
			      .value = exemplar->value};
	snprintf(told->profile_id, sizeof(told->profile_id), "%s", exemplar->profile_id);
	snprintf(told->region, sizeof(told->region), "%s", region ? region : "");
	return 0;
}

static void list(struct fixture *fixture, const struct asked *asked, enum store_exemplar_kind kind,
		 struct listing *listing)
{
	struct selector selector = {0};
	struct store_query query = {.tenant = STORE_TENANT_DEFAULT,
				    .selector = &selector,
				    .pick = &asked->pick,
				    .range = asked->range};
	struct err err;

	*listing = (struct listing){0};
	assert_int_equal(selector_parse(TYPE "{}", &fixture->arena, &selector, NULL), 0);
	if (fixture->store->ops->exemplars(fixture->store, &query, kind, on_exemplar, listing,
					   &listing->sum, &err) < 0)
		fail_msg("%s", err.text);
	selector_done(&selector);
}

static const struct part mixed[] = {
	{"a", 1234567, 7, 1}, {"b", 1000, 0, 0}, {"a", 3, 7, 1}, {"b", 50, 8, 2}, {"c", 5, 8, 1},
};
static const struct asked first_minute = {.range = {START_NS, START_NS + 60 * NS_PER_S}};

static struct asked with_spans(const struct span_id *spans, size_t n)
{
	struct asked asked = first_minute;

	asked.pick.spans = spans;
	asked.pick.n_spans = n;
	return asked;
}

/* ---- tests ---- */

static void a_span_profile_is_the_sum_of_its_samples_to_the_nanosecond(void **state)
{
	static const struct span_id seven = {7}, eight = {8}, nine = {9}, both[] = {{8}, {7}};
	struct sent sent = {.start_ns = START_NS, .parts = mixed, .n = array_len(mixed)};
	struct asked one = with_spans(&seven, 1), two = with_spans(both, 2);
	struct asked other = with_spans(&eight, 1), none = with_spans(&nine, 1);
	struct fixture fixture;

	(void)state;
	set_up(&fixture);
	assert_int_equal(put(&fixture, &sent), 0);
	sent.start_ns += 10 * NS_PER_S;
	assert_int_equal(put(&fixture, &sent), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(picked(&fixture, &one, "a"), 2 * 1234570);
		assert_int_equal(picked(&fixture, &one, NULL), 2 * 1234570);
		assert_int_equal(picked(&fixture, &other, "b"), 2 * 50);
		assert_int_equal(picked(&fixture, &other, NULL), 2 * 55);
		assert_int_equal(picked(&fixture, &two, NULL), 2 * 1234625);
		assert_int_equal(picked(&fixture, &none, NULL), 0);
		sqlite_store_settle(fixture.store);
		reopen(&fixture);
	}
	tear_down(&fixture);
}

static void a_span_counts_whole_where_its_profile_overlaps_the_range(void **state)
{
	static const struct span_id seven = {7};
	struct sent sent = {.start_ns = START_NS, .parts = mixed, .n = array_len(mixed)};
	struct asked one = with_spans(&seven, 1);
	struct fixture fixture;

	(void)state;
	set_up(&fixture);
	assert_int_equal(put(&fixture, &sent), 0);
	one.range = (struct store_range){START_NS + 9 * NS_PER_S, START_NS + 60 * NS_PER_S};
	assert_int_equal(picked(&fixture, &one, NULL), 1234570);
	one.range = (struct store_range){START_NS + 10 * NS_PER_S, START_NS + 60 * NS_PER_S};
	assert_int_equal(picked(&fixture, &one, NULL), 0);
	tear_down(&fixture);
}

static void conditions_on_spans_traces_and_profiles_have_to_agree(void **state)
{
	static const struct trace_id one = {{1}};
	static const struct span_id eight = {8};
	static const char *const ids[] = {UUID};
	struct sent sent = {
		.start_ns = START_NS, .id = UUID, .parts = mixed, .n = array_len(mixed)};
	struct asked asked = first_minute;
	struct fixture fixture;

	(void)state;
	set_up(&fixture);
	assert_int_equal(put(&fixture, &sent), 0);
	sent.id = "another";
	assert_int_equal(put(&fixture, &sent), 0);
	asked.pick.traces = &one;
	asked.pick.n_traces = 1;
	assert_int_equal(picked(&fixture, &asked, NULL), 2 * 1234575);
	asked.pick.profile_ids = ids;
	asked.pick.n_profile_ids = 1;
	assert_int_equal(picked(&fixture, &asked, NULL), 1234575);
	asked.pick.spans = &eight;
	asked.pick.n_spans = 1;
	assert_int_equal(picked(&fixture, &asked, NULL), 5);
	tear_down(&fixture);
}

static void profiles_are_found_by_every_kind_of_name(void **state)
{
	static const struct part parts[] = {{"a", 5000, 0, 0}};
	static const char *const names[] = {UUID, "boot-7/12", NULL};
	struct fixture fixture;
	struct listing listing;

	(void)state;
	set_up(&fixture);
	for (size_t i = 0; i < array_len(names); i++) {
		struct sent sent = {.start_ns = START_NS + (int64_t)i * 10 * NS_PER_S,
				    .id = names[i],
				    .parts = parts,
				    .n = 1};

		assert_int_equal(put(&fixture, &sent), 0);
	}
	list(&fixture, &first_minute, STORE_EXEMPLAR_PROFILE, &listing);
	assert_int_equal(listing.n, 3);
	for (size_t i = 0; i < listing.n; i++) {
		const char *id = listing.items[i].profile_id;
		struct asked asked = first_minute;

		asked.pick.profile_ids = &id;
		asked.pick.n_profile_ids = 1;
		assert_int_equal(listing.items[i].value, 5000);
		if (names[i])
			assert_string_equal(id, names[i]);
		else
			assert_int_equal(strlen(id), 36);
		assert_int_equal(picked(&fixture, &asked, NULL), 5000);
		reopen(&fixture);
	}
	tear_down(&fixture);
}

static void a_profile_may_be_called_other_than_it_is_told_apart(void **state)
{
	static const struct part parts[] = {{"a", 5000, 0, 0}};
	struct sent sent = {.start_ns = START_NS,
			    .id = UUID "/1",
			    .profile_id = "7C1BD2F09A544F3C8D550123456789AB",
			    .parts = parts,
			    .n = 1};
	struct fixture fixture;
	struct listing listing;

	(void)state;
	set_up(&fixture);
	assert_int_equal(put(&fixture, &sent), 0);
	assert_int_equal(put(&fixture, &sent), ERR_DUPLICATE);
	list(&fixture, &first_minute, STORE_EXEMPLAR_PROFILE, &listing);
	assert_int_equal(listing.n, 1);
	assert_string_equal(listing.items[0].profile_id, UUID);
	tear_down(&fixture);
}

static void pieces_of_a_long_profile_have_one_name(void **state)
{
	static const struct part parts[] = {{"a", 3600000000, 0, 0}};
	struct sent sent = {
		.start_ns = START_NS, .duration_ns = 3000 * NS_PER_S, .parts = parts, .n = 1};
	struct asked asked = {.range = {START_NS, START_NS + 3600 * NS_PER_S}};
	struct fixture fixture;
	struct listing listing;
	const char *id;

	(void)state;
	set_up(&fixture);
	assert_int_equal(put(&fixture, &sent), 0);
	list(&fixture, &asked, STORE_EXEMPLAR_PROFILE, &listing);
	assert_true(listing.n > 1);
	for (size_t i = 1; i < listing.n; i++)
		assert_string_equal(listing.items[i].profile_id, listing.items[0].profile_id);
	id = listing.items[0].profile_id;
	asked.pick.profile_ids = &id;
	asked.pick.n_profile_ids = 1;
	assert_int_equal(picked(&fixture, &asked, NULL), 3600000000);
	tear_down(&fixture);
}

static void exemplars_tell_span_trace_series_and_value(void **state)
{
	struct sent sent = {.start_ns = START_NS,
			    .id = UUID,
			    .region = "eu",
			    .parts = mixed,
			    .n = array_len(mixed)};
	struct fixture fixture;
	struct listing listing;

	(void)state;
	set_up(&fixture);
	assert_int_equal(put(&fixture, &sent), 0);
	assert_int_equal(put(&fixture, &sent), ERR_DUPLICATE);
	list(&fixture, &first_minute, STORE_EXEMPLAR_SPAN, &listing);
	assert_int_equal(listing.n, 3);
	assert_int_equal(listing.sum.n, 3);
	assert_true(listing.items[0].span == 7 && listing.items[0].trace == 1);
	assert_int_equal(listing.items[0].value, 1234570);
	assert_true(listing.items[1].span == 8 && listing.items[1].trace == 2);
	assert_int_equal(listing.items[1].value, 50);
	assert_true(listing.items[2].span == 8 && listing.items[2].trace == 1);
	assert_int_equal(listing.items[2].time_ns, START_NS);
	assert_string_equal(listing.items[2].region, "eu");
	assert_string_equal(listing.items[2].profile_id, UUID);
	tear_down(&fixture);
}

static void run_sql(const char *dir, const char *level, const char *text)
{
	cleanup_free char *pattern = NULL;
	struct page_sum_vfs *sums = page_sum_new(NULL);
	char path[512] = "";
	sqlite3 *db;
	FILE *files;

	assert_true(asprintf(&pattern, "ls %s/blocks/1/%s/*.db", dir, level) > 0);
	files = popen(pattern, "r");
	assert_non_null(files);
	assert_non_null(fgets(path, sizeof(path), files));
	pclose(files);
	path[strcspn(path, "\n")] = '\0';
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, page_sum_name(sums)),
			 SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	page_sum_free(sums);
}

/* As after a crash between the two commits, and after a delete. */
static void spans_without_their_block_are_not_seen(void **state)
{
	static const struct span_id seven = {7};
	struct sent sent = {
		.start_ns = START_NS, .id = UUID, .parts = mixed, .n = array_len(mixed)};
	struct asked one = with_spans(&seven, 1);
	struct fixture fixture;
	struct listing listing;

	(void)state;
	set_up(&fixture);
	assert_int_equal(put(&fixture, &sent), 0);
	fixture.store->ops->close(fixture.store);
	run_sql(fixture.dir, "10s", "DELETE FROM block; DELETE FROM seen");
	open_store(&fixture);
	list(&fixture, &one, STORE_EXEMPLAR_SPAN, &listing);
	assert_int_equal(listing.n, 0);
	assert_int_equal(picked(&fixture, &one, NULL), 0);
	/* Sent again it is what it was, once. */
	assert_int_equal(put(&fixture, &sent), 0);
	assert_int_equal(picked(&fixture, &one, NULL), 1234570);
	tear_down(&fixture);
}

static void spans_go_before_their_profiles(void **state)
{
	static const struct span_id seven = {7};
	struct sent sent = {
		.start_ns = START_NS, .id = UUID, .parts = mixed, .n = array_len(mixed)};
	struct asked one = with_spans(&seven, 1);
	struct fixture fixture;
	struct listing listing;

	(void)state;
	set_up(&fixture);
	assert_int_equal(put(&fixture, &sent), 0);
	fixture.now_ns = START_NS + 2 * DAY_NS;
	sqlite_store_settle(fixture.store);
	assert_int_equal(picked(&fixture, &one, NULL), 1234570);
	fixture.now_ns = START_NS + 3 * DAY_NS;
	sqlite_store_settle(fixture.store);
	assert_int_equal(picked(&fixture, &one, NULL), 0);
	list(&fixture, &first_minute, STORE_EXEMPLAR_SPAN, &listing);
	assert_int_equal(listing.n, 0);
	list(&fixture, &first_minute, STORE_EXEMPLAR_PROFILE, &listing);
	assert_int_equal(listing.n, 1);
	tear_down(&fixture);
}

static void spans_past_the_bound_are_counted_and_stay_in_the_sum(void **state)
{
	struct part parts[10];
	struct sent sent = {.start_ns = START_NS, .parts = parts, .n = array_len(parts)};
	struct store_stats stats;
	struct fixture fixture;
	struct listing listing;

	(void)state;
	for (size_t i = 0; i < array_len(parts); i++)
		parts[i] = (struct part){"a", 1000, i + 1, 0};
	set_up(&fixture);
	fixture.store->ops->close(fixture.store);
	fixture.config.max_spans_per_minute = 14;
	open_store(&fixture);
	assert_int_equal(put(&fixture, &sent), 0);
	assert_int_equal(put(&fixture, &sent), 0);
	assert_int_equal(put(&fixture, &sent), 0);
	list(&fixture, &first_minute, STORE_EXEMPLAR_SPAN, &listing);
	assert_int_equal(listing.n, 14);
	assert_int_equal(listing.sum.n_left_out, 6);
	fixture.store->ops->stats(fixture.store, &stats);
	assert_int_equal(stats.spans, 14);
	assert_int_equal(stats.span_samples_left_out, 16);
	assert_int_equal(picked(&fixture, &first_minute, NULL), 30000);
	tear_down(&fixture);
}

static void profiles_without_spans_have_no_file_of_spans(void **state)
{
	static const struct part parts[] = {{"a", 5000, 0, 0}};
	struct sent sent = {.start_ns = START_NS, .parts = parts, .n = 1};
	cleanup_free char *path = NULL;
	struct fixture fixture;

	(void)state;
	set_up(&fixture);
	assert_int_equal(put(&fixture, &sent), 0);
	assert_true(asprintf(&path, "%s/blocks/1/spans", fixture.dir) > 0);
	assert_int_not_equal(access(path, F_OK), 0);
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_span_profile_is_the_sum_of_its_samples_to_the_nanosecond),
		cmocka_unit_test(a_span_counts_whole_where_its_profile_overlaps_the_range),
		cmocka_unit_test(conditions_on_spans_traces_and_profiles_have_to_agree),
		cmocka_unit_test(profiles_are_found_by_every_kind_of_name),
		cmocka_unit_test(a_profile_may_be_called_other_than_it_is_told_apart),
		cmocka_unit_test(pieces_of_a_long_profile_have_one_name),
		cmocka_unit_test(exemplars_tell_span_trace_series_and_value),
		cmocka_unit_test(spans_without_their_block_are_not_seen),
		cmocka_unit_test(spans_go_before_their_profiles),
		cmocka_unit_test(spans_past_the_bound_are_counted_and_stay_in_the_sum),
		cmocka_unit_test(profiles_without_spans_have_no_file_of_spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
