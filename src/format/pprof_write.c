/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the tree writes the samples and numbers what they use in the order of first use; the
 * tables follow behind, since protobuf does not mind.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/gzip.h"
#include "codec/proto.h"
#include "format/marker.h"
#include "format/pprof.h"
#include "format/pprof_private.h"

/* Things numbered from 1 in the order of first use. */
struct numbering {
	struct map64 map;
	uint64_t *keys; /* [number - 1] */
	size_t cap;
	uint32_t n;
};

/* A sample type of the file: our columns that differ in their state only. */
struct value_type {
	struct str_id type, unit;
	int16_t columns[PROFILE_MAX_COLUMNS]; /* per entry of writer.states, -1: none */
};

struct writer {
	const struct profile *profile;
	const struct names *names;
	struct buf *out;
	struct value_type types[PROFILE_MAX_COLUMNS];
	struct str_id states[PROFILE_MAX_COLUMNS]; /* distinct, the empty one (none) among them */
	size_t n_types, n_states;
	struct numbering strings, functions, locations, mappings;
	struct buf list; /* packed numbers of one sample */
};

static const char *const words[] = {
	PPROF_LABEL_PID,	 PPROF_LABEL_PROCESS, PPROF_LABEL_THREAD_ID,
	PPROF_LABEL_THREAD_NAME, PPROF_LABEL_STATE,   PPROF_KERNEL_FILE,
};

enum word {
	WORD_PID,
	WORD_PROCESS,
	WORD_THREAD_ID,
	WORD_THREAD_NAME,
	WORD_STATE,
	WORD_KERNEL,
	WORD_COUNT,
};

/* What a string's key stands for: a string of the names, one of our words, or a marker's text. */
#define KEY_WORD (1ull << 32)
#define KEY_MARKER_TEXT (2ull << 32) /* + frame id */
#define KEY_KERNEL UINT64_MAX	     /* of a mapping; others are (module, build id) */

static uint32_t number_of(struct numbering *numbering, uint64_t key)
{
	bool is_new;
	uint32_t *number = map64_put(&numbering->map, key, &is_new);

	if (is_new) {
		numbering->keys = vec_grow(numbering->keys, &numbering->cap, numbering->n + 1u,
					   sizeof(*numbering->keys));
		numbering->keys[numbering->n] = key;
		*number = ++numbering->n;
	}
	return *number;
}

static void numbering_done(struct numbering *numbering)
{
	map64_done(&numbering->map);
	free(numbering->keys);
}

static uint32_t string_number(struct writer *writer, struct str_id id)
{
	return id.v ? number_of(&writer->strings, id.v) : 0;
}

static void writer_done(struct writer *writer)
{
	numbering_done(&writer->strings);
	numbering_done(&writer->functions);
	numbering_done(&writer->locations);
	numbering_done(&writer->mappings);
	buf_done(&writer->list);
}

/* ---- sample types ---- */

static struct value_type *type_of_column(struct writer *writer, const struct sample_type *column)
{
	struct value_type *type;

	for (size_t i = 0; i < writer->n_types; i++) {
		type = &writer->types[i];
		if (type->type.v == column->type.v && type->unit.v == column->unit.v)
			return type;
	}
	type = &writer->types[writer->n_types++];
	*type = (struct value_type){.type = column->type, .unit = column->unit};
	memset(type->columns, -1, sizeof(type->columns));
	return type;
}

static size_t state_slot(struct writer *writer, struct str_id state)
{
	size_t slot = 0;

	while (slot < writer->n_states && writer->states[slot].v != state.v)
		slot++;
	if (slot == writer->n_states)
		writer->states[writer->n_states++] = state;
	return slot;
}

static void collect_types(struct writer *writer, const char *only_type)
{
	for (size_t i = 0; i < writer->profile->n_columns; i++) {
		const struct sample_type *column = &writer->profile->columns[i].type;
		size_t slot;

		if (only_type &&
		    strcmp(names_text(writer->names, column->type, NULL), only_type) != 0)
			continue;
		slot = state_slot(writer, column->state);
		type_of_column(writer, column)->columns[slot] = (int16_t)i;
	}
}

