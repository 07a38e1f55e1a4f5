/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "base/utf8.h"
#include "cmd/doctor.h"
#include "proc/surroundings.h"

#define PTRACE_CAP (1ull << CAP_SYS_PTRACE)

/* A machine on which everything is allowed. */
static struct surroundings open_machine(void)
{
	return (struct surroundings){
		.kernel = "Linux 6.1.0 x86_64",
		.caps = PTRACE_CAP,
		.yama = 0,
		.perf_paranoid = 2,
		.bpf_forbidden = SURROUNDINGS_UNKNOWN,
		.is_first_user_ns = true,
		.is_first_pid_ns = true,
	};
}

static const struct doctor_check *check_of(const struct doctor *doctor, const char *name)
{
	for (size_t i = 0; i < doctor->n; i++)
		if (strcmp(doctor->checks[i].name, name) == 0)
			return &doctor->checks[i];
	return NULL;
}

static void a_machine_that_allows_all_has_no_problem(void **state)
{
	struct surroundings here = open_machine();
	struct doctor doctor = {0};

	(void)state;
	doctor_machine(&doctor, &here);
	assert_false(doctor_has_problem(&doctor));
	assert_int_equal(check_of(&doctor, "user")->verdict, DOCTOR_OK);
}

static void yama_is_a_problem_without_the_right_to_overrule_it(void **state)
{
	static const struct {
		int scope;
		uint64_t caps;
		enum doctor_verdict verdict;
		const char *says, *helps;
	} cases[] = {
		{SURROUNDINGS_UNKNOWN, 0, DOCTOR_OK, "no Yama", ""},
		{0, 0, DOCTOR_OK, "ptrace_scope is 0", ""},
		{1, 0, DOCTOR_PROBLEM, "only programs that we start", "ptrace_scope=0"},
		{1, PTRACE_CAP, DOCTOR_OK, "overrules", ""},
		{2, 0, DOCTOR_PROBLEM, "nothing may be looked into", "sudo"},
		{2, PTRACE_CAP, DOCTOR_OK, "overrules", ""},
		{3, PTRACE_CAP, DOCTOR_PROBLEM, "nothing may be looked into", "reboot"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct surroundings here = open_machine();
		struct doctor doctor = {0};

		here.yama = cases[i].scope;
		here.caps = cases[i].caps;
		doctor_machine(&doctor, &here);
		assert_int_equal(check_of(&doctor, "yama")->verdict, cases[i].verdict);
		assert_non_null(strstr(check_of(&doctor, "yama")->text, cases[i].says));
		assert_non_null(strstr(check_of(&doctor, "yama")->remedy, cases[i].helps));
		assert_int_equal(doctor_has_problem(&doctor), cases[i].verdict == DOCTOR_PROBLEM);
	}
}

static void refused_calls_are_problems_with_a_remedy(void **state)
{
	struct surroundings here = open_machine();
	struct doctor doctor = {0};

	(void)state;
	here.read_code = -EPERM;
	here.trace_code = -EPERM;
	here.seccomp = 2;
	doctor_machine(&doctor, &here);
	assert_int_equal(check_of(&doctor, "ptrace")->verdict, DOCTOR_PROBLEM);
	assert_non_null(strstr(check_of(&doctor, "process_vm_readv")->text, "seccomp"));
	assert_non_null(strstr(check_of(&doctor, "ptrace")->remedy, "SYS_PTRACE"));
	here.read_code = -ENOSYS;
	doctor = (struct doctor){0};
	doctor_machine(&doctor, &here);
	assert_non_null(strstr(check_of(&doctor, "process_vm_readv")->remedy, "CROSS_MEMORY"));
}

static void what_merely_narrows_the_view_is_a_note(void **state)
{
	struct surroundings here = open_machine();
	struct doctor doctor = {0};

	(void)state;
	here.caps = 0;
	here.uid = 1000;
	here.hidepid = 2;
	here.has_new_privs_forbidden = true;
	here.is_first_pid_ns = false;
	here.container = "podman";
	doctor_machine(&doctor, &here);
	assert_false(doctor_has_problem(&doctor));
	assert_int_equal(check_of(&doctor, "user")->verdict, DOCTOR_NOTE);
	assert_string_equal(check_of(&doctor, "user")->remedy, ""); /* sudo would not help */
	assert_int_equal(check_of(&doctor, "no_new_privs")->verdict, DOCTOR_NOTE);
	assert_int_equal(check_of(&doctor, "hidepid")->verdict, DOCTOR_NOTE);
	assert_non_null(strstr(check_of(&doctor, "namespaces")->text, "pid namespace"));
	assert_non_null(strstr(check_of(&doctor, "container")->text, "podman"));
}

static void text_and_json_say_every_check(void **state)
{
	const struct term plain = {.columns = 80, .has_unicode = true};
	struct doctor doctor = {0};
	struct buf out;

	(void)state;
	doctor_add(&doctor, "one", DOCTOR_OK, "fine \x1b[31m%s", "\xff");
	doctor.is_of_target = true;
	doctor_remedy(doctor_add(&doctor, "two", DOCTOR_PROBLEM, "bad"), "do \"%s\"", "this");
	buf_init(&out, 1u << 16);
	doctor_print_text(&doctor, &plain, &out);
	assert_null(strchr(out.data, 0x1b));
	assert_non_null(
		strstr(out.data, "\nthis process\n  problem  bad\n           -> do \"this\"\n"));
	buf_reset(&out);
	doctor_print_json(&doctor, &out);
	assert_non_null(strstr(out.data, "{\"ok\":false,\"checks\":[{\"of\":\"machine\",\"name\":"
					 "\"one\",\"verdict\":\"ok\",\"text\":\"fine "));
	assert_non_null(strstr(out.data, "\"verdict\":\"problem\",\"text\":\"bad\",\"remedy\":"
					 "\"do \\\"this\\\"\"}]}\n"));
	buf_done(&out);
}

/* Columns of the longest line, and that no word was lost. */
static void assert_wrapped(int columns)
{
	const struct term term = {.is_terminal = true, .has_unicode = true, .columns = columns};
	struct doctor doctor = {0};
	struct buf out;

	doctor_add(&doctor, "one", DOCTOR_NOTE,
		   "many words that a narrow terminal cannot hold in one line, \xe6\x97\xa5\xe6\x9c"
		   "\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac among them, and the last");
	buf_init(&out, 1u << 16);
	doctor_print_text(&doctor, &term, &out);
	assert_non_null(strstr(out.data, "last"));
	for (const char *line = out.data; *line; line += strcspn(line, "\n") + 1)
		assert_true(utf8_columns(line, strcspn(line, "\n")) <= (size_t)columns);
	buf_done(&out);
}

static void long_lines_are_broken_at_blanks_on_a_terminal(void **state)
{
	(void)state;
	for (int columns = 31; columns <= 120; columns++)
		assert_wrapped(columns);
}

static void this_machine_can_be_read(void **state)
{
	struct surroundings here;

	(void)state;
	surroundings_read(&here);
	assert_int_equal(strncmp(here.kernel, "Linux ", 6), 0);
	assert_true(here.read_code <= 0 && here.trace_code <= 0);
	assert_true(here.yama >= SURROUNDINGS_UNKNOWN && here.yama <= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_that_allows_all_has_no_problem),
		cmocka_unit_test(yama_is_a_problem_without_the_right_to_overrule_it),
		cmocka_unit_test(refused_calls_are_problems_with_a_remedy),
		cmocka_unit_test(what_merely_narrows_the_view_is_a_note),
		cmocka_unit_test(text_and_json_say_every_check),
		cmocka_unit_test(long_lines_are_broken_at_blanks_on_a_terminal),
		cmocka_unit_test(this_machine_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
