/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 as gzip, zip and PNG have it.  Guards against accidents, not against people. */
#ifndef CODEC_CRC_H
#define CODEC_CRC_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Go on from `crc` (0 at the start). */
uint32_t crc32_of(uint32_t crc, const void *data, size_t len) nodiscard;

#endif
