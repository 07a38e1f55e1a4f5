/* SPDX-License-Identifier: Apache-2.0 */
/* All functions of a file, for who turns addresses into names. */
#include <errno.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "elf/elf_private.h"

#define CHUNK_SYMBOLS 2048 /* read at a time */
#define MOST_TABLES 4	   /* .dynsym, .symtab; a file with more is not honest */

static bool is_code(const Elf64_Sym *sym)
{
	unsigned type = ELF64_ST_TYPE(sym->st_info);

	/* Of labels without a type (assembler) those of code are in sections, like functions. */
	return (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE) &&
	       sym->st_shndx != SHN_UNDEF && sym->st_shndx < SHN_LORESERVE && sym->st_value;
}

static bool is_in_code(const struct elf *elf, const Elf64_Sym *sym)
{
	if (ELF64_ST_TYPE(sym->st_info) != STT_NOTYPE)
		return true;
	return sym->st_shndx < elf->n_sections &&
	       elf->sections[sym->st_shndx].sh_flags & SHF_EXECINSTR;
}

static int each_of(const struct elf *elf, const Elf64_Shdr *table, elf_function_fn *fn, void *ctx)
{
	uint64_t count = table->sh_size / sizeof(Elf64_Sym);

	if (table->sh_entsize != sizeof(Elf64_Sym) || table->sh_link >= elf->n_sections)
		return ERR_CORRUPT;
	const Elf64_Shdr *strings = &elf->sections[table->sh_link];
	if (count > ELF_MAX_SYMBOLS || strings->sh_size > ELF_MAX_STRTAB_BYTES)
		return ERR_LIMIT;
	if (strings->sh_type != SHT_STRTAB || strings->sh_size > elf->file_bytes)
		return ERR_CORRUPT;

	/* Ends in NUL whatever it holds. */
	cleanup_free char *names = xcalloc(strings->sh_size + 1, 1);
	int r = elf_read(elf, strings->sh_offset, names, strings->sh_size);
	if (r < 0)
		return r;
	cleanup_free Elf64_Sym *chunk = xcalloc(CHUNK_SYMBOLS, sizeof(*chunk));
	for (uint64_t at = 0; at < count; at += CHUNK_SYMBOLS) {
		size_t take = (size_t)min_of(count - at, (uint64_t)CHUNK_SYMBOLS);

		r = elf_read(elf, table->sh_offset + at * sizeof(*chunk), chunk,
			     take * sizeof(*chunk));
		if (r < 0)
			return r;
		for (size_t i = 0; i < take; i++) {
			const Elf64_Sym *sym = &chunk[i];

			if (!is_code(sym) || !is_in_code(elf, sym) ||
			    sym->st_name >= strings->sh_size || !names[sym->st_name])
				continue;
			fn(ctx, names + sym->st_name,
			   (struct elf_range){.vaddr = sym->st_value, .size = sym->st_size},
			   ELF64_ST_BIND(sym->st_info) == STB_GLOBAL);
		}
	}
	return 0;
}

int elf_functions(const struct elf *elf, elf_function_fn *fn, void *ctx)
{
	int tables = 0, seen = 0, result = 0;

	for (size_t i = 0; i < elf->n_sections; i++) {
		uint32_t type = elf->sections[i].sh_type;

		if ((type != SHT_SYMTAB && type != SHT_DYNSYM) || ++seen > MOST_TABLES)
			continue;
		int r = each_of(elf, &elf->sections[i], fn, ctx);
		if (r < 0)
			result = r; /* another table may still be good */
		else
			tables++;
	}
	return tables ? tables : result;
}

int elf_section_bytes(const struct elf *elf, const char *name, size_t max_bytes,
		      uint8_t **ret_bytes, size_t *ret_len)
{
	for (size_t i = 0; i < elf->n_sections; i++) {
		const Elf64_Shdr *section = &elf->sections[i];

		if (section->sh_type == SHT_NOBITS ||
		    section->sh_name >= elf->section_names_bytes ||
		    strcmp(elf->section_names + section->sh_name, name) != 0)
			continue;
		if (section->sh_size > max_bytes)
			return ERR_LIMIT;
		if (section->sh_size > elf->file_bytes)
			return ERR_CORRUPT;
		cleanup_free uint8_t *bytes = xcalloc(section->sh_size + 1, 1);
		int r = elf_read(elf, section->sh_offset, bytes, section->sh_size);
		if (r < 0)
			return r;
		*ret_len = section->sh_size;
		*ret_bytes = take_ptr(bytes);
		return 0;
	}
	return -ENOENT;
}
