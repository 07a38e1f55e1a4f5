/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/table.h"

#include <errno.h>

#include "base/vec.h"

void rows_done(struct rows *rows)
{
	free(rows->rows);
	free(rows->functions);
	free(rows->rules);
	idtab_done(&rows->rule_ids);
	*rows = (struct rows){0};
}

bool rows_are_full(const struct rows *rows)
{
	return rows->n > ROWS_MAX - EH_MAX_ROWS || rows->n_rules > ROWS_MAX_RULES - EH_MAX_ROWS ||
	       rows->n_functions >= ROWS_MAX_FUNCTIONS;
}

void rows_forget(struct rows *rows)
{
	uint32_t epoch = rows->epoch;

	rows_done(rows);
	rows->epoch = epoch + 1;
}

size_t rows_bytes(const struct rows *rows)
{
	return rows->cap * sizeof(*rows->rows) + rows->functions_cap * sizeof(*rows->functions) +
	       rows->rules_cap * sizeof(*rows->rules) + rows->rule_ids.cap * 8;
}

/* ---- rules, each once ---- */

static size_t rule_bytes(const struct cfi_rule *rule)
{
	return offsetof(struct cfi_rule, items) + rule->n * sizeof(rule->items[0]);
}

static uint64_t rule_hash(const struct cfi_rule *rule)
{
	uint64_t hash = rule->n;
	uint32_t word;

	for (size_t at = 0; at + sizeof(word) <= rule_bytes(rule); at += sizeof(word)) {
		memcpy(&word, (const char *)rule + at, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 29;
	}
	return hash;
}

static bool rule_equal(const void *things, uint32_t id, const void *key)
{
	const struct cfi_rule *a = (const struct cfi_rule *)things + id;
	const struct cfi_rule *b = key;

	return a->n == b->n && memcmp(a, b, rule_bytes(b)) == 0;
}

static uint32_t rule_intern(struct rows *rows, const struct cfi_rule *rule)
{
	uint64_t hash = rule_hash(rule);
	uint32_t id = idtab_find(&rows->rule_ids, hash, rule_equal, rows->rules, rule);

	if (id != UINT32_MAX)
		return id;
	id = (uint32_t)rows->n_rules;
	rows->rules =
		vec_grow(rows->rules, &rows->rules_cap, rows->n_rules + 1, sizeof(*rows->rules));
	rows->rules[rows->n_rules++] = *rule;
	idtab_add(&rows->rule_ids, hash, id);
	return id;
}

/* ---- a file's functions ---- */

void table_init(struct table *table, struct elf *elf)
{
	*table = (struct table){.elf = elf, .base = elf_base(elf), .entry = elf_entry(elf)};
	if (eh_frame_open(elf, &table->frame, NULL) < 0)
		table->frame = NULL;
}

void table_done(struct table *table)
{
	eh_frame_close(table->frame);
	elf_close(table->elf);
	map64_done(&table->functions);
	*table = (struct table){0};
}

size_t table_bytes(const struct table *table)
{
	return table->frame ? eh_frame_index(table->frame)->n * 8 + table->functions.cap * 16 : 0;
}

struct decoding {
	struct rows *rows;
	uint64_t base;
};

static int add_row(void *ctx, uint64_t vaddr, const struct cfi_rule *rule)
{
	struct decoding *decoding = ctx;
	struct rows *rows = decoding->rows;

	if (vaddr - decoding->base > UINT32_MAX)
		return ERR_LIMIT;
	rows->rows = vec_grow(rows->rows, &rows->cap, rows->n + 1, sizeof(*rows->rows));
	rows->rows[rows->n++] = (struct row){.at = (uint32_t)(vaddr - decoding->base),
					     .rule = rule_intern(rows, rule)};
	return 0;
}

/* A function that is damaged is remembered too: as one without rows, up to the next one. */
static void decode(struct table *table, struct rows *rows, size_t i)
{
	const struct eh_index *index = eh_frame_index(table->frame);
	struct decoding decoding = {.rows = rows, .base = table->base};
	struct function function = {.start = index->starts[i], .first = (uint32_t)rows->n};
	struct eh_fde fde = {0};

	int r = eh_frame_rows(table->frame, i, &fde, add_row, &decoding);
	if (r == 0 && fde.end - table->base <= UINT32_MAX) {
		function.end = (uint32_t)(fde.end - table->base);
		function.n = (uint32_t)(rows->n - function.first);
	} else {
		rows->n = function.first;
		function.end = i + 1 < index->n ? index->starts[i + 1] : function.start + 1;
	}
	rows->functions = vec_grow(rows->functions, &rows->functions_cap, rows->n_functions + 1,
				   sizeof(*rows->functions));
	*map64_put(&table->functions, i, NULL) = (uint32_t)rows->n_functions;
	rows->functions[rows->n_functions++] = function;
}

int table_function(struct table *table, struct rows *rows, uint64_t vaddr,
		   const struct function **ret_function)
{
	bool is_new = false;
	size_t i;

	if (!table->frame || eh_frame_find(table->frame, vaddr, &i) < 0)
		return -ENOENT;
	if (table->epoch != rows->epoch) {
		map64_reset(&table->functions);
		table->epoch = rows->epoch;
	}
	const uint32_t *known = map64_get(&table->functions, i);
	if (!known) {
		decode(table, rows, i);
		known = map64_get(&table->functions, i);
		is_new = true;
	}
	const struct function *function = &rows->functions[*known];
	if (vaddr - table->base >= function->end)
		return -ENOENT;
	*ret_function = function;
	return is_new;
}

uint32_t rows_rule(const struct rows *rows, const struct table *table,
		   const struct function *function, uint64_t vaddr)
{
	uint64_t at = vaddr - table->base;
	const struct row *first = rows->rows + function->first;
	size_t low = 0, high = function->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (first[middle].at <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? first[low - 1].rule : RULE_BAD;
}
