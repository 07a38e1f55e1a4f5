/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pause as a state machine over the stops that the kernel reports.
 *
 *	           SEIZE               INTERRUPT               event-stop, wanted
 *	 (not ours) ────▶ RUNNING ───────────────────▶ CALLED ──────────────────▶ HELD
 *	     ▲           ▲ ▲   │                        │  │                       │ │
 *	     │           │ │   │ group-stop: LISTEN     │  │ signal:               │ │
 *	     │           │ │   ▼                        │  │ INTERRUPT, CONT(sig)  │ │
 *	     │           │ └─ LISTENING ◀───────────────┘  └──▶ CALLED             │ │
 *	     │           │ event-stop: CONT                                        │ │
 *	     │           └─────────────── CONT ────────────────────────────────────┘ │
 *	     │ DETACH at any stop of a tracee that is_leaving                        │
 *	     └── exit seen ◀── DYING ◀── a request answered ESRCH ◀──────────────────┘
 *	RUNNING: signal → CONT(sig), event-stop nobody waits for → CONT, exec → CONT
 *
 * Invariants, numbered since the code refers to them:
 *
 *  1. A stop is looked at (waitid with WNOWAIT), never taken.  Taking it would clear the exit code
 *     that the kernel keeps for the tracee; should we be killed before PTRACE_CONT, the signal that
 *     it holds would be lost.  Looked at, the kernel delivers it when it frees the tracee.  Only the
 *     end of a thread is taken, which reaps it, and an exec, which holds no signal.
 *  2. A signal never waits for a pause: at a signal-delivery-stop it goes in at once, unchanged, and
 *     so keeps its siginfo and its order.  It is never suppressed, never kept by us.
 *  3. Any stop uses up a pending PTRACE_INTERRUPT, or leaves it pending when it came later; we cannot
 *     tell.  So a CALLED tracee is interrupted again *before* it goes on with its signal (it stops
 *     again before its handler's first instruction), and a stop that nobody waits for is let go on.
 *  4. At most one tracee is HELD, and while one is, no other event is served: its stop would be
 *     found again and again (1).  end_pause() serves what was missed.
 *  5. Every SIGCHLD that is consumed is followed by a look at all tracees before we sleep or return,
 *     or at the end of the pause (4): SIGCHLDs coalesce, one may stand for many stops.
 *  6. No tracee is interrupted that sleeps in the kernel; one that went to sleep in the last
 *     microseconds is repaired: EINTR is turned into "start again" at *every* stop, since a traced
 *     thread also wakes up for signals that it ignores, which it would sleep through without us.
 *  7. PTRACE_O_EXITKILL is never set, single steps are never made, the signal mask of the target is
 *     never changed, nothing is written into it: nothing has to be undone if we die.
 *  8. ESRCH from any request means that the tracee is being killed: its end will be reported, and
 *     until then it is DYING and left alone.
 *  9. PTRACE_SEIZE waits inside the kernel while the target is in execve, and execve waits until we
 *     have taken the ends of the threads it killed: a deadlock (Linux 6.18, cred_guard_mutex).  So
 *     SIGCHLD, blocked everywhere else, is let in during PTRACE_SEIZE and leads out of it; a timer
 *     that sends it bounds the wait.
 */
#include "proc/pause.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "proc/process.h"
#include "proc/registers_private.h"
#include "proc/tracees_private.h"
#include "proc/watchdog.h"

/* Events served in one go: more than any healthy target makes between two looks, so that a target in
 * a storm of signals cannot keep us from our ticks. */
#define EVENTS_PER_SCAN 256
#define LOOK_AGAIN_NS (2 * NS_PER_MS)
#define FREE_TIMEOUT_NS (100 * NS_PER_MS)
/* A nudged thread runs for a nap of ours, more of them while it waits for a CPU, and again as long as
 * it has not moved. */
#define NUDGE_NAP_NS (5 * NS_PER_US)
#define NUDGE_MAX_NAPS 20
#define NUDGE_MAX_RUNS 8
#define SHORT_SLICE_NS (100 * NS_PER_US) /* the least that the kernel takes */

struct pauser {
	struct tracees tracees;
	struct heartbeat *beat;
	struct pause_stats stats;
	struct registers registers; /* of the HELD tracee */
	pid_t wanted;		    /* tid that is or shall be paused; 0: none */
	pid_t other_tracer;
	int64_t held_since_ns;
	int signal_fd;
	int old_slack;
	timer_t deadline_timer;
	sigset_t old_mask;
	struct sigaction old_action;
};

static sigset_t chld_set(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return set;
}

/* ---- asking the kernel ---- */

/*
 * 1 when there is something to serve for one thread (P_PID) or any (P_ALL), 0 when not, -ECHILD when
 * that thread is none of ours (any more): another thread of its process called execve and took its id.
 * Invariant 1.
 */
static int look(idtype_t type, pid_t tid, siginfo_t *ret_event)
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

static void let_go_on(struct tracee *tracee, int signal)
{
	tracee->state = TRACEE_RUNNING;
	request(tracee, PTRACE_CONT, signal);
}

static void call(struct tracee *tracee)
{
	tracee->state = TRACEE_CALLED;
	request(tracee, PTRACE_INTERRUPT, 0);
}

static void detach(struct pauser *pauser, struct tracee *tracee, int signal)
{
	/* A failure means that it is dying; then its end is still ours to take. */
	if (ptrace(PTRACE_DETACH, tracee->thread.tid, NULL, (void *)(intptr_t)signal) < 0)
		tracee->state = TRACEE_DYING;
	else
		tracees_drop(&pauser->tracees, tracee);
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
		detach(pauser, tracee, 0);
	} else if (is_stop_signal(signal)) {
		pauser->stats.group_stops += tracee->state != TRACEE_LISTENING;
		tracee->state = TRACEE_LISTENING;
		request(tracee, PTRACE_LISTEN, 0);
	} else if (is_wanted) {
		tracee->state = TRACEE_HELD;
	} else {
		pauser->stats.late_stops += tracee->state == TRACEE_CALLED;
		let_go_on(tracee, 0);
	}
}

