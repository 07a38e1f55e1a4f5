/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/vec.h"
#include "sample/native_stack.h"

#define MAIN_START 0x7f0000000000ull
#define MAIN_BYTES (2u << 20)
#define TLS (MAIN_START + MAIN_BYTES - 0x1900) /* as glibc puts it: near the top */
#define OWN_START 0x560000000000ull
#define OWN_BYTES (128u << 10)

/* A process of two stacks: a thread's, with the area that is its own, and one of a handler. */
struct world {
	struct memory memory;
	uint8_t *main, *own;
	struct mapping mappings[2];
	struct maps maps;
	struct native_stack *stack;
};

static int read_world(struct memory *memory, struct mem_span *spans, size_t n)
{
	struct world *world = (struct world *)memory;
	int n_read = 0;

	for (size_t i = 0; i < n; i++) {
		bool is_main = spans[i].addr >= MAIN_START;
		uint64_t at = spans[i].addr - (is_main ? MAIN_START : OWN_START);

		spans[i].ok = at + spans[i].len <= (is_main ? MAIN_BYTES : OWN_BYTES);
		if (!spans[i].ok)
			continue;
		memcpy(spans[i].into, (is_main ? world->main : world->own) + at, spans[i].len);
		n_read++;
	}
	return n_read;
}

static int begin(void **state)
{
	static const struct memory_ops ops = {.readv = read_world};
	struct world *world = xcalloc(1, sizeof(*world));

	world->memory.ops = &ops;
	world->main = xcalloc(MAIN_BYTES, 1);
	world->own = xcalloc(OWN_BYTES, 1);
	for (size_t i = 0; i < MAIN_BYTES; i++)
		world->main[i] = (uint8_t)(i * 7 + (i >> 8));
	world->mappings[0] = (struct mapping){
		.start = OWN_START, .end = OWN_START + OWN_BYTES, .path = "[heap]"};
	world->mappings[1] =
		(struct mapping){.start = MAIN_START, .end = MAIN_START + MAIN_BYTES, .path = ""};
	world->maps = (struct maps){.items = world->mappings, .n = 2, .cap = 2};
	world->stack = xcalloc(1, sizeof(*world->stack));
	native_stack_init(world->stack);
	*state = world;
	return 0;
}

static int end(void **state)
{
	struct world *world = *state;

	native_stack_done(world->stack);
	free(world->stack);
	free(world->main);
	free(world->own);
	free(world);
	return 0;
}

/* As a pause does: returns how many bytes were copied in it. */
static size_t pause_at(struct world *world, raddr_t sp)
{
	struct mem_span span;

	assert_true(native_stack_aim(world->stack, &world->maps, sp, TLS, &span));
	memory_budget_set(&world->memory, 1, NATIVE_MAX_COPY);
	assert_int_equal(memory_readv(&world->memory, &span, 1), 1);
	native_stack_hold(world->stack, &world->memory, &world->maps, &span);
	return world->stack->n + world->stack->n_more;
}

/* At once, however slow the machine is. */
static void follow(struct world *world)
{
	world->stack->held_ns = clock_monotonic_ns() + NS_PER_S;
	native_stack_follow(world->stack, &world->memory);
}

/* Is the byte at an address held, and the one that the process had? */
static bool holds(const struct world *world, raddr_t addr)
{
	struct unwind_stack view = native_stack_view(world->stack);
	uint8_t was = world->main[addr - MAIN_START];

	if (addr - view.sp < view.len)
		return view.bytes[addr - view.sp] == was;
	return addr - view.more_at < view.more_len && view.more[addr - view.more_at] == was;
}

static void a_small_stack_is_copied_to_its_end_and_later_to_its_base(void **state)
{
	struct world *world = *state;
	raddr_t sp = TLS - 0x4000, base = TLS - 0x800;
	size_t before = pause_at(world, sp);

	assert_int_equal(before, 0x4000 + 128 + 0x1000 - (TLS & 0xfff));
	assert_false(world->stack->is_cut);
	follow(world);
	assert_int_equal(world->stack->n_more, 0);
	assert_false(native_stack_learn(world->stack, base));
	assert_in_range(pause_at(world, sp), base - sp, base - sp + 128 + 512);
	native_stack_unlearn(world->stack);
	assert_int_equal(pause_at(world, sp), before);
}

static void what_a_pause_has_no_room_for_is_read_behind_it(void **state)
{
	struct world *world = *state;
	raddr_t sp = TLS - (200u << 10);

	assert_int_equal(pause_at(world, sp), NATIVE_MAX_COPY);
	assert_true(world->stack->is_cut);
	assert_false(holds(world, TLS - 16));
	follow(world);
	assert_true(holds(world, sp) && holds(world, sp + NATIVE_MAX_COPY) &&
		    holds(world, TLS - 16));
	assert_true(native_stack_learn(world->stack, TLS - 16));
	assert_false(native_stack_learn(world->stack, sp + 100));
}

