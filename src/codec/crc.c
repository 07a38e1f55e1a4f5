/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/crc.h"

#include <libdeflate.h>

uint32_t crc32_of(uint32_t crc, const void *data, size_t len)
{
	return libdeflate_crc32(crc, data, len);
}
