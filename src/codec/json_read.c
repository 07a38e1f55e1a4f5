/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yajl pushes; this turns its callbacks into events with a path.
 *
 * The path lives in one bounded text.  Each open level remembers where its part begins: an object's
 * members append their key there, an array appends "[]" once.  Depth and the length of a key are
 * limited, so the text cannot overflow.
 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/cleanup.h"
#include "codec/json.h"

#define PATH_LEVEL_BYTES (JSON_MAX_KEY_BYTES + 1) /* key and dot */
#define NUMBER_MAX_BYTES 64

struct level {
	uint16_t path_len; /* of the path of the level itself */
	bool is_array;
};

struct reader {
	json_event_fn *on_event;
	void *ctx;
	struct err *err;
	int code; /* why the reader stopped; 0: it did not, or for yajl's own reason */
	uint32_t max_depth;
	uint32_t depth;
	struct level levels[JSON_MAX_DEPTH + 1];
	char path[(JSON_MAX_DEPTH + 1) * PATH_LEVEL_BYTES];
};

static void parser_free(yajl_handle *parser)
{
	if (*parser)
		yajl_free(*parser);
}

static void path_cut(struct reader *reader, size_t len)
{
	reader->path[len] = '\0';
}

/* Back to the place of the level's next member. */
static void path_next(struct reader *reader)
{
	const struct level *level = &reader->levels[reader->depth];

	path_cut(reader, level->path_len + (level->is_array ? 2u : 0u));
}

static int emit(struct reader *reader, struct json_event event)
{
	event.path = reader->path;
	reader->code = reader->on_event(reader->ctx, &event, reader->err);
	return reader->code >= 0;
}

static int emit_value(struct reader *reader, struct json_event event)
{
	int go_on = emit(reader, event);

	path_next(reader);
	return go_on;
}

static int on_null(void *ctx)
{
	return emit_value(ctx, (struct json_event){.kind = JSON_NULL});
}

static int on_bool(void *ctx, int truth)
{
	return emit_value(ctx, (struct json_event){.kind = JSON_BOOL, .truth = truth != 0});
}

static int on_number(void *ctx, const char *text, size_t len)
{
	return emit_value(ctx, (struct json_event){.kind = JSON_NUMBER, .text = text, .len = len});
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
	struct json_event event = {.kind = JSON_STRING, .text = (const char *)text, .len = len};

	return emit_value(ctx, event);
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
	struct reader *reader = ctx;
	size_t at = reader->levels[reader->depth].path_len;
	bool is_plain = len && len <= JSON_MAX_KEY_BYTES;

	for (size_t i = 0; is_plain && i < len; i++)
		is_plain = text[i] && !strchr(".[]", text[i]);
	if (!is_plain) {
		text = (const unsigned char *)"?";
		len = 1;
	}
	if (at)
		reader->path[at++] = '.';
	memcpy(reader->path + at, text, len);
	path_cut(reader, at + len);
	return 1;
}

static int open_level(struct reader *reader, bool is_array)
{
	struct level *level;

	if (reader->depth >= reader->max_depth) {
		reader->code = err_set(reader->err, ERR_LIMIT,
				       "JSON is nested deeper than %u levels", reader->max_depth);
		return 0;
	}
	if (!emit(reader,
		  (struct json_event){.kind = is_array ? JSON_ARRAY_BEGIN : JSON_OBJECT_BEGIN}))
		return 0;
	level = &reader->levels[++reader->depth];
	*level = (struct level){(uint16_t)strlen(reader->path), is_array};
	if (is_array)
		memcpy(reader->path + level->path_len, "[]", 3);
	return 1;
}

static int close_level(struct reader *reader)
{
	const struct level *level = &reader->levels[reader->depth--];

	path_cut(reader, level->path_len);
	return emit_value(reader, (struct json_event){.kind = level->is_array ? JSON_ARRAY_END
									      : JSON_OBJECT_END});
}

static int on_object(void *ctx)
{
	return open_level(ctx, false);
}

static int on_array(void *ctx)
{
	return open_level(ctx, true);
}

static int on_end(void *ctx)
{
	return close_level(ctx);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_map_key = on_key,
	.yajl_start_map = on_object,
	.yajl_end_map = on_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_end,
};

static int syntax_error(yajl_handle parser, const unsigned char *data, size_t len, struct err *err)
{
	size_t at = min_of(yajl_get_bytes_consumed(parser), len), line = 1;

	for (size_t i = 0; i < at; i++)
		line += data[i] == '\n';
	return err_set(err, ERR_CORRUPT, "not valid JSON near line %zu (byte %zu)", line, at);
}

int json_read(const void *data, size_t len, const struct json_limits *limits,
	      json_event_fn *on_event, void *ctx, struct err *err)
{
	struct reader reader = {
		.on_event = on_event,
		.ctx = ctx,
		.err = err,
		.max_depth = min_of(limits->max_depth, (uint32_t)JSON_MAX_DEPTH),
	};
	cleanup(parser_free) yajl_handle parser = NULL;
	yajl_status status;

	if (len > limits->max_bytes)
		return err_set(err, ERR_LIMIT, "the JSON text has %zu bytes, the limit is %zu", len,
			       limits->max_bytes);
	parser = yajl_alloc(&callbacks, NULL, &reader);
	if (!parser)
		abort();
	yajl_config(parser, yajl_dont_validate_strings, 1);
	status = yajl_parse(parser, data, len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(parser);
	if (reader.code < 0)
		return reader.code;
	return status == yajl_status_ok ? 0 : syntax_error(parser, data, len, err);
}

bool json_event_is(const struct json_event *event, const char *text)
{
	return event->kind == JSON_STRING && strlen(text) == event->len &&
	       memcmp(event->text, text, event->len) == 0;
}

/* A terminated copy of the digits; false for what is no number, or too long to be one of ours. */
static bool number_text(const struct json_event *event, char text[NUMBER_MAX_BYTES])
{
	if (event->kind != JSON_NUMBER && event->kind != JSON_STRING)
		return false;
	if (!event->len || event->len >= NUMBER_MAX_BYTES)
		return false;
	memcpy(text, event->text, event->len);
	text[event->len] = '\0';
	return strspn(text, "0123456789+-.eE") == event->len;
}

int json_event_double(const struct json_event *event, double *ret_value)
{
	char text[NUMBER_MAX_BYTES], *end;
	double value;

	if (!number_text(event, text))
		return ERR_CORRUPT;
	value = strtod(text, &end);
	if (*end || !isfinite(value))
		return ERR_CORRUPT;
	*ret_value = value;
	return 0;
}

int json_event_int(const struct json_event *event, int64_t *ret_value)
{
	char text[NUMBER_MAX_BYTES], *end;
	long long value;
	double real;

	if (!number_text(event, text))
		return ERR_CORRUPT;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (*end && json_event_double(event, &real) == 0 && real == floor(real) &&
	    fabs(real) < 9e18) {
		*ret_value = (int64_t)real;
		return 0;
	}
	if (*end || errno == ERANGE)
		return ERR_CORRUPT;
	*ret_value = value;
	return 0;
}
