/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that come and go, and those that nobody stopped, in every layout. */
#include "walk_fixture.h"

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
	fixture_begin(&f, 0x030c);
	for (int i = 0; i < PYTHON_MAX_THREADS + 10; i++)
		(void)add_thread(&f, 0x10000 + (uint64_t)i);
	assert_int_equal(python_look(f.python, &f.look), 0);
	assert_int_equal(f.look.n, PYTHON_MAX_THREADS);
	assert_true(f.look.n_over_limit > 0);
	fixture_end(&f);
}

static void look_says_when_the_program_is_gone(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, 0x030b);
	f.python->runtime = 0x100000;
	assert_int_equal(python_look(f.python, &f.look), ERR_GONE);
	fixture_end(&f);
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
