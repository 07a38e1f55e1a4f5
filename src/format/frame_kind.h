/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of code a file holds, for formats that do not say. */
#ifndef FORMAT_FRAME_KIND_H
#define FORMAT_FRAME_KIND_H

#include "profile/names.h"

/*
 * By the ending: ".py" and "<frozen …>" are Python, ".c", ".rs", ".so.6" and their like native, all else
 * FRAME_OTHER.
 */
enum frame_kind frame_kind_of_file(const char *file);

#endif
