/* SPDX-License-Identifier: Apache-2.0 */
#include "server/sample_types.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"

static const char *column_type(const struct profile *profile, size_t column)
{
	return names_text(profile->names, profile->columns[column].type.type, NULL);
}

/* ---- names ---- */

const char *sample_types_metric_of(const char *type)
{
	static const struct {
		const char *part;
		const char *metric;
	} rules[] = {
		{"off_cpu", "off_cpu"},	     {"cpu", "process_cpu"}, {"alloc_", "memory"},
		{"inuse_", "memory"},	     {"space", "memory"},    {"objects", "memory"},
		{"mutex_", "mutex"},	     {"block_", "block"},    {"goroutine", "goroutines"},
		{"contentions", "mutex"},    {"delay", "mutex"},     {"lock_", "mutex"},
		{"exception", "exceptions"},
	};

	for (size_t i = 0; i < array_len(rules); i++)
		if (strstr(type, rules[i].part))
			return rules[i].metric;
	return NULL;
}

static const struct upload_type *find_type(const struct upload_type *types, const char *name)
{
	while (types && strcmp(types->name, name) != 0)
		types = types->next;
	return types;
}

const char *sample_types_metric(const struct profile *profile, const struct upload_type *types)
{
	for (size_t c = 0; c < profile->n_columns; c++)
		if (strcmp(column_type(profile, c), "wall") == 0)
			return "wall";
	for (size_t c = 0; c < profile->n_columns; c++) {
		const char *name = column_type(profile, c);
		const struct upload_type *type = find_type(types, name);
		const char *metric = sample_types_metric_of(
			type && type->display_name ? type->display_name : name);

		if (metric)
			return metric;
	}
	return "process_cpu"; /* "samples" alone */
}

bool sample_types_is_level(const char *type)
{
	return strncmp(type, "inuse_", 6) == 0 || strncmp(type, "goroutine", 9) == 0 ||
	       (strncmp(type, "live", 4) == 0 && (!type[4] || type[4] == ':'));
}

uint64_t sample_types_gauges(const struct profile *profile, const struct upload_type *types,
			     bool is_all)
{
	uint64_t gauges = 0;

	for (size_t c = 0; c < profile->n_columns; c++) {
		const char *name = column_type(profile, c);
		const struct upload_type *type = find_type(types, name);

		if (is_all || sample_types_is_level(name) || (type && type->is_gauge))
			gauges |= 1ull << c;
	}
	return gauges;
}

static bool is_counter(const char *metric, const char *type)
{
	if (strcmp(metric, "memory") == 0)
		return strncmp(type, "alloc_", 6) == 0;
	return strcmp(metric, "mutex") == 0 || strcmp(metric, "block") == 0;
}

uint64_t sample_types_counters(const struct profile *profile, const char *metric,
			       const struct upload_type *types, bool may_be)
{
	uint64_t counters = 0;

	for (size_t c = 0; c < profile->n_columns; c++) {
		const char *name = column_type(profile, c);
		const struct upload_type *type = find_type(types, name);

		if ((may_be && is_counter(metric, name)) || (type && type->is_cumulative))
			counters |= 1ull << c;
	}
	return counters;
}

static void tidy(struct names *names, struct str_id *id, const char *unwanted)
{
	cleanup_free char *text = NULL;
	const char *old = names_text(names, *id, NULL);

	if (!strpbrk(old, unwanted))
		return;
	text = xstrdup(old);
	for (char *at = text; (at = strpbrk(at, unwanted));)
		*at = '_';
	*id = names_cstr(names, text);
}

void sample_types_tidy(struct profile *profile, const char *unwanted)
{
	for (size_t c = 0; c < profile->n_columns; c++) {
		tidy(profile->names, &profile->columns[c].type.type, unwanted);
		tidy(profile->names, &profile->columns[c].type.unit, unwanted);
	}
	tidy(profile->names, &profile->period_type, unwanted);
	tidy(profile->names, &profile->period_unit, unwanted);
}

bool sample_types_are_all(const struct profile *profile, uint64_t columns)
{
	return columns == (profile->n_columns < 64 ? (1ull << profile->n_columns) - 1 : ~0ull);
}

/* ---- values ---- */

/* What spans have of the column. */
static void take_spans(const struct spans *from, size_t column, struct profile *into, uint32_t own)
{
	if (!into->spans)
		into->spans = spans_new();
	into->spans->n_left_out = from->n_left_out;
	for (size_t i = 0; i < from->n_values; i++) {
		const struct span_value *value = &from->values[i];

		if (value->column == column)
			spans_add(into->spans, spans_index(into->spans, &from->items[value->span]),
				  (struct node_id){value->node}, own, value->value);
	}
}

static void take_column(const struct profile *from, size_t column, struct profile *into)
{
	const struct sample_type *type = &from->columns[column].type;
	int own = profile_column(into, names_text(from->names, type->type, NULL),
				 names_text(from->names, type->unit, NULL),
				 names_text(from->names, type->state, NULL));

	for (uint32_t node = 0; own >= 0 && node < from->tree.n; node++) {
		int64_t value = profile_value(from, column, (struct node_id){node});

		if (value)
			profile_add(into, (size_t)own, (struct node_id){node}, value);
	}
	if (own >= 0 && from->spans)
		take_spans(from->spans, column, into, (uint32_t)own);
}

void sample_types_take(const struct profile *from, uint64_t columns, struct profile *into)
{
	into->period_type = from->period_type;
	into->period_unit = from->period_unit;
	into->period = from->period;
	into->start_ns = from->start_ns;
	into->duration_ns = from->duration_ns;
	into->n_profiles = from->n_profiles;
	into->n_samples = from->n_samples;
	/* Parents come first, so the copy numbers its nodes alike. */
	for (uint32_t node = 1; node < from->tree.n; node++)
		(void)tree_child(&into->tree, (struct node_id){from->tree.parent[node]},
				 (struct frame_id){from->tree.frame[node]});
	for (size_t c = 0; c < from->n_columns; c++)
		if (columns & 1ull << c)
			take_column(from, c, into);
}

