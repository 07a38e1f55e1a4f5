/* SPDX-License-Identifier: Apache-2.0 */
/* The little that is read of machine code: calls before return addresses, and the way from a place to its return. */
#include "unwind/walk_private.h"

#define RETURN_MAX_BYTES 64  /* from the program counter to the return */
#define PROLOGUE_BYTES 96    /* in which a function makes room on the stack */
#define SIGNAL_CONTEXT_AT 40 /* registers in struct ucontext, which the stack pointer stands at */
#define ENDING_BYTES 24	     /* in which a thread that has nothing left to do ends itself */

static bool is_call(struct unwind_space *space, uint64_t address, uint64_t *ret_target);

bool code_is_call(struct unwind_space *space, uint64_t address, uint64_t *ret_target)
{
	struct call *call =
		&space->calls[(address * 0x9e3779b97f4a7c15ull) >> 32 & (SPACE_CALLS - 1)];

	if (call->address != address) {
		*call = (struct call){.address = address};
		call->is_call = is_call(space, address, &call->target);
	}
	*ret_target = call->target;
	return call->is_call;
}

#if defined(__aarch64__)

static bool is_call(struct unwind_space *space, uint64_t address, uint64_t *ret_target)
{
	uint32_t module = unwind_module_at(space, address - 1);
	uint32_t word;

	*ret_target = 0;
	if (!space_code(space, module, address - 4, &word, sizeof(word)))
		return false;
	if ((word & 0xfc000000) == 0x94000000) { /* bl */
		int64_t words = (int32_t)(word << 6) >> 6;

		*ret_target = address - 4 + (uint64_t)(words * 4);
		return true;
	}
	return (word & 0xfffffc1f) == 0xd63f0000; /* blr */
}

bool code_ends_thread(struct unwind_space *space, uint32_t module, uint64_t address)
{
	(void)space, (void)module, (void)address;
	return false; /* frame records end there: every build has them */
}

bool code_room(struct unwind_space *space, uint32_t module, uint64_t start, uint64_t *ret_bytes)
{
	(void)space, (void)module, (void)start, (void)ret_bytes;
	return false;
}

bool code_return(struct walk *walk, uint32_t module)
{
	(void)walk, (void)module;
	return false;
}

bool code_signal(struct walk *walk)
{
	(void)walk;
	return false; /* the kernel's own library has a rule */
}

#else

/* The length of an indirect call (ff /2) by its ModRM byte and what follows. */
static size_t indirect_call_bytes(const uint8_t *code)
{
	uint8_t mod = code[1] >> 6, rm = code[1] & 7;
	size_t bytes = 2;

	if (mod == 3)
		return bytes;
	if (rm == 4)
		bytes++;
	if (mod == 1)
		return bytes + 1;
	if (mod == 2 || rm == 5 || (rm == 4 && (code[2] & 7) == 5))
		return bytes + 4;
	return bytes;
}

/* mov $15, %rax; syscall: rt_sigreturn, where handlers return to. */
static bool is_signal_return(struct unwind_space *space, uint64_t address)
{
	static const uint8_t expected[] = {0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05};
	uint8_t code[sizeof(expected)];

	return space_code(space, unwind_module_at(space, address), address, code, sizeof(code)) &&
	       memcmp(code, expected, sizeof(code)) == 0;
}

bool code_signal(struct walk *walk)
{
	/* The kernel's order of struct sigcontext, by DWARF numbers. */
	static const uint8_t numbers[] = {8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16};
	struct unwind_regs next = {0};
	uint64_t at = walk->regs.r[UNWIND_SP] + SIGNAL_CONTEXT_AT;

	if (!is_signal_return(walk->space, walk->regs.r[UNWIND_PC]))
		return false;
	for (size_t i = 0; i < array_len(numbers); i++) {
		uint64_t value;

		if (!walk_read(walk, at + 8 * i, &value))
			return false;
		unwind_regs_set(&next, numbers[i], value);
	}
	walk->regs = next;
	return true;
}

