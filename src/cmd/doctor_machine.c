/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/capability.h>

#include "bpf/task_regs.h"
#include "cmd/doctor.h"
#include "proc/cpu_clock.h"
#include "proc/events.h"
#include "proc/kernel_names.h"
#include "proc/kernel_stack.h"
#include "proc/surroundings.h"

#define REMEDY_CONTAINER                                                                           \
	"docker run --cap-add SYS_PTRACE …, or in Kubernetes "                                   \
	"securityContext.capabilities.add: [SYS_PTRACE]"

static bool may_trace_all(const struct surroundings *here)
{
	return here->caps >> CAP_SYS_PTRACE & 1;
}

static void check_user(struct doctor *doctor, const struct surroundings *here)
{
	struct doctor_check *check;

	if (may_trace_all(here)) {
		doctor_add(
			doctor, "user", DOCTOR_OK,
			"user %u with CAP_SYS_PTRACE: processes of every user may be looked into",
			(unsigned)here->uid);
		return;
	}
	check = doctor_add(doctor, "user", DOCTOR_NOTE,
			   "user %u without CAP_SYS_PTRACE: only processes of this user may be "
			   "looked into",
			   (unsigned)here->uid);
	if (here->uid == 0 && here->container)
		doctor_remedy(check, REMEDY_CONTAINER);
	else if (!here->has_new_privs_forbidden)
		doctor_remedy(check, "sudo env \"PATH=$PATH\" pyrometer …");
}

static void check_new_privs(struct doctor *doctor, const struct surroundings *here)
{
	if (here->has_new_privs_forbidden && !may_trace_all(here))
		doctor_add(doctor, "no_new_privs", DOCTOR_NOTE,
			   "no_new_privs is set: sudo and set-uid programs give no rights here; "
			   "start from outside of this sandbox");
}

static void check_yama(struct doctor *doctor, const struct surroundings *here)
{
	struct doctor_check *check;

	if (here->yama <= 0) {
		doctor_add(doctor, "yama", DOCTOR_OK, "%s",
			   here->yama == 0 ? "kernel.yama.ptrace_scope is 0: no restriction"
					   : "no Yama: no restriction beyond the user");
		return;
	}
	if (here->yama < 3 && may_trace_all(here)) {
		doctor_add(doctor, "yama", DOCTOR_OK,
			   "kernel.yama.ptrace_scope is %d, which CAP_SYS_PTRACE overrules",
			   here->yama);
		return;
	}
	check = doctor_add(doctor, "yama", DOCTOR_PROBLEM,
			   here->yama == 1
				   ? "kernel.yama.ptrace_scope is %d: only programs that we start "
				     "(pyrometer record -- COMMAND), none that runs already"
				   : "kernel.yama.ptrace_scope is %d: nothing may be looked into",
			   here->yama);
	if (here->yama == 3)
		doctor_remedy(check, "a reboot with another kernel.yama.ptrace_scope");
	else
		doctor_remedy(check,
			      "run as root (sudo), or: sudo sysctl kernel.yama.ptrace_scope=0");
}

/* The calls themselves, tried on a child: what says no here says no to everything. */
static void check_calls(struct doctor *doctor, const struct surroundings *here)
{
	const struct {
		const char *name, *what;
		int code;
	} calls[] = {
		{"process_vm_readv", "reading memory (process_vm_readv)", here->read_code},
		{"ptrace", "pausing (ptrace)", here->trace_code},
	};

	for (size_t i = 0; i < array_len(calls); i++) {
		struct doctor_check *check;

		if (calls[i].code == 0) {
			doctor_add(doctor, calls[i].name, DOCTOR_OK, "%s works", calls[i].what);
			continue;
		}
		check = doctor_add(doctor, calls[i].name, DOCTOR_PROBLEM,
				   "%s is refused even for a child of ours: %s%s", calls[i].what,
				   err_name(calls[i].code),
				   here->seccomp == 2 ? " (a seccomp filter is active)" : "");
		if (calls[i].code == -ENOSYS)
			doctor_remedy(check, "a kernel with CONFIG_CROSS_MEMORY_ATTACH");
		else
			doctor_remedy(check, REMEDY_CONTAINER);
	}
}

static void check_namespaces(struct doctor *doctor, const struct surroundings *here)
{
	struct doctor_check *check;

	if (here->container)
		doctor_add(doctor, "container", DOCTOR_NOTE, "this is a container (%s)",
			   here->container);
	if (here->is_first_user_ns && here->is_first_pid_ns) {
		doctor_add(
			doctor, "namespaces", DOCTOR_OK,
			"the host's own pid and user namespaces: containers can be seen from here");
		return;
	}
	check = doctor_add(doctor, "namespaces", DOCTOR_NOTE,
			   "%s namespace of its own: processes outside of it %s",
			   here->is_first_pid_ns ? "a user" : "a pid",
			   here->is_first_pid_ns ? "may not be looked into" : "are not seen");
	doctor_remedy(check, "run on the host, which sees into every container");
}

static void check_proc(struct doctor *doctor, const struct surroundings *here)
{
	struct doctor_check *check;

	if (here->hidepid <= 0) {
		doctor_add(doctor, "hidepid", DOCTOR_OK, "/proc shows every process");
		return;
	}
	check = doctor_add(
		doctor, "hidepid", may_trace_all(here) ? DOCTOR_OK : DOCTOR_NOTE,
		"/proc is mounted with hidepid=%d: processes of other users %s", here->hidepid,
		may_trace_all(here) ? "are seen with CAP_SYS_PTRACE only" : "are not seen");
	if (!may_trace_all(here))
		doctor_remedy(check, "run as root (sudo)");
}

static void check_news(struct doctor *doctor)
{
	struct events *events = NULL;
	struct err err = {0};

	if (events_open(&events, &err) == 0)
		doctor_add(doctor, "process_events", DOCTOR_OK,
			   "the kernel tells of new processes: --subprocesses sees them at once");
	else
		doctor_add(doctor, "process_events", DOCTOR_NOTE,
			   "--subprocesses looks for new processes itself: %s", err.text);
	events_close(events);
}

/* What --kernel shows, and what waiting threads' native frames need where code has frame pointers only. */
static void check_kernel_frames(struct doctor *doctor)
{
	const struct {
		const char *name, *fine;
		int (*check)(struct err *err);
	} checks[] = {
		{"kernel_running", "--kernel shows the kernel's frames of running threads",
		 cpu_clock_check},
		{"kernel_waiting", "--kernel shows the kernel's frames of waiting threads",
		 kernel_stack_check},
		{"kernel_names", "the kernel names its functions", kernel_names_check},
		{"bpf", "BPF tells the registers of waiting threads", task_regs_check},
	};

	for (size_t i = 0; i < array_len(checks); i++) {
		struct err err = {0};
		bool is_fine = checks[i].check(&err) == 0;

		doctor_add(doctor, checks[i].name, is_fine ? DOCTOR_OK : DOCTOR_NOTE, "%s",
			   is_fine ? checks[i].fine : err.text);
	}
}

void doctor_machine(struct doctor *doctor, const struct surroundings *here)
{
	doctor_add(doctor, "kernel", DOCTOR_OK, "%s", here->kernel);
	check_user(doctor, here);
	check_new_privs(doctor, here);
	check_calls(doctor, here);
	check_yama(doctor, here);
	check_namespaces(doctor, here);
	check_proc(doctor, here);
	check_news(doctor);
	check_kernel_frames(doctor);
}
