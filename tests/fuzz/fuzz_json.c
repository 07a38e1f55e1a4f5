/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON: what was read, written again, is read to the same events. */
#include "fuzz.h"

#include "json_copy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_copy_judge(json_read, data, size);
	return 0;
}
