/* SPDX-License-Identifier: Apache-2.0 */
#include "format/markup.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "base/vec.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define PRINTABLE_GROWTH 6 /* one byte becomes at most \xNN, three become \uNNNN */

static const char *entity_of(char c)
{
	switch (c) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void markup_put(struct buf *out, const char *text, size_t len)
{
	size_t cap = PRINTABLE_GROWTH * len + 1;
	cleanup_free char *printable = xcalloc(cap, 1);
	const char *at = printable, *end;

	if (!len)
		return;
	end = printable + utf8_printable(printable, cap, text, len);

	while (at < end) {
		const char *entity = entity_of(*at);
		uint32_t code;
		size_t n = utf8_next(at, (size_t)(end - at), &code);

		if (entity)
			buf_puts(out, entity);
		else if ((code & 0xfffe) == 0xfffe) /* no character in any plane */
			buf_puts(out, REPLACEMENT);
		else
			buf_put(out, at, n);
		at += n;
	}
}

void markup_puts(struct buf *out, const char *text)
{
	markup_put(out, text, strlen(text));
}
