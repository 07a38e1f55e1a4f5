/* SPDX-License-Identifier: Apache-2.0 */
/* Resources, scopes and profiles of an OTLP request. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "format/otlp_private.h"

#define OLD_LAYOUT                                                                                 \
	"these are OTLP profiles of version 1.8 or older, without a table of stacks: update the "  \
	"collector or profiler that sends them"

static const struct otlp_layout layout_1_9 = {.values = 2, .attributes = 3, .link = 4};
static const struct otlp_layout layout_1_10 = {.attributes = 2, .link = 3, .values = 4};

static void reader_done(struct otlp_reader *reader)
{
	otlp_tables_done(&reader->tables);
	arena_done(&reader->arena);
}

/* ---- which layout ---- */

/* NULL: this sample does not tell. */
static const struct otlp_layout *layout_of_sample(struct cursor sample)
{
	struct proto_field field;

	while (proto_next(&sample, &field)) {
		if (field.number == layout_1_9.attributes)
			return field.bytes ? &layout_1_9 : &layout_1_10;
		if (field.number == layout_1_9.link)
			return field.bytes ? &layout_1_10 : &layout_1_9;
	}
	return NULL;
}

static const struct otlp_layout *layout_of_profile(struct cursor profile)
{
	const struct otlp_layout *layout = NULL;
	struct proto_field field;

	while (!layout && proto_next(&profile, &field))
		if (field.number == OTLP_PROFILE_SAMPLES)
			layout = layout_of_sample(proto_message(&field));
	return layout;
}

/* Profiles lie three messages deep: `depth` 0 is the request. */
static const struct otlp_layout *find_layout(struct cursor message, int depth)
{
	const uint32_t number = depth == 0 ? REQUEST_RESOURCE_PROFILES : RESOURCE_PROFILES_SCOPES;
	const struct otlp_layout *layout = NULL;
	struct proto_field field;

	if (depth == 3)
		return layout_of_profile(message);
	while (!layout && proto_next(&message, &field))
		if (field.number == number)
			layout = find_layout(proto_message(&field), depth + 1);
	return layout;
}

/* ---- labels ---- */

static int set_label(struct otlp_reader *reader, struct labels *labels,
		     const struct pprof_label *label, struct err *err)
{
	const struct pprof_text *key = &reader->tables.pprof.strings[label->key];
	const struct pprof_text *text = &reader->tables.pprof.strings[label->str];
	char number[24];
	const char *name;

	if (!label->key || (label->str && !text->len))
		return 0;
	snprintf(number, sizeof(number), "%" PRId64, label->num);
	name = otlp_is_text(&reader->tables, label->key, OTLP_SERVICE_KEY)
		       ? LABEL_SERVICE
		       : arena_strndup(&reader->arena, key->bytes,
				       min_of(key->len, (size_t)LABEL_NAME_MAX_BYTES));
	return labels_set(labels, &reader->arena, name,
			  label->str
				  ? arena_strndup(&reader->arena, text->bytes,
						  min_of(text->len, (size_t)LABEL_VALUE_MAX_BYTES))
				  : number,
			  err);
}

/*
 * A process id is no label, since each process would be a series of its own: it becomes the marker at the root
 * of the stacks.  What it is called is both.
 */
static bool note_process(struct otlp_reader *reader, const struct pprof_label *label)
{
	struct pprof_label *own =
		otlp_is_text(&reader->tables, label->key, OTLP_PID_KEY)	      ? &reader->pid
		: otlp_is_text(&reader->tables, label->key, OTLP_PROCESS_KEY) ? &reader->process
									      : NULL;

	if (!own)
		return false;
	*own = *label;
	own->key = otlp_sample_key(&reader->tables, label->key);
	return own == &reader->pid;
}

/* Attributes of a resource or a scope: messages of their own. */
static int add_attributes(struct otlp_reader *reader, struct cursor message, uint32_t number,
			  struct labels *labels, struct err *err)
{
	struct proto_field field;
	int r = 0;

	while (r == 0 && proto_next(&message, &field)) {
		struct pprof_label label;

		if (field.number != number)
			continue;
		r = otlp_read_attribute(&reader->tables, proto_message(&field), &label, err);
		if (r == 0 && !note_process(reader, &label))
			r = set_label(reader, labels, &label, err);
	}
	return r == 0 && message.bad ? otlp_malformed("resource", err) : r;
}

