/* SPDX-License-Identifier: Apache-2.0 */
#include "view_scene.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json.h"

/* ---- reading answers ---- */

static int value_take(void *ctx, const struct json_event *event, struct err *err)
{
	struct values *values = ctx;
	size_t i = values->n;

	(void)err;
	if (strcmp(event->path, values->path) != 0)
		return 0;
	switch (event->kind) {
	case JSON_NUMBER:
		assert_int_equal(json_event_int(event, &values->ints[i]), 0);
		break;
	case JSON_STRING:
		values->texts[i] = strndup(event->text, event->len);
		break;
	case JSON_BOOL:
		values->ints[i] = event->truth;
		break;
	case JSON_NULL:
		values->ints[i] = -1;
		break;
	default:
		return 0;
	}
	values->n++;
	assert_true(values->n < VALUES_MAX);
	return 0;
}

struct values *values_at(const struct buf *answer, const char *path)
{
	struct json_limits limits = {.max_bytes = 64u << 20, .max_depth = 16};
	struct values *values = calloc(1, sizeof(*values));
	struct err err = {0};

	values->path = path;
	if (json_read(answer->data, answer->len, &limits, value_take, values, &err) < 0)
		fail_msg("%s in %s", err.text, answer->data);
	return values;
}

void values_done(struct values *values)
{
	for (size_t i = 0; i < values->n; i++)
		free(values->texts[i]);
	free(values);
}

int64_t int_at(const struct buf *answer, const char *path)
{
	struct values *values = values_at(answer, path);
	int64_t out = values->ints[0];

	if (values->n != 1)
		fail_msg("%zu values at %s", values->n, path);
	values_done(values);
	return out;
}

const char *frame_name(const struct buf *answer, const char *path, size_t i)
{
	struct values *frame = values_at(answer, path);
	struct values *name = values_at(answer, "frames.name[]");
	struct values *strings = values_at(answer, "strings[]");
	static char out[256];

	assert_true(i < frame->n);
	snprintf(out, sizeof(out), "%s", strings->texts[name->ints[frame->ints[i]]]);
	values_done(frame);
	values_done(name);
	values_done(strings);
	return out;
}

int row_of(const struct buf *answer, const char *name)
{
	struct values *frame = values_at(answer, "table.frame[]");
	int found = -1;

	for (size_t i = 0; i < frame->n; i++)
		if (strcmp(frame_name(answer, "table.frame[]", i), name) == 0)
			found = (int)i;
	values_done(frame);
	return found;
}

int64_t cell(const struct buf *answer, const char *path, int row)
{
	struct values *values = values_at(answer, path);
	int64_t out = values->ints[row];

	assert_true(row >= 0 && (size_t)row < values->n);
	values_done(values);
	return out;
}

/* ---- scene A ---- */

struct frame_id scene_frame(struct scene *s, const char *name, uint32_t first, uint32_t line)
{
	struct frame frame = {.name = names_cstr(s->names, name),
			      .file = names_cstr(s->names, "/srv/app.py"),
			      .first_line = first,
			      .line = line,
			      .kind = FRAME_PYTHON};

	return names_frame(s->names, &frame);
}

void scene_add(struct scene *s, struct frame_id leaf, int64_t value)
{
	struct frame thread = {.name = names_cstr(s->names, "thread 1: MainThread"),
			       .kind = FRAME_MARKER};
	struct frame_id path[] = {names_frame(s->names, &thread), scene_frame(s, "work", 30, 31),
				  leaf};

	profile_add(&s->profile, 0, tree_stack(&s->profile.tree, path, 3), value);
}

void scene_init(struct scene *s, uint32_t foo_first, int64_t foo)
{
	*s = (struct scene){.names = names_new(),
			    .request = {.group = GROUP_FUNCTION},
			    .facts = {.covered_ms = 10000, .wall_ms = 10000, .series = 1}};
	profile_init(&s->profile, s->names);
	buf_init(&s->out, 64u << 20);
	assert_int_equal(profile_column(&s->profile, "cpu", "nanoseconds", NULL), 0);
	scene_add(s, scene_frame(s, "foo", foo_first, foo_first + 1), foo * 14 / 75);
	scene_add(s, scene_frame(s, "foo", foo_first, foo_first + 2), foo - foo * 14 / 75);
	scene_add(s, scene_frame(s, "bar", 21, 22), 25);
	s->profile.n_profiles = 1;
	s->profile.n_samples = foo + 25;
	s->profile.period = 1;
	s->profile.period_unit = names_cstr(s->names, "nanoseconds");
}

void scene_done(struct scene *s)
{
	profile_done(&s->profile);
	names_free(s->names);
	buf_done(&s->out);
}

void scene_view(struct scene *s)
{
	buf_reset(&s->out);
	if (view_write(&s->profile, &s->request, &s->facts, &s->out, &s->err) < 0)
		fail_msg("%s", s->err.text);
}