static void put_value_type(struct writer *writer, uint32_t number, struct str_id type,
			   struct str_id unit)
{
	size_t begin = proto_begin(writer->out, number);

	proto_put_uint(writer->out, VALUE_TYPE_TYPE, string_number(writer, type));
	proto_put_uint(writer->out, VALUE_TYPE_UNIT, string_number(writer, unit));
	proto_end(writer->out, begin);
}

/* ---- samples ---- */

static void put_text_label(struct writer *writer, enum word key, uint64_t text_key)
{
	size_t begin = proto_begin(writer->out, SAMPLE_LABEL);

	proto_put_uint(writer->out, PPROF_LABEL_KEY, number_of(&writer->strings, KEY_WORD + key));
	proto_put_uint(writer->out, PPROF_LABEL_STR, number_of(&writer->strings, text_key));
	proto_end(writer->out, begin);
}

static void put_number_label(struct writer *writer, enum word key, int64_t value)
{
	size_t begin = proto_begin(writer->out, SAMPLE_LABEL);

	proto_put_uint(writer->out, PPROF_LABEL_KEY, number_of(&writer->strings, KEY_WORD + key));
	proto_put_int(writer->out, PPROF_LABEL_NUM, value);
	proto_end(writer->out, begin);
}

static void put_marker_labels(struct writer *writer, struct frame_id frame)
{
	struct marker marker = marker_of(writer->names, frame);
	bool is_process = marker.kind == MARKER_PROCESS;

	if (marker.id)
		put_number_label(writer, is_process ? WORD_PID : WORD_THREAD_ID, marker.id);
	if (*marker.text)
		put_text_label(writer, is_process ? WORD_PROCESS : WORD_THREAD_NAME,
			       KEY_MARKER_TEXT + frame.v);
}

/*
 * How many frames at the root are labels here: process markers (ancestors first), then a thread marker;
 * either may be missing.
 */
static uint16_t label_depth(const struct writer *writer, const struct frame_id *path, size_t n)
{
	uint16_t depth = 0;

	while (depth < n && marker_of(writer->names, path[depth]).kind == MARKER_PROCESS)
		depth++;
	if (depth < n && marker_of(writer->names, path[depth]).kind == MARKER_THREAD)
		depth++;
	return depth;
}

static void put_stack(struct writer *writer, const struct frame_id *path, size_t n, uint16_t labels)
{
	buf_reset(&writer->list);
	for (size_t i = n; i-- > labels;)
		buf_put_varint(&writer->list, number_of(&writer->locations, path[i].v));
	if (writer->list.len)
		proto_put_bytes(writer->out, SAMPLE_LOCATION_ID, writer->list.data,
				writer->list.len);
}

/* The values of a node in one state, packed; false when all are 0. */
static bool pack_values(struct writer *writer, struct node_id node, size_t slot)
{
	bool has_value = false;

	buf_reset(&writer->list);
	for (size_t i = 0; i < writer->n_types; i++) {
		int16_t column = writer->types[i].columns[slot];
		int64_t value =
			column < 0 ? 0 : profile_value(writer->profile, (size_t)column, node);

		has_value |= value != 0;
		buf_put_varint(&writer->list, (uint64_t)value);
	}
	return has_value;
}

static void put_sample(struct writer *writer, struct node_id node, struct str_id state)
{
	struct frame_id path[TREE_MAX_DEPTH];
	size_t n = tree_path(&writer->profile->tree, node, path, TREE_MAX_DEPTH);
	uint16_t labels = label_depth(writer, path, n);
	size_t begin = proto_begin(writer->out, PROFILE_SAMPLE);

	proto_put_bytes(writer->out, SAMPLE_VALUE, writer->list.data, writer->list.len);
	put_stack(writer, path, n, labels);
	for (uint16_t i = 0; i < labels; i++)
		/* Of processes the innermost: its ancestors have no label. */
		if (i + 1 == labels || marker_of(writer->names, path[i + 1]).kind == MARKER_THREAD)
			put_marker_labels(writer, path[i]);
	if (state.v)
		put_text_label(writer, WORD_STATE, state.v);
	proto_end(writer->out, begin);
}

