/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "codec/json_private.h"

void json_walk_init(struct json_walk *walk, const char *language, const struct json_limits *limits,
		    json_event_fn *on_event, void *ctx, struct err *err)
{
	walk->language = language;
	walk->on_event = on_event;
	walk->ctx = ctx;
	walk->err = err;
	walk->code = 0;
	walk->max_depth = min_of(limits->max_depth, (uint32_t)JSON_MAX_DEPTH);
	walk->depth = 0;
	walk->levels[0] = (struct json_level){0};
	walk->path[0] = '\0';
}

static void path_cut(struct json_walk *walk, size_t len)
{
	walk->path[len] = '\0';
}

/* Back to the place of the level's next member. */
static void path_next(struct json_walk *walk)
{
	const struct json_level *level = &walk->levels[walk->depth];

	path_cut(walk, level->path_len + (level->is_array ? 2u : 0u));
}

static bool emit(struct json_walk *walk, struct json_event event)
{
	event.path = walk->path;
	walk->code = walk->on_event(walk->ctx, &event, walk->err);
	return walk->code >= 0;
}

bool json_walk_value(struct json_walk *walk, struct json_event event)
{
	bool go_on = emit(walk, event);

	path_next(walk);
	return go_on;
}

void json_walk_key(struct json_walk *walk, const char *text, size_t len)
{
	size_t at = walk->levels[walk->depth].path_len;
	bool is_plain = len && len <= JSON_MAX_KEY_BYTES;

	for (size_t i = 0; is_plain && i < len; i++)
		is_plain = text[i] && !strchr(".[]", text[i]);
	if (!is_plain) {
		text = "?";
		len = 1;
	}
	if (at)
		walk->path[at++] = '.';
	memcpy(walk->path + at, text, len);
	path_cut(walk, at + len);
}

bool json_walk_open(struct json_walk *walk, bool is_array)
{
	struct json_level *level;

	if (walk->depth >= walk->max_depth) {
		walk->code = err_set(walk->err, ERR_LIMIT, "%s is nested deeper than %u levels",
				     walk->language, walk->max_depth);
		return false;
	}
	if (!emit(walk,
		  (struct json_event){.kind = is_array ? JSON_ARRAY_BEGIN : JSON_OBJECT_BEGIN}))
		return false;
	level = &walk->levels[++walk->depth];
	*level = (struct json_level){(uint16_t)strlen(walk->path), is_array};
	if (is_array)
		memcpy(walk->path + level->path_len, "[]", 3);
	return true;
}

bool json_walk_close(struct json_walk *walk)
{
	const struct json_level *level = &walk->levels[walk->depth--];

	path_cut(walk, level->path_len);
	return json_walk_value(
		walk,
		(struct json_event){.kind = level->is_array ? JSON_ARRAY_END : JSON_OBJECT_END});
}
