/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: a process that watches the readers and kills one rather than let a target stand still.
 *
 *	front ──fork──▶ keeper ──fork──▶ reader ──ptrace──▶ target
 *	(user, files,    (this file)  └─▶ reader ──ptrace──▶ its child
 *	 network)                          (all that needs rights)
 *
 * The kernel frees a target when its tracer dies, but not when the tracer is stopped, swapped out
 * or stuck.  So every target has a reader of its own, a process that shares one page with its keeper: a
 * heartbeat and the time at which the present pause began.  A pause longer than pause_limit_ns, or
 * no heartbeat for beat_limit_ns while threads are on the leash: SIGKILL, and the target runs on.
 * Then the reader is started again, with back-off, and that is counted.  A target that takes its
 * reader down loses only itself.
 *
 * The keeper is in a session of its own: Ctrl-Z and Ctrl-C at the front's terminal reach neither it
 * nor the readers.  It dies with the front (parent-death signal, and a pipe that closes), the readers
 * with the keeper.  It looks at the page every 75 ms, and every 5 ms while it sees a pause.
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
#include "proc/events.h"
#include "proc/process.h"

#define KEEPER_PAUSE_LIMIT_NS (100 * 1000000ll)
#define KEEPER_BEAT_LIMIT_NS (1000 * 1000000ll)
#define KEEPER_MAX_READERS 1024 /* at the same time */

/* ---- the page, as a reader sees it ---- */

/* One per reader, shared between front, keeper and readers.  Times are CLOCK_MONOTONIC, 0: none. */
struct heartbeat {
	_Atomic int64_t beat_ns; /* the reader was alive; 0: it does not trace, do not watch */
	_Atomic int64_t pause_began_ns; /* a thread of a target stands still since */
	_Atomic uint32_t starts;	/* how often a reader was started here */
	_Atomic uint32_t kills;		/* by the keeper: a pause or a silence too long */
	_Atomic uint32_t deaths;	/* of anything else but its own exit */
	_Atomic int32_t reader_pid;	/* 0: not running */
	_Atomic int32_t exit_status;	/* of the last reader, as waitpid() gives it */
};

/*
 * "I am alive."  At least every 300 ms from the first look at a target on: from the tick loop.  Also while
 * nobody is on the leash: a read of memory whose pages a hostile target never provides (userfaultfd, a file
 * system of its own) does not return.
 */
void beat_now(struct heartbeat *beat);
/* "The next beat may take this long." */
void beat_expect(struct heartbeat *beat, int64_t ns);
/* Nothing of a target is looked at: silence is fine from here on. */
void beat_rest(struct heartbeat *beat);
/* The pauser calls these itself. */
void beat_pause_began(struct heartbeat *beat, int64_t now_ns);
void beat_pause_ended(struct heartbeat *beat);

/* What a reader is started for. */
struct keeper_job {
	struct process_id process; /* whom to read */
	uint32_t slot;		   /* below KEEPER_MAX_READERS: the place of its heartbeat */
	uint32_t start;	  /* counts all starts of a keeper's readers from 1: names its stream */
	uint32_t attempt; /* counts those for this process from 1: more after a death */
	bool is_root;	  /* the process that was asked for, not one below it */
};

/* Exit codes by which a reader tells more than "I am done". */
enum keeper_exit {
	KEEPER_EXIT_DONE = 0,
	KEEPER_EXIT_FAILED = 1,
	/* Of a tree's process: */
	KEEPER_EXIT_UNFIT = 3,	 /* this program holds nothing to read */
	KEEPER_EXIT_CHANGED = 4, /* it became another program, or is starting still: try again */
};

/* ---- the keeper, as the front sees it ---- */

struct keeper_config {
	/*
	 * The reader's whole life; runs in its own process and returns its exit code.  SIGTERM (default
	 * action restored, not blocked) asks it to end; it may block and read it from a signalfd.  An
	 * exit code below `retry_from` is final; death by a signal and codes from `retry_from` up start
	 * it again.
	 */
	int (*reader)(void *ctx, struct heartbeat *beat, const struct keeper_job *job);
	void *ctx;
	struct process_id root;
	int retry_from;		/* 0 means 128: only deaths are tried again */
	uint32_t max_starts;	/* in a row, each shorter than 10 s; 0 means 5 */
	int64_t pause_limit_ns; /* 0: KEEPER_PAUSE_LIMIT_NS */
	int64_t beat_limit_ns;	/* 0: KEEPER_BEAT_LIMIT_NS */

	bool with_tree;	       /* read all processes below the root, too, now and later */
	bool is_once;	       /* of a tree: who is there now, each once */
	bool is_new;	       /* of a tree: the root has just been made, and is about to exec */
	struct events *events; /* of a tree; borrowed; NULL: look at the processes every 50 ms */
};

/* What the keeper knows of a tree; all-zero without one. */
struct keeper_facts {
	_Atomic uint32_t found;	   /* processes, the root among them */
	_Atomic uint32_t left_out; /* more than could be followed or read at the same time */
};

struct keeper {
	pid_t pid;   /* of the keeper */
	int pid_fd;  /* readable when the keeper has ended; -1 on a kernel without pidfd */
	int pipe_fd; /* closing it ends keeper and readers */
	struct heartbeat *beat; /* [KEEPER_MAX_READERS]; the root's is the first */
	const struct keeper_facts *facts;
};

/*
 * Fork the keeper, which forks the readers.  All inherit the open descriptors of the front (the
 * other end of a socket pair) and may close what they do not need; they never return from this
 * call.  Call it before the front makes threads and before it drops its rights.
 */
int keeper_start(struct keeper *keeper, const struct keeper_config *config,
		 struct err *err) nodiscard;

/* Ask the readers to end (SIGTERM by way of the keeper); after `grace_ns` they are killed. */
void keeper_stop(struct keeper *keeper, int64_t grace_ns);

/*
 * Wait until keeper and readers have ended, at most until `deadline_ns` (CLOCK_MONOTONIC), then kill
 * them.  Returns the exit code of the root's last reader, 128 + signal when it died of one, -ETIMEDOUT,
 * or -EOWNERDEAD when somebody killed the keeper itself (the readers die with it).
 */
int keeper_wait(struct keeper *keeper, int64_t deadline_ns) nodiscard;

/* How often the keeper had to kill a reader so far. */
uint32_t keeper_kills(const struct keeper *keeper);

/* Kills what is left and frees; all-zero is fine. */
void keeper_done(struct keeper *keeper);

#endif
