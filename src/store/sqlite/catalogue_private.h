/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the catalogue share: memory (catalogue.c) and disk (catalogue_load.c). */
#ifndef STORE_SQLITE_CATALOGUE_PRIVATE_H
#define STORE_SQLITE_CATALOGUE_PRIVATE_H

#include "store/sqlite/catalogue.h"

/* Count a series whose struct is in the table: member of its family, found by its labels. */
void catalogue_add_series(struct catalogue *catalogue, struct series *series);
/* Without an id yet. */
struct column *catalogue_add_column(const char *type, const char *unit, const char *state);

#endif
