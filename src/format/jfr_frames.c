/* SPDX-License-Identifier: Apache-2.0 */
/* Stack traces to frames: method, class and symbol of each function are looked up once a chunk. */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "format/jfr_private.h"
#include "format/marker.h"

/* Frames of all traces times the series that have them: seconds of work, not minutes. */
#define MAX_FRAMES_PUSHED (64u << 20)
#define UNKNOWN_NAME "[unknown]"

void jfr_frames_init(struct jfr_frames *frames, struct names *names, uint64_t *pushed)
{
	*frames = (struct jfr_frames){.names = names, .pushed = pushed};
	/* Class and method, each of which jfr_text_decode() bounds (three bytes for one of UTF-16). */
	buf_init(&frames->name, 8 * JFR_TEXT_MAX_BYTES);
}

void jfr_frames_done(struct jfr_frames *frames)
{
	for (size_t i = 0; i < array_len(frames->methods); i++)
		map64_done(&frames->methods[i]);
	map64_done(&frames->kinds);
	map64_done(&frames->lines);
	free(frames->functions);
	buf_done(&frames->name);
}

/* ---- functions ---- */

/* What is no Java at all: async-profiler tells C++ and kernel frames from Java's native methods. */
static enum frame_kind find_kind(struct jfr_frames *frames, struct jfr_chunk *chunk,
				 uint64_t frame_type)
{
	struct jfr_record record;
	enum frame_kind kind = FRAME_OTHER;

	buf_reset(&frames->name);
	if (jfr_constant(chunk, JFR_FRAME_TYPE, frame_type, &record))
		jfr_field_text(chunk, &record, JFR_DESCRIPTION, &frames->name);
	if (!frames->name.len)
		return kind;
	if (strcmp(frames->name.data, "Kernel") == 0)
		kind = FRAME_KERNEL;
	else if (strcmp(frames->name.data, "Native") == 0 || strcmp(frames->name.data, "C++") == 0)
		kind = FRAME_NATIVE;
	return kind;
}

static enum frame_kind kind_of(struct jfr_frames *frames, struct jfr_chunk *chunk,
			       uint64_t frame_type)
{
	bool is_new;
	uint32_t *kind = map64_put(&frames->kinds, frame_type, &is_new);

	if (is_new)
		*kind = find_kind(frames, chunk, frame_type);
	return (enum frame_kind) * kind;
}

/* "java/util" of java/util/HashMap; of native code the library, which stands in the class's place. */
static struct str_id module_of(struct names *names, enum frame_kind kind, const struct buf *class)
{
	const char *slash = class->len ? memrchr(class->data, '/', class->len) : NULL;

	if (kind == FRAME_NATIVE && (!slash || memmem(class->data, class->len, ".so", 3)))
		return names_str(names, class->data, class->len);
	return slash ? names_str(names, class->data, (size_t)(slash - class->data))
		     : (struct str_id){0};
}

static void class_name(struct jfr_chunk *chunk, const struct jfr_record *method, struct buf *out)
{
	struct jfr_record class;

	if (jfr_record_has(method, JFR_TYPE) &&
	    jfr_constant(chunk, JFR_CLASS, method->value[JFR_TYPE], &class))
		jfr_field_text(chunk, &class, JFR_NAME, out);
	jfr_merge_generated(out);
}

static struct frame new_function(struct jfr_frames *frames, struct jfr_chunk *chunk,
				 uint64_t method_id, enum frame_kind kind)
{
	struct frame frame = {.kind = (uint8_t)kind};
	struct buf *name = &frames->name;
	struct jfr_record method;

	buf_reset(name);
	if (jfr_constant(chunk, JFR_METHOD_TYPE, method_id, &method)) {
		class_name(chunk, &method, name);
		frame.module = module_of(frames->names, kind, name);
		if (name->len)
			buf_putc(name, '.');
		jfr_field_text(chunk, &method, JFR_NAME, name);
	}
	if (!name->len)
		buf_puts(name, UNKNOWN_NAME);
	frame.name = names_str(frames->names, name->data, name->len);
	return frame;
}

static uint32_t function_of(struct jfr_frames *frames, struct jfr_chunk *chunk, uint64_t method,
			    enum frame_kind kind)
{
	uint32_t *index = map64_put(&frames->methods[kind], method, NULL);

	if (*index)
		return *index - 1;
	frames->functions = vec_grow(frames->functions, &frames->functions_cap,
				     frames->n_functions + 1, sizeof(*frames->functions));
	frames->functions[frames->n_functions] = new_function(frames, chunk, method, kind);
	*index = (uint32_t)++frames->n_functions;
	return *index - 1;
}

/* ---- traces ---- */

static struct frame_id frame_of(struct jfr_frames *frames, struct jfr_chunk *chunk,
				const struct jfr_record *record)
{
	uint64_t type = jfr_record_has(record, JFR_TYPE) ? record->value[JFR_TYPE] : 0;
	uint64_t method = jfr_record_has(record, JFR_METHOD) ? record->value[JFR_METHOD] : 0;
	uint32_t line = jfr_record_has(record, JFR_LINE) ? (uint32_t)record->value[JFR_LINE] : 0;
	uint32_t function = function_of(frames, chunk, method, kind_of(frames, chunk, type));
	bool is_new;
	uint32_t *id = map64_put(&frames->lines, (uint64_t)function << 32 | line, &is_new);
	struct frame frame;

	if (!is_new)
		return (struct frame_id){*id};
	frame = frames->functions[function];
	/* -1 and -2 are no lines. */
	frame.line = line <= INT32_MAX ? line : 0;
	*id = names_frame(frames->names, &frame).v;
	return (struct frame_id){*id};
}

static int push_frames(struct jfr_frames *frames, struct jfr_chunk *chunk,
		       const struct jfr_record *trace, struct stack *stack, struct err *err)
{
	struct jfr_cursor at = trace->array;
	struct jfr_record record;

	for (uint64_t i = 0; i < trace->value[JFR_FRAMES]; i++) {
		if ((*frames->pushed)++ == MAX_FRAMES_PUSHED)
			return err_set(err, ERR_LIMIT, "the stacks have more than %u frames",
				       MAX_FRAMES_PUSHED);
		if (!jfr_record_read(chunk, &at, trace->array_type, &record))
			return err_set(err, ERR_CORRUPT,
				       "not a valid JFR recording: a stack is malformed");
		stack_push(stack, frame_of(frames, chunk, &record));
	}
	if (jfr_record_has(trace, JFR_TRUNCATED) && trace->value[JFR_TRUNCATED])
		stack_push(stack, marker_frame(frames->names, STACK_DEEPER_MARKER));
	return 0;
}

int jfr_push_trace(struct jfr_frames *frames, struct jfr_chunk *chunk, uint64_t trace,
		   struct stack *stack, struct err *err)
{
	struct frame unknown = {.name = names_cstr(frames->names, UNKNOWN_NAME)};
	struct jfr_record record;

	if (jfr_constant(chunk, JFR_TRACE, trace, &record) && jfr_record_has(&record, JFR_FRAMES) &&
	    record.value[JFR_FRAMES] && record.array_type)
		return push_frames(frames, chunk, &record, stack, err);
	stack_push(stack, names_frame(frames->names, &unknown));
	return 0;
}