static bool is_call(struct unwind_space *space, uint64_t address, uint64_t *ret_target)
{
	uint8_t code[8]; /* the eighth is there for a SIB byte that is none */
	uint32_t module = unwind_module_at(space, address - 1);
	int32_t distance;

	*ret_target = 0;
	if (is_signal_return(space, address))
		return true; /* the kernel made the call */
	if (!space_code(space, module, address - 7, code, 7))
		return false;
	code[7] = 0;
	if (code[2] == 0xe8) {
		memcpy(&distance, code + 3, sizeof(distance));
		*ret_target = address + (uint64_t)(int64_t)distance;
		if (unwind_module_at(space, *ret_target) != UNWIND_NO_MODULE)
			return true;
		*ret_target = 0;
	}
	for (size_t at = 0; at <= 5; at++)
		if (code[at] == 0xff && (code[at + 1] >> 3 & 7) == 2 &&
		    indirect_call_bytes(code + at) == 7 - at)
			return true;
	return false;
}

/* mov $60, %al or %eax; syscall: what musl's clone() does when the thread's function has returned. */
bool code_ends_thread(struct unwind_space *space, uint32_t module, uint64_t address)
{
	static const uint8_t short_form[] = {0xb0, 60, 0x0f, 0x05};
	static const uint8_t long_form[] = {0xb8, 60, 0, 0, 0, 0x0f, 0x05};
	uint8_t code[ENDING_BYTES];

	if (!space_code(space, module, address, code, sizeof(code)))
		return false;
	return memmem(code, sizeof(code), short_form, sizeof(short_form)) ||
	       memmem(code, sizeof(code), long_form, sizeof(long_form));
}

/* sub $imm, %rsp: the bytes are looked for, not decoded, since whoever asks tries the answer. */
bool code_room(struct unwind_space *space, uint32_t module, uint64_t start, uint64_t *ret_bytes)
{
	static const uint8_t sub_8[] = {0x48, 0x83, 0xec};
	static const uint8_t sub_32[] = {0x48, 0x81, 0xec};
	uint8_t code[PROLOGUE_BYTES];
	uint32_t bytes = 0;

	if (!space_code(space, module, start, code, sizeof(code)))
		return false;
	for (size_t at = 0; at + 7 <= sizeof(code); at++) {
		if (!memcmp(code + at, sub_8, 3)) {
			bytes = code[at + 3];
			break;
		}
		if (!memcmp(code + at, sub_32, 3)) {
			memcpy(&bytes, code + at + 3, sizeof(bytes));
			break;
		}
	}
	*ret_bytes = bytes;
	return true;
}

/* The registers along the way; each value that is not popped from the stack stays as it is. */
struct returning {
	struct walk *walk;
	struct unwind_regs regs;
	const uint8_t *at, *end;
};

/* DWARF's numbers of the first eight registers in the order of instructions. */
static const uint8_t number_of[8] = {UNWIND_RAX, UNWIND_RCX, UNWIND_RDX, UNWIND_RBX,
				     UNWIND_SP,	 UNWIND_FP,  UNWIND_RSI, UNWIND_RDI};

static bool pop(struct returning *returning, unsigned number)
{
	uint64_t value;
	uint64_t sp = returning->regs.r[UNWIND_SP];

	if (!walk_read(returning->walk, sp, &value))
		return false;
	returning->regs.r[UNWIND_SP] = sp + 8;
	unwind_regs_set(&returning->regs, number, value);
	return true;
}

static bool leave(struct returning *returning)
{
	if (!unwind_regs_has(&returning->regs, UNWIND_FP) ||
	    returning->regs.r[UNWIND_FP] < returning->regs.r[UNWIND_SP])
		return false;
	returning->regs.r[UNWIND_SP] = returning->regs.r[UNWIND_FP];
	return pop(returning, UNWIND_FP);
}

