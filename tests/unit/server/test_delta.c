/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "server/delta.h"

#define S 1000000000ll
#define TENANT "anonymous"

struct world {
	struct delta_table *table;
	struct names *names;
	struct arena arena;
	struct labels labels;
};

static int set_up_with(void **state, size_t max_bytes)
{
	struct world *world = calloc(1, sizeof(*world));

	world->table = delta_table_new(max_bytes);
	world->names = names_new();
	arena_init(&world->arena);
	assert_int_equal(labels_parse("{service_name=\"a\"}", &world->arena, &world->labels, NULL),
			 0);
	*state = world;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, (size_t)1 << 20);
}

static int tear_down(void **state)
{
	struct world *world = *state;

	delta_table_free(world->table);
	names_free(world->names);
	arena_done(&world->arena);
	free(world);
	return 0;
}

static struct node_id stack_of(struct world *world, struct profile *profile, const char *leaf)
{
	struct frame frame = {.name = names_cstr(world->names, leaf), .line = 7};
	struct frame_id id = names_frame(world->names, &frame);

	return tree_stack(&profile->tree, &id, 1);
}

/* The counts of foo and bar at a second; below zero: the stack is not there. */
static void make(struct world *world, struct profile *profile, int64_t second, int64_t foo,
		 int64_t bar)
{
	profile_init(profile, world->names);
	profile->start_ns = second * S;
	profile->duration_ns = 10 * S;
	(void)profile_column(profile, "alloc_space", "bytes", "");
	if (foo >= 0)
		profile_add(profile, 0, stack_of(world, profile, "foo"), foo);
	if (bar >= 0)
		profile_add(profile, 0, stack_of(world, profile, "bar"), bar);
}

struct step {
	int64_t second, foo, bar;
	bool counts;
	int64_t want_foo, want_bar, want_from;
};

static void check_steps(struct world *world, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct step *step = &steps[i];
		struct profile profile;

		make(world, &profile, step->second, step->foo, step->bar);
		assert_int_equal(delta_take(world->table, TENANT, &world->labels, &profile),
				 step->counts);
		if (step->counts) {
			assert_int_equal(
				profile_value(&profile, 0, stack_of(world, &profile, "foo")),
				step->want_foo);
			assert_int_equal(
				profile_value(&profile, 0, stack_of(world, &profile, "bar")),
				step->want_bar);
			assert_int_equal(profile.start_ns, step->want_from * S);
			assert_int_equal(profile.duration_ns, (step->second - step->want_from) * S);
		}
		profile_done(&profile);
	}
}

static void counts_what_came_since_the_one_before(void **state)
{
	static const struct step steps[] = {
		{100, 50, 5, false},
		{115, 70, 5, true, 20, 0, 100},
		{130, 70, 5, true, 0, 0, 115},
		{145, 71, 25, true, 1, 20, 130},
	};

	check_steps(*state, steps, array_len(steps));
}

static void stack_that_was_not_there_counts_from_zero(void **state)
{
	static const struct step steps[] = {
		{100, 50, -1, false},
		{115, 60, 8, true, 10, 8, 100},
		{130, -1, 9, true, 0, 1, 115}, /* left out by a client: its count stays */
		{145, 65, 9, true, 5, 0, 130},
	};

	check_steps(*state, steps, array_len(steps));
}

static void counter_that_went_back_is_a_new_base(void **state)
{
	struct world *world = *state;
	struct delta_stats stats;
	static const struct step steps[] = {
		{100, 50, 5, false},
		{115, 10, 6, false}, /* a restart: bar being more does not help */
		{130, 12, 9, true, 2, 3, 115},
	};

	check_steps(world, steps, array_len(steps));
	delta_stats(world->table, &stats);
	assert_int_equal(stats.restarts, 1);
	assert_int_equal(stats.bases, 1);
	assert_int_equal(stats.counted, 1);
}

static void late_and_repeated_ones_count_nothing(void **state)
{
	static const struct step steps[] = {
		{100, 50, 5, false},	       {130, 80, 5, true, 30, 0, 100},
		{115, 60, 5, false}, /* out of order: counted already */
		{130, 80, 5, false}, /* the same again */
		{145, 81, 6, true, 1, 1, 130},
	};

	check_steps(*state, steps, array_len(steps));
}

static void long_silence_counts_as_of_the_last_day(void **state)
{
	static const struct step steps[] = {
		{100, 50, 5, false},
		{100 + 3 * 86400, 51, 5, true, 1, 0, 100 + 2 * 86400},
	};

	check_steps(*state, steps, array_len(steps));
}

