/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known about CPython: where a process keeps its interpreters, which threads run, which of
 * them holds the GIL, and the stack of each, as frame ids of profile/names.h.
 *
 * Works for CPython 2.7 and 3.6-3.15, from 3.13 on also for builds without a GIL; shared or static,
 * glibc or musl, stripped, renamed, in a venv or container. Up to 3.12 struct layouts come from tables (gen/layouts.h), from 3.13 on from the
 * target's own _Py_DebugOffsets, each field checked against limits.
 *
 * Promises.
 *   1. Reads go through the caller's struct memory and the caller's open(); this module opens
 * nothing, stops nothing, sleeps never.  Who pauses a thread is the caller (proc/pause.h).
 *   2. A stack is true or it is not given.  A paused thread's chain must end at its version's base
 * (up to 3.10 a frame without f_back, 3.11 a thread-owned frame without previous, 3.12+ the shim of
 * the outermost C call, 3.15 the base frame that the thread names); an unpaused one's must read equal twice.
 *   3. A code object's identity (its names, file, first line and line table, by pointer) is read
 * again with every stack, in the same unit of reading: a reused address never shows an old name.
 *   4. Everything in the target is hostile.  Depth, threads, interpreters, strings, line tables,
 * caches and reads per unit have limits, below.  Cycles end a walk.
 *
 * Costs.  Steady state (the stack is much as it was last time) is one vectored read per
 * python_look() and one per stack, no allocation and no text.  The first sight of a stack needs more
 * reads, within PYTHON_MAX_READS.  All of it belongs to one thread.
 *
 * A tick:
 *
 *	python_look(python, &look);		what runs, who holds the GIL; nothing is paused
 *	for each i with look.threads[i].runs_python {
 *		... pause look.threads[i].tid ...
 *		r = python_read_paused(python, i, PYTHON_NEEDS_RUNNING);
 *		while (r == PYTHON_INCOMPLETE && steps++ < 300)
 *			... step it ..., r = python_read_paused(...);
 *		... resume it ...
 *		if (r == PYTHON_COMPLETE)
 *			python_stack(python, i, &stack);	text work, after the pause
 *	}
 *	python_read_waiting(python, others, n_others, outcomes);
 *	for each with PYTHON_COMPLETE: python_stack(...)
 */
#ifndef PYTHON_PYTHON_H
#define PYTHON_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "proc/maps.h"
#include "proc/memory.h"
#include "profile/names.h"

#define PYTHON_MAX_DEPTH 4096	/* frames visited in one walk; deeper stacks keep the inner ones */
#define PYTHON_MAX_THREADS 4096 /* per process; more are counted, not shown */
#define PYTHON_MAX_INTERPRETERS 1024 /* likewise */
#define PYTHON_MAX_READS 600	     /* vectored reads in one unit (a look, a stack) */
#define PYTHON_MAX_READ_BYTES (8u << 20)
#define PYTHON_MAX_CODES 65536		/* decoded code objects kept; then the cache starts anew */
#define PYTHON_MAX_LINETABLE (1u << 20) /* bytes; the lines of larger functions are unknown */
#define PYTHON_MAX_TABLES (64u << 20)	/* line tables kept, all together */
#define PYTHON_NO_THREAD UINT32_MAX

/* ---- attaching ---- */

struct python_args {
	struct memory *memory; /* borrowed until python_free(); its budget is set by this module */
	struct names *names;   /* borrowed until python_free() */
	const struct maps
		*maps;	     /* what the target has mapped now; borrowed during python_attach() */
	pid_t pid;	     /* the process as it sees itself (innermost of NSpid) */
	bool with_collector; /* the marker "[GC]" while garbage is collected (3.7+) */
	bool with_columns;   /* frames have columns: one more per call in a line (3.11+) */
	bool with_evals;     /* python_eval_ranges() */
	/* The file behind a mapping, a descriptor that this module closes; or negative.
	 * maps_open(). */
	int (*open)(void *ctx, const struct mapping *mapping, struct err *err);
	void *ctx;
};

