/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, functions and locations of a pprof file as our names and frames, each made on first use. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "format/frame_kind.h"
#include "format/marker.h"
#include "format/pprof_private.h"

#define UNKNOWN_NAME "[unknown]"
#define RESERVE_MAX 4096u
#define FUNCTION_FRAMES_MAX 1024u /* 64 KiB */

void pprof_frames_init(struct pprof_frames *frames, const struct pprof_tables *tables,
		       struct names *names, struct stack *stack)
{
	uint32_t n_used = min_of((uint32_t)tables->n_locations, (uint32_t)tables->n_samples * 4);

	*frames = (struct pprof_frames){.tables = tables, .names = names, .stack = stack};
	names_reserve(names, min_of((uint32_t)tables->n_strings, RESERVE_MAX),
		      min_of(n_used, RESERVE_MAX));
	frames->strings = xcalloc(tables->n_strings, sizeof(*frames->strings));
	frames->file_kinds = xcalloc(tables->n_strings, sizeof(*frames->file_kinds));
	frames->n_function_frames = 1;
	while (frames->n_function_frames < FUNCTION_FRAMES_MAX &&
	       frames->n_function_frames <= tables->n_functions)
		frames->n_function_frames *= 2;
	frames->function_frames =
		xcalloc(frames->n_function_frames, sizeof(*frames->function_frames));
	frames->line_frames = xcalloc(tables->n_lines, sizeof(*frames->line_frames));
	frames->location_frames = xcalloc(tables->n_locations, sizeof(*frames->location_frames));
}

void pprof_frames_done(struct pprof_frames *frames)
{
	free(frames->strings);
	free(frames->file_kinds);
	free(frames->function_frames);
	free(frames->line_frames);
	free(frames->location_frames);
	*frames = (struct pprof_frames){0};
}

struct str_id pprof_string_id(struct pprof_frames *frames, uint32_t index)
{
	const struct pprof_text *text = &frames->tables->strings[index];
	uint32_t *known = &frames->strings[index];

	if (!*known)
		*known = names_str(frames->names, text->bytes, text->len).v + 1;
	return (struct str_id){*known - 1};
}

const char *pprof_string_text(struct pprof_frames *frames, uint32_t index)
{
	return names_text(frames->names, pprof_string_id(frames, index), NULL);
}

static const struct pprof_mapping *mapping_of(const struct pprof_frames *frames,
					      const struct pprof_location *location)
{
	return location->mapping ? &frames->tables->mappings[location->mapping - 1] : NULL;
}

static enum frame_kind kind_of_file(struct pprof_frames *frames, uint32_t file)
{
	uint8_t *known = &frames->file_kinds[file];

	if (!*known)
		*known = (uint8_t)(frame_kind_of_file(pprof_string_text(frames, file)) + 1);
	return (enum frame_kind)(*known - 1);
}

/* The profile does not say what kind of code it is; the places where it comes from do. */
static enum frame_kind kind_of(struct pprof_frames *frames, const struct pprof_mapping *mapping,
			       struct str_id name_id, uint32_t file)
{
	enum frame_kind kind = kind_of_file(frames, file);
	const char *name;
	size_t len;

	if (kind == FRAME_PYTHON)
		return kind;
	if (mapping && mapping->file)
		return strncmp(pprof_string_text(frames, mapping->file), "[kernel", 7) == 0
			       ? FRAME_KERNEL
			       : FRAME_NATIVE;
	name = names_text(frames->names, name_id, &len);
	if (!*pprof_string_text(frames, file) &&
	    ((len > 2 && name[0] == '[' && name[len - 1] == ']') ||
	     marker_parse(name).kind != MARKER_NONE))
		return FRAME_MARKER;
	return kind;
}

static void set_module(struct pprof_frames *frames, const struct pprof_mapping *mapping,
		       struct frame *frame)
{
	if (!mapping || frame->kind != FRAME_NATIVE)
		return;
	frame->module = pprof_string_id(frames, mapping->file);
	frame->build_id = pprof_string_id(frames, mapping->build_id);
}

