/* SPDX-License-Identifier: Apache-2.0 */
#include "base/vec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *vec_grow_raw(void *data, size_t *cap, size_t need, size_t elem_bytes)
{
	size_t next = *cap ? *cap : 8, bytes;

	if (need <= *cap)
		return data;
	while (next < need)
		next = next > SIZE_MAX / 2 ? need : next * 2;
	if (__builtin_mul_overflow(next, elem_bytes, &bytes))
		abort();
	data = realloc(data, bytes);
	if (!data)
		abort();
	*cap = next;
	return data;
}

void *vec_grow_more(void *data, size_t *cap, size_t need, size_t elem_bytes)
{
	size_t old = *cap;

	data = vec_grow_raw(data, cap, need, elem_bytes);
	memset((char *)data + old * elem_bytes, 0, (*cap - old) * elem_bytes);
	return data;
}

void *xcalloc(size_t n, size_t elem_bytes)
{
	void *out = calloc(n ? n : 1, elem_bytes ? elem_bytes : 1);

	if (!out)
		abort();
	return out;
}

char *xstrndup(const char *text, size_t len)
{
	char *out = xcalloc(len + 1, 1);

	memcpy(out, text, len);
	return out;
}

char *xstrdup(const char *text)
{
	return xstrndup(text, strlen(text));
}