/* What the store refused is counted by the client's next try, or by the next profile. */
static void refused_one_is_counted_later(void **state)
{
	struct world *world = *state;
	static const struct step before[] = {{100, 50, 5, false}};
	static const struct step after[] = {{115, 70, 6, true, 20, 1, 100},
					    {130, 75, 6, true, 5, 0, 115}};
	struct profile profile;

	check_steps(world, before, array_len(before));
	make(world, &profile, 115, 70, 6);
	assert_true(delta_take(world->table, TENANT, &world->labels, &profile));
	delta_undo(world->table, TENANT, &world->labels, &profile);
	profile_done(&profile);
	check_steps(world, after, array_len(after));
}

static void refused_one_is_counted_by_a_later_one_that_was_faster(void **state)
{
	struct world *world = *state;
	static const struct step before[] = {{100, 50, 5, false}};
	static const struct step between[] = {{130, 80, 6, true, 10, 0, 115}};
	static const struct step after[] = {{145, 81, 6, true, 21, 1, 130}};
	struct profile profile;

	check_steps(world, before, array_len(before));
	make(world, &profile, 115, 70, 6);
	assert_true(delta_take(world->table, TENANT, &world->labels, &profile));
	check_steps(world, between, array_len(between));
	delta_undo(world->table, TENANT, &world->labels, &profile);
	profile_done(&profile);
	check_steps(world, after, array_len(after));
}

static void tenants_series_and_types_are_told_apart(void **state)
{
	struct world *world = *state;
	struct labels others;
	struct profile profile;

	assert_int_equal(labels_parse("{service_name=\"b\"}", &world->arena, &others, NULL), 0);
	for (int i = 0; i < 3; i++) {
		make(world, &profile, 100, 50, 5);
		assert_false(delta_take(world->table, i == 1 ? "other" : TENANT,
					i == 2 ? &others : &world->labels, &profile));
		profile_done(&profile);
	}
	make(world, &profile, 115, 60, 5);
	(void)profile_column(&profile, "alloc_objects", "count", "");
	profile_add(&profile, 1, stack_of(world, &profile, "foo"), 3);
	assert_true(delta_take(world->table, TENANT, &world->labels, &profile));
	assert_int_equal(profile_value(&profile, 0, stack_of(world, &profile, "foo")), 10);
	assert_int_equal(profile_value(&profile, 1, stack_of(world, &profile, "foo")), 3);
	profile_done(&profile);
}

static void take_of_series(struct world *world, int i, int64_t second, bool want)
{
	struct profile profile;
	struct labels labels = {0};
	char name[16];

	snprintf(name, sizeof(name), "s%d", i);
	assert_int_equal(labels_set(&labels, &world->arena, "service_name", name, NULL), 0);
	make(world, &profile, second, 50 + second, 5 + second);
	assert_int_equal(delta_take(world->table, TENANT, &labels, &profile), want);
	profile_done(&profile);
}

/* Room for some twenty series: of a hundred the last ones are still known, and nothing is counted twice. */
static void memory_is_bounded_and_the_oldest_goes_first(void **state)
{
	struct world *world;
	struct delta_stats stats;

	tear_down(state);
	set_up_with(state, 4096);
	world = *state;
	for (int i = 0; i < 100; i++)
		take_of_series(world, i, 100, false);
	delta_stats(world->table, &stats);
	assert_in_range(stats.bytes, 2048, 4096);
	assert_int_equal(stats.series + stats.forgotten, 100);
	take_of_series(world, 99, 115, true);
	take_of_series(world, 0, 115, false);
}

static void tenants_are_bounded(void **state)
{
	struct world *world = *state;
	struct delta_stats stats;
	struct profile profile;
	char name[16];

	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		make(world, &profile, 100, 50, 5);
		assert_false(delta_take(world->table, name, &world->labels, &profile));
		profile_done(&profile);
	}
	delta_stats(world->table, &stats);
	assert_in_range(stats.series, 900, 1000);
	assert_int_equal(stats.series + stats.forgotten, 1500);
	make(world, &profile, 115, 60, 5);
	assert_true(delta_take(world->table, "t1499", &world->labels, &profile));
	profile_done(&profile);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		test(counts_what_came_since_the_one_before),
		test(stack_that_was_not_there_counts_from_zero),
		test(counter_that_went_back_is_a_new_base),
		test(late_and_repeated_ones_count_nothing),
		test(long_silence_counts_as_of_the_last_day),
		test(refused_one_is_counted_later),
		test(refused_one_is_counted_by_a_later_one_that_was_faster),
		test(tenants_series_and_types_are_told_apart),
		test(memory_is_bounded_and_the_oldest_goes_first),
		test(tenants_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
