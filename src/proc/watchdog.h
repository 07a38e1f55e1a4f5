/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: a process that watches the reader and kills it rather than let a target stand still.
 *
 *	front ──fork──▶ keeper ──fork──▶ reader ──ptrace──▶ target
 *	(user, files,    (this file)      (all that needs
 *	 network)                          rights)
 *
 * The kernel frees a target when its tracer dies, but not when the tracer is stopped, swapped out
 * or stuck.  So the reader runs as a process of its own, and shares one page with its keeper: a
 * heartbeat and the time at which the present pause began.  A pause longer than pause_limit_ns, or
 * no heartbeat for beat_limit_ns while threads are on the leash: SIGKILL, and the target runs on.
 * Then the reader is started again, with back-off, and that is counted.
 *
 * The keeper is in a session of its own: Ctrl-Z and Ctrl-C at the front's terminal reach neither it
 * nor the reader.  It dies with the front (parent-death signal, and a pipe that closes), the reader
 * with the keeper.  It looks at the page every 20 ms (0.05 % of a CPU).
 *
 * Who may call: keeper_* belong to one thread of the front; beat_* to the reader.
 */
#ifndef PROC_WATCHDOG_H
#define PROC_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define KEEPER_PAUSE_LIMIT_NS (100 * 1000000ll)
#define KEEPER_BEAT_LIMIT_NS (1000 * 1000000ll)

/* ---- the page, as the reader sees it ---- */

/* Shared between front, keeper and reader.  Times are CLOCK_MONOTONIC, 0: none. */
struct heartbeat {
	_Atomic int64_t beat_ns; /* the reader was alive; 0: it does not trace, do not watch */
	_Atomic int64_t pause_began_ns; /* a thread of a target stands still since */
	_Atomic uint32_t starts;	/* how often the reader was started */
	_Atomic uint32_t kills;		/* by the keeper: a pause or a silence too long */
	_Atomic uint32_t deaths;	/* of anything else but its own exit */
	_Atomic int32_t reader_pid;	/* 0: not running */
	_Atomic int32_t exit_status;	/* of the last reader, as waitpid() gives it */
};

/* "I am alive."  At least every 300 ms while tracing: from the tick loop. */
void beat_now(struct heartbeat *beat);
/* Nothing is on the leash: silence is fine from here on. */
void beat_rest(struct heartbeat *beat);
/* The pauser calls these itself. */
void beat_pause_began(struct heartbeat *beat, int64_t now_ns);
void beat_pause_ended(struct heartbeat *beat);

/* ---- the keeper, as the front sees it ---- */

struct keeper_config {
	/*
	 * The reader's whole life; runs in its own process and returns its exit code.  `start`
	 * counts from 1.  SIGTERM (default action restored, not blocked) asks it to end; it may
	 * block and read it from a signalfd.  An exit code of 0, or one below `retry_from`, is
	 * final; death by a signal and codes from `retry_from` up start it again.
	 */
	int (*reader)(void *ctx, struct heartbeat *beat, uint32_t start);
	void *ctx;
	int retry_from;		/* 0 means 128: only deaths are tried again */
	uint32_t max_starts;	/* in a row, each shorter than 10 s; 0 means 5 */
	int64_t pause_limit_ns; /* 0: KEEPER_PAUSE_LIMIT_NS */
	int64_t beat_limit_ns;	/* 0: KEEPER_BEAT_LIMIT_NS */
};

struct keeper {
	pid_t pid;   /* of the keeper */
	int pid_fd;  /* readable when the keeper has ended; -1 on a kernel without pidfd */
	int pipe_fd; /* closing it ends keeper and reader */
	struct heartbeat *beat;
};

/*
 * Fork the keeper, which forks the reader.  Both inherit the open descriptors of the front (the
 * other end of a socket pair) and may close what they do not need; they never return from this
 * call.  Call it before the front makes threads and before it drops its rights.
 */
int keeper_start(struct keeper *keeper, const struct keeper_config *config,
		 struct err *err) nodiscard;

/* Ask the reader to end (SIGTERM by way of the keeper); after `grace_ns` it is killed. */
void keeper_stop(struct keeper *keeper, int64_t grace_ns);

/*
 * Wait until keeper and reader have ended, at most until `deadline_ns` (CLOCK_MONOTONIC), then kill
 * them.  Returns the last reader's exit code, 128 + signal when it died of one, -ETIMEDOUT, or
 * -EOWNERDEAD when somebody killed the keeper itself (the reader dies with it).
 */
int keeper_wait(struct keeper *keeper, int64_t deadline_ns) nodiscard;

/* Kills what is left and frees; all-zero is fine. */
void keeper_done(struct keeper *keeper);

#endif
