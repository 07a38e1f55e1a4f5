/* SPDX-License-Identifier: Apache-2.0 */
/* What libdw reads in the same file, where it is installed (EH_HAS_ORACLE); else nothing is compared. */
#ifndef TESTS_UNIT_ELF_EH_ORACLE_H
#define TESTS_UNIT_ELF_EH_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "elf/cfi.h"

struct eh_oracle;

struct eh_oracle *eh_oracle_open(const char *path); /* NULL without libdw */
void eh_oracle_close(struct eh_oracle *oracle);
/* Does it find the same frame address and the same places of the preserved registers? */
bool eh_oracle_agrees(struct eh_oracle *oracle, uint64_t vaddr, const struct cfi_rule *rule);

#endif