/* Invariants 2 and 3. */
static void serve_signal(struct pauser *pauser, struct tracee *tracee, int signal)
{
	pauser->stats.signals_passed++;
	if (tracee->is_leaving) {
		detach(pauser, tracee, signal);
	} else if (tracee->state == TRACEE_CALLED && pauser->wanted == tracee->thread.tid) {
		call(tracee);
		let_go_on(tracee, signal);
		if (tracee->state == TRACEE_RUNNING)
			tracee->state = TRACEE_CALLED;
	} else {
		let_go_on(tracee, signal);
	}
}

static void forget(struct pauser *pauser, struct tracee *tracee)
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
		forget(pauser, tracees_find(&pauser->tracees, (pid_t)former));
	if (pauser->wanted == pid)
		pauser->wanted = 0;
	/* The open files of /proc may name the thread that had this id before. */
	thread_done(&tracee->thread);
	thread_init(&tracee->thread, pid, pid);
	let_go_on(tracee, 0);
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
	forget(pauser, tracee);
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
		let_go_on(tracee, 0);
	}
}

/* False when the event belongs to a child that is none of ours. */
static bool serve(struct pauser *pauser, const siginfo_t *event)
{
	struct tracee *tracee = tracees_find(&pauser->tracees, event->si_pid);
	bool is_stop = event->si_code == CLD_TRAPPED;

	if (!tracee && is_stop) {
		/* Only a tracee traps: a thread that got a new id in execve. */
		struct thread thread;

		thread_init(&thread, event->si_pid, event->si_pid);
		tracee = tracees_add(&pauser->tracees, &thread);
	}
	if (!tracee)
		return false;
	if (is_stop)
		serve_stop(pauser, tracee, event->si_status);
	else if (event->si_code != CLD_STOPPED && event->si_code != CLD_CONTINUED)
		serve_exit(pauser, tracee);
	return true;
}

static bool is_holding(const struct pauser *pauser)
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

	for (size_t i = pauser->tracees.n; i-- > 0 && !is_holding(pauser);) {
		/* Serving can drop entries; the ones not seen yet keep their places below i. */
		if (i >= pauser->tracees.n)
			continue;
		if (look(P_PID, pauser->tracees.items[i]->thread.tid, &event) > 0)
			n += serve(pauser, &event);
	}
	return n;
}

