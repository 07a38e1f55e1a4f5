/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flame graph as one SVG file.
 *
 * A true picture without JavaScript (also as <img>): title, subtitle, an icicle with the root on
 * top, labels, shares, tooltips as <title>.  Where scripts run it zooms by click, searches with
 * matched %, and resets; less than 6 KB of script, no network.  Names are data: everything is
 * escaped, and characters that XML cannot hold become U+FFFD.
 */
#ifndef FORMAT_SVG_H
#define FORMAT_SVG_H

#include "base/buf.h"
#include "base/err.h"
#include "format/format.h"

/* What is narrower than a tenth of a pixel is drawn merged, and what is past this many boxes. */
#define SVG_MAX_BOXES 16384

/* ERR_LIMIT when `out` is full. */
int svg_write(const struct format_output *output, struct buf *out, struct err *err) nodiscard;

#endif
