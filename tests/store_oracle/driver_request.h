/* SPDX-License-Identifier: Apache-2.0 */
/* What a line on stdin asks of the store: one JSON object (store_driver.c says which there are). */
#ifndef STORE_ORACLE_DRIVER_REQUEST_H
#define STORE_ORACLE_DRIVER_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct list {
	char **texts;
	size_t n, cap;
};

struct request {
	char *what, *dir, *tenant, *id, *labels, *period, *selector, *of;
	int64_t now, start, duration, from, until, step, gauge, max_nodes, max_series, n_samples;
	struct list columns, stacks, group_by, spans, profile_ids, span_ids, trace_ids;
	int64_t *values, retention[5], sizes[5], total;
	size_t n_values, values_cap, n_retention, n_sizes;
};

/* Into an all-zero request, to be released with request_done() in any case. */
int request_read(struct request *request, const char *line, size_t len, struct err *err) nodiscard;
void request_done(struct request *request);

#endif
