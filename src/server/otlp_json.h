/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP/JSON into the message it stands for: proto3's JSON, with ids in hexadecimal (base64 is taken, too).
 */
#ifndef SERVER_OTLP_JSON_H
#define SERVER_OTLP_JSON_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* An ExportProfilesServiceRequest, appended to `out`.  ERR_CORRUPT, or ERR_LIMIT where `out` is full. */
int otlp_json_read(const void *text, size_t len, struct buf *out, struct err *err) nodiscard;

#endif
