/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local variables: names from the code object, values from the frame.
 *
 * A frame's places are in the order of the names: arguments, other locals, cells, frees.  Up to 3.10 these are
 * three tuples (co_varnames, co_cellvars, co_freevars), and an argument that an inner function uses as well has
 * two places of which the cell's is in use.  From 3.11 on there is one tuple and one place each, which holds a cell
 * once the function has begun.  A place that holds nothing is a variable without a value: it is left out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "python/object.h"
#include "python/python_private.h"
#include "python/value.h"

#define FLAG_VARARGS 4	   /* co_flags: *args */
#define FLAG_VARKEYWORDS 8 /* **kwargs */
#define TAG_BITS 3	   /* of a _PyStackRef, 3.14+ */
#define TAG_INT 3	   /* all of them: no object, an int of the interpreter's own */
#define NAME_MAX_CHARS 128

/* What a code object says of its locals. */
struct names_part {
	raddr_t tuple;
	uint64_t n;
};

struct local_plan {
	struct names_part parts[3];
	uint64_t n_arguments;
	bool is_cell[3]; /* places of the part hold cells */
};

static int part_of(struct python *python, raddr_t code, uint16_t at, struct names_part *part)
{
	int r = memory_read_u64(python->memory, code + at, &part->tuple);

	return r < 0 ? r
		     : memory_read_u64(python->memory, part->tuple + python->layout.object_bytes,
				       &part->n);
}

static int read_u32(struct python *python, raddr_t addr, uint32_t *ret_value)
{
	return memory_read(python->memory, addr, ret_value, sizeof(*ret_value));
}

static int count_arguments(struct python *python, raddr_t code, uint64_t *ret_n)
{
	const struct layout *layout = &python->layout;
	uint32_t positional, keyword = 0, flags;
	int r = read_u32(python, code + layout->co_argcount, &positional);

	if (r == 0 && layout->co_kwonlyargcount != NO_FIELD)
		r = read_u32(python, code + layout->co_kwonlyargcount, &keyword);
	if (r == 0)
		r = read_u32(python, code + layout->co_flags, &flags);
	if (r == 0)
		*ret_n = (uint64_t)positional + keyword + !!(flags & FLAG_VARARGS) +
			 !!(flags & FLAG_VARKEYWORDS);
	return r;
}

static int plan_locals(struct python *python, raddr_t code, struct local_plan *plan)
{
	const struct layout *layout = &python->layout;
	const uint16_t tuples[] = {layout->co_varnames, layout->co_cellvars, layout->co_freevars};
	int r = count_arguments(python, code, &plan->n_arguments);

	if (layout->co_localsplusnames != NO_FIELD)
		return r < 0 ? r
			     : part_of(python, code, layout->co_localsplusnames, &plan->parts[0]);
	for (size_t i = 0; r == 0 && i < array_len(tuples); i++) {
		r = part_of(python, code, tuples[i], &plan->parts[i]);
		plan->is_cell[i] = i > 0;
	}
	return r;
}

/* ---- one variable ---- */

static int put_name(struct python *python, const struct names_part *part, uint64_t i,
		    struct buf *out)
{
	raddr_t name;
	bool is_cut;
	int r = memory_read_u64(python->memory, part->tuple + python->layout.tuple_items + i * 8,
				&name);

	return r < 0 ? r
		     : object_text_head(python->memory, &python->layout, name, NAME_MAX_CHARS, out,
					&is_cut);
}

/* From what a place holds to the object, through the cell if it is one; 0: no value. */
static int follow(struct value_reader *reader, bool is_cell, raddr_t *object, uint8_t *flags)
{
	bool has_single_places = reader->layout->co_localsplusnames != NO_FIELD;
	raddr_t inner;

	if (!*object || (!is_cell && !has_single_places))
		return 0;
	int r = value_cell(reader, *object, &inner);
	if (r == -ENOENT || r == -EFAULT || r == ERR_CORRUPT)
		return 0; /* shown as what it is */
	if (r == 0)
		*flags |= PYTHON_LOCAL_SHARED;
	*object = r == 0 ? inner : 0;
	return r == ERR_GONE ? 0 : r;
}

static char *take_text(struct buf *buf)
{
	return xstrndup(buf->len ? buf->data : "", buf->len);
}

/* One frame's locals on their way into the list. */
struct gathering {
	struct python *python;
	struct value_reader reader;
	struct local_plan plan;
	struct python_locals *locals;
};

static int add_local(struct gathering *gathering, size_t which, uint64_t i,
		     struct python_local *local)
{
	struct python *python = gathering->python;
	struct python_locals *locals = gathering->locals;
	struct buf *text = &python->codes.text;
	int r = put_name(python, &gathering->plan.parts[which], i, text);

	if (r < 0)
		return r;
	local->name = take_text(text);
	r = follow(&gathering->reader, gathering->plan.is_cell[which], &local->addr, &local->flags);
	buf_reset(text);
	if (r == 0 && local->addr)
		r = value_put(&gathering->reader, local->addr, text);
	if (r < 0 || !local->addr) {
		free(local->name);
		return r;
	}
	local->text = take_text(text);
	locals->items =
		vec_grow(locals->items, &locals->cap, locals->n + 1, sizeof(*locals->items));
	locals->items[locals->n++] = *local;
	return 0;
}

