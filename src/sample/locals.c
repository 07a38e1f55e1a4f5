/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/locals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "format/marker.h"

#define MAX_FRAMES 4096
#define MARKER_MAX_BYTES 512
#define ELLIPSIS "\xe2\x80\xa6"

void locals_init(struct locals *locals, const struct locals_config *config, struct target *target,
		 struct names *names)
{
	*locals = (struct locals){.config = config, .target = target, .names = names};
	buf_init(&locals->text, MARKER_MAX_BYTES);
	buf_init(&locals->again, MARKER_MAX_BYTES);
}

static void held_reset(struct held_locals *held)
{
	for (uint32_t i = 0; i < held->n; i++)
		python_locals_done(&held->frames[i]);
	free(held->frames);
	held->frames = NULL;
	held->n = 0;
	held->is_cut = false;
}

void locals_done(struct locals *locals)
{
	for (size_t i = 0; i < locals->n_held; i++)
		held_reset(&locals->held[i]);
	free(locals->held);
	python_locals_done(&locals->one);
	buf_done(&locals->text);
	buf_done(&locals->again);
	map64_done(&locals->markers);
	*locals = (struct locals){0};
}

bool locals_are_wanted(const struct locals *locals)
{
	return locals->config && (locals->config->max_chars || locals->config->n_functions);
}

/* ---- all of a stack ---- */

static struct held_locals *held_of(struct locals *locals, uint32_t member)
{
	for (size_t i = 0; i < locals->n_held; i++)
		if (locals->held[i].member == member)
			return &locals->held[i];
	locals->held = vec_grow(locals->held, &locals->held_cap, locals->n_held + 1,
				sizeof(*locals->held));
	locals->held[locals->n_held] = (struct held_locals){.member = member};
	return &locals->held[locals->n_held++];
}

static struct python_value_limits all_limits(const struct locals *locals, uint32_t reads_left)
{
	return (struct python_value_limits){
		.max_locals = 1000,
		.max_chars = locals->config->max_chars,
		.max_items = 1000,
		.max_depth = 8,
		.max_reads = reads_left,
		.max_bytes = 4u << 20,
	};
}

/* Innermost first: where the reads end the outer ones are missing. */
static int read_frames(struct locals *locals, uint32_t thread, struct held_locals *held)
{
	struct target *target = locals->target;
	uint32_t begun = target->memory->used.calls;

	held_reset(held);
	held->frames = xcalloc(MAX_FRAMES, sizeof(*held->frames));
	while (held->n < MAX_FRAMES) {
		uint32_t used = target->memory->used.calls - begun;
		struct python_value_limits limits =
			all_limits(locals, used < LOCALS_ALL_READS ? LOCALS_ALL_READS - used : 0);
		int r;

		if (!limits.max_reads) {
			held->is_cut = true;
			return 0;
		}
		r = python_locals(target->python, thread, held->n, &limits, &held->frames[held->n]);
		if (r < 0)
			return r == -ENOENT ? 0 : r; /* that was the last frame */
		held->n++;
	}
	held->is_cut = true;
	return 0;
}

static bool is_equal(const struct python_locals *a, const struct python_locals *b)
{
	if (a->n != b->n || a->is_cut != b->is_cut)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].addr != b->items[i].addr ||
		    strcmp(a->items[i].name, b->items[i].name) != 0 ||
		    strcmp(a->items[i].text, b->items[i].text) != 0)
			return false;
	return true;
}

static bool are_equal(const struct held_locals *a, const struct held_locals *b)
{
	if (a->n != b->n || a->is_cut != b->is_cut)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (!is_equal(&a->frames[i], &b->frames[i]))
			return false;
	return true;
}

/* ---- those of some functions, as a marker ---- */

static void put_marker_text(const struct python_locals *locals, struct buf *out)
{
	buf_reset(out);
	buf_putc(out, '[');
	for (size_t i = 0; i < locals->n; i++) {
		const struct python_local *local = &locals->items[i];
		size_t len = strlen(local->name) + strlen(local->text) + 3;

		if (out->len + len + sizeof(ELLIPSIS) > out->ceiling) {
			buf_puts(out, ELLIPSIS);
			break;
		}
		buf_printf(out, "%s%s=%s", i ? ", " : "", local->name, local->text);
	}
	if (locals->is_cut)
		buf_puts(out, ELLIPSIS);
	buf_putc(out, ']');
}

static struct frame_id marker_of_text(struct locals *locals, const struct buf *text)
{
	char name[MARKER_MAX_BYTES + 1];
	struct frame_id id;

	if (locals->markers.n >= LOCALS_MAX_MARKERS)
		return marker_frame(locals->names, LOCALS_OVER_LIMIT);
	memcpy(name, text->data, text->len);
	name[text->len] = '\0';
	id = marker_frame(locals->names, name);
	*map64_put(&locals->markers, id.v, NULL) = 1;
	return id;
}

