/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/native.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "format/marker.h"

/* What unwinding one stack may read beyond what was copied: stack in place, code without a file. */
#define RUN_MAX_READS 128
#define RUN_MAX_READ_BYTES (1u << 20)

#define STILL_TRIES 1024 /* UNWIND_LATER, each with some files or functions more */

static_assert((int)PAUSE_REGS == (int)UNWIND_REGS, "both number registers as DWARF does");

struct native *native_new(struct target *target, struct names *names, struct capture_stats *stats)
{
	struct native *native = xcalloc(1, sizeof(*native));
	struct unwind_args args = {
		.open = target_open_mapping, .ctx = target, .memory = target->memory};

	native->target = target;
	native->names = names;
	native->stats = stats;
	native_stack_init(&native->stack);
	native->cut = marker_frame(names, NATIVE_CUT_MARKER);
	native->n_evals = python_eval_ranges(target->python, &native->evals);
	native->space = unwind_space_new(&args);
	unwind_space_update(native->space, &target->maps);
	return native;
}

void native_free(struct native *native)
{
	if (!native)
		return;
	task_regs_free(native->task_regs);
	unwind_space_free(native->space);
	merged_done(&native->merged);
	free(native->modules);
	native_stack_done(&native->stack);
	free(native);
}

void native_refresh(struct native *native, int64_t now_ns, bool has_news)
{
	native->is_maps_stale |= has_news;
	if (!native->is_maps_stale || now_ns < native->maps_due_ns)
		return;
	native->maps_due_ns = now_ns + NATIVE_MAPS_GAP_NS;
	if (maps_read(&native->target->maps, native->target->process.id.pid, NULL) < 0)
		return; /* it is about to end: whoever reads it next says so */
	native->is_maps_stale = false;
	unwind_space_update(native->space, &native->target->maps);
}

/* ---- one thread ---- */

void native_forget(struct native *native)
{
	native->has_regs = native->is_waiting = native->is_still = native->is_unwound = false;
	native->n_frames = 0;
	native_stack_forget(&native->stack);
}

bool native_aim(struct native *native, struct pauser *pauser, struct mem_span *ret_span)
{
	struct pause_regs regs;

	native_forget(native);
	if (pause_regs(pauser, &regs) < 0)
		return false;
	native->regs.known = (1ull << UNWIND_REGS) - 1;
	memcpy(native->regs.r, regs.all, sizeof(regs.all));
	native->has_regs = true;
	if (native_stack_aim(&native->stack, &native->target->maps, regs.sp, regs.tls, ret_span))
		return true;
	native->is_maps_stale = true;
	return false;
}

void native_hold(struct native *native, const struct mem_span *span)
{
	native_stack_hold(&native->stack, native->target->memory, &native->target->maps, span);
	native->is_maps_stale |= !span->ok;
	native->stats->native_bytes += native->stack.n + native->stack.n_more;
}

static bool has_recovered(const struct native *native)
{
	for (size_t i = 0; i < native->n_frames; i++)
		if (native->frames[i].flags & UNWIND_FRAME_RECOVERED)
			return true;
	return false;
}

/* Of the thread's stack, by what came of it; what was searched for may have ended elsewhere. */
static void learn(struct native *native)
{
	if (native->outcome != UNWIND_BASE || has_recovered(native))
		native_stack_unlearn(&native->stack);
	else if (native_stack_learn(&native->stack, unwind_top(native->space)))
		native->stats->native_outer++;
}

static void unwind(struct native *native)
{
	struct unwind_stack stack;

	native_stack_follow(&native->stack, native->target->memory);
	stack = native_stack_view(&native->stack);
	stack.memory = native->is_waiting || native->is_still ? native->target->memory : NULL;
	memory_budget_set(native->target->memory, RUN_MAX_READS, RUN_MAX_READ_BYTES);
	native->n_frames = unwind_run(native->space, &native->regs, &stack, native->frames,
				      UNWIND_MAX_FRAMES, &native->outcome);
	native->is_unwound = true;
	native->is_maps_stale |= native->outcome == UNWIND_OUTSIDE;
	learn(native);
}

/*
 * All registers of a thread that waits, of the very moment: false when nobody may be asked, or it has moved on.
 * Asking needs a program in the kernel, so it is loaded when the first stack cannot do without.
 */
