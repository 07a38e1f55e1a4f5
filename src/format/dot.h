/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOT, the language of Graphviz: a box per function, larger the more it took itself, an arrow per call.
 *
 * The largest functions are drawn; a call that reaches one through others that are not is a dotted arrow.  Totals, and
 * the numbers on arrows, count a stack once however often it repeats a function or a call.  Linear in the nodes times
 * the depth that recursion gives them; names are data and cannot end their quotes.
 */
#ifndef FORMAT_DOT_H
#define FORMAT_DOT_H

#include "base/buf.h"
#include "profile/profile.h"

#define DOT_DEFAULT_NODES 100

struct dot_opts {
	const char *title; /* of the graph */
	size_t column;
	uint32_t max_nodes; /* 0: DOT_DEFAULT_NODES */
};

/* A profile of bare names (narrow_to_names()); nothing at all for one without a value. */
void dot_write(const struct profile *profile, const struct dot_opts *opts, struct buf *out);

#endif
