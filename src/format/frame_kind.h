/* SPDX-License-Identifier: Apache-2.0 */
/* What formats that know a name, a file and a line say about the kind of code, and the other way round. */
#ifndef FORMAT_FRAME_KIND_H
#define FORMAT_FRAME_KIND_H

#include "profile/names.h"

#define FRAME_KERNEL_PLACE "[kernel]" /* in the place of a file, for kernel functions */

/*
 * By the ending: ".py" and "<frozen …>" are Python, ".c", ".rs", ".so.6" and their like native, all else
 * FRAME_OTHER.
 */
enum frame_kind frame_kind_of_file(const char *file);

/*
 * The frame of a name and a place (a file, a library, or "").  Names in brackets and those of
 * format/marker.h without a place are markers; a library without a line is the module.
 */
struct frame_id frame_of_place(struct names *names, const char *name, const char *place,
			       uint32_t line, uint32_t column);
/* The place of a frame: its file, else its module; FRAME_KERNEL_PLACE for the kernel. */
const char *frame_place(const struct names *names, const struct frame *frame);

#endif
