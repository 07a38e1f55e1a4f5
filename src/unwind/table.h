/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables: unwind information as rows that a binary search finds, made function by function.
 *
 *	struct table	one file's index of functions (8 bytes each) and which of them were decoded
 *	struct rows	all decoded functions of a space: a row is 8 bytes, an address and the number of its
 *			rule; equal rules are kept once (a library of 70,000 rows has a few hundred)
 *
 * A function is decoded when somebody first stands in it, which costs two reads of the file (1-3 us).
 * Everything has a ceiling; past that of the rows all decoded functions are forgotten and learnt again.
 */
#ifndef UNWIND_TABLE_H
#define UNWIND_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "elf/eh_frame.h"
#include "elf/elf.h"

#define ROWS_MAX (2u << 20)	  /* 16 MB */
#define ROWS_MAX_RULES (1u << 16) /* 10 MB on x86-64 */
#define ROWS_MAX_FUNCTIONS (1u << 18)

/* In place of a rule's number. */
#define RULE_NONE UINT32_MAX	  /* the file says nothing of this address */
#define RULE_BAD (UINT32_MAX - 1) /* it says something that is damaged */

struct row {
	uint32_t at; /* linked address less the table's base */
	uint32_t rule;
};

struct function {
	uint32_t start, end; /* as row.at */
	uint32_t first;	     /* row */
	uint32_t n;	     /* rows; 0: damaged */
};

struct rows {
	struct row *rows;
	struct function *functions;
	struct cfi_rule *rules;
	size_t n, cap, n_functions, functions_cap, n_rules, rules_cap;
	struct idtab rule_ids;
	uint32_t epoch; /* changes when all was forgotten */
};

void rows_done(struct rows *rows); /* all-zero is empty: no init */
bool rows_are_full(const struct rows *rows);
void rows_forget(struct rows *rows);
/* Memory in use, for reports. */
size_t rows_bytes(const struct rows *rows);

struct table {
	struct elf *elf;
	struct eh_frame *frame; /* NULL: the file has no unwind information */
	struct map64 functions; /* place in the index -> number in rows.functions */
	uint32_t epoch;		/* of the rows that `functions` speaks of */
	uint64_t base, entry; /* linked addresses: the lowest, and where the program begins or 0 */
};

/* Takes over the ELF file. */
void table_init(struct table *table, struct elf *elf);
void table_done(struct table *table); /* all-zero is fine */
size_t table_bytes(const struct table *table);

/*
 * The function around a linked address, decoded if need be.  1: it had to be; 0: it was known; -ENOENT: the
 * file says nothing of this address.  Borrowed until the next call.
 */
int table_function(struct table *table, struct rows *rows, uint64_t vaddr,
		   const struct function **ret_function) nodiscard;
/* The number of the rule at an address of that function, or RULE_BAD. */
uint32_t rows_rule(const struct rows *rows, const struct table *table,
		   const struct function *function, uint64_t vaddr);

#endif
