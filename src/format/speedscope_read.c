/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of a speedscope file come in any order (py-spy writes the frames last), so profiles are
 * collected as flat lists of numbers first and resolved when the document has ended.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "codec/json.h"
#include "format/speedscope.h"
#include "format/speedscope_private.h"

#define SPEEDSCOPE_MAX_DEPTH 16
#define SPEEDSCOPE_MAX_PROFILES 10000
#define SPEEDSCOPE_MAX_FRAMES (1u << 20)
#define SPEEDSCOPE_MAX_REFS (64u << 20) /* frames of all stacks */

static void reader_done(struct speedscope_reader *reader)
{
	free(reader->frames);
	free(reader->parts);
	free(reader->refs);
	free(reader->stack_ends);
	free(reader->weights);
	free(reader->events);
}

int speedscope_bad(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "not a valid speedscope file: %s", what);
}

int speedscope_too_many(struct err *err, const char *what, uint64_t limit)
{
	return err_because(err, ERR_LIMIT, "samples_limit",
			   "the speedscope file has more than %llu %s", (unsigned long long)limit,
			   what);
}

/* ---- collecting ---- */

static int read_index(const struct json_event *event, uint32_t *ret_index, struct err *err)
{
	int64_t value;

	if (event->kind != JSON_NUMBER || json_event_int(event, &value) < 0 || value < 0 ||
	    value >= SPEEDSCOPE_MAX_FRAMES)
		return speedscope_bad(err, "a stack names a frame by something that is no index");
	*ret_index = (uint32_t)value;
	return 0;
}

static int on_stack_frame(struct speedscope_reader *reader, const struct json_event *event,
			  struct err *err)
{
	uint32_t index = 0;
	int r = read_index(event, &index, err);

	if (r < 0)
		return r;
	if (!reader->n_stacks || !reader->n_parts)
		return speedscope_bad(err, "a stack stands outside of a profile");
	if (reader->n_refs >= SPEEDSCOPE_MAX_REFS)
		return speedscope_too_many(err, "frames in its stacks", SPEEDSCOPE_MAX_REFS);
	reader->refs = vec_grow(reader->refs, &reader->refs_cap, reader->n_refs + 1,
				sizeof(*reader->refs));
	reader->refs[reader->n_refs++] = index;
	return 0;
}

static int on_stack(struct speedscope_reader *reader, const struct json_event *event,
		    struct err *err)
{
	if (event->kind == JSON_ARRAY_END) {
		reader->stack_ends[reader->n_stacks - 1] = reader->n_refs;
		return 0;
	}
	if (event->kind != JSON_ARRAY_BEGIN)
		return speedscope_bad(err, "an entry of samples is no list of frames");
	if (reader->n_stacks + reader->n_events >= reader->limits->max_samples)
		return speedscope_too_many(err, "samples", reader->limits->max_samples);
	reader->stack_ends = vec_grow(reader->stack_ends, &reader->stacks_cap, reader->n_stacks + 1,
				      sizeof(*reader->stack_ends));
	reader->stack_ends[reader->n_stacks++] = reader->n_refs;
	reader->parts[reader->n_parts - 1].n_stacks++;
	return 0;
}

static int on_weight(struct speedscope_reader *reader, const struct json_event *event,
		     struct err *err)
{
	struct speedscope_weight value;

	if (event->kind != JSON_NUMBER || json_event_double(event, &value.real) < 0 ||
	    value.real < 0)
		return speedscope_bad(err, "a weight is negative or no number");
	if (json_event_int(event, &value.whole) < 0)
		value.whole = -1;
	if (reader->n_weights >= reader->limits->max_samples)
		return speedscope_too_many(err, "weights", reader->limits->max_samples);
	reader->weights = vec_grow(reader->weights, &reader->weights_cap, reader->n_weights + 1,
				   sizeof(*reader->weights));
	reader->weights[reader->n_weights++] = value;
	reader->parts[reader->n_parts - 1].n_weights++;
	return 0;
}

static int on_event_begin(struct speedscope_reader *reader, struct err *err)
{
	if (reader->n_stacks + reader->n_events >= 2ull * reader->limits->max_samples)
		return speedscope_too_many(err, "events", 2ull * reader->limits->max_samples);
	reader->events = vec_grow(reader->events, &reader->events_cap, reader->n_events + 1,
				  sizeof(*reader->events));
	reader->events[reader->n_events++] =
		(struct speedscope_event){.frame = UINT32_MAX, .at = NAN};
	reader->parts[reader->n_parts - 1].n_events++;
	return 0;
}

