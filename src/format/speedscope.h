/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speedscope's own JSON (https://www.speedscope.app/file-format-schema.json), its "sampled" profiles.
 *
 * Where the samples are known in their order (format_output.timed) there is one profile per thread with
 * one entry per sample, as py-spy writes it; else one profile with one entry per stack.  Markers stay
 * frames.  The member "valueType" beside "unit" is ours ("cpu", "wall"); speedscope ignores it.
 *
 * The reader takes sampled and evented profiles, adds all of a file up, and keeps names, files and
 * lines.  Times are read into nanoseconds.
 */
#ifndef FORMAT_SPEEDSCOPE_H
#define FORMAT_SPEEDSCOPE_H

#include "format/format.h"

int speedscope_write(const struct format_output *output, struct buf *out,
		     struct err *err) nodiscard;
int speedscope_read(const void *data, size_t len, const struct format_limits *limits,
		    struct profile *into, struct err *err) nodiscard;

#endif
