/* SPDX-License-Identifier: Apache-2.0 */
/* yajl pushes; this hands what it says to the walk, which makes events of it. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/cleanup.h"
#include "codec/json_private.h"

#define NUMBER_MAX_BYTES 64

static void parser_free(yajl_handle *parser)
{
	if (*parser)
		yajl_free(*parser);
}

static int on_null(void *ctx)
{
	return json_walk_value(ctx, (struct json_event){.kind = JSON_NULL});
}

static int on_bool(void *ctx, int truth)
{
	return json_walk_value(ctx, (struct json_event){.kind = JSON_BOOL, .truth = truth != 0});
}

static int on_number(void *ctx, const char *text, size_t len)
{
	return json_walk_value(ctx,
			       (struct json_event){.kind = JSON_NUMBER, .text = text, .len = len});
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
	return json_walk_value(
		ctx,
		(struct json_event){.kind = JSON_STRING, .text = (const char *)text, .len = len});
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
	json_walk_key(ctx, (const char *)text, len);
	return 1;
}

static int on_object(void *ctx)
{
	return json_walk_open(ctx, false);
}

static int on_array(void *ctx)
{
	return json_walk_open(ctx, true);
}

static int on_end(void *ctx)
{
	return json_walk_close(ctx);
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
	struct json_walk walk;
	cleanup(parser_free) yajl_handle parser = NULL;
	yajl_status status;

	if (len > limits->max_bytes)
		return err_set(err, ERR_LIMIT, "the JSON text has %zu bytes, the limit is %zu", len,
			       limits->max_bytes);
	json_walk_init(&walk, "JSON", limits, on_event, ctx, err);
	parser = yajl_alloc(&callbacks, NULL, &walk);
	if (!parser)
		abort();
	yajl_config(parser, yajl_dont_validate_strings, 1);
	status = yajl_parse(parser, data, len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(parser);
	if (walk.code < 0)
		return walk.code;
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
