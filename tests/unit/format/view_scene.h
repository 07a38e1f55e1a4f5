/* SPDX-License-Identifier: Apache-2.0 */
/* Scene A as a profile, and looking into the JSON that views answer with. */
#ifndef TESTS_UNIT_FORMAT_VIEW_SCENE_H
#define TESTS_UNIT_FORMAT_VIEW_SCENE_H

#include "../unit.h"

#include "base/buf.h"
#include "format/view.h"

/* ---- reading answers ---- */

#define VALUES_MAX 4096

struct values {
	const char *path;
	int64_t ints[VALUES_MAX];
	char *texts[VALUES_MAX];
	size_t n;
};

/* All values at one place of an answer; values_done(). */
struct values *values_at(const struct buf *answer, const char *path);
void values_done(struct values *values);

/* The only value at its place. */
int64_t int_at(const struct buf *answer, const char *path);
/* Name of the frame that a table row or box has, as the answer says it; valid until the next call. */
const char *frame_name(const struct buf *answer, const char *path, size_t i);
/* Row of the table with that name, or -1. */
int row_of(const struct buf *answer, const char *name);
int64_t cell(const struct buf *answer, const char *path, int row);

/* ---- scene A ---- */

struct scene {
	struct names *names;
	struct profile profile;
	struct view_request request;
	struct view_facts facts;
	struct buf out;
	struct err err;
};

/* foo costs `foo` (a part of it, 14 of 75, on its second line), bar 25. */
void scene_init(struct scene *s, uint32_t foo_first, int64_t foo);
void scene_done(struct scene *s);
struct frame_id scene_frame(struct scene *s, const char *name, uint32_t first, uint32_t line);
/* One more sample: MainThread, work, leaf. */
void scene_add(struct scene *s, struct frame_id leaf, int64_t value);
/* The answer to s->request, into s->out. */
void scene_view(struct scene *s);

#endif
