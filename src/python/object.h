/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading single Python objects: strings, bytes, dicts.  For files of this folder only.
 *
 * Nothing here trusts a length: what is claimed is compared with a limit before anything is read, and a text
 * over its limit is cut with an ellipsis.
 */
#ifndef PYTHON_OBJECT_H
#define PYTHON_OBJECT_H

#include "base/buf.h"
#include "proc/memory.h"
#include "python/layout.h"

#define OBJECT_MAX_CHARS 4096 /* of a string that we read */
#define DICT_MAX_ENTRIES 65536

/*
 * The text of a str object as UTF-8 (lone surrogates become U+FFFD), replacing out's contents.  A str of 2.7 is
 * bytes that say nothing of their encoding: what is not UTF-8 becomes \xNN.  ERR_CORRUPT for what is no compact
 * string, or as memory_read().
 */
int object_text(struct memory *memory, const struct layout *layout, raddr_t str,
		struct buf *out) nodiscard;
/* The same of its first `max` characters, without the ellipsis: *ret_is_cut says whether there are more. */
int object_text_head(struct memory *memory, const struct layout *layout, raddr_t str, size_t max,
		     struct buf *out, bool *ret_is_cut) nodiscard;

/*
 * The bytes of a bytes object, at most out->ceiling: ERR_LIMIT when there are more.
 */
int object_bytes(struct memory *memory, const struct layout *layout, raddr_t bytes,
		 struct buf *out) nodiscard;

/* The value that a dict has for a str key; -ENOENT. */
int dict_find(struct memory *memory, const struct layout *layout, raddr_t dict, const char *key,
	      raddr_t *ret_value) nodiscard;

/* The attribute of an instance of a class written in Python; -ENOENT. */
int object_attribute(struct memory *memory, const struct layout *layout, raddr_t object,
		     const char *name, raddr_t *ret_value) nodiscard;

/* All entries of a dict in their order; ERR_LIMIT past DICT_MAX_ENTRIES. */
struct dict_item {
	raddr_t key, value;
};

struct dict_entries {
	struct dict_item *items;
	size_t n;
};

int dict_read(struct memory *memory, const struct layout *layout, raddr_t dict,
	      struct dict_entries *ret_entries) nodiscard;
/* The first `max` at most (places of the table: those that are free do not come). */
int dict_read_head(struct memory *memory, const struct layout *layout, raddr_t dict, uint64_t max,
		   struct dict_entries *ret_entries) nodiscard;
void dict_entries_done(struct dict_entries *entries);

#endif
