/* SPDX-License-Identifier: Apache-2.0 */
/* A capture of several processes, folded: whose stack it is stands at the root. */
#include "format/capture_profile.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "unit.h"

struct tree_fold {
	struct names *names;
	struct tree tree; /* of the reader: the root alone */
	struct capture_fold *fold;
};

static void begin(struct tree_fold *made, const struct capture_fold_opts *opts)
{
	made->names = names_new();
	tree_init(&made->tree);
	made->fold = capture_fold_new(made->names, &made->tree, opts);
}

static void end(struct tree_fold *made)
{
	capture_fold_free(made->fold);
	tree_done(&made->tree);
	names_free(made->names);
}

static void process(struct tree_fold *made, uint32_t id, int32_t pid, int32_t parent,
		    const char *name)
{
	struct capture_process event = {
		.id = id, .pid = pid, .parent_pid = parent, .command = name, .runtime = "CPython"};

	assert_int_equal(capture_fold_events()->process(made->fold, &event), 0);
}

static void thread(struct tree_fold *made, uint32_t id, uint32_t process_id, int32_t tid)
{
	struct capture_thread event = {.id = id, .process = process_id, .tid = tid, .name = "main"};

	assert_int_equal(capture_fold_events()->thread(made->fold, &event), 0);
}

/* The names from the root to where a thread's stacks stand, joined by ';'. */
static void assert_place(struct tree_fold *made, uint32_t thread_id, const char *expected)
{
	struct frame_id path[TREE_MAX_DEPTH];
	struct map64 memo = {0};
	struct tree into;
	char text[4096] = "";
	struct node_id node;
	size_t n;

	tree_init(&into);
	node = capture_fold_node(made->fold, thread_id, (struct node_id){0}, &into, &memo);
	n = tree_path(&into, node, path, TREE_MAX_DEPTH);
	for (size_t i = 0; i < n; i++) {
		struct str_id name = names_frame_get(made->names, path[i])->name;
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s", i ? ";" : "",
			 names_text(made->names, name, NULL));
	}
	assert_string_equal(text, expected);
	map64_done(&memo);
	tree_done(&into);
}

static void processes_stand_below_their_ancestors(void **state)
{
	static const struct capture_fold_opts opts = {
		.process_markers = true, .ancestor_markers = true, .thread_markers = true};
	struct tree_fold made;

	(void)state;
	begin(&made, &opts);
	process(&made, 1, 10, 1, "sh");
	process(&made, 2, 20, 10, "a.py");
	process(&made, 3, 30, 20, "b.py");
	process(&made, 4, 40, 1, "daemon.py");
	thread(&made, 1, 3, 30);
	thread(&made, 2, 4, 40);
	assert_place(&made, 1, "process 10: sh;process 20: a.py;process 30: b.py;thread 30: main");
	assert_place(&made, 2, "process 40: daemon.py;thread 40: main");
	end(&made);
}

static void a_process_alone_stands_at_the_root_where_that_is_asked_for(void **state)
{
	static const struct capture_fold_opts opts = {.process_markers = true};
	struct tree_fold made;

	(void)state;
	begin(&made, &opts);
	process(&made, 1, 10, 1, "a.py");
	process(&made, 2, 20, 10, "b.py");
	thread(&made, 1, 2, 20);
	assert_place(&made, 1, "process 20: b.py");
	end(&made);
}

/* A pid that was given out again: the parent is who has it when the child is defined. */
static void a_parent_is_the_last_owner_of_its_pid(void **state)
{
	static const struct capture_fold_opts opts = {.process_markers = true,
						      .ancestor_markers = true};
	struct tree_fold made;

	(void)state;
	begin(&made, &opts);
	process(&made, 1, 10, 1, "old.py");
	process(&made, 2, 20, 10, "first.py");
	process(&made, 3, 10, 1, "new.py");
	process(&made, 4, 21, 10, "second.py");
	thread(&made, 1, 2, 20);
	thread(&made, 2, 4, 21);
	assert_place(&made, 1, "process 10: old.py;process 20: first.py");
	assert_place(&made, 2, "process 10: new.py;process 21: second.py");
	end(&made);
}

/* A hostile capture: everybody is everybody's child. */
static void ancestors_in_a_circle_end_somewhere(void **state)
{
	static const struct capture_fold_opts opts = {.process_markers = true,
						      .ancestor_markers = true};
	struct frame_id path[TREE_MAX_DEPTH];
	struct map64 memo = {0};
	struct tree_fold made;
	struct tree into;
	struct node_id node;

	(void)state;
	begin(&made, &opts);
	tree_init(&into);
	process(&made, 1, 10, 20, "a");
	process(&made, 2, 20, 10, "b");
	process(&made, 1, 10, 20, "a");
	process(&made, 3, 30, 30, "self");
	process(&made, 3, 30, 30, "self");
	thread(&made, 1, 1, 10);
	thread(&made, 2, 3, 30);
	for (uint32_t id = 1; id <= 2; id++) {
		node = capture_fold_node(made.fold, id, (struct node_id){0}, &into, &memo);
		assert_in_range(tree_path(&into, node, path, TREE_MAX_DEPTH), 1, 100);
	}
	map64_done(&memo);
	tree_done(&into);
	end(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_stand_below_their_ancestors),
		cmocka_unit_test(a_process_alone_stands_at_the_root_where_that_is_asked_for),
		cmocka_unit_test(a_parent_is_the_last_owner_of_its_pid),
		cmocka_unit_test(ancestors_in_a_circle_end_somewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
