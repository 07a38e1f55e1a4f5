/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs of .eh_frame: call frame instructions to rows.
 *
 * Expressions are not run but recognised: with very few exceptions they say "register plus offset", "what is in memory
 * there, plus offset" or are the linker's one for its stubs.  Those make rules that a step can follow without
 * an interpreter; the rest is CFI_CFA_BAD or CFI_BAD, which ends a stack there and is counted.
 */
#include "base/vec.h"
#include "elf/eh_cursor_private.h"
#include "elf/eh_frame.h"

enum {
	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE1 = 0x02,
	CFA_ADVANCE2 = 0x03,
	CFA_ADVANCE4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_AARCH64_NEGATE_RA_STATE = 0x2d,
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET = 0x2f,
	CFA_ADVANCE = 0x40, /* the upper two bits; the lower six are the operand */
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,

	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONST1S = 0x09,
	OP_CONST2U = 0x0a,
	OP_CONST2S = 0x0b,
	OP_AND = 0x1a,
	OP_MINUS = 0x1c,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_GE = 0x2a,
	OP_LIT0 = 0x30,
	OP_BREG0 = 0x70,
};

/* Before it is packed into a rule: every register has its place. */
struct state {
	uint8_t cfa, reg;
	int32_t off, add;
	struct cfi_item regs[CFI_REGS]; /* .how CFI_SAME: not mentioned */
};

struct machine {
	const struct eh_cie *cie;
	struct state state, initial;
	struct state *remembered; /* [EH_MAX_REMEMBERED], made at the first use */
	size_t n_remembered;
	uint64_t at, end;
	uint32_t rows;
	eh_row_fn *row;
	void *ctx;
};

/* Offsets past 2 GiB are no offsets: the register or frame that they are for is lost, not the function. */
static bool fits(int64_t value)
{
	return value >= INT32_MIN && value <= INT32_MAX;
}

static int emit(struct machine *machine)
{
	const struct state *state = &machine->state;
	struct cfi_rule rule = {.cfa = state->cfa,
				.reg = state->reg,
				.ra = machine->cie->ra,
				.flags = machine->cie->is_signal ? CFI_SIGNAL : 0,
				.off = state->off,
				.add = state->add};

	if (++machine->rows > EH_MAX_ROWS)
		return ERR_LIMIT;
	for (uint8_t reg = 0; reg < CFI_REGS; reg++) {
		if (state->regs[reg].how == CFI_SAME)
			continue;
		rule.items[rule.n] = state->regs[reg];
		rule.items[rule.n++].reg = reg;
	}
	return machine->row(machine->ctx, machine->at, &rule);
}

static int advance_to(struct machine *machine, uint64_t to)
{
	int r = 0;

	if (to < machine->at || to > machine->end)
		return ERR_CORRUPT;
	if (to != machine->at)
		r = emit(machine);
	machine->at = to;
	return r;
}

static int advance(struct machine *machine, uint64_t delta)
{
	/* At most 2^32 * 256: no overflow that advance_to() would not see. */
	return advance_to(machine, machine->at + delta * machine->cie->code_align);
}

/* ---- expressions ---- */

enum term_kind { TERM_CFA, TERM_REG, TERM_DEREF, TERM_CONST };

struct term {
	enum term_kind kind;
	uint8_t reg;
	int64_t off, add; /* of a constant: add */
};

static int plus(struct term *term, int64_t value)
{
	int64_t *part = term->kind == TERM_CFA || term->kind == TERM_REG ? &term->off : &term->add;

	return __builtin_add_overflow(*part, value, part) ? -1 : 0;
}

static bool push_constant(struct eh_cursor *cursor, uint8_t op, struct term *term)
{
	*term = (struct term){.kind = TERM_CONST};
	if (op >= OP_LIT0 && op < OP_LIT0 + 32)
		term->add = op - OP_LIT0;
	else if (op == OP_CONST1U)
		term->add = eh_byte(cursor);
	else if (op == OP_CONST1S)
		term->add = (int8_t)eh_byte(cursor);
	else if (op == OP_CONST2U)
		term->add = (int64_t)eh_fixed(cursor, 2);
	else if (op == OP_CONST2S)
		term->add = (int16_t)eh_fixed(cursor, 2);
	else
		return false;
	return true;
}

