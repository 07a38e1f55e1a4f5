/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/spans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "profile/hash.h"

/* ---- ids ---- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_hex(const char *text, size_t len, uint8_t *out, size_t n_bytes)
{
	uint8_t any = 0;

	if (len != 2 * n_bytes)
		return -EINVAL;
	for (size_t i = 0; i < n_bytes; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		out[i] = (uint8_t)(high << 4 | low);
		any |= out[i];
	}
	return any ? 0 : -EINVAL;
}

static void format_hex(const uint8_t *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

int span_id_parse(const char *text, size_t len, struct span_id *ret_id)
{
	uint8_t bytes[SPAN_ID_BYTES];
	uint64_t v = 0;

	if (parse_hex(text, len, bytes, sizeof(bytes)) < 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(bytes); i++)
		v = v << 8 | bytes[i];
	ret_id->v = v;
	return 0;
}

int trace_id_parse(const char *text, size_t len, struct trace_id *ret_id)
{
	struct trace_id id;

	if (parse_hex(text, len, id.bytes, sizeof(id.bytes)) < 0)
		return -EINVAL;
	*ret_id = id;
	return 0;
}

void span_id_format(struct span_id id, char out[SPAN_TEXT_BYTES])
{
	uint8_t bytes[SPAN_ID_BYTES];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(id.v >> 8 * (sizeof(bytes) - 1 - i));
	format_hex(bytes, id.v ? sizeof(bytes) : 0, out);
}

void trace_id_format(const struct trace_id *id, char out[TRACE_TEXT_BYTES])
{
	format_hex(id->bytes, trace_id_is_none(id) ? 0 : sizeof(id->bytes), out);
}

bool trace_id_is_none(const struct trace_id *id)
{
	static const struct trace_id none;

	return trace_id_equal(id, &none);
}

bool trace_id_equal(const struct trace_id *a, const struct trace_id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* ---- the list ---- */

struct spans *spans_new(void)
{
	struct spans *spans = xcalloc(1, sizeof(*spans));

	spans->seed = hash_seed();
	return spans;
}

void spans_free(struct spans *spans)
{
	if (!spans)
		return;
	free(spans->items);
	free(spans->values);
	idtab_done(&spans->index);
	free(spans);
}

static bool span_equals(const void *items, uint32_t index, const void *key)
{
	const struct span *own = &((const struct span *)items)[index], *wanted = key;

	return own->id.v == wanted->id.v && trace_id_equal(&own->trace, &wanted->trace);
}

uint32_t spans_index(struct spans *spans, const struct span *span)
{
	uint64_t hash = hash_bytes(spans->seed, span, sizeof(*span));
	uint32_t index = idtab_find(&spans->index, hash, span_equals, spans->items, span);

	if (index != UINT32_MAX || spans->n == SPANS_MAX)
		return index;
	spans->items = vec_grow(spans->items, &spans->cap, spans->n + 1, sizeof(*spans->items));
	index = (uint32_t)spans->n++;
	spans->items[index] = *span;
	idtab_add(&spans->index, hash, index);
	return index;
}

void spans_add(struct spans *spans, uint32_t span, struct node_id node, uint32_t column,
	       int64_t value)
{
	if (value <= 0)
		return;
	if (span == UINT32_MAX || spans->n_values == SPANS_MAX_VALUES) {
		spans->n_left_out++;
		return;
	}
	spans->values = vec_grow(spans->values, &spans->values_cap, spans->n_values + 1,
				 sizeof(*spans->values));
	spans->values[spans->n_values++] = (struct span_value){span, node.v, column, value};
}
