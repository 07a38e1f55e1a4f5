/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/symtab.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "elf/elf.h"
#include "symbol/unpack.h"

#define TEXT_MAX_BYTES (256u << 20)
#define NAME_LENGTH_MAX 65536u
#define PACKED_MAX_BYTES (16u << 20)
/* Labels of assembler code have no size; what lies farther behind one is not known to belong to it. */
#define LABEL_REACH_BYTES 4096
/* Functions that lie in one another; deeper is no compiler's work. */
#define NESTED_MOST 8

struct entry {
	uint64_t vaddr, size;
	uint32_t name; /* in text */
	uint8_t file;  /* order of symtab_add() */
	bool is_global;
};

struct symtab {
	struct entry *entries;
	size_t n, cap;
	struct buf text;
	uint8_t n_files;
	bool is_sorted;
};

struct symtab *symtab_new(void)
{
	struct symtab *symtab = xcalloc(1, sizeof(*symtab));

	buf_init(&symtab->text, TEXT_MAX_BYTES);
	return symtab;
}

void symtab_free(struct symtab *symtab)
{
	if (!symtab)
		return;
	free(symtab->entries);
	buf_done(&symtab->text);
	free(symtab);
}

static void on_function(void *ctx, const char *name, struct elf_range range, bool is_global)
{
	struct symtab *symtab = ctx;
	size_t len = strnlen(name, NAME_LENGTH_MAX);

	if (symtab->n >= ELF_MAX_SYMBOLS || symtab->text.overflow)
		return;
	symtab->entries =
		vec_grow(symtab->entries, &symtab->cap, symtab->n + 1, sizeof(*symtab->entries));
	symtab->entries[symtab->n++] = (struct entry){
		.vaddr = range.vaddr,
		.size = range.size,
		.name = (uint32_t)symtab->text.len,
		.file = symtab->n_files,
		.is_global = is_global,
	};
	buf_put(&symtab->text, name, len);
	buf_putc(&symtab->text, '\0');
	if (symtab->text.overflow)
		symtab->n--;
}

/* The table in .gnu_debugdata is an ELF file of its own, packed. */
static void add_packed(struct symtab *symtab, const struct elf *elf)
{
	cleanup_free uint8_t *packed = NULL;
	struct elf *inner;
	size_t len;
	int fd;

	if (elf_section_bytes(elf, ".gnu_debugdata", PACKED_MAX_BYTES, &packed, &len) < 0)
		return;
	fd = unpack_xz(packed, len);
	if (fd < 0 || elf_open(fd, &inner, NULL) < 0)
		return;
	(void)!elf_functions(inner, on_function, symtab);
	elf_close(inner);
}

int symtab_add(struct symtab *symtab, int fd, struct err *err)
{
	struct elf *elf;
	int r = elf_open(fd, &elf, err);

	if (r < 0)
		return r;
	r = elf_functions(elf, on_function, symtab);
	(void)!elf_plt(elf, on_function, symtab);
	add_packed(symtab, elf);
	elf_close(elf);
	symtab->is_sorted = false;
	symtab->n_files++;
	return r < 0 ? err_sys(err, r, "cannot read the symbols") : 0;
}

/* ---- looking ---- */

static size_t n_underscores(const char *name)
{
	return strspn(name, "_");
}

/* By address; of equal ones the best comes last, where the search from above finds it first. */
static int compare(const void *left, const void *right, void *ctx)
{
	const struct entry *a = left, *b = right;
	const char *text = ((const struct symtab *)ctx)->text.data;

	if (a->vaddr != b->vaddr)
		return a->vaddr < b->vaddr ? -1 : 1;
	if (!a->size != !b->size)
		return a->size ? 1 : -1;
	if (a->file != b->file)
		return a->file < b->file ? 1 : -1;
	if (a->is_global != b->is_global)
		return a->is_global ? 1 : -1;
	size_t left_n = n_underscores(text + a->name), right_n = n_underscores(text + b->name);
	if (left_n != right_n)
		return left_n < right_n ? 1 : -1;
	left_n = strlen(text + a->name);
	right_n = strlen(text + b->name);
	if (left_n != right_n)
		return left_n < right_n ? 1 : -1;
	return -strcmp(text + a->name, text + b->name);
}

/* How many entries begin at or below the address. */
static size_t n_below(const struct symtab *symtab, uint64_t vaddr)
{
	size_t low = 0, high = symtab->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symtab->entries[middle].vaddr <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool covers(const struct entry *entry, uint64_t vaddr)
{
	uint64_t reach = entry->size ? entry->size : LABEL_REACH_BYTES;

	return vaddr - entry->vaddr < reach;
}

const char *symtab_find(struct symtab *symtab, uint64_t vaddr)
{
	if (!symtab->is_sorted && symtab->n) {
		qsort_r(symtab->entries, symtab->n, sizeof(*symtab->entries), compare, symtab);
		symtab->is_sorted = true;
	}
	size_t below = n_below(symtab, vaddr);
	uint64_t nearest = below ? symtab->entries[below - 1].vaddr : 0;

	for (size_t i = below, looked = 0; i > 0 && looked < NESTED_MOST; i--) {
		const struct entry *entry = &symtab->entries[i - 1];

		/* A label ends where anything else begins. */
		if ((entry->size || entry->vaddr == nearest) && covers(entry, vaddr))
			return symtab->text.data + entry->name;
		looked += i < 2 || symtab->entries[i - 2].vaddr != entry->vaddr;
	}
	return NULL;
}
