/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of a pprof file.  Two passes: the first collects strings and samples (tables may stand in
 * any order), the second reads what refers to strings.  What refers to another table is resolved last.
 */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "codec/proto.h"
#include "format/pprof_private.h"

/* Real files have a tenth of these; each entry costs us some forty bytes. */
#define PPROF_MAX_STRINGS (4u << 20)
#define PPROF_MAX_ENTRIES (4u << 20)
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
	map64_done(&tables->mapping_ids.map);
	map64_done(&tables->function_ids.map);
	map64_done(&tables->location_ids.map);
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

/* ---- ids ---- */

static int ids_add(struct pprof_ids *ids, uint64_t id, const char *what, struct err *err)
{
	bool is_new;
	uint32_t *place;

	if (!ids->n)
		ids->is_dense = true;
	if (ids->is_dense && id == ids->n + 1ull) {
		ids->n++;
		return 0;
	}
	if (!id)
		return err_set(err, ERR_CORRUPT, "not a valid pprof: a %s has id 0", what);
	for (uint32_t i = 1; ids->is_dense && i <= ids->n; i++)
		*map64_put(&ids->map, i, NULL) = i;
	ids->is_dense = false;
	place = map64_put(&ids->map, id, &is_new);
	if (!is_new)
		return err_set(err, ERR_CORRUPT, "not a valid pprof: two %ss have id %llu", what,
			       (unsigned long long)id);
	*place = ++ids->n;
	return 0;
}

static uint32_t ids_find(const struct pprof_ids *ids, uint64_t id)
{
	const uint32_t *place;

	if (ids->is_dense)
		return id <= ids->n ? (uint32_t)id : 0;
	place = map64_get(&ids->map, id);
	return place ? *place : 0;
}

uint32_t pprof_find_location(const struct pprof_tables *tables, uint64_t id)
{
	return ids_find(&tables->location_ids, id);
}

/* ---- messages; each takes its fields, last one wins ---- */

static uint32_t clamp_line(uint64_t line)
{
	return line > UINT32_MAX ? 0 : (uint32_t)line;
}

static int read_value_type(const struct pprof_tables *tables, struct cursor message,
			   struct pprof_value_type *ret_type, struct err *err)
{
	struct proto_field field;

	while (proto_next(&message, &field)) {
		if (field.number != VALUE_TYPE_TYPE && field.number != VALUE_TYPE_UNIT)
			continue;
		if (pprof_check_string(tables, field.value, "a value type", err) < 0)
			return ERR_CORRUPT;
		if (field.number == VALUE_TYPE_TYPE)
			ret_type->type = (uint32_t)field.value;
		else
			ret_type->unit = (uint32_t)field.value;
	}
	return message.bad ? malformed("value type", err) : 0;
}

