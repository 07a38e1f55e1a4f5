/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small pages without script (login, rejections): a frame, and text that is never markup.  Their one style sheet is
 * GET /plain.css, so that the policy of every answer (no inline anything) holds for them, too.
 */
#ifndef SERVER_PLAIN_PAGE_H
#define SERVER_PLAIN_PAGE_H

#include "http/http_server.h"

/* `base` is the path before every other; `title` is a constant. */
void plain_page_begin(struct http_exchange *exchange, const char *base, const char *title);
void plain_page_end(struct http_exchange *exchange);
/* Hostile text: markup becomes entities, control characters and ends of lines blanks. */
void plain_page_text(struct buf *out, const char *text);

http_handler_fn handle_plain_style;

#endif
