/* SPDX-License-Identifier: Apache-2.0 */
/* Which function has which entry: from the linker's table, or by walking the section. */
#include <errno.h>
#include <stdlib.h>

#include "base/vec.h"
#include "elf/eh_cursor_private.h"
#include "elf/eh_frame.h"

#define HDR_TABLE_ENCODING                                                                         \
	0x3b /* relative to the hdr, 4 signed bytes: the only one that linkers write */

static int take_hdr(struct eh_cursor *cursor, uint64_t *ret_section, uint64_t *ret_n,
		    uint8_t *ret_table)
{
	uint64_t base = cursor->vaddr;

	if (eh_byte(cursor) != 1)
		return ERR_CORRUPT;
	uint8_t section = eh_byte(cursor);
	uint8_t count = eh_byte(cursor);
	*ret_table = eh_byte(cursor);
	if (section == EH_PE_OMIT)
		return ERR_UNSUPPORTED;
	*ret_section = eh_pointer(cursor, section, base);
	if (cursor->bad)
		return ERR_CORRUPT;
	if (count == EH_PE_OMIT || *ret_table == EH_PE_OMIT)
		*ret_n = 0;
	else
		*ret_n = eh_pointer(cursor, count, base);
	return cursor->bad ? ERR_CORRUPT : 0;
}

int eh_hdr_section(const uint8_t *bytes, size_t len, uint64_t vaddr, uint64_t *ret_vaddr)
{
	struct eh_cursor cursor = {.at = bytes, .end = bytes + len, .vaddr = vaddr};
	uint64_t section, n;
	uint8_t table;
	int r = take_hdr(&cursor, &section, &n, &table);

	if (r < 0)
		return r;
	*ret_vaddr = section;
	return 0;
}

static void index_init(struct eh_index *index, uint64_t base, size_t n)
{
	*index = (struct eh_index){.base = base,
				   .starts = xcalloc(n, sizeof(uint32_t)),
				   .fdes = xcalloc(n, sizeof(uint32_t))};
}

void eh_index_done(struct eh_index *index)
{
	free(index->starts);
	free(index->fdes);
	*index = (struct eh_index){0};
}

/* False when the two do not lie within 4 GiB above the base, or not above the one before. */
static bool index_add(struct eh_index *index, uint64_t start, uint64_t fde)
{
	uint64_t low = start - index->base;
	uint64_t entry = fde - index->base;

	if (low > UINT32_MAX || entry > UINT32_MAX ||
	    (index->n && low < index->starts[index->n - 1]))
		return false;
	index->starts[index->n] = (uint32_t)low;
	index->fdes[index->n++] = (uint32_t)entry;
	return true;
}

int eh_index_from_hdr(const uint8_t *bytes, size_t len, uint64_t vaddr, uint64_t base,
		      struct eh_index *ret_index)
{
	struct eh_cursor cursor = {.at = bytes, .end = bytes + len, .vaddr = vaddr};
	struct eh_index index;
	uint64_t section, n;
	uint8_t table;
	int r = take_hdr(&cursor, &section, &n, &table);

	if (r < 0)
		return r;
	if (!n || table != HDR_TABLE_ENCODING)
		return ERR_UNSUPPORTED;
	if (n > eh_left(&cursor) / 8)
		return ERR_CORRUPT;
	if (n > EH_MAX_FUNCTIONS)
		return ERR_LIMIT;
	index_init(&index, base, n);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t start = eh_pointer(&cursor, table, vaddr);

		if (!index_add(&index, start, eh_pointer(&cursor, table, vaddr))) {
			eh_index_done(&index);
			return ERR_CORRUPT;
		}
	}
	*ret_index = index;
	return 0;
}

/* ---- without a table ---- */

struct found {
	uint64_t start, fde;
};

static int by_start(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

struct walk {
	const uint8_t *bytes;
	size_t len;
	uint64_t vaddr;
	struct eh_cie cie; /* the last one used; most files have two or three, in runs */
	bool has_cie;
};

static int walk_cie(struct walk *walk, uint64_t vaddr)
{
	struct eh_entry entry;

	if (walk->has_cie && walk->cie.vaddr == vaddr)
		return 0;
	if (vaddr < walk->vaddr || vaddr - walk->vaddr >= walk->len)
		return ERR_CORRUPT;
	size_t at = (size_t)(vaddr - walk->vaddr);
	int r = eh_entry_parse(walk->bytes + at, walk->len - at, vaddr, &entry);
	if (r == 0)
		r = eh_cie_parse(&entry, &walk->cie);
	walk->cie.vaddr = vaddr;
	walk->has_cie = r == 0;
	return r;
}

/* A function without length was removed by the linker. */
static void walk_fde(struct walk *walk, const struct eh_entry *entry, uint64_t vaddr,
		     struct found *found, size_t *n)
{
	struct eh_fde fde;

	if (walk_cie(walk, entry->cie_vaddr) < 0 || eh_fde_parse(entry, &walk->cie, &fde) < 0 ||
	    fde.start == fde.end)
		return;
	found[(*n)++] = (struct found){.start = fde.start, .fde = vaddr};
}

int eh_index_from_section(const uint8_t *bytes, size_t len, uint64_t vaddr, uint64_t base,
			  struct eh_index *ret_index)
{
	struct walk walk = {.bytes = bytes, .len = len, .vaddr = vaddr};
	struct found *found = NULL;
	size_t n = 0, cap = 0, at = 0;
	struct eh_entry entry;

	while (at < len && n < EH_MAX_FUNCTIONS &&
	       eh_entry_parse(bytes + at, len - at, vaddr + at, &entry) == 0) {
		/* Zeros are the end of the section or of one object's part of it. */
		if (!entry.is_end && !entry.is_cie) {
			found = vec_grow(found, &cap, n + 1, sizeof(*found));
			walk_fde(&walk, &entry, vaddr + at, found, &n);
		}
		if (entry.bytes > len - at)
			break;
		at += (size_t)entry.bytes;
	}
	if (n)
		qsort(found, n, sizeof(*found), by_start);
	index_init(ret_index, base, n);
	for (size_t i = 0; i < n; i++)
		(void)index_add(ret_index, found[i].start, found[i].fde);
	free(found);
	if (!ret_index->n) {
		eh_index_done(ret_index);
		return -ENOENT;
	}
	return 0;
}
