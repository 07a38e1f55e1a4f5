/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/family.h"

#include <errno.h>
#include <unistd.h>

#include <stdlib.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "unit.h"

#define MS NS_PER_MS
#define PIDS 64
#define ROOT 10

enum { SHELL = 1, PYTHON = 2 }; /* what a process has mapped */

/* A small world of processes. */
struct world {
	struct {
		uint64_t start; /* 0: there is none */
		uint64_t last_start;
		pid_t parent;
		uint64_t maps;
		bool is_zombie;
	} pids[PIDS];
	uint64_t clock;
	unsigned looks; /* at what somebody has mapped */
};

static int identify(void *ctx, pid_t pid, struct process_id *ret_id)
{
	struct world *world = ctx;

	if (pid >= PIDS || !world->pids[pid].start)
		return -ESRCH;
	*ret_id = (struct process_id){pid, world->pids[pid].start};
	return 0;
}

static bool is_alive(void *ctx, struct process_id id)
{
	struct world *world = ctx;

	return world->pids[id.pid].start == id.start_ticks && !world->pids[id.pid].is_zombie;
}

static int children(void *ctx, pid_t pid, pid_t *pids, size_t cap)
{
	struct world *world = ctx;
	int n = 0;

	for (pid_t child = 0; child < PIDS && (size_t)n < cap; child++)
		if (world->pids[child].start && world->pids[child].parent == pid)
			pids[n++] = child;
	return n;
}

static uint64_t program(void *ctx, pid_t pid)
{
	return ((struct world *)ctx)->pids[pid].maps;
}

static uint64_t signature(void *ctx, pid_t pid)
{
	((struct world *)ctx)->looks++;
	return ((struct world *)ctx)->pids[pid].maps;
}

static const struct family_view view = {identify, is_alive, children, program, signature};

static void begin(struct world *world, pid_t pid, pid_t parent, uint64_t maps)
{
	world->pids[pid].start = world->pids[pid].last_start = ++world->clock;
	world->pids[pid].parent = parent;
	world->pids[pid].maps = maps;
	world->pids[pid].is_zombie = false;
}

static void end(struct world *world, pid_t pid)
{
	world->pids[pid].start = 0;
}

static struct family *family_of_root(struct world *world, uint64_t maps)
{
	struct process_id root;

	begin(world, ROOT, 1, maps);
	assert_int_equal(identify(world, ROOT, &root), 0);
	return family_new(root, false, &view, world, 0);
}

/* Who shall be read now; 0: nobody. */
static pid_t next(struct family *family, int64_t now_ns)
{
	struct process_id process = {0};

	return family_next(family, now_ns, &process) ? process.pid : 0;
}

static void left(struct family *family, struct world *world, pid_t pid, enum family_verdict verdict,
		 int64_t now_ns)
{
	struct process_id process = {pid, world->pids[pid].last_start};

	family_left(family, process, verdict, now_ns);
}

static void a_child_is_read_once_it_has_settled(void **state)
{
	struct world world = {.clock = 100};
	struct family *family = family_of_root(&world, PYTHON);

	(void)state;
	assert_int_equal(next(family, 0), ROOT);
	assert_int_equal(next(family, 0), 0);
	begin(&world, 11, ROOT, PYTHON);
	family_forked(family, ROOT, 11, 1000 * MS);
	assert_int_equal(next(family, 1000 * MS), 0);
	assert_int_equal(family_due_ns(family), 1000 * MS + FAMILY_SETTLE_NS);
	assert_int_equal(next(family, 1000 * MS + FAMILY_SETTLE_NS), 11);
	family_forked(family, 1, 12, 1000 * MS); /* a stranger's */
	assert_int_equal(next(family, 2000 * MS), 0);
	family_free(family);
}

