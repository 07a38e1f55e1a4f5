/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls of the evaluation function run which frames, in every layout. */
#include "walk_fixture.h"

static void set_entry(struct fixture *f, raddr_t frame, bool is_entry)
{
	if (f->fake.layout->frame_is_entry != NO_FIELD)
		fake_put8(&f->fake, frame + f->fake.layout->frame_is_entry, is_entry);
}

/* 3.11 and 3.12 have a _PyCFrame for each call; the one before knows the frame that called last. */
static void note_caller(struct fixture *f, raddr_t frame)
{
	if (f->fake.layout->ts_cframe != NO_FIELD)
		fake_put64(&f->fake, f->process.root_cframe + f->fake.layout->cframe_current,
			   frame);
}

/* A call from C: a shim where versions have them, and the frames of all codes, called by Python. */
static raddr_t push_call(struct fixture *f, raddr_t previous, const raddr_t *codes, size_t n)
{
	note_caller(f, previous);
	if (f->fake.layout->chain == CHAIN_SHIMS)
		previous = fake_frame(&f->fake, &f->process, fake_alloc(&f->fake, 128), f->codes[0],
				      previous, 3);
	for (size_t i = 0; i < n; i++) {
		previous = fake_frame(&f->fake, &f->process, 0, codes[i], previous, 0);
		set_entry(f, previous, i == 0);
	}
	return previous;
}

static void assert_evals(struct fixture *f, const uint32_t *expected, size_t n)
{
	struct python_stack stack;

	assert_int_equal(read_once(f), PYTHON_COMPLETE);
	python_stack(f->python, 0, &stack);
	assert_int_equal(stack.n_evals, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(stack.evals[i], expected[i]);
}

static void evals_begin_where_c_called_python(void **state)
{
	static const uint32_t called[] = {0, 2}, each[] = {0, 1, 2};
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		raddr_t frame = push_call(&f, f.process.base_frame, f.codes, 2);

		frame = push_call(&f, frame, f.codes + 2, 1);
		fake_current(&f.fake, &f.process, frame);
		if (f.fake.layout->chain == CHAIN_OBJECTS)
			assert_evals(&f, each, 3);
		else
			assert_evals(&f, called, 2);
		assert_stack(&f, "main:10;mid:20;leaf:30");
	}
}

static void evals_that_have_left_their_frame_run_none(void **state)
{
	static const uint32_t expected[] = {0, 1, 1};
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		if (f.fake.layout->chain != CHAIN_SHIMS)
			continue;
		raddr_t frame = push_call(&f, f.process.base_frame, f.codes, 1);

		frame = push_call(&f, frame, NULL, 0); /* in the destructor of what it returned */
		frame = push_call(&f, frame, f.codes + 2, 1);
		fake_current(&f.fake, &f.process, frame);
		assert_evals(&f, expected, 3);
		assert_stack(&f, "main:10;leaf:30");
	}
}

static void no_evals_without_python(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		if (f.fake.layout->ts_cframe != NO_FIELD)
			fake_put64(&f.fake, f.process.thread + f.fake.layout->ts_cframe,
				   f.process.root_cframe);
		assert_evals(&f, NULL, 0);
	}
}

static void one_more_span_is_read_with_the_stack(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		uint64_t word = 0;
		struct mem_span also = {.into = &word, .len = sizeof(word)};
		uint32_t before;

		fake_stack(&f.fake, &f.process, f.codes, 3);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		assert_int_equal(read_once(&f), PYTHON_COMPLETE);
		also.addr = fake_alloc(&f.fake, 8);
		fake_put64(&f.fake, also.addr, 4711);
		before = f.fake.n_reads;
		assert_int_equal(python_read_paused_with(f.python, 0, PYTHON_NEEDS_RUNNING, &also),
				 PYTHON_COMPLETE);
		assert_int_equal(f.fake.n_reads - before, 1);
		assert_true(also.ok);
		assert_int_equal(word, 4711);
		also.addr = FAKE_BASE - 4096;
		assert_int_equal(python_read_paused_with(f.python, 0, PYTHON_NEEDS_RUNNING, &also),
				 PYTHON_COMPLETE);
		assert_false(also.ok);
		assert_stack(&f, "main:10;mid:20;leaf:30");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(evals_begin_where_c_called_python),
		cmocka_unit_test(evals_that_have_left_their_frame_run_none),
		cmocka_unit_test(no_evals_without_python),
		cmocka_unit_test(one_more_span_is_read_with_the_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
