/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks as plain JSON, for scripts: one object, nothing nested in itself, exact integers.
 *
 *	{"title":…,"subtitle":…,"type":"cpu","unit":"nanoseconds","total":91,
 *	 "frames":[{"name":"work","qualname":"","file":"/srv/app.py","module":"","line":31,"first_line":30,
 *	            "kind":"python"},…],
 *	 "stacks":[[0,1],…],"values":[68,…]}
 *
 * Frames of a stack are indexes, outermost first; values[i] is what stacks[i] had on top.
 */
#ifndef FORMAT_STACKS_JSON_H
#define FORMAT_STACKS_JSON_H

#include "format/format.h"

int stacks_json_write(const struct format_output *output, struct buf *out,
		      struct err *err) nodiscard;

#endif
