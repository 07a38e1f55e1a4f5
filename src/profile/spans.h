/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which samples of a profile were taken while which request was served.
 *
 * Profilers label samples with the span (8 bytes) and the trace (16 bytes) at work.  The tree of a profile adds
 * samples up by stack; what is kept here beside it is, for each pair of span and trace, how much of which node's value
 * is its own.  So a node's value is never less than what its spans claim of it.
 *
 * A profile has no such list until the first sample names a span: those without pay one pointer.  Bounded: the spans
 * past SPANS_MAX are counted, not kept, and their samples stay in the tree.  Merging profiles forgets spans.
 * One thread owns it, as its profile.
 */
#ifndef PROFILE_SPANS_H
#define PROFILE_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "profile/tree.h"

#define SPANS_MAX 4096 /* of one profile */
#define SPANS_MAX_VALUES (1u << 20)

#define SPAN_ID_BYTES 8
#define TRACE_ID_BYTES 16
#define SPAN_TEXT_BYTES (2 * SPAN_ID_BYTES + 1)
#define TRACE_TEXT_BYTES (2 * TRACE_ID_BYTES + 1)

/* As read from left to right in hexadecimal; 0: none. */
struct span_id {
	uint64_t v;
};

struct trace_id {
	uint8_t bytes[TRACE_ID_BYTES]; /* all zero: none */
};

struct span {
	struct span_id id;
	struct trace_id trace;
};

/* 16 or 32 hexadecimal digits; -EINVAL for anything else, and for all zero, which names nothing. */
int span_id_parse(const char *text, size_t len, struct span_id *ret_id) nodiscard;
int trace_id_parse(const char *text, size_t len, struct trace_id *ret_id) nodiscard;
void span_id_format(struct span_id id, char out[SPAN_TEXT_BYTES]); /* of none: "" */
void trace_id_format(const struct trace_id *id, char out[TRACE_TEXT_BYTES]);
bool trace_id_is_none(const struct trace_id *id);
bool trace_id_equal(const struct trace_id *a, const struct trace_id *b);

/* So much of a node's value in a column is the span's.  In the order of samples; one node may come often. */
struct span_value {
	uint32_t span; /* index into items */
	uint32_t node;
	uint32_t column;
	int64_t value; /* > 0 */
};

struct spans {
	struct span *items; /* each once */
	size_t n, cap;
	struct span_value *values;
	size_t n_values, values_cap;
	uint64_t n_malformed; /* samples whose ids were none */
	uint64_t n_left_out;  /* values past the bounds above */
	struct idtab index;
	uint64_t seed;
};

struct spans *spans_new(void) nodiscard;
void spans_free(struct spans *spans);

/* Index of the span, added when it is new; UINT32_MAX past SPANS_MAX. */
uint32_t spans_index(struct spans *spans, const struct span *span);
/* A value of 0 or less adds nothing; a span of UINT32_MAX (there was no room) is counted as left out. */
void spans_add(struct spans *spans, uint32_t span, struct node_id node, uint32_t column,
	       int64_t value);

#endif