/* a + b, a - b, where b is a constant; or a constant plus b. */
static int combine(struct term *a, const struct term *b, bool is_minus)
{
	struct term left = *a;

	if (b->kind != TERM_CONST) {
		if (left.kind != TERM_CONST || is_minus)
			return -1;
		*a = *b;
		return plus(a, left.add);
	}
	return plus(a, is_minus ? -b->add : b->add);
}

/* What an expression's value is, in the terms that a rule can have: 0, or -1. */
static int recognise(struct eh_cursor *cursor, bool has_cfa, struct term *ret_term)
{
	struct term stack[4] = {{.kind = TERM_CFA}};
	size_t n = has_cfa ? 1 : 0;

	while (eh_left(cursor) && !cursor->bad) {
		uint8_t op = eh_byte(cursor);

		if (n == 4)
			return -1;
		if (op >= OP_BREG0 && op < OP_BREG0 + 32) {
			if (op - OP_BREG0 >= CFI_REGS)
				return -1;
			stack[n++] = (struct term){.kind = TERM_REG,
						   .reg = (uint8_t)(op - OP_BREG0),
						   .off = eh_sleb(cursor)};
		} else if (push_constant(cursor, op, &stack[n])) {
			n++;
		} else if (op == OP_DEREF && n && stack[n - 1].kind == TERM_REG) {
			stack[n - 1].kind = TERM_DEREF;
		} else if (op == OP_PLUS_UCONST && n) {
			if (plus(&stack[n - 1], (int64_t)eh_uleb(cursor)) < 0)
				return -1;
		} else if ((op == OP_PLUS || op == OP_MINUS) && n >= 2) {
			n--;
			if (combine(&stack[n - 1], &stack[n], op == OP_MINUS) < 0)
				return -1;
		} else {
			return -1;
		}
	}
	/* The CFA that an expression begins with may stay below its value. */
	if (cursor->bad || !n || stack[n - 1].kind == TERM_CONST)
		return -1;
	*ret_term = stack[n - 1];
	return fits(ret_term->off) && fits(ret_term->add) ? 0 : -1;
}

/*
 * rsp + 8 + ((rip & 15) >= N) * 8, as binutils and lld write it for the stubs of .plt, which push in the
 * middle; N is 9, 10 or 11 by their kind.
 */
static bool is_plt(const uint8_t *bytes, size_t len, struct state *state)
{
	return len == 11 && bytes[0] == OP_BREG0 + 7 && bytes[1] == 8 &&
	       bytes[2] == OP_BREG0 + 16 && bytes[3] == 0 && bytes[4] == OP_LIT0 + 15 &&
	       bytes[5] == OP_AND && bytes[6] >= OP_LIT0 && bytes[6] < OP_LIT0 + 16 &&
	       bytes[7] == OP_GE && bytes[8] == OP_LIT0 + 3 && bytes[9] == OP_SHL &&
	       bytes[10] == OP_PLUS && (state->add = bytes[6] - OP_LIT0, true);
}

static struct eh_cursor take_block(struct eh_cursor *cursor)
{
	struct eh_cursor block = {.vaddr = cursor->vaddr};
	uint64_t len = eh_uleb(cursor);
	const uint8_t *at = eh_take(cursor, len);

	if (at) {
		block.at = at;
		block.end = at + len;
	}
	return block;
}

static void set_cfa_expression(struct state *state, struct eh_cursor block)
{
	struct term term;

	state->cfa = CFI_CFA_BAD;
	if (!block.at)
		return;
	if (is_plt(block.at, eh_left(&block), state)) {
		state->cfa = CFI_CFA_PLT;
		state->reg = 7;
		state->off = 8;
		return;
	}
	if (recognise(&block, false, &term) < 0 || term.kind == TERM_CFA)
		return;
	state->cfa = term.kind == TERM_DEREF ? CFI_CFA_DEREF : CFI_CFA_REG;
	state->reg = term.reg;
	state->off = (int32_t)term.off;
	state->add = (int32_t)term.add;
}

static struct cfi_item expression_item(struct eh_cursor block, bool is_value)
{
	struct cfi_item bad = {.how = CFI_BAD};
	struct term term;