static bool ask_kernel(struct native *native, pid_t tid)
{
	struct task_record record;

	static_assert((int)TASK_REGS_MAX <= (int)UNWIND_REGS, "by the same numbers");
	if (!native->has_asked_task_regs &&
	    task_regs_open(native->target->process.id.pid, 0, &native->task_regs, NULL) < 0)
		native->task_regs = NULL; /* without the right: stacks are as far as /proc leads */
	native->has_asked_task_regs = true;
	if (!native->task_regs || task_regs_read_one(native->task_regs, tid, &record) < 0)
		return false;
	if (!(record.flags & TASK_ASLEEP) || !(record.flags & TASK_HAS_REGS) ||
	    record.regs[UNWIND_SP] != native->regs.r[UNWIND_SP] ||
	    record.regs[UNWIND_PC] != native->regs.r[UNWIND_PC])
		return false;
	memcpy(native->regs.r, record.regs, sizeof(record.regs));
	native->regs.known = (1ull << TASK_REGS_MAX) - 1;
	return true;
}

/* A system call's arguments are still in their registers: vfork() keeps its return address in the first. */
static void set_arguments(struct native *native, const struct thread_view *view)
{
#if defined(__x86_64__)
	static const uint8_t registers[] = {UNWIND_RDI, UNWIND_RSI, UNWIND_RDX, 10, 8, 9};
#else
	static const uint8_t registers[] = {0, 1, 2, 3, 4, 5};
#endif

	static_assert(array_len(registers) == array_len(view->args), "of the same calls");
	for (size_t i = 0; view->number >= 0 && i < array_len(registers); i++)
		unwind_regs_set(&native->regs, registers[i], view->args[i]);
}

void native_hold_waiting(struct native *native, pid_t tid, const struct thread_view *view)
{
	native_forget(native);
	if (!view->sp || !view->pc)
		return;
	native->regs.known = 0;
	unwind_regs_set(&native->regs, UNWIND_SP, view->sp);
	unwind_regs_set(&native->regs, UNWIND_PC, view->pc);
	set_arguments(native, view);
	native->has_regs = native->is_waiting = true;
	memory_budget_set(native->target->memory, RUN_MAX_READS, RUN_MAX_READ_BYTES);
	native_stack_read(&native->stack, native->target->memory, &native->target->maps, view->sp);
	native->is_maps_stale |= !native->stack.n;
	unwind(native);
	if ((native->outcome != UNWIND_BASE || has_recovered(native)) && ask_kernel(native, tid))
		unwind(native);
}

/* Nothing moves, and nothing waits for us: as many attempts as its files need. */
void native_hold_still(struct native *native, const struct pause_regs *regs)
{
	native_forget(native);
	native->regs.known = (1ull << UNWIND_REGS) - 1;
	memcpy(native->regs.r, regs->all, sizeof(regs->all));
	native->has_regs = native->is_still = true;
	for (int i = 0; i < STILL_TRIES; i++) {
		unwind(native);
		if (native->outcome != UNWIND_LATER)
			break;
	}
}

/* ---- frames ---- */

static const struct mapping *mapping_of(const struct native *native,
					const struct unwind_module *module)
{
	const struct maps *maps = &native->target->maps;

	for (size_t i = 0; i < maps->n; i++) {
		const struct mapping *mapping = &maps->items[i];
		uint64_t dev = (uint64_t)mapping->dev_major << 32 | mapping->dev_minor;

		if (mapping->inode == module->inode && dev == module->dev &&
		    mapping->perms & MAPPING_EXEC)
			return mapping;
	}
	return NULL;
}

/* Rule 3. */
static void send_file(struct native *native, const struct unwind_module *module)
{
	const struct mapping *mapping =
		native->wire && module->kind == UNWIND_FILE ? mapping_of(native, module) : NULL;
	int fd = mapping ? maps_open(native->target->process.id.pid, mapping, NULL) : -1;

	if (fd < 0)
		return;
	wire_send_file(native->wire, fd, module->build_id, module->path);
	close(fd);
}

static const struct native_module *find_module(struct native *native, uint32_t i)
{
	const struct unwind_module *module = unwind_module(native->space, i);
	size_t before = native->modules_cap;
	struct native_module *known;

	native->modules =
		vec_grow(native->modules, &native->modules_cap, i + 1, sizeof(*native->modules));
	if (native->modules_cap > before)
		memset(native->modules + before, 0,
		       (native->modules_cap - before) * sizeof(*native->modules));
	known = &native->modules[i];
	if (!known->is_known) {
		known->path = names_cstr(native->names, module->path);
		known->build_id = names_cstr(native->names, module->build_id);
		known->is_known = module->is_loaded;
		if (known->is_known)
			send_file(native, module);
	}
	return known;
}

static struct frame_id frame_of(struct native *native, const struct unwind_frame *found)
{
	uint64_t address = unwind_frame_address(found);
	struct frame frame = {.kind = FRAME_NATIVE, .address = address};