static void put_samples(struct writer *writer)
{
	for (uint32_t node = 0; node < writer->profile->tree.n && !writer->out->overflow; node++)
		for (size_t slot = 0; slot < writer->n_states; slot++)
			if (pack_values(writer, (struct node_id){node}, slot))
				put_sample(writer, (struct node_id){node}, writer->states[slot]);
}

/* ---- tables ---- */

/* A mapping is a module (with its build id, where we know it); 0: none. */
static uint32_t mapping_number(struct writer *writer, const struct frame *frame)
{
	if (frame->kind == FRAME_KERNEL)
		return number_of(&writer->mappings, KEY_KERNEL);
	if (frame->kind != FRAME_NATIVE || !(frame->module.v | frame->build_id.v))
		return 0;
	return number_of(&writer->mappings, (uint64_t)frame->module.v << 32 | frame->build_id.v);
}

static void put_locations(struct writer *writer)
{
	for (uint32_t i = 0; i < writer->locations.n; i++) {
		struct frame_id id = {(uint32_t)writer->locations.keys[i]};
		const struct frame *frame = names_frame_get(writer->names, id);
		uint32_t func = names_func_of(writer->names, id).v, mapping;
		size_t begin = proto_begin(writer->out, PROFILE_LOCATION), line;

		proto_put_uint(writer->out, LOCATION_ID, i + 1);
		mapping = mapping_number(writer, frame);
		if (mapping)
			proto_put_uint(writer->out, LOCATION_MAPPING_ID, mapping);
		if (frame->address)
			proto_put_uint(writer->out, LOCATION_ADDRESS, frame->address);
		line = proto_begin(writer->out, LOCATION_LINE);
		proto_put_uint(writer->out, LINE_FUNCTION_ID, number_of(&writer->functions, func));
		if (frame->line)
			proto_put_uint(writer->out, LINE_LINE, frame->line);
		if (frame->column)
			proto_put_uint(writer->out, LINE_COLUMN, frame->column);
		proto_end(writer->out, line);
		proto_end(writer->out, begin);
	}
}

static void put_functions(struct writer *writer)
{
	for (uint32_t i = 0; i < writer->functions.n; i++) {
		struct func_id id = {(uint32_t)writer->functions.keys[i]};
		const struct frame *frame = names_func_get(writer->names, id);
		struct str_id system = frame->qualname.v ? frame->qualname : frame->name;
		size_t begin = proto_begin(writer->out, PROFILE_FUNCTION);

		proto_put_uint(writer->out, FUNCTION_ID, i + 1);
		proto_put_uint(writer->out, FUNCTION_NAME, string_number(writer, frame->name));
		proto_put_uint(writer->out, FUNCTION_SYSTEM_NAME, string_number(writer, system));
		if (frame->file.v)
			proto_put_uint(writer->out, FUNCTION_FILENAME,
				       string_number(writer, frame->file));
		if (frame->first_line)
			proto_put_uint(writer->out, FUNCTION_START_LINE, frame->first_line);
		proto_end(writer->out, begin);
	}
}

/*
 * The "has" flags keep pprof from looking for the binary on the reader's machine.  The range is all of
 * memory: addresses are those of the file, not of one process.
 */
static void put_mappings(struct writer *writer)
{
	for (uint32_t i = 0; i < writer->mappings.n; i++) {
		uint64_t key = writer->mappings.keys[i];
		bool is_kernel = key == KEY_KERNEL;
		size_t begin = proto_begin(writer->out, PROFILE_MAPPING);

		proto_put_uint(writer->out, MAPPING_ID, i + 1);
		proto_put_uint(
			writer->out, MAPPING_FILENAME,
			is_kernel ? number_of(&writer->strings, KEY_WORD + WORD_KERNEL)
				  : string_number(writer, (struct str_id){(uint32_t)(key >> 32)}));
		if (!is_kernel && (uint32_t)key)
			proto_put_uint(writer->out, MAPPING_BUILD_ID,
				       string_number(writer, (struct str_id){(uint32_t)key}));
		for (uint32_t flag = MAPPING_HAS_FUNCTIONS; flag <= MAPPING_HAS_LINES; flag++)
			proto_put_uint(writer->out, flag, 1);
		proto_end(writer->out, begin);
	}
}