/* A daemon: the parent in between is gone before anybody looks. */
static void a_grandchild_whose_parent_left_is_found(void **state)
{
	struct world world = {.clock = 100};
	struct family *family = family_of_root(&world, PYTHON);

	(void)state;
	assert_int_equal(next(family, 0), ROOT);
	begin(&world, 12, 1, PYTHON);
	family_forked(family, ROOT, 11, 0);
	family_forked(family, 11, 12, 0);
	family_ended(family, 11);
	assert_int_equal(next(family, 100 * MS), 12);
	end(&world, ROOT);
	left(family, &world, ROOT, FAMILY_DONE, 200 * MS);
	family_free(family);
}

/* Thousands of shells cost as many readers as there are young tries, and one for a grown one. */
static void what_holds_nothing_is_tried_a_few_times(void **state)
{
	struct world world = {.clock = 100};
	struct family *family = family_of_root(&world, PYTHON);
	unsigned tries = 0;
	int64_t now_ns = 0;

	(void)state;
	assert_int_equal(next(family, 0), ROOT);
	for (int i = 0; i < 1000; i++, now_ns += 20 * MS) {
		begin(&world, 11, ROOT, SHELL);
		family_forked(family, ROOT, 11, now_ns);
		while (next(family, now_ns + FAMILY_SETTLE_NS)) {
			tries++;
			left(family, &world, 11, FAMILY_UNFIT, now_ns + FAMILY_SETTLE_NS);
		}
		end(&world, 11);
	}
	assert_int_equal(tries, FAMILY_YOUNG_TRIES);
	begin(&world, 12, ROOT, SHELL);
	family_forked(family, ROOT, 12, now_ns);
	for (int64_t later_ns = now_ns; later_ns < now_ns + 60 * NS_PER_S; later_ns += 10 * MS)
		while (next(family, later_ns)) {
			tries++;
			assert_true(later_ns - now_ns >= FAMILY_GROWN_NS);
			left(family, &world, 12, FAMILY_UNFIT, later_ns);
		}
	assert_int_equal(tries, FAMILY_YOUNG_TRIES + 1);
	family_free(family);
}

/* What ends before it has settled is never looked into. */
static void short_lives_cost_no_look(void **state)
{
	struct world world = {.clock = 100};
	struct family *family = family_of_root(&world, PYTHON);
	struct family_facts facts;
	unsigned looks;

	(void)state;
	assert_int_equal(next(family, 0), ROOT);
	looks = world.looks;
	for (int i = 0; i < 100; i++) {
		begin(&world, 11, ROOT, SHELL);
		family_forked(family, ROOT, 11, i * 20 * MS);
		end(&world, 11);
		family_ended(family, 11);
		assert_int_equal(next(family, i * 20 * MS + FAMILY_SETTLE_NS), 0);
	}
	assert_int_equal(world.looks, looks);
	family_facts(family, &facts);
	assert_int_equal(facts.found, 101);
	family_free(family);
}

static void a_shell_that_becomes_python_is_read(void **state)
{
	struct world world = {.clock = 100};
	struct family *family = family_of_root(&world, SHELL);

	(void)state;
	assert_int_equal(next(family, 0), ROOT);
	left(family, &world, ROOT, FAMILY_UNFIT, 0);
	assert_int_equal(next(family, 10 * NS_PER_S), 0);
	world.pids[ROOT].maps = PYTHON;
	family_execed(family, ROOT, 20 * NS_PER_S);
	assert_int_equal(next(family, 20 * NS_PER_S + FAMILY_SETTLE_NS), ROOT);
	/* And into another program while it is read: its reader tells. */
	world.pids[ROOT].maps = SHELL;
	family_execed(family, ROOT, 30 * NS_PER_S);
	assert_int_equal(next(family, 31 * NS_PER_S), 0);
	left(family, &world, ROOT, FAMILY_CHANGED, 31 * NS_PER_S);
	assert_int_equal(next(family, 40 * NS_PER_S), 0);
	assert_false(family_is_over(family, false, 40 * NS_PER_S));
	family_free(family);
}

