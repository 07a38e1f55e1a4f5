/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the view share: the profile as the request wants to see it, and its JSON parts.
 */
#ifndef FORMAT_VIEW_PRIVATE_H
#define FORMAT_VIEW_PRIVATE_H

#include "base/arena.h"
#include "base/map.h"
#include "codec/json.h"
#include "format/view.h"
#include "profile/flame.h"

/* ---- stages: from a profile to the one that is shown ---- */

#define VIEW_MAX_STAGES 5
#define VIEW_MAX_TURNED_NODES                                                                      \
	(1u << 20) /* of a tree of callers; time beyond stays at the deepest frame with room */

/* One unit of work; view_stages_done() releases the profiles that were made on the way. */
struct view_stages {
	struct profile made[VIEW_MAX_STAGES];
	size_t n_made;
	struct profile value; /* shares the tree of the profile it is made of: never done */
	const struct profile *last;
	const struct profile *drawn; /* what the flame graph shows: `last`, or its callers */
};

/* One column: the value that the request asks for; none when there is no such column. */
void view_value(const struct profile *from, const struct view_request *request, struct arena *arena,
		struct profile *ret_value);
/* The column of `other` that means what `column` means in `profile`, or -ENOENT. */
int view_column_like(const struct profile *other, const struct profile *profile, size_t column);
/* The least power of 1,000 that brings every sum of all columns under 2^53. */
int64_t view_scale_of(const struct profile *value);
void view_scale_down(struct profile *value, int64_t scale);
/*
 * How many samples are behind a value that was scaled down: as many as were counted or, where
 * stacks were added up before they were sent, as many as the period makes of the sum.
 */
int64_t view_samples(const struct profile *from, const struct profile *value, int64_t scale);
/* Put `stages->last` through markers, focus and group, as asked, and make of it what is drawn. */
int view_stages_run(struct view_stages *stages, const struct view_request *request,
		    struct err *err) nodiscard;
/* A new stage, initialised, that shares the names of the last. */
struct profile *view_stage_add(struct view_stages *stages);
void view_stages_done(struct view_stages *stages);

/* ---- keys ---- */

const char *view_kind_name(uint8_t kind);

/* ERR_USAGE when `text` of that length is not of the form of a key. */
int view_key_check(const char *text, size_t len, struct err *err) nodiscard;
/* Per function of the tree: does it have that key?  Returns how many do. */
size_t view_funcs_of_key(const struct profile *profile, const char *key, struct arena *arena,
			 uint8_t **ret_is_it);
/*
 * The path that keys joined by '.' name, outermost first; *ret_is_found says whether it is there.
 */
int view_root_find(const struct profile *profile, const char *keys, struct arena *arena,
		   struct flame_opts *opts, bool *ret_is_found, struct err *err) nodiscard;

/* ---- JSON ---- */

/* Frames and strings in the order of first use, as the answer numbers them. */
struct view_frames {
	struct names *names;
	struct map64 index; /* frame id -> number */
	struct frame_id *frames;
	size_t frames_cap;
	uint32_t n_frames;
};

/* Frame 0 is number 0, and is shown as "all". */
void view_frames_init(struct view_frames *frames, struct names *names);
void view_frames_done(struct view_frames *frames);
uint32_t view_frames_add(struct view_frames *frames, struct frame_id frame);
/* Members "strings" and "frames". */
void view_frames_write(const struct view_frames *frames, struct json_writer *json);
/* The one sentence about an answer that did not fit; 0 when it did. */
int view_out_check(const struct buf *out, struct err *err) nodiscard;
/* Members "name", "file", "first_line", "kind", "key" of one function. */
void view_func_write(const struct names *names, struct func_id func, struct json_writer *json);

void view_flame_write(const struct flame *flame, struct view_frames *frames,
		      struct json_writer *json);
void view_facts_write(const struct view_facts *facts, struct json_writer *json);

#endif
