/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/task_regs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

#define PATIENCE_NS (10 * NS_PER_S)

/* Waits in pause(2) with registers that we know again. */
static pid_t waiting_child(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#if defined(__x86_64__)
	for (;;)
		__asm__ volatile("push %%rbp\n\t"
				 "mov $0xb1b1b1, %%rbp\n\t"
				 "mov $0x3b3b3b, %%rbx\n\t"
				 "mov $0x121212, %%r12\n\t"
				 "mov $0x151515, %%r15\n\t"
				 "syscall\n\t"
				 "pop %%rbp"
				 :
				 : "a"((long)SYS_pause)
				 : "rbx", "rcx", "r11", "r12", "r15", "memory");
#endif
	for (;;)
		pause();
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static struct task_regs *open_or_skip(pid_t pid, unsigned flags)
{
	struct task_regs *regs = NULL;
	struct err err = {0};
	int r = task_regs_open(pid, flags, &regs, &err);

	if (r == -EPERM || r == ERR_UNSUPPORTED) {
		print_message("needs BPF: %s\n", err.text);
		end_child(pid);
		skip();
	}
	assert_int_equal(r, 0);
	return regs;
}

static void read_asleep(struct task_regs *regs, struct task_record *ret_record)
{
	int64_t until_ns = clock_monotonic_ns() + PATIENCE_NS;
	size_t n = 0;

	do
		assert_int_equal(task_regs_read(regs, ret_record, 1, &n), 0);
	while (!(ret_record->flags & TASK_ASLEEP) && clock_monotonic_ns() < until_ns);
	assert_int_equal(n, 1);
	assert_true(ret_record->flags & TASK_ASLEEP);
}

static void registers_of_a_waiting_thread_are_those_it_entered_the_kernel_with(void **state)
{
	struct task_record record, again;
	pid_t pid = waiting_child();
	struct task_regs *regs = open_or_skip(pid, 0);

	(void)state;
	read_asleep(regs, &record);
	assert_int_equal(record.tid, pid);
	assert_true(record.flags & TASK_HAS_REGS);
	assert_int_equal(record.n_kernel, 0);
	assert_int_equal(record.regs[6], 0xb1b1b1);
	assert_int_equal(record.regs[3], 0x3b3b3b);
	assert_int_equal(record.regs[12], 0x121212);
	assert_int_equal(record.regs[15], 0x151515);
	assert_true(record.regs[7] > 4096 && record.regs[16] > 4096);
	read_asleep(regs, &again);
	assert_memory_equal(record.regs, again.regs, sizeof(record.regs));
	assert_int_equal(record.switches, again.switches);
	task_regs_free(regs);
	end_child(pid);
}

static void one_thread_can_be_asked(void **state)
{
	struct task_record all, one;
	pid_t pid = waiting_child();
	struct task_regs *regs = open_or_skip(pid, 0);
	int r;

	(void)state;
	read_asleep(regs, &all);
	r = task_regs_read_one(regs, pid, &one);
	if (r != -EOPNOTSUPP) { /* Linux before 6.1 */
		assert_int_equal(r, 0);
		assert_memory_equal(all.regs, one.regs, sizeof(all.regs));
		assert_int_equal(task_regs_read_one(regs, getpid(), &one), -ESRCH);
	}
	task_regs_free(regs);
	end_child(pid);
}

static void kernel_frames_come_when_wanted(void **state)
{
	struct task_record record;
	pid_t pid = waiting_child();
	struct task_regs *regs = open_or_skip(pid, TASK_REGS_KERNEL);

	(void)state;
	read_asleep(regs, &record);
	assert_in_range(record.n_kernel, 2, TASK_KERNEL_MAX);
	for (uint32_t i = 0; i < record.n_kernel; i++)
		assert_true((int64_t)record.kernel[i] < 0); /* the upper half is the kernel's */
	task_regs_free(regs);
	end_child(pid);
}

static void a_process_that_has_ended_is_said_to_have(void **state)
{
	struct task_record record;
	pid_t pid = waiting_child();
	struct task_regs *regs = open_or_skip(pid, 0);
	size_t n;

	(void)state;
	end_child(pid);
	assert_int_equal(task_regs_read(regs, &record, 1, &n), -ESRCH);
	task_regs_free(regs);
	task_regs_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			registers_of_a_waiting_thread_are_those_it_entered_the_kernel_with),
		cmocka_unit_test(one_thread_can_be_asked),
		cmocka_unit_test(kernel_frames_come_when_wanted),
		cmocka_unit_test(a_process_that_has_ended_is_said_to_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
