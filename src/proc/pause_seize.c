/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PTRACE_SEIZE, which can wait inside the kernel (invariant 9 of pause.c): a signal leads out of it.
 */
#include "proc/pause_private.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/process.h"

#define LOOK_MAX_TRIES 3

static bool has_ended(int letter)
{
	return letter < 0 || letter == 'Z' || letter == 'X';
}

/*
 * Not on a CPU, and what then?  An uninterruptible sleep ends when it ends: the interrupt waits for it, and finds
 * the thread on its way back to user mode.  That is where a target is met that maps memory all the time, since
 * our own reads take the lock that mmap and munmap wait for.
 */
static enum pause_outcome may_call_waiting(enum thread_doing doing, int letter)
{
	if (has_ended(letter))
		return PAUSE_GONE;
	if (letter == 'D')
		return PAUSE_STOPPED;
	/* Not in a call and not running: was stopped, or is ending. */
	if (doing == THREAD_BLOCKED && (letter == 'T' || letter == 't' || letter == 'R'))
		return PAUSE_STOPPED;
	return PAUSE_ASLEEP;
}

enum pause_outcome thread_may_call(struct thread *thread)
{
	enum pause_outcome outcome = PAUSE_ASLEEP;

	for (int i = 0; i < LOOK_MAX_TRIES; i++) {
		struct thread_view view;
		int r = thread_look(thread, &view);

		if (r < 0) {
			/* What has ended has no memory left, and is nobody's to look at but root's. */
			bool is_denied =
				(r == -EPERM || r == -EACCES) && !has_ended(thread_letter(thread));

			return is_denied ? PAUSE_DENIED : PAUSE_GONE;
		}
		if (view.doing == THREAD_RUNNING)
			return PAUSE_STOPPED;
		int letter = thread_letter(thread);
		outcome = may_call_waiting(view.doing, letter);
		if (letter != 'R') /* else it woke up between the two questions */
			break;
	}
	return outcome;
}

/*
 * Where pauser_on_chld() leads out of PTRACE_SEIZE (invariant 9); a handler has no other way to know.
 * volatile: the compiler takes ptrace() for a leaf that calls nothing of this file.
 */
static _Thread_local sigjmp_buf *volatile seize_escape;

void pauser_on_chld(int signal)
{
	(void)signal;
	if (seize_escape)
		siglongjmp(*seize_escape, 1);
}

/* 0, -errno, or -EINTR when something has to be served first.  Invariant 9. */
static int seize_or_escape(pid_t tid)
{
	sigset_t chld = pauser_chld_set();
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
		pauser_scan(pauser);
		if (clock_monotonic_ns() >= deadline_ns)
			break;
	}
	timer_settime(pauser->deadline_timer, 0, &off, NULL);
	return r;
}

/* Its entry is found anew: what was served meanwhile may have dropped it. */
static void adopt(struct pauser *pauser, pid_t pid, pid_t tid)
{
	struct tracee *tracee = tracees_find(&pauser->tracees, tid);
	struct thread thread;

	if (!tracee) {
		thread_init(&thread, pid, tid);
		tracee = tracees_add(&pauser->tracees, &thread);
	}
	tracee->state = TRACEE_RUNNING;
	tracee->is_leaving = false;
}

enum pause_outcome pauser_leash(struct pauser *pauser, pid_t pid, pid_t tid, int64_t deadline_ns)
{
	struct tracee *tracee;
	int r = seize_until(pauser, tid, deadline_ns);

	/* Led out just after it had succeeded; or served meanwhile as one that took this id in execve. */
	if (r == 0 || (r == -EPERM && process_tracer(tid) == gettid())) {
		adopt(pauser, pid, tid);
		return PAUSE_STOPPED;
	}
	if (r == -ESRCH || r == -EINTR)
		return r == -ESRCH ? PAUSE_GONE : PAUSE_TIMEOUT;
	pauser->other_tracer = process_tracer(tid);
	if (pauser->other_tracer)
		return PAUSE_TRACED;
	tracee = tracees_find(&pauser->tracees, tid);
	return !tracee || has_ended(thread_letter(&tracee->thread)) ? PAUSE_GONE : PAUSE_DENIED;
}
