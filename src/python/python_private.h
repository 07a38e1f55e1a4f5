/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share of one target. */
#ifndef PYTHON_PYTHON_PRIVATE_H
#define PYTHON_PYTHON_PRIVATE_H

#include "base/map.h"
#include "python/code.h"
#include "python/layout.h"
#include "python/python.h"

#define THREAD_STATE_MAX_BYTES                                                                     \
	512 /* of a PyThreadState: all fields we read lie in its first part */
#define CFRAME_MAX_BYTES 32
#define FRAME_MAX_BYTES 128 /* of a frame: its fixed part */

static inline uint64_t word_at(const uint8_t *bytes, size_t at)
{
	uint64_t value;

	__builtin_memcpy(&value, bytes + at, sizeof(value));
	return value;
}

/* ---- a stretch of target memory that a stack is expected to need ---- */

struct window {
	raddr_t addr;
	uint32_t len;
	uint32_t at; /* in the track's (or the unit's) bytes */
	uint32_t
		inner; /* from this offset on innermost frames lie, which are read twice; len: none do */
	bool ok;       /* was readable this time */
};

/* _PyInterpreterFrame.owner; from 3.14 on 3 and 4 are shims. */
enum owner { OWNER_THREAD = 0, OWNER_GENERATOR = 1, OWNER_FRAME_OBJECT = 2, OWNER_SHIM = 3 };

/* A frame as it was found: not text yet.  A cache line: chains are copied all the time. */
struct raw_frame {
	raddr_t addr;
	raddr_t code; /* 0: a shim, which is no frame of the program */
	uint64_t instr;
	int64_t offset;
	int32_t copy; /* of the bytecode that instr points into: layout.frame_tlbc_index */
	uint32_t id;  /* in the code cache */
	uint32_t
		at; /* where it lies in the track's window bytes; NOT_IN_WINDOWS: read on its own */
	uint32_t known;		 /* its frame id, 0: not asked for yet */
	uint32_t n_ids, n_evals; /* of python_stack(), up to this frame from the outermost on */
	uint8_t owner;		 /* 3.11+: enum owner */
	bool is_entry;		 /* 3.11: a call of the evaluation function begins with it */
	bool is_inner;		 /* lies where windows are read twice */
};

#define NOT_IN_WINDOWS UINT32_MAX

struct chain {
	struct raw_frame *frames; /* innermost first */
	size_t n, cap;
	size_t n_same;	  /* so many of the outermost are as in the chain before, codes known */
	size_t n_outside; /* of windows */
	bool has_codes;	  /* known, of all frames */
	bool is_expected; /* proofs that were read with it have shown all of them */
	bool is_cut;
	uint32_t stamp;	    /* the count of code objects that proves all its codes; 0: none */
	bool is_collecting; /* garbage, in or above: */
	raddr_t collector; /* the frame in which that began; 0: not known, taken for the innermost */
};

/* Where the bytes that prove a code are to be found in those of the windows. */
struct check {
	uint32_t at;
	uint16_t len;
	const uint8_t *bytes; /* the code cache's */
};

/* What bytes of proofs show.  Who reads them anew says SHOWS_UNASKED; see track_shows_codes(). */
enum shows { SHOWS_UNASKED, SHOWS_CODES, SHOWS_OTHERS };

struct expected_code {
	uint32_t id;
	uint8_t n_missed; /* walks in a row that did not meet it */
};

/*
 * What is remembered of one thread between samples: its last chains, and the spans that the next read of its
 * stack will take, made ready outside of the pause.  Lives as long as the thread.
 *
 * `spans` are, in this order: GIL, thread state, [cframe, the cframe before it], windows of frames, windows of
 * proofs of codes, [the interpreter's count of code objects].  Proofs are read where there is no count, and while
 * it moves (see code.h).  Of a thread that nobody stops the inner part is read twice in one call; see twice.c.
 */
struct track {
	raddr_t tstate, interp, gil;
	uint64_t ident;
	pid_t tid; /* 0: not known (yet) */
	uint8_t n_tid_tries;
	bool is_new;	/* since the last look */
	bool is_warm;	/* was walked at least once */
	bool is_dirty;	/* the prediction does not follow from the last walk yet */
	bool is_chased; /* it ran when it was read last, and nobody stopped it */
	uint8_t fault;	/* enum python_fault of the last walk */
	uint32_t epoch; /* of the code cache that expected_code.id belong to */

	uint8_t gil_bytes[16],
		gil_again[16];	  /* `..._again`: of a thread that must not run Python meanwhile */
	uint64_t collecting;	  /* the collector's flag or frame; see collector.c */
	uint32_t collecting_span; /* of spans; 0: this version does not say */
	uint8_t state_bytes[THREAD_STATE_MAX_BYTES], state_again[THREAD_STATE_MAX_BYTES];
	uint8_t cframe_bytes[CFRAME_MAX_BYTES], before_bytes[CFRAME_MAX_BYTES];
	raddr_t heads[2]; /* current frames before and behind both readings; with has_heads */
	bool has_heads;
	raddr_t cframe, before; /* expected addresses of both */
	raddr_t stack_end;	/* one past the innermost frame on the data stack, last time */

