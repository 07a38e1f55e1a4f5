/* SPDX-License-Identifier: Apache-2.0 */
/* Chains that are whole, half, popped, cyclic or endless, in every layout. */
#include "walk_fixture.h"

static void walk_gives_a_whole_chain_outermost_first(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		fake_stack(&f.fake, &f.process, f.codes, 3);
		bool has_gil = !f.fake.layout->is_free_threaded;
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_int_equal(f.look.holder, has_gil ? 0 : PYTHON_NO_THREAD);
		assert_int_equal(f.look.threads[0].holds_gil, has_gil);
		assert_int_equal(f.look.threads[0].runs_python, true);
		assert_int_equal(f.look.n_running, 1);
		assert_int_equal(f.look.threads[0].tid, FAKE_PID);
		assert_stack(&f, "main:10;mid:20;leaf:30");
	}
}

static void walk_of_a_thread_without_python_is_empty(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		if (f.fake.layout->ts_cframe != NO_FIELD)
			fake_put64(&f.fake, f.process.thread + f.fake.layout->ts_cframe,
				   f.process.root_cframe);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_false(f.look.threads[0].has_frames && f.fake.layout->ts_cframe == NO_FIELD);
		assert_stack(&f, "");
	}
}

static void walk_needs_one_read_when_nothing_changed(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		fake_stack(&f.fake, &f.process, f.codes, 3);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		uint32_t before = f.fake.n_reads;
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_int_equal(f.fake.n_reads - before, 2); /* the look, the stack */
	}
}

static void walk_is_not_for_who_lost_the_gil(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		fake_stack(&f.fake, &f.process, f.codes, 3);
		fake_release_gil(&f.fake, &f.process);
		/* Without a GIL no other thread's moment hangs on it: its stack is as true. */
		assert_int_equal(read_once(&f), f.fake.layout->is_free_threaded
							? PYTHON_COMPLETE
							: PYTHON_NOT_RUNNING);
		assert_int_equal(f.look.holder, PYTHON_NO_THREAD);
		assert_int_equal(f.look.n_running, 0);
	}
}

static void walk_refuses_a_chain_that_ends_in_a_generator(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		if (f.fake.layout->frame_owner == NO_FIELD)
			continue;
		raddr_t heap = fake_alloc(&f.fake, 256);
		fake_frame(&f.fake, &f.process, heap, f.codes[2], 0, 1);
		fake_current(&f.fake, &f.process, heap);
		assert_int_equal(read_once(&f), PYTHON_INCOMPLETE);
	}
}

static void walk_refuses_a_chain_that_ends_at_another_shim_than_the_base(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		if (f.fake.layout->ts_base_frame == NO_FIELD)
			continue;
		raddr_t shim =
			fake_frame(&f.fake, &f.process, fake_alloc(&f.fake, 128), f.codes[0], 0, 3);
		raddr_t leaf = fake_frame(&f.fake, &f.process, 0, f.codes[1], shim, 0);
		fake_current(&f.fake, &f.process, leaf);
		assert_int_equal(read_once(&f), PYTHON_INCOMPLETE);
		fake_put64(&f.fake, shim + f.fake.layout->frame_previous, f.process.base_frame);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_stack(&f, "mid:20");
	}
}

static void walk_follows_a_thread_to_the_next_copy_of_its_bytecode(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		const struct layout *layout = f.fake.layout;
		raddr_t list, other = fake_alloc(&f.fake, 16);

		if (layout->co_tlbc == NO_FIELD)
			continue;
		raddr_t leaf = fake_stack(&f.fake, &f.process, f.codes, 3);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		/* A thread ended, and another has its index: other bytecode under the same number. */
		memcpy(&list, f.fake.bytes + (f.codes[2] + layout->co_tlbc - FAKE_BASE), 8);
		fake_put64(&f.fake, list + 8 + 8 * FAKE_COPY, other);
		fake_put64(&f.fake, leaf + layout->frame_instr, other + 4);
		assert_int_equal(read_once(&f), PYTHON_INCOMPLETE);
		fake_put32(&f.fake, f.process.interp + layout->is_tlbc_generation, 1);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_stack(&f, "main:10;mid:20;leaf:30");
		/* Numbers that no list has. */
		fake_put32(&f.fake, leaf + layout->frame_tlbc_index, FAKE_COPY + 1);
		assert_int_equal(read_once(&f), PYTHON_INCOMPLETE);
		fake_put32(&f.fake, leaf + layout->frame_tlbc_index, UINT32_MAX);
		assert_int_equal(read_once(&f), PYTHON_INCOMPLETE);
	}
}

