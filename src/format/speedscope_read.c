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
#include "format/frame_kind.h"
#include "format/speedscope.h"
#include "format/speedscope_private.h"
#include "format/stack.h"

#define SPEEDSCOPE_MAX_DEPTH 16
#define SPEEDSCOPE_MAX_PROFILES 10000
#define SPEEDSCOPE_MAX_FRAMES (1u << 20)
#define SPEEDSCOPE_MAX_REFS (64u << 20) /* frames of all stacks */
#define UNKNOWN_UNIT SIZE_MAX

struct event {
	bool opens;
	uint32_t frame;
	double at;
};

/* Whole numbers stay exact past 2^53. */
struct weight {
	int64_t whole; /* -1: see real */
	double real;
};

/* One profile of the file: [first, first + n) of the lists below. */
struct part {
	bool is_evented;
	size_t unit; /* index into speedscope_units */
	char type[64];
	double end_value;
	size_t first_stack, n_stacks, first_weight, n_weights, first_event, n_events;
};

struct shared_frame {
	struct str_id name, file;
	bool has_name;
	uint32_t line, column;
	struct frame_id frame; /* made at the end */
};

struct reader {
	const struct format_limits *limits;
	struct profile *into;
	struct shared_frame *frames;
	struct part *parts;
	uint32_t *refs;	    /* frames of all stacks, one after the other */
	size_t *stack_ends; /* per stack: where it ends in refs */
	struct weight *weights;
	struct event *events;
	size_t n_frames, n_parts, n_refs, n_stacks, n_weights, n_events;
	size_t frames_cap, parts_cap, refs_cap, stacks_cap, weights_cap, events_cap;
	bool has_profiles, has_frames;
};

static void reader_done(struct reader *reader)
{
	free(reader->frames);
	free(reader->parts);
	free(reader->refs);
	free(reader->stack_ends);
	free(reader->weights);
	free(reader->events);
}

static int bad(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "not a valid speedscope file: %s", what);
}

static int too_many(struct err *err, const char *what, uint64_t limit)
{
	return err_set(err, ERR_LIMIT, "the speedscope file has more than %llu %s",
		       (unsigned long long)limit, what);
}

/* ---- collecting ---- */

static int read_index(const struct json_event *event, uint32_t *ret_index, struct err *err)
{
	int64_t value;

	if (event->kind != JSON_NUMBER || json_event_int(event, &value) < 0 || value < 0 ||
	    value >= SPEEDSCOPE_MAX_FRAMES)
		return bad(err, "a stack names a frame by something that is no index");
	*ret_index = (uint32_t)value;
	return 0;
}

static int on_stack_frame(struct reader *reader, const struct json_event *event, struct err *err)
{
	uint32_t index;
	int r = read_index(event, &index, err);

	if (r < 0)
		return r;
	if (!reader->n_stacks || !reader->n_parts)
		return bad(err, "a stack stands outside of a profile");
	if (reader->n_refs >= SPEEDSCOPE_MAX_REFS)
		return too_many(err, "frames in its stacks", SPEEDSCOPE_MAX_REFS);
	reader->refs = vec_grow(reader->refs, &reader->refs_cap, reader->n_refs + 1,
				sizeof(*reader->refs));
	reader->refs[reader->n_refs++] = index;
	return 0;
}

static int on_stack(struct reader *reader, const struct json_event *event, struct err *err)
{
	if (event->kind == JSON_ARRAY_END) {
		reader->stack_ends[reader->n_stacks - 1] = reader->n_refs;
		return 0;
	}
	if (event->kind != JSON_ARRAY_BEGIN)
		return bad(err, "an entry of samples is no list of frames");
	if (reader->n_stacks + reader->n_events >= reader->limits->max_samples)
		return too_many(err, "samples", reader->limits->max_samples);
	reader->stack_ends = vec_grow(reader->stack_ends, &reader->stacks_cap, reader->n_stacks + 1,
				      sizeof(*reader->stack_ends));
	reader->stack_ends[reader->n_stacks++] = reader->n_refs;
	reader->parts[reader->n_parts - 1].n_stacks++;
	return 0;
}

