/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The evaluation function of this very program, of which the compiler puts a part elsewhere, is found whole, and
 * nothing else is.
 */
#include "walk_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "proc/maps.h"

#define CALLS 64

static raddr_t called_from[CALLS];
static size_t n_calls;

/* Where it was called from. */
__attribute__((noinline)) static int note_call(int value)
{
	if (n_calls < CALLS)
		called_from[n_calls++] = (raddr_t)(uintptr_t)__builtin_return_address(0);
	return value + 1;
}

__attribute__((noinline, cold)) static int note_seldom(int value)
{
	return note_call(value) * 3;
}

int _PyEval_EvalFrameDefault(volatile int *steps, int n);

/* A loop with a seldom part that returns into it, and a frame that has grown when it leaves for there. */
__attribute__((noinline, optimize("O2"))) int _PyEval_EvalFrameDefault(volatile int *steps, int n)
{
	volatile int kept[8] = {0};
	int sum = 0;

	for (int i = 0; i < n; i++) {
		kept[i & 7] = note_call(steps[i & 7]);
		if (__builtin_expect(kept[i & 7] > 1000, 0)) {
			sum += note_seldom(i);
			sum += note_call(sum);
			kept[(i + 1) & 7] = note_seldom(sum);
		}
		sum += kept[i & 7];
	}
	return sum;
}

static int open_self(void *ctx, const struct mapping *mapping, struct err *err)
{
	(void)ctx;
	(void)mapping;
	(void)err;
	return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

static int open_nothing(void *ctx, const struct mapping *mapping, struct err *err)
{
	(void)ctx;
	(void)mapping;
	(void)err;
	return -ENOENT;
}

static const struct mapping *own_first(const struct maps *maps)
{
	const struct mapping *own = maps_find(maps, (raddr_t)(uintptr_t)&_PyEval_EvalFrameDefault);

	for (size_t i = 0; own && i < maps->n; i++)
		if (mapping_is_same_file(&maps->items[i], own))
			return &maps->items[i];
	return NULL;
}

static bool is_inside(const struct python *python, raddr_t addr)
{
	const struct python_eval_range *ranges;
	size_t n = python_eval_ranges(python, &ranges);

	for (size_t i = 0; i < n; i++)
		if (!ranges[i].is_handler && addr >= ranges[i].start && addr < ranges[i].end)
			return true;
	return false;
}

static bool is_handler(const struct python *python, raddr_t addr)
{
	const struct python_eval_range *ranges;
	size_t n = python_eval_ranges(python, &ranges);

	for (size_t i = 0; i < n; i++)
		if (ranges[i].is_handler && addr >= ranges[i].start && addr < ranges[i].end)
			return true;
	return false;
}

static void find_own(struct fixture *f, struct maps *maps,
		     int (*open_file)(void *, const struct mapping *, struct err *))
{
	struct python_args args = {.open = open_file, .maps = maps};
	struct runtime runtime = {0};

	fixture_begin(f, 0x030c);
	maps_init(maps);
	assert_int_equal(maps_read(maps, getpid(), NULL), 0);
	runtime.file = own_first(maps);
	assert_non_null(runtime.file);
	evals_find(f->python, &args, &runtime);
}

static void all_parts_are_found_without_their_symbols(void **state)
{
	volatile int steps[8] = {1, 2, 2000, 3, 4, 5, 6, 7};
	struct fixture f;
	struct maps maps;
	size_t inside = 0;

	(void)state;
	n_calls = 0;
	(void)_PyEval_EvalFrameDefault(steps, 12);
	find_own(&f, &maps, open_self);
	assert_true(is_inside(f.python, (raddr_t)(uintptr_t)&_PyEval_EvalFrameDefault));
	for (size_t i = 0; i < n_calls; i++)
		inside += is_inside(f.python, called_from[i] - 1);
	/* The two calls from note_seldom() are the only ones from outside. */
	assert_int_equal(n_calls, 12 + 3 * 2);
	assert_int_equal(inside, n_calls - 2 * 2);
	maps_done(&maps);
	fixture_end(&f);
}

static void no_other_function_is_a_part(void **state)
{
	struct fixture f;
	struct maps maps;

	(void)state;
	find_own(&f, &maps, open_self);
	assert_false(is_inside(f.python, (raddr_t)(uintptr_t)&note_call));
	assert_false(is_inside(f.python, (raddr_t)(uintptr_t)&note_seldom));
	assert_false(is_inside(f.python, (raddr_t)(uintptr_t)&find_own));
	maps_done(&maps);
	fixture_end(&f);
}

static void functions_on_one_without_a_loop_are_its_instructions(void **state)
{
	struct fixture f;
	struct maps maps;

	(void)state;
	find_own(&f, &maps, open_self);
	assert_true(is_handler(f.python, (raddr_t)(uintptr_t)&note_call));
	assert_false(is_handler(f.python, (raddr_t)(uintptr_t)&called_from));
	assert_false(is_handler(f.python, (raddr_t)(uintptr_t)&open));
	maps_done(&maps);
	fixture_end(&f);
}

static void a_file_that_cannot_be_read_has_none(void **state)
{
	const struct python_eval_range *ranges;
	struct fixture f;
	struct maps maps;

	(void)state;
	find_own(&f, &maps, open_nothing);
	assert_int_equal(python_eval_ranges(f.python, &ranges), 0);
	maps_done(&maps);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_parts_are_found_without_their_symbols),
		cmocka_unit_test(no_other_function_is_a_part),
		cmocka_unit_test(functions_on_one_without_a_loop_are_its_instructions),
		cmocka_unit_test(a_file_that_cannot_be_read_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
