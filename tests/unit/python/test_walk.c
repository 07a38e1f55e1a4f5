/* SPDX-License-Identifier: Apache-2.0 */
/* Chains that are whole, half, popped, cyclic or endless, in every layout. */
#include "../unit.h"

#include "base/vec.h"
#include "fake_memory.h"
#include "python/python_private.h"

#define NO_GIL 0x10000u /* the build of that version without */

static const uint32_t versions[] = {
	0x0207, 0x0306, 0x0307, 0x0308, 0x0309,		 0x030a,	  0x030b,
	0x030c, 0x030d, 0x030e, 0x030f, NO_GIL | 0x030d, NO_GIL | 0x030e, NO_GIL | 0x030f};

struct fixture {
	struct fake_memory fake;
	struct fake_process process;
	struct names *names;
	struct python *python;
	raddr_t codes[3];
	struct python_look look;
};

static void begin(struct fixture *fixture, uint32_t version)
{
	const struct layout *layout = version & NO_GIL
					      ? layout_find_free_threaded((uint16_t)version)
					      : layout_find((uint16_t)version);

	memset(fixture, 0, sizeof(*fixture));
	fake_init(&fixture->fake, layout);
	fake_process(&fixture->fake, &fixture->process);
	for (size_t i = 0; i < array_len(fixture->codes); i++)
		fixture->codes[i] = fake_code(&fixture->fake,
					      i == 0   ? "main"
					      : i == 1 ? "mid"
						       : "leaf",
					      "app.py", 10 * ((uint32_t)i + 1));
	fixture->names = names_new();
	struct runtime runtime = fake_runtime(&fixture->fake, &fixture->process);
	struct python_args args = {
		.memory = &fixture->fake.memory, .names = fixture->names, .pid = FAKE_PID};
	assert_int_equal(python_new(&args, &runtime, &fixture->python, NULL), 0);
}

static void end(struct fixture *fixture)
{
	python_free(fixture->python);
	names_free(fixture->names);
	fake_done(&fixture->fake);
}

static int read_once(struct fixture *fixture)
{
	int r = python_look(fixture->python, &fixture->look);

	return r < 0 ? r : python_read_paused(fixture->python, 0, PYTHON_NEEDS_RUNNING);
}

static void assert_stack(struct fixture *fixture, const char *expected)
{
	struct python_stack stack;
	char text[256] = "";

	python_stack(fixture->python, 0, &stack);
	for (size_t i = 0; i < stack.n; i++) {
		const struct frame *frame = names_frame_get(fixture->names, stack.frames[i]);
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s:%u", i ? ";" : "",
			 names_text(fixture->names, frame->name, NULL), frame->line);
	}
	assert_string_equal(text, expected);
}

#define for_each_version(fixture)                                                                  \
	for (size_t v = 0; v < array_len(versions) ? (begin(fixture, versions[v]), true) : false;  \
	     end(fixture), v++)

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

/* ---- threads ---- */

static void look_skips_a_list_that_is_a_ring(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		fake_put64(&f.fake, f.process.thread + f.fake.layout->ts_next, f.process.thread);
		assert_int_equal(python_look(f.python, &f.look), ERR_TORN);
		fake_put64(&f.fake, f.process.thread + f.fake.layout->ts_next, 0);
		assert_int_equal(python_look(f.python, &f.look), 0);
		fake_put64(&f.fake, f.process.interp + f.fake.layout->is_next, f.process.interp);
		assert_int_equal(python_look(f.python, &f.look), ERR_TORN);
	}
}

static raddr_t add_thread(struct fixture *f, uint64_t ident)
{
	const struct layout *layout = f->fake.layout;
	raddr_t thread = fake_alloc(&f->fake, 320);
	raddr_t head;

	memcpy(&head, f->fake.bytes + (f->process.interp + layout->is_threads_head - FAKE_BASE),
	       sizeof(head));
	fake_put64(&f->fake, thread + layout->ts_next, head);
	fake_put64(&f->fake, thread + layout->ts_interp, f->process.interp);
	fake_put64(&f->fake, thread + layout->ts_thread_id, ident);
	fake_put64(&f->fake, f->process.interp + layout->is_threads_head, thread);
	return thread;
}

static void look_follows_threads_that_come_and_go(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		assert_int_equal(python_look(f.python, &f.look), 0);
		assert_int_equal(f.look.n, 1);
		assert_true(f.look.is_list_changed && f.look.threads[0].is_new);
		raddr_t thread = add_thread(&f, 0x8000);
		assert_int_equal(python_look(f.python, &f.look), 0);
		assert_int_equal(f.look.n, 2);
		assert_true(f.look.is_list_changed);
		assert_true(f.look.threads[0].is_new && !f.look.threads[1].is_new);
		assert_int_equal(f.look.threads[0].tstate, thread);
		fake_put64(&f.fake, f.process.interp + f.fake.layout->is_threads_head,
			   f.process.thread);
		assert_int_equal(python_look(f.python, &f.look), 0);
		assert_int_equal(f.look.n, 1);
		assert_int_equal(python_look(f.python, &f.look), 0);
		assert_false(f.look.is_list_changed);
	}
}

static void look_tells_whose_innermost_frame_changed(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		fake_stack(&f.fake, &f.process, f.codes, 2);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_true(f.look.threads[0].is_changed);
		assert_int_equal(read_once(&f),
				 PYTHON_COMPLETE); /* the cframe is known from here on */
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_false(f.look.threads[0].is_changed);
		assert_true(f.look.threads[0].has_frames);
		fake_stack(&f.fake, &f.process, f.codes, 3);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_true(f.look.threads[0].is_changed);
	}
}

