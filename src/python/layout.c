/* SPDX-License-Identifier: Apache-2.0 */
#include "python/layout.h"

#include "python/gen/layouts.h"

static const struct layout *find(uint16_t version, uint8_t micro, bool is_free_threaded)
{
	const struct layout *found = NULL;

	for (size_t i = 0; i < array_len(layouts); i++)
		if (layouts[i].version == version && layouts[i].micro_from <= micro &&
		    layouts[i].is_free_threaded == is_free_threaded)
			found = &layouts[i];
	return found;
}

const struct layout *layout_find_micro(uint16_t version, uint8_t micro)
{
	return find(version, micro, false);
}

const struct layout *layout_find_free_threaded(uint16_t version)
{
	return find(version, UINT8_MAX, true);
}

const struct layout *layout_find(uint16_t version)
{
	return layout_find_micro(version, UINT8_MAX);
}

const char *layout_known(void)
{
	return "2.7, 3.6-3.15";
}