	if (!block.at || recognise(&block, true, &term) < 0)
		return bad;
	struct cfi_item item = {.base = term.reg, .off = (int32_t)term.off};
	switch (term.kind) {
	case TERM_CFA:
		item.how = is_value ? CFI_IS_CFA : CFI_AT_CFA;
		break;
	case TERM_REG:
		item.how = is_value ? CFI_IS_REG : CFI_AT_REG;
		break;
	default: /* a value in memory; an address in memory is one step more than rules have */
		if (!is_value || term.add)
			return bad;
		item.how = CFI_AT_REG;
	}
	return item;
}

/* ---- instructions ---- */

static void set_item(struct machine *machine, uint64_t reg, struct cfi_item item)
{
	/* Vector registers and the like: nobody's frame hangs on them. */
	if (reg < CFI_REGS)
		machine->state.regs[reg] = item;
}

static void set_offset(struct machine *machine, uint64_t reg, enum cfi_how how, int64_t factored)
{
	int64_t off;
	struct cfi_item item = {.how = CFI_BAD};

	if (!__builtin_mul_overflow(factored, machine->cie->data_align, &off) && fits(off))
		item = (struct cfi_item){.how = (uint8_t)how, .off = (int32_t)off};
	set_item(machine, reg, item);
}

static void set_cfa(struct state *state, uint64_t reg, int64_t off)
{
	bool is_good = reg < CFI_REGS && fits(off);

	state->cfa = is_good ? CFI_CFA_REG : CFI_CFA_BAD;
	state->reg = is_good ? (uint8_t)reg : 0;
	state->off = is_good ? (int32_t)off : 0;
	state->add = 0;
}

static int64_t factor(const struct machine *machine, int64_t value)
{
	int64_t off;

	return __builtin_mul_overflow(value, machine->cie->data_align, &off) ? INT64_MAX : off;
}

static int remember(struct machine *machine)
{
	if (machine->n_remembered == EH_MAX_REMEMBERED)
		return ERR_LIMIT;
	if (!machine->remembered)
		machine->remembered = xcalloc(EH_MAX_REMEMBERED, sizeof(*machine->remembered));
	machine->remembered[machine->n_remembered++] = machine->state;
	return 0;
}

static int recall(struct machine *machine)
{
	if (!machine->n_remembered)
		return ERR_CORRUPT;
	machine->state = machine->remembered[--machine->n_remembered];
	return 0;
}

/* The instructions that move on or handle whole states; 1: it is none of those. */
static int run_control(struct machine *machine, struct eh_cursor *cursor, uint8_t op)
{
	switch (op) {
	case CFA_NOP:
		return 0;
	case CFA_SET_LOC:
		return advance_to(machine, eh_pointer(cursor, machine->cie->encoding, 0));
	case CFA_ADVANCE1:
		return advance(machine, eh_byte(cursor));
	case CFA_ADVANCE2:
		return advance(machine, eh_fixed(cursor, 2));
	case CFA_ADVANCE4:
		return advance(machine, eh_fixed(cursor, 4));
	case CFA_REMEMBER_STATE:
		return remember(machine);
	case CFA_RESTORE_STATE:
		return recall(machine);
	case CFA_GNU_ARGS_SIZE:
		(void)eh_uleb(cursor);
		return 0;
	case CFA_AARCH64_NEGATE_RA_STATE: /* a step takes signatures off whatever is said here */
		return 0;
	default:
		return 1;
	}
}

/* Those of the frame's address; 1: it is none of those. */
static int run_cfa(struct machine *machine, struct eh_cursor *cursor, uint8_t op)
{
	struct state *state = &machine->state;
	uint64_t reg;

	switch (op) {
	case CFA_DEF_CFA:
		reg = eh_uleb(cursor);
		set_cfa(state, reg, (int64_t)eh_uleb(cursor));
		return 0;
	case CFA_DEF_CFA_SF:
		reg = eh_uleb(cursor);
		set_cfa(state, reg, factor(machine, eh_sleb(cursor)));
		return 0;
	case CFA_DEF_CFA_REGISTER:
		set_cfa(state, eh_uleb(cursor), state->off);
		return 0;
	case CFA_DEF_CFA_OFFSET:
		set_cfa(state, state->reg, (int64_t)eh_uleb(cursor));
		return 0;
	case CFA_DEF_CFA_OFFSET_SF:
		set_cfa(state, state->reg, factor(machine, eh_sleb(cursor)));
		return 0;
	case CFA_DEF_CFA_EXPRESSION:
		set_cfa_expression(state, take_block(cursor));
		return 0;
	default:
		return 1;
	}
}

