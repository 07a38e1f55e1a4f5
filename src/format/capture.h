/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The capture: everything that was sampled, in time order, once.  File ending ".pyro".
 *
 * A capture is a stream of blocks, written as it is sampled, in bounded memory.  Each block stands for
 * itself (length, checksum), so that a capture cut short by a crash is readable up to its last whole
 * block; definitions (strings, frames, stack nodes, processes, threads) come before their first use
 * and hold for the rest of the stream.  The same bytes travel from the reader process to the front
 * process through a socket pair, and are stored as a file: one encoder, one decoder, both treat the
 * other side as hostile.
 *
 *	file   = block*
 *	block  = magic "PYRO" · u8 version · u8 flags (1: payload is zstd) · u16 0
 *	         · u32 payload bytes · u32 unpacked bytes · u32 crc32 of the payload as stored · payload
 *	payload= record*            record = varint kind · varint length · fields (varints, zigzag)
 *
 * Unknown kinds are skipped by their length; fields may be added at the end of a record.  The first
 * record of a stream is CAPTURE_HEADER.  docs/CAPTURE.md has the layout of each record by example.
 */
#ifndef FORMAT_CAPTURE_H
#define FORMAT_CAPTURE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "profile/profile.h"

#define CAPTURE_BLOCK_TARGET_BYTES (64u << 10) /* writers start a new block past this */
#define CAPTURE_BLOCK_MAX_BYTES (4u << 20)     /* unpacked; readers refuse more */
#define CAPTURE_BLOCK_HEAD_BYTES 20
#define CAPTURE_SOURCE_MAX_BYTES (2u << 20)
#define CAPTURE_MAX_PROCESSES (1u << 16)
#define CAPTURE_MAX_THREADS (1u << 20)
#define CAPTURE_MAX_REPEATS (1u << 20) /* of a sample */

/* What was asked for and of whom: written once, first. */
struct capture_header {
	int64_t start_real_ns;	    /* wall clock at t = 0 */
	int64_t start_monotonic_ns; /* all times of the stream count from here */
	double rate_hz;
	uint32_t flags;	     /* CAPTURE_* */
	const char *command; /* executable and script, arguments left out */
	const char *host;
	const char *version; /* of pyrometer */
};

enum {
	CAPTURE_NONBLOCKING = 1, /* nothing was paused: what could not be proven is missing */
	CAPTURE_IDLE_INCLUDED = 2,
	CAPTURE_NATIVE = 4, /* with native frames */
};

#define CAPTURE_FREE_THREADED " free-threaded" /* the end of such a process's runtime */

struct capture_process {
	uint32_t id; /* of this stream, from 1 */
	int32_t pid;
	int32_t parent_pid;
	int64_t start_ticks; /* /proc/PID/stat starttime: tells reused pids apart */
	const char *command;
	const char *runtime; /* "CPython 3.11.2", "CPython 3.13.1 free-threaded" */
};

struct capture_thread {
	uint32_t id;	       /* of this stream, from 1 */
	uint32_t process;      /* capture_process.id */
	int32_t tid;	       /* as the host sees it */
	uint64_t python_ident; /* threading.get_ident() */
	const char
		*name; /* Python's name, else the kernel's; may be defined again when it changes */
};

struct capture_sample {
	int64_t time_ns;     /* since start_monotonic_ns, when the stack was read */
	uint32_t thread;     /* capture_thread.id */
	struct node_id node; /* of the writer's tree; root: no Python stack */
	uint8_t state;	     /* enum thread_state */
	uint8_t flags;	     /* SAMPLE_* */
	int64_t wall_ns;     /* real time that this sample stands for */
	int64_t cpu_ns;	     /* CPU time the scheduler charged the thread in it */
	/*
	 * It stands for so many ticks before its own, too, at all of which the thread slept where it sleeps now:
	 * what idle threads cost does not depend on the rate.  Who counts entries counts 1 + repeats.
	 */
	uint32_t repeats;
};

enum {
	SAMPLE_GIL = 1,	    /* held the GIL */
	SAMPLE_PAUSED = 2,  /* read while the thread was paused */
	SAMPLE_STEPPED = 4, /* single-stepped to a whole chain first */
	SAMPLE_LATE = 8,    /* its tick came late by more than one period */
	SAMPLE_RECOVERED =
		16, /* a caller among its native frames was found by searching the stack */
};

