/* SPDX-License-Identifier: Apache-2.0 */
#include "eh_oracle.h"

#if EH_HAS_ORACLE

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"

struct eh_oracle {
	int fd;
	Elf *elf;
	Dwarf_CFI *cfi;
};

struct eh_oracle *eh_oracle_open(const char *path)
{
	struct eh_oracle *oracle = xcalloc(1, sizeof(*oracle));

	elf_version(EV_CURRENT);
	oracle->fd = open(path, O_RDONLY | O_CLOEXEC);
	oracle->elf = elf_begin(oracle->fd, ELF_C_READ, NULL);
	oracle->cfi = dwarf_getcfi_elf(oracle->elf);
	if (!oracle->cfi)
		abort();
	return oracle;
}

void eh_oracle_close(struct eh_oracle *oracle)
{
	if (!oracle)
		return;
	dwarf_cfi_end(oracle->cfi);
	elf_end(oracle->elf);
	close(oracle->fd);
	free(oracle);
}

/* reg + off, as libdw writes it for ordinary rules and as an expression has it. */
static bool is_reg_plus(const Dwarf_Op *ops, size_t n, uint8_t reg, int64_t off)
{
	if (n == 1 && ops[0].atom == DW_OP_bregx)
		return ops[0].number == reg && (int64_t)ops[0].number2 == off;
	return n == 1 && ops[0].atom == DW_OP_breg0 + reg && (int64_t)ops[0].number == off;
}

static bool agrees_cfa(const struct cfi_rule *rule, const Dwarf_Op *ops, size_t n)
{
	switch (rule->cfa) {
	case CFI_CFA_REG:
		return is_reg_plus(ops, n, rule->reg, rule->off);
	case CFI_CFA_DEREF:
		if (n < 2 || !is_reg_plus(ops, 1, rule->reg, rule->off) ||
		    ops[1].atom != DW_OP_deref)
			return false;
		return n == 2 ? rule->add == 0
			      : n == 3 && ops[2].atom == DW_OP_plus_uconst &&
					(int64_t)ops[2].number == rule->add;
	case CFI_CFA_PLT:
		return n == 9 && is_reg_plus(ops, 1, rule->reg, rule->off) &&
		       ops[8].atom == DW_OP_plus;
	default: /* what we do not follow is a longer expression */
		return n > 3;
	}
}

static const struct cfi_item *find(const struct cfi_rule *rule, int reg)
{
	for (uint8_t i = 0; i < rule->n; i++)
		if (rule->items[i].reg == reg)
			return &rule->items[i];
	return NULL;
}

/* libdw: n 0 with ops NULL is "same value", with ops at its own memory "undefined". */
static bool agrees_register(const struct cfi_rule *rule, int reg, Dwarf_Frame *frame)
{
	const struct cfi_item *item = find(rule, reg);
	Dwarf_Op memory[3], *ops;
	size_t n;

	if (dwarf_frame_register(frame, reg, memory, &ops, &n) < 0)
		return false;
	if (n == 0)
		return ops == NULL ? !item : !item || item->how == CFI_LOST;
	if (!item)
		return false;
	switch (item->how) {
	case CFI_AT_CFA:
		return ops[0].atom == DW_OP_call_frame_cfa &&
		       (n == 1 ? item->off == 0
			       : ops[1].atom == DW_OP_plus_uconst &&
					 (int64_t)ops[1].number == item->off);
	case CFI_AT_REG:
		/* An expression begins with the frame's address below what it computes. */
		return is_reg_plus(&ops[n - 1], 1, item->base, item->off);
	case CFI_IS_REG:
		return n == 1 &&
		       (ops[0].atom == DW_OP_regx ? ops[0].number == item->base
						  : ops[0].atom == DW_OP_reg0 + item->base);
	default:
		return true; /* of the kinds that our own tests have */
	}
}

bool eh_oracle_agrees(struct eh_oracle *oracle, uint64_t vaddr, const struct cfi_rule *rule)
{
	static const int preserved[] = {3, 6, 12, 13, 14, 15, 16};
	Dwarf_Frame *frame;
	Dwarf_Op *ops;
	size_t n;
	bool is_equal;

	if (dwarf_cfi_addrframe(oracle->cfi, vaddr, &frame) != 0)
		return false;
	is_equal = dwarf_frame_cfa(frame, &ops, &n) == 0 && agrees_cfa(rule, ops, n);
	for (size_t i = 0; i < sizeof(preserved) / sizeof(preserved[0]); i++)
		is_equal = is_equal && agrees_register(rule, preserved[i], frame);
	free(frame);
	return is_equal;
}

#else

#include <stddef.h>

struct eh_oracle *eh_oracle_open(const char *path)
{
	(void)path;
	return NULL;
}

void eh_oracle_close(struct eh_oracle *oracle)
{
	(void)oracle;
}

bool eh_oracle_agrees(struct eh_oracle *oracle, uint64_t vaddr, const struct cfi_rule *rule)
{
	(void)oracle, (void)vaddr, (void)rule;
	return false;
}

#endif
