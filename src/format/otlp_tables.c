/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dictionary of an OTLP request, as the tables of a pprof: entry i of a table is entry i of ours, the first
 * of each being the one that means none.
 */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "format/otlp_private.h"

/* As of a pprof: a tenth of it is seen. */
#define OTLP_MAX_ENTRIES (4u << 20)
#define OTLP_MAX_LINES_PER_LOCATION 1000

void otlp_tables_done(struct otlp_tables *tables)
{
	pprof_tables_done(&tables->pprof);
	free(tables->attributes);
	free(tables->stacks);
	free(tables->links);
	*tables = (struct otlp_tables){0};
}

int otlp_malformed(const char *what, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "not valid OTLP: a %s is malformed or cut off", what);
}

static int check(uint64_t index, size_t n, const char *what, const char *of, struct err *err)
{
	return index < n ? 0
			 : err_set(err, ERR_CORRUPT, "not valid OTLP: a %s names %s %lld of %zu",
				   of, what, (long long)index, n);
}

static int check_room(size_t n, const char *what, struct err *err)
{
	return n < OTLP_MAX_ENTRIES ? 0
				    : err_set(err, ERR_LIMIT,
					      "the dictionary has more than %u %s: send shorter "
					      "ranges",
					      OTLP_MAX_ENTRIES, what);
}

/* ---- strings ---- */

uint32_t otlp_add_string(struct otlp_tables *tables, const void *bytes, size_t len)
{
	struct pprof_tables *pprof = &tables->pprof;

	pprof->strings = vec_grow(pprof->strings, &pprof->strings_cap, pprof->n_strings + 1,
				  sizeof(*pprof->strings));
	pprof->strings[pprof->n_strings] = (struct pprof_text){bytes, len};
	return (uint32_t)pprof->n_strings++;
}

bool otlp_is_text(const struct otlp_tables *tables, uint64_t index, const char *text)
{
	const struct pprof_text *own = &tables->pprof.strings[index];

	return own->len == strlen(text) && memcmp(own->bytes, text, own->len) == 0;
}

static int collect_strings(struct otlp_tables *tables, struct cursor dictionary, struct err *err)
{
	struct proto_field field;
	int r = 0;

	while (r == 0 && proto_next(&dictionary, &field)) {
		if (field.number != DICTIONARY_STRINGS || !field.bytes)
			continue;
		r = check_room(tables->pprof.n_strings, "strings", err);
		if (r == 0)
			otlp_add_string(tables, field.bytes, field.len);
	}
	if (r == 0 && dictionary.bad)
		r = otlp_malformed("dictionary", err);
	if (r == 0 && !tables->pprof.n_strings)
		otlp_add_string(tables, "", 0);
	if (r == 0 && tables->pprof.strings[0].len)
		r = err_set(
			err, ERR_CORRUPT,
			"not valid OTLP: its string table does not begin with the empty string");
	return r;
}

/* ---- attributes ---- */

static int read_value(struct otlp_tables *tables, struct cursor message,
		      struct pprof_label *ret_label, bool *ret_is_label, struct err *err)
{
	struct proto_field field;

	*ret_is_label = false;
	while (proto_next(&message, &field)) {
		*ret_is_label = true;
		ret_label->str = 0;
		switch (field.number) {
		case ANY_VALUE_STRING:
			ret_label->str =
				field.bytes ? otlp_add_string(tables, field.bytes, field.len) : 0;
			break;
		case ANY_VALUE_STRING_INDEX:
			if (check(field.value, tables->pprof.n_strings, "string", "value", err) < 0)
				return ERR_CORRUPT;
			ret_label->str = field.value;
			break;
		case ANY_VALUE_BOOL:
			ret_label->str = field.value ? tables->text_true : tables->text_false;
			break;
		case ANY_VALUE_INT:
			ret_label->num = (int64_t)field.value;
			break;
		default:
			*ret_is_label = false;
		}
	}
	return message.bad ? otlp_malformed("value", err) : 0;
}

static int read_key(struct otlp_tables *tables, const struct proto_field *field,
		    struct pprof_label *label, struct err *err)
{
	if (field->bytes) {
		label->key = field->len ? otlp_add_string(tables, field->bytes, field->len) : 0;
		return 0;
	}
	label->key = field->value;
	return check(field->value, tables->pprof.n_strings, "string", "attribute", err);
}

int otlp_read_attribute(struct otlp_tables *tables, struct cursor message,
			struct pprof_label *ret_label, struct err *err)
{
	bool is_label = false;
	struct proto_field field;
	int r = 0;

