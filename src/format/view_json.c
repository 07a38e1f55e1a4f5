/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the answers: frames, the flame graph, facts. */
#include <stdlib.h>

#include "base/vec.h"
#include "format/view_private.h"

static void u32_member(struct json_writer *json, const char *key, const uint32_t *values, size_t n)
{
	json_key(json, key);
	json_uints(json, values, n);
}

static void i64_member(struct json_writer *json, const char *key, const int64_t *values, size_t n)
{
	json_key(json, key);
	json_ints(json, values, n);
}

/* ---- frames ---- */

void view_frames_init(struct view_frames *frames, struct names *names)
{
	*frames = (struct view_frames){.names = names};
	(void)view_frames_add(frames, (struct frame_id){0});
}

void view_frames_done(struct view_frames *frames)
{
	map64_done(&frames->index);
	free(frames->frames);
}

uint32_t view_frames_add(struct view_frames *frames, struct frame_id frame)
{
	bool is_new;
	uint32_t *number = map64_put(&frames->index, frame.v, &is_new);

	if (is_new) {
		frames->frames = vec_grow(frames->frames, &frames->frames_cap,
					  frames->n_frames + 1u, sizeof(*frames->frames));
		frames->frames[frames->n_frames] = frame;
		*number = frames->n_frames++;
	}
	return *number;
}

/* Texts are numbered in the order of first use, behind "" and "all". */
struct strings {
	struct map64 index; /* string id -> number */
	struct json_writer *json;
	const struct names *names;
	uint32_t n;
};

enum { STRING_EMPTY, STRING_ALL, STRING_FIRST };

static void string_write(struct strings *strings, struct str_id id)
{
	uint32_t *number;
	bool is_new;
	size_t len;
	const char *text;

	if (!id.v)
		return;
	number = map64_put(&strings->index, id.v, &is_new);
	if (!is_new)
		return;
	*number = strings->n++;
	text = names_text(strings->names, id, &len);
	json_str(strings->json, text, len);
}

static uint32_t string_number(const struct strings *strings, struct str_id id)
{
	return id.v ? *map64_get(&strings->index, id.v) : STRING_EMPTY;
}

static void strings_write(struct strings *strings, const struct view_frames *frames)
{
	json_key(strings->json, "strings");
	json_array(strings->json);
	json_cstr(strings->json, "");
	json_cstr(strings->json, "all");
	strings->n = STRING_FIRST;
	for (uint32_t i = 0; i < frames->n_frames; i++) {
		const struct frame *frame = names_frame_get(frames->names, frames->frames[i]);

		string_write(strings, frame->name);
		string_write(strings, frame->qualname);
		string_write(strings, frame->file);
		string_write(strings, frame->module);
	}
	json_end(strings->json);
}

enum column { COL_NAME, COL_QUALNAME, COL_FILE, COL_MODULE, COL_LINE, COL_FIRST_LINE };

static uint32_t frame_column(const struct strings *strings, const struct frame *frame,
			     enum column column)
{
	switch (column) {
	case COL_NAME:
		return string_number(strings, frame->name);
	case COL_QUALNAME:
		return string_number(strings, frame->qualname);
	case COL_FILE:
		return string_number(strings, frame->file);
	case COL_MODULE:
		return string_number(strings, frame->module);
	case COL_LINE:
		return frame->line;
	case COL_FIRST_LINE:
		return frame->first_line;
	}
	return 0;
}

static void columns_write(const struct view_frames *frames, const struct strings *strings,
			  struct json_writer *json)
{
	static const char *const keys[] = {
		[COL_NAME] = "name", [COL_QUALNAME] = "qualname",
		[COL_FILE] = "file", [COL_MODULE] = "module",
		[COL_LINE] = "line", [COL_FIRST_LINE] = "first_line",
	};