/* An embedded interpreter is loaded late: no event tells of it. */
static void a_library_that_is_mapped_later_is_noticed(void **state)
{
	struct world world = {.clock = 100};
	struct family *family = family_of_root(&world, SHELL);

	(void)state;
	assert_int_equal(next(family, 0), ROOT);
	left(family, &world, ROOT, FAMILY_UNFIT, 0);
	for (int64_t now_ns = 0; now_ns < 20 * NS_PER_S; now_ns += 100 * MS)
		assert_int_equal(next(family, now_ns), 0);
	world.pids[ROOT].maps = PYTHON;
	assert_int_equal(next(family, 26 * NS_PER_S), ROOT);
	family_free(family);
}

/* Forked from a Python, it looked like one, and was a shell when the reader came. */
static void an_exec_during_a_try_blames_nobody(void **state)
{
	struct world world = {.clock = 100};
	struct family *family = family_of_root(&world, PYTHON);

	(void)state;
	assert_int_equal(next(family, 0), ROOT);
	for (int i = 0; i < 10; i++) {
		int64_t now_ns = i * NS_PER_S;

		begin(&world, 11, ROOT, PYTHON);
		family_forked(family, ROOT, 11, now_ns);
		assert_int_equal(next(family, now_ns + FAMILY_SETTLE_NS), 11);
		world.pids[11].maps = SHELL;
		left(family, &world, 11, FAMILY_UNFIT, now_ns + FAMILY_SETTLE_NS);
		end(&world, 11);
	}
	family_free(family);
}

static void a_pid_that_is_given_out_again_is_another_process(void **state)
{
	struct world world = {.clock = 100};
	struct family *family = family_of_root(&world, PYTHON);
	struct process_id first, second;

	(void)state;
	assert_int_equal(next(family, 0), ROOT);
	begin(&world, 11, ROOT, PYTHON);
	family_forked(family, ROOT, 11, 0);
	assert_true(family_next(family, 100 * MS, &first));
	/* The event of one that a walk has found already. */
	family_forked(family, ROOT, 11, 100 * MS);
	assert_int_equal(next(family, 200 * MS), 0);
	/* Its reader has not noticed yet. */
	begin(&world, 11, ROOT, PYTHON);
	family_forked(family, ROOT, 11, 200 * MS);
	assert_true(family_next(family, 300 * MS, &second));
	assert_int_equal(second.pid, first.pid);
	assert_true(second.start_ticks != first.start_ticks);
	family_left(family, first, FAMILY_DONE, 300 * MS);
	assert_false(family_is_over(family, true, 300 * MS));
	/* A stranger's child of a pid that was ours. */
	begin(&world, 11, 1, PYTHON);
	begin(&world, 12, 11, PYTHON);
	family_left(family, second, FAMILY_DONE, 300 * MS);
	(void)family_walk(family, 300 * MS);
	assert_int_equal(next(family, 400 * MS), 0);
	family_free(family);
}

static void walking_finds_all_below_and_no_zombies(void **state)
{
	struct world world = {.clock = 100};
	struct family *family = family_of_root(&world, PYTHON);
	struct family_facts facts;

	(void)state;
	begin(&world, 11, ROOT, SHELL);
	begin(&world, 12, 11, PYTHON);
	begin(&world, 13, ROOT, PYTHON);
	begin(&world, 14, 1, PYTHON);
	world.pids[13].is_zombie = true;
	assert_int_equal(family_walk(family, 0), FAMILY_BUSY_WALK_NS);
	for (int64_t now_ns = 0; now_ns < 10 * NS_PER_S; now_ns += FAMILY_WALK_NS)
		(void)family_walk(family, now_ns);
	family_facts(family, &facts);
	assert_int_equal(facts.found, 3);
	assert_int_equal(family_walk(family, 10 * NS_PER_S), 10 * NS_PER_S + FAMILY_WALK_NS);
	/* An exec that nobody told of. */
	while (next(family, 10 * NS_PER_S))
		;
	left(family, &world, 11, FAMILY_UNFIT, 10 * NS_PER_S);
	(void)family_walk(family, 10 * NS_PER_S);
	world.pids[11].maps = PYTHON;
	(void)family_walk(family, 11 * NS_PER_S);
	assert_int_equal(next(family, 11 * NS_PER_S + FAMILY_SETTLE_NS), 11);
	family_free(family);
}

