/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as YAML: what was read, written as JSON, is read to the same events. */
#include "fuzz.h"

#include "codec/yaml.h"
#include "json_copy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_copy_judge(yaml_read, data, size);
	return 0;
}