	for (size_t column = 0; column < array_len(keys); column++) {
		json_key(json, keys[column]);
		json_array(json);
		for (uint32_t i = 0; i < frames->n_frames; i++) {
			const struct frame *frame =
				names_frame_get(frames->names, frames->frames[i]);
			uint32_t value = frame_column(strings, frame, (enum column)column);

			/* The root has no name of its own. */
			json_uint(json, !i && column == COL_NAME ? STRING_ALL : value);
		}
		json_end(json);
	}
}

void view_frames_write(const struct view_frames *frames, struct json_writer *json)
{
	struct strings strings = {.json = json, .names = frames->names};

	strings_write(&strings, frames);
	json_key(json, "frames");
	json_object(json);
	columns_write(frames, &strings, json);
	json_key(json, "kind");
	json_array(json);
	for (uint32_t i = 0; i < frames->n_frames; i++)
		json_cstr(json,
			  view_kind_name(i ? names_frame_get(frames->names, frames->frames[i])->kind
					   : FRAME_MARKER));
	json_end(json);
	json_key(json, "key");
	json_array(json);
	for (uint32_t i = 0; i < frames->n_frames; i++)
		json_cstr(json, view_key_of(frames->names, frames->frames[i]).text);
	json_end(json);
	json_end(json);
	map64_done(&strings.index);
}

int view_out_check(const struct buf *out, struct err *err)
{
	if (!out->overflow)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "the answer is larger than %zu bytes: ask for fewer nodes or rows",
		       out->ceiling);
}

static void text_member(const struct names *names, const char *key, struct str_id id,
			struct json_writer *json)
{
	size_t len;
	const char *text = names_text(names, id, &len);

	json_key(json, key);
	json_str(json, text, len);
}

void view_func_write(const struct names *names, struct func_id func, struct json_writer *json)
{
	const struct frame *frame = names_func_get(names, func);

	text_member(names, "name", frame->name, json);
	text_member(names, "qualname", frame->qualname, json);
	text_member(names, "file", frame->file, json);
	json_member_uint(json, "first_line", frame->first_line);
	json_member_str(json, "kind", view_kind_name(frame->kind));
	json_member_str(json, "key", view_key_of_func(names, func).text);
}

/* ---- the flame graph ---- */

void view_flame_write(const struct flame *flame, struct view_frames *frames,
		      struct json_writer *json)
{
	uint32_t *numbers = xcalloc(flame->n, sizeof(*numbers));

	json_key(json, "flame");
	json_object(json);
	for (uint32_t i = 0; i < flame->n; i++)
		numbers[i] = view_frames_add(frames, (struct frame_id){flame->frame[i]});
	u32_member(json, "frame", numbers, flame->n);
	u32_member(json, "parent", flame->parent, flame->n);
	i64_member(json, "total", flame->total, flame->n);
	i64_member(json, "self", flame->self, flame->n);
	if (flame->total_b) {
		i64_member(json, "total_b", flame->total_b, flame->n);
		i64_member(json, "self_b", flame->self_b, flame->n);
		i64_member(json, "width", flame->width, flame->n);
	}
	i64_member(json, "x", flame->x, flame->n);
	for (uint32_t i = 0; i < flame->n; i++)
		numbers[i] = flame->depth[i];
	u32_member(json, "depth", numbers, flame->n);
	free(numbers);
	u32_member(json, "merged", flame->merged, flame->n);
	json_member_uint(json, "tree_nodes", flame->tree_nodes);
	json_member_int(json, "merged_total", flame->merged_total);
	json_member_bool(json, "root_found", flame->root_found);
	json_end(json);
}

void view_facts_write(const struct view_facts *facts, struct json_writer *json)
{
	json_member_int(json, "covered_ms", facts->covered_ms);
	json_member_int(json, "wall_ms", facts->wall_ms);
	json_member_uint(json, "series", facts->series);
	json_member_bool(json, "is_partial", facts->is_partial);
	json_key(json, "missing");
	json_array(json);
	for (size_t i = 0; i < facts->n_missing; i++) {
		json_object(json);
		json_member_int(json, "from", facts->missing[i].from_ms);
		json_member_int(json, "until", facts->missing[i].until_ms);
		json_end(json);
	}
	json_end(json);
}
