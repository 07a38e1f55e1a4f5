/* SPDX-License-Identifier: Apache-2.0 */
#include "server/flamebearer_json.h"

#include <string.h>

#include "base/clock.h"

#define COUNTED_HZ 100 /* what clients take a count to be sampled with */

static void write_levels(struct json_writer *json, const struct flamebearer *flame,
			 struct arena *arena)
{
	int64_t *numbers =
		arena_array(arena, (size_t)flame->flame.n * FLAMEBEARER_NUMBERS, sizeof(*numbers));
	size_t n;

	json_key(json, "levels");
	json_array(json);
	for (uint32_t box = 0; box < flame->flame.n;) {
		box = flamebearer_level(flame, box, numbers, &n);
		json_array(json);
		for (size_t i = 0; i < n; i++)
			json_int(json, numbers[i]);
		json_end(json);
	}
	json_end(json);
}

static void write_flame(struct json_writer *json, const struct flamebearer *flame,
			struct arena *arena)
{
	json_key(json, "flamebearer");
	json_object(json);
	json_key(json, "names");
	json_array(json);
	for (uint32_t i = 0; i < flame->n_names; i++)
		json_cstr(json, flame->names[i]);
	json_end(json);
	write_levels(json, flame, arena);
	json_member_int(json, "numTicks", flame->total[0] + flame->total[1]);
	json_member_int(json, "maxSelf", flame->max_self);
	json_end(json);
}

static const char *units_of(const char *type, const char *unit)
{
	if (strcmp(unit, "bytes") == 0)
		return "bytes";
	if (strcmp(unit, "nanoseconds") == 0)
		return strcmp(type, "delay") == 0 ? "lock_nanoseconds" : "samples";
	if (strcmp(type, "contentions") == 0)
		return "lock_samples";
	return strcmp(unit, "count") == 0 ? "objects" : "samples";
}

static void write_metadata(struct json_writer *json, const struct profile *profile, bool is_double)
{
	const char *type = "", *unit = "";

	if (profile->n_columns) {
		type = names_text(profile->names, profile->columns[0].type.type, NULL);
		unit = names_text(profile->names, profile->columns[0].type.unit, NULL);
	}
	json_key(json, "metadata");
	json_object(json);
	json_member_str(json, "format", is_double ? "double" : "single");
	json_member_str(json, "spyName", "");
	json_member_int(json, "sampleRate",
			strcmp(unit, "nanoseconds") == 0 ? NS_PER_S : COUNTED_HZ);
	json_member_str(json, "units", units_of(type, unit));
	json_member_str(json, "name", type);
	json_end(json);
}

void flamebearer_json_begin(struct flamebearer_json *out, struct buf *text, struct arena *arena)
{
	json_writer_init(&out->json, text, JSON_ESCAPE_MARKUP);
	json_object(&out->json);
	json_member_int(&out->json, "version", 1);
	write_flame(&out->json, out->flame, arena);
	write_metadata(&out->json, out->profile, out->flame->is_double);
}

void flamebearer_json_end(struct flamebearer_json *out)
{
	json_key(&out->json, "heatmap");
	json_null(&out->json);
	if (out->flame->is_double) {
		json_member_int(&out->json, "leftTicks", out->flame->total[0]);
		json_member_int(&out->json, "rightTicks", out->flame->total[1]);
	}
	json_end(&out->json);
}

void flamebearer_json_whole(struct flamebearer_json *out, struct buf *text, struct arena *arena)
{
	flamebearer_json_begin(out, text, arena);
	json_key(&out->json, "timeline");
	json_null(&out->json);
	json_key(&out->json, "groups");
	json_null(&out->json);
	flamebearer_json_end(out);
}