struct python;

/*
 * Find the interpreter and its version.  Errors: ERR_NOT_PYTHON (says what was looked for),
 * ERR_UNSUPPORTED (a Python, but one that we cannot read; names the version found), ERR_TORN
 * (Python is still starting: try again in a moment), ERR_CORRUPT (_Py_DebugOffsets that cannot be;
 * names the field), -ESRCH, -EPERM.
 */
int python_attach(const struct python_args *args, struct python **ret_python,
		  struct err *err) nodiscard;
void python_free(struct python *python);

const char *python_version(const struct python *python); /* "3.11.2" */
bool python_is_free_threaded(const struct python *python);
/* How it was found, printable: "by the symbols of /usr/lib/libpython3.11.so.1.0". */
const char *python_place(const struct python *python);
#define PYTHON_MAX_PLACE_BYTES 320

/* ---- which threads there are ---- */

struct python_thread {
	raddr_t tstate; /* PyThreadState: the thread's identity among those that live */
	raddr_t interp; /* PyInterpreterState */
	uint64_t ident; /* threading.get_ident(): its pthread_t */
	pid_t tid;	/* as the target's own PID namespace numbers it; 0: not known (yet) */
	bool is_inherited; /* Python has another tid for it: from before a fork that it does not know of */
	bool holds_gil;
	bool runs_python; /* its stack changes under a reader, so that it has to be paused: it holds
			     the GIL, or in a build without one it is attached */
	bool has_frames;  /* false: no Python on its stack now */
	bool is_changed;  /* its innermost frame is not the one of the last look (or it is new) */
	bool is_new;	  /* not in the last look */
};

struct python_look {
	const struct python_thread *threads; /* valid until the next python_look() */
	uint32_t n;
	uint32_t holder;    /* index of a GIL holder, PYTHON_NO_THREAD: the GIL is free.  With a GIL
			    per interpreter (3.12+) there may be more: see holds_gil. */
	uint32_t n_running; /* threads with runs_python */
	bool is_list_changed;  /* threads came or went: indexes are not those of the last look */
	uint32_t n_over_limit; /* not 0: threads or interpreters were left out */
};

/*
 * One vectored read when no thread came or went.  ERR_TORN when the list changed under every try
 * (skip this tick), ERR_GONE or -ESRCH when the process ended (or became another program), -EPERM.
 */
int python_look(struct python *python, struct python_look *ret_look) nodiscard;

/*
 * Is this the address of a futex on which threads wait for a GIL?  With the first argument of the
 * system call that a thread sleeps in this tells STATE_WAITING_GIL.
 */
bool python_is_gil_futex(const struct python *python, raddr_t futex);

/* ---- their stacks ---- */

enum python_outcome {
	PYTHON_COMPLETE,    /* read and true: python_stack() gives it */
	PYTHON_INCOMPLETE,  /* the thread stands inside a push or pop: step it and read again */
	PYTHON_NOT_RUNNING, /* it does not run Python (any more): nothing was read */
	PYTHON_TORN,	    /* not the same twice, not readable, or gone: look again */
	PYTHON_HELD, /* whole, but whether its codes are the ones that we know, a later reading tells */
	PYTHON_OVER_BUDGET, /* too much new at once; what was learnt makes the next try shorter */
};

enum {
	/* NOT_RUNNING unless the thread still holds the GIL, so that one pause stands for one moment of
	   all.  Without a GIL every stopped thread is a moment of its own, and is read. */
	PYTHON_NEEDS_RUNNING = 1,
};

/*
 * Read the stack of threads[thread], which the caller holds stopped.  One vectored read in the
 * steady state.  Returns an outcome, or negative: ERR_GONE, -ESRCH, -EPERM.
 */
