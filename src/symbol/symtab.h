/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of one ELF file by address: .symtab, .dynsym, and the small table that some distributions
 * pack into .gnu_debugdata (xz).  24 bytes a symbol and its text.  Own bounded readers; only the unpacking is
 * liblzma's, with a limit of memory.  One thread.
 */
#ifndef SYMBOL_SYMTAB_H
#define SYMBOL_SYMTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct symtab;

struct symtab *symtab_new(void) nodiscard;
void symtab_free(struct symtab *symtab);
/* Add the tables of a file; the descriptor is taken.  Of several files, later ones fill gaps only. */
int symtab_add(struct symtab *symtab, int fd, struct err *err) nodiscard;

/*
 * The function at an address as linked, or NULL.  Of several at one address the one that programs call: global
 * before local, without underscores before with, short before long.  Borrowed until the next symtab_add().
 */
const char *symtab_find(struct symtab *symtab, uint64_t vaddr);

#endif
