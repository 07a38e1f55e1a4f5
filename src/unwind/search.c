/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where no rule leads on: functions without unwind information (musl's), and those whose rule begins with a
 * frame pointer that nobody could tell us (a waiting thread's).
 *
 * The caller's return address is somewhere above the stack pointer.  Each word that follows a call is
 * tried, the lowest first, and kept when the stack then goes on by rules to its base; a word
 * left over from an earlier call rarely does.  A search may have to pass several such functions, so
 * it is a walk over choices, with one stack of them instead of recursion and one budget for all.
 *
 * For each function at first only words are believed whose call names it, or cannot be told (a register, a
 * stub of the linker, other code without information), and whose frame record is one, where it keeps frame
 * pointers; then, since a called function may have jumped on to another, all.  Calls that name the
 * function are no better than those that cannot be told: the next such call further up would be found.
 */
#include "unwind/walk_private.h"

#include "base/compiler.h"

#define SEARCH_MAX_CHOICES 16	     /* functions to search for in one stack; musl needs 5 */
#define SEARCH_MAX_BYTES (16u << 10) /* of stack looked at for one caller */
#define SEARCH_MAX_REALIGNED 512 /* bytes from a realigned frame's address to where it is kept */
#define SEARCH_MAX_CHECKS 2000	 /* words whose code was looked at, in all: 0.7 us each */
#define SEARCH_MAX_WORDS 32768	 /* words read, in all: 10 ns each */

struct choice {
	size_t n;		 /* frames up to the one whose caller is looked for */
	struct unwind_regs regs; /* in it */
	uint8_t frame_flags;
	struct cfi_rule rule; /* of it; cfa CFI_CFA_BAD: none */
	uint64_t start, end;  /* bounds of the function; 0: unknown */
	uint32_t module;
	uint64_t guess;		     /* the word to try before all; 0: none */
	uint64_t first, slot, limit; /* the words to try, and the next one */
	bool is_all_believed;	     /* the second time */
};

struct searching {
	struct walk *walk;
	struct choice choices[SEARCH_MAX_CHOICES];
	size_t n;
	uint32_t left_checks, left_words;
};

static int32_t lowest_offset(const struct cfi_rule *rule)
{
	int32_t lowest = 0;

	for (uint8_t i = 0; i < rule->n; i++)
		if (rule->items[i].how == CFI_AT_CFA)
			lowest = min_of(lowest, rule->items[i].off);
	return lowest;
}

/* Where the return address lies relative to the frame's address; 0: not in memory. */
static int32_t return_offset(const struct cfi_rule *rule)
{
	for (uint8_t i = 0; i < rule->n; i++)
		if (rule->items[i].reg == rule->ra && rule->items[i].how == CFI_AT_CFA)
			return rule->items[i].off;
	return 0;
}

static void choice_bounds(struct searching *searching, struct choice *choice, uint64_t address)
{
	struct unwind_space *space = searching->walk->space;
	const struct function *function = space_function(space, choice->module, address);

	if (!function)
		return;
	const struct module *module = space->modules[choice->module];
	choice->start = module->public.bias + module->table.base + function->start;
	choice->end = module->public.bias + module->table.base + function->end;
}

/*
 * Where the return address lies by the function's first instructions: below what it saved (its rule says
 * what) it makes room once, mostly.
 */
static uint64_t guess_slot(struct searching *searching, const struct choice *choice)
{
	uint64_t saved = 0, room;

	if (!choice->start || choice->rule.cfa != CFI_CFA_REG || choice->rule.reg != UNWIND_FP)
		return 0;
	for (uint8_t i = 0; i < choice->rule.n; i++)
		saved += choice->rule.items[i].how == CFI_AT_CFA ? 8 : 0;
	if (!code_room(searching->walk->space, choice->module, choice->start, &room))
		return 0;
	return choice->regs.r[UNWIND_SP] + room + saved - 8;
}

/* The last frame's caller is to be looked for. */
static void push_choice(struct searching *searching)
{
	struct walk *walk = searching->walk;
	const struct unwind_frame *frame = &walk->frames[walk->n - 1];
	uint64_t address = unwind_frame_address(frame);
	struct choice *choice = &searching->choices[searching->n++];
	bool is_bad;

	*choice = (struct choice){.n = walk->n,
				  .regs = walk->regs,
				  .frame_flags = frame->flags,
				  .module = frame->module,
				  .slot = walk->regs.r[UNWIND_SP]};
	choice->limit =
		choice->slot + min_of((uint64_t)SEARCH_MAX_BYTES, UINT64_MAX - choice->slot);
	choice->first = choice->slot;
	if (frame->module == UNWIND_NO_MODULE)
		return;
	const struct cfi_rule *rule = space_rule(walk->space, frame->module, address, &is_bad);
	if (rule && rule->cfa != CFI_CFA_BAD && return_offset(rule) < 0) {
		choice->rule = *rule;
		/* What the function saved lies above the stack pointer. */
		choice->slot += (uint64_t)(int64_t)(return_offset(rule) - lowest_offset(rule));
	}
	choice->first = choice->slot;
	choice_bounds(searching, choice, address);
	choice->guess = guess_slot(searching, choice);
}

/* Can a call have led to the function, by what is believed now? */
static bool is_target_fit(struct searching *searching, const struct choice *choice, uint32_t caller,
			  uint64_t target)
{
	struct walk *walk = searching->walk;
	bool is_bad;

	if (!target)
		return true;
	if (choice->start && target >= choice->start && target < choice->end)
		return true;
	if (unwind_module_at(walk->space, target) == choice->module && !choice->start)
		return !space_function(walk->space, choice->module, target);
	const struct cfi_rule *rule = space_rule(walk->space, caller, target, &is_bad);
	return rule ? rule->cfa == CFI_CFA_PLT : caller != choice->module;
}

/* A function with frame pointers has saved one that lies further up, or none. */
static bool is_record_fit(const struct choice *choice, const struct unwind_regs *caller)
{
	if (choice->rule.cfa != CFI_CFA_REG || choice->rule.reg != UNWIND_FP)
		return true;
	uint64_t fp = caller->r[UNWIND_FP];
	return unwind_regs_has(caller, UNWIND_FP) && (!fp || fp >= caller->r[UNWIND_SP]);
}

/*
 * A function that realigns its stack keeps the frame's address in a word near the base of its own part, and
 * copies the return address there: only the original has such a word below it, which tells the base as well.
 */
static bool find_base(struct walk *walk, const struct choice *choice, uint64_t cfa,
		      struct unwind_regs *regs)
{
	const struct cfi_rule *rule = &choice->rule;
	uint64_t sp = choice->regs.r[UNWIND_SP];

	if (rule->cfa != CFI_CFA_DEREF || unwind_regs_has(regs, rule->reg))
		return true;
	for (uint64_t at = cfa - 8; at >= sp && cfa - at <= SEARCH_MAX_REALIGNED; at -= 8) {
		uint64_t word;

		if (!walk_read(walk, at, &word))
			return false;
		if (word + (uint64_t)(int64_t)rule->add != cfa)
			continue;
		unwind_regs_set(regs, rule->reg, at - (uint64_t)(int64_t)rule->off);
		return true;
	}
	return false;
}

/* What a function that nothing is known of pushed first, if that is a frame pointer: it leads to a record. */
static void find_record(struct walk *walk, uint64_t slot, struct unwind_regs *caller)
{
	uint64_t fp, pc, target;

	if (!walk_read(walk, slot - 8, &fp) || fp & 7 || fp <= slot ||
	    fp - slot > SEARCH_MAX_BYTES || !walk_read(walk, fp + 8, &pc) ||
	    !code_is_call(walk->space, pc & UNWIND_ADDRESS_MASK, &target))
		return;
	unwind_regs_set(caller, UNWIND_FP, fp);
}

/* The caller's registers when `slot` holds its return address. */
static bool assume(struct walk *walk, const struct choice *choice, uint64_t slot, uint64_t word,
		   struct unwind_regs *ret_caller)
{
	struct unwind_regs caller = choice->regs;

	if (choice->rule.cfa != CFI_CFA_BAD) {
		uint64_t cfa = slot - (uint64_t)(int64_t)return_offset(&choice->rule);

		if (!find_base(walk, choice, cfa, &caller))
			return false;
		if (unwind_step_from(&choice->rule, &caller, cfa, walk_read, walk) !=
		    UNWIND_STEPPED)
			return false;
	} else {
		caller.known = 0; /* which registers it saved, nobody knows */
		unwind_regs_set(&caller, UNWIND_SP, slot + 8);
		unwind_regs_set(&caller, UNWIND_PC, word & UNWIND_ADDRESS_MASK);
		if (slot > choice->regs.r[UNWIND_SP])
			find_record(walk, slot, &caller);
	}
	*ret_caller = caller;
	return true;
}

/* Set the walk on the caller whose return address is in `slot`, if that can be believed. */
static bool try_slot(struct searching *searching, const struct choice *choice, uint64_t slot)
{
	struct walk *walk = searching->walk;
	struct unwind_regs caller;
	uint64_t word, target;

	if (!walk_read(walk, slot, &word))
		return false;
	word &= UNWIND_ADDRESS_MASK;
	uint32_t module = unwind_module_at(walk->space, word - 1);
	if (!word || module == UNWIND_NO_MODULE)
		return false;
	searching->left_checks--;
	if (!code_is_call(walk->space, word, &target) || !assume(walk, choice, slot, word, &caller))
		return false;
	if (!choice->is_all_believed &&
	    (!is_target_fit(searching, choice, module, target) || !is_record_fit(choice, &caller)))
		return false;
	walk->n = choice->n;
	walk->frames[walk->n - 1].flags = choice->frame_flags | UNWIND_FRAME_RECOVERED;
	walk->regs = caller;
	walk->flags = 0;
	return true;
}

static bool try_slots(struct searching *searching, struct choice *choice)
{
	while (choice->slot < choice->limit && searching->left_checks && searching->left_words) {
		uint64_t slot = choice->slot;

		choice->slot += 8;
		searching->left_words--;
		if (try_slot(searching, choice, slot))
			return true;
	}
	return false;
}

/* The next caller that is possible; false: there is none any more. */
static bool next_caller(struct searching *searching, struct choice *choice)
{
	uint64_t guess = choice->guess;

	choice->guess = 0;
	if (guess && searching->left_checks && try_slot(searching, choice, guess))
		return true;
	if (try_slots(searching, choice))
		return true;
	if (choice->is_all_believed)
		return false;
	choice->is_all_believed = true;
	choice->slot = choice->first;
	return try_slots(searching, choice);
}

/* UNWIND_NO_TABLE: nothing led to a base. */
static enum unwind_outcome try_choices(struct searching *searching)
{
	while (searching->n) {
		if (!next_caller(searching, &searching->choices[searching->n - 1])) {
			searching->n--;
			continue;
		}
		enum unwind_outcome outcome = walk_on(searching->walk);
		if (outcome == UNWIND_BASE || outcome == UNWIND_CUT || outcome == UNWIND_LATER)
			return outcome;
		if ((outcome == UNWIND_NO_REG || outcome == UNWIND_NO_TABLE ||
		     outcome == UNWIND_BAD_RULE) &&
		    searching->n < SEARCH_MAX_CHOICES)
			push_choice(searching);
	}
	return UNWIND_NO_TABLE;
}

enum unwind_outcome search(struct walk *walk, enum unwind_outcome stuck)
{
	struct searching searching = {
		.walk = walk, .left_checks = SEARCH_MAX_CHECKS, .left_words = SEARCH_MAX_WORDS};

	walk->is_searching = true;
	push_choice(&searching);
	const struct choice first = searching.choices[0];
	enum unwind_outcome outcome = try_choices(&searching);
	if (outcome == UNWIND_BASE || outcome == UNWIND_CUT)
		return outcome;
	walk->n = first.n;
	walk->regs = first.regs;
	walk->flags = 0;
	if (outcome != UNWIND_LATER && stuck == UNWIND_NO_TABLE && walk_record(walk)) {
		walk->frames[first.n - 1].flags = first.frame_flags | UNWIND_FRAME_RECOVERED;
		outcome = walk_on(walk);
		if (outcome == UNWIND_BASE || outcome == UNWIND_CUT)
			return outcome;
	}
	/* What was tried is not shown. */
	walk->n = first.n;
	walk->frames[first.n - 1].flags = first.frame_flags;
	return outcome == UNWIND_LATER ? outcome : stuck;
}
