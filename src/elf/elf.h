/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF files, read as hostile: sections by name, a few symbols by name, load addresses, the build
 * id.
 *
 * Own and small, because it runs where the rights are: 64-bit little-endian only, everything
 * through pread() on a descriptor (a file that is cut short while we read gives an error, never
 * SIGBUS), every count, offset and size compared with the file's size and with the limits below
 * before it is used.  Work is linear in the tables and bounded; nothing follows a chain that it has
 * not bounded.  Any thread may use its own struct elf.
 */
#ifndef ELF_ELF_H
#define ELF_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ELF_MAX_SEGMENTS 4096
#define ELF_MAX_SECTIONS 65536
#define ELF_MAX_SYMBOLS (4u << 20)
#define ELF_MAX_STRTAB_BYTES (64u << 20)
#define ELF_MAX_CHAIN 65536 /* steps in one bucket of a hash table */
#define ELF_MAX_NOTE_BYTES (64u << 10)
#define ELF_BUILD_ID_MAX 64 /* bytes; 20 is usual */

struct elf;

/*
 * Read the headers.  Takes the descriptor, and closes it also on failure.  ERR_CORRUPT for what is
 * no 64-bit little-endian ELF file (or is damaged), ERR_LIMIT past a limit, -errno when reading
 * fails.
 */
int elf_open(int fd, struct elf **ret_elf, struct err *err) nodiscard;
void elf_close(struct elf *elf);

/* Addresses here are as linked; add the load bias: where a segment was mapped less elf_vaddr() of
 * it. */
struct elf_range {
	uint64_t vaddr;
	uint64_t size;
};

/*
 * The address that byte `offset` of the file is linked for; -ENOENT when no segment holds it.  The offset of a mapping
 * is that of the page its segment begins in, so there the segment counts that begins, not the one that ends.
 */
int elf_vaddr(const struct elf *elf, uint64_t offset, uint64_t *ret_vaddr) nodiscard;

/* A section by its whole name; -ENOENT also when the file has no section headers. */
int elf_section(const struct elf *elf, const char *name, struct elf_range *ret_range) nodiscard;

/* The first segment of a type (PT_GNU_EH_FRAME), as far as the file has it; -ENOENT. */
int elf_segment(const struct elf *elf, uint32_t type, struct elf_range *ret_range) nodiscard;

/* The lowest address that is loaded from the file; 0 when nothing is. */
uint64_t elf_base(const struct elf *elf) nodiscard;
/* Where the program begins; 0: nowhere. */
uint64_t elf_entry(const struct elf *elf) nodiscard;
/* How many bytes from `vaddr` on the file has in the same segment; 0 when no segment holds it. */
uint64_t elf_bytes_at(const struct elf *elf, uint64_t vaddr) nodiscard;
/* Bytes by their linked address: 0, -ENOENT when no segment has all of them, or as reading fails. */
int elf_read_vaddr(const struct elf *elf, uint64_t vaddr, void *into, size_t len) nodiscard;

struct elf_symbol {
	const char *name; /* in */
	bool is_found;	  /* out; then: */
	struct elf_range range;
};

/*
 * Look for defined symbols in .dynsym and .symtab, or through the dynamic segment when the section
 * headers are gone.  Fills in those found (the first of equal names); returns how many, or a
 * negative error.
 */
int elf_symbols(const struct elf *elf, struct elf_symbol *symbols, size_t n) nodiscard;

/*
 * Every defined function (and label of code without a type) of .symtab and .dynsym, in no order and with
 * repetitions.  `name` and its text live for the call.  Returns how many tables were read, or a negative error.
 */
typedef void elf_function_fn(void *ctx, const char *name, struct elf_range range, bool is_global);
int elf_functions(const struct elf *elf, elf_function_fn *fn, void *ctx) nodiscard;

/*
 * The jumps by which the file calls other libraries' functions, as "malloc@plt" (x86-64).  Returns how many, 0 when the
 * file does without or has them in an order that is not known.
 */
int elf_plt(const struct elf *elf, elf_function_fn *fn, void *ctx) nodiscard;

/*
 * The bytes of a section as they are in the file, with a NUL behind the last (free() them); -ENOENT, ERR_LIMIT
 * when there are more than `max_bytes`.
 */
int elf_section_bytes(const struct elf *elf, const char *name, size_t max_bytes,
		      uint8_t **ret_bytes, size_t *ret_len) nodiscard;

/* The GNU build id; returns its length, -ENOENT when there is none. */
int elf_build_id(const struct elf *elf, uint8_t ret_id[ELF_BUILD_ID_MAX]) nodiscard;

#endif
