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
 * The text of a str object as UTF-8 (lone surrogates become U+FFFD), replacing out's contents.  ERR_CORRUPT for
 * what is no compact string, or as memory_read().
 */
int object_text(struct memory *memory, const struct layout *layout, raddr_t str,
		struct buf *out) nodiscard;

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

/* Calls back for each (key, value) of a dict, until it returns other than 0, which is then returned. */
typedef int dict_item_fn(void *ctx, raddr_t key, raddr_t value);
int dict_each(struct memory *memory, const struct layout *layout, raddr_t dict, dict_item_fn *each,
	      void *ctx) nodiscard;

#endif