static int on_weight(struct reader *reader, const struct json_event *event, struct err *err)
{
	struct weight value;

	if (event->kind != JSON_NUMBER || json_event_double(event, &value.real) < 0 ||
	    value.real < 0)
		return bad(err, "a weight is negative or no number");
	if (json_event_int(event, &value.whole) < 0)
		value.whole = -1;
	if (reader->n_weights >= reader->limits->max_samples)
		return too_many(err, "weights", reader->limits->max_samples);
	reader->weights = vec_grow(reader->weights, &reader->weights_cap, reader->n_weights + 1,
				   sizeof(*reader->weights));
	reader->weights[reader->n_weights++] = value;
	reader->parts[reader->n_parts - 1].n_weights++;
	return 0;
}

static int on_event_begin(struct reader *reader, struct err *err)
{
	if (reader->n_stacks + reader->n_events >= 2ull * reader->limits->max_samples)
		return too_many(err, "events", 2ull * reader->limits->max_samples);
	reader->events = vec_grow(reader->events, &reader->events_cap, reader->n_events + 1,
				  sizeof(*reader->events));
	reader->events[reader->n_events++] = (struct event){.frame = UINT32_MAX, .at = NAN};
	reader->parts[reader->n_parts - 1].n_events++;
	return 0;
}

static int on_event_member(struct reader *reader, const struct json_event *event,
			   const char *member, struct err *err)
{
	struct event *last = reader->n_events ? &reader->events[reader->n_events - 1] : NULL;

	if (!last)
		return bad(err, "an event is no object");
	if (strcmp(member, "type") == 0) {
		last->opens = json_event_is(event, "O");
		return last->opens || json_event_is(event, "C")
			       ? 0
			       : bad(err, "an event is neither O nor C");
	}
	if (strcmp(member, "frame") == 0)
		return read_index(event, &last->frame, err);
	if (strcmp(member, "at") == 0 && json_event_double(event, &last->at) < 0)
		return bad(err, "the time of an event is no number");
	return 0;
}

static int on_part(struct reader *reader, const struct json_event *event, struct err *err)
{
	if (event->kind == JSON_OBJECT_END)
		return 0;
	if (event->kind != JSON_OBJECT_BEGIN)
		return bad(err, "an entry of profiles is no object");
	if (reader->n_parts >= SPEEDSCOPE_MAX_PROFILES)
		return too_many(err, "profiles", SPEEDSCOPE_MAX_PROFILES);
	reader->parts = vec_grow(reader->parts, &reader->parts_cap, reader->n_parts + 1,
				 sizeof(*reader->parts));
	reader->parts[reader->n_parts++] = (struct part){
		.unit = UNKNOWN_UNIT,
		.first_stack = reader->n_stacks,
		.first_weight = reader->n_weights,
		.first_event = reader->n_events,
	};
	return 0;
}

static int on_unit(struct part *part, const struct json_event *event, struct err *err)
{
	for (size_t i = 0; i < array_len(speedscope_units); i++)
		if (json_event_is(event, speedscope_units[i].name))
			part->unit = i;
	return part->unit == UNKNOWN_UNIT ? bad(err, "a profile has an unknown unit") : 0;
}

static int on_part_member(struct reader *reader, const struct json_event *event, const char *member,
			  struct err *err)
{
	struct part *part = &reader->parts[reader->n_parts - 1];

	if (strcmp(member, "type") == 0) {
		part->is_evented = json_event_is(event, "evented");
		return part->is_evented || json_event_is(event, "sampled")
			       ? 0
			       : bad(err, "a profile is neither sampled nor evented");
	}
	if (strcmp(member, "unit") == 0)
		return on_unit(part, event, err);
	if (strcmp(member, "valueType") == 0 && event->kind == JSON_STRING &&
	    event->len < sizeof(part->type)) {
		memcpy(part->type, event->text, event->len);
		part->type[event->len] = '\0';
	}
	if (strcmp(member, "endValue") == 0 && json_event_double(event, &part->end_value) < 0)
		return bad(err, "the end of a profile is no number");
	return 0;
}

static int on_frame(struct reader *reader, const struct json_event *event, struct err *err)
{
	if (event->kind == JSON_OBJECT_END)
		return reader->frames[reader->n_frames - 1].has_name
			       ? 0
			       : bad(err, "a frame has no name");
	if (event->kind != JSON_OBJECT_BEGIN)
		return bad(err, "an entry of frames is no object");
	if (reader->n_frames >= SPEEDSCOPE_MAX_FRAMES)
		return too_many(err, "frames", SPEEDSCOPE_MAX_FRAMES);
	reader->frames = vec_grow(reader->frames, &reader->frames_cap, reader->n_frames + 1,
				  sizeof(*reader->frames));
	reader->frames[reader->n_frames++] = (struct shared_frame){0};
	return 0;
}

