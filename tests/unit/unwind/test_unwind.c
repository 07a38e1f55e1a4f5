/* SPDX-License-Identifier: Apache-2.0 */
/* This program's own stacks: against what the functions noted, and against libgcc's unwinder. */
#include "../unit.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "levels.h"
#include "unwind/unwind.h"

#define MAX_FRAMES 512

static int open_file(void *ctx, const struct mapping *mapping, struct err *err)
{
	(void)ctx, (void)err;
	int fd = open(mapping->path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_nothing(void *ctx, const struct mapping *mapping, struct err *err)
{
	(void)ctx, (void)mapping, (void)err;
	return -ENOENT;
}

/* A look at the stack from inside: what was found, and what libgcc finds. */
struct look {
	struct unwind_space *space;
	struct memory *memory;
	uint64_t known; /* registers that the unwinder is told */
	size_t max;
	bool is_copied; /* the stack is given as bytes, and nothing else may be read */

	struct unwind_frame frames[MAX_FRAMES];
	size_t n;
	enum unwind_outcome outcome;
	void *expected[MAX_FRAMES];
	int n_expected;
};

static void take_registers(const ucontext_t *context, uint64_t known, struct unwind_regs *ret_regs)
{
	static const int places[UNWIND_REGS] = {
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
		REG_R9,	 REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

	for (unsigned i = 0; i < UNWIND_REGS; i++)
		if (known >> i & 1)
			unwind_regs_set(ret_regs, i,
					(uint64_t)context->uc_mcontext.gregs[places[i]]);
}

static void look_here(void *ctx)
{
	struct look *look = ctx;
	struct unwind_regs regs = {0};
	ucontext_t context;
	static uint8_t copy[128 << 10];

	look->n_expected = backtrace(look->expected, MAX_FRAMES);
	/* The address sanitizer's backtrace() shows itself. */
	if (look->n_expected > 1 && __builtin_return_address(0) != look->expected[1])
		memmove(look->expected, look->expected + 1,
			(size_t)--look->n_expected * sizeof(look->expected[0]));
	getcontext(&context);
	take_registers(&context, look->known, &regs);
	struct unwind_stack stack = {.sp = regs.r[UNWIND_SP], .memory = look->memory};
	if (look->is_copied) {
		size_t page = 4096 - (stack.sp & 4095);

		stack.bytes = copy;
		stack.memory = NULL;
		for (size_t take = page; stack.len + take <= sizeof(copy); take = 4096) {
			if (memory_read(look->memory, stack.sp + stack.len, copy + stack.len,
					take) < 0)
				break;
			stack.len += take;
		}
	}
	look->n = unwind_run(look->space, &regs, &stack, look->frames, look->max, &look->outcome);
}

#define ALL_KNOWN ((1ull << UNWIND_REGS) - 1)
#define WAITING_KNOWN (1ull << UNWIND_SP | 1ull << UNWIND_PC)

static void setup(struct look *look, int (*open)(void *, const struct mapping *, struct err *))
{
	struct maps maps;

	*look = (struct look){.known = ALL_KNOWN, .max = MAX_FRAMES};
	look->memory = memory_live_new(getpid());
	memory_budget_set(look->memory, UINT32_MAX, UINT64_MAX);
	struct unwind_args args = {.open = open, .memory = look->memory};
	look->space = unwind_space_new(&args);
	maps_init(&maps);
	assert_int_equal(maps_read(&maps, getpid(), NULL), 0);
	unwind_space_update(look->space, &maps);
	maps_done(&maps);
}

static void teardown(struct look *look)
{
	unwind_space_free(look->space);
	memory_free(look->memory);
}

/* All of what libgcc finds; but for the first, which is another place in the same function. */
static void assert_as_libgcc(const struct look *look)
{
	assert_int_equal(look->outcome, UNWIND_BASE);
	assert_int_equal(look->n, look->n_expected);
	for (size_t i = 1; i < look->n; i++)
		assert_int_equal(look->frames[i].pc, (uint64_t)(uintptr_t)look->expected[i]);
	assert_true(look->frames[0].flags & UNWIND_FRAME_EXACT);
	assert_true(look->frames[look->n - 1].flags & UNWIND_FRAME_BASE);
}

static void assert_trail(const struct look *look, const struct trail *trail)
{
	assert_true(look->n > trail->n);
	/* frames[1] is in the last noted function, which did not note where look_here() returns to. */
	for (size_t i = 0; i < trail->n; i++)
		assert_int_equal(look->frames[i + 2].pc, trail->pcs[trail->n - 1 - i]);
}

static size_t n_recovered(const struct look *look)
{
	size_t n = 0;

	for (size_t i = 0; i < look->n; i++)
		n += (look->frames[i].flags & UNWIND_FRAME_RECOVERED) != 0;
	return n;
}

static void the_own_stack_is_as_libgcc_finds_it(void **state)
{
	struct look look;

	(void)state;
	for (int is_copied = 0; is_copied < 2; is_copied++) {
		setup(&look, open_file);
		look.is_copied = is_copied;
		look_here(&look);
		assert_as_libgcc(&look);
		assert_int_equal(n_recovered(&look), 0);
		teardown(&look);
	}
}

static void the_second_look_finds_the_same(void **state)
{
	struct look look;

	(void)state;
	setup(&look, open_file);
	for (int i = 0; i < 3; i++) {
		look_here(&look);
		assert_as_libgcc(&look);
	}
	teardown(&look);
}

/* ---- through libc: callbacks, signals, threads ---- */

static struct look *comparing;

static int compare(const void *a, const void *b)
{
	(void)a, (void)b;
	if (!comparing->n)
		look_here(comparing);
	return 0;
}

static void callbacks_of_libc_are_passed(void **state)
{
	struct look look;
	int numbers[] = {3, 1, 2};

	(void)state;
	setup(&look, open_file);
	comparing = &look;
	qsort(numbers, 3, sizeof(numbers[0]), compare);
	assert_as_libgcc(&look);
	teardown(&look);
}

static void handle(int signal)
{
	(void)signal;
	look_here(comparing);
}

static void signal_handlers_are_passed_on_any_stack(void **state)
{
	struct look look;
	static char other[64 << 10];
	stack_t stack = {.ss_sp = other, .ss_size = sizeof(other)};

	(void)state;
	assert_int_equal(sigaltstack(&stack, NULL), 0);
	for (int is_elsewhere = 0; is_elsewhere < 2; is_elsewhere++) {
		struct sigaction action = {.sa_handler = handle,
					   .sa_flags = is_elsewhere ? SA_ONSTACK : 0};
		size_t at = 0;

		setup(&look, open_file);
		comparing = &look;
		assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
		assert_int_equal(raise(SIGUSR1), 0);
		assert_as_libgcc(&look);
		while (at < look.n && !(look.frames[at].flags & UNWIND_FRAME_SIGNAL))
			at++;
		assert_true(at + 1 < look.n);
		/* Below a handler the program stands at an instruction, not behind a call. */
		assert_true(look.frames[at + 1].flags & UNWIND_FRAME_EXACT);
		teardown(&look);
	}
	stack.ss_flags = SS_DISABLE;
	assert_int_equal(sigaltstack(&stack, NULL), 0);
}

static void *look_in_thread(void *ctx)
{
	look_here(ctx);
	return NULL;
}

static void a_threads_stack_ends_in_clone(void **state)
{
	struct look look;
	pthread_t thread;

	(void)state;
	setup(&look, open_file);
	assert_int_equal(pthread_create(&thread, NULL, look_in_thread, &look), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_as_libgcc(&look);
	teardown(&look);
}

/* ---- code compiled in other ways ---- */

static void realigned_stacks_are_passed(void **state)
{
	struct look look;
	struct trail trail = {.n = 0};

	(void)state;
	setup(&look, open_file);
	aligned(&trail, 5, look_here, &look);
	assert_int_equal(look.outcome, UNWIND_BASE);
	assert_trail(&look, &trail);
	assert_int_equal(n_recovered(&look), 0);
	teardown(&look);
}

/*
 * Overwrite what earlier calls left below: the search prefers what leads to a base, and a left-over return
 * address sometimes does.  That is why what it finds is marked.
 */
static __attribute__((noinline)) void scrub(void)
{
	volatile uint8_t room[64 << 10];

	for (size_t i = 0; i < sizeof(room); i++)
		room[i] = 0;
}

static void functions_without_information_are_searched_through(void **state)
{
	struct look look;
	struct trail trail = {.n = 0};

	(void)state;
	setup(&look, open_file);
	scrub();
	untold(&trail, 3, look_here, &look);
	assert_int_equal(look.outcome, UNWIND_BASE);
	assert_trail(&look, &trail);
	assert_true(n_recovered(&look) >= 4);
	teardown(&look);
}

static void a_frame_pointer_that_nobody_knows_is_found(void **state)
{
	struct look look;
	struct trail trail = {.n = 0};

	(void)state;
	setup(&look, open_file);
	look.known = WAITING_KNOWN;
	framed(&trail, 6, look_here, &look);
	assert_int_equal(look.outcome, UNWIND_BASE);
	assert_trail(&look, &trail);
	assert_true(n_recovered(&look) >= 1);
	/* From the first record on it is known. */
	assert_true(n_recovered(&look) <= 2);
	teardown(&look);
}

/* ---- ends ---- */

static void deep(struct look *look, int depth)
{
	volatile int room = depth;

	if (depth)
		deep(look, depth - 1);
	else
		look_here(look);
	room++;
}

static void a_deep_stack_is_cut_where_there_is_no_room(void **state)
{
	struct look look;

	(void)state;
	setup(&look, open_file);
	look.max = 20;
	deep(&look, 100);
	assert_int_equal(look.outcome, UNWIND_CUT);
	assert_int_equal(look.n, 20);
	for (size_t i = 1; i < look.n; i++)
		assert_int_equal(look.frames[i].pc, (uint64_t)(uintptr_t)look.expected[i]);
	teardown(&look);
}

static void a_stack_that_was_not_copied_ends_where_it_ends(void **state)
{
	struct look look;
	struct unwind_regs regs = {0};
	ucontext_t context;

	(void)state;
	setup(&look, open_file);
	getcontext(&context);
	take_registers(&context, ALL_KNOWN, &regs);
	struct unwind_stack stack = {.sp = regs.r[UNWIND_SP]};
	look.n = unwind_run(look.space, &regs, &stack, look.frames, MAX_FRAMES, &look.outcome);
	assert_int_equal(look.n, 1);
	assert_int_equal(look.outcome, UNWIND_BAD_MEMORY);
	teardown(&look);
}

static void files_that_cannot_be_opened_give_no_table(void **state)
{
	struct look look;

	(void)state;
	setup(&look, open_nothing);
	look.known = WAITING_KNOWN;
	look.is_copied = true;
	look_here(&look);
	/* Code is read from memory, so searching may get somewhere; what it finds is marked. */
	assert_true(look.n >= 1);
	assert_true(look.n == 1 || n_recovered(&look) > 0);
	const struct unwind_module *module = unwind_module(look.space, look.frames[0].module);
	assert_int_equal(module->kind, UNWIND_FILE);
	assert_false(module->is_loaded);
	teardown(&look);
}

static void a_program_counter_in_nothing_is_one_frame(void **state)
{
	struct look look;
	struct unwind_regs regs = {0};
	uint64_t words[64];
	struct unwind_stack stack = {.sp = 0x1000, .bytes = (uint8_t *)words, .len = sizeof(words)};

	(void)state;
	memset(words, 0x41, sizeof(words));
	setup(&look, open_file);
	unwind_regs_set(&regs, UNWIND_SP, 0x1000);
	unwind_regs_set(&regs, UNWIND_PC, 0x4141414141414141);
	look.n = unwind_run(look.space, &regs, &stack, look.frames, MAX_FRAMES, &look.outcome);
	assert_int_equal(look.n, 1);
	assert_int_equal(look.frames[0].module, UNWIND_NO_MODULE);
	assert_int_equal(look.outcome, UNWIND_NO_TABLE);
	teardown(&look);
}

/* ---- modules ---- */

static void modules_keep_their_numbers_and_tell_their_files(void **state)
{
	struct look look;
	struct maps maps;

	(void)state;
	setup(&look, open_file);
	look_here(&look);
	uint32_t own = look.frames[0].module;
	size_t n = unwind_modules(look.space);
	const struct unwind_module *module = unwind_module(look.space, own);
	assert_true(module->is_loaded && module->has_table);
	assert_true(strlen(module->build_id) == 40);
	/* The address as linked: the program's own, less where it was put. */
	assert_int_equal(look.frames[0].pc - module->bias,
			 look.frames[0].pc - (uint64_t)(uintptr_t)module->bias);
	maps_init(&maps);
	assert_int_equal(maps_read(&maps, getpid(), NULL), 0);
	unwind_space_update(look.space, &maps);
	maps_done(&maps);
	assert_int_equal(unwind_module_at(look.space, look.frames[0].pc), own);
	assert_int_equal(unwind_modules(look.space), n);
	look_here(&look);
	assert_as_libgcc(&look);
	teardown(&look);
}

static void a_functions_bounds_are_told(void **state)
{
	struct look look;
	raddr_t start, end;
	raddr_t at = (raddr_t)(uintptr_t)&deep;

	(void)state;
	setup(&look, open_file);
	assert_int_equal(unwind_function(look.space, at + 1, &start, &end), 0);
	assert_int_equal(start, at);
	assert_true(end > at + 8);
	assert_int_equal(unwind_function(look.space, 16, &start, &end), -ENOENT);
	teardown(&look);
}

static size_t n_descriptors(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* The same file 300 times, each another one by its inode: more than are held open. */
static void files_that_are_not_needed_are_closed_and_opened_again(void **state)
{
	enum { COPIES = 300 };
	struct look look;
	struct maps maps;
	static struct mapping copies[COPIES];
	const raddr_t at = (raddr_t)(uintptr_t)&deep;
	raddr_t start, end;

	(void)state;
	setup(&look, open_file);
	maps_init(&maps);
	assert_int_equal(maps_read(&maps, getpid(), NULL), 0);
	const struct mapping *own = maps_find(&maps, at);
	for (uint64_t i = 0; i < COPIES; i++) {
		copies[i] = *own;
		copies[i].inode += i;
		copies[i].start += i << 32;
		copies[i].end += i << 32;
	}
	size_t before = n_descriptors();
	unwind_space_update(look.space, &(struct maps){.items = copies, .n = COPIES});
	for (int round = 0; round < 2; round++)
		for (uint64_t i = 0; i < COPIES; i++) {
			assert_int_equal(
				unwind_function(look.space, at + (i << 32) + 1, &start, &end), 0);
			assert_int_equal(start, at + (i << 32));
			assert_true(n_descriptors() <= before + 128);
		}
	maps_done(&maps);
	teardown(&look);
	assert_true(n_descriptors() <= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_own_stack_is_as_libgcc_finds_it),
		cmocka_unit_test(the_second_look_finds_the_same),
		cmocka_unit_test(callbacks_of_libc_are_passed),
		cmocka_unit_test(signal_handlers_are_passed_on_any_stack),
		cmocka_unit_test(a_threads_stack_ends_in_clone),
		cmocka_unit_test(realigned_stacks_are_passed),
		cmocka_unit_test(functions_without_information_are_searched_through),
		cmocka_unit_test(a_frame_pointer_that_nobody_knows_is_found),
		cmocka_unit_test(a_deep_stack_is_cut_where_there_is_no_room),
		cmocka_unit_test(a_stack_that_was_not_copied_ends_where_it_ends),
		cmocka_unit_test(files_that_cannot_be_opened_give_no_table),
		cmocka_unit_test(a_program_counter_in_nothing_is_one_frame),
		cmocka_unit_test(modules_keep_their_numbers_and_tell_their_files),
		cmocka_unit_test(a_functions_bounds_are_told),
		cmocka_unit_test(files_that_are_not_needed_are_closed_and_opened_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
