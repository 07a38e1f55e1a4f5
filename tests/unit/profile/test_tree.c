/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/tree.h"

#include "oracle.h"

static void a_stack_is_one_node_and_gives_its_frames_back(void **state)
{
	struct frame_id stack[] = {{3}, {1}, {3}, {2}}, path[4] = {{0}};
	struct node_id node, same;
	struct tree tree;

	(void)state;
	tree_init(&tree);
	node = tree_stack(&tree, stack, 4);
	same = tree_stack(&tree, stack, 4);
	assert_int_equal(node.v, same.v);
	assert_int_equal(tree.n, 5);
	assert_int_equal(tree_stack(&tree, stack, 0).v, 0);
	assert_int_equal(tree_path(&tree, node, path, 4), 4);
	assert_memory_equal(path, stack, sizeof(stack));
	/* A small buffer gets the outermost ones. */
	path[2].v = 99;
	assert_int_equal(tree_path(&tree, node, path, 2), 4);
	assert_int_equal(path[2].v, 99);
	tree_done(&tree);
}

/* Invariants 1-3 of tree.h and the index, on random trees. */
static void random_trees_keep_their_invariants(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct tree_index index;
		struct arena arena;
		struct tree tree;

		tree_init(&tree);
		arena_init(&arena);
		for (int i = 0; i < 200; i++) {
			struct node_id parent = {(uint32_t)(oracle_random(&seed) % tree.n)};
			struct frame_id frame = {(uint32_t)(oracle_random(&seed) % 9)};
			struct node_id child = tree_child(&tree, parent, frame), found = {0};

			assert_int_equal(tree.parent[child.v], parent.v);
			assert_int_equal(tree.frame[child.v], frame.v);
			assert_int_equal(tree.depth[child.v], tree.depth[parent.v] + 1);
			assert_true(parent.v < child.v);
			assert_true(tree_find_child(&tree, parent, frame, &found));
			assert_int_equal(found.v, child.v);
		}
		tree_index(&tree, &arena, &index);
		assert_int_equal(index.start[0], 0);
		assert_int_equal(index.start[tree.n], tree.n - 1);
		for (uint32_t i = 0; i < tree.n; i++) {
			uint32_t seen = 0;

			for (uint32_t at = index.start[i]; at < index.start[i + 1]; at++) {
				assert_int_equal(tree.parent[index.list[at]], i);
				assert_false(seen & 1u << tree.frame[index.list[at]]);
				seen |= 1u << tree.frame[index.list[at]];
			}
		}
		tree_done(&tree);
		arena_done(&arena);
	}
}

static void a_full_tree_gives_the_parent_and_counts(void **state)
{
	struct frame_id abc[] = {{1}, {2}, {3}}, adc[] = {{1}, {4}, {2}};
	struct node_id node, child;
	struct tree tree;

	(void)state;
	tree_init(&tree);
	tree.max_nodes = 4;
	node = tree_stack(&tree, abc, 3);
	assert_int_equal(tree.depth[node.v], 3);
	/* a;d;b stops at a: a;b is there, but a never called it from here. */
	node = tree_stack(&tree, adc, 3);
	assert_int_equal(tree.depth[node.v], 1);
	assert_int_equal(tree.over_limit, 1);
	assert_int_equal(tree.n, 4);
	assert_false(tree_try_child(&tree, node, (struct frame_id){9}, &child));
	assert_int_equal(child.v, node.v);
	assert_int_equal(tree_child(&tree, node, (struct frame_id){9}).v, node.v);
	assert_int_equal(tree.over_limit, 3);
	assert_false(tree_find_child(&tree, node, (struct frame_id){9}, &child));
	tree_done(&tree);
}

