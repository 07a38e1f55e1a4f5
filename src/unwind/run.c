/* SPDX-License-Identifier: Apache-2.0 */
/* A stack by its rules: the ordinary way, and what has none but is certain all the same. */
#include "base/vec.h"
#include "unwind/walk_private.h"

#define RUN_MAX_STEPS 8192	    /* also those of searches that led nowhere */
#define ENTRY_BYTES 64		    /* a program's first instructions, up to where it calls C */
#define RECORD_MAX_BYTES (1u << 20) /* between two frame records; a larger frame is not believed */

static bool read_held(const uint8_t *bytes, size_t len, raddr_t at, uint64_t addr,
		      uint64_t *ret_value)
{
	if (addr < at || addr - at >= len || len - (addr - at) < sizeof(*ret_value))
		return false;
	memcpy(ret_value, bytes + (addr - at), sizeof(*ret_value));
	return true;
}

bool walk_read(void *ctx, uint64_t addr, uint64_t *ret_value)
{
	struct walk *walk = ctx;
	const struct unwind_stack *stack = walk->stack;

	if (read_held(stack->bytes, stack->len, stack->sp, addr, ret_value) ||
	    read_held(stack->more, stack->more_len, stack->more_at, addr, ret_value))
		return true;
	if (!stack->memory)
		return false;
	if (addr < walk->window_at ||
	    addr - walk->window_at + sizeof(*ret_value) > walk->window_bytes) {
		/* Not past the page that holds it: the next one need not be mapped. */
		uint64_t end = (addr + sizeof(*ret_value) + WALK_WINDOW_BYTES - 1) &
			       ~(uint64_t)(WALK_WINDOW_BYTES - 1);
		uint64_t from = addr & ~7ull;

		if (addr > UINT64_MAX - 2 * WALK_WINDOW_BYTES)
			return false;
		walk->window_bytes = 0;
		if (end - from > WALK_WINDOW_BYTES)
			end = from + 2 * sizeof(*ret_value);
		if (memory_read(stack->memory, from, walk->window, end - from) < 0)
			return false;
		walk->window_at = from;
		walk->window_bytes = (uint32_t)(end - from);
	}
	memcpy(ret_value, walk->window + (addr - walk->window_at), sizeof(*ret_value));
	return true;
}

static uint64_t lookup_address(const struct walk *walk)
{
	return walk->flags & UNWIND_FRAME_EXACT ? walk->regs.r[UNWIND_PC]
						: walk->regs.r[UNWIND_PC] - 1;
}

/* The program's first instructions, or a thread's last: nobody called them. */
static bool is_base(struct walk *walk, uint32_t module, uint64_t address)
{
	if (module == UNWIND_NO_MODULE)
		return false;
	const struct module *it = walk->space->modules[module];
	uint64_t linked = address - it->public.bias;

	if (it->state == MODULE_LOADED && it->table.entry && linked >= it->table.entry &&
	    linked - it->table.entry < ENTRY_BYTES)
		return true;
	return code_ends_thread(walk->space, module, walk->regs.r[UNWIND_PC]);
}

bool walk_record(struct walk *walk)
{
	struct unwind_regs *regs = &walk->regs;
	uint64_t fp, pc, target;

	if (!unwind_regs_has(regs, UNWIND_FP))
		return false;
	uint64_t at = regs->r[UNWIND_FP];
	if (at < regs->r[UNWIND_SP] || at - regs->r[UNWIND_SP] > RECORD_MAX_BYTES || at & 7 ||
	    !walk_read(walk, at, &fp) || !walk_read(walk, at + 8, &pc) ||
	    !code_is_call(walk->space, pc & UNWIND_ADDRESS_MASK, &target))
		return false;
	regs->known = 0;
	unwind_regs_set(regs, UNWIND_FP, fp);
	unwind_regs_set(regs, UNWIND_SP, at + 16);
	unwind_regs_set(regs, UNWIND_PC, pc & UNWIND_ADDRESS_MASK);
	return true;
}

/*
 * Is code without rules believed to keep frame pointers?  What was made at run time does (CPython's and
 * V8's compilers), and what was built without rules altogether (Go).  In a file that has rules for its other
 * functions (musl's clone and system calls) the register holds what some caller left in it.
 */
static bool keeps_records(const struct walk *walk, uint32_t module)
{
	const struct unwind_module *it = &walk->space->modules[module]->public;

	return it->kind == UNWIND_ANONYMOUS || !it->has_table;
}

/* Where the file says nothing.  Guesses that can be told from right ones are left to the search. */
static enum unwind_outcome step_untold(struct walk *walk, uint32_t module, uint64_t address)
{
	struct unwind_frame *frame = &walk->frames[walk->n - 1];

	if (is_base(walk, module, address)) {
		frame->flags |= UNWIND_FRAME_BASE;
		return UNWIND_BASE;
	}
	if (code_signal(walk)) { /* certain: nothing else looks like it */
		frame->flags |= UNWIND_FRAME_SIGNAL;
		walk->flags = UNWIND_FRAME_EXACT;
		return UNWIND_OUTCOMES;
	}
	if (!code_return(walk, module) && !(keeps_records(walk, module) && walk_record(walk)))
		return UNWIND_NO_TABLE;
	frame->flags |= UNWIND_FRAME_RECOVERED;
	walk->flags = 0;
	return UNWIND_OUTCOMES; /* not at an end */
}

static enum unwind_outcome step_told(struct walk *walk, const struct cfi_rule *rule)
{
	struct unwind_frame *frame = &walk->frames[walk->n - 1];
	uint64_t sp = walk->regs.r[UNWIND_SP];