/* An argument that is a cell has no value in its own place (<= 3.10): its name stands among the arguments. */
static bool is_argument_name(struct python *python, const struct local_plan *plan,
			     const struct names_part *part, uint64_t i)
{
	const uint64_t n = min_of(plan->n_arguments, plan->parts[0].n);
	raddr_t cell, name;

	if (memory_read_u64(python->memory, part->tuple + python->layout.tuple_items + i * 8,
			    &cell) < 0)
		return false;
	/* Both tuples name it by the same interned string. */
	for (uint64_t k = 0; k < n && k < PYTHON_MAX_LOCALS; k++)
		if (memory_read_u64(python->memory,
				    plan->parts[0].tuple + python->layout.tuple_items + k * 8,
				    &name) == 0 &&
		    name == cell)
			return true;
	return false;
}

static int add_place(struct gathering *gathering, size_t which, uint64_t i, raddr_t place)
{
	struct python *python = gathering->python;
	const struct local_plan *plan = &gathering->plan;
	struct python_local local = {0};
	raddr_t object;
	int r = memory_read_u64(python->memory, place, &object);

	if (r < 0 || !object)
		return r;
	if (python->layout.frame_code_tag && (object & TAG_BITS) == TAG_INT)
		return 0;
	local.addr = object & ~(raddr_t)TAG_BITS;
	if (!local.addr)
		return 0;
	if (which == 0 ? i < plan->n_arguments
		       : which == 1 && is_argument_name(python, plan, &plan->parts[which], i))
		local.flags = PYTHON_LOCAL_ARGUMENT;
	return add_local(gathering, which, i, &local);
}

static int add_all(struct gathering *gathering, raddr_t places)
{
	const struct local_plan *plan = &gathering->plan;
	struct python_locals *locals = gathering->locals;
	uint64_t at = 0;
	int r = 0;

	for (size_t which = 0; r == 0 && which < array_len(plan->parts); which++)
		for (uint64_t i = 0; r == 0 && i < plan->parts[which].n; i++, at++) {
			if (at >= PYTHON_MAX_LOCALS || locals->n >= locals->max) {
				locals->is_cut = true;
				return 0;
			}
			r = add_place(gathering, which, i, places + at * 8);
		}
	return r;
}

/* ---- a frame ---- */

static const struct raw_frame *frame_at(const struct python *python, const struct chain *chain,
					uint32_t frame)
{
	for (size_t i = 0; i < chain->n; i++)
		if (frame_is_shown(python, &chain->frames[i]) && frame-- == 0)
			return &chain->frames[i];
	return NULL;
}

int python_locals(struct python *python, uint32_t thread, uint32_t frame,
		  const struct python_value_limits *limits, struct python_locals *locals)
{
	const struct raw_frame *raw = NULL;
	struct value_limits own = {.max_chars = limits->max_chars,
				   .max_items = limits->max_items,
				   .max_depth = limits->max_depth};
	struct gathering gathering = {.python = python, .locals = locals};

	python_locals_reset(locals);
	if (thread < python->n_threads)
		raw = frame_at(python, &python->tracks[thread]->now, frame);
	if (!raw)
		return -ENOENT;
	value_reader_init(&gathering.reader, python->memory, &python->layout, &own);
	memory_budget_set(python->memory, limits->max_reads, limits->max_bytes);
	locals->max = limits->max_locals;
	int r = plan_locals(python, raw->code, &gathering.plan);
	if (r == 0)
		r = add_all(&gathering, raw->addr + python->layout.frame_locals);
	if (r == ERR_LIMIT || r == -EFAULT || r == ERR_CORRUPT) {
		locals->is_cut = true; /* what was read so far is shown */
		return 0;
	}
	return r;
}

static bool is_named(struct python *python, const struct raw_frame *frame,
		     const char *const *functions, size_t n)
{
	const struct code *code = code_get(&python->codes, frame->id);
	const char *name =
		code->is_interned ? names_text(python->names, code->name, NULL) : code->texts[0];
	const char *qualname = code->is_interned ? names_text(python->names, code->qualname, NULL)
						 : code->texts[2];

	for (size_t i = 0; i < n; i++)
		if (strcmp(functions[i], name) == 0 ||
		    (qualname && strcmp(functions[i], qualname) == 0))
			return true;
	return false;
}

bool python_find_function(struct python *python, uint32_t thread, const char *const *functions,
			  size_t n, uint32_t *ret_frame)
{
	const struct chain *chain = &python->tracks[thread]->now;
	uint32_t frame = 0;

	for (size_t i = 0; i < chain->n; i++) {
		if (!frame_is_shown(python, &chain->frames[i]))
			continue;
		if (is_named(python, &chain->frames[i], functions, n)) {
			*ret_frame = frame;
			return true;
		}
		frame++;
	}
	return false;
}

void python_locals_reset(struct python_locals *locals)
{
	for (size_t i = 0; i < locals->n; i++) {
		free(locals->items[i].name);
		free(locals->items[i].text);
	}
	locals->n = 0;
	locals->is_cut = false;
}

void python_locals_done(struct python_locals *locals)
{
	python_locals_reset(locals);
	free(locals->items);
	*locals = (struct python_locals){0};
}