static uint32_t as_number(int64_t value)
{
	return value > 0 && value <= UINT32_MAX ? (uint32_t)value : 0;
}

static int on_frame_member(struct reader *reader, const struct json_event *event,
			   const char *member, struct err *err)
{
	struct shared_frame *frame = &reader->frames[reader->n_frames - 1];
	int64_t number;

	if (strcmp(member, "name") == 0) {
		if (event->kind != JSON_STRING)
			return bad(err, "the name of a frame is no text");
		frame->name = names_str(reader->into->names, event->text, event->len);
		frame->has_name = true;
	} else if (strcmp(member, "file") == 0 && event->kind == JSON_STRING) {
		frame->file = names_str(reader->into->names, event->text, event->len);
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

static int on_profile_event(struct reader *reader, const struct json_event *event, struct err *err)
{
	const char *path = event->path + strlen(IN_PROFILE);

	if (!reader->n_parts)
		return bad(err, "profiles is no list");
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
	struct reader *reader = ctx;

	if (starts_with(event->path, IN_PROFILE))
		return on_profile_event(reader, event, err);
	if (strcmp(event->path, "profiles[]") == 0)
		return on_part(reader, event, err);
	if (starts_with(event->path, IN_FRAME))
		return reader->n_frames
			       ? on_frame_member(reader, event, event->path + strlen(IN_FRAME), err)
			       : bad(err, "frames is no list");
	if (strcmp(event->path, "shared.frames[]") == 0)
		return on_frame(reader, event, err);
	if (strcmp(event->path, "profiles") == 0)
		reader->has_profiles |= event->kind == JSON_ARRAY_BEGIN;
	else if (strcmp(event->path, "shared.frames") == 0)
		reader->has_frames |= event->kind == JSON_ARRAY_BEGIN;
	else if (strcmp(event->path, "$schema") == 0 && !json_event_is(event, SPEEDSCOPE_SCHEMA))
		return bad(err, "its $schema is another one");
	return 0;
}

/* ---- resolving ---- */

static int64_t scaled(const struct part *part, double value)
{
	double ns = value * (double)speedscope_units[part->unit].scale;

	return ns >= 9.2e18 ? INT64_MAX : ns <= -9.2e18 ? INT64_MIN : llround(ns);
}

static int64_t weight_of(const struct part *part, const struct weight *weight)
{
	int64_t value;

	if (weight->whole < 0)
		return scaled(part, weight->real);
	if (__builtin_mul_overflow(weight->whole, speedscope_units[part->unit].scale, &value))
		return INT64_MAX;
	return value;
}

static int resolve_frame(struct reader *reader, uint32_t index, struct frame_id *ret_frame,
			 struct err *err)
{
	struct names *names = reader->into->names;
	struct shared_frame *frame;

	if (index >= reader->n_frames)
		return err_set(err, ERR_CORRUPT,
			       "not a valid speedscope file: a stack names frame %u of %zu", index,
			       reader->n_frames);
	frame = &reader->frames[index];
	if (!frame->frame.v)
		frame->frame = frame_of_place(names, names_text(names, frame->name, NULL),
					      names_text(names, frame->file, NULL), frame->line,
					      frame->column);
	*ret_frame = frame->frame;
	return 0;
}

static void add_value(struct reader *reader, size_t column, struct node_id node, int64_t value)
{
	profile_add(reader->into, column, node, value);
	reader->into->n_samples += reader->into->n_samples < INT64_MAX;
}

static int resolve_sampled(struct reader *reader, const struct part *part, size_t column,
			   struct stack *stack, struct err *err)
{
	struct profile *into = reader->into;

	/* Without weights each sample counts once, as old files have it. */
	if (part->n_weights && part->n_weights != part->n_stacks)
		return err_set(
			err, ERR_CORRUPT,
			"not a valid speedscope file: a profile has %zu samples and %zu weights",
			part->n_stacks, part->n_weights);
	for (size_t i = 0; i < part->n_stacks; i++) {
		size_t at = part->first_stack + i;
		size_t from = at ? reader->stack_ends[at - 1] : 0;
		struct frame_id frame;

		stack_reset(stack);
		for (size_t ref = from; ref < reader->stack_ends[at]; ref++) {
			int r = resolve_frame(reader, reader->refs[ref], &frame, err);

			if (r < 0)
				return r;
			stack_push(stack, frame);
		}
		add_value(reader, column,
			  stack_node(stack, &into->tree, into->names, (struct node_id){0}, false),
			  part->n_weights
				  ? weight_of(part, &reader->weights[part->first_weight + i])
				  : scaled(part, 1));
	}
	return 0;
}

/* The stack of open frames: node and frame number of each level. */
struct open_frames {
	struct node_id *nodes;
	uint32_t *frames;
	size_t n, nodes_cap, frames_cap;
};

static void open_done(struct open_frames *open)
{
	free(open->nodes);
	free(open->frames);
}

static int open_or_close(struct reader *reader, const struct event *event, struct open_frames *open,
			 struct err *err)
{
	struct node_id top = open->n ? open->nodes[open->n - 1] : (struct node_id){0};
	struct frame_id frame;
	int r = resolve_frame(reader, event->frame, &frame, err);

	if (r < 0)
		return r;
	if (!event->opens) {
		if (!open->n || open->frames[open->n - 1] != event->frame)
			return bad(err, "an event closes a frame that is not the innermost one");
		open->n--;
		return 0;
	}
	open->nodes = vec_grow(open->nodes, &open->nodes_cap, open->n + 1, sizeof(*open->nodes));
	open->frames =
		vec_grow(open->frames, &open->frames_cap, open->n + 1, sizeof(*open->frames));
	open->nodes[open->n] = tree_child(&reader->into->tree, top, frame);
	open->frames[open->n++] = event->frame;
	return 0;
}

static int resolve_evented(struct reader *reader, const struct part *part, size_t column,
			   struct err *err)
{
	cleanup(open_done) struct open_frames open = {0};
	int64_t last = 0, end;

	for (size_t i = 0; i < part->n_events; i++) {
		const struct event *event = &reader->events[part->first_event + i];
		int64_t at = isnan(event->at) ? INT64_MIN : scaled(part, event->at);
		int r;

		if (at == INT64_MIN || (i && at < last))
			return bad(err, "the times of events are missing or go back");
		if (open.n && at > last)
			add_value(reader, column, open.nodes[open.n - 1], at - last);
		last = at;
		r = open_or_close(reader, event, &open, err);
		if (r < 0)
			return r;
	}
	/* What is still open was open to the end. */
	end = scaled(part, part->end_value);
	if (open.n && end > last)
		add_value(reader, column, open.nodes[open.n - 1], end - last);
	return 0;
}

static int resolve_part(struct reader *reader, const struct part *part, struct stack *stack,
			struct err *err)
{
	const struct speedscope_unit *unit;
	int column;

	if (part->unit == UNKNOWN_UNIT)
		return bad(err, "a profile has no unit");
	unit = &speedscope_units[part->unit];
	column = profile_column(reader->into, part->type[0] ? part->type : unit->type, unit->unit,
				NULL);
	if (column < 0)
		return too_many(err, "types of values", PROFILE_MAX_COLUMNS);
	if (part->is_evented)
		return resolve_evented(reader, part, (size_t)column, err);
	return resolve_sampled(reader, part, (size_t)column, stack, err);
}

int speedscope_read(const void *data, size_t len, const struct format_limits *limits,
		    struct profile *into, struct err *err)
{
	cleanup(reader_done) struct reader reader = {.limits = limits, .into = into};
	struct json_limits json_limits = {
		.max_bytes = limits->max_inflated_bytes,
		.max_depth = SPEEDSCOPE_MAX_DEPTH,
	};
	cleanup(stack_done) struct stack stack = {0};
	int r = json_read(data, len, &json_limits, on_json, &reader, err);

	if (r == 0 && (!reader.has_profiles || !reader.has_frames))
		r = bad(err, "it has no profiles or no shared.frames");
	if (r < 0)
		return r;
	stack_init(&stack, limits->max_depth);
	for (size_t i = 0; r == 0 && i < reader.n_parts; i++)
		r = resolve_part(&reader, &reader.parts[i], &stack, err);
	into->n_profiles += r == 0;
	return r;
}