static void walk_refuses_a_frame_that_was_popped(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		if (f.fake.layout->ts_stack_top == NO_FIELD)
			continue;
		raddr_t leaf = fake_stack(&f.fake, &f.process, f.codes, 3);
		fake_put64(&f.fake, f.process.thread + f.fake.layout->ts_stack_top, leaf);
		assert_int_equal(read_once(&f), PYTHON_INCOMPLETE);
	}
}

/* Where a new _PyCFrame is linked before its current_frame is set. */
static void walk_refuses_what_an_earlier_call_left_in_the_cframe(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		if (f.fake.layout->ts_cframe == NO_FIELD)
			continue;
		raddr_t leaf = fake_stack(&f.fake, &f.process, f.codes, 3);
		/* The cframe before says that `leaf` runs: so the base cannot be entered from nothing. */
		fake_put64(&f.fake, f.process.root_cframe + f.fake.layout->cframe_current, leaf);
		assert_int_equal(read_once(&f), PYTHON_INCOMPLETE);
	}
}

/* Where a _PyCFrame was, on the C stack, may be nothing: that is not the thread's own, which has none before it. */
static void walk_refuses_a_cframe_that_was_cleared(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		if (f.fake.layout->ts_cframe == NO_FIELD)
			continue;
		fake_stack(&f.fake, &f.process, f.codes, 3);
		fake_put64(&f.fake, f.process.cframe + f.fake.layout->cframe_previous, 0);
		fake_put64(&f.fake, f.process.cframe + f.fake.layout->cframe_current, 0);
		assert_int_equal(read_once(&f), PYTHON_INCOMPLETE);
	}
}

static void walk_ends_at_cycles(void **state)
{
	struct fixture f;
	struct python_stats stats;

	(void)state;
	for_each_version(&f)
	{
		raddr_t first = fake_frame(&f.fake, &f.process, 0, f.codes[0], 0, 0);
		raddr_t second = fake_frame(&f.fake, &f.process, 0, f.codes[1], first, 0);
		fake_put64(&f.fake, first + f.fake.layout->frame_previous, second);
		fake_current(&f.fake, &f.process, second);
		assert_int_equal(read_once(&f), PYTHON_INCOMPLETE);
		fake_put64(&f.fake, second + f.fake.layout->frame_previous, second);
		assert_int_equal(read_once(&f), PYTHON_INCOMPLETE);
		python_stats(f.python, &stats);
		assert_true(stats.cycles >=
			    1); /* in 3.11 the first already fails at its entry frame */
	}
}

static void walk_keeps_the_inner_frames_of_a_stack_that_is_too_deep(void **state)
{
	struct fixture f;
	struct python_stack stack;

	(void)state;
	for_each_version(&f)
	{
		static raddr_t codes[PYTHON_MAX_DEPTH + 100];
		int r = PYTHON_OVER_BUDGET;

		for (size_t i = 0; i < array_len(codes); i++)
			codes[i] = f.codes[i % 3];
		fake_stack(&f.fake, &f.process, codes, array_len(codes));
		for (int tries = 0; tries < 20 && r == PYTHON_OVER_BUDGET; tries++)
			r = read_once(&f);
		assert_int_equal(r, PYTHON_COMPLETE);
		python_stack(f.python, 0, &stack);
		assert_true(stack.is_cut);
		assert_int_equal(stack.n, PYTHON_MAX_DEPTH + 1);
		const struct frame *frame = names_frame_get(f.names, stack.frames[0]);
		assert_string_equal(names_text(f.names, frame->name, NULL), "[deeper]");
	}
}

