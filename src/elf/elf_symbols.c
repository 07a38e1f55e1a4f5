/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbols by name.  With section headers every table is scanned once for all wanted names; without
 * (some strippers remove them) the dynamic segment's GNU hash table is asked for each.
 */
#include <errno.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "elf/elf_private.h"

#define SCAN_SYMBOLS 2048 /* read at a time */
#define SCAN_TABLES 4	  /* .dynsym, .symtab; a file with more is not honest */

static size_t n_missing(const struct elf_symbol *symbols, size_t n)
{
	size_t missing = 0;

	for (size_t i = 0; i < n; i++)
		missing += !symbols[i].is_found;
	return missing;
}

static void take_symbol(struct elf_symbol *symbol, const Elf64_Sym *sym)
{
	symbol->range = (struct elf_range){.vaddr = sym->st_value, .size = sym->st_size};
	symbol->is_found = true;
}

static void match_symbol(const Elf64_Sym *sym, const char *names, size_t names_bytes,
			 struct elf_symbol *symbols, size_t n)
{
	if (sym->st_shndx == SHN_UNDEF || sym->st_name == 0 || sym->st_name >= names_bytes)
		return;
	for (size_t i = 0; i < n; i++)
		if (!symbols[i].is_found && strcmp(names + sym->st_name, symbols[i].name) == 0)
			take_symbol(&symbols[i], sym);
}

static int scan_table(const struct elf *elf, const Elf64_Shdr *table, struct elf_symbol *symbols,
		      size_t n)
{
	uint64_t count = table->sh_size / sizeof(Elf64_Sym);

	if (table->sh_entsize != sizeof(Elf64_Sym) || table->sh_link >= elf->n_sections)
		return ERR_CORRUPT;
	const Elf64_Shdr *strings = &elf->sections[table->sh_link];
	if (count > ELF_MAX_SYMBOLS || strings->sh_size > ELF_MAX_STRTAB_BYTES)
		return ERR_LIMIT;
	if (strings->sh_type != SHT_STRTAB || strings->sh_size > elf->file_bytes)
		return ERR_CORRUPT;

	cleanup_free char *names =
		xcalloc(strings->sh_size + 1, 1); /* ends in NUL whatever it holds */
	int r = elf_read(elf, strings->sh_offset, names, strings->sh_size);
	if (r < 0)
		return r;
	cleanup_free Elf64_Sym *chunk = xcalloc(SCAN_SYMBOLS, sizeof(*chunk));
	for (uint64_t at = 0; at < count && n_missing(symbols, n); at += SCAN_SYMBOLS) {
		size_t take = (size_t)min_of(count - at, (uint64_t)SCAN_SYMBOLS);

		r = elf_read(elf, table->sh_offset + at * sizeof(*chunk), chunk,
			     take * sizeof(*chunk));
		if (r < 0)
			return r;
		for (size_t i = 0; i < take; i++)
			match_symbol(&chunk[i], names, strings->sh_size, symbols, n);
	}
	return 0;
}

struct dynamic {
	uint64_t symtab, strtab, gnu_hash; /* linked addresses; 0: none */
};

static bool read_dynamic(const struct elf *elf, struct dynamic *ret_dynamic)
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];

		if (segment->p_type != PT_DYNAMIC)
			continue;
		for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= min_of(segment->p_filesz, 65536u);
		     at += sizeof(Elf64_Dyn)) {
			Elf64_Dyn entry;

			if (elf_read(elf, segment->p_offset + at, &entry, sizeof(entry)) < 0 ||
			    entry.d_tag == DT_NULL)
				break;
			if (entry.d_tag == DT_SYMTAB)
				ret_dynamic->symtab = entry.d_un.d_ptr;
			else if (entry.d_tag == DT_STRTAB)
				ret_dynamic->strtab = entry.d_un.d_ptr;
			else if (entry.d_tag == DT_GNU_HASH)
				ret_dynamic->gnu_hash = entry.d_un.d_ptr;
		}
		return ret_dynamic->symtab && ret_dynamic->strtab && ret_dynamic->gnu_hash;
	}
	return false;
}

static bool is_named(const struct elf *elf, const struct dynamic *dynamic, const Elf64_Sym *sym,
		     const char *name)
{
	char text[256];
	size_t len = strlen(name) + 1;

	return len <= sizeof(text) &&
	       elf_read_vaddr(elf, dynamic->strtab + sym->st_name, text, len) == 0 &&
	       memcmp(text, name, len) == 0;
}

static uint32_t gnu_hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (uint8_t)*name;
	return hash;
}

/*
 * Table: u32 buckets, first symbol, bloom words, shift; u64 bloom[]; u32 bucket[]; u32 chain[],
 * where a chain ends at an odd value.  Sums are in 64 bits and every address goes through
 * elf_offset().
 */
static void find_hashed(const struct elf *elf, const struct dynamic *dynamic,
			struct elf_symbol *symbol)
{
	struct {
		uint32_t n_buckets, first, n_bloom, shift;
	} head;
	uint32_t hash = gnu_hash_of(symbol->name);
	uint32_t index;

	if (elf_read_vaddr(elf, dynamic->gnu_hash, &head, sizeof(head)) < 0 || !head.n_buckets)
		return;
	uint64_t buckets = dynamic->gnu_hash + sizeof(head) + 8ull * head.n_bloom;
	uint64_t chains = buckets + 4ull * head.n_buckets;
	if (elf_read_vaddr(elf, buckets + 4ull * (hash % head.n_buckets), &index, sizeof(index)) <
	    0)
		return;
	for (int steps = 0; index >= head.first && steps < ELF_MAX_CHAIN; steps++, index++) {
		uint32_t link;
		Elf64_Sym sym;

		if (elf_read_vaddr(elf, chains + 4ull * (index - head.first), &link, sizeof(link)) <
		    0)
			return;
		if ((link | 1) == (hash | 1) &&
		    elf_read_vaddr(elf, dynamic->symtab + 24ull * index, &sym, sizeof(sym)) == 0 &&
		    sym.st_shndx != SHN_UNDEF && is_named(elf, dynamic, &sym, symbol->name)) {
			take_symbol(symbol, &sym);
			return;
		}
		if (link & 1)
			return;
	}
}

int elf_symbols(const struct elf *elf, struct elf_symbol *symbols, size_t n)
{
	struct dynamic dynamic = {0};
	int result = 0;
	int tables = 0;

	for (size_t i = 0; i < n; i++)
		symbols[i].is_found = false;
	for (size_t i = 0; i < elf->n_sections; i++) {
		uint32_t type = elf->sections[i].sh_type;

		if ((type != SHT_SYMTAB && type != SHT_DYNSYM) || ++tables > SCAN_TABLES)
			continue;
		int r = scan_table(elf, &elf->sections[i], symbols, n);
		if (r < 0)
			result = r; /* another table may still have the answer */
	}
	if (n_missing(symbols, n) && read_dynamic(elf, &dynamic))
		for (size_t i = 0; i < n; i++)
			if (!symbols[i].is_found)
				find_hashed(elf, &dynamic, &symbols[i]);
	size_t found = n - n_missing(symbols, n);
	return found ? (int)found : result;
}