	/* Of frames, then of proofs; each part sorted by address, its windows apart from each other. */
	struct window *windows;
	size_t n_windows, n_proofs, windows_cap;
	uint8_t *window_bytes; /* `n_bytes`, then as many for what is read once more */
	size_t n_bytes, window_bytes_cap;
	uint32_t count_read;  /* into this; taken over by track_take_count() */
	uint32_t count_first; /* the same before the stack, where that was asked for */
	bool has_count_first;
	uint32_t count;	     /* of code objects; 0: none that proves anything */
	bool has_holes;	     /* some window was not readable, last time */
	bool has_places;     /* `now` says where its frames lie in the windows */
	size_t n_kept;	     /* outermost frames that are as they were in the last python_stack() */
	bool are_shown;	     /* the proofs of all expected codes, last time */
	enum shows shows[2]; /* of each half of the bytes */
	bool is_numbered; /* a later reading proves its codes: they are numbered, and none comes back */
	int64_t proofs_ns; /* when all its proofs were last read behind a stack; 0: not as they are now */
	bool has_proofs_again;		/* that reading is in the second half of the bytes */
	bool is_held;			/* this reading leaves the proofs to a later one */
	uint8_t n_held;			/* stacks in a row that did, */
	int64_t held_ns;		/* on proofs of this time; 0: not to be proven any more */
	int64_t proving_ns, holding_ns; /* what the last reading with proofs, and without, took */
	bool proves_held;		/* a later reading did, soon enough */
	uint8_t n_restless; /* reads for which proofs are still wanted, since the count has moved */
	uint8_t n_changed;  /* walks that found another chain, since the last learning */
	uint32_t n_resolved; /* codes that the last walk had to read itself, after the stack */
	struct expected_code *codes;
	size_t n_codes, codes_cap;
	struct check *checks; /* of all of them, each place once */
	size_t n_checks, checks_cap;
	struct mem_span *spans;
	size_t n_spans, spans_cap;
	size_t first_window; /* its span */

	struct chain now, last; /* `last` is the walk before `now` */
	struct frame_id *ids;	/* what python_stack() gave */
	size_t n_ids, ids_cap;
	uint32_t *evals; /* likewise */
	size_t evals_cap;
	bool has_ids;
	bool has_markers; /* among them */

	struct str_id name; /* of the thread */
	bool has_asked_name;
	raddr_t head; /* innermost frame at the last look */
};

void track_free(struct track *track);
/* So many of the innermost frames are read twice; twice.c says why not all. */
size_t track_inner_depth(const struct python *python);

/* ---- one target ---- */

struct interpreter {
	raddr_t addr, next, threads_head, gil;
	uint32_t tlbc_generation;
};

/* Windows read in this unit because no prediction held them. */
struct extra {
	struct window *windows;
	size_t n, cap;
	uint8_t *bytes;
	size_t n_bytes, bytes_cap;
};

/* Thread objects by ident, as threading._active had them; see thread_name.c. */
struct roster {
	raddr_t interp;
	uint64_t looks; /* when it was read */
	raddr_t *threads;
	size_t n, cap;
	struct map64 by_ident;
};

/* Before 3.7 the GIL is some variables; afterwards all of this is 0. */
struct old_gil {
	raddr_t holder; /* _PyThreadState_Current: NULL while the GIL is free */
	raddr_t lock;	/* 2.7: interpreter_lock, which points to its semaphore; 0: not known */
	struct {
		raddr_t start, end;
	} futexes[2]; /* 3.6: what threads wait on for it; empty: not known */
};

struct python {
	struct memory *memory;
	struct names *names;
	struct layout layout;
	raddr_t runtime;
	struct old_gil old_gil;
	raddr_t code_counter; /* as in struct runtime */
	raddr_t old_lock;     /* what old_gil.lock pointed to at the last look */
	pid_t pid;
	char version[32];
	char place[PYTHON_MAX_PLACE_BYTES];
	uint16_t state_bytes; /* of a PyThreadState that have to be read */
	uint16_t frame_bytes;
	bool with_collector;
	struct python_eval_range evals[PYTHON_MAX_EVAL_RANGES];
	size_t n_evals;
	uint16_t pthread_tid; /* offset of the tid in glibc's struct pthread; 0: not known (yet) */

	struct interpreter interps[PYTHON_MAX_INTERPRETERS];
	size_t n_interps;
	raddr_t interps_head;
	struct track **tracks; /* beside `threads` */
	struct python_thread *threads;
	size_t n_threads, threads_cap, tracks_cap;
	uint32_t n_over_limit;
	struct map64 by_tstate; /* -> index + 1 */

