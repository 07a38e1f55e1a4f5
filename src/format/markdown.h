/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A summary as Markdown, to paste into an issue, a chat or a prompt: what was recorded, the functions with the most time
 * of their own and in all, the hottest stacks.  Numbers are of the whole profile; how many rows there would be is
 * said.  Names are data: what Markdown or HTML would take for its own is escaped.
 */
#ifndef FORMAT_MARKDOWN_H
#define FORMAT_MARKDOWN_H

#include "format/format.h"

int markdown_write(const struct format_output *output, struct buf *out, struct err *err) nodiscard;

#endif
