/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks whose codes a later reading proves; python/twice.c, invariant 4. */
#include "walk_fixture.h"

#include "base/clock.h"

/* Codes are proven by what is read with every stack, and that was just now, however slow this machine is. */
static bool begin_proven(struct fixture *f)
{
	struct track *track;

	fake_stack(&f->fake, &f->process, f->codes, 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_once(f), PYTHON_COMPLETE);
	if (track_counter(f->python, f->python->tracks[0]))
		return false;
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_running(f, 0), PYTHON_COMPLETE);
	track = f->python->tracks[0];
	assert_true(track->proofs_ns > 0 || track->is_numbered);
	track->proofs_ns = clock_monotonic_ns() + NS_PER_S;
	return !track->is_numbered && f->python->layout.chain != CHAIN_OBJECTS;
}

static void a_held_stack_is_proven_by_the_next_proofs(void **state)
{
	struct fixture f;
	int n = 0;

	(void)state;
	for_each_version(&f)
	{
		uint64_t bytes;

		if (!begin_proven(&f))
			continue;
		n++;
		for (int i = 0; i < PYTHON_MAX_HELD; i++) {
			bytes = f.fake.memory.used.bytes;
			assert_int_equal(read_running(&f, PYTHON_MAY_HOLD), PYTHON_HELD);
			bytes = f.fake.memory.used.bytes - bytes;
			assert_stack(&f, "main:10;mid:20");
			assert_false(python_proves_held(f.python, 0));
		}
		uint64_t before = f.fake.memory.used.bytes;
		assert_int_equal(read_running(&f, PYTHON_MAY_HOLD), PYTHON_COMPLETE);
		assert_true(f.fake.memory.used.bytes - before > bytes);
		assert_true(python_proves_held(f.python, 0));
	}
	assert_true(n >= 1);
}

static void a_held_stack_is_not_proven_by_other_proofs(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		const struct layout *layout = f.fake.layout;
		raddr_t name;

		if (!begin_proven(&f))
			continue;
		assert_int_equal(read_running(&f, PYTHON_MAY_HOLD), PYTHON_HELD);
		memcpy(&name, f.fake.bytes + (f.codes[0] + layout->co_name - FAKE_BASE),
		       sizeof(name));
		fake_put(&f.fake, name + layout->str_ascii_data, "evil", 4);
		for (int i = 0; i < 3; i++) {
			(void)read_running(&f, 0);
			assert_false(python_proves_held(f.python, 0));
		}
		assert_int_equal(read_running(&f, 0), PYTHON_COMPLETE);
		assert_stack(&f, "evil:10;mid:20");
	}
}

static void a_held_stack_is_not_proven_too_late(void **state)
{
	struct fixture f;

	(void)state;
	for_each_version(&f)
	{
		if (!begin_proven(&f))
			continue;
		assert_int_equal(read_running(&f, PYTHON_MAY_HOLD), PYTHON_HELD);
		f.python->tracks[0]->held_ns = clock_monotonic_ns() - NS_PER_MS;
		assert_int_equal(read_running(&f, 0), PYTHON_COMPLETE);
		assert_false(python_proves_held(f.python, 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_held_stack_is_proven_by_the_next_proofs),
		cmocka_unit_test(a_held_stack_is_not_proven_by_other_proofs),
		cmocka_unit_test(a_held_stack_is_not_proven_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