int python_read_paused(struct python *python, uint32_t thread, unsigned flags) nodiscard;
/* The same with one more span of the caller's own, read in the very call that reads the stack; NULL: none. */
int python_read_paused_with(struct python *python, uint32_t thread, unsigned flags,
			    struct mem_span *also) nodiscard;

/*
 * Read the stacks of threads that nobody stopped, twice in one call; each that is the same both times and did
 * not run Python in either is COMPLETE.  With PYTHON_ANY those that do may be proven too (--nonblocking): what
 * that proof rests on is said in twice.c.  Outcomes go to ret_outcomes[i] for threads[i].  In the steady state
 * one vectored read for each thread that ran Python at the last look, and one for all others.
 */
enum {
	PYTHON_ANY = 2,
	/*
	 * Where proofs of codes are read with every stack (3.11), a thread that is read again within 10 us or so may
	 * be HELD instead, PYTHON_MAX_HELD times in a row.  The next reading decides: see python_proves_held().
	 */
	PYTHON_MAY_HOLD = 4,
};
#define PYTHON_MAX_HELD 3
int python_read_waiting(struct python *python, const uint32_t *threads, size_t n, unsigned flags,
			uint8_t *ret_outcomes) nodiscard;

/* Has a later read of this thread, whatever came of that, proven its last HELD ones?  If not the next, none will. */
bool python_proves_held(const struct python *python, uint32_t thread);

/*
 * What was wrong with a thread at its last read that was not COMPLETE.  All of these are met for an instant
 * in honest processes, too; where they last, the target is not what it says it is.
 */
enum python_fault {
	PYTHON_SOUND,	   /* nothing but that it changed, or lost the GIL */
	PYTHON_CYCLE,	   /* its frames lead back to themselves */
	PYTHON_WILD_FRAME, /* one of its frames lies where nothing is, or is no frame */
	PYTHON_NO_BASE,	   /* its frames end where Python's do not */
	PYTHON_BAD_CODE,   /* a frame's code, or what that names, is none */
	PYTHON_TOO_MUCH,   /* more reads than one unit may make */
	PYTHON_FAULTS,
};
enum python_fault python_fault(const struct python *python, uint32_t thread);

struct python_stack {
	const struct frame_id
		*frames; /* outermost first; borrowed until the next read of this thread */
	size_t n;
	size_t n_same; /* so many of the outermost are as they were the last time */
	bool is_same;  /* equal to the stack that python_stack() gave for this thread the last time
		       */
	bool is_cut;   /* deeper than PYTHON_MAX_DEPTH: the first frame is the marker "[deeper]" */
	/*
	 * The calls of C's evaluation function that the frames run in, outermost first: evals[i] is how many frames
	 * lie outside of call i, and so begins those that it runs, up to evals[i + 1].  That may be none of them: 3.12+
	 * leaves a frame before it leaves the function.  Up to 3.10 each frame has a call of its own.
	 */
	const uint32_t *evals;
	size_t n_evals;
};

/*
 * The stack of the last COMPLETE read of a thread, its frames interned.  Reads nothing from the
 * target, so that it is called after the pause.  A frame: name = co_name, qualname = co_qualname
 * where the version has it and it differs, file = co_filename, line of the instruction, first_line,
 * kind FRAME_PYTHON.
 */
void python_stack(struct python *python, uint32_t thread, struct python_stack *ret_stack);

/* ---- where C evaluates them ---- */

/*
 * Code of the function that runs Python's frames (_PyEval_EvalFrameDefault; 2.7: PyEval_EvalFrameEx), whole or a part
 * that the compiler put elsewhere: one activation is in one of them at a time.
 */
struct python_eval_range {
	raddr_t start, end;
	/*
	 * No part of it: where functions lie that it calls to run the frames for it (builds whose instructions are
	 * functions that end in calls of each other).  One stands directly on the activation; elsewhere what lies
	 * there is as any other function.
	 */
	bool is_handler;
};

