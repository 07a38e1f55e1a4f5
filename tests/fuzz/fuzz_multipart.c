/* SPDX-License-Identifier: Apache-2.0 */
/* A line that is a content type, then any bytes as the form: parts lie in the body, one behind the other. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "http/multipart.h"

static void check_part(const struct multipart_part *part, const uint8_t *body, size_t len,
		       const uint8_t **end)
{
	if (part->data < *end || part->data > body + len ||
	    part->len > (size_t)(body + len - part->data) ||
	    !memchr(part->name, '\0', sizeof(part->name)))
		abort();
	*end = part->data + part->len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
	const uint8_t *body = newline ? newline + 1 : data, *end = body;
	size_t len = size - (size_t)(body - data);
	struct multipart multipart;
	struct multipart_part part;
	struct arena arena;
	unsigned int n = 0;
	int r;

	arena_init(&arena);
	r = multipart_begin(
		&multipart,
		arena_strndup(&arena, (const char *)data, newline ? (size_t)(newline - data) : 0),
		body, len, NULL);
	while (r == 0 && (r = multipart_next(&multipart, &part, NULL)) == 1) {
		check_part(&part, body, len, &end);
		if (++n > MULTIPART_MAX_PARTS)
			abort();
		r = 0;
	}
	arena_done(&arena);
	return 0;
}