/* One instruction: its length, 0 for one that is not known to be harmless. */
static size_t follow(struct returning *returning)
{
	const uint8_t *at = returning->at;
	size_t left = (size_t)(returning->end - at);

	if (left < 8)
		return 0;
	if (at[0] >= 0x58 && at[0] <= 0x5f && at[0] != 0x5c)
		return pop(returning, number_of[at[0] - 0x58]) ? 1 : 0;
	if (at[0] == 0x41 && at[1] >= 0x58 && at[1] <= 0x5f)
		return pop(returning, 8u + at[1] - 0x58) ? 2 : 0;
	if (at[0] == 0xc9)
		return leave(returning) ? 1 : 0;
	if (at[0] == 0x48 && at[1] == 0x83 && at[2] == 0xc4 && at[3] < 0x80) { /* add $imm8, %rsp */
		returning->regs.r[UNWIND_SP] += at[3];
		return 4;
	}
	if (at[0] == 0x48 && at[1] == 0x81 && at[2] == 0xc4 &&
	    at[6] < 0x80) { /* add $imm32, %rsp */
		uint32_t bytes;

		memcpy(&bytes, at + 3, sizeof(bytes));
		returning->regs.r[UNWIND_SP] += bytes;
		return 7;
	}
	if (at[0] == 0x90)
		return 1;
	/* mov, xor or test between 32-bit registers other than esp, ebp and those that calls preserve */
	if ((at[0] == 0x89 || at[0] == 0x31 || at[0] == 0x85) && at[1] >> 6 == 3 &&
	    (at[1] & 7) <= 2)
		return 2;
	if (at[0] == 0x48 && (at[1] == 0x89 || at[1] == 0x85) && at[2] >> 6 == 3 &&
	    (at[2] & 7) <= 2)
		return 3;
	return 0;
}

/*
 * push %rbp; mov %rsp, %rbp: where the thread stands right before or between these, the frame pointer is still the
 * caller's.  A caller itself never stands there, but what follows a call that does not return may be the next function.
 */
static bool is_entered(const struct walk *walk, uint32_t module, uint64_t *ret_bytes)
{
	static const uint8_t expected[] = {0x55, 0x48, 0x89, 0xe5};
	uint64_t pc = walk->regs.r[UNWIND_PC];
	uint8_t code[sizeof(expected)];

	if (!(walk->frames[walk->n - 1].flags & UNWIND_FRAME_EXACT))
		return false;
	for (uint64_t pushed = 0; pushed <= 1; pushed++) {
		if (!space_code(walk->space, module, pc - pushed, code, sizeof(code)) ||
		    memcmp(code, expected, sizeof(code)) != 0)
			continue;
		*ret_bytes = 8 * pushed;
		return true;
	}
	return false;
}

bool code_return(struct walk *walk, uint32_t module)
{
	uint8_t code[RETURN_MAX_BYTES] = {0xc3};
	struct returning returning = {
		.walk = walk, .regs = walk->regs, .at = code, .end = code + sizeof(code)};
	uint64_t target, bytes_pushed;

	if (is_entered(walk, module, &bytes_pushed))
		returning.regs.r[UNWIND_SP] += bytes_pushed;
	else if (!space_code(walk->space, module, walk->regs.r[UNWIND_PC], code, sizeof(code)))
		return false;
	while (returning.at[0] != 0xc3 && !(returning.at[0] == 0xf3 && returning.at[1] == 0xc3)) {
		size_t bytes = follow(&returning);

		if (!bytes)
			return false;
		returning.at += bytes;
	}
	if (!pop(&returning, UNWIND_PC) ||
	    !code_is_call(walk->space, returning.regs.r[UNWIND_PC], &target))
		return false;
	returning.regs.known &= UNWIND_PRESERVED | 1ull << UNWIND_SP | 1ull << UNWIND_PC;
	walk->regs = returning.regs;
	return true;
}

#endif
