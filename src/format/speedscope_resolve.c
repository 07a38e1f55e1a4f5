/* SPDX-License-Identifier: Apache-2.0 */
/* A speedscope document that was read whole: its stacks and events into profiles, one for each name and unit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "format/frame_kind.h"
#include "format/speedscope_private.h"
#include "format/stack.h"

/* ---- values and frames ---- */

static int64_t scaled(const struct speedscope_part *part, double value)
{
	double ns = value * (double)speedscope_units[part->unit].scale;

	return ns >= 9.2e18 ? INT64_MAX : ns <= -9.2e18 ? INT64_MIN : llround(ns);
}

static int64_t weight_of(const struct speedscope_part *part, const struct speedscope_weight *weight)
{
	int64_t value;

	if (weight->whole < 0)
		return scaled(part, weight->real);
	if (__builtin_mul_overflow(weight->whole, speedscope_units[part->unit].scale, &value))
		return INT64_MAX;
	return value;
}

static int resolve_frame(struct speedscope_reader *reader, uint32_t index,
			 struct frame_id *ret_frame, struct err *err)
{
	struct names *names = reader->names;
	struct speedscope_frame *frame;

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

static void add_value(struct profile *into, size_t column, struct node_id node, int64_t value)
{
	profile_add(into, column, node, value);
	into->n_samples += into->n_samples < INT64_MAX;
}

static int resolve_sampled(struct speedscope_reader *reader, const struct speedscope_part *part,
			   struct profile *into, size_t column, struct stack *stack,
			   struct err *err)
{
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
		add_value(into, column,
			  stack_node(stack, &into->tree, reader->names, (struct node_id){0}, false),
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
	struct profile *into;
};

static void open_done(struct open_frames *open)
{
	free(open->nodes);
	free(open->frames);
}

static int open_or_close(struct speedscope_reader *reader, const struct speedscope_event *event,
			 struct open_frames *open, struct err *err)
{
	struct node_id top = open->n ? open->nodes[open->n - 1] : (struct node_id){0};
	struct frame_id frame;
	int r = resolve_frame(reader, event->frame, &frame, err);

	if (r < 0)
		return r;
	if (!event->opens) {
		if (!open->n || open->frames[open->n - 1] != event->frame)
			return speedscope_bad(
				err, "an event closes a frame that is not the innermost one");
		open->n--;
		return 0;
	}
	open->nodes = vec_grow(open->nodes, &open->nodes_cap, open->n + 1, sizeof(*open->nodes));
	open->frames =
		vec_grow(open->frames, &open->frames_cap, open->n + 1, sizeof(*open->frames));
	open->nodes[open->n] = tree_child(&open->into->tree, top, frame);
	open->frames[open->n++] = event->frame;
	return 0;
}

static int resolve_evented(struct speedscope_reader *reader, const struct speedscope_part *part,
			   struct profile *into, size_t column, struct err *err)
{
	cleanup(open_done) struct open_frames open = {.into = into};
	int64_t last = 0, end;

	for (size_t i = 0; i < part->n_events; i++) {
		const struct speedscope_event *event = &reader->events[part->first_event + i];
		int64_t at = isnan(event->at) ? INT64_MIN : scaled(part, event->at);
		int r;

		if (at == INT64_MIN || (i && at < last))
			return speedscope_bad(err, "the times of events are missing or go back");
		if (open.n && at > last)
			add_value(into, column, open.nodes[open.n - 1], at - last);
		last = at;
		r = open_or_close(reader, event, &open, err);
		if (r < 0)
			return r;
	}
	/* What is still open was open to the end. */
	end = scaled(part, part->end_value);
	if (open.n && end > last)
		add_value(into, column, open.nodes[open.n - 1], end - last);
	return 0;
}

/* ---- profiles ---- */

static int series_of(struct speedscope_reader *reader, const struct speedscope_part *part,
		     const struct speedscope_split *split, struct profile **ret_profile,
		     struct err *err)
{
	struct arena arena;
	struct labels labels = {0};
	const char *name = names_text(reader->names, part->name, NULL);
	int r;

	arena_init(&arena);
	r = labels_set(&labels, &arena, SPEEDSCOPE_NAME_LABEL, name, err);
	if (r == 0)
		r = split->series(split->ctx, &labels, speedscope_units[part->unit].unit,
				  ret_profile, err);
	arena_done(&arena);
	return r;
}

static const char *type_of(const struct speedscope_reader *reader,
			   const struct speedscope_part *part, const struct speedscope_opts *opts)
{
	const struct speedscope_unit *unit = &speedscope_units[part->unit];

	if (part->type[0])
		return part->type;
	if (strcmp(unit->unit, "nanoseconds") != 0)
		return unit->type;
	return reader->n_parts == 1 ? opts->single_type : opts->several_type;
}

static int resolve_part(struct speedscope_reader *reader, const struct speedscope_part *part,
			const struct speedscope_opts *opts, const struct speedscope_split *split,
			struct stack *stack, struct err *err)
{
	struct profile *into;
	int column, r;

	if (part->unit == SPEEDSCOPE_UNKNOWN_UNIT)
		return speedscope_bad(err, "a profile has no unit");
	r = series_of(reader, part, split, &into, err);
	if (r < 0)
		return r;
	column = profile_column(into, type_of(reader, part, opts),
				speedscope_units[part->unit].unit, NULL);
	if (column < 0)
		return speedscope_too_many(err, "types of values", PROFILE_MAX_COLUMNS);
	into->n_profiles = 1;
	stack_forget(stack);
	if (part->is_evented)
		return resolve_evented(reader, part, into, (size_t)column, err);
	return resolve_sampled(reader, part, into, (size_t)column, stack, err);
}

int speedscope_resolve(struct speedscope_reader *reader, const struct speedscope_opts *opts,
		       const struct speedscope_split *split, struct err *err)
{
	cleanup(stack_done) struct stack stack = {0};
	int r = 0;

	stack_init(&stack, reader->limits->max_depth);
	for (size_t i = 0; r == 0 && i < reader->n_parts; i++)
		r = resolve_part(reader, &reader->parts[i], opts, split, &stack, err);
	return r;
}
