/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of a pprof file, in one pass.  They may stand in any order: what refers to another table is
 * resolved last, and of what refers to strings the largest index is checked last.
 */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "codec/proto.h"
#include "format/pprof_private.h"

/* Real files have a tenth of these; each entry costs us some forty bytes. */
#define PPROF_MAX_STRINGS (4u << 20)
#define PPROF_MAX_ENTRIES (4u << 20)
#define RESERVE_MAX_BYTES (1u << 20)
#define PPROF_MAX_LINES_PER_LOCATION 1000 /* functions inlined into one address */

void pprof_tables_done(struct pprof_tables *tables)
{
	free(tables->strings);
	free(tables->types);
	free(tables->samples);
	free(tables->mappings);
	free(tables->functions);
	free(tables->locations);
	free(tables->lines);
	pprof_ids_done(&tables->mapping_ids);
	pprof_ids_done(&tables->function_ids);
	pprof_ids_done(&tables->location_ids);
	*tables = (struct pprof_tables){0};
}

static int malformed(const char *what, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "not a valid pprof: the %s is malformed or cut off", what);
}

static int too_many(const char *what, uint64_t limit, struct err *err)
{
	return err_because(err, ERR_LIMIT,
			   strcmp(what, "samples") == 0 ? "samples_limit" : "profile_size_limit",
			   "the pprof has more than %llu %s: send shorter ranges",
			   (unsigned long long)limit, what);
}

int pprof_check_string(const struct pprof_tables *tables, uint64_t index, const char *field,
		       struct err *err)
{
	if (index < tables->n_strings)
		return 0;
	return err_set(err, ERR_CORRUPT, "not a valid pprof: %s names string %lld of %zu", field,
		       (long long)index, tables->n_strings);
}

/* ---- messages; each takes its fields, last one wins ---- */

/* A file on its way into tables. */
struct reading {
	struct pprof_tables *tables;
	const struct format_limits *limits;
	/* References between tables as the file has them, until all tables are known; as long as those. */
	uint64_t *line_function, *location_mapping;
	/* The largest index of a string that anything names, and what names it. */
	uint64_t string_max;
	const char *string_max_of;
};

static inline uint32_t string_of(struct reading *reading, uint64_t index, const char *field)
{
	if (index > reading->string_max) {
		reading->string_max = index;
		reading->string_max_of = field;
	}
	return (uint32_t)index;
}

static uint32_t clamp_line(uint64_t line)
{
	return line > UINT32_MAX ? 0 : (uint32_t)line;
}

static int read_value_type(struct reading *reading, struct cursor message,
			   struct pprof_value_type *ret_type, struct err *err)
{
	struct proto_field field;

	while (proto_next(&message, &field)) {
		if (field.number == VALUE_TYPE_TYPE)
			ret_type->type = string_of(reading, field.value, "a value type");
		else if (field.number == VALUE_TYPE_UNIT)
			ret_type->unit = string_of(reading, field.value, "a value type");
	}
	return message.bad ? malformed("value type", err) : 0;
}

static int add_type(struct reading *reading, struct cursor message, struct err *err)
{
	struct pprof_tables *tables = reading->tables;
	struct pprof_value_type type = {0};

	if (tables->n_types >= reading->limits->max_columns)
		return too_many("sample types", reading->limits->max_columns, err);
	if (read_value_type(reading, message, &type, err) < 0)
		return ERR_CORRUPT;
	for (size_t i = 0; i < tables->n_types; i++)
		if (tables->types[i].type == type.type && tables->types[i].unit == type.unit)
			return err_set(err, ERR_CORRUPT,
				       "not a valid pprof: a sample type is there twice");
	tables->types = vec_grow(tables->types, &tables->types_cap, tables->n_types + 1,
				 sizeof(*tables->types));
	tables->types[tables->n_types++] = type;
	return 0;
}

static int add_mapping(struct reading *reading, struct cursor message, struct err *err)
{
	struct pprof_tables *tables = reading->tables;
	struct pprof_mapping mapping = {0};
	struct proto_field field;

	while (proto_next(&message, &field)) {
		if (field.number == MAPPING_ID)
			mapping.id = field.value;
		else if (field.number == MAPPING_FILENAME)
			mapping.file = string_of(reading, field.value, "a mapping");
		else if (field.number == MAPPING_BUILD_ID)
			mapping.build_id = string_of(reading, field.value, "a mapping");
	}
	if (message.bad)
		return malformed("mapping", err);
	if (tables->n_mappings >= PPROF_MAX_ENTRIES)
		return too_many("mappings", PPROF_MAX_ENTRIES, err);
	tables->mappings = vec_grow(tables->mappings, &tables->mappings_cap, tables->n_mappings + 1,
				    sizeof(*tables->mappings));
	tables->mappings[tables->n_mappings++] = mapping;
	return 0;
}

