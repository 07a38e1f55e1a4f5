/* SPDX-License-Identifier: Apache-2.0 */
#include "python/layout.h"

#include "python/gen/layouts.h"

const struct layout *layout_find_micro(uint16_t version, uint8_t micro)
{
	const struct layout *found = NULL;

	for (size_t i = 0; i < array_len(layouts); i++)
		if (layouts[i].version == version && layouts[i].micro_from <= micro)
			found = &layouts[i];
	return found;
}

const struct layout *layout_find(uint16_t version)
{
	return layout_find_micro(version, UINT8_MAX);
}

const char *layout_known(void)
{
	return "2.7, 3.6-3.13";
}
