/* SPDX-License-Identifier: Apache-2.0 */
/* For files of this folder only. */
#ifndef ELF_ELF_PRIVATE_H
#define ELF_ELF_PRIVATE_H

#include <elf.h>

#include "elf/elf.h"

struct elf {
	int fd;
	uint64_t file_bytes;
	uint64_t entry;
	Elf64_Phdr *segments;
	size_t n_segments;
	Elf64_Shdr *sections; /* none: n_sections == 0 */
	size_t n_sections;
	char *section_names; /* NUL-terminated whatever the file says; NULL: none */
	size_t section_names_bytes;
};

/* All `len` bytes at `offset`: 0, ERR_CORRUPT past the end, -errno. */
int elf_read(const struct elf *elf, uint64_t offset, void *into, size_t len) nodiscard;
/* Where a linked address lies in the file, with `len` bytes behind it; -ENOENT. */
int elf_offset(const struct elf *elf, uint64_t vaddr, uint64_t len, uint64_t *ret_offset) nodiscard;

#endif