	*ret_label = (struct pprof_label){0};
	r = check_room(tables->pprof.n_strings, "texts", err);
	while (r == 0 && proto_next(&message, &field)) {
		if (field.number == KEY_VALUE_VALUE)
			r = read_value(tables, proto_message(&field), ret_label, &is_label, err);
		else if ((field.number == KEY_VALUE_KEY && (field.bytes || field.value)) ||
			 (field.number == KEY_VALUE_KEY_INDEX && field.value && !field.bytes &&
			  !ret_label->key))
			r = read_key(tables, &field, ret_label, err);
	}
	if (r == 0 && message.bad)
		r = otlp_malformed("attribute", err);
	if (!is_label)
		ret_label->key = 0;
	return r;
}

static const char *const aliases[][2] = {
	{"thread.name", PPROF_LABEL_THREAD_NAME}, {"thread.id", PPROF_LABEL_THREAD_ID},
	{"thread.state", PPROF_LABEL_STATE},	  {OTLP_PID_KEY, PPROF_LABEL_PID},
	{OTLP_PROCESS_KEY, PPROF_LABEL_PROCESS},  {OTLP_SERVICE_KEY, LABEL_SERVICE},
};

uint32_t otlp_sample_key(const struct otlp_tables *tables, uint64_t key)
{
	for (size_t i = 0; i < array_len(aliases); i++)
		if (otlp_is_text(tables, key, aliases[i][0]))
			return tables->first_alias + (uint32_t)i;
	return (uint32_t)key;
}

static int add_attribute(struct otlp_tables *tables, struct cursor message, struct err *err)
{
	struct otlp_attribute *attribute;
	size_t n = tables->n_attributes;
	int r = check_room(n, "attributes", err);

	if (r < 0)
		return r;
	tables->attributes = vec_grow(tables->attributes, &tables->attributes_cap, n + 1,
				      sizeof(*tables->attributes));
	attribute = &tables->attributes[n];
	r = otlp_read_attribute(tables, message, &attribute->label, err);
	attribute->sample_key = otlp_sample_key(tables, attribute->label.key);
	tables->n_attributes++;
	return r;
}

const struct otlp_attribute *otlp_attribute_at(const struct otlp_tables *tables, uint64_t index,
					       struct err *err)
{
	if (index < tables->n_attributes)
		return &tables->attributes[index];
	err_set(err, ERR_CORRUPT, "not valid OTLP: a profile names attribute %lld of %zu",
		(long long)index, tables->n_attributes);
	return NULL;
}

/* ---- code ---- */

/* The string of the attribute with that key among those of a list; 0: none. */
static int find_attribute(struct otlp_tables *tables, const struct proto_field *list_field,
			  const char *key, uint32_t *ret_string, struct err *err)
{
	struct proto_list list = proto_list(list_field);
	uint64_t index;

	while (proto_list_next(&list, &index)) {
		if (check(index, tables->n_attributes, "attribute", "table", err) < 0)
			return ERR_CORRUPT;
		if (otlp_is_text(tables, tables->attributes[index].label.key, key))
			*ret_string = (uint32_t)tables->attributes[index].label.str;
	}
	return list.bad ? otlp_malformed("list of attributes", err) : 0;
}

static int add_mapping(struct otlp_tables *tables, struct cursor message, struct err *err)
{
	struct pprof_tables *pprof = &tables->pprof;
	struct pprof_mapping mapping = {0};
	struct proto_field field;
	int r = check_room(pprof->n_mappings, "mappings", err);

	while (r == 0 && proto_next(&message, &field)) {
		if (field.number == OTLP_MAPPING_ATTRIBUTES) {
			r = find_attribute(tables, &field, "process.executable.build_id.gnu",
					   &mapping.build_id, err);
		} else if (field.number == OTLP_MAPPING_FILENAME) {
			r = check(field.value, pprof->n_strings, "string", "mapping", err);
			mapping.file = (uint32_t)field.value;
		}
	}
	if (r == 0 && message.bad)
		r = otlp_malformed("mapping", err);
	if (r < 0)
		return r;
	pprof->mappings = vec_grow(pprof->mappings, &pprof->mappings_cap, pprof->n_mappings + 1,
				   sizeof(*pprof->mappings));
	pprof->mappings[pprof->n_mappings++] = mapping;
	return 0;
}

static uint32_t clamp_line(uint64_t line)
{
	return line > UINT32_MAX ? 0 : (uint32_t)line;
}