static void gil_futexes_are_those_inside_the_gil(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		assert_int_equal(python_look(f.python, &f.look), 0);
		raddr_t first = f.process.gil, last = first + f.fake.layout->gil_size - 1;

		if (f.fake.layout->version <
		    0x0300) /* the semaphore that interpreter_lock points to */
			first = f.process.semaphore, last = first + 31;
		else if (f.fake.layout->version < 0x0307) /* gil_cond */
			first = f.process.gil_lock, last = first + 7;
		assert_true(python_is_gil_futex(f.python, first));
		assert_true(python_is_gil_futex(f.python, last));
		assert_false(python_is_gil_futex(f.python, first - 1));
		assert_false(python_is_gil_futex(f.python, last + 64));
		assert_false(python_is_gil_futex(f.python, 0));
	}
}

static void look_caps_the_number_of_threads(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 0x030c);
	for (int i = 0; i < PYTHON_MAX_THREADS + 10; i++)
		(void)add_thread(&f, 0x10000 + (uint64_t)i);
	assert_int_equal(python_look(f.python, &f.look), 0);
	assert_int_equal(f.look.n, PYTHON_MAX_THREADS);
	assert_true(f.look.n_over_limit > 0);
	end(&f);
}

static void look_says_when_the_program_is_gone(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 0x030b);
	f.python->runtime = 0x100000;
	assert_int_equal(python_look(f.python, &f.look), ERR_GONE);
	end(&f);
}

/* Whenever a span that holds the frame named at FAKE_BASE is copied, its instruction has moved on. */
static void move_on(struct fake_memory *fake, const struct mem_span *span)
{
	raddr_t frame;
	uint8_t step;

	memcpy(&frame, fake->bytes, sizeof(frame));
	memcpy(&step, fake->bytes + 8, sizeof(step));
	if (frame < span->addr || frame >= span->addr + span->len)
		return;
	fake_put8(fake, FAKE_BASE + 8, step ^ 2);
	fake_put32(fake, frame + fake->layout->frame_instr, 2 + (step & 2u));
}

static int read_unstopped(struct fixture *f, unsigned flags)
{
	const uint32_t first = 0;
	uint8_t outcome;

	assert_int_equal(python_read_waiting(f->python, &first, 1, flags, &outcome), 0);
	return outcome;
}

static void waiting_threads_are_shown_only_when_they_do_not_run(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		fake_stack(&f.fake, &f.process, f.codes, 2);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_int_equal(read_unstopped(&f, 0), PYTHON_TORN); /* it holds the GIL */
		assert_int_equal(read_unstopped(&f, PYTHON_ANY), PYTHON_COMPLETE);
		assert_stack(&f, "main:10;mid:20");
	}
}

static void running_threads_are_shown_when_only_their_innermost_instruction_moves(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		raddr_t leaf = fake_stack(&f.fake, &f.process, f.codes, 2);
		raddr_t caller;

		if (!f.fake.layout->instr_unit)
			continue;
		memcpy(&caller, f.fake.bytes + (leaf + f.fake.layout->frame_previous - FAKE_BASE),
		       sizeof(caller));
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		f.fake.before_span = move_on;
		fake_put64(&f.fake, FAKE_BASE, leaf);
		assert_int_equal(read_unstopped(&f, PYTHON_ANY), PYTHON_COMPLETE);
		assert_stack(&f, "main:10;mid:20");
		fake_put64(&f.fake, FAKE_BASE, caller);
		assert_int_equal(read_unstopped(&f, PYTHON_ANY), PYTHON_TORN);
	}
}

/* Once the stack has been copied its innermost frame calls another function. */
static void call_another(struct fake_memory *fake, const struct mem_span *span)
{
	raddr_t leaf, code;

	memcpy(&leaf, fake->bytes, sizeof(leaf));
	memcpy(&code, fake->bytes + 8, sizeof(code));
	if (leaf < span->addr || leaf >= span->addr + span->len)
		return;
	if (fake->bytes[16]++ == 1)
		fake_put64(fake, leaf + fake->layout->frame_code, code);
}

static void running_threads_are_not_shown_when_a_frame_changes_between_the_readings(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		raddr_t leaf = fake_stack(&f.fake, &f.process, f.codes, 2);

		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_int_equal(read_unstopped(&f, PYTHON_ANY), PYTHON_COMPLETE);
		fake_put64(&f.fake, FAKE_BASE, leaf);
		fake_put64(&f.fake, FAKE_BASE + 8, f.codes[2]);
		f.fake.before_span = call_another;
		assert_int_equal(read_unstopped(&f, PYTHON_ANY), PYTHON_TORN);
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
		cmocka_unit_test(walk_refuses_a_frame_without_a_code_object),
		cmocka_unit_test(walk_refuses_an_instruction_outside_of_its_code),
		cmocka_unit_test(look_skips_a_list_that_is_a_ring),
		cmocka_unit_test(look_follows_threads_that_come_and_go),
		cmocka_unit_test(look_tells_whose_innermost_frame_changed),
		cmocka_unit_test(gil_futexes_are_those_inside_the_gil),
		cmocka_unit_test(look_caps_the_number_of_threads),
		cmocka_unit_test(look_says_when_the_program_is_gone),
		cmocka_unit_test(waiting_threads_are_shown_only_when_they_do_not_run),
		cmocka_unit_test(
			running_threads_are_shown_when_only_their_innermost_instruction_moves),
		cmocka_unit_test(
			running_threads_are_not_shown_when_a_frame_changes_between_the_readings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
