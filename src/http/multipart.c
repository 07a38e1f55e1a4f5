/* SPDX-License-Identifier: Apache-2.0 */
#include "http/multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PART_HEAD_MAX_BYTES 4096

/* The boundary parameter into `delimiter`; 0 or ERR_USAGE. */
static int read_boundary(struct multipart *multipart, const char *type, struct err *err)
{
	const char *at = strcasestr(type, "boundary=");
	size_t len;

	if (!at)
		return err_set(err, ERR_USAGE, "the Content-Type names no boundary");
	at += strlen("boundary=");
	if (*at == '"')
		len = strcspn(++at, "\"");
	else
		len = strcspn(at, "; \t");
	if (!len || len > MULTIPART_MAX_BOUNDARY)
		return err_set(err, ERR_USAGE, "the boundary must have 1 to %d characters",
			       MULTIPART_MAX_BOUNDARY);
	multipart->delimiter_len = (size_t)snprintf(
		multipart->delimiter, sizeof(multipart->delimiter), "\r\n--%.*s", (int)len, at);
	return 0;
}

int multipart_begin(struct multipart *multipart, const char *content_type, const void *body,
		    size_t len, struct err *err)
{
	const uint8_t *start = body;
	/* Before the first part the line break of the delimiter may be missing. */
	size_t first_len;
	const uint8_t *first;
	int r;

	*multipart = (struct multipart){0};
	r = read_boundary(multipart, content_type, err);
	if (r < 0)
		return r;
	first_len = multipart->delimiter_len - 2;
	first = len ? memmem(start, len, multipart->delimiter + 2, first_len) : NULL;
	if (!first)
		return err_set(err, ERR_CORRUPT, "the body does not hold its boundary");
	multipart->at = first + first_len;
	multipart->end = start + len;
	return 0;
}

/* The value of name="…" in a Content-Disposition line. */
static void read_name(const char *head, size_t len, char *out, size_t cap)
{
	static const char mark[] = "name=\"";
	const char *line = memmem(head, len, mark, sizeof(mark) - 1);
	const char *stop;
	size_t n;

	out[0] = '\0';
	/* "filename=" holds the mark as well. */
	while (line && line > head && line[-1] != ' ' && line[-1] != ';')
		line = memmem(line + 1, len - (size_t)(line + 1 - head), mark, sizeof(mark) - 1);
	if (!line)
		return;
	line += sizeof(mark) - 1;
	stop = memchr(line, '"', len - (size_t)(line - head));
	n = stop ? (size_t)(stop - line) : 0;
	n = min_of(n, cap - 1);
	memcpy(out, line, n);
	out[n] = '\0';
}

int multipart_next(struct multipart *multipart, struct multipart_part *ret_part, struct err *err)
{
	size_t left = (size_t)(multipart->end - multipart->at);
	const uint8_t *head, *data, *stop;
	size_t head_len;

	if (left >= 2 && memcmp(multipart->at, "--", 2) == 0)
		return 0;
	if (left < 2 || memcmp(multipart->at, "\r\n", 2) != 0)
		return err_set(err, ERR_CORRUPT, "a part's boundary has no line of its own");
	if (multipart->n_parts++ == MULTIPART_MAX_PARTS)
		return err_set(err, ERR_LIMIT, "more than %d parts", MULTIPART_MAX_PARTS);
	head = multipart->at;
	data = memmem(head, min_of(left, (size_t)PART_HEAD_MAX_BYTES), "\r\n\r\n", 4);
	if (!data)
		return err_set(err, ERR_CORRUPT, "a part's headers have no end");
	head_len = (size_t)(data - head);
	/* The empty line's own break may be the delimiter's first: an empty part. */
	data += 2;
	stop = memmem(data, (size_t)(multipart->end - data), multipart->delimiter,
		      multipart->delimiter_len);
	if (!stop)
		return err_set(err, ERR_CORRUPT, "the last part is cut off");
	read_name((const char *)head, head_len, ret_part->name, sizeof(ret_part->name));
	ret_part->data = stop > data ? data + 2 : stop;
	ret_part->len = (size_t)(stop - ret_part->data);
	multipart->at = stop + multipart->delimiter_len;
	return 1;
}
