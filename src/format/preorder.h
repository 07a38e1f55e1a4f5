/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two binary trees that clients of Pyroscope's first years send: format=trie and format=tree.
 *
 *	node   = varint bytes of the name · name · varint value · varint number of children · node*
 *
 * The first node is the root, whose name is empty.  In a *tree* a name is a frame and the value its own; in a
 * *trie* names are pieces of the text of whole stacks ("main;wor" above "k" and "ld"), a stack being what
 * stands on the way to a node with a value.  Frames are texts as in collapsed stacks (format/stack_text.h).
 *
 * Nothing recurses; names, depth, stacks and the text of all stacks together are bounded.
 */
#ifndef FORMAT_PREORDER_H
#define FORMAT_PREORDER_H

#include "format/format.h"

#define PREORDER_MAX_DEPTH 4096			      /* nodes above each other */
#define PREORDER_MAX_STACK_BYTES (1u << 20)	      /* the text of one stack of a trie */
#define PREORDER_MAX_TEXT_BYTES ((uint64_t)256 << 20) /* of all of them */

/* Into the column samples/count.  ERR_CORRUPT with the byte where it stops to make sense; ERR_LIMIT. */
int preorder_read_trie(const void *data, size_t len, const struct format_limits *limits,
		       struct profile *into, struct err *err) nodiscard;
int preorder_read_tree(const void *data, size_t len, const struct format_limits *limits,
		       struct profile *into, struct err *err) nodiscard;

/*
 * A profile of bare names (narrow_to_names()) as such a tree; children come last name first, as Pyroscope's own readers
 * pile them up.  Nothing at all for a profile without a value.
 */
void preorder_write_tree(const struct profile *profile, size_t column, struct buf *out);

#endif
