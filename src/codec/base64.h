/* SPDX-License-Identifier: Apache-2.0 */
/* base64 with the standard or the URL alphabet; reading takes both, with or without padding. */
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include <stddef.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"

/* '+' and '/', padded with '='. */
void base64_encode(const void *data, size_t len, struct buf *out);
/* '-' and '_', no padding. */
void base64url_encode(const void *data, size_t len, struct buf *out);
/* ERR_CORRUPT for any other character or an impossible length; ERR_LIMIT when `out` is full. */
int base64_decode(const char *text, size_t len, struct buf *out, struct err *err) nodiscard;

#endif
