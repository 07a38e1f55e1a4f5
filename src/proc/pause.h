/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pause: one thread of a live process stands still for some microseconds, and nobody notices.
 *
 * A thread is *on the leash* (ptrace SEIZE) for the length of a pause and no longer: between two pauses
 * nobody traces it, its signals are its own, and our death is nothing to it.  Two kinds stay on it for a
 * while, and every signal to them stops them until we pass it on: those that did not stop by their
 * deadline, until they do, and those that their user stopped.  So the owner of a pauser serves it at all
 * times, not only at its ticks:
 *
 *	struct pollfd fds[] = {{timer, POLLIN}, {pauser_fd(pauser), POLLIN}};
 *	...
 *	poll(fds, 2, -1);
 *	pauser_pump(pauser);			whenever pauser_fd() is readable
 *	if (tick)
 *		switch (pause_thread(pauser, pid, tid, deadline)) {
 *		case PAUSE_STOPPED:
 *		case PAUSE_STOPPED_ALREADY:
 *			read memory;		within a millisecond
 *			pause_resume(pauser);
 *		...
 *
 * What it promises, whatever the target does (proven in tests/integration/test_pause.py):
 * - Signals to the target are delivered, all, once, in order, with their siginfo, within 1 ms of
 * our being awake; those that arrive in a pause right after it.
 * - A target that its user stopped (Ctrl-Z, SIGSTOP) stays stopped, and goes on at SIGCONT.
 * - No system call of the target returns EINTR because of us, and a thread that sleeps is not touched;
 *   with one exception that nobody outside the kernel can mend: a thread that went to sleep in the
 *   microsecond between our look and our call, when we are killed before its repair (that one call).
 * - fork, clone, exec, exit go on as if we were not there; a child of the target is never traced.
 * - If this process dies at any instant, of anything, the kernel frees every thread and delivers
 * what was on its way.  (This is why there is no single-stepping: see pause_nudge().)
 * - A target that somebody else traces is left alone, and that is said.
 * - Nothing here waits longer than its deadline.
 *
 * What it costs: a pause is a dozen system calls and 15-25 us of ours; the target sees 25-70 us when
 * it shares CPUs, 110-150 us where an idle virtual CPU must be woken.  Where we may (CAP_SYS_NICE) we
 * are at a real-time priority while somebody stands still (proc/urgency_private.h).
 *
 * Threads: everything must be called from the thread that made the pauser (ptrace binds tracees to
 * a thread).  SIGCHLD is blocked in that thread and must be in all others of the process.  Other
 * children of this process are left to whoever waits for them, but not by waiting for "any" child.
 */
#ifndef PROC_PAUSE_H
#define PROC_PAUSE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "proc/memory.h"

#define PAUSER_MAX_THREADS 4096 /* known at one time: paused, and not forgotten since */

struct pauser;
struct heartbeat;

enum pause_outcome {
	PAUSE_STOPPED,	       /* stands still for us: read, then pause_resume() */
	PAUSE_STOPPED_ALREADY, /* its user stopped it: read, then pause_resume(), it stays stopped
				*/
	PAUSE_ASLEEP,  /* waits in the kernel (not: uninterruptibly, which passes) and was not
				* touched: read it as it is */
	PAUSE_TRACED,  /* somebody else traces it: pauser_other_tracer() */
	PAUSE_DENIED,  /* no right to: rights_check() says why */
	PAUSE_GONE,    /* has ended, or ended while we waited */
	PAUSE_TIMEOUT, /* did not stop by the deadline (or the table of threads is full) */
	PAUSE_OUTCOMES,
};

struct pause_stats {
	uint64_t outcomes[PAUSE_OUTCOMES];
	uint64_t nudges;
	uint64_t signals_passed; /* went through us to the target */
	uint64_t group_stops;	 /* the target was stopped by its user */
	uint64_t eintr_repaired; /* system calls that would have seen EINTR */
	uint64_t execs;		 /* a thread on the leash became another program */
	uint64_t exits;		 /* threads on the leash that ended */
	uint64_t late_stops;	 /* stopped after PAUSE_TIMEOUT, and were let go on */
	int64_t held_ns;	 /* stop seen to resumed, all pauses together */
	int64_t held_max_ns;
};

/* All general registers by their DWARF numbers; the last is the program counter. */
#if defined(__aarch64__)
#define PAUSE_REGS 33 /* x0 to x30, sp, pc */
#else
#define PAUSE_REGS 17 /* rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15, rip */
#endif

struct pause_regs {
	uint64_t pc, sp, fp;
	uint64_t all[PAUSE_REGS];
	int64_t syscall; /* number of the system call it stopped in, -1: none */
	uint64_t tls; /* where libc keeps what is the thread's own; 0: not told by this processor */
};

/*
 * `beat` (proc/watchdog.h, borrowed, may be NULL) is told when a pause begins and ends, so that a
 * keeper can kill us when one lasts too long.  Fails when the kernel gives no signalfd.
 */
struct pauser *pauser_new(struct heartbeat *beat, struct err *err) nodiscard;
/* Releases every thread first, for at most 100 ms; what could not be by then the exit of this
 * thread frees. */
void pauser_free(struct pauser *pauser);

/* Readable when there is something to serve. */
int pauser_fd(const struct pauser *pauser) nodiscard;
/* Serve all that has happened; never waits.  Returns the number of events. */
int pauser_pump(struct pauser *pauser);

/*
 * Make thread `tid` of process `pid` stand still, by `deadline_ns` (CLOCK_MONOTONIC) at the latest.
 * Serves all other threads meanwhile.  At most one thread is paused at a time; after PAUSE_STOPPED
 * and PAUSE_STOPPED_ALREADY, and only then, pause_resume() must follow.
 */
enum pause_outcome pause_thread(struct pauser *pauser, pid_t pid, pid_t tid,
				int64_t deadline_ns) nodiscard;

/*
 * Let the paused thread go on by as little as can be done safely, and stop it again: for a reader that
 * found it in the middle of something (a frame half pushed) and wants the next whole state.  Outcomes
 * as pause_thread(); PAUSE_ASLEEP when it went to sleep meanwhile.  Any outcome but the two
 * PAUSE_STOPPED… ends the pause.
 *
 * Single-stepping would be finer, but a target whose tracer is killed between PTRACE_SINGLESTEP and
 * the next PTRACE_CONT dies of SIGTRAP (Linux 6.18, measured: always).  So it is a very short run:
 * 1-10 us, and longer only when the target has to be put on a CPU first.
 */
enum pause_outcome pause_nudge(struct pauser *pauser, int64_t deadline_ns) nodiscard;

/* Of the paused thread, as they were when it stopped; -ESRCH after PAUSE_STOPPED_ALREADY. */
int pause_regs(struct pauser *pauser, struct pause_regs *ret_regs) nodiscard;

/* End the pause.  The thread may have been killed meanwhile: that is served, not reported. */
void pause_resume(struct pauser *pauser);

/*
 * Forget one thread, or those not paused for `idle_ns` (open files are kept for each that was), and take
 * the leash off if it is on.  A thread that could not be asked now without disturbing what it waits for
 * comes off at its next stop, or when asked again: so call it again, as chores do, until
 * pauser_threads() says that it is off.
 */
void pauser_release(struct pauser *pauser, pid_t tid);
void pauser_release_idle(struct pauser *pauser, int64_t idle_ns);

/* How many threads are on the leash now. */
size_t pauser_threads(const struct pauser *pauser) nodiscard;
const struct pause_stats *pauser_stats(const struct pauser *pauser) nodiscard;
/* Who traced the thread at the last PAUSE_TRACED. */
pid_t pauser_other_tracer(const struct pauser *pauser) nodiscard;
/* "stopped", "asleep", …: a constant string. */
const char *pause_outcome_name(enum pause_outcome outcome);

#endif
