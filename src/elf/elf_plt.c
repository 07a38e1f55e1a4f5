/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linkers write a jump for every relocation of .rela.plt, in their order: 16 bytes each in .plt.sec, where calls are
 * marked for the processor's shadow of returns (IBT), else in .plt behind one entry that all share.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "elf/elf_private.h"

#define ENTRY_BYTES 16
#define TABLE_MAX_BYTES (16u << 20)
#define NAME_MOST 1024

static bool is_x86_64(const struct elf *elf)
{
	Elf64_Half machine;

	return elf_read(elf, offsetof(Elf64_Ehdr, e_machine), &machine, sizeof(machine)) == 0 &&
	       machine == EM_X86_64;
}

/* Where the first relocation's jump is, and where the section ends. */
static bool find_jumps(const struct elf *elf, struct elf_range *ret_jumps)
{
	if (elf_section(elf, ".plt.sec", ret_jumps) == 0)
		return true;
	if (elf_section(elf, ".plt", ret_jumps) < 0 || ret_jumps->size < ENTRY_BYTES)
		return false;
	ret_jumps->vaddr += ENTRY_BYTES;
	ret_jumps->size -= ENTRY_BYTES;
	return true;
}

int elf_plt(const struct elf *elf, elf_function_fn *fn, void *ctx)
{
	cleanup_free uint8_t *relocations = NULL, *symbols = NULL, *names = NULL;
	size_t n_relocations, n_symbols, names_bytes, n = 0;
	struct elf_range jumps;

	if (!is_x86_64(elf) || !find_jumps(elf, &jumps) ||
	    elf_section_bytes(elf, ".rela.plt", TABLE_MAX_BYTES, &relocations, &n_relocations) <
		    0 ||
	    elf_section_bytes(elf, ".dynsym", TABLE_MAX_BYTES, &symbols, &n_symbols) < 0 ||
	    elf_section_bytes(elf, ".dynstr", ELF_MAX_STRTAB_BYTES, &names, &names_bytes) < 0)
		return 0;
	n_relocations =
		min_of(n_relocations / sizeof(Elf64_Rela), (size_t)jumps.size / ENTRY_BYTES);
	n_symbols /= sizeof(Elf64_Sym);
	for (size_t i = 0; i < n_relocations; i++) {
		char name[NAME_MOST];
		Elf64_Rela relocation;
		Elf64_Sym symbol;

		memcpy(&relocation, relocations + i * sizeof(relocation), sizeof(relocation));
		uint64_t index = ELF64_R_SYM(relocation.r_info);
		if (!index || index >= n_symbols) /* a choice made at load time has no name */
			continue;
		memcpy(&symbol, symbols + index * sizeof(symbol), sizeof(symbol));
		if (symbol.st_name >= names_bytes)
			continue;
		snprintf(name, sizeof(name), "%.*s@plt", NAME_MOST - 5, names + symbol.st_name);
		fn(ctx, name,
		   (struct elf_range){.vaddr = jumps.vaddr + i * ENTRY_BYTES, .size = ENTRY_BYTES},
		   false);
		n++;
	}
	return (int)n;
}
