/* SPDX-License-Identifier: Apache-2.0 */
/* Text inside HTML and XML: names are data, never markup. */
#ifndef FORMAT_MARKUP_H
#define FORMAT_MARKUP_H

#include "base/buf.h"

/*
 * Append valid UTF-8 so that it is plain text in XML and HTML, between tags and in quoted
 * attributes: < > & " ' become entities, control characters and bidirectional overrides \xNN and
 * \uNNNN (also line breaks: a name is one line), and what XML cannot hold U+FFFD.
 */
void markup_put(struct buf *out, const char *text, size_t len);
void markup_puts(struct buf *out, const char *text);

#endif