static int on_event_member(struct speedscope_reader *reader, const struct json_event *event,
			   const char *member, struct err *err)
{
	struct speedscope_event *last =
		reader->n_events ? &reader->events[reader->n_events - 1] : NULL;

	if (!last)
		return speedscope_bad(err, "an event is no object");
	if (strcmp(member, "type") == 0) {
		last->opens = json_event_is(event, "O");
		return last->opens || json_event_is(event, "C")
			       ? 0
			       : speedscope_bad(err, "an event is neither O nor C");
	}
	if (strcmp(member, "frame") == 0)
		return read_index(event, &last->frame, err);
	if (strcmp(member, "at") == 0 && json_event_double(event, &last->at) < 0)
		return speedscope_bad(err, "the time of an event is no number");
	return 0;
}

static int on_part(struct speedscope_reader *reader, const struct json_event *event,
		   struct err *err)
{
	if (event->kind == JSON_OBJECT_END)
		return 0;
	if (event->kind != JSON_OBJECT_BEGIN)
		return speedscope_bad(err, "an entry of profiles is no object");
	if (reader->n_parts >= SPEEDSCOPE_MAX_PROFILES)
		return speedscope_too_many(err, "profiles", SPEEDSCOPE_MAX_PROFILES);
	reader->parts = vec_grow(reader->parts, &reader->parts_cap, reader->n_parts + 1,
				 sizeof(*reader->parts));
	reader->parts[reader->n_parts++] = (struct speedscope_part){
		.unit = SPEEDSCOPE_UNKNOWN_UNIT,
		.first_stack = reader->n_stacks,
		.first_weight = reader->n_weights,
		.first_event = reader->n_events,
	};
	return 0;
}

static int on_unit(struct speedscope_part *part, const struct json_event *event, struct err *err)
{
	for (size_t i = 0; i < array_len(speedscope_units); i++)
		if (json_event_is(event, speedscope_units[i].name))
			part->unit = i;
	return part->unit == SPEEDSCOPE_UNKNOWN_UNIT
		       ? speedscope_bad(err, "a profile has an unknown unit")
		       : 0;
}

static int on_part_member(struct speedscope_reader *reader, const struct json_event *event,
			  const char *member, struct err *err)
{
	struct speedscope_part *part = &reader->parts[reader->n_parts - 1];

	if (strcmp(member, "type") == 0) {
		part->is_evented = json_event_is(event, "evented");
		return part->is_evented || json_event_is(event, "sampled")
			       ? 0
			       : speedscope_bad(err, "a profile is neither sampled nor evented");
	}
	if (strcmp(member, "unit") == 0)
		return on_unit(part, event, err);
	if (strcmp(member, "name") == 0 && event->kind == JSON_STRING)
		part->name = names_str(reader->names, event->text, event->len);
	if (strcmp(member, "valueType") == 0 && event->kind == JSON_STRING &&
	    event->len < sizeof(part->type)) {
		memcpy(part->type, event->text, event->len);
		part->type[event->len] = '\0';
	}
	if (strcmp(member, "endValue") == 0 && json_event_double(event, &part->end_value) < 0)
		return speedscope_bad(err, "the end of a profile is no number");
	return 0;
}

static int on_frame(struct speedscope_reader *reader, const struct json_event *event,
		    struct err *err)
{
	if (event->kind == JSON_OBJECT_END)
		return reader->frames[reader->n_frames - 1].has_name
			       ? 0
			       : speedscope_bad(err, "a frame has no name");
	if (event->kind != JSON_OBJECT_BEGIN)
		return speedscope_bad(err, "an entry of frames is no object");
	if (reader->n_frames >= SPEEDSCOPE_MAX_FRAMES)
		return speedscope_too_many(err, "frames", SPEEDSCOPE_MAX_FRAMES);
	reader->frames = vec_grow(reader->frames, &reader->frames_cap, reader->n_frames + 1,
				  sizeof(*reader->frames));
	reader->frames[reader->n_frames++] = (struct speedscope_frame){0};
	return 0;
}

static uint32_t as_number(int64_t value)
{
	return value > 0 && value <= UINT32_MAX ? (uint32_t)value : 0;
}

