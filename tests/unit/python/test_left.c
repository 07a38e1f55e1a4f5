/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that a running thread left, and that are still in memory; python/twice.c, invariants 6 and 7. */
#include "walk_fixture.h"

static struct fixture fixture;
static raddr_t inner, outer;
static bool is_moving;

static raddr_t head_of(const struct fixture *f)
{
	const struct layout *layout = &f->python->layout;

	return layout->ts_cframe == NO_FIELD ? f->process.thread + layout->ts_frame
					     : f->process.cframe + layout->cframe_current;
}

/* The thread returns and calls again all the time, and whoever reads its whole state sees the inner frame. */
static void return_and_call(struct fake_memory *fake, const struct mem_span *span)
{
	bool is_head_alone = span->addr == head_of(&fixture) && span->len == sizeof(raddr_t);

	if (is_moving)
		fake_put64(fake, head_of(&fixture), is_head_alone ? outer : inner);
}

static bool begin_two_deep(struct fixture *f)
{
	const struct layout *layout = &f->python->layout;

	is_moving = false;
	if (layout->chain == CHAIN_OBJECTS)
		return false;
	inner = fake_stack(&f->fake, &f->process, f->codes, 2);
	memcpy(&outer, f->fake.bytes + (inner + layout->frame_previous - FAKE_BASE), sizeof(outer));
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_once(f), PYTHON_COMPLETE);
	f->fake.before_span = return_and_call;
	return true;
}

#define for_each_two_deep(fixture) for_each_version(fixture) if (begin_two_deep(fixture))

/* Where a frame keeps its stack pointer while others run. */
static void leave(struct fixture *f, raddr_t frame)
{
	const struct layout *layout = &f->python->layout;
	raddr_t at = frame + layout->frame_instr + 8;

	if (layout->version < 0x030e)
		fake_put32(&f->fake, at, 0);
	else
		fake_put64(&f->fake, at, frame + layout->frame_locals);
}

static void a_frame_that_runs_is_read_however_often_its_caller_does(void **state)
{
	struct fixture *f = &fixture;
	int n = 0;

	(void)state;
	for_each_two_deep(f)
	{
		n++;
		is_moving = true;
		assert_int_equal(read_running(f, 0), PYTHON_COMPLETE);
		assert_stack(f, "main:10;mid:20");
	}
	assert_true(n >= 5);
}

static void a_frame_that_was_left_is_not_believed(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	for_each_two_deep(f)
	{
		leave(f, inner);
		is_moving = true;
		assert_int_equal(read_running(f, 0), PYTHON_TORN);
	}
}

static void a_generator_that_moves_on_is_not_believed(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	for_each_two_deep(f)
	{
		fake_put8(&f->fake, inner + f->python->layout.frame_owner, OWNER_GENERATOR);
		assert_int_equal(read_running(f, 0), PYTHON_COMPLETE);
		assert_stack(f, "main:10;mid:20");
		is_moving = true;
		assert_int_equal(read_running(f, 0), PYTHON_TORN);
	}
}

/* Leaving it takes its caller away, a moment before the thread goes on there. */
static void a_shim_that_is_being_left_is_not_believed(void **state)
{
	struct fixture *f = &fixture;
	int n = 0;

	(void)state;
	for_each_two_deep(f)
	{
		if (f->python->layout.chain != CHAIN_SHIMS || f->process.base_frame)
			continue;
		n++;
		inner = fake_frame(&f->fake, &f->process, fake_alloc(&f->fake, 128), f->codes[0], 0,
				   OWNER_SHIM);
		fake_current(&f->fake, &f->process, inner);
		(void)read_running(f, 0); /* what is read is learnt */
		is_moving = true;
		assert_int_equal(read_running(f, 0), PYTHON_TORN);
	}
	assert_true(n >= 2);
}

static void a_frame_that_is_about_to_run_is_read(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	for_each_two_deep(f)
	{
		leave(f, inner);
		assert_int_equal(read_running(f, 0), PYTHON_COMPLETE);
		assert_stack(f, "main:10;mid:20");
	}
}

static void nonsense_is_a_fault_only_of_a_thread_that_stayed(void **state)
{
	struct fixture *f = &fixture;

	(void)state;
	for_each_two_deep(f)
	{
		fake_put64(&f->fake, inner + f->python->layout.frame_previous, 0x1234560);
		is_moving = true;
		assert_int_equal(read_running(f, 0), PYTHON_TORN);
		assert_int_equal(f->python->tracks[0]->fault, PYTHON_SOUND);
		is_moving = false;
		assert_int_equal(read_running(f, 0), PYTHON_TORN);
		assert_int_not_equal(f->python->tracks[0]->fault, PYTHON_SOUND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_that_runs_is_read_however_often_its_caller_does),
		cmocka_unit_test(a_frame_that_was_left_is_not_believed),
		cmocka_unit_test(a_generator_that_moves_on_is_not_believed),
		cmocka_unit_test(a_shim_that_is_being_left_is_not_believed),
		cmocka_unit_test(a_frame_that_is_about_to_run_is_read),
		cmocka_unit_test(nonsense_is_a_fault_only_of_a_thread_that_stayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