	struct code_cache codes;
	uint32_t unit;	  /* number of the current unit of reading */
	uint32_t *proven; /* per code id: the last unit that proved it */
	size_t proven_cap;
	struct extra extra;
	struct mem_span *spans; /* of several tracks together */
	size_t spans_cap;
	struct mem_span **parts; /* which span of its track each of them is a reading of; twice.c */
	size_t parts_cap;
	uint32_t *asked;      /* codes that one walk proves by themselves, */
	uint8_t *proof_bytes; /* and what was read of them */
	size_t asked_cap, proof_bytes_cap;
	/* The least time of a twofold read against what it should take: after a pause, and right after another. */
	uint32_t best_pace[2];
	int64_t chased_ns; /* when a thread was last read while it ran; twice.c */
	struct roster roster;
	struct python_stats stats;
};

/* Starts a unit: budget, unit number, no extra windows. */
void unit_begin(struct python *python, size_t n_threads);
/* All spans, as many at a time as one vectored read takes.  0 or negative. */
int unit_readv(struct python *python, struct mem_span *spans, size_t n) nodiscard;

/*
 * collector.c: where it is told that garbage is collected (0: nowhere), and what the track's bytes say of that, into
 * track->now.  The frame is no frame of the program but "[GC]".
 */
raddr_t collector_flag(const struct python *python, const struct track *track, size_t *ret_len);
void collector_take(const struct python *python, struct track *track);
struct frame_id collector_frame(struct python *python);

/* stack.c: neither a shim nor a trampoline: a frame of the program. */
bool frame_is_shown(const struct python *python, const struct raw_frame *frame);

/* predict.c: make the track's spans follow from its last two chains. */
void track_learn(struct python *python, struct track *track);
/* As track_learn(), when there is no walk yet: the thread state only. */
void track_prepare(struct python *python, struct track *track);
bool track_holds_gil(const struct python *python, const struct track *track);
/* The shim that ends the thread's chain where versions name it (3.15+), else 0. */
raddr_t track_base(const struct python *python, const struct track *track);
bool track_runs_python(const struct python *python, const struct track *track);

/* walk.c: from the bytes of the track's spans (just read) to track->now.  An outcome, or negative. */
int track_walk(struct python *python, struct track *track) nodiscard;
/* As track_walk()'s outcome for an error of reading: only the end of the target is an error. */
int track_outcome(struct python *python, int r);

/* prove.c: where code objects are counted, for all interpreters (3.12) or for the track's (3.13+); 0: nowhere known. */
raddr_t track_counter(const struct python *python, const struct track *track);
/* What the read says about the count of code objects. */
void track_take_count(const struct python *python, struct track *track);
/*
 * Note the count with every code of the last walk, which was whole and true.  Of no other: 3.14+ counts a code as gone
 * before its memory is another's, so that one seen in between would be taken for the other later.
 */
void track_stamp_codes(struct python *python, struct track *track);
/* Are all expected codes proven by what was read of them, the last time or (`is_again`) once more? */
bool track_shows_codes(struct track *track, bool is_again);
/* Which entry of the code cache each frame of track->now runs.  0 or an error of reading. */
int track_find_codes(struct python *python, struct track *track) nodiscard;
/* The one of sorted windows that holds `len` bytes of `addr`; NULL when they were not read. */
const struct window *windows_find(const struct window *windows, size_t n, raddr_t addr,
				  uint32_t len);

/* threads.c */
void threads_done(struct python *python);

/* runtime.c: find _PyRuntime and the layout. */
struct runtime {
	raddr_t addr;	      /* before 3.7 that of interp_head */
	raddr_t code_counter; /* 3.12: the variable that numbers code objects; 0: not known */
	struct layout layout;
	char version[32];
	struct old_gil gil;
	const struct mapping
		*file;	 /* where it was found, of the caller's maps; NULL: not searched */
	bool is_scanned; /* by what its memory looks like, for want of a symbol */
};
int runtime_find(const struct python_args *args, struct runtime *ret_runtime,
		 struct err *err) nodiscard;
/* A reader of a runtime that was found: python_attach() without the search.  Only memory, names and pid of args
 * are used. */
int python_new(const struct python_args *args, const struct runtime *runtime,
	       struct python **ret_python, struct err *err) nodiscard;
/* runtime_old.c: is it one of the futexes that threads wait on for the GIL?  Before 3.7. */
bool old_gil_has_futex(const struct python *python, raddr_t futex);
/* Does this address hold interpreters whose threads point back to them? */
int runtime_check(struct memory *memory, const struct layout *layout, raddr_t addr) nodiscard;

/* eval.c: where the evaluation function of the runtime's file lies. */
void evals_find(struct python *python, const struct python_args *args,
		const struct runtime *runtime);

/* pthread.c: the tid in a struct pthread. */
pid_t thread_tid(struct python *python, uint64_t ident);

#endif