	if (found->module == UNWIND_NO_MODULE) {
		frame.module = names_cstr(native->names, "[unknown]");
	} else {
		const struct native_module *module = find_module(native, found->module);

		frame.module = module->path;
		frame.build_id = module->build_id;
		if (unwind_module(native->space, found->module)->kind != UNWIND_ANONYMOUS)
			frame.address -= unwind_module(native->space, found->module)->bias;
	}
	return names_frame(native->names, &frame);
}

static enum merge_kind kind_of(const struct native *native, const struct unwind_frame *found)
{
	uint64_t address = unwind_frame_address(found);

	for (size_t i = 0; i < native->n_evals; i++)
		if (address >= native->evals[i].start && address < native->evals[i].end)
			return native->evals[i].is_handler ? MERGE_HANDLER : MERGE_EVAL;
	if (found->module == UNWIND_NO_MODULE ||
	    unwind_module(native->space, found->module)->kind == UNWIND_ANONYMOUS)
		return MERGE_MADE;
	return MERGE_CODE;
}

static void classify(struct native *native)
{
	for (size_t i = 0; i < native->n_frames; i++) {
		enum merge_kind kind = kind_of(native, &native->frames[i]);

		native->parts[i] = (struct merge_frame){.kind = (uint8_t)kind};
		if (kind != MERGE_EVAL)
			native->parts[i].id = frame_of(native, &native->frames[i]);
	}
}

static void count(struct native *native, enum capture_native what)
{
	native->stats->native[what]++;
}

static void count_end(struct native *native)
{
	static const enum capture_native reasons[UNWIND_OUTCOMES] = {
		[UNWIND_CUT] = CAPTURE_NATIVE_TOO_DEEP,
		[UNWIND_OUTSIDE] = CAPTURE_NATIVE_BAD_RULE,
		[UNWIND_NO_TABLE] = CAPTURE_NATIVE_NO_TABLE,
		[UNWIND_BAD_RULE] = CAPTURE_NATIVE_BAD_RULE,
		[UNWIND_NO_REG] = CAPTURE_NATIVE_NO_REG,
		[UNWIND_BAD_MEMORY] = CAPTURE_NATIVE_BAD_MEMORY,
		[UNWIND_LOOP] = CAPTURE_NATIVE_BAD_RULE,
		[UNWIND_LATER] = CAPTURE_NATIVE_LATER,
	};
	bool is_full = native->outcome == UNWIND_BAD_MEMORY && native->stack.is_cut;

	if (native->outcome != UNWIND_BASE)
		count(native, is_full ? CAPTURE_NATIVE_TOO_DEEP : reasons[native->outcome]);
}

/* A thread of C: whatever is known of it is true. */
static enum merge_outcome take_alone(struct native *native)
{
	static const struct python_stack none;
	struct merge_input input = {
		.frames = native->parts,
		.n = native->n_frames,
		.is_whole = native->outcome == UNWIND_BASE,
		.is_waiting = true, /* nothing that could be half pushed */
		.python = &none,
		.cut = native->cut,
	};

	return native_merge(&input, &native->merged);
}

static enum merge_outcome take_with(struct native *native, const struct python_stack *python)
{
	struct merge_input input = {
		.frames = native->parts,
		.n = native->n_frames,
		.is_whole = native->outcome == UNWIND_BASE,
		.is_waiting = native->is_waiting,
		.python = python,
		.cut = native->cut,
	};

	if (native->n_evals == 0 && python->n_evals > 0)
		return MERGE_MISMATCH;
	return native_merge(&input, &native->merged);
}

const struct merged *native_take(struct native *native, const struct python_stack *python)
{
	enum merge_outcome outcome;

	native->merged.n = 0;
	native->was_recovered = native->was_unfinished = false;
	if (!native->has_regs) {
		count(native, CAPTURE_NATIVE_UNPAUSED);
		return &native->merged;
	}
	if (!native->is_unwound)
		unwind(native);
	classify(native);
	count_end(native);
	outcome = python ? take_with(native, python) : take_alone(native);
	if (outcome == MERGE_MISMATCH)
		native->merged.n = 0;
	if (outcome == MERGE_MISMATCH && native->outcome == UNWIND_BASE)
		count(native, CAPTURE_NATIVE_MISMATCH);
	else if (outcome != MERGE_MISMATCH)
		count(native,
		      outcome == MERGE_WHOLE ? CAPTURE_NATIVE_COMPLETE : CAPTURE_NATIVE_INNER);
	native->was_unfinished = native->outcome == UNWIND_LATER || native->is_maps_stale;
	native->was_recovered = outcome != MERGE_MISMATCH && has_recovered(native);
	if (outcome == MERGE_WHOLE && native->was_recovered)
		count(native, CAPTURE_NATIVE_RECOVERED);
	native_forget(native);
	return &native->merged;
}
