/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What parsers of documents share: values and levels on their way to events with a path.
 *
 * The path lives in one bounded text.  Each open level remembers where its part begins: an object's
 * members append their key there, an array appends "[]" once.  Depth and the length of a key are
 * limited, so the text cannot overflow.
 */
#ifndef CODEC_JSON_PRIVATE_H
#define CODEC_JSON_PRIVATE_H

#include "codec/json.h"

#define JSON_PATH_LEVEL_BYTES (JSON_MAX_KEY_BYTES + 1) /* key and dot */

struct json_level {
	uint16_t path_len; /* of the path of the level itself */
	bool is_array;
};

struct json_walk {
	const char *language; /* for messages */
	json_event_fn *on_event;
	void *ctx;
	struct err *err;
	int code; /* why the walk stopped; 0: it did not, or for the parser's own reason */
	uint32_t max_depth;
	uint32_t depth;
	struct json_level levels[JSON_MAX_DEPTH + 1];
	char path[(JSON_MAX_DEPTH + 1) * JSON_PATH_LEVEL_BYTES];
};

void json_walk_init(struct json_walk *walk, const char *language, const struct json_limits *limits,
		    json_event_fn *on_event, void *ctx, struct err *err);
/* False: stop, walk->code says why. */
bool json_walk_value(struct json_walk *walk, struct json_event event) nodiscard;
bool json_walk_open(struct json_walk *walk, bool is_array) nodiscard;
bool json_walk_close(struct json_walk *walk) nodiscard;
/* The key of the member that comes next. */
void json_walk_key(struct json_walk *walk, const char *text, size_t len);

#endif