static void it_is_over_when_root_and_pythons_are_gone(void **state)
{
	struct world world = {.clock = 100};
	struct family *family = family_of_root(&world, PYTHON);

	(void)state;
	begin(&world, 11, ROOT, PYTHON);
	begin(&world, 12, ROOT, SHELL);
	(void)family_walk(family, 0);
	while (next(family, 0))
		;
	left(family, &world, 12, FAMILY_UNFIT, 0);
	assert_false(family_is_over(family, false, 0));
	assert_false(family_is_over(family, true, 0));
	end(&world, ROOT);
	left(family, &world, ROOT, FAMILY_DONE, 0);
	assert_false(family_is_over(family, false, 0));
	end(&world, 11);
	left(family, &world, 11, FAMILY_DONE, 0);
	/* The shell that stays behind is old enough to be nothing else. */
	assert_true(family_is_over(family, false, 0));
	assert_true(family_is_over(family, true, 0));
	family_free(family);
}

static void more_than_can_be_followed_is_counted(void **state)
{
	struct process_id root = {ROOT, 1};
	struct world world = {.clock = 100};
	struct family *family = family_new(root, false, &view, &world, 0);
	struct family_facts facts;

	(void)state;
	for (pid_t pid = 100; pid < 100 + FAMILY_MAX + 9; pid++)
		family_forked(family, ROOT, pid, 0);
	family_facts(family, &facts);
	assert_int_equal(facts.found, FAMILY_MAX + 10);
	assert_int_equal(facts.left_out, 10);
	family_free(family);
	family_free(NULL);
}

static void who_cannot_be_read_now_comes_again(void **state)
{
	struct world world = {.clock = 100};
	struct family *family = family_of_root(&world, PYTHON);
	struct family_facts facts;
	struct process_id process;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(family_next(family, i * NS_PER_S, &process));
		family_put_off(family, process, i * NS_PER_S);
		assert_int_equal(next(family, i * NS_PER_S + NS_PER_S / 2), 0);
	}
	assert_false(family_is_over(family, true, 3 * NS_PER_S));
	assert_int_equal(next(family, 3 * NS_PER_S), ROOT);
	family_facts(family, &facts);
	assert_int_equal(facts.left_out, 1);
	family_free(family);
}

static void the_live_view_sees_this_process(void **state)
{
	const struct family_view *live = family_live_view();
	struct process_id id;

	(void)state;
	assert_int_equal(live->identify(NULL, getpid(), &id), 0);
	assert_true(live->is_alive(NULL, id));
	assert_true(live->program(NULL, getpid()) != 0);
	assert_true(live->signature(NULL, getpid()) != 0);
	assert_true(live->signature(NULL, getpid()) == live->signature(NULL, getpid()));
	assert_int_equal(live->children(NULL, getpid(), NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_is_read_once_it_has_settled),
		cmocka_unit_test(a_grandchild_whose_parent_left_is_found),
		cmocka_unit_test(what_holds_nothing_is_tried_a_few_times),
		cmocka_unit_test(short_lives_cost_no_look),
		cmocka_unit_test(a_shell_that_becomes_python_is_read),
		cmocka_unit_test(a_library_that_is_mapped_later_is_noticed),
		cmocka_unit_test(an_exec_during_a_try_blames_nobody),
		cmocka_unit_test(a_pid_that_is_given_out_again_is_another_process),
		cmocka_unit_test(walking_finds_all_below_and_no_zombies),
		cmocka_unit_test(it_is_over_when_root_and_pythons_are_gone),
		cmocka_unit_test(more_than_can_be_followed_is_counted),
		cmocka_unit_test(who_cannot_be_read_now_comes_again),
		cmocka_unit_test(the_live_view_sees_this_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
