/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/kernel_stack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static void frames_are_names_and_modules(void **state)
{
	struct kernel_stack stack;

	(void)state;
	kernel_stack_parse("[<0>] futex_wait+0x6b/0xb0\n"
			   "[<0>] nf_hook+0x1/0x2 [nf_tables]\n"
			   "[<0>] entry_SYSCALL_64_after_hwframe+0x76/0x7e\n",
			   &stack);
	assert_int_equal(stack.n, 3);
	assert_string_equal(stack.frames[0].name, "futex_wait");
	assert_string_equal(stack.frames[0].module, "");
	assert_string_equal(stack.frames[1].name, "nf_hook");
	assert_string_equal(stack.frames[1].module, "nf_tables");
	assert_string_equal(stack.frames[2].name, "entry_SYSCALL_64_after_hwframe");
}

static void text_of_any_kind_is_borne(void **state)
{
	char text[KERNEL_STACK_FRAMES * 16 + 64] = "";
	struct kernel_stack stack;

	(void)state;
	kernel_stack_parse("", &stack);
	assert_int_equal(stack.n, 0);
	kernel_stack_parse("\n\n[<0>]\n[<0>] \n", &stack);
	assert_int_equal(stack.n, 0);
	kernel_stack_parse("[<0>] a+b [x", &stack);
	assert_int_equal(stack.n, 1);
	assert_string_equal(stack.frames[0].module, "");
	for (int i = 0; i < KERNEL_STACK_FRAMES + 2; i++)
		strncat(text, "[<0>] f+0x1/0x2\n", sizeof(text) - strlen(text) - 1);
	kernel_stack_parse(text, &stack);
	assert_int_equal(stack.n, KERNEL_STACK_FRAMES);
}

static void our_own_is_read_where_it_may_be(void **state)
{
	struct kernel_stack stack;
	struct err err = {0};
	int r = kernel_stack_check(&err);

	(void)state;
	if (r == -EPERM) {
		assert_non_null(strstr(err.text, "CAP_SYS_ADMIN"));
		skip();
	}
	if (r < 0) /* a kernel without CONFIG_STACKTRACE */
		skip();
	assert_int_equal(kernel_stack_read(getpid(), getpid(), &stack), 0);
	assert_true(stack.n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_names_and_modules),
		cmocka_unit_test(text_of_any_kind_is_borne),
		cmocka_unit_test(our_own_is_read_where_it_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