/* ---- profiles ---- */

static int read_type(const struct otlp_reader *reader, struct cursor message,
		     struct pprof_value_type *ret_type, struct err *err)
{
	struct proto_field field;

	while (proto_next(&message, &field)) {
		if (field.number != VALUE_TYPE_TYPE && field.number != VALUE_TYPE_UNIT)
			continue;
		if (pprof_check_string(&reader->tables.pprof, field.value, "a value type", err) < 0)
			return ERR_CORRUPT;
		if (field.number == VALUE_TYPE_TYPE)
			ret_type->type = (uint32_t)field.value;
		else
			ret_type->unit = (uint32_t)field.value;
	}
	return message.bad ? otlp_malformed("value type", err) : 0;
}

static void read_id(const struct proto_field *field, char ret_id[OTLP_ID_BYTES])
{
	bool is_set = false;

	if (field->len != (OTLP_ID_BYTES - 1) / 2)
		return;
	for (size_t i = 0; i < field->len; i++) {
		snprintf(ret_id + 2 * i, 3, "%02x", field->bytes[i]);
		is_set |= field->bytes[i] != 0;
	}
	if (!is_set)
		*ret_id = '\0';
}

static int read_profile_labels(struct otlp_reader *reader, const struct proto_field *field,
			       struct labels *labels, struct err *err)
{
	struct proto_list list = proto_list(field);
	uint64_t index;
	int r = 0;

	while (r == 0 && proto_list_next(&list, &index)) {
		const struct otlp_attribute *attribute =
			otlp_attribute_at(&reader->tables, index, err);

		r = attribute ? set_label(reader, labels, &attribute->label, err) : ERR_CORRUPT;
	}
	return r == 0 && list.bad ? otlp_malformed("list of attributes", err) : r;
}

/* All but the samples; what is not there is that of no profile before. */
static int read_head(struct otlp_reader *reader, struct cursor message,
		     struct pprof_value_type *type, struct labels *labels,
		     char ret_id[OTLP_ID_BYTES], struct err *err)
{
	struct pprof_tables *tables = &reader->tables.pprof;
	struct proto_field field;
	int r = 0;

	tables->period_type = (struct pprof_value_type){0};
	tables->period = tables->time_ns = tables->duration_ns = 0;
	while (r == 0 && proto_next(&message, &field)) {
		switch (field.number) {
		case OTLP_PROFILE_SAMPLE_TYPE:
			r = read_type(reader, proto_message(&field), type, err);
			break;
		case OTLP_PROFILE_TIME:
			if (field.bytes)
				return err_set(err, ERR_UNSUPPORTED, OLD_LAYOUT);
			tables->time_ns = (int64_t)field.value;
			break;
		case OTLP_PROFILE_DURATION:
			tables->duration_ns = (int64_t)field.value;
			break;
		case OTLP_PROFILE_PERIOD_TYPE:
			r = read_type(reader, proto_message(&field), &tables->period_type, err);
			break;
		case OTLP_PROFILE_PERIOD:
			tables->period = (int64_t)field.value;
			break;
		case OTLP_PROFILE_ID:
			read_id(&field, ret_id);
			break;
		case OTLP_PROFILE_ATTRIBUTES:
			r = read_profile_labels(reader, &field, labels, err);
			break;
		default:
			break;
		}
	}
	return r == 0 && message.bad ? otlp_malformed("profile", err) : r;
}

/* Counts of samples, each of which stands for a period of time, are that time. */
static int64_t take_period(const struct otlp_reader *reader, struct pprof_value_type *type)
{
	const struct otlp_tables *tables = &reader->tables;

	if (!otlp_is_text(tables, type->type, "samples") || tables->pprof.period <= 0 ||
	    !otlp_is_text(tables, tables->pprof.period_type.unit, "nanoseconds"))
		return 1;
	*type = tables->pprof.period_type;
	return tables->pprof.period;
}

static int read_profile(struct otlp_reader *reader, struct cursor message, struct labels labels,
			struct err *err)
{
	struct pprof_tables *tables = &reader->tables.pprof;
	struct pprof_value_type type = {0};
	struct otlp_profile profile = {.labels = &labels};
	const struct pprof_text *name;
	int64_t factor;
	int r = read_head(reader, message, &type, &labels, profile.id, err);