static void depth_has_a_ceiling(void **state)
{
	struct node_id node = {0};
	struct tree tree;

	(void)state;
	tree_init(&tree);
	for (int i = 0; i < TREE_MAX_DEPTH + 10; i++)
		node = tree_child(&tree, node, (struct frame_id){1});
	assert_int_equal(tree.depth[node.v], TREE_MAX_DEPTH);
	assert_int_equal(tree.over_limit, 10);
	tree_done(&tree);
}

static void tree_finds_children_that_were_appended(void **state)
{
	struct tree tree;
	struct node_id a, b, found;

	(void)state;
	tree_init(&tree);
	a = tree_append_child(&tree, (struct node_id){0}, (struct frame_id){5});
	b = tree_append_child(&tree, (struct node_id){0}, (struct frame_id){6});
	(void)tree_append_child(&tree, a, (struct frame_id){6});
	assert_true(tree_find_child(&tree, (struct node_id){0}, (struct frame_id){6}, &found));
	assert_int_equal(found.v, b.v);
	assert_false(tree_find_child(&tree, b, (struct frame_id){6}, &found));
	assert_int_equal(tree_child(&tree, a, (struct frame_id){6}).v, 3);
	assert_int_equal(tree_child(&tree, b, (struct frame_id){6}).v, 4);
	assert_int_equal(tree.n, 5);
	tree_done(&tree);
}

/* Three ways to the same nodes: step by step, down a path, and from a copy that nobody has looked into. */
static void walking_down_finds_what_single_steps_made(void **state)
{
	struct frame_id path[12];
	struct node_id nodes[12], at;
	struct tree steps, walks, copy;
	uint32_t random = 7;

	(void)state;
	tree_init(&steps);
	tree_init(&walks);
	for (int stack = 0; stack < 500; stack++) {
		for (size_t i = 0; i < array_len(path); i++) {
			random = random * 1664525 + 1013904223;
			path[i].v = 1 + (random >> 24) % (i < 4 ? 2 : 5);
		}
		tree_descend(&walks, (struct node_id){0}, path, array_len(path), nodes);
		at = (struct node_id){0};
		for (size_t i = 0; i < array_len(path); i++) {
			at = tree_child(&steps, at, path[i]);
			assert_int_equal(at.v, nodes[i].v);
		}
	}
	tree_init(&copy);
	for (uint32_t i = 1; i < walks.n; i++)
		(void)tree_append_child(&copy, (struct node_id){walks.parent[i]},
					(struct frame_id){walks.frame[i]});
	for (uint32_t i = walks.n; i-- > 1;)
		assert_int_equal(tree_child(&copy, (struct node_id){walks.parent[i]},
					    (struct frame_id){walks.frame[i]})
					 .v,
				 i);
	assert_int_equal(copy.n, walks.n);
	tree_done(&steps);
	tree_done(&walks);
	tree_done(&copy);
}

static void a_walk_stays_where_there_is_no_room(void **state)
{
	const struct frame_id abc[] = {{1}, {2}, {3}}, adb[] = {{1}, {4}, {2}};
	struct node_id nodes[3];
	struct tree tree;

	(void)state;
	tree_init(&tree);
	tree.max_nodes = 4;
	tree_descend(&tree, (struct node_id){0}, abc, 3, nodes);
	tree_descend(&tree, (struct node_id){0}, adb, 3, nodes);
	assert_int_equal(nodes[0].v, 1);
	assert_int_equal(nodes[1].v, 1);
	assert_int_equal(nodes[2].v, 1); /* not b below a, which is there */
	assert_int_equal(tree.over_limit, 1);
	tree_done(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stack_is_one_node_and_gives_its_frames_back),
		cmocka_unit_test(random_trees_keep_their_invariants),
		cmocka_unit_test(a_full_tree_gives_the_parent_and_counts),
		cmocka_unit_test(depth_has_a_ceiling),
		cmocka_unit_test(tree_finds_children_that_were_appended),
		cmocka_unit_test(walking_down_finds_what_single_steps_made),
		cmocka_unit_test(a_walk_stays_where_there_is_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