static void walk_never_shows_the_old_name_of_a_reused_address(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		const struct layout *layout = f.fake.layout;
		raddr_t name;

		fake_stack(&f.fake, &f.process, f.codes, 1);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_stack(&f, "main:10");
		memcpy(&name, f.fake.bytes + (f.codes[0] + layout->co_name - FAKE_BASE),
		       sizeof(name));
		/* The same code object, pointers and all, but its name died and "evil" took its place. */
		fake_put(&f.fake, name + layout->str_ascii_data, "evil", 4);
		if (layout->co_version != NO_FIELD)
			fake_put32(&f.fake, f.codes[0] + layout->co_version, 2);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_stack(&f, "evil:10");
	}
}

/*
 * 3.14+ counts a code as gone before its memory is another's.  A look in between must not take what is still there
 * for what will be there while the count stands.
 */
static void walk_believes_the_count_only_of_codes_that_a_frame_held(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		const struct layout *layout = f.fake.layout;
		raddr_t name;

		if (layout->version < 0x030e)
			continue;
		fake_put32(&f.fake, f.process.interp + layout->is_code_generation, 1);
		fake_stack(&f.fake, &f.process, f.codes, 2);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_stack(&f, "main:10;mid:20");
		fake_put32(&f.fake, f.process.interp + layout->is_code_generation, 2);
		fake_stack(&f.fake, &f.process, f.codes, 1);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(read_once(&f), PYTHON_COMPLETE);
			assert_stack(&f, "main:10");
		}
		memcpy(&name, f.fake.bytes + (f.codes[1] + layout->co_name - FAKE_BASE),
		       sizeof(name));
		fake_put(&f.fake, name + layout->str_ascii_data, "new", 3);
		fake_put32(&f.fake, f.codes[1] + layout->co_version, 3);
		fake_stack(&f.fake, &f.process, f.codes, 2);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_stack(&f, "main:10;new:20");
	}
}

static void walk_refuses_a_frame_without_a_code_object(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		const raddr_t wrong[] = {
			0, 8, f.codes[0] + 4, f.process.thread, FAKE_BASE + FAKE_BYTES, ~7ull};

		for (size_t i = 0; i < array_len(wrong); i++) {
			raddr_t codes[] = {f.codes[0], wrong[i]};
			fake_stack(&f.fake, &f.process, codes, 2);
			assert_int_equal(read_once(&f), PYTHON_INCOMPLETE);
		}
	}
}

static void walk_refuses_an_instruction_outside_of_its_code(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		raddr_t leaf = fake_stack(&f.fake, &f.process, f.codes, 2);

		fake_put64(&f.fake, leaf + f.fake.layout->frame_instr, 0x7fffffff);
		assert_int_equal(read_once(&f), PYTHON_INCOMPLETE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walk_gives_a_whole_chain_outermost_first),
		cmocka_unit_test(walk_of_a_thread_without_python_is_empty),
		cmocka_unit_test(walk_needs_one_read_when_nothing_changed),
		cmocka_unit_test(walk_is_not_for_who_lost_the_gil),
		cmocka_unit_test(walk_refuses_a_chain_that_ends_in_a_generator),
		cmocka_unit_test(walk_refuses_a_chain_that_ends_at_another_shim_than_the_base),
		cmocka_unit_test(walk_follows_a_thread_to_the_next_copy_of_its_bytecode),
		cmocka_unit_test(walk_refuses_a_frame_that_was_popped),
		cmocka_unit_test(walk_refuses_what_an_earlier_call_left_in_the_cframe),
		cmocka_unit_test(walk_refuses_a_cframe_that_was_cleared),
		cmocka_unit_test(walk_ends_at_cycles),
		cmocka_unit_test(walk_keeps_the_inner_frames_of_a_stack_that_is_too_deep),
		cmocka_unit_test(walk_never_shows_the_old_name_of_a_reused_address),
		cmocka_unit_test(walk_believes_the_count_only_of_codes_that_a_frame_held),
		cmocka_unit_test(walk_refuses_a_frame_without_a_code_object),
		cmocka_unit_test(walk_refuses_an_instruction_outside_of_its_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