static int add_function(struct otlp_tables *tables, struct cursor message, struct err *err)
{
	struct pprof_tables *pprof = &tables->pprof;
	struct pprof_function function = {0};
	struct proto_field field;
	int r = check_room(pprof->n_functions, "functions", err);

	while (r == 0 && proto_next(&message, &field)) {
		uint32_t *text = field.number == OTLP_FUNCTION_NAME	     ? &function.name
				 : field.number == OTLP_FUNCTION_SYSTEM_NAME ? &function.system_name
				 : field.number == OTLP_FUNCTION_FILENAME    ? &function.file
									     : NULL;

		if (field.number == OTLP_FUNCTION_START_LINE)
			function.start_line = clamp_line(field.value);
		if (!text)
			continue;
		r = check(field.value, pprof->n_strings, "string", "function", err);
		*text = (uint32_t)field.value;
	}
	if (r == 0 && message.bad)
		r = otlp_malformed("function", err);
	if (r < 0)
		return r;
	pprof->functions = vec_grow(pprof->functions, &pprof->functions_cap, pprof->n_functions + 1,
				    sizeof(*pprof->functions));
	pprof->functions[pprof->n_functions++] = function;
	return 0;
}

/* Its function is checked in the end: tables come in any order. */
static int add_line(struct otlp_tables *tables, struct cursor message,
		    const struct format_limits *limits, struct err *err)
{
	struct pprof_tables *pprof = &tables->pprof;
	struct pprof_line line = {0};
	struct proto_field field;
	int r = check_room(pprof->n_lines, "lines", err);

	while (r == 0 && proto_next(&message, &field)) {
		if (field.number == OTLP_LINE_FUNCTION && field.value >= UINT32_MAX)
			r = otlp_malformed("line", err);
		else if (field.number == OTLP_LINE_FUNCTION)
			line.function = field.value ? (uint32_t)field.value + 1 : 0;
		else if (field.number == OTLP_LINE_LINE)
			line.line = clamp_line(field.value);
		else if (field.number == OTLP_LINE_COLUMN && limits->keep_columns)
			line.column = clamp_line(field.value);
	}
	if (r == 0 && message.bad)
		r = otlp_malformed("line", err);
	if (r < 0)
		return r;
	pprof->lines = vec_grow(pprof->lines, &pprof->lines_cap, pprof->n_lines + 1,
				sizeof(*pprof->lines));
	pprof->lines[pprof->n_lines++] = line;
	return 0;
}

/* What a location says of its language. */
static uint8_t kind_of(const struct otlp_tables *tables, uint32_t text)
{
	static const struct {
		const char *name;
		enum frame_kind kind;
	} kinds[] = {{"kernel", FRAME_KERNEL}, {"native", FRAME_NATIVE}, {"cpython", FRAME_PYTHON}};

	for (size_t i = 0; i < array_len(kinds); i++)
		if (otlp_is_text(tables, text, kinds[i].name))
			return (uint8_t)kinds[i].kind;
	return FRAME_OTHER;
}

static int add_location(struct otlp_tables *tables, struct cursor message,
			const struct format_limits *limits, struct err *err)
{
	struct pprof_tables *pprof = &tables->pprof;
	struct pprof_location location = {.first_line = (uint32_t)pprof->n_lines};
	struct proto_field field;
	uint32_t type = 0;
	int r = check_room(pprof->n_locations, "locations", err);

	while (r == 0 && proto_next(&message, &field)) {
		if (field.number == OTLP_LOCATION_MAPPING && field.value < UINT32_MAX)
			location.mapping = field.value ? (uint32_t)field.value + 1 : 0;
		else if (field.number == OTLP_LOCATION_ADDRESS)
			location.address = field.value;
		else if (field.number == OTLP_LOCATION_ATTRIBUTES)
			r = find_attribute(tables, &field, "profile.frame.type", &type, err);
		if (field.number != OTLP_LOCATION_LINES)
			continue;
		r = add_line(tables, proto_message(&field), limits, err);
		if (r == 0 && ++location.n_lines > OTLP_MAX_LINES_PER_LOCATION)
			r = err_set(err, ERR_LIMIT, "a location has more than %d lines",
				    OTLP_MAX_LINES_PER_LOCATION);
	}
	if (r == 0 && message.bad)
		r = otlp_malformed("location", err);
	if (r < 0)
		return r;
	location.kind = kind_of(tables, type);
	pprof->locations = vec_grow(pprof->locations, &pprof->locations_cap, pprof->n_locations + 1,
				    sizeof(*pprof->locations));
	pprof->locations[pprof->n_locations++] = location;
	return 0;
}

