/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report as one HTML file: flame graph, function table and search, without network or server.
 *
 * It holds the web page's own viewer (format/html_bundle.h has the document's shape), the view of
 * the full tree as JSON (up to FLAME_MAX_NODES boxes) and, for readers without JavaScript, a table
 * of the top functions.
 */
#ifndef FORMAT_HTML_H
#define FORMAT_HTML_H

#include "base/buf.h"
#include "base/err.h"
#include "format/format.h"
#include "format/html_bundle.h"

/* With the viewer of this build; ERR_UNSUPPORTED when it has none, ERR_LIMIT when `out` is full. */
int html_write(const struct format_output *output, struct buf *out, struct err *err) nodiscard;
/* With another viewer (tests). */
int html_write_with(const struct html_bundle *bundle, const struct format_output *output,
		    struct buf *out, struct err *err) nodiscard;

#endif
