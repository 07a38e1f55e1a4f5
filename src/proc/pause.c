/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pause as a state machine over the stops that the kernel reports.
 *
 *	        SEIZE            INTERRUPT           event-stop, wanted
 *	 FREE ─────────▶ RUNNING ─────────▶ CALLED ───────────────────▶ HELD ──┐
 *	  ▲ ▲ ▲ ▲           ▲                │ │ │ signal, wanted:         │ │  │
 *	  │ │ │ │           └── a nudge: CONT ────────────────────────────┘ │  │
 *	  │ │ │ │                            │ │ └─▶ INTERRUPT, CONT(sig): CALLED │
 *	  │ │ │ └─────────── DETACH ─────────────────────────────────────────┘  │
 *	  │ │ └── a stop that nobody waits for: DETACH, with its signal        │
 *	  │ │                                │                                 │
 *	  │ └─ event-stop ── LISTENING ◀─────┘ group-stop: LISTEN              │
 *	  └── exit seen ──── DYING ◀── a request answered ESRCH ◀──────────────┘
 *
 * Between pauses a thread is FREE: not ours at all, only its files of /proc are kept open.  A leash that
 * stays on costs the target two context switches for each of its signals, wakes its sleepers for signals
 * that it ignores (2 of 15,000 sleeps then saw an EINTR that could not be repaired), and leaves more to
 * go wrong when we die; taking it off and on again costs 1.2 us a pause.
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
 *     again before its handler's first instruction), and at a stop that nobody waits for it is freed.
 *  4. At most one tracee is HELD, and while one is, no other event is served: its stop would be
 *     found again and again (1).  end_pause() serves what was missed.
 *  5. Every SIGCHLD that is consumed is followed by a look at all tracees before we sleep or return,
 *     or at the end of the pause (4): SIGCHLDs coalesce, one may stand for many stops.
 *  6. No tracee is interrupted that sleeps in the kernel, but for the uninterruptible sleeps, which end
 *     when they end (locks of memory, page faults, disks); one that went to sleep in the last
 *     microseconds is repaired: EINTR is turned into "start again" at *every* stop, since a traced
 *     thread also wakes up for signals that it ignores, which it would sleep through without us.
 *     (Two threads on the leash can wake up for one such signal, and the one that does not get it has
 *     nothing to stop for: one more reason for few threads on it, for a short time.)
 *  7. PTRACE_O_EXITKILL is never set, single steps are never made, the signal mask of the target is
 *     never changed, nothing is written into it: nothing has to be undone if we die.
 *  8. ESRCH from any request means that the tracee is being killed: its end will be reported, and
 *     until then it is DYING and left alone.
 *  9. PTRACE_SEIZE waits inside the kernel while the target is in execve, and execve waits until we
 *     have taken the ends of the threads it killed: a deadlock (Linux 6.18, cred_guard_mutex).  So
 *     SIGCHLD, blocked everywhere else, is let in during PTRACE_SEIZE and leads out of it; a timer
 *     that sends it bounds the wait.
 */
#include "proc/pause_private.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "proc/watchdog.h"

/*
 * A nudged thread runs for a nap of ours, more and longer ones while it waits for a CPU, and again as long as
 * it has not moved.  Interrupted before it got one it would stop where it stands, however often.
 */
#define NUDGE_NAP_NS (5 * NS_PER_US)
#define NUDGE_SHORT_NAPS 20
#define NUDGE_LONG_NAP_NS (100 * NS_PER_US)
#define NUDGE_MAX_RUNS 8

static void serve_wanted(struct pauser *pauser)
{
	siginfo_t event;
	int r = pauser->wanted ? pauser_look(P_PID, pauser->wanted, &event) : 0;

	if (r > 0)
		pauser_serve(pauser, &event);
	else if (r == -ECHILD)
		pauser_forget(pauser, tracees_find(&pauser->tracees, pauser->wanted));
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
		if (!pauser_wait_for_news(deadline_ns))
			return PAUSE_TIMEOUT;
		pauser_scan(pauser);
	}
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
	urgency_raise(&pauser->urgency);
	tracee_call(tracee);
	return await_stop(pauser, deadline_ns);
}