static void restore(struct machine *machine, uint64_t reg)
{
	if (reg < CFI_REGS)
		machine->state.regs[reg] = machine->initial.regs[reg];
}

/* Those of one register; ERR_UNSUPPORTED for what nobody has defined. */
static int run_register(struct machine *machine, struct eh_cursor *cursor, uint8_t op)
{
	uint64_t reg = eh_uleb(cursor);

	switch (op) {
	case CFA_OFFSET_EXTENDED:
		set_offset(machine, reg, CFI_AT_CFA, (int64_t)eh_uleb(cursor));
		break;
	case CFA_OFFSET_EXTENDED_SF:
		set_offset(machine, reg, CFI_AT_CFA, eh_sleb(cursor));
		break;
	case CFA_GNU_NEGATIVE_OFFSET:
		set_offset(machine, reg, CFI_AT_CFA, (int64_t)(0 - eh_uleb(cursor)));
		break;
	case CFA_VAL_OFFSET:
		set_offset(machine, reg, CFI_IS_CFA, (int64_t)eh_uleb(cursor));
		break;
	case CFA_VAL_OFFSET_SF:
		set_offset(machine, reg, CFI_IS_CFA, eh_sleb(cursor));
		break;
	case CFA_RESTORE_EXTENDED:
		restore(machine, reg);
		break;
	case CFA_UNDEFINED:
		set_item(machine, reg, (struct cfi_item){.how = CFI_LOST});
		break;
	case CFA_SAME_VALUE:
		set_item(machine, reg, (struct cfi_item){.how = CFI_SAME});
		break;
	case CFA_REGISTER: {
		uint64_t base = eh_uleb(cursor);

		set_item(machine, reg,
			 base < CFI_REGS
				 ? (struct cfi_item){.how = CFI_IS_REG, .base = (uint8_t)base}
				 : (struct cfi_item){.how = CFI_BAD});
		break;
	}
	case CFA_EXPRESSION:
	case CFA_VAL_EXPRESSION:
		set_item(machine, reg,
			 expression_item(take_block(cursor), op == CFA_VAL_EXPRESSION));
		break;
	default:
		return ERR_UNSUPPORTED;
	}
	return 0;
}

static int run_one(struct machine *machine, struct eh_cursor *cursor)
{
	uint8_t op = eh_byte(cursor);

	switch (op & 0xc0) {
	case CFA_ADVANCE:
		return advance(machine, op & 0x3f);
	case CFA_OFFSET:
		set_offset(machine, op & 0x3f, CFI_AT_CFA, (int64_t)eh_uleb(cursor));
		return 0;
	case CFA_RESTORE:
		restore(machine, op & 0x3f);
		return 0;
	default:
		break;
	}
	int r = run_control(machine, cursor, op);
	if (r > 0)
		r = run_cfa(machine, cursor, op);
	if (r > 0)
		r = run_register(machine, cursor, op);
	return r;
}

static int run_program(struct machine *machine, struct eh_cursor cursor)
{
	while (eh_left(&cursor)) {
		int r = run_one(machine, &cursor);

		if (cursor.bad)
			return ERR_CORRUPT;
		if (r < 0)
			return r;
	}
	return 0;
}

int eh_rows(const struct eh_cie *cie, const struct eh_fde *fde, eh_row_fn *row, void *ctx)
{
	struct machine machine = {
		.cie = cie, .at = fde->start, .end = fde->end, .row = row, .ctx = ctx};
	struct eh_cursor initial = {.at = cie->program, .end = cie->program + cie->program_bytes};
	struct eh_cursor program = {.at = fde->program,
				    .end = fde->program + fde->program_bytes,
				    .vaddr = fde->program_vaddr};

	int r = run_program(&machine, initial);
	if (r == 0) {
		machine.initial = machine.state;
		r = run_program(&machine, program);
	}
	if (r == 0 && machine.at < machine.end)
		r = emit(&machine);
	free(machine.remembered);
	return r;
}
