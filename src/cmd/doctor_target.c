/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>

#include "cmd/doctor.h"
#include "proc/process.h"
#include "proc/rights.h"
#include "proc/surroundings.h"
#include "python/python.h"
#include "sample/session.h"
#include "sample/target.h"

#define BEAT_MS 200
#define LOOK_RATE_HZ 100 /* not used for one look, but the header has a rate */

/* ---- what it is ---- */

static void check_process(struct doctor *doctor, const struct process *process)
{
	char command[TARGET_COMMAND_MAX];
	const char *container;

	process_command(process->id.pid, command, sizeof(command));
	doctor_add(doctor, "process", DOCTOR_OK, "process %d: %s, of user %u, %u thread%s",
		   (int)process->id.pid, command, (unsigned)process->uid, process->threads,
		   process->threads == 1 ? "" : "s");
	if (process->state == 'T')
		doctor_add(doctor, "stopped", DOCTOR_NOTE,
			   "it is stopped by a signal: every sample will show the same");
	container = surroundings_container(process->id.pid);
	if (process->ns_pid != process->id.pid)
		doctor_add(doctor, "namespace", DOCTOR_OK,
			   "it lives in a pid namespace of its own%s%s%s, where it is process %d",
			   container ? " (" : "", container ? container : "", container ? ")" : "",
			   (int)process->ns_pid);
}

/* The command that would help most, for the obstacle that was found. */
static void add_remedy(struct doctor_check *check, enum rights_obstacle obstacle, pid_t pid)
{
	switch (obstacle) {
	case RIGHTS_OTHER_USER:
	case RIGHTS_MORE_CAPS:
	case RIGHTS_DUMPABLE:
		doctor_remedy(check, "sudo env \"PATH=$PATH\" pyrometer record -p %d", (int)pid);
		break;
	case RIGHTS_YAMA:
		doctor_remedy(check,
			      "sudo env \"PATH=$PATH\" pyrometer record -p %d, or: sudo sysctl "
			      "kernel.yama.ptrace_scope=0",
			      (int)pid);
		break;
	case RIGHTS_USER_NS:
		doctor_remedy(check, "sudo nsenter -U -t %d pyrometer record -p %d", (int)pid,
			      (int)pid);
		break;
	case RIGHTS_SECCOMP:
		doctor_remedy(check, "docker run --cap-add SYS_PTRACE …");
		break;
	default:
		break;
	}
}

static bool check_rights(struct doctor *doctor, pid_t pid)
{
	enum rights_obstacle obstacle = RIGHTS_NONE;
	struct doctor_check *check;
	struct err err = {0};

	if (rights_check(pid, &obstacle, &err) == 0) {
		doctor_add(doctor, "rights", DOCTOR_OK, "it may be looked into");
		return true;
	}
	check = doctor_add(doctor, "rights", DOCTOR_PROBLEM, "%s", err.text);
	add_remedy(check, obstacle, pid);
	return false;
}

static bool check_tracer(struct doctor *doctor, pid_t pid)
{
	struct doctor_check *check;
	pid_t tracer = 0;
	struct err err = {0};

	if (rights_check_tracer(pid, &tracer, &err) == 0) {
		doctor_add(doctor, "tracer", DOCTOR_OK, "no debugger or profiler holds it");
		return true;
	}
	check = doctor_add(doctor, "tracer", DOCTOR_PROBLEM, "%s", err.text);
	doctor_remedy(check, "kill %d, or: pyrometer record -p %d --nonblocking", (int)tracer,
		      (int)pid);
	return false;
}

/* ---- its Python ---- */

static void check_threads(struct doctor *doctor, struct python *python)
{
	struct python_look look;
	uint32_t with_frames = 0;

	if (python_look(python, &look) < 0) {
		doctor_add(doctor, "threads", DOCTOR_NOTE,
			   "its list of threads changes while it is read");
		return;
	}
	for (uint32_t i = 0; i < look.n; i++)
		with_frames += look.threads[i].has_frames;
	doctor_add(doctor, "threads", DOCTOR_OK,
		   "%u thread%s known to Python, %u with Python on the stack; the GIL is %s",
		   look.n, look.n == 1 ? "" : "s", with_frames,
		   look.holder == PYTHON_NO_THREAD ? "free" : "held");
}