#define PYTHON_MAX_EVAL_RANGES 64

/* Borrowed, the parts first and rising; empty where the function was not found, or python_args.with_evals was not asked for. */
size_t python_eval_ranges(const struct python *python, const struct python_eval_range **ret_ranges);

/* ---- the values of a frame's locals ---- */

#define PYTHON_MAX_LOCALS 65536 /* places of one frame that are looked at */

/* What one call may take; text is cut and items are left out where a limit ends, see value.h. */
struct python_value_limits {
	uint32_t max_locals;
	uint32_t max_chars; /* of one value */
	uint32_t max_items; /* of one container */
	uint32_t max_depth;
	uint32_t max_reads;
	uint64_t max_bytes;
};

enum {
	PYTHON_LOCAL_ARGUMENT = 1,
	PYTHON_LOCAL_SHARED = 2, /* with another function, through a cell */
};

struct python_local {
	char *name;
	char *text;    /* as repr() would show it, nearly: python/value.h */
	raddr_t addr;  /* of the object */
	uint8_t flags; /* PYTHON_LOCAL_* */
};

/* All-zero is an empty list; python_locals_done() releases it. */
struct python_locals {
	struct python_local *items; /* arguments first; variables without a value are left out */
	size_t n, cap;
	uint32_t max;
	bool is_cut; /* a limit, or what could not be read, ended it */
};

/*
 * The locals of a frame of the last COMPLETE read of a thread, 0 is the innermost frame.  Reads the target: the
 * thread has to be stopped still, or is to be read again afterwards and found the same.  Replaces the list.  -ENOENT when there is no such frame, -ESRCH, -EPERM.
 */
int python_locals(struct python *python, uint32_t thread, uint32_t frame,
		  const struct python_value_limits *limits, struct python_locals *locals) nodiscard;
/*
 * The innermost frame of the last COMPLETE read that runs a function of one of these names (or qualified names),
 * in numbers of python_locals(); false: none.  No reads.
 */
bool python_find_function(struct python *python, uint32_t thread, const char *const *functions,
			  size_t n, uint32_t *ret_frame);
void python_locals_reset(struct python_locals *locals);
void python_locals_done(struct python_locals *locals);

/* ---- thread names ---- */

/*
 * The name that the target's `threading` module has for a thread; str 0 when it has none (started
 * by C, or `threading` never imported).  Cached, the negative answer too; with is_fresh the target
 * is asked again (a thread can be renamed: once a second is plenty).  Unpaused reads, so do not
 * call it inside a pause.
 */
struct str_id python_thread_name(struct python *python, uint32_t thread, bool is_fresh);

/* ---- its own account ---- */

/* How a chain can be incomplete; walk.c numbers the rules. */
enum python_break {
	PYTHON_BREAK_BASE,   /* rule 1: it does not end at its version's base */
	PYTHON_BREAK_CFRAME, /* rule 2: what is current is left over from an earlier call */
	PYTHON_BREAK_POPPED, /* rule 3: its innermost frame has been popped */
	PYTHON_BREAK_FRAME,  /* rule 4: something on it is no frame with a code object */
	PYTHON_BREAK_CYCLE,
	PYTHON_BREAKS,
};

struct python_stats {
	uint64_t breaks[PYTHON_BREAKS]; /* readings that were incomplete, by why */
	uint64_t looks, reads;		/* units of reading */
	uint64_t codes_decoded; /* code objects seen for the first time, or reused addresses */
	uint64_t codes_reused;	/* of those: the address had another code object before */
	uint64_t caches_reset;	/* the code cache was full */
	uint64_t lines_unknown; /* line tables that were too long or broken */
	uint64_t cycles,
		bad_chains; /* walks that ended in a cycle or at something that is no frame */
};

void python_stats(const struct python *python, struct python_stats *ret_stats);

#endif
