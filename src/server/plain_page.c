/* SPDX-License-Identifier: Apache-2.0 */
#include "server/plain_page.h"

#include <string.h>

#include "base/utf8.h"

#define TEXT_MAX_BYTES 4096

static const char style[] = ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\n"
			    "body{max-width:60rem;margin:4rem auto;padding:0 1rem}\n"
			    "h1{font-size:1.4rem}\n"
			    "form{display:grid;gap:1rem;max-width:24rem}\n"
			    "label{display:grid;gap:.25rem}\n"
			    "input,button{font:inherit;padding:.5rem}\n"
			    "[role=alert]{color:light-dark(#a00000,#ff8a80);margin:0}\n"
			    "table{border-collapse:collapse;width:100%}\n"
			    "th,td{text-align:left;padding:.25rem .75rem .25rem "
			    "0;vertical-align:top;overflow-wrap:anywhere}\n"
			    "th{border-bottom:1px solid}\n"
			    "td.number{text-align:right;font-variant-numeric:tabular-nums}\n";

void plain_page_begin(struct http_exchange *exchange, const char *base, const char *title)
{
	exchange->response.content_type = "text/html; charset=utf-8";
	buf_printf(&exchange->response.body,
		   "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		   "<title>Pyrometer: %s</title>\n"
		   "<link rel=\"icon\" href=\"%s/favicon.svg\" type=\"image/svg+xml\">\n"
		   "<link rel=\"stylesheet\" href=\"%s/plain.css\">\n</head>\n<body>\n<main>\n",
		   title, base, base);
}

void plain_page_end(struct http_exchange *exchange)
{
	buf_puts(&exchange->response.body, "</main>\n</body>\n</html>\n");
}

void plain_page_text(struct buf *out, const char *text)
{
	char plain[TEXT_MAX_BYTES];

	utf8_printable(plain, sizeof(plain), text, strlen(text));
	for (const char *c = plain; *c; c++)
		switch (*c) {
		case '<':
			buf_puts(out, "&lt;");
			break;
		case '>':
			buf_puts(out, "&gt;");
			break;
		case '&':
			buf_puts(out, "&amp;");
			break;
		case '"':
			buf_puts(out, "&quot;");
			break;
		case '\'':
			buf_puts(out, "&#39;");
			break;
		default:
			buf_putc(out, *c);
		}
}

void handle_plain_style(void *ctx, struct http_exchange *exchange)
{
	(void)ctx;
	exchange->response.content_type = "text/css; charset=utf-8";
	exchange->response.cache_control = "max-age=3600";
	exchange->response.constant = style;
	exchange->response.constant_len = sizeof(style) - 1;
	http_exchange_finish(exchange);
}
