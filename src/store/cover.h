/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which times are known: a set of stretches [from, until), kept as a list that is united when
 * needed.
 *
 * Adding appends (or lengthens the last stretch, the usual case); cover_unite() sorts and joins,
 * and happens by itself when the list grows past what unites well.  An object of one thread.
 */
#ifndef STORE_COVER_H
#define STORE_COVER_H

#include <stdbool.h>

#include "store/store.h"

struct cover {
	struct store_range *items;
	size_t n, cap;
	size_t unite_at; /* length at which adding unites first */
	bool is_united;
};

void cover_done(struct cover *cover); /* all-zero is empty: no init */
void cover_reset(struct cover *cover);
void cover_add(struct cover *cover, int64_t from_ns, int64_t until_ns); /* empty ones are ignored */
/* Sorted, disjoint, none adjoining. */
void cover_unite(struct cover *cover);
/* Time known within [from, until): unites first. */
int64_t cover_length(struct cover *cover, int64_t from_ns, int64_t until_ns);
/* Unite, and close the gaps that are shorter than `gap_ns`. */
void cover_close_gaps(struct cover *cover, int64_t gap_ns);

#endif
