/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a pauser: what it needs of its thread, and letting go of everything in the end. */
#include "proc/pause_private.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"

#define FREE_TIMEOUT_NS (100 * NS_PER_MS)

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
static void leave(struct pauser *pauser, struct tracee *tracee, bool is_forced)
{
	struct thread_view view;

	if (tracee->state == TRACEE_FREE) {
		tracees_drop(&pauser->tracees, tracee);
		return;
	}
	tracee->is_leaving = true;
	if (tracee->state == TRACEE_DYING)
		return;
	if (tracee->state == TRACEE_LISTENING || is_forced ||
	    (thread_look(&tracee->thread, &view) >= 0 && is_call_exact(&view)))
		tracee_call(tracee);
}

void pauser_release(struct pauser *pauser, pid_t tid)
{
	struct tracee *tracee = tracees_find(&pauser->tracees, tid);

	assert(tid != pauser->wanted);
	if (tracee)
		leave(pauser, tracee, false);
}

/* Backwards: those that are dropped give their places to others behind them. */
static void leave_all(struct pauser *pauser, int64_t paused_before_ns, bool is_forced)
{
	for (size_t i = pauser->tracees.n; i-- > 0;)
		if (pauser->tracees.items[i]->paused_ns < paused_before_ns)
			leave(pauser, pauser->tracees.items[i], is_forced);
}

void pauser_release_idle(struct pauser *pauser, int64_t idle_ns)
{
	assert(!pauser->wanted);
	leave_all(pauser, clock_monotonic_ns() - idle_ns, false);
}

static void release_all(struct pauser *pauser)
{
	int64_t deadline = clock_monotonic_ns() + FREE_TIMEOUT_NS;

	if (pauser->wanted)
		pause_resume(pauser);
	leave_all(pauser, INT64_MAX, true);
	do
		pauser_scan(pauser);
	while (pauser_threads(pauser) && pauser_wait_for_news(deadline));
}

/* ---- life ---- */

/* Everything of the calling thread that has to be other than usual; take_back() restores it. */
static void prepare_thread(struct pauser *pauser)
{
	struct sigaction action = {.sa_handler = pauser_on_chld};
	sigset_t chld = pauser_chld_set();

	pthread_sigmask(SIG_BLOCK, &chld, &pauser->old_mask);
	/* Also since an ignored SIGCHLD, inherited from a shell, would never come. */
	sigaction(SIGCHLD, &action, &pauser->old_action);
	/* Naps of microseconds; by default the kernel adds up to 50 us. */
	pauser->old_slack = prctl(PR_GET_TIMERSLACK);
	prctl(PR_SET_TIMERSLACK, 1ul);
	urgency_init(&pauser->urgency);
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
	sigset_t chld = pauser_chld_set();
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
	size_t n = 0;

	for (size_t i = 0; i < pauser->tracees.n; i++)
		n += pauser->tracees.items[i]->state != TRACEE_FREE;
	return n;
}

const struct pause_stats *pauser_stats(const struct pauser *pauser)
{
	return &pauser->stats;
}

pid_t pauser_other_tracer(const struct pauser *pauser)
{
	return pauser->other_tracer;
}
