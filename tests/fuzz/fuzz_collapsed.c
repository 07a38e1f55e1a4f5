/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an upload of this format. */
#include "fuzz.h"

#include "format_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_format("raw", data, size);
	return 0;
}