/*
 * Time that passed without a sample to carry it: a dropped, torn or late tick.  Its weights are added
 * to the thread's next sample by the sampler, so sums stay whole; the counts are for the summary.
 * Totals since the start, sent about once a second and at the end.
 */
/*
 * Why a stack was dropped, beside that it changed: what a healthy process shows for an instant, and one that
 * was overwritten, or made to mislead its readers, for good.
 */
enum capture_fault {
	CAPTURE_FAULT_CYCLE,	  /* frames lead back to themselves */
	CAPTURE_FAULT_WILD_FRAME, /* a frame lies where nothing is, or is none */
	CAPTURE_FAULT_NO_BASE,	  /* frames end where a stack does not begin */
	CAPTURE_FAULT_BAD_CODE,	  /* a frame's code, or what that names, is none */
	CAPTURE_FAULT_TOO_MUCH,	  /* more to read than one sample may */
	CAPTURE_FAULT_LISTS,	  /* the lists of threads never were whole: nobody was sampled */
	CAPTURE_FAULTS,
};
/* For a person: "its frames lead back to themselves". */
const char *capture_fault_words(enum capture_fault fault);

/* With CAPTURE_NATIVE: what became of native stacks.  Samples whose stack was not read anew are not counted. */
enum capture_native {
	CAPTURE_NATIVE_COMPLETE, /* from the leaf to its base, and Python's frames in between */
	CAPTURE_NATIVE_RECOVERED, /* of those: a caller was found by searching the stack, not by a rule */
	CAPTURE_NATIVE_INNER, /* some of the inner frames, down to the marker NATIVE_CUT_MARKER */
	CAPTURE_NATIVE_MISMATCH, /* other calls of the evaluation function than Python has: Python only */
	CAPTURE_NATIVE_UNPAUSED, /* it ran, or moved on, and its registers were not to be had: Python only */
	/* Why stacks did not get to their base: the sum of what follows is INNER, or Python only. */
	CAPTURE_NATIVE_TOO_DEEP, /* more frames, or bytes of stack, than are read */
	CAPTURE_NATIVE_NO_TABLE, /* a function without unwind information, or code that is in no file */
	CAPTURE_NATIVE_NO_REG,	   /* a frame pointer that nobody could tell */
	CAPTURE_NATIVE_BAD_MEMORY, /* stack that could not be read */
	CAPTURE_NATIVE_BAD_RULE,   /* damaged unwind information, or a stack that does not rise */
	CAPTURE_NATIVE_LATER,	   /* tables were still being made */
	CAPTURE_NATIVES,
};
/* For a person: "complete to the base". */
const char *capture_native_words(enum capture_native native);

/* In place of the native frames further out, which are not known; the frames outside of it are Python's alone. */
#define NATIVE_CUT_MARKER "[native frames not known]"

struct capture_stats {
	int64_t time_ns;
	uint64_t ticks, late_ticks, missed_ticks; /* missed: more than a period late, given up */
	uint64_t samples, proven, paused, stepped;
	uint64_t dropped, torn, errors; /* torn: among the dropped, changed while read */
	uint64_t signals_passed, eintr_repaired;
	int64_t reader_cpu_ns, pause_total_ns, pause_max_ns;
	uint64_t bytes_read, read_calls;
	int64_t pause_median_ns, pause_p99_ns;
	uint64_t traced; /* ticks that could not pause because somebody else traces the target */
	uint64_t faults[CAPTURE_FAULTS]; /* among the dropped; `errors` is their sum */
	uint64_t left_out; /* threads that are more than are sampled, in the last tick */
	uint64_t native[CAPTURE_NATIVES];
	uint64_t native_bytes; /* of stacks that were copied in pauses, all together */
	uint64_t native_outer; /* of the complete stacks: outer frames were read after the pause */
};

/*
 * The value of a local variable of a frame of the thread's last sample, as `dump --locals` shows it.  The
 * variables of a sample follow it directly, in the order of its frames.
 */
