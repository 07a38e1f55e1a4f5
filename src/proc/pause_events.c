/* SPDX-License-Identifier: Apache-2.0 */
/* The stops that the kernel reports, and how each is answered: the states and invariants of pause.c. */
#include "proc/pause_private.h"

#include <errno.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/process.h"

/*
 * Events served in one go: more than any healthy target makes between two looks, so that a target in
 * a storm of signals cannot keep us from our ticks.
 */
#define EVENTS_PER_SCAN 256
#define LOOK_AGAIN_NS (2 * NS_PER_MS)

sigset_t pauser_chld_set(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return set;
}

/* ---- asking the kernel ---- */

/* Invariant 1. */
int pauser_look(idtype_t type, pid_t tid, siginfo_t *ret_event)
{
	const int options = WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL | __WNOTHREAD;

	ret_event->si_pid = 0;
	if (waitid(type, (id_t)tid, ret_event, options) < 0)
		return -ECHILD;
	return ret_event->si_pid != 0;
}

static void request(struct tracee *tracee, int what, int signal)
{
	if (ptrace(what, tracee->thread.tid, NULL, (void *)(intptr_t)signal) < 0)
		tracee->state = TRACEE_DYING; /* invariant 8 */
}

void tracee_let_go_on(struct tracee *tracee, int signal)
{
	tracee->state = TRACEE_RUNNING;
	request(tracee, PTRACE_CONT, signal);
}

void tracee_call(struct tracee *tracee)
{
	tracee->state = TRACEE_CALLED;
	request(tracee, PTRACE_INTERRUPT, 0);
}

void tracee_free(struct tracee *tracee, int signal)
{
	tracee->state = TRACEE_FREE;
	request(tracee, PTRACE_DETACH, signal);
}

/* ---- serving what happened ---- */

/* Invariant 6.  False when the tracee is gone. */
static bool repair(struct pauser *pauser, const struct tracee *tracee)
{
	struct registers *registers = &pauser->registers;
	int r = registers_get(tracee->thread.tid, registers);

	if (r == 0)
		r = registers_repair_eintr(tracee->thread.tid, registers);
	if (r > 0)
		pauser->stats.eintr_repaired++;
	return r >= 0;
}