static bool check_python(struct doctor *doctor, pid_t pid)
{
	struct names *names = names_new();
	struct target target;
	struct err err = {0};
	int r = target_open(&target, pid, names, false, &err);

	if (r < 0) {
		doctor_add(doctor, "python", DOCTOR_PROBLEM, "%s", err.text);
	} else {
		doctor_add(doctor, "python", DOCTOR_OK, "CPython %s, found %s",
			   python_version(target.python), python_place(target.python));
		check_threads(doctor, target.python);
		target_done(&target);
	}
	names_free(names);
	return r == 0;
}

/* ---- each mode, tried by one look ---- */

struct trial {
	uint64_t samples;
	struct capture_stats stats;
	struct capture_end end;
	char end_text[ERR_TEXT_MAX];
};

static int on_sample(void *ctx, const struct capture_sample *sample)
{
	struct trial *trial = ctx;

	(void)sample;
	trial->samples++;
	return 0;
}

static int on_stats(void *ctx, const struct capture_stats *stats)
{
	struct trial *trial = ctx;

	trial->stats = *stats;
	return 0;
}

static int on_end(void *ctx, const struct capture_end *end)
{
	struct trial *trial = ctx;

	trial->end = *end;
	snprintf(trial->end_text, sizeof(trial->end_text), "%s", end->text);
	return 0;
}

static int run_session(struct session *session, struct err *err)
{
	int r = 0;

	while (r == 0 && !session_has_ended(session)) {
		struct pollfd fds[SESSION_FDS];

		session_fds(session, fds);
		if (poll(fds, array_len(fds), BEAT_MS) < 0 && errno != EINTR)
			return err_sys(err, -errno, "cannot wait for samples");
		r = session_pump(session, err);
	}
	return r;
}

static int try_once(pid_t pid, bool is_nonblocking, struct trial *trial, struct err *err)
{
	static const struct capture_events events = {
		.sample = on_sample, .stats = on_stats, .end = on_end};
	struct session_config config = {
		.pid = pid,
		.rate_hz = LOOK_RATE_HZ,
		.is_once = true,
		.is_nonblocking = is_nonblocking,
		.with_idle = true,
	};
	struct names *names = names_new();
	struct session *session = NULL;
	struct tree tree;
	int r;

	tree_init(&tree);
	r = session_start(&config, names, &tree, &events, trial, &session, err);
	if (r == 0)
		r = run_session(session, err);
	session_free(session);
	tree_done(&tree);
	names_free(names);
	if (r == 0 && trial->end.code < 0)
		return err_set(err, trial->end.code, "%s", trial->end_text);
	return r;
}

static void check_mode(struct doctor *doctor, pid_t pid, bool is_nonblocking)
{
	const char *name = is_nonblocking ? "nonblocking" : "pausing";
	const char *label = is_nonblocking ? "--nonblocking" : "the default, with pauses,";
	struct trial trial = {0};
	struct err err = {0};

	if (try_once(pid, is_nonblocking, &trial, &err) < 0) {
		doctor_add(doctor, name, DOCTOR_PROBLEM, "%s does not work: %s", label, err.text);
		return;
	}
	if (trial.stats.paused)
		doctor_add(doctor, name, DOCTOR_OK,
			   "%s works: %llu stacks, %llu of them by a pause, the longest %.0f us",
			   label, (unsigned long long)trial.samples,
			   (unsigned long long)trial.stats.paused,
			   (double)trial.stats.pause_max_ns / 1e3);
	else
		doctor_add(doctor, name, DOCTOR_OK, "%s works: %llu stacks without any pause",
			   label, (unsigned long long)trial.samples);
}

void doctor_target(struct doctor *doctor, pid_t pid)
{
	struct process process;
	struct err err = {0};
	bool is_traced;

	doctor->is_of_target = true;
	if (process_load(pid, &process, &err) < 0) {
		doctor_add(doctor, "process", DOCTOR_PROBLEM, "%s", err.text);
		return;
	}
	check_process(doctor, &process);
	if (!check_rights(doctor, pid))
		return;
	is_traced = !check_tracer(doctor, pid);
	if (!check_python(doctor, pid))
		return;
	if (!is_traced)
		check_mode(doctor, pid, false);
	check_mode(doctor, pid, true);
}