	if (r < 0)
		return r;
	factor = take_period(reader, &type);
	tables->types = &type;
	tables->n_types = 1;
	name = &tables->strings[type.type];
	profile.type = arena_strndup(&reader->arena, name->bytes, name->len);
	r = reader->sink->begin(reader->sink->ctx, &profile, err);
	if (r == 0)
		r = otlp_read_samples(reader, message, factor, err);
	if (r == 0)
		r = reader->sink->close(reader->sink->ctx, err);
	reader->sink->end(reader->sink->ctx, r);
	tables->types = NULL;
	tables->n_types = 0;
	return r;
}

/* A profile that is broken is left out; what is wrong with the whole request is its error. */
static int take_profile(struct otlp_reader *reader, struct cursor message,
			const struct labels *labels, struct err *err)
{
	struct otlp_result *result = reader->result;
	struct err own = {0};
	int r;

	if (result->n_profiles++ == OTLP_MAX_PROFILES)
		return err_because(err, ERR_LIMIT, "profiles_limit",
				   "the request has more than %d profiles", OTLP_MAX_PROFILES);
	r = read_profile(reader, message, *labels, &own);
	if (r == 0)
		return 0;
	if (r != ERR_CORRUPT)
		return err_set(err, r, "%s", own.text);
	if (!result->n_rejected++)
		snprintf(result->why, sizeof(result->why), "%s", own.text);
	return 0;
}

static int read_scope(struct otlp_reader *reader, struct cursor message, struct labels labels,
		      struct err *err)
{
	struct cursor again = message;
	struct proto_field field;
	int r = 0;

	while (r == 0 && proto_next(&message, &field))
		if (field.number == RESOURCE_PROFILES_RESOURCE)
			r = add_attributes(reader, proto_message(&field), SCOPE_ATTRIBUTES, &labels,
					   err);
	if (r == 0 && message.bad)
		r = otlp_malformed("scope", err);
	while (r == 0 && proto_next(&again, &field))
		if (field.number == RESOURCE_PROFILES_SCOPES)
			r = take_profile(reader, proto_message(&field), &labels, err);
	return r;
}

static int read_resource(struct otlp_reader *reader, struct cursor message, struct err *err)
{
	struct cursor again = message;
	struct labels labels = {0};
	struct proto_field field;
	int r = 0;

	arena_reset(&reader->arena);
	reader->pid = reader->process = (struct pprof_label){0};
	while (r == 0 && proto_next(&message, &field))
		if (field.number == RESOURCE_PROFILES_RESOURCE)
			r = add_attributes(reader, proto_message(&field), RESOURCE_ATTRIBUTES,
					   &labels, err);
	if (r == 0 && message.bad)
		r = otlp_malformed("resource", err);
	while (r == 0 && proto_next(&again, &field))
		if (field.number == RESOURCE_PROFILES_SCOPES)
			r = read_scope(reader, proto_message(&field), labels, err);
	return r;
}

/* ---- the whole ---- */

static struct cursor find_dictionary(struct cursor request)
{
	struct proto_field field;

	while (proto_next(&request, &field))
		if (field.number == REQUEST_DICTIONARY)
			return proto_message(&field);
	return cursor_over("", 0);
}

int otlp_read(const void *data, size_t len, const struct format_limits *limits, struct names *names,
	      const struct otlp_sink *sink, struct otlp_result *ret_result, struct err *err)
{
	struct cursor request = cursor_over(data, len);
	struct otlp_result result = {0};
	cleanup(reader_done) struct otlp_reader reader = {
		.limits = limits, .names = names, .sink = sink, .result = &result};
	struct proto_field field;
	int r;

	arena_init(&reader.arena);
	reader.layout = find_layout(request, 0);
	if (!reader.layout)
		reader.layout = &layout_1_10;
	r = otlp_tables_read(&reader.tables, find_dictionary(request), limits, err);
	while (r == 0 && proto_next(&request, &field))
		if (field.number == REQUEST_RESOURCE_PROFILES)
			r = read_resource(&reader, proto_message(&field), err);
	if (r == 0 && request.bad)
		r = otlp_malformed("request", err);
	if (r == 0)
		*ret_result = result;
	return r;
}
