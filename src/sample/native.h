/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native frames of a sample: what is copied of a thread while it stands still, and what becomes of it afterwards.
 *
 *	a thread that runs	paused once: its registers, and its stack in the very read that reads its Python frames
 *	one that waits		not touched: pc and sp as /proc tells them, its stack read in place, and the number of
 *				its time slices proves that it slept until then; where that does not lead to its base,
 *				the other registers as the kernel tells them to who may ask (bpf/task_regs.h)
 *	both			unwound after it runs on, merged with Python's frames (native_merge.h)
 *
 *   1. A sample is never lost for its native frames: without them it is Python's alone, and counted by the reason
 *	(enum capture_native).
 *   2. What is copied in a pause is at most NATIVE_MAX_COPY bytes; what a larger stack has beyond is read right
 *	after it, and believed only when that can be proven (native_stack.h).
 *   3. No names are looked up here: frames carry file, build id and address, and whoever has no rights finds names
 *	for them later (symbol/symbol.h), in files that we open for him once, since he may have no way to them.
 *   4. Files and mappings are read outside of pauses only.
 *
 * A stack of 60 frames costs some 30 us, after the pause.  Belongs to the reader's one thread.
 */
#ifndef SAMPLE_NATIVE_H
#define SAMPLE_NATIVE_H

#include "bpf/task_regs.h"
#include "format/capture.h"
#include "proc/pause.h"
#include "proc/thread.h"
#include "sample/native_merge.h"
#include "sample/native_stack.h"
#include "sample/target.h"
#include "sample/wire.h"
#include "unwind/unwind.h"

#define NATIVE_MAPS_GAP_NS (100 * 1000000ll) /* between two readings of what is mapped */

/* Text of a module, as frames have it. */
struct native_module {
	struct str_id path, build_id;
	bool is_known; /* the file was looked into: this is final */
};

struct native {
	struct target *target; /* borrowed, as all pointers */
	struct names *names;
	struct capture_stats *stats;
	struct unwind_space *space;
	struct wire *wire; /* files are sent through it, for their names; NULL: to nobody */
	const struct python_eval_range *evals;
	size_t n_evals;
	struct frame_id cut; /* NATIVE_CUT_MARKER */
	int64_t maps_due_ns;
	struct task_regs *task_regs; /* NULL: not needed so far, or not to be had */
	bool has_asked_task_regs;
	bool is_maps_stale; /* something was met that is not in the target's maps */

	/* Of one thread at a time: */
	struct native_stack stack;
	struct unwind_regs regs;
	bool has_regs; /* something is held */
	bool is_still; /* of a core: all of its memory can be read */
	bool is_waiting; /* in place: more of its stack can be read until somebody proves that it slept */
	bool is_unwound;
	struct unwind_frame frames[UNWIND_MAX_FRAMES];
	struct merge_frame parts[UNWIND_MAX_FRAMES];
	size_t n_frames;
	enum unwind_outcome outcome;

	bool was_unfinished; /* what native_take() gave last may be more next time: tables or mappings were not known */
	bool was_recovered; /* what native_take() gave last: SAMPLE_RECOVERED */
	struct native_module *modules;
	size_t modules_cap;
	struct merged merged;
};

struct native *native_new(struct target *target, struct names *names, struct capture_stats *stats);
void native_free(struct native *native); /* NULL is fine */

/* Outside of pauses: learn what is mapped now, where something was met that was not, or threads have joined. */
void native_refresh(struct native *native, int64_t now_ns, bool has_news);

/* ---- one thread: exactly one of these, or none ---- */

/* Nothing is held. */
void native_forget(struct native *native);
/*
 * Of the thread that the pauser holds: what to read of its stack.  False: not known, and nothing is held.  When
 * the span was read native_hold() says so.
 */
bool native_aim(struct native *native, struct pauser *pauser, struct mem_span *ret_span);
void native_hold(struct native *native, const struct mem_span *span);
/* Of a thread that waits, as it was looked at last; reads its stack, and unwinds it. */
void native_hold_waiting(struct native *native, pid_t tid, const struct thread_view *view);

/* Of a thread of a process that has ended. */
void native_hold_still(struct native *native, const struct pause_regs *regs);

/* ---- its frames ---- */

/*
 * What is held, merged with Python's stack (NULL: the thread has none): frames outermost first, borrowed until the
 * next call; n 0: none that are true, so the Python stack stands alone.  Counts what came of it.
 */
const struct merged *native_take(struct native *native, const struct python_stack *python);

#endif
