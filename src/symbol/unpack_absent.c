/* SPDX-License-Identifier: Apache-2.0 */
/* For builds without liblzma. */
#include "base/err.h"
#include "symbol/unpack.h"

int unpack_xz(const void *packed, size_t len)
{
	(void)packed;
	(void)len;
	return ERR_UNSUPPORTED;
}