static bool has_unit(const struct profile *profile, size_t column, const char *unit)
{
	const struct sample_type *type = &profile->columns[column].type;

	return strcmp(names_text(profile->names, type->unit, NULL), unit) == 0;
}

static void set_period(struct profile *profile, int64_t period)
{
	profile->period = period;
	profile->period_type = names_cstr(profile->names, "cpu");
	profile->period_unit = names_cstr(profile->names, "nanoseconds");
}

static void scale(struct profile *profile, const struct upload_unit *unit)
{
	struct profile_column *column = &profile->columns[0];

	column->type = (struct sample_type){.type = names_cstr(profile->names, unit->type),
					    .unit = names_cstr(profile->names, unit->unit)};
	for (uint32_t node = 0; node < profile->tree.n && node < column->cap; node++)
		if (__builtin_mul_overflow(column->values[node], unit->factor,
					   &column->values[node]))
			column->values[node] = INT64_MAX;
	/* Counts of ticks have a period; what was measured in nanoseconds has none. */
	if (unit->factor != 1)
		set_period(profile, unit->factor);
}

const char *sample_types_name_counts(struct profile *profile, const struct upload_unit *unit)
{
	for (size_t c = 0; c < profile->n_columns; c++)
		if (has_unit(profile, c, "nanoseconds")) {
			set_period(profile, 0);
			return sample_types_metric(profile, NULL);
		}
	if (!profile->n_columns || !has_unit(profile, 0, "count"))
		return sample_types_metric(profile, NULL);
	scale(profile, unit);
	return unit->metric;
}

/* ---- text formats ---- */

struct text_type {
	const char *name;	 /* the application's suffix, or the parameter units */
	struct upload_unit unit; /* factor 0: nanoseconds per sample */
};

static const struct text_type suffixes[] = {
	{"cpu", {"process_cpu", "cpu", "nanoseconds", 0, false, true}},
	{"itimer", {"process_cpu", "cpu", "nanoseconds", 0, false, true}},
	{"wall", {"wall", "wall", "nanoseconds", 0, false, true}},
	{"inuse_objects", {"memory", "inuse_objects", "count", 1, true, true}},
	{"inuse_space", {"memory", "inuse_space", "bytes", 1, true, true}},
	{"alloc_objects", {"memory", "alloc_objects", "count", 1, false, true}},
	{"alloc_space", {"memory", "alloc_space", "bytes", 1, false, true}},
	{"goroutines", {"goroutine", "goroutine", "count", 1, true, true}},
	{"mutex_count", {"mutex", "contentions", "count", 1, false, true}},
	{"mutex_duration", {"mutex", "delay", "nanoseconds", 1, false, true}},
	{"block_count", {"block", "contentions", "count", 1, false, true}},
	{"block_duration", {"block", "delay", "nanoseconds", 1, false, true}},
	{"lock_count", {"block", "contentions", "count", 1, false, true}},
	{"lock_duration", {"block", "delay", "nanoseconds", 1, false, true}},
	{"alloc_in_new_tlab_objects",
	 {"memory", "alloc_in_new_tlab_objects", "count", 1, false, true}},
	{"alloc_in_new_tlab_bytes", {"memory", "alloc_in_new_tlab_bytes", "bytes", 1, false, true}},
	{"alloc_outside_tlab_objects",
	 {"memory", "alloc_outside_tlab_objects", "count", 1, false, true}},
	{"alloc_outside_tlab_bytes",
	 {"memory", "alloc_outside_tlab_bytes", "bytes", 1, false, true}},
	{"live", {"memory", "live", "count", 1, true, true}},
	{"exceptions", {"exceptions", "exceptions", "count", 1, false, true}},
	/* What Pyroscope makes of the profiles of a speedscope file: "app.seconds". */
	{"seconds", {"wall", "wall", "nanoseconds", 0, false, true}},
	{"milliseconds", {"wall", "wall", "nanoseconds", 0, false, true}},
	{"microseconds", {"wall", "wall", "nanoseconds", 0, false, true}},
	{"nanoseconds", {"wall", "wall", "nanoseconds", 0, false, true}},
	{"bytes", {"memory", "space", "bytes", 1, false, true}},
};

static const struct text_type by_units[] = {
	{"objects", {"memory", "alloc_objects", "count", 1, false, true}},
	{"bytes", {"memory", "alloc_space", "bytes", 1, false, true}},
	{"goroutines", {"goroutine", "goroutine", "count", 1, true, true}},
	{"lock_samples", {"block", "contentions", "count", 1, false, true}},
	{"lock_nanoseconds", {"block", "delay", "nanoseconds", 1, false, true}},
};

static const struct text_type *find_text_type(const struct text_type *types, size_t n,
					      const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

void sample_types_of_text(char *app, const char *units, int64_t rate_hz,
			  struct upload_unit *ret_unit)
{
	char *dot = strrchr(app, '.');
	const struct text_type *type = NULL;

	if (dot && dot > app)
		type = find_text_type(suffixes, array_len(suffixes), dot + 1);
	if (type)
		*dot = '\0';
	else if (units)
		type = find_text_type(by_units, array_len(by_units), units);
	*ret_unit = type ? type->unit : suffixes[0].unit;
	ret_unit->is_said = type != NULL;
	if (!ret_unit->factor)
		ret_unit->factor = NS_PER_S / rate_hz;
}
