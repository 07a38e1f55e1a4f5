/* SPDX-License-Identifier: Apache-2.0 */
#include "python/layout.h"

#include "python/gen/layouts.h"

const struct layout *layout_find(uint16_t version)
{
	for (size_t i = 0; i < array_len(layouts); i++)
		if (layouts[i].version == version)
			return &layouts[i];
	return NULL;
}

const char *layout_known(void)
{
	return "3.8-3.13";
}
