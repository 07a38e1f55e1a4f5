/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/clock.h"
#include "server/sample_types.h"

struct world {
	struct names *names;
	struct profile profile;
};

static void world_init(struct world *world, const char *const *types, size_t n)
{
	world->names = names_new();
	profile_init(&world->profile, world->names);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(profile_column(&world->profile, types[i], "count", ""), i);
}

static void world_done(struct world *world)
{
	profile_done(&world->profile);
	names_free(world->names);
}

static struct node_id stack(struct world *world, const char *name)
{
	struct frame frame = {.name = names_cstr(world->names, name)};

	return tree_child(&world->profile.tree, (struct node_id){0},
			  names_frame(world->names, &frame));
}

static void metric_follows_from_sample_types(void **state)
{
	static const struct {
		const char *types[2];
		const char *metric;
	} rows[] = {
		{{"samples", "cpu"}, "process_cpu"}, {{"cpu", "wall"}, "wall"},
		{{"alloc_objects", "x"}, "memory"},  {{"inuse_space", "x"}, "memory"},
		{{"mutex_count", "x"}, "mutex"},     {{"block_duration", "x"}, "block"},
		{{"goroutines", "x"}, "goroutines"}, {{"contentions", "delay"}, "mutex"},
		{{"samples", "x"}, "process_cpu"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct world world;

		world_init(&world, rows[i].types, 2);
		assert_string_equal(sample_types_metric(&world.profile, NULL), rows[i].metric);
		world_done(&world);
	}
}

static void levels_are_known_by_name_or_configuration(void **state)
{
	static const char *const types[] = {"alloc_space", "inuse_space", "goroutine", "queue"};
	struct upload_type queue = {.name = "queue", .is_gauge = true};
	struct world world;

	(void)state;
	world_init(&world, types, array_len(types));
	assert_int_equal(sample_types_gauges(&world.profile, NULL, false), 0x6);
	assert_int_equal(sample_types_gauges(&world.profile, &queue, false), 0xe);
	assert_int_equal(sample_types_gauges(&world.profile, NULL, true), 0xf);
	assert_true(sample_types_are_all(&world.profile, 0xf));
	assert_false(sample_types_are_all(&world.profile, 0xe));
	world_done(&world);
}

static void columns_are_taken_with_the_tree(void **state)
{
	static const char *const types[] = {"a", "b"};
	struct world world;
	struct profile taken;
	struct node_id node;

	(void)state;
	world_init(&world, types, 2);
	node = stack(&world, "main");
	profile_add(&world.profile, 0, node, 5);
	profile_add(&world.profile, 1, node, 7);
	world.profile.start_ns = 11;
	profile_init(&taken, world.names);
	sample_types_take(&world.profile, 1u << 1, &taken);
	assert_int_equal(taken.n_columns, 1);
	assert_int_equal(profile_value(&taken, 0, node), 7);
	assert_int_equal(taken.tree.n, world.profile.tree.n);
	assert_int_equal(taken.start_ns, 11);
	profile_done(&taken);
	world_done(&world);
}

static void a_shown_name_says_the_metric_and_nothing_else(void **state)
{
	static const char *const types[] = {"contentions"};
	struct upload_type type = {.name = "contentions", .display_name = "block_count"};
	struct world world;

	(void)state;
	world_init(&world, types, 1);
	assert_string_equal(sample_types_metric(&world.profile, NULL), "mutex");
	assert_string_equal(sample_types_metric(&world.profile, &type), "block");
	assert_int_equal(profile_find_column(&world.profile, "contentions", NULL, NULL), 0);
	type.is_gauge = true;
	assert_int_equal(sample_types_gauges(&world.profile, &type, false), 1);
	world_done(&world);
}

static void counts_become_values_and_saturate(void **state)
{
	static const char *const types[] = {"samples"};
	struct upload_unit unit = {"process_cpu", "cpu", "nanoseconds", 10000000, false};
	struct world world;
	struct node_id a, b;

	(void)state;
	world_init(&world, types, 1);
	a = stack(&world, "a");
	b = stack(&world, "b");
	profile_add(&world.profile, 0, a, 3);
	profile_add(&world.profile, 0, b, INT64_MAX / 2);
	assert_string_equal(sample_types_name_counts(&world.profile, &unit), unit.metric);
	assert_int_equal(profile_value(&world.profile, 0, a), 30000000);
	assert_int_equal(profile_value(&world.profile, 0, b), INT64_MAX);
	assert_int_equal(profile_find_column(&world.profile, "cpu", "nanoseconds", NULL), 0);
	assert_int_equal(world.profile.period, 10000000);
	world_done(&world);
}

static void colons_leave_the_names_of_types(void **state)
{
	static const char *const types[] = {"sched:sched_switch:u", "cpu"};
	struct world world;

	(void)state;
	world_init(&world, types, 2);
	sample_types_tidy(&world.profile, ":");
	assert_int_equal(profile_find_column(&world.profile, "sched_sched_switch_u", NULL, NULL),
			 0);
	assert_int_equal(profile_find_column(&world.profile, "cpu", NULL, NULL), 1);
	world_done(&world);
}

static void text_is_typed_by_suffix_then_units(void **state)
{
	static const struct {
		const char *app, *units, *left, *metric, *type;
		int64_t factor;
	} rows[] = {
		{"app", NULL, "app", "process_cpu", "cpu", 10000000},
		{"app.cpu", NULL, "app", "process_cpu", "cpu", 10000000},
		{"app.wall", "objects", "app", "wall", "wall", 10000000},
		{"my.app.alloc_space", NULL, "my.app", "memory", "alloc_space", 1},
		{"shop.example.com", NULL, "shop.example.com", "process_cpu", "cpu", 10000000},
		{"app", "bytes", "app", "memory", "alloc_space", 1},
		{"app", "samples", "app", "process_cpu", "cpu", 10000000},
		{".cpu", NULL, ".cpu", "process_cpu", "cpu", 10000000},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct upload_unit unit;
		char app[64];

		snprintf(app, sizeof(app), "%s", rows[i].app);
		sample_types_of_text(app, rows[i].units, 100, &unit);
		assert_string_equal(app, rows[i].left);
		assert_string_equal(unit.metric, rows[i].metric);
		assert_string_equal(unit.type, rows[i].type);
		assert_int_equal(unit.factor, rows[i].factor);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metric_follows_from_sample_types),
		cmocka_unit_test(levels_are_known_by_name_or_configuration),
		cmocka_unit_test(columns_are_taken_with_the_tree),
		cmocka_unit_test(a_shown_name_says_the_metric_and_nothing_else),
		cmocka_unit_test(counts_become_values_and_saturate),
		cmocka_unit_test(colons_leave_the_names_of_types),
		cmocka_unit_test(text_is_typed_by_suffix_then_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
