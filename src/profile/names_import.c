/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of one table in another.  Looking one up is three loads, each of which waits for the one before: slot, entry,
 * what the entry names.  In a dictionary of a busy service none of them is at hand, so many names are looked up in step.
 */
#include <stdlib.h>

#include "base/vec.h"
#include "profile/names_private.h"

#define IN_STEP 32

struct pending {
	uint32_t id; /* of the source */
	struct frame frame;
	uint64_t func, hash;
};

static void map_cover(struct names_map *map, const struct names *source)
{
	map->frames = vec_grow(map->frames, &map->cap, source->n_frames, sizeof(*map->frames));
	map->strings =
		vec_grow(map->strings, &map->strings_cap, source->n_strings, sizeof(*map->strings));
}

static struct str_id string_import(struct names *names, struct names_map *map,
				   const struct names *source, struct str_id id)
{
	uint32_t *known = &map->strings[id.v];

	if (!*known)
		*known = names_intern_text(names, &source->strings[id.v]).v + 1;
	return (struct str_id){*known - 1};
}

static struct frame frame_translate(struct names *names, struct names_map *map,
				    const struct names *source, const struct frame *from)
{
	struct frame frame = *from;

	frame.name = string_import(names, map, source, from->name);
	frame.qualname = string_import(names, map, source, from->qualname);
	frame.file = string_import(names, map, source, from->file);
	frame.module = string_import(names, map, source, from->module);
	frame.build_id = string_import(names, map, source, from->build_id);
	return frame;
}

struct frame_id names_import_new(struct names *names, struct names_map *map,
				 const struct names *source, struct frame_id id)
{
	struct frame frame;

	if (names == source)
		return id;
	map_cover(map, source);
	frame = frame_translate(names, map, source, names_frame_get(source, id));
	id.v = (map->frames[id.v] = names_frame(names, &frame).v + 1) - 1;
	return id;
}

static void expect_text(const struct names *names, const struct names_map *map,
			const struct names *source, struct str_id id)
{
	if (!map->strings[id.v])
		__builtin_prefetch(idtab_slot(&names->string_tab, source->strings[id.v].hash));
}

static void import_in_step(struct names *names, struct names_map *map, const struct names *source,
			   struct pending *pending, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct frame *frame = &source->frames[pending[i].id];

		expect_text(names, map, source, frame->name);
		expect_text(names, map, source, frame->file);
	}
	for (size_t i = 0; i < n; i++) {
		struct pending *at = &pending[i];

		at->frame = frame_translate(names, map, source, &source->frames[at->id]);
		at->func = func_hash(names->seed, &at->frame);
		at->hash = frame_hash(names->seed, at->func, &at->frame);
		__builtin_prefetch(idtab_slot(&names->frame_tab, at->hash));
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t place = idtab_slot(&names->frame_tab, pending[i].hash)->place;

		if (place)
			__builtin_prefetch(&names->frames[place - 1]);
	}
	for (size_t i = 0; i < n; i++)
		map->frames[pending[i].id] =
			names_intern_frame(names, &pending[i].frame, pending[i].func,
					   pending[i].hash, true)
				.v +
			1;
}

void names_import_used(struct names *names, struct names_map *map, const struct names *source,
		       const uint8_t *is_used)
{
	struct pending pending[IN_STEP];
	size_t n = 0;

	if (names == source)
		return;
	map_cover(map, source);
	for (uint32_t id = 0; id < source->n_frames; id++) {
		if (!is_used[id] || map->frames[id])
			continue;
		pending[n++].id = id;
		if (n == IN_STEP) {
			import_in_step(names, map, source, pending, n);
			n = 0;
		}
	}
	import_in_step(names, map, source, pending, n);
}

void names_map_done(struct names_map *map)
{
	free(map->frames);
	free(map->strings);
	*map = (struct names_map){0};
}