/* What is taken by the thousand is taken by tag; see proto_tag(). */
static bool take_function(struct reading *reading, struct cursor message,
			  struct pprof_function *function)
{
	uint32_t tag;

	while ((tag = proto_tag(&message)))
		switch (tag) {
		case PROTO_TAG(FUNCTION_ID, PROTO_VARINT):
			function->id = proto_take_number(&message);
			break;
		case PROTO_TAG(FUNCTION_NAME, PROTO_VARINT):
			function->name =
				string_of(reading, proto_take_number(&message), "a function");
			break;
		case PROTO_TAG(FUNCTION_SYSTEM_NAME, PROTO_VARINT):
			function->system_name =
				string_of(reading, proto_take_number(&message), "a function");
			break;
		case PROTO_TAG(FUNCTION_FILENAME, PROTO_VARINT):
			function->file =
				string_of(reading, proto_take_number(&message), "a function");
			break;
		case PROTO_TAG(FUNCTION_START_LINE, PROTO_VARINT):
			function->start_line = clamp_line(proto_take_number(&message));
			break;
		default:
			proto_skip(&message, tag);
		}
	return !message.bad;
}

static int add_function(struct reading *reading, struct cursor message, struct err *err)
{
	struct pprof_tables *tables = reading->tables;
	struct pprof_function *function;

	if (tables->n_functions >= PPROF_MAX_ENTRIES)
		return too_many("functions", PPROF_MAX_ENTRIES, err);
	if (tables->n_functions == tables->functions_cap)
		tables->functions =
			vec_grow_raw(tables->functions, &tables->functions_cap,
				     tables->n_functions + 1, sizeof(*tables->functions));
	function = &tables->functions[tables->n_functions++];
	*function = (struct pprof_function){0};
	return take_function(reading, message, function) ? 0 : malformed("function", err);
}

/* The arrays of a location's lines, and of locations, have one capacity each. */
static void grow_lines(struct reading *reading, size_t need)
{
	struct pprof_tables *tables = reading->tables;
	size_t cap = tables->lines_cap;

	reading->line_function =
		vec_grow_raw(reading->line_function, &cap, need, sizeof(*reading->line_function));
	tables->lines =
		vec_grow_raw(tables->lines, &tables->lines_cap, need, sizeof(*tables->lines));
}

static void grow_locations(struct reading *reading, size_t need)
{
	struct pprof_tables *tables = reading->tables;
	size_t cap = tables->locations_cap;

	reading->location_mapping = vec_grow_raw(reading->location_mapping, &cap, need,
						 sizeof(*reading->location_mapping));
	tables->locations = vec_grow_raw(tables->locations, &tables->locations_cap, need,
					 sizeof(*tables->locations));
}

static int add_line(struct reading *reading, struct cursor message, struct err *err)
{
	struct pprof_tables *tables = reading->tables;
	uint64_t function_id = 0;
	struct pprof_line line = {0};
	uint32_t tag;

	while ((tag = proto_tag(&message)))
		switch (tag) {
		case PROTO_TAG(LINE_FUNCTION_ID, PROTO_VARINT):
			function_id = proto_take_number(&message);
			break;
		case PROTO_TAG(LINE_LINE, PROTO_VARINT):
			line.line = clamp_line(proto_take_number(&message));
			break;
		case PROTO_TAG(LINE_COLUMN, PROTO_VARINT):
			line.column = clamp_line(proto_take_number(&message));
			break;
		default:
			proto_skip(&message, tag);
		}
	if (message.bad)
		return malformed("line", err);
	if (tables->n_lines >= PPROF_MAX_ENTRIES)
		return too_many("lines", PPROF_MAX_ENTRIES, err);
	if (!reading->limits->keep_columns)
		line.column = 0;
	if (tables->n_lines == tables->lines_cap)
		grow_lines(reading, tables->n_lines + 1);
	reading->line_function[tables->n_lines] = function_id;
	tables->lines[tables->n_lines++] = line;
	return 0;
}