static bool is_stop_signal(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static void serve_event_stop(struct pauser *pauser, struct tracee *tracee, int signal)
{
	bool is_wanted = pauser->wanted == tracee->thread.tid;

	if (tracee->is_leaving) {
		tracee_free(tracee, 0);
	} else if (is_stop_signal(signal)) {
		pauser->stats.group_stops += tracee->state != TRACEE_LISTENING;
		tracee->state = TRACEE_LISTENING;
		request(tracee, PTRACE_LISTEN, 0);
	} else if (is_wanted) {
		tracee->state = TRACEE_HELD;
	} else {
		pauser->stats.late_stops += tracee->state == TRACEE_CALLED;
		tracee_free(tracee, 0);
	}
}

/* Invariants 2 and 3. */
static void serve_signal(struct pauser *pauser, struct tracee *tracee, int signal)
{
	pauser->stats.signals_passed++;
	if (tracee->state == TRACEE_CALLED && pauser->wanted == tracee->thread.tid) {
		tracee_call(tracee);
		tracee_let_go_on(tracee, signal);
		if (tracee->state == TRACEE_RUNNING)
			tracee->state = TRACEE_CALLED;
	} else {
		tracee_free(tracee, signal);
	}
}

void pauser_forget(struct pauser *pauser, struct tracee *tracee)
{
	if (tracee && pauser->wanted == tracee->thread.tid)
		pauser->wanted = 0;
	tracees_drop(&pauser->tracees, tracee);
}

/* The thread that called execve goes on under the id of its process, all others have ended. */
static void serve_exec(struct pauser *pauser, struct tracee *tracee)
{
	pid_t pid = tracee->thread.tid;
	unsigned long former = 0;

	pauser->stats.execs++;
	/* Linux answers ESRCH to a tracee with a new id until this event was taken (invariant 1). */
	waitpid(pid, NULL, WNOHANG | __WALL);
	ptrace(PTRACE_GETEVENTMSG, pid, NULL, &former);
	if (former && (pid_t)former != pid)
		pauser_forget(pauser, tracees_find(&pauser->tracees, (pid_t)former));
	if (pauser->wanted == pid)
		pauser->wanted = 0;
	/* The open files of /proc may name the thread that had this id before. */
	thread_done(&tracee->thread);
	thread_init(&tracee->thread, pid, pid);
	tracee_free(tracee, 0);
}

static bool is_our_child(pid_t pid)
{
	struct process process;

	return process_load(pid, &process, NULL) >= 0 && process.parent == getpid();
}

/* Reaping a tracee tells its parent.  When we are its parent, whoever started it wants the status. */
static void serve_exit(struct pauser *pauser, struct tracee *tracee)
{
	pid_t tid = tracee->thread.tid;

	pauser->stats.exits++;
	if (tid != tracee->thread.pid || !is_our_child(tid))
		waitpid(tid, NULL, WNOHANG | __WALL);
	pauser_forget(pauser, tracee);
}

static void serve_stop(struct pauser *pauser, struct tracee *tracee, int status)
{
	int signal = status & 0xff;

	switch (status >> 8) {
	case 0:
		if (!repair(pauser, tracee))
			tracee->state = TRACEE_DYING;
		else
			serve_signal(pauser, tracee, signal);
		break;
	case PTRACE_EVENT_STOP:
		if (!repair(pauser, tracee))
			tracee->state = TRACEE_DYING;
		else
			serve_event_stop(pauser, tracee, signal);
		break;
	case PTRACE_EVENT_EXEC:
		serve_exec(pauser, tracee);
		break;
	default:
		tracee_let_go_on(tracee, 0);
	}
}

static bool is_end(const siginfo_t *event)
{
	return event->si_code == CLD_EXITED || event->si_code == CLD_KILLED ||
	       event->si_code == CLD_DUMPED;
}

/*
 * A thread that is not in the table.  Only tracees trap: one that got a new id in execve.  One that
 * ends and is no child of ours was killed just as we seized it; unreaped it would hold up its process.
 */
static bool serve_stranger(struct pauser *pauser, const siginfo_t *event)
{
	struct thread thread;

	if (event->si_code == CLD_TRAPPED) {
		thread_init(&thread, event->si_pid, event->si_pid);
		serve_stop(pauser, tracees_add(&pauser->tracees, &thread), event->si_status);
		return true;
	}
	if (!is_end(event) || is_our_child(event->si_pid))
		return false;
	return waitpid(event->si_pid, NULL, WNOHANG | __WALL) == event->si_pid;
}

bool pauser_serve(struct pauser *pauser, const siginfo_t *event)
{
	struct tracee *tracee = tracees_find(&pauser->tracees, event->si_pid);

	if (!tracee)
		return serve_stranger(pauser, event);
	if (event->si_code == CLD_TRAPPED)
		serve_stop(pauser, tracee, event->si_status);
	else if (is_end(event))
		serve_exit(pauser, tracee);
	return true;
}

bool pauser_is_holding(const struct pauser *pauser)
{
	const struct tracee *tracee =
		pauser->wanted ? tracees_find(&pauser->tracees, pauser->wanted) : NULL;

	return tracee && tracee->state == TRACEE_HELD;
}

/* One look at each tracee; for when a foreign child stands in front of what P_ALL shows. */
static int scan_each(struct pauser *pauser)
{
	siginfo_t event;
	int n = 0;

	for (size_t i = pauser->tracees.n; i-- > 0 && !pauser_is_holding(pauser);) {
		/* Serving can drop entries; the ones not seen yet keep their places below i. */
		if (i >= pauser->tracees.n || pauser->tracees.items[i]->state == TRACEE_FREE)
			continue;
		if (pauser_look(P_PID, pauser->tracees.items[i]->thread.tid, &event) > 0)
			n += pauser_serve(pauser, &event);
	}
	return n;
}

int pauser_scan(struct pauser *pauser)
{
	siginfo_t event;
	int n = 0;

	while (!pauser_is_holding(pauser) && pauser_look(P_ALL, 0, &event) > 0) {
		if (!pauser_serve(pauser, &event)) {
			int more = scan_each(pauser);

			if (!more)
				return n;
			n += more;
		}
		if (++n >= EVENTS_PER_SCAN) {
			/* Make pauser_fd() readable, so that we are called again. */
			(void)pthread_kill(pthread_self(), SIGCHLD);
			return n;
		}
	}
	return n;
}

void pauser_drain(struct pauser *pauser)
{
	struct signalfd_siginfo signals[4];

	while (read(pauser->signal_fd, signals, sizeof(signals)) == (ssize_t)sizeof(signals))
		;
}

int pauser_pump(struct pauser *pauser)
{
	pauser_drain(pauser);
	return pauser_scan(pauser);
}

/*
 * Sleep until a SIGCHLD, at most until the deadline; false when that has passed.  No signal tells that
 * a thread lost its id to one that called execve, so nobody sleeps long without a look.
 */
bool pauser_wait_for_news(int64_t deadline_ns)
{
	int64_t left = deadline_ns - clock_monotonic_ns();
	struct timespec timeout = clock_timespec(min_of(max_of(left, 0), LOOK_AGAIN_NS));
	sigset_t chld = pauser_chld_set();

	return sigtimedwait(&chld, NULL, &timeout) == SIGCHLD || left > 0;
}