	if (rule->flags & CFI_SIGNAL)
		frame->flags |= UNWIND_FRAME_SIGNAL;
	switch (unwind_step(rule, &walk->regs, walk_read, walk)) {
	case UNWIND_AT_BASE:
		frame->flags |= UNWIND_FRAME_BASE;
		return UNWIND_BASE;
	case UNWIND_NEEDS_REG:
		return UNWIND_NO_REG;
	case UNWIND_NEEDS_MEMORY:
		return UNWIND_BAD_MEMORY;
	case UNWIND_NEEDS_RULE:
		return UNWIND_BAD_RULE;
	default:
		break;
	}
	/*
	 * A handler may run on a stack of its own, anywhere; a function's frame lies below its caller's, but for a
	 * leaf that has taken its return address off the stack (vfork).
	 */
	if (!(rule->flags & CFI_SIGNAL) && UNWIND_PC == 16 &&
	    (walk->regs.r[UNWIND_SP] < sp || (walk->regs.r[UNWIND_SP] == sp && walk->n > 1)))
		return UNWIND_LOOP;
	walk->flags = rule->flags & CFI_SIGNAL ? UNWIND_FRAME_EXACT : 0;
	return UNWIND_OUTCOMES;
}

static bool is_out_of_budget(const struct walk *walk)
{
	return !walk->space->left_loads || !walk->space->left_decoded;
}

/* What a wrong turn takes for a return address follows no call. */
static bool is_called(const struct walk *walk)
{
	uint64_t target;

	return walk->flags & UNWIND_FRAME_EXACT ||
	       code_is_call(walk->space, walk->regs.r[UNWIND_PC], &target);
}

static enum unwind_outcome walk_one(struct walk *walk)
{
	uint64_t pc = walk->regs.r[UNWIND_PC];
	uint64_t address = lookup_address(walk);
	bool is_bad;

	/* The outermost frame record, or a thread that began without a caller. */
	if (!pc && walk->n && !walk->is_searching) {
		walk->frames[walk->n - 1].flags |= UNWIND_FRAME_BASE;
		return UNWIND_BASE;
	}
	uint32_t module = unwind_module_at(walk->space, address);
	if (module == UNWIND_NO_MODULE && walk->n)
		return UNWIND_OUTSIDE;
	if (walk->is_searching && !is_called(walk))
		return UNWIND_OUTSIDE;
	if (walk->n == walk->max || !walk->left_steps)
		return UNWIND_CUT;
	walk->left_steps--;
	walk->frames[walk->n++] =
		(struct unwind_frame){.pc = pc, .module = module, .flags = walk->flags};
	if (module ==
	    UNWIND_NO_MODULE) /* a call to nowhere: its caller may be found all the same */
		return UNWIND_NO_TABLE;
	const struct cfi_rule *rule = space_rule(walk->space, module, address, &is_bad);
	if (rule)
		return step_told(walk, rule);
	if (is_out_of_budget(walk))
		return UNWIND_LATER;
	enum unwind_outcome outcome = step_untold(walk, module, address);
	return outcome == UNWIND_NO_TABLE && is_bad ? UNWIND_BAD_RULE : outcome;
}

enum unwind_outcome walk_on(struct walk *walk)
{
	enum unwind_outcome outcome;

	do
		outcome = walk_one(walk);
	while (outcome == UNWIND_OUTCOMES);
	return outcome;
}

size_t unwind_run(struct unwind_space *space, const struct unwind_regs *regs,
		  const struct unwind_stack *stack, struct unwind_frame *frames, size_t max,
		  enum unwind_outcome *ret_outcome)
{
	struct walk walk = {.space = space,
			    .stack = stack,
			    .regs = *regs,
			    .frames = frames,
			    .max = min_of(max, (size_t)UNWIND_MAX_FRAMES),
			    .flags = UNWIND_FRAME_EXACT,
			    .left_steps = RUN_MAX_STEPS};

	if (rows_are_full(&space->rows)) {
		rows_forget(&space->rows);
		memset(space->answers, 0, sizeof(space->answers));
	}
	space->runs++;
	space->left_loads = RUN_MAX_LOADS;
	space->left_decoded = RUN_MAX_DECODED;
	enum unwind_outcome outcome = walk_on(&walk);
	if (outcome == UNWIND_NO_REG || outcome == UNWIND_NO_TABLE || outcome == UNWIND_BAD_RULE)
		outcome = search(&walk, outcome);
	if (outcome == UNWIND_BASE)
		space->top = walk.regs.r[UNWIND_SP];
	*ret_outcome = outcome;
	return walk.n;
}

raddr_t unwind_top(const struct unwind_space *space)
{
	return space->top;
}

const char *unwind_outcome_name(enum unwind_outcome outcome)
{
	static const char *const names[UNWIND_OUTCOMES] = {
		[UNWIND_BASE] = "complete",
		[UNWIND_CUT] = "too many frames",
		[UNWIND_OUTSIDE] = "an address outside of code",
		[UNWIND_NO_TABLE] = "no unwind information",
		[UNWIND_BAD_RULE] = "a rule that cannot be followed",
		[UNWIND_NO_REG] = "a register that is not known",
		[UNWIND_BAD_MEMORY] = "stack that cannot be read",
		[UNWIND_LOOP] = "a stack that does not rise",
		[UNWIND_LATER] = "too much to look at for the first time",
	};

	return outcome < UNWIND_OUTCOMES ? names[outcome] : "unknown";
}