static struct frame make_function_frame(struct pprof_frames *frames,
					const struct pprof_location *location,
					const struct pprof_function *function)
{
	const struct pprof_mapping *mapping = mapping_of(frames, location);
	struct frame frame = {.first_line = function->start_line, .kind = location->kind};
	uint32_t name = function->name ? function->name : function->system_name;

	frame.name = name ? pprof_string_id(frames, name) : names_cstr(frames->names, UNKNOWN_NAME);
	frame.file = pprof_string_id(frames, function->file);
	if (frame.kind == FRAME_OTHER)
		frame.kind = (uint8_t)kind_of(frames, mapping, frame.name, function->file);
	if (frame.kind == FRAME_PYTHON && function->system_name &&
	    pprof_string_id(frames, function->system_name).v != frame.name.v)
		frame.qualname = pprof_string_id(frames, function->system_name);
	if (frame.kind == FRAME_MARKER)
		frame.first_line = 0;
	set_module(frames, mapping, &frame);
	return frame;
}

/* What the frames of one function have in common; made again where another function, mapping or kind took its place. */
static const struct frame *function_frame(struct pprof_frames *frames,
					  const struct pprof_location *location, uint32_t function)
{
	static const struct pprof_function none = {0};
	struct pprof_function_frame *known =
		&frames->function_frames[function & (frames->n_function_frames - 1)];
	uint64_t made_for = (uint64_t)location->mapping << 8 | location->kind;

	if (!known->is_made || known->function != function || known->made_for != made_for)
		*known = (struct pprof_function_frame){
			.frame = make_function_frame(
				frames, location,
				function ? &frames->tables->functions[function - 1] : &none),
			.made_for = made_for,
			.function = function,
			.is_made = true,
		};
	return &known->frame;
}

static struct frame_id make_line_frame(struct pprof_frames *frames,
				       const struct pprof_location *location,
				       const struct pprof_line *line)
{
	struct frame frame = *function_frame(frames, location, line->function);

	if (frame.kind != FRAME_MARKER) {
		frame.line = line->line;
		frame.column = line->column;
	}
	return names_frame(frames->names, &frame);
}

/* A location without lines was never symbolised: it keeps its address, so that it still can be. */
static struct frame_id make_bare_frame(struct pprof_frames *frames,
				       const struct pprof_location *location)
{
	const struct pprof_mapping *mapping = mapping_of(frames, location);
	struct frame frame = {.kind = location->kind ? location->kind : FRAME_NATIVE};
	char name[32];

	snprintf(name, sizeof(name), "0x%" PRIx64, location->address);
	frame.name = names_cstr(frames->names, location->address ? name : UNKNOWN_NAME);
	set_module(frames, mapping, &frame);
	if (frame.build_id.v)
		frame.address = location->address;
	return names_frame(frames->names, &frame);
}

static struct frame_id line_frame(struct pprof_frames *frames,
				  const struct pprof_location *location, uint32_t line)
{
	uint32_t *known = &frames->line_frames[line];

	if (!*known)
		*known = make_line_frame(frames, location, &frames->tables->lines[line]).v + 1;
	return (struct frame_id){*known - 1};
}

void pprof_push_location(struct pprof_frames *frames, uint32_t index)
{
	const struct pprof_location *location = &frames->tables->locations[index];
	struct frame_id frame;

	frames->pushed += max_of(location->n_lines, 1u);
	if (location->n_lines > 1) {
		for (uint32_t i = 0; i < location->n_lines; i++)
			stack_push(frames->stack,
				   line_frame(frames, location, location->first_line + i));
		return;
	}
	if (location->n_lines)
		frame = make_line_frame(frames, location,
					&frames->tables->lines[location->first_line]);
	else
		frame = make_bare_frame(frames, location);
	frames->location_frames[index] = frame.v + 1;
	stack_push(frames->stack, frame);
}