/* No thread is wanted any more: the world may go on. */
static void end_pause(struct pauser *pauser)
{
	pauser->wanted = 0;
	urgency_lower(&pauser->urgency);
	if (pauser->beat)
		beat_pause_ended(pauser->beat);
	pauser_drain(pauser);
	pauser_scan(pauser);
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

/* Whose end was taken by others, or seen in its files, is not told of the next that gets its id. */
static struct tracee *know(struct pauser *pauser, pid_t pid, pid_t tid)
{
	struct tracee *tracee = tracees_find(&pauser->tracees, tid);
	struct thread thread;
	siginfo_t event;

	if (tracee && tracee->state == TRACEE_DYING && pauser_look(P_PID, tid, &event) == -ECHILD) {
		pauser_forget(pauser, tracee);
		tracee = NULL;
	}
	if (tracee)
		return tracee;
	if (pauser->tracees.n >= PAUSER_MAX_THREADS)
		return NULL;
	thread_init(&thread, pid, tid);
	return tracees_add(&pauser->tracees, &thread);
}

/* PAUSE_STOPPED when it is on the leash and may be interrupted. */
static enum pause_outcome approach(struct pauser *pauser, struct tracee *tracee,
				   int64_t deadline_ns)
{
	enum pause_outcome outcome;

	if (tracee->state == TRACEE_DYING)
		return PAUSE_GONE;
	if (tracee->state == TRACEE_LISTENING)
		return PAUSE_STOPPED;
	outcome = thread_may_call(&tracee->thread);
	if (tracee->state != TRACEE_FREE)
		return outcome;
	if (outcome == PAUSE_STOPPED)
		return pauser_leash(pauser, tracee->thread.pid, tracee->thread.tid, deadline_ns);
	if (outcome == PAUSE_GONE)
		pauser_forget(pauser, tracee);
	return outcome;
}

enum pause_outcome pause_thread(struct pauser *pauser, pid_t pid, pid_t tid, int64_t deadline_ns)
{
	struct tracee *tracee;
	enum pause_outcome outcome;

	assert(!pauser->wanted);
	tracee = know(pauser, pid, tid);
	outcome = tracee ? approach(pauser, tracee, deadline_ns) : PAUSE_TIMEOUT;
	if (outcome != PAUSE_STOPPED)
		return account(pauser, outcome);
	/* Found anew: serving others, as approach() may have to, moves entries. */
	tracee = tracees_find(&pauser->tracees, tid);
	if (!tracee)
		return account(pauser, PAUSE_GONE);
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

	/* One that its user had stopped may have ended meanwhile, if pauser_pump() was called. */
	if (tracee && tracee->state == TRACEE_HELD)
		tracee_free(tracee, 0);
	account_hold(pauser);
	end_pause(pauser);
}

int pause_regs(struct pauser *pauser, struct pause_regs *ret_regs)
{
	const struct registers *registers = &pauser->registers;

	if (!pauser_is_holding(pauser))
		return -ESRCH;
	registers_tell(registers, ret_regs);
	return 0;
}

/* Sleep, so that a thread that shares our CPU can run; the slack of timers was taken off before. */
static void nap(int64_t ns)
{
	struct timespec time = clock_timespec(ns);

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
	tracee_let_go_on(tracee, 0);
	for (int i = 0; now.slices <= before.slices; i++) {
		nap(i < NUDGE_SHORT_NAPS ? NUDGE_NAP_NS : NUDGE_LONG_NAP_NS);
		if (thread_cpu(&tracee->thread, &now) < 0)
			break;
		if (i >= NUDGE_SHORT_NAPS && clock_monotonic_ns() >= deadline_ns)
			break;
	}
	/* Invariant 6: it may have gone to sleep. */
	if (thread_may_call(&tracee->thread) == PAUSE_ASLEEP)
		return PAUSE_ASLEEP;
	if (tracee->state == TRACEE_RUNNING)
		tracee_call(tracee);
	return await_stop(pauser, deadline_ns);
}

enum pause_outcome pause_nudge(struct pauser *pauser, int64_t deadline_ns)
{
	enum pause_outcome outcome = PAUSE_TIMEOUT;
	const struct registers before = pauser->registers;

	pauser->stats.nudges++;
	account_hold(pauser);
	/* A loop of one instruction never looks different: after some runs it is taken as it is. */
	for (int i = 0; i < NUDGE_MAX_RUNS && pauser_is_holding(pauser); i++) {
		outcome = run_briefly(pauser, deadline_ns);
		if (outcome != PAUSE_STOPPED || !registers_are_equal(&before, &pauser->registers))
			break;
	}
	if (is_pause(outcome)) {
		pauser->held_since_ns = clock_monotonic_ns();
		return outcome;
	}
	if (pauser_is_holding(pauser))
		tracee_free(tracees_find(&pauser->tracees, pauser->wanted), 0);
	end_pause(pauser);
	pauser->stats.outcomes[outcome]++;
	return outcome;
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
