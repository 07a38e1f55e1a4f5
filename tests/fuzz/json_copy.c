/* SPDX-License-Identifier: Apache-2.0 */
#include "json_copy.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json.h"

#define MAX_BYTES ((size_t)1 << 16)
#define MAX_DEPTH 20

/* The document again, with every key "k": what the writer makes of it must be JSON. */
struct copy {
	struct json_writer json;
	bool is_object[MAX_DEPTH + 1];
	uint32_t depth;
	uint64_t n_events;
};

static void begin_member(struct copy *copy)
{
	if (copy->depth && copy->is_object[copy->depth])
		json_key(&copy->json, "k");
}

static void open_level(struct copy *copy, bool is_object)
{
	begin_member(copy);
	if (is_object)
		json_object(&copy->json);
	else
		json_array(&copy->json);
	copy->is_object[++copy->depth] = is_object;
}

static void put_value(struct copy *copy, const struct json_event *event)
{
	int64_t whole;
	double real;

	begin_member(copy);
	if (event->kind == JSON_STRING)
		json_str(&copy->json, event->text, event->len);
	else if (json_event_int(event, &whole) == 0)
		json_int(&copy->json, whole);
	else if (json_event_double(event, &real) == 0)
		json_double(&copy->json, real);
	else
		json_bool(&copy->json, event->truth);
}

static int on_event(void *ctx, const struct json_event *event, struct err *err)
{
	struct copy *copy = ctx;

	(void)err;
	if (!event->path || strlen(event->path) > (MAX_DEPTH + 1) * (JSON_MAX_KEY_BYTES + 3))
		abort();
	copy->n_events++;
	switch (event->kind) {
	case JSON_OBJECT_BEGIN:
	case JSON_ARRAY_BEGIN:
		open_level(copy, event->kind == JSON_OBJECT_BEGIN);
		break;
	case JSON_OBJECT_END:
	case JSON_ARRAY_END:
		json_end(&copy->json);
		copy->depth--;
		break;
	default:
		put_value(copy, event);
	}
	return 0;
}

void json_copy_judge(json_copy_reader *read, const uint8_t *data, size_t size)
{
	struct json_limits limits = {.max_bytes = MAX_BYTES, .max_depth = MAX_DEPTH};
	struct copy first = {0}, second = {0};
	struct buf out, again;

	buf_init(&out, 16 * MAX_BYTES);
	buf_init(&again, 16 * MAX_BYTES);
	json_writer_init(&first.json, &out, JSON_ESCAPE_MARKUP);
	json_writer_init(&second.json, &again, 0);
	/* An empty YAML document has no event, and so no JSON. */
	if (read(data, size, &limits, on_event, &first, NULL) == 0 && first.n_events) {
		limits.max_bytes = 16 * MAX_BYTES;
		if (json_read(out.data, out.len, &limits, on_event, &second, NULL) < 0 ||
		    first.n_events != second.n_events)
			abort();
	}
	buf_done(&out);
	buf_done(&again);
}