static int on_frame_member(struct speedscope_reader *reader, const struct json_event *event,
			   const char *member, struct err *err)
{
	struct speedscope_frame *frame = &reader->frames[reader->n_frames - 1];
	int64_t number;

	if (strcmp(member, "name") == 0) {
		if (event->kind != JSON_STRING)
			return speedscope_bad(err, "the name of a frame is no text");
		frame->name = names_str(reader->names, event->text, event->len);
		frame->has_name = true;
	} else if (strcmp(member, "file") == 0 && event->kind == JSON_STRING) {
		frame->file = names_str(reader->names, event->text, event->len);
	} else if (strcmp(member, "line") == 0 && json_event_int(event, &number) == 0) {
		frame->line = as_number(number);
	} else if (strcmp(member, "col") == 0 && reader->limits->keep_columns &&
		   json_event_int(event, &number) == 0) {
		frame->column = as_number(number);
	}
	return 0;
}

/* ---- where an event belongs ---- */

#define IN_PROFILE "profiles[]."
#define IN_EVENT "profiles[].events[]."
#define IN_FRAME "shared.frames[]."

static bool starts_with(const char *path, const char *prefix)
{
	return strncmp(path, prefix, strlen(prefix)) == 0;
}

static int on_profile_event(struct speedscope_reader *reader, const struct json_event *event,
			    struct err *err)
{
	const char *path = event->path + strlen(IN_PROFILE);

	if (!reader->n_parts)
		return speedscope_bad(err, "profiles is no list");
	if (strcmp(path, "samples[][]") == 0)
		return on_stack_frame(reader, event, err);
	if (strcmp(path, "samples[]") == 0)
		return on_stack(reader, event, err);
	if (strcmp(path, "weights[]") == 0)
		return on_weight(reader, event, err);
	if (strcmp(path, "events[]") == 0)
		return event->kind == JSON_OBJECT_BEGIN ? on_event_begin(reader, err) : 0;
	if (starts_with(event->path, IN_EVENT))
		return on_event_member(reader, event, event->path + strlen(IN_EVENT), err);
	return on_part_member(reader, event, path, err);
}

static int on_json(void *ctx, const struct json_event *event, struct err *err)
{
	struct speedscope_reader *reader = ctx;

	if (starts_with(event->path, IN_PROFILE))
		return on_profile_event(reader, event, err);
	if (strcmp(event->path, "profiles[]") == 0)
		return on_part(reader, event, err);
	if (starts_with(event->path, IN_FRAME))
		return reader->n_frames
			       ? on_frame_member(reader, event, event->path + strlen(IN_FRAME), err)
			       : speedscope_bad(err, "frames is no list");
	if (strcmp(event->path, "shared.frames[]") == 0)
		return on_frame(reader, event, err);
	if (strcmp(event->path, "profiles") == 0)
		reader->has_profiles |= event->kind == JSON_ARRAY_BEGIN;
	else if (strcmp(event->path, "shared.frames") == 0)
		reader->has_frames |= event->kind == JSON_ARRAY_BEGIN;
	else if (strcmp(event->path, "$schema") == 0 && !json_event_is(event, SPEEDSCOPE_SCHEMA))
		return speedscope_bad(err, "its $schema is another one");
	return 0;
}

int speedscope_read_split(const void *data, size_t len, const struct speedscope_opts *opts,
			  const struct format_limits *limits, struct names *names,
			  const struct speedscope_split *split, struct err *err)
{
	cleanup(reader_done) struct speedscope_reader reader = {.limits = limits, .names = names};
	struct json_limits json_limits = {
		.max_bytes = limits->max_inflated_bytes,
		.max_depth = SPEEDSCOPE_MAX_DEPTH,
	};
	int r = json_read(data, len, &json_limits, on_json, &reader, err);

	if (r == 0 && (!reader.has_profiles || !reader.has_frames))
		r = speedscope_bad(err, "it has no profiles or no shared.frames");
	return r < 0 ? r : speedscope_resolve(&reader, opts, split, err);
}

static int same_profile(void *ctx, const struct labels *labels, const char *unit,
			struct profile **ret_profile, struct err *err)
{
	(void)labels;
	(void)unit;
	(void)err;
	*ret_profile = ctx;
	return 0;
}

int speedscope_read(const void *data, size_t len, const struct format_limits *limits,
		    struct profile *into, struct err *err)
{
	struct speedscope_split split = {.series = same_profile, .ctx = into};
	struct speedscope_opts opts = {.single_type = "wall", .several_type = "wall"};
	int64_t n_profiles = into->n_profiles;
	int r = speedscope_read_split(data, len, &opts, limits, into->names, &split, err);

	/* One file, however many profiles it has. */
	into->n_profiles = n_profiles + (r == 0);
	return r;
}