static void a_stack_whose_outer_part_moved_is_cut(void **state)
{
	struct world *world = *state;
	raddr_t sp = TLS - (200u << 10), border = sp - 128 + NATIVE_MAX_COPY;

	/* One byte anywhere in the overlap. */
	for (raddr_t at = border - NATIVE_OVERLAP; at < border; at += NATIVE_OVERLAP - 1) {
		pause_at(world, sp);
		world->main[at - MAIN_START] ^= 1;
		follow(world);
		assert_int_equal(world->stack->n_more, 0);
		world->main[at - MAIN_START] ^= 1;
	}
	/* The inner part may move: it has been copied. */
	pause_at(world, sp);
	world->main[sp + 64 - MAIN_START] ^= 1;
	follow(world);
	assert_true(holds(world, TLS - 16));
}

static void what_is_read_too_late_is_not_believed(void **state)
{
	struct world *world = *state;
	raddr_t sp = TLS - (200u << 10);

	pause_at(world, sp);
	world->stack->held_ns -= 2 * NATIVE_FOLLOW_NS;
	native_stack_follow(world->stack, &world->memory);
	assert_int_equal(world->stack->n_more, 0);
	assert_true(world->stack->is_cut);
}

static void a_stack_without_end_is_read_up_to_a_limit(void **state)
{
	struct world *world = *state;
	raddr_t sp = MAIN_START + 0x1000;

	pause_at(world, sp);
	follow(world);
	assert_int_equal(world->stack->n + world->stack->n_more,
			 NATIVE_MAX_COPY + NATIVE_MAX_OUTER);
}

/* What the kernel writes on a handler's stack: where it begins, how large it is, the registers. */
static void put_signal(struct world *world, raddr_t at, raddr_t begin, uint64_t size, raddr_t sp)
{
#if defined(__aarch64__)
	const size_t sp_at = 52;
#else
	const size_t sp_at = 18;
#endif
	uint64_t words[64] = {begin, 0, size};

	words[sp_at] = sp;
	memcpy(world->own + (at - OWN_START), words, sizeof(words));
}

static void a_handler_on_its_own_stack_is_read_with_what_it_interrupted(void **state)
{
	struct world *world = *state;
	raddr_t sp = OWN_START + 0x6000, interrupted = TLS - (200u << 10);

	put_signal(world, OWN_START + 0x7000, OWN_START, 0x10000, OWN_START + 0x7800);
	put_signal(world, OWN_START + 0x8000, OWN_START, 0x10000, interrupted);
	assert_int_equal(pause_at(world, sp), NATIVE_MAX_COPY);
	assert_int_equal(world->stack->more_at, interrupted - 128);
	assert_true(holds(world, interrupted));
	follow(world);
	assert_true(holds(world, interrupted + NATIVE_MAX_HALF) && holds(world, TLS - 16));
}

static void words_that_tell_of_no_such_stack_are_passed_over(void **state)
{
	static const struct {
		raddr_t begin;
		uint64_t size;
		raddr_t sp;
	} bad[] = {
		{OWN_START + 0x7000, 0x10000, TLS - 0x4000}, /* it begins above sp */
		{OWN_START, 0x2000, TLS - 0x4000},	     /* and ends below */
		{OWN_START, UINT64_MAX, TLS - 0x4000},
		{OWN_START, 0x10000, 0x1000}, /* nothing is mapped there */
		{OWN_START, 0x10000, UINT64_MAX},
	};
	struct world *world = *state;

	for (size_t i = 0; i < array_len(bad); i++) {
		put_signal(world, OWN_START + 0x8000, bad[i].begin, bad[i].size, bad[i].sp);
		assert_int_equal(pause_at(world, OWN_START + 0x6000), NATIVE_MAX_HALF);
	}
}

static void a_stack_that_waits_is_read_in_place(void **state)
{
	struct world *world = *state;
	struct unwind_stack view;

	memory_budget_set(&world->memory, 1, NATIVE_MAX_COPY);
	native_stack_read(world->stack, &world->memory, &world->maps, TLS - 0x4000);
	view = native_stack_view(world->stack);
	assert_int_equal(view.sp, TLS - 0x4000);
	assert_int_equal(view.len, MAIN_START + MAIN_BYTES - view.sp);
	native_stack_read(world->stack, &world->memory, &world->maps, 0x1000);
	assert_int_equal(native_stack_view(world->stack).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_small_stack_is_copied_to_its_end_and_later_to_its_base, begin, end),
		cmocka_unit_test_setup_teardown(what_a_pause_has_no_room_for_is_read_behind_it,
						begin, end),
		cmocka_unit_test_setup_teardown(a_stack_whose_outer_part_moved_is_cut, begin, end),
		cmocka_unit_test_setup_teardown(what_is_read_too_late_is_not_believed, begin, end),
		cmocka_unit_test_setup_teardown(a_stack_without_end_is_read_up_to_a_limit, begin,
						end),
		cmocka_unit_test_setup_teardown(
			a_handler_on_its_own_stack_is_read_with_what_it_interrupted, begin, end),
		cmocka_unit_test_setup_teardown(words_that_tell_of_no_such_stack_are_passed_over,
						begin, end),
		cmocka_unit_test_setup_teardown(a_stack_that_waits_is_read_in_place, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