static int add_type(struct pprof_tables *tables, struct cursor message,
		    const struct format_limits *limits, struct err *err)
{
	struct pprof_value_type type = {0};

	if (tables->n_types >= limits->max_columns)
		return too_many("sample types", limits->max_columns, err);
	if (read_value_type(tables, message, &type, err) < 0)
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

static int add_mapping(struct pprof_tables *tables, struct cursor message, struct err *err)
{
	struct pprof_mapping mapping = {0};
	struct proto_field field;

	while (proto_next(&message, &field)) {
		if (field.number == MAPPING_ID)
			mapping.id = field.value;
		if (field.number != MAPPING_FILENAME && field.number != MAPPING_BUILD_ID)
			continue;
		if (pprof_check_string(tables, field.value, "a mapping", err) < 0)
			return ERR_CORRUPT;
		if (field.number == MAPPING_FILENAME)
			mapping.file = (uint32_t)field.value;
		else
			mapping.build_id = (uint32_t)field.value;
	}
	if (message.bad)
		return malformed("mapping", err);
	if (tables->n_mappings >= PPROF_MAX_ENTRIES)
		return too_many("mappings", PPROF_MAX_ENTRIES, err);
	tables->mappings = vec_grow(tables->mappings, &tables->mappings_cap, tables->n_mappings + 1,
				    sizeof(*tables->mappings));
	tables->mappings[tables->n_mappings++] = mapping;
	return ids_add(&tables->mapping_ids, mapping.id, "mapping", err);
}

static int add_function(struct pprof_tables *tables, struct cursor message, struct err *err)
{
	struct pprof_function function = {0};
	struct proto_field field;

	while (proto_next(&message, &field)) {
		switch (field.number) {
		case FUNCTION_ID:
			function.id = field.value;
			continue;
		case FUNCTION_START_LINE:
			function.start_line = clamp_line(field.value);
			continue;
		case FUNCTION_NAME:
		case FUNCTION_SYSTEM_NAME:
		case FUNCTION_FILENAME:
			break;
		default:
			continue;
		}
		if (pprof_check_string(tables, field.value, "a function", err) < 0)
			return ERR_CORRUPT;
		if (field.number == FUNCTION_NAME)
			function.name = (uint32_t)field.value;
		else if (field.number == FUNCTION_SYSTEM_NAME)
			function.system_name = (uint32_t)field.value;
		else
			function.file = (uint32_t)field.value;
	}
	if (message.bad)
		return malformed("function", err);
	if (tables->n_functions >= PPROF_MAX_ENTRIES)
		return too_many("functions", PPROF_MAX_ENTRIES, err);
	tables->functions = vec_grow(tables->functions, &tables->functions_cap,
				     tables->n_functions + 1, sizeof(*tables->functions));
	tables->functions[tables->n_functions++] = function;
	return ids_add(&tables->function_ids, function.id, "function", err);
}

/* References between tables as the file has them, until all tables are known. */
struct references {
	uint64_t *line_function;
	uint64_t *location_mapping;
	size_t line_cap, location_cap;
};

/* The id of its function is kept aside until all functions are known. */
static int add_line(struct pprof_tables *tables, struct cursor message,
		    const struct format_limits *limits, struct references *references,
		    struct err *err)
{
	uint64_t function_id = 0;
	struct pprof_line line = {0};
	struct proto_field field;
	size_t n = tables->n_lines;

	while (proto_next(&message, &field)) {
		if (field.number == LINE_FUNCTION_ID)
			function_id = field.value;
		else if (field.number == LINE_LINE)
			line.line = clamp_line(field.value);
		else if (field.number == LINE_COLUMN && limits->keep_columns)
			line.column = clamp_line(field.value);
	}
	if (message.bad)
		return malformed("line", err);
	if (n >= PPROF_MAX_ENTRIES)
		return too_many("lines", PPROF_MAX_ENTRIES, err);
	tables->lines = vec_grow(tables->lines, &tables->lines_cap, n + 1, sizeof(*tables->lines));
	references->line_function = vec_grow(references->line_function, &references->line_cap,
					     n + 1, sizeof(*references->line_function));
	references->line_function[n] = function_id;
	tables->lines[n] = line;
	tables->n_lines++;
	return 0;
}

static int add_location(struct pprof_tables *tables, struct cursor message,
			const struct format_limits *limits, struct references *references,
			struct err *err)
{
	struct pprof_location location = {.first_line = (uint32_t)tables->n_lines};
	size_t n = tables->n_locations;
	uint64_t mapping_id = 0;
	struct proto_field field;

	while (proto_next(&message, &field)) {
		if (field.number == LOCATION_ID)
			location.id = field.value;
		else if (field.number == LOCATION_MAPPING_ID)
			mapping_id = field.value;
		else if (field.number == LOCATION_ADDRESS)
			location.address = field.value;
		if (field.number != LOCATION_LINE)
			continue;
		if (++location.n_lines > PPROF_MAX_LINES_PER_LOCATION)
			return too_many("lines in one location", PPROF_MAX_LINES_PER_LOCATION, err);
		int r = add_line(tables, proto_message(&field), limits, references, err);
		if (r < 0)
			return r;
	}
	if (message.bad)
		return malformed("location", err);
	if (n >= PPROF_MAX_ENTRIES)
		return too_many("locations", PPROF_MAX_ENTRIES, err);
	tables->locations = vec_grow(tables->locations, &tables->locations_cap, n + 1,
				     sizeof(*tables->locations));
	references->location_mapping =
		vec_grow(references->location_mapping, &references->location_cap, n + 1,
			 sizeof(*references->location_mapping));
	references->location_mapping[n] = mapping_id;
	tables->locations[tables->n_locations++] = location;
	return ids_add(&tables->location_ids, location.id, "location", err);
}

/* ---- the passes ---- */

static int collect(struct pprof_tables *tables, struct cursor message,
		   const struct format_limits *limits, struct err *err)
{
	struct proto_field field;

	while (proto_next(&message, &field)) {
		if (field.number == PROFILE_STRING_TABLE && field.bytes) {
			if (tables->n_strings >= PPROF_MAX_STRINGS)
				return too_many("strings", PPROF_MAX_STRINGS, err);
			tables->strings = vec_grow(tables->strings, &tables->strings_cap,
						   tables->n_strings + 1, sizeof(*tables->strings));
			tables->strings[tables->n_strings++] =
				(struct pprof_text){(const char *)field.bytes, field.len};
		} else if (field.number == PROFILE_SAMPLE && field.bytes) {
			if (tables->n_samples >= limits->max_samples)
				return too_many("samples", limits->max_samples, err);
			tables->samples = vec_grow(tables->samples, &tables->samples_cap,
						   tables->n_samples + 1, sizeof(*tables->samples));
			tables->samples[tables->n_samples++] = proto_message(&field);
		}
	}
	if (message.bad)
		return malformed("body", err);
	if (!tables->n_strings || tables->strings[0].len)
		return err_set(
			err, ERR_CORRUPT,
			"not a valid pprof: its string table does not begin with the empty string");
	return 0;
}

static int read_comments(const struct pprof_tables *tables, const struct proto_field *field,
			 struct err *err)
{
	struct proto_list list = proto_list(field);
	uint64_t index;

	while (proto_list_next(&list, &index))
		if (pprof_check_string(tables, index, "a comment", err) < 0)
			return ERR_CORRUPT;
	return list.bad ? malformed("list of comments", err) : 0;
}

static int read_field(struct pprof_tables *tables, const struct proto_field *field,
		      const struct format_limits *limits, struct references *references,
		      struct err *err)
{
	switch (field->number) {
	case PROFILE_SAMPLE_TYPE:
		return add_type(tables, proto_message(field), limits, err);
	case PROFILE_MAPPING:
		return add_mapping(tables, proto_message(field), err);
	case PROFILE_LOCATION:
		return add_location(tables, proto_message(field), limits, references, err);
	case PROFILE_FUNCTION:
		return add_function(tables, proto_message(field), err);
	case PROFILE_PERIOD_TYPE:
		return read_value_type(tables, proto_message(field), &tables->period_type, err);
	case PROFILE_COMMENT:
		return read_comments(tables, field, err);
	case PROFILE_DROP_FRAMES: /* expressions of the uploader: never executed here */
	case PROFILE_KEEP_FRAMES:
	case PROFILE_DEFAULT_SAMPLE_TYPE:
	case PROFILE_DOC_URL:
		return pprof_check_string(tables, field->value, "the profile", err);
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

static int resolve(struct pprof_tables *tables, const struct references *references,
		   struct err *err)
{
	for (size_t i = 0; i < tables->n_lines; i++) {
		uint64_t id = references->line_function[i];

		tables->lines[i].function = id ? ids_find(&tables->function_ids, id) : 0;
		if (id && !tables->lines[i].function)
			return err_set(
				err, ERR_CORRUPT,
				"not a valid pprof: a line names function %llu, which is not there",
				(unsigned long long)id);
	}
	for (size_t i = 0; i < tables->n_locations; i++) {
		uint64_t id = references->location_mapping[i];

		tables->locations[i].mapping = id ? ids_find(&tables->mapping_ids, id) : 0;
		if (id && !tables->locations[i].mapping)
			return err_set(err, ERR_CORRUPT,
				       "not a valid pprof: a location names mapping %llu, which is "
				       "not there",
				       (unsigned long long)id);
	}
	return 0;
}

int pprof_tables_read(struct pprof_tables *tables, const void *data, size_t len,
		      const struct format_limits *limits, struct err *err)
{
	struct cursor message = cursor_over(data, len);
	struct references references = {0};
	struct proto_field field;
	int r = collect(tables, message, limits, err);

	while (r == 0 && proto_next(&message, &field))
		r = read_field(tables, &field, limits, &references, err);
	if (r == 0)
		r = resolve(tables, &references, err);
	if (r == 0 && !tables->n_types)
		r = err_set(err, ERR_CORRUPT, "not a valid pprof: it has no sample type");
	free(references.line_function);
	free(references.location_mapping);
	return r;
}