static int read_function(struct locals *locals, uint32_t thread, struct buf *text)
{
	static const struct python_value_limits limits = {
		.max_locals = LOCALS_ON_VARIABLES,
		.max_chars = LOCALS_ON_CHARS,
		.max_items = 8,
		.max_depth = 2,
		.max_reads = LOCALS_ON_READS,
		.max_bytes = 64u << 10,
	};
	int r = python_locals(locals->target->python, thread, locals->marker_frame, &limits,
			      &locals->one);

	if (r == 0)
		put_marker_text(&locals->one, text);
	return r;
}

static bool find_function(struct locals *locals, uint32_t thread)
{
	const struct locals_config *config = locals->config;

	locals->marker = (struct frame_id){0};
	return config->n_functions &&
	       python_find_function(locals->target->python, thread, config->functions,
				    config->n_functions, &locals->marker_frame);
}

/* ---- with a stack ---- */

int locals_read(struct locals *locals, const struct member *member)
{
	int r = 0;

	if (locals->config->max_chars)
		r = read_frames(locals, member->python, held_of(locals, member->id));
	if (r == 0 && find_function(locals, member->python)) {
		r = read_function(locals, member->python, &locals->text);
		if (r == 0)
			locals->marker = marker_of_text(locals, &locals->text);
	}
	return r;
}

/* Both stacks are the same to the instruction, and nothing lies between their readings but ours. */
static int is_where_it_was(struct locals *locals, uint32_t thread, unsigned flags)
{
	struct python *python = locals->target->python;
	struct python_stack stack;
	uint8_t outcome;
	int r;

	python_stack(python, thread, &stack);
	r = python_read_waiting(python, &thread, 1, flags, &outcome);
	if (r < 0)
		return r;
	if (outcome != PYTHON_COMPLETE)
		return 0;
	python_stack(python, thread, &stack);
	return stack.is_same;
}

static int check_all(struct locals *locals, const struct member *member)
{
	struct held_locals again = {0};
	int r = read_frames(locals, member->python, &again);

	if (r == 0)
		r = are_equal(held_of(locals, member->id), &again);
	held_reset(&again);
	return r;
}

static int check_function(struct locals *locals, const struct member *member)
{
	int r = read_function(locals, member->python, &locals->again);

	if (r < 0)
		return r;
	return locals->again.len == locals->text.len &&
	       memcmp(locals->again.data, locals->text.data, locals->text.len) == 0;
}

int locals_read_waiting(struct locals *locals, const struct member *member, unsigned flags)
{
	bool is_matched = find_function(locals, member->python);
	int r = 0;

	if (!locals->config->max_chars && !is_matched)
		return 1;
	r = locals_read(locals, member);
	if (r == 0)
		r = is_where_it_was(locals, member->python, flags);
	if (r == 1 && locals->config->max_chars)
		r = check_all(locals, member);
	if (r == 1 && is_matched)
		r = check_function(locals, member);
	return r;
}

struct node_id locals_stack(const struct locals *locals, struct tree *tree,
			    const struct python_stack *stack)
{
	struct node_id node = {0};
	size_t at = stack->n;

	/* Markers such as "[GC]" and native frames have no variables. */
	for (uint32_t left = locals->marker_frame + 1; left && at > 0;)
		left -= names_frame_get(locals->names, stack->frames[--at])->kind == FRAME_PYTHON;
	for (size_t i = 0; i < stack->n; i++) {
		node = tree_child(tree, node, stack->frames[i]);
		if (i == at)
			node = tree_child(tree, node, locals->marker);
	}
	return node;
}

/* ---- the stream ---- */

static int write_frame(const struct member *member, const struct python_locals *frame, uint32_t at,
		       struct capture_writer *writer)
{
	struct capture_local local = {.thread = member->id, .frame = at, .name = "", .text = ""};
	int r = 0;

	for (size_t i = 0; i < frame->n && r == 0; i++) {
		const struct python_local *item = &frame->items[i];

		local.address = item->addr;
		local.flags = (item->flags & PYTHON_LOCAL_ARGUMENT ? LOCAL_ARGUMENT : 0) |
			      (item->flags & PYTHON_LOCAL_SHARED ? LOCAL_SHARED : 0);
		local.name = item->name;
		local.text = item->text;
		r = capture_write_local(writer, &local);
	}
	if (r == 0 && frame->is_cut) {
		local = (struct capture_local){member->id, at, 0, LOCAL_CUT, "", ""};
		r = capture_write_local(writer, &local);
	}
	return r;
}

int locals_write(const struct locals *locals, const struct member *member,
		 struct capture_writer *writer)
{
	int r = 0;

	for (size_t i = 0; i < locals->n_held; i++) {
		const struct held_locals *held = &locals->held[i];

		if (held->member != member->id)
			continue;
		for (uint32_t k = 0; k < held->n && r == 0; k++)
			r = write_frame(member, &held->frames[k], k, writer);
		if (r == 0 && held->is_cut) {
			struct capture_local local = {member->id, held->n, 0, LOCAL_CUT, "", ""};
			r = capture_write_local(writer, &local);
		}
	}
	return r;
}
