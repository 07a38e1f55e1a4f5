/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of multipart/form-data: the named parts, in place, one after the other.
 *
 *	struct multipart multipart;
 *	r = multipart_begin(&multipart, content_type, body, len, err);
 *	while (r == 0 && (r = multipart_next(&multipart, &part, err)) == 1)
 *		...
 *
 * Nothing is copied but names.  Hostile input: every search is bounded by the body, parts are counted.
 */
#ifndef HTTP_MULTIPART_H
#define HTTP_MULTIPART_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MULTIPART_MAX_PARTS 64
#define MULTIPART_MAX_BOUNDARY 70 /* RFC 2046 */

struct multipart {
	char delimiter[MULTIPART_MAX_BOUNDARY + 5]; /* "\r\n--boundary" */
	size_t delimiter_len;
	const uint8_t *at, *end; /* at: behind a delimiter */
	unsigned int n_parts;
};

struct multipart_part {
	char name[64]; /* cut off when longer */
	const uint8_t *data;
	size_t len;
};

/* ERR_USAGE when the content type has no proper boundary; ERR_CORRUPT when the body lacks it. */
int multipart_begin(struct multipart *multipart, const char *content_type, const void *body,
		    size_t len, struct err *err) nodiscard;
/* 1: a part; 0: that was the last; ERR_CORRUPT, ERR_LIMIT. */
int multipart_next(struct multipart *multipart, struct multipart_part *ret_part,
		   struct err *err) nodiscard;

#endif
