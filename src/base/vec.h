/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing arrays.  The owner keeps pointer, count and capacity in its own struct:
 *
 *	ids = vec_grow(ids, &ids_cap, n_ids + 1, sizeof(*ids));
 *	ids[n_ids++] = id;
 *
 * Capacity doubles; new elements are zeroed.  A failing realloc aborts, so a count that comes from
 * outside is compared with its limit first.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stddef.h>

#include "base/compiler.h"

/* The slow half of vec_grow(): `need` is more than there is. */
void *vec_grow_more(void *data, size_t *cap, size_t need, size_t elem_bytes) nodiscard;

static inline void *vec_grow(void *data, size_t *cap, size_t need, size_t elem_bytes) nodiscard;

static inline void *vec_grow(void *data, size_t *cap, size_t need, size_t elem_bytes)
{
	return need <= *cap ? data : vec_grow_more(data, cap, need, elem_bytes);
}

/* As vec_grow(), but what is new is not zeroed: for who fills an element in the moment it counts. */
void *vec_grow_raw(void *data, size_t *cap, size_t need, size_t elem_bytes) nodiscard;

/* calloc that aborts when it fails; n * elem_bytes must not come from outside unchecked. */
void *xcalloc(size_t n, size_t elem_bytes) nodiscard;
char *xstrdup(const char *text) nodiscard;
char *xstrndup(const char *text, size_t len) nodiscard;

#endif