static int scan(struct pauser *pauser)
{
	siginfo_t event;
	int n = 0;

	while (!is_holding(pauser) && look(P_ALL, 0, &event) > 0) {
		if (!serve(pauser, &event)) {
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

static void drain(struct pauser *pauser)
{
	struct signalfd_siginfo signals[4];

	while (read(pauser->signal_fd, signals, sizeof(signals)) == (ssize_t)sizeof(signals))
		;
}

int pauser_pump(struct pauser *pauser)
{
	drain(pauser);
	return scan(pauser);
}

/* ---- the pause ---- */

/*
 * Sleep until a SIGCHLD, at most until the deadline; false when that has passed.  No signal tells that
 * a thread lost its id to one that called execve, so nobody sleeps long without a look.
 */
static bool wait_for_news(int64_t deadline_ns)
{
	int64_t left = deadline_ns - clock_monotonic_ns();
	struct timespec timeout = clock_timespec(min_of(max_of(left, 0), LOOK_AGAIN_NS));
	sigset_t chld = chld_set();

	return sigtimedwait(&chld, NULL, &timeout) == SIGCHLD || left > 0;
}

static void serve_wanted(struct pauser *pauser)
{
	siginfo_t event;
	int r = pauser->wanted ? look(P_PID, pauser->wanted, &event) : 0;

	if (r > 0)
		(void)serve(pauser, &event);
	else if (r == -ECHILD)
		forget(pauser, tracees_find(&pauser->tracees, pauser->wanted));
}

/* The wanted tracee's stop: served by itself first, so that others do not lengthen the wait. */
static enum pause_outcome await_stop(struct pauser *pauser, int64_t deadline_ns)
{
	for (;;) {
		struct tracee *tracee;

		serve_wanted(pauser);
		tracee = pauser->wanted ? tracees_find(&pauser->tracees, pauser->wanted) : NULL;
		if (!tracee)
			return PAUSE_GONE;
		if (tracee->state == TRACEE_HELD)
			return PAUSE_STOPPED;
		if (tracee->state == TRACEE_LISTENING)
			return PAUSE_STOPPED_ALREADY;
		if (!wait_for_news(deadline_ns))
			return PAUSE_TIMEOUT;
		(void)scan(pauser);
	}
}

/* May it be interrupted?  Invariant 6.  PAUSE_STOPPED: yes. */
static enum pause_outcome may_call(struct thread *thread)
{
	struct thread_view view;
	int r = thread_look(thread, &view);
	int letter;

	if (r < 0)
		return r == -EPERM || r == -EACCES ? PAUSE_DENIED : PAUSE_GONE;
	if (view.doing == THREAD_RUNNING)
		return PAUSE_STOPPED;
	if (view.doing != THREAD_BLOCKED)
		return PAUSE_ASLEEP;
	/* Not in a call and not running: waits for a page, was stopped, or is ending. */
	letter = thread_letter(thread);
	if (letter < 0 || letter == 'Z' || letter == 'X')
		return PAUSE_GONE;
	return letter == 'T' || letter == 't' || letter == 'R' ? PAUSE_STOPPED : PAUSE_ASLEEP;
}

/* Where on_chld() leads out of PTRACE_SEIZE; a signal handler has no other way to know (invariant 9). */
static _Thread_local sigjmp_buf *volatile seize_escape;

static void on_chld(int signal)
{
	(void)signal;
	if (seize_escape)
		siglongjmp(*seize_escape, 1);
}

/* 0, -errno, or -EINTR when something has to be served first.  Invariant 9. */
static int seize_or_escape(pid_t tid)
{
	sigset_t chld = chld_set();
	sigjmp_buf escape;
	int r;

	if (sigsetjmp(escape, 1)) {
		seize_escape = NULL;
		return process_tracer(tid) == gettid() ? 0 : -EINTR;
	}
	seize_escape = &escape;
	pthread_sigmask(SIG_UNBLOCK, &chld, NULL);
	r = ptrace(PTRACE_SEIZE, tid, NULL, (void *)(uintptr_t)PTRACE_O_TRACEEXEC) < 0 ? -errno : 0;
	pthread_sigmask(SIG_BLOCK, &chld, NULL);
	seize_escape = NULL;
	return r;
}

static int seize_until(struct pauser *pauser, pid_t tid, int64_t deadline_ns)
{
	const struct itimerspec off = {0}, at = {.it_value = clock_timespec(deadline_ns)};
	int r;

	timer_settime(pauser->deadline_timer, TIMER_ABSTIME, &at, NULL);
	while ((r = seize_or_escape(tid)) == -EINTR) {
		(void)scan(pauser);
		if (clock_monotonic_ns() >= deadline_ns)
			break;
	}
	timer_settime(pauser->deadline_timer, 0, &off, NULL);
	return r;
}

static enum pause_outcome seize(struct pauser *pauser, struct thread *thread, int64_t deadline_ns)
{
	int letter, r;

	if (pauser->tracees.n >= PAUSER_MAX_THREADS)
		return PAUSE_TIMEOUT;
	r = seize_until(pauser, thread->tid, deadline_ns);
	if (r == 0) {
		(void)tracees_add(&pauser->tracees, thread);
		thread_init(thread, thread->pid, thread->tid); /* its files are the table's now */
		return PAUSE_STOPPED;
	}
	if (r == -ESRCH || r == -EINTR)
		return r == -ESRCH ? PAUSE_GONE : PAUSE_TIMEOUT;
	pauser->other_tracer = process_tracer(thread->tid);
	if (pauser->other_tracer)
		return PAUSE_TRACED;
	letter = thread_letter(thread);
	return letter < 0 || letter == 'Z' || letter == 'X' ? PAUSE_GONE : PAUSE_DENIED;
}

/* Put a thread that is not ours on the leash, unless it sleeps. */
static enum pause_outcome leash(struct pauser *pauser, pid_t pid, pid_t tid, int64_t deadline_ns)
{
	struct thread thread;
	enum pause_outcome outcome;

	thread_init(&thread, pid, tid);
	outcome = may_call(&thread);
	if (outcome == PAUSE_STOPPED)
		outcome = seize(pauser, &thread, deadline_ns);
	thread_done(&thread);
	return outcome;
}

static enum pause_outcome pause_leashed(struct pauser *pauser, struct tracee *tracee,
					int64_t deadline_ns)
{
	pauser->wanted = tracee->thread.tid;
	tracee->paused_ns = clock_monotonic_ns();
	tracee->is_leaving = false;
	if (tracee->state == TRACEE_LISTENING)
		return PAUSE_STOPPED_ALREADY;
	if (pauser->beat)
		beat_pause_began(pauser->beat, tracee->paused_ns);
	call(tracee);
	return await_stop(pauser, deadline_ns);
}

/* No thread is wanted any more: the world may go on. */
static void end_pause(struct pauser *pauser)
{
	pauser->wanted = 0;
	if (pauser->beat)
		beat_pause_ended(pauser->beat);
	drain(pauser);
	(void)scan(pauser);
}

static bool is_pause(enum pause_outcome outcome)
{
	return outcome == PAUSE_STOPPED || outcome == PAUSE_STOPPED_ALREADY;
}

static enum pause_outcome account(struct pauser *pauser, enum pause_outcome outcome)
{
	pauser->stats.outcomes[outcome]++;
	if (is_pause(outcome))
		pauser->held_since_ns = clock_monotonic_ns();
	return outcome;
}

enum pause_outcome pause_thread(struct pauser *pauser, pid_t pid, pid_t tid, int64_t deadline_ns)
{
	struct tracee *tracee = tracees_find(&pauser->tracees, tid);
	enum pause_outcome outcome;
	siginfo_t event;

	assert(!pauser->wanted);
	if (tracee && tracee->state == TRACEE_DYING && look(P_PID, tid, &event) == -ECHILD) {
		forget(pauser, tracee);
		tracee = NULL;
	}
	if (!tracee) {
		outcome = leash(pauser, pid, tid, deadline_ns);
		tracee = tracees_find(&pauser->tracees, tid);
	} else if (tracee->state == TRACEE_DYING) {
		outcome = PAUSE_GONE;
	} else {
		outcome = tracee->state == TRACEE_LISTENING ? PAUSE_STOPPED
							    : may_call(&tracee->thread);
	}
	if (outcome != PAUSE_STOPPED || !tracee)
		return account(pauser, outcome);
	outcome = pause_leashed(pauser, tracee, deadline_ns);
	if (!is_pause(outcome))
		end_pause(pauser);
	return account(pauser, outcome);
}

static void account_hold(struct pauser *pauser)
{
	int64_t held = clock_monotonic_ns() - pauser->held_since_ns;

	pauser->stats.held_ns += held;
	pauser->stats.held_max_ns = max_of(pauser->stats.held_max_ns, held);
}

void pause_resume(struct pauser *pauser)
{
	struct tracee *tracee = tracees_find(&pauser->tracees, pauser->wanted);

	assert(tracee && (tracee->state == TRACEE_HELD || tracee->state == TRACEE_LISTENING));
	if (tracee->state == TRACEE_HELD)
		let_go_on(tracee, 0);
	account_hold(pauser);
	end_pause(pauser);
}

int pause_regs(struct pauser *pauser, struct pause_regs *ret_regs)
{
	const struct registers *registers = &pauser->registers;

	if (!is_holding(pauser))
		return -ESRCH;
	*ret_regs = (struct pause_regs){
		.pc = registers_pc(registers),
		.sp = registers_sp(registers),
		.fp = registers_fp(registers),
		.syscall = registers_syscall(registers),
	};
	return 0;
}

/* Sleep, so that a thread that shares our CPU can run; the slack of timers was taken off before. */
static void nap(void)
{
	struct timespec time = clock_timespec(NUDGE_NAP_NS);

	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/*
 * One short run.  On a CPU of its own the thread must first be woken, which takes longer than it
 * shall run: the scheduler's count of slices shows when it is there.
 */
static enum pause_outcome run_briefly(struct pauser *pauser, int64_t deadline_ns)
{
	struct tracee *tracee = tracees_find(&pauser->tracees, pauser->wanted);
	struct thread_cpu before = {0}, now = {0};

	if (thread_cpu(&tracee->thread, &before) < 0)
		before.slices = 0;
	let_go_on(tracee, 0);
	for (int i = 0; i < NUDGE_MAX_NAPS && now.slices <= before.slices; i++) {
		nap();
		if (thread_cpu(&tracee->thread, &now) < 0)
			break;
	}
	if (tracee->state == TRACEE_RUNNING)
		call(tracee);
	return await_stop(pauser, deadline_ns);
}

enum pause_outcome pause_nudge(struct pauser *pauser, int64_t deadline_ns)
{
	enum pause_outcome outcome = PAUSE_TIMEOUT;
	const struct registers before = pauser->registers;

	pauser->stats.nudges++;
	account_hold(pauser);
	/* A loop of one instruction never looks different: after some runs it is taken as it is. */
	for (int i = 0; i < NUDGE_MAX_RUNS && is_holding(pauser); i++) {
		outcome = run_briefly(pauser, deadline_ns);
		if (outcome != PAUSE_STOPPED || !registers_are_equal(&before, &pauser->registers))
			break;
	}
	if (is_pause(outcome)) {
		pauser->held_since_ns = clock_monotonic_ns();
		return outcome;
	}
	if (is_holding(pauser))
		let_go_on(tracees_find(&pauser->tracees, pauser->wanted), 0);
	end_pause(pauser);
	pauser->stats.outcomes[outcome]++;
	return outcome;
}

/* ---- letting go ---- */

/*
 * Would the call that it sleeps in, interrupted and started again, end when it would have ended?
 * Those below keep an absolute time in the kernel, or wait without a limit; others count their
 * timeout from the start again (epoll_wait), or may (receive with SO_RCVTIMEO).
 */
static bool is_call_exact(const struct thread_view *view)
{
	const char *name = thread_syscall_name(view->number);

	switch (view->doing) {
	case THREAD_RUNNING:
	case THREAD_FUTEX:
	case THREAD_CHILD:
		return true;
	case THREAD_NAP:
		return name && strcmp(name, "rt_sigtimedwait") != 0;
	case THREAD_POLL:
		return name &&
		       (strncmp(name, "epoll", strlen("epoll")) != 0 || (int)view->args[3] < 0);
	default:
		return false;
	}
}

/* Ask a tracee to stop so that it can be detached.  Later, when that would disturb its sleep. */
static void leave(struct tracee *tracee, bool is_forced)
{
	struct thread_view view;

	tracee->is_leaving = true;
	if (tracee->state == TRACEE_DYING)
		return;
	if (tracee->state == TRACEE_LISTENING || is_forced ||
	    (thread_look(&tracee->thread, &view) >= 0 && is_call_exact(&view)))
		call(tracee);
}

void pauser_release(struct pauser *pauser, pid_t tid)
{
	struct tracee *tracee = tracees_find(&pauser->tracees, tid);

	assert(tid != pauser->wanted);
	if (tracee)
		leave(tracee, false);
}

void pauser_release_idle(struct pauser *pauser, int64_t idle_ns)
{
	int64_t before = clock_monotonic_ns() - idle_ns;

	assert(!pauser->wanted);
	for (size_t i = 0; i < pauser->tracees.n; i++)
		if (pauser->tracees.items[i]->paused_ns < before)
			leave(pauser->tracees.items[i], false);
}

static void release_all(struct pauser *pauser)
{
	int64_t deadline = clock_monotonic_ns() + FREE_TIMEOUT_NS;

	if (pauser->wanted)
		pause_resume(pauser);
	for (size_t i = 0; i < pauser->tracees.n; i++)
		leave(pauser->tracees.items[i], true);
	do
		(void)scan(pauser);
	while (pauser->tracees.n && wait_for_news(deadline));
}

/* ---- life ---- */

/*
 * From Linux 6.12 on a thread that asks for short slices preempts one with long slices when it wakes
 * up.  Beside busy threads a nudge takes 0.6 ms instead of 2.7 ms, and ticks come in time.  Older
 * kernels refuse or ignore it.
 */
static void ask_for_short_slices(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime_ns, deadline_ns, period_ns;
	} attributes = {.size = sizeof(attributes)};

	if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) < 0 ||
	    attributes.policy != SCHED_OTHER)
		return;
	attributes.runtime_ns = SHORT_SLICE_NS;
	(void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

/* Everything of the calling thread that has to be other than usual; take_back() restores it. */
static void prepare_thread(struct pauser *pauser)
{
	struct sigaction action = {.sa_handler = on_chld};
	sigset_t chld = chld_set();

	pthread_sigmask(SIG_BLOCK, &chld, &pauser->old_mask);
	/* Also since an ignored SIGCHLD, inherited from a shell, would never come. */
	sigaction(SIGCHLD, &action, &pauser->old_action);
	/* Naps of microseconds; by default the kernel adds up to 50 us. */
	pauser->old_slack = prctl(PR_GET_TIMERSLACK);
	prctl(PR_SET_TIMERSLACK, 1ul);
	ask_for_short_slices();
}

static void take_back(struct pauser *pauser)
{
	sigaction(SIGCHLD, &pauser->old_action, NULL);
	prctl(PR_SET_TIMERSLACK, (unsigned long)pauser->old_slack);
	pthread_sigmask(SIG_SETMASK, &pauser->old_mask, NULL);
}

static int deadline_timer_new(timer_t *ret_timer)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGCHLD};

	event._sigev_un._tid = gettid();
	return timer_create(CLOCK_MONOTONIC, &event, ret_timer) < 0 ? -errno : 0;
}

struct pauser *pauser_new(struct heartbeat *beat, struct err *err)
{
	struct pauser *pauser = xcalloc(1, sizeof(*pauser));
	sigset_t chld = chld_set();
	int r = deadline_timer_new(&pauser->deadline_timer);

	pauser->signal_fd = r < 0 ? -1 : signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	if (pauser->signal_fd < 0) {
		err_sys(err, r < 0 ? r : -errno, "cannot watch for stopped threads");
		if (r >= 0)
			timer_delete(pauser->deadline_timer);
		free(pauser);
		return NULL;
	}
	pauser->beat = beat;
	prepare_thread(pauser);
	return pauser;
}

void pauser_free(struct pauser *pauser)
{
	if (!pauser)
		return;
	release_all(pauser);
	tracees_done(&pauser->tracees);
	timer_delete(pauser->deadline_timer);
	close(pauser->signal_fd);
	take_back(pauser);
	free(pauser);
}

int pauser_fd(const struct pauser *pauser)
{
	return pauser->signal_fd;
}

size_t pauser_threads(const struct pauser *pauser)
{
	return pauser->tracees.n;
}

const struct pause_stats *pauser_stats(const struct pauser *pauser)
{
	return &pauser->stats;
}

pid_t pauser_other_tracer(const struct pauser *pauser)
{
	return pauser->other_tracer;
}

const char *pause_outcome_name(enum pause_outcome outcome)
{
	static const char *const names[PAUSE_OUTCOMES] = {
		[PAUSE_STOPPED] = "stopped", [PAUSE_STOPPED_ALREADY] = "stopped already",
		[PAUSE_ASLEEP] = "asleep",   [PAUSE_TRACED] = "traced by another",
		[PAUSE_DENIED] = "denied",   [PAUSE_GONE] = "gone",
		[PAUSE_TIMEOUT] = "timeout",
	};

	return outcome < PAUSE_OUTCOMES ? names[outcome] : "unknown";
}