static int add_location(struct reading *reading, struct cursor message, struct err *err)
{
	struct pprof_tables *tables = reading->tables;
	struct pprof_location location = {.first_line = (uint32_t)tables->n_lines};
	uint64_t mapping_id = 0;
	uint32_t tag;

	while ((tag = proto_tag(&message))) {
		switch (tag) {
		case PROTO_TAG(LOCATION_ID, PROTO_VARINT):
			location.id = proto_take_number(&message);
			continue;
		case PROTO_TAG(LOCATION_MAPPING_ID, PROTO_VARINT):
			mapping_id = proto_take_number(&message);
			continue;
		case PROTO_TAG(LOCATION_ADDRESS, PROTO_VARINT):
			location.address = proto_take_number(&message);
			continue;
		case PROTO_TAG(LOCATION_LINE, PROTO_BYTES):
			break;
		default:
			proto_skip(&message, tag);
			continue;
		}
		if (++location.n_lines > PPROF_MAX_LINES_PER_LOCATION)
			return too_many("lines in one location", PPROF_MAX_LINES_PER_LOCATION, err);
		int r = add_line(reading, proto_take_message(&message), err);
		if (r < 0)
			return r;
	}
	if (message.bad)
		return malformed("location", err);
	if (tables->n_locations >= PPROF_MAX_ENTRIES)
		return too_many("locations", PPROF_MAX_ENTRIES, err);
	if (tables->n_locations == tables->locations_cap)
		grow_locations(reading, tables->n_locations + 1);
	reading->location_mapping[tables->n_locations] = mapping_id;
	tables->locations[tables->n_locations++] = location;
	return 0;
}

static int add_string(struct pprof_tables *tables, const struct proto_field *field, struct err *err)
{
	if (!field->bytes)
		return 0;
	if (tables->n_strings >= PPROF_MAX_STRINGS)
		return too_many("strings", PPROF_MAX_STRINGS, err);
	if (tables->n_strings == tables->strings_cap)
		tables->strings = vec_grow_raw(tables->strings, &tables->strings_cap,
					       tables->n_strings + 1, sizeof(*tables->strings));
	tables->strings[tables->n_strings++] =
		(struct pprof_text){(const char *)field->bytes, field->len};
	return 0;
}

/* What it names is known when all tables are. */
static int add_sample(struct reading *reading, const struct proto_field *field, struct err *err)
{
	struct pprof_tables *tables = reading->tables;

	if (!field->bytes)
		return 0;
	if (tables->n_samples >= reading->limits->max_samples)
		return too_many("samples", reading->limits->max_samples, err);
	if (tables->n_samples == tables->samples_cap)
		tables->samples = vec_grow_raw(tables->samples, &tables->samples_cap,
					       tables->n_samples + 1, sizeof(*tables->samples));
	tables->samples[tables->n_samples++] = proto_message(field);
	return 0;
}

static int read_comments(struct reading *reading, const struct proto_field *field, struct err *err)
{
	struct proto_list list = proto_list(field);
	uint64_t index;

	while (proto_list_next(&list, &index))
		(void)string_of(reading, index, "a comment");
	return list.bad ? malformed("list of comments", err) : 0;
}

static int read_field(struct reading *reading, const struct proto_field *field, struct err *err)
{
	struct pprof_tables *tables = reading->tables;

	switch (field->number) {
	case PROFILE_SAMPLE_TYPE:
		return add_type(reading, proto_message(field), err);
	case PROFILE_SAMPLE:
		return add_sample(reading, field, err);
	case PROFILE_MAPPING:
		return add_mapping(reading, proto_message(field), err);
	case PROFILE_LOCATION:
		return add_location(reading, proto_message(field), err);
	case PROFILE_FUNCTION:
		return add_function(reading, proto_message(field), err);
	case PROFILE_STRING_TABLE:
		return add_string(tables, field, err);
	case PROFILE_PERIOD_TYPE:
		return read_value_type(reading, proto_message(field), &tables->period_type, err);
	case PROFILE_COMMENT:
		return read_comments(reading, field, err);
	case PROFILE_DROP_FRAMES: /* expressions of the uploader: never executed here */
	case PROFILE_KEEP_FRAMES:
	case PROFILE_DEFAULT_SAMPLE_TYPE:
	case PROFILE_DOC_URL:
		(void)string_of(reading, field->value, "the profile");
		break;
	case PROFILE_TIME_NANOS:
		tables->time_ns = (int64_t)field->value;
		break;
	case PROFILE_DURATION_NANOS:
		tables->duration_ns = (int64_t)field->value;
		break;
	case PROFILE_PERIOD:
		tables->period = (int64_t)field->value;
		break;
	default:
		break;
	}
	return 0;
}

