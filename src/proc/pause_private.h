/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the pause share: pause.c is their manual, and numbers the invariants. */
#ifndef PROC_PAUSE_PRIVATE_H
#define PROC_PAUSE_PRIVATE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>

#include "proc/pause.h"
#include "proc/registers_private.h"
#include "proc/tracees_private.h"
#include "proc/urgency_private.h"

struct pauser {
	struct tracees tracees;
	struct heartbeat *beat;
	struct urgency urgency;
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

/* ---- pause_events.c: what the kernel reports, and what is asked of it ---- */

sigset_t pauser_chld_set(void);

/*
 * 1 when there is something to serve for one thread (P_PID) or any (P_ALL), 0 when not, -ECHILD when
 * that thread is none of ours (any more): another thread of its process called execve and took its id.
 */
int pauser_look(idtype_t type, pid_t tid, siginfo_t *ret_event) nodiscard;
/* False when the event belongs to a child that is none of ours. */
bool pauser_serve(struct pauser *pauser, const siginfo_t *event);
/* Serve all that pauser_look() shows, unless a tracee is HELD (invariant 4); returns the events. */
int pauser_scan(struct pauser *pauser);
/* Consume the SIGCHLDs so far; pauser_scan() must follow (invariant 5). */
void pauser_drain(struct pauser *pauser);
/* Sleep until a SIGCHLD, a little at most; false when the deadline has passed. */
bool pauser_wait_for_news(int64_t deadline_ns) nodiscard;
bool pauser_is_holding(const struct pauser *pauser) nodiscard;
/* Drop a tracee (NULL is fine), and the wish to pause it. */
void pauser_forget(struct pauser *pauser, struct tracee *tracee);
/* PTRACE_CONT, PTRACE_DETACH and PTRACE_INTERRUPT; a failure makes it DYING (invariant 8). */
void tracee_let_go_on(struct tracee *tracee, int signal);
void tracee_free(struct tracee *tracee, int signal);
void tracee_call(struct tracee *tracee);

/* ---- pause_seize.c: taking a thread on the leash ---- */

/* May it be interrupted (PAUSE_STOPPED), or why not?  Invariant 6. */
enum pause_outcome thread_may_call(struct thread *thread) nodiscard;
/* Seize a thread: PAUSE_STOPPED when it is RUNNING in the table now. */
enum pause_outcome pauser_leash(struct pauser *pauser, pid_t pid, pid_t tid,
				int64_t deadline_ns) nodiscard;
/* The handler of SIGCHLD (invariant 9). */
void pauser_on_chld(int signal);

#endif