struct capture_local {
	uint32_t thread;  /* capture_thread.id */
	uint32_t frame;	  /* 0: the innermost of Python */
	uint64_t address; /* of the object, in the target */
	uint8_t flags;	  /* LOCAL_* */
	const char *name;
	const char *text; /* as repr() would show it, nearly */
};

enum {
	LOCAL_ARGUMENT = 1,
	LOCAL_SHARED = 2, /* with an inner or outer function */
	LOCAL_CUT =
		4, /* no variable: those that would follow could not be read; name and text are "" */
};

/* The text of a source file that a sampled frame named, for pages that show the hot lines. */
struct capture_source {
	uint32_t process; /* capture_process.id */
	const char *file; /* as the frames have it */
	const char *text; /* NUL-terminated */
	size_t len;	  /* at most CAPTURE_SOURCE_MAX_BYTES */
};

/* Why the stream ended: the last record. */
struct capture_end {
	int64_t time_ns;
	int code;	  /* 0: as asked; ERR_GONE: the target ended; else what went wrong */
	int exit_status;  /* of a command we started, as waitpid() gives it; -1: none */
	const char *text; /* for a person, "" when code is 0 */
};

/* ---- writing ---- */

struct capture_writer;
/* Takes whole blocks; returns 0 or a negative error, which the writer then returns from every call. */
typedef int capture_sink_fn(void *ctx, const void *block, size_t len);

/*
 * `names` and `tree` are the writer's side of ids: a sample's node is defined (with its frames and
 * strings) the first time it is written.  Both are borrowed.  `compress`: zstd, for files.
 */
struct capture_writer *capture_writer_new(struct names *names, struct tree *tree, bool compress,
					  capture_sink_fn *sink, void *ctx) nodiscard;
void capture_writer_free(struct capture_writer *writer); /* does not flush */

int capture_write_header(struct capture_writer *writer,
			 const struct capture_header *header) nodiscard;
int capture_write_process(struct capture_writer *writer,
			  const struct capture_process *process) nodiscard;
int capture_write_thread(struct capture_writer *writer,
			 const struct capture_thread *thread) nodiscard;
int capture_write_sample(struct capture_writer *writer,
			 const struct capture_sample *sample) nodiscard;
int capture_write_stats(struct capture_writer *writer, const struct capture_stats *stats) nodiscard;
int capture_write_local(struct capture_writer *writer, const struct capture_local *local) nodiscard;
int capture_write_source(struct capture_writer *writer,
			 const struct capture_source *source) nodiscard;
int capture_write_end(struct capture_writer *writer, const struct capture_end *end) nodiscard;
/* Pass the block so far to the sink: at least every 300 ms when live. */
int capture_flush(struct capture_writer *writer) nodiscard;

/* ---- reading ---- */

/* Each may be NULL.  A negative return stops the reader with that error. */
struct capture_events {
	int (*header)(void *ctx, const struct capture_header *header);
	int (*process)(void *ctx, const struct capture_process *process);
	int (*thread)(void *ctx, const struct capture_thread *thread);
	int (*sample)(void *ctx,
		      const struct capture_sample *sample); /* node of the reader's tree */
	int (*stats)(void *ctx, const struct capture_stats *stats);
	int (*local)(void *ctx, const struct capture_local *local);
	int (*source)(void *ctx, const struct capture_source *source);
	int (*end)(void *ctx, const struct capture_end *end);
};

struct capture_reader;

/* Stacks are interned into `names` and `tree` (borrowed); strings in events live until the callback
 * returns. */
struct capture_reader *capture_reader_new(struct names *names, struct tree *tree,
					  const struct capture_events *events, void *ctx) nodiscard;
void capture_reader_free(struct capture_reader *reader);

/*
 * Feed bytes in any portions.  ERR_CORRUPT for a bad block (magic, checksum, reference to something
 * undefined, node that is its own parent …), ERR_LIMIT past a limit, or what a callback returned.
 */
int capture_feed(struct capture_reader *reader, const void *data, size_t len,
		 struct err *err) nodiscard;
/* Bytes of the blocks decoded so far: where a cut-off capture ends. */
uint64_t capture_good_bytes(const struct capture_reader *reader);
/* False in the middle of a block, and when no end record came. */
bool capture_is_complete(const struct capture_reader *reader);

#endif
