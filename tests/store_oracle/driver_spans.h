/* SPDX-License-Identifier: Apache-2.0 */
/* Spans, ids and exemplars of the store behind stdin and stdout (store_driver.c). */
#ifndef STORE_ORACLE_DRIVER_SPANS_H
#define STORE_ORACLE_DRIVER_SPANS_H

#include "codec/json.h"
#include "store/store.h"

/* "SPAN TRACE" in hexadecimal, each may be "-", or "" for none: that much of the node's columns is the span's. */
void driver_add_span(struct profile *profile, const char *text, struct node_id node,
		     const int64_t *values, size_t n);
/* Texts as ids, in the arena; `pick` is what a query asks with if there is any, else NULL. */
struct store_pick *driver_pick(char *const *profiles, size_t n_profiles, char *const *spans,
			       size_t n_spans, char *const *traces, size_t n_traces,
			       struct arena *arena);
/* {"exemplars":[[labels, profile, span, trace, time, value], ...]} */
int driver_exemplars(struct store *store, const struct store_query *query, bool of_spans,
		     struct json_writer *json, struct err *err);

#endif