/* ---- what names what ---- */

static int check_strings(const struct reading *reading, struct err *err)
{
	const struct pprof_tables *tables = reading->tables;

	if (!tables->n_strings || tables->strings[0].len)
		return err_set(
			err, ERR_CORRUPT,
			"not a valid pprof: its string table does not begin with the empty string");
	return pprof_check_string(tables, reading->string_max, reading->string_max_of, err);
}

/*
 * Early clients of Pyroscope for .NET (dotnetspy) leave the ids of functions out: there are as many as locations, and
 * lines name them by the location's.
 */
static void number_functions(struct pprof_tables *tables)
{
	if (tables->n_functions != tables->n_locations)
		return;
	for (size_t i = 0; i < tables->n_functions; i++)
		if (tables->functions[i].id)
			return;
	for (size_t i = 0; i < tables->n_functions; i++)
		tables->functions[i].id = tables->locations[i].id;
}

static int index_ids(struct pprof_tables *tables, struct err *err)
{
	int r = pprof_ids_init(&tables->mapping_ids, tables->mappings, tables->n_mappings,
			       sizeof(*tables->mappings), err);

	if (r < 0)
		return err_prefix(err, r, "not a valid pprof: mappings");
	number_functions(tables);
	r = pprof_ids_init(&tables->function_ids, tables->functions, tables->n_functions,
			   sizeof(*tables->functions), err);
	if (r < 0)
		return err_prefix(err, r, "not a valid pprof: functions");
	r = pprof_ids_init(&tables->location_ids, tables->locations, tables->n_locations,
			   sizeof(*tables->locations), err);
	return r < 0 ? err_prefix(err, r, "not a valid pprof: locations") : 0;
}

static int resolve(const struct reading *reading, struct err *err)
{
	struct pprof_tables *tables = reading->tables;

	for (size_t i = 0; i < tables->n_lines; i++) {
		uint64_t id = reading->line_function[i];

		tables->lines[i].function = pprof_ids_find(&tables->function_ids, id);
		if (id && !tables->lines[i].function)
			return err_set(
				err, ERR_CORRUPT,
				"not a valid pprof: a line names function %llu, which is not there",
				(unsigned long long)id);
	}
	for (size_t i = 0; i < tables->n_locations; i++) {
		uint64_t id = reading->location_mapping[i];

		tables->locations[i].mapping = pprof_ids_find(&tables->mapping_ids, id);
		if (id && !tables->locations[i].mapping)
			return err_set(err, ERR_CORRUPT,
				       "not a valid pprof: a location names mapping %llu, which is "
				       "not there",
				       (unsigned long long)id);
	}
	return 0;
}

/* ---- the whole ---- */

/* About what real files have for their size: most then never move what they took. */
static void reserve(struct reading *reading, size_t len)
{
	struct pprof_tables *tables = reading->tables;

	len = min_of(len, (size_t)RESERVE_MAX_BYTES);
	tables->strings = vec_grow_raw(tables->strings, &tables->strings_cap, len / 256 + 1,
				       sizeof(*tables->strings));
	tables->functions = vec_grow_raw(tables->functions, &tables->functions_cap, len / 256 + 1,
					 sizeof(*tables->functions));
	tables->samples = vec_grow_raw(tables->samples, &tables->samples_cap, len / 512 + 1,
				       sizeof(*tables->samples));
	grow_lines(reading, len / 64 + 1);
	grow_locations(reading, len / 64 + 1);
}

int pprof_tables_read(struct pprof_tables *tables, const void *data, size_t len,
		      const struct format_limits *limits, struct err *err)
{
	struct reading reading = {.tables = tables, .limits = limits, .string_max_of = "nothing"};
	struct cursor message = cursor_over(data, len);
	struct proto_field field;
	int r = 0;

	reserve(&reading, len);
	while (r == 0 && proto_next(&message, &field))
		r = read_field(&reading, &field, err);
	if (r == 0 && message.bad)
		r = malformed("body", err);
	if (r == 0)
		r = check_strings(&reading, err);
	if (r == 0)
		r = index_ids(tables, err);
	if (r == 0)
		r = resolve(&reading, err);
	if (r == 0 && !tables->n_types)
		r = err_set(err, ERR_CORRUPT, "not a valid pprof: it has no sample type");
	free(reading.line_function);
	free(reading.location_mapping);
	return r;
}
