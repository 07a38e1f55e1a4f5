/* SPDX-License-Identifier: Apache-2.0 */
/* What readers of documents share: what was read, written as JSON, is read to as many events again. */
#ifndef TESTS_FUZZ_JSON_COPY_H
#define TESTS_FUZZ_JSON_COPY_H

#include "codec/json.h"

/* json_read(), or a reader that gives the same events. */
typedef int json_copy_reader(const void *data, size_t len, const struct json_limits *limits,
			     json_event_fn *on_event, void *ctx, struct err *err);

/* Ends the process when it is not so. */
void json_copy_judge(json_copy_reader *read, const uint8_t *data, size_t size);

#endif