static const char *string_text(const struct writer *writer, uint64_t key)
{
	uint32_t id = (uint32_t)key;

	switch (key & ~(uint64_t)UINT32_MAX) {
	case KEY_WORD:
		return words[id];
	case KEY_MARKER_TEXT:
		return marker_of(writer->names, (struct frame_id){id}).text;
	default:
		return names_text(writer->names, (struct str_id){id}, NULL);
	}
}

static void put_strings(struct writer *writer)
{
	proto_put_str(writer->out, PROFILE_STRING_TABLE, "");
	for (uint32_t i = 0; i < writer->strings.n; i++)
		proto_put_str(writer->out, PROFILE_STRING_TABLE,
			      string_text(writer, writer->strings.keys[i]));
}

/* ---- the whole ---- */

static void put_head(struct writer *writer, const char *default_type)
{
	const struct profile *profile = writer->profile;

	for (size_t i = 0; i < writer->n_types; i++)
		put_value_type(writer, PROFILE_SAMPLE_TYPE, writer->types[i].type,
			       writer->types[i].unit);
	if (profile->period_type.v)
		put_value_type(writer, PROFILE_PERIOD_TYPE, profile->period_type,
			       profile->period_unit);
	proto_put_int(writer->out, PROFILE_PERIOD, profile->period);
	proto_put_int(writer->out, PROFILE_TIME_NANOS, profile->start_ns);
	proto_put_int(writer->out, PROFILE_DURATION_NANOS, profile->duration_ns);
	for (size_t i = 0; default_type && i < writer->n_types; i++)
		if (strcmp(names_text(writer->names, writer->types[i].type, NULL), default_type) ==
		    0)
			proto_put_uint(writer->out, PROFILE_DEFAULT_SAMPLE_TYPE,
				       string_number(writer, writer->types[i].type));
}

static int write_raw(const struct profile *profile, const struct pprof_write_opts *opts,
		     struct buf *out, struct err *err)
{
	cleanup(writer_done) struct writer writer = {
		.profile = profile, .names = profile->names, .out = out};

	buf_init(&writer.list, (size_t)TREE_MAX_DEPTH * 10); /* bytes of the longest varint */
	collect_types(&writer, opts->only_type);
	put_head(&writer, opts->default_type);
	put_samples(&writer);
	put_locations(&writer);
	put_functions(&writer);
	put_mappings(&writer);
	put_strings(&writer);
	if (out->overflow)
		return err_set(err, ERR_LIMIT, "the pprof output is over its limit of %zu bytes",
			       out->ceiling);
	return 0;
}

int pprof_write_profile(const struct profile *profile, const struct pprof_write_opts *opts,
			struct buf *out, struct err *err)
{
	cleanup(buf_done) struct buf raw = {0};
	int r;

	if (!opts->compress)
		return write_raw(profile, opts, out, err);
	buf_init(&raw, out->ceiling);
	r = write_raw(profile, opts, &raw, err);
	if (r < 0)
		return r;
	return gzip_compress(raw.data, raw.len, opts->level ? opts->level : GZIP_DEFAULT_LEVEL, out,
			     err);
}

int pprof_write(const struct format_output *output, struct buf *out, struct err *err)
{
	const struct profile *profile = output->profile;
	struct pprof_write_opts opts = {.compress = true};

	if (output->column < profile->n_columns)
		opts.default_type = names_text(profile->names,
					       profile->columns[output->column].type.type, NULL);
	return pprof_write_profile(output->profile, &opts, out, err);
}
