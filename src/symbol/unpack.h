/* SPDX-License-Identifier: Apache-2.0 */
/* What is packed with xz (.gnu_debugdata): the one place that knows liblzma. */
#ifndef SYMBOL_UNPACK_H
#define SYMBOL_UNPACK_H

#include <stddef.h>

#include "base/compiler.h"

#define UNPACK_MAX_BYTES (128u << 20)
#define UNPACK_MEMORY_BYTES (64u << 20) /* dictionaries; `xz -9` needs 65 MB, these sections 8 */

/*
 * A descriptor of an unnamed file with the unpacked bytes, at most UNPACK_MAX_BYTES; negative when they are
 * damaged, too many, or liblzma is not part of this build.
 */
int unpack_xz(const void *packed, size_t len) nodiscard;

#endif