static int add_stack(struct otlp_tables *tables, struct cursor message, struct err *err)
{
	int r = check_room(tables->n_stacks, "stacks", err);

	if (r < 0)
		return r;
	tables->stacks = vec_grow(tables->stacks, &tables->stacks_cap, tables->n_stacks + 1,
				  sizeof(*tables->stacks));
	tables->stacks[tables->n_stacks++] = message;
	return 0;
}

/* ---- requests ---- */

/* As bytes, which are written like their hexadecimal form from left to right. */
static bool take_id(const struct proto_field *field, uint8_t *out, size_t len)
{
	if (!field->bytes || (field->len && field->len != len))
		return false;
	memcpy(out, field->bytes, field->len);
	return true;
}

static int add_link(struct otlp_tables *tables, struct cursor message, struct err *err)
{
	struct otlp_link link = {.is_spoilt = false};
	uint8_t id[SPAN_ID_BYTES] = {0};
	struct proto_field field;
	int r = check_room(tables->n_links, "links", err);

	while (r == 0 && proto_next(&message, &field)) {
		if (field.number == OTLP_LINK_TRACE)
			link.is_spoilt |= !take_id(&field, link.span.trace.bytes, TRACE_ID_BYTES);
		else if (field.number == OTLP_LINK_SPAN)
			link.is_spoilt |= !take_id(&field, id, SPAN_ID_BYTES);
	}
	if (r == 0 && message.bad)
		r = otlp_malformed("link", err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(id); i++)
		link.span.id.v = link.span.id.v << 8 | id[i];
	tables->links = vec_grow(tables->links, &tables->links_cap, tables->n_links + 1,
				 sizeof(*tables->links));
	tables->links[tables->n_links++] = link;
	return 0;
}

/* ---- the passes ---- */

static int read_tables(struct otlp_tables *tables, struct cursor dictionary,
		       const struct format_limits *limits, struct err *err)
{
	struct proto_field field;
	int r = 0;

	while (r == 0 && proto_next(&dictionary, &field)) {
		struct cursor message = proto_message(&field);

		switch (field.number) {
		case DICTIONARY_MAPPINGS:
			r = add_mapping(tables, message, err);
			break;
		case DICTIONARY_LOCATIONS:
			r = add_location(tables, message, limits, err);
			break;
		case DICTIONARY_FUNCTIONS:
			r = add_function(tables, message, err);
			break;
		case DICTIONARY_STACKS:
			r = add_stack(tables, message, err);
			break;
		case DICTIONARY_LINKS:
			r = add_link(tables, message, err);
			break;
		default:
			break;
		}
	}
	return r;
}

static int read_attributes(struct otlp_tables *tables, struct cursor dictionary, struct err *err)
{
	struct proto_field field;
	int r = 0;

	tables->text_true = otlp_add_string(tables, "true", 4);
	tables->text_false = otlp_add_string(tables, "false", 5);
	tables->first_alias = (uint32_t)tables->pprof.n_strings;
	for (size_t i = 0; i < array_len(aliases); i++)
		otlp_add_string(tables, aliases[i][1], strlen(aliases[i][1]));
	while (r == 0 && proto_next(&dictionary, &field))
		if (field.number == DICTIONARY_ATTRIBUTES)
			r = add_attribute(tables, proto_message(&field), err);
	return r;
}

static int check_references(const struct pprof_tables *pprof, struct err *err)
{
	for (size_t i = 0; i < pprof->n_lines; i++)
		if (check(pprof->lines[i].function, pprof->n_functions + 1, "function", "line",
			  err) < 0)
			return ERR_CORRUPT;
	for (size_t i = 0; i < pprof->n_locations; i++)
		if (check(pprof->locations[i].mapping, pprof->n_mappings + 1, "mapping", "location",
			  err) < 0)
			return ERR_CORRUPT;
	return 0;
}

int otlp_tables_read(struct otlp_tables *tables, struct cursor dictionary,
		     const struct format_limits *limits, struct err *err)
{
	int r = collect_strings(tables, dictionary, err);

	if (r == 0)
		r = read_attributes(tables, dictionary, err);
	if (r == 0)
		r = read_tables(tables, dictionary, limits, err);
	return r == 0 ? check_references(&tables->pprof, err) : r;
}
