/* SPDX-License-Identifier: Apache-2.0 */
/* Names and numbers of querier.v1, types.v1 and google.v1, what is used before what uses it. */
#include "server/querier.h"
#include "server/stack_filter.h"

static const struct proto_json_field label_pair_fields[] = {
	{"name", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"value", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message label_pair = {label_pair_fields};

static const struct proto_json_field labels_fields[] = {
	{"labels", 1, PROTO_JSON_MESSAGE, &label_pair, PROTO_JSON_REPEATED, NULL},
	{0},
};
static const struct proto_json_message labels = {labels_fields};

static const struct proto_json_field profile_types_request_fields[] = {
	{"start", 1, PROTO_JSON_INT64, NULL, 0, NULL},
	{"end", 2, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
const struct proto_json_message querier_schema_profile_types_request = {
	profile_types_request_fields};

static const struct proto_json_field profile_type_fields[] = {
	{"ID", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"name", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"sampleType", 4, PROTO_JSON_STRING, NULL, 0, NULL},
	{"sampleUnit", 5, PROTO_JSON_STRING, NULL, 0, NULL},
	{"periodType", 6, PROTO_JSON_STRING, NULL, 0, NULL},
	{"periodUnit", 7, PROTO_JSON_STRING, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message profile_type = {profile_type_fields};

static const struct proto_json_field profile_types_fields[] = {
	{"profileTypes", 1, PROTO_JSON_MESSAGE, &profile_type, PROTO_JSON_REPEATED, NULL},
	{0},
};
const struct proto_json_message querier_schema_profile_types = {profile_types_fields};

static const struct proto_json_field label_names_request_fields[] = {
	{"matchers", 1, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"start", 2, PROTO_JSON_INT64, NULL, 0, NULL},
	{"end", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
const struct proto_json_message querier_schema_label_names_request = {label_names_request_fields};

static const struct proto_json_field label_values_request_fields[] = {
	{"name", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"matchers", 2, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"start", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{"end", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
const struct proto_json_message querier_schema_label_values_request = {label_values_request_fields};

static const struct proto_json_field names_fields[] = {
	{"names", 1, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{0},
};
const struct proto_json_message querier_schema_names = {names_fields};

static const struct proto_json_field series_request_fields[] = {
	{"matchers", 1, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"labelNames", 2, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"start", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{"end", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
const struct proto_json_message querier_schema_series_request = {series_request_fields};

static const struct proto_json_field series_fields[] = {
	{"labelsSet", 2, PROTO_JSON_MESSAGE, &labels, PROTO_JSON_REPEATED, NULL},
	{0},
};
const struct proto_json_message querier_schema_series = {series_fields};

/*
 * The last three are newer than any release: their names are known (Grafana falls back on "unimplemented"), their numbers
 * are not, and these here are never sent.
 */
static const char *const formats[] = {
	"PROFILE_FORMAT_UNSPECIFIED", "PROFILE_FORMAT_FLAMEGRAPH",    "PROFILE_FORMAT_TREE",
	"PROFILE_FORMAT_DOT",	      "PROFILE_FORMAT_PPROF",	      "PROFILE_FORMAT_FUNCTIONS",
	"PROFILE_FORMAT_SANDWICH",    "PROFILE_FORMAT_FUNCTION_TREE", NULL};
static const char *const aggregations[] = {"TIME_SERIES_AGGREGATION_TYPE_SUM",
					   "TIME_SERIES_AGGREGATION_TYPE_AVERAGE", NULL};

static const char *const exemplar_types[] = {"EXEMPLAR_TYPE_UNSPECIFIED", "EXEMPLAR_TYPE_NONE",
					     "EXEMPLAR_TYPE_INDIVIDUAL", "EXEMPLAR_TYPE_SPAN",
					     NULL};

static const struct proto_json_field select_request_fields[] = {
	{"profileTypeID", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"labelSelector", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"start", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{"end", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{"maxNodes", 5, PROTO_JSON_INT64, NULL, 0, NULL},
	{"format", 6, PROTO_JSON_ENUM, NULL, 0, formats},
	{"stackTraceSelector", 7, PROTO_JSON_MESSAGE, &stack_filter_schema, 0, NULL},
	{"profileIdSelector", 8, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"traceIdSelector", 10, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"spanSelector", 11, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{0},
};
const struct proto_json_message querier_schema_select_request = {select_request_fields};

static const struct proto_json_field merge_request_fields[] = {
	{"profileTypeID", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"labelSelector", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"start", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{"end", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{"maxNodes", 5, PROTO_JSON_INT64, NULL, 0, NULL},
	{"stackTraceSelector", 6, PROTO_JSON_MESSAGE, &stack_filter_schema, 0, NULL},
	{"profileIdSelector", 7, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"traceIdSelector", 8, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{0},
};
const struct proto_json_message querier_schema_merge_request = {merge_request_fields};

static const struct proto_json_field series_select_request_fields[] = {
	{"profileTypeID", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"labelSelector", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"start", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{"end", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{"groupBy", 5, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"step", 6, PROTO_JSON_DOUBLE, NULL, 0, NULL},
	{"aggregation", 7, PROTO_JSON_ENUM, NULL, 0, aggregations},
	{"stackTraceSelector", 8, PROTO_JSON_MESSAGE, &stack_filter_schema, 0, NULL},
	{"limit", 9, PROTO_JSON_INT64, NULL, 0, NULL},
	{"exemplarType", 10, PROTO_JSON_ENUM, NULL, 0, exemplar_types},
	{0},
};
const struct proto_json_message querier_schema_series_select_request = {
	series_select_request_fields};

static const struct proto_json_field exemplar_fields[] = {
	{"timestamp", 1, PROTO_JSON_INT64, NULL, 0, NULL},
	{"profileId", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"spanId", 3, PROTO_JSON_STRING, NULL, 0, NULL},
	{"value", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{"labels", 5, PROTO_JSON_MESSAGE, &label_pair, PROTO_JSON_REPEATED, NULL},
	{"traceId", 6, PROTO_JSON_STRING, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message exemplar = {exemplar_fields};

static const struct proto_json_field point_fields[] = {
	{"value", 1, PROTO_JSON_DOUBLE, NULL, 0, NULL},
	{"timestamp", 2, PROTO_JSON_INT64, NULL, 0, NULL},
	{"exemplars", 4, PROTO_JSON_MESSAGE, &exemplar, PROTO_JSON_REPEATED, NULL},
	{0},
};
static const struct proto_json_message point = {point_fields};

static const struct proto_json_field points_fields[] = {
	{"labels", 1, PROTO_JSON_MESSAGE, &label_pair, PROTO_JSON_REPEATED, NULL},
	{"points", 2, PROTO_JSON_MESSAGE, &point, PROTO_JSON_REPEATED, NULL},
	{0},
};
static const struct proto_json_message points = {points_fields};

static const struct proto_json_field select_series_fields[] = {
	{"series", 1, PROTO_JSON_MESSAGE, &points, PROTO_JSON_REPEATED, NULL},
	{0},
};
const struct proto_json_message querier_schema_select_series = {select_series_fields};

static const char *const heatmap_types[] = {"HEATMAP_QUERY_TYPE_UNSPECIFIED",
					    "HEATMAP_QUERY_TYPE_INDIVIDUAL",
					    "HEATMAP_QUERY_TYPE_SPAN", NULL};

static const struct proto_json_field heatmap_request_fields[] = {
	{"profileTypeID", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"labelSelector", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"start", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{"end", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{"step", 5, PROTO_JSON_DOUBLE, NULL, 0, NULL},
	{"groupBy", 6, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"queryType", 7, PROTO_JSON_ENUM, NULL, 0, heatmap_types},
	{"exemplarType", 8, PROTO_JSON_ENUM, NULL, 0, exemplar_types},
	{"limit", 9, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
const struct proto_json_message querier_schema_heatmap_request = {heatmap_request_fields};

static const struct proto_json_field slot_fields[] = {
	{"timestamp", 1, PROTO_JSON_INT64, NULL, 0, NULL},
	{"yMin", 2, PROTO_JSON_DOUBLES, NULL, 0, NULL},
	{"counts", 3, PROTO_JSON_INTS, NULL, 0, NULL},
	{"exemplars", 4, PROTO_JSON_MESSAGE, &exemplar, PROTO_JSON_REPEATED, NULL},
	{0},
};
static const struct proto_json_message slot = {slot_fields};

static const struct proto_json_field slots_fields[] = {
	{"labels", 1, PROTO_JSON_MESSAGE, &label_pair, PROTO_JSON_REPEATED, NULL},
	{"slots", 2, PROTO_JSON_MESSAGE, &slot, PROTO_JSON_REPEATED, NULL},
	{0},
};
static const struct proto_json_message slots = {slots_fields};

static const struct proto_json_field heatmap_fields[] = {
	{"series", 1, PROTO_JSON_MESSAGE, &slots, PROTO_JSON_REPEATED, NULL},
	{0},
};
const struct proto_json_message querier_schema_heatmap = {heatmap_fields};

static const struct proto_json_field span_request_fields[] = {
	{"profileTypeID", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"labelSelector", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"spanSelector", 3, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"start", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{"end", 5, PROTO_JSON_INT64, NULL, 0, NULL},
	{"maxNodes", 6, PROTO_JSON_INT64, NULL, 0, NULL},
	{"format", 7, PROTO_JSON_ENUM, NULL, 0, formats},
	{0},
};
const struct proto_json_message querier_schema_span_request = {span_request_fields};

static const struct proto_json_field level_fields[] = {
	{"values", 1, PROTO_JSON_INT64S, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message level = {level_fields};

static const struct proto_json_field flame_fields[] = {
	{"names", 1, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"levels", 2, PROTO_JSON_MESSAGE, &level, PROTO_JSON_REPEATED, NULL},
	{"total", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{"maxSelf", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message flame = {flame_fields};

static const struct proto_json_field diff_request_fields[] = {
	{"left", 1, PROTO_JSON_MESSAGE, &querier_schema_select_request, 0, NULL},
	{"right", 2, PROTO_JSON_MESSAGE, &querier_schema_select_request, 0, NULL},
	{0},
};
const struct proto_json_message querier_schema_diff_request = {diff_request_fields};

static const struct proto_json_field flame_diff_fields[] = {
	{"names", 1, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"levels", 2, PROTO_JSON_MESSAGE, &level, PROTO_JSON_REPEATED, NULL},
	{"total", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{"maxSelf", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{"leftTicks", 5, PROTO_JSON_INT64, NULL, 0, NULL},
	{"rightTicks", 6, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message flame_diff = {flame_diff_fields};

static const struct proto_json_field diff_fields[] = {
	{"flamegraph", 1, PROTO_JSON_MESSAGE, &flame_diff, 0, NULL},
	{0},
};
const struct proto_json_message querier_schema_diff = {diff_fields};

static const struct proto_json_field stats_fields[] = {
	{"dataIngested", 1, PROTO_JSON_BOOL, NULL, 0, NULL},
	{"oldestProfileTime", 2, PROTO_JSON_INT64, NULL, 0, NULL},
	{"newestProfileTime", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
const struct proto_json_message querier_schema_stats = {stats_fields};

static const struct proto_json_field pprof_value_type_fields[] = {
	{"type", 1, PROTO_JSON_INT64, NULL, 0, NULL},
	{"unit", 2, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message pprof_value_type = {pprof_value_type_fields};

static const struct proto_json_field pprof_label_fields[] = {
	{"key", 1, PROTO_JSON_INT64, NULL, 0, NULL},
	{"str", 2, PROTO_JSON_INT64, NULL, 0, NULL},
	{"num", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{"numUnit", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message pprof_label = {pprof_label_fields};

static const struct proto_json_field pprof_sample_fields[] = {
	{"locationId", 1, PROTO_JSON_INT64S, NULL, 0, NULL},
	{"value", 2, PROTO_JSON_INT64S, NULL, 0, NULL},
	{"label", 3, PROTO_JSON_MESSAGE, &pprof_label, PROTO_JSON_REPEATED, NULL},
	{0},
};
static const struct proto_json_message pprof_sample = {pprof_sample_fields};

static const struct proto_json_field pprof_mapping_fields[] = {
	{"id", 1, PROTO_JSON_UINT64, NULL, 0, NULL},
	{"memoryStart", 2, PROTO_JSON_UINT64, NULL, 0, NULL},
	{"memoryLimit", 3, PROTO_JSON_UINT64, NULL, 0, NULL},
	{"fileOffset", 4, PROTO_JSON_UINT64, NULL, 0, NULL},
	{"filename", 5, PROTO_JSON_INT64, NULL, 0, NULL},
	{"buildId", 6, PROTO_JSON_INT64, NULL, 0, NULL},
	{"hasFunctions", 7, PROTO_JSON_BOOL, NULL, 0, NULL},
	{"hasFilenames", 8, PROTO_JSON_BOOL, NULL, 0, NULL},
	{"hasLineNumbers", 9, PROTO_JSON_BOOL, NULL, 0, NULL},
	{"hasInlineFrames", 10, PROTO_JSON_BOOL, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message pprof_mapping = {pprof_mapping_fields};

static const struct proto_json_field pprof_line_fields[] = {
	{"functionId", 1, PROTO_JSON_UINT64, NULL, 0, NULL},
	{"line", 2, PROTO_JSON_INT64, NULL, 0, NULL},
	{"column", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message pprof_line = {pprof_line_fields};

static const struct proto_json_field pprof_location_fields[] = {
	{"id", 1, PROTO_JSON_UINT64, NULL, 0, NULL},
	{"mappingId", 2, PROTO_JSON_UINT64, NULL, 0, NULL},
	{"address", 3, PROTO_JSON_UINT64, NULL, 0, NULL},
	{"line", 4, PROTO_JSON_MESSAGE, &pprof_line, PROTO_JSON_REPEATED, NULL},
	{"isFolded", 5, PROTO_JSON_BOOL, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message pprof_location = {pprof_location_fields};

static const struct proto_json_field pprof_function_fields[] = {
	{"id", 1, PROTO_JSON_UINT64, NULL, 0, NULL},
	{"name", 2, PROTO_JSON_INT64, NULL, 0, NULL},
	{"systemName", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{"filename", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{"startLine", 5, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message pprof_function = {pprof_function_fields};

static const struct proto_json_field pprof_profile_fields[] = {
	{"sampleType", 1, PROTO_JSON_MESSAGE, &pprof_value_type, PROTO_JSON_REPEATED, NULL},
	{"sample", 2, PROTO_JSON_MESSAGE, &pprof_sample, PROTO_JSON_REPEATED, NULL},
	{"mapping", 3, PROTO_JSON_MESSAGE, &pprof_mapping, PROTO_JSON_REPEATED, NULL},
	{"location", 4, PROTO_JSON_MESSAGE, &pprof_location, PROTO_JSON_REPEATED, NULL},
	{"function", 5, PROTO_JSON_MESSAGE, &pprof_function, PROTO_JSON_REPEATED, NULL},
	{"stringTable", 6, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"dropFrames", 7, PROTO_JSON_INT64, NULL, 0, NULL},
	{"keepFrames", 8, PROTO_JSON_INT64, NULL, 0, NULL},
	{"timeNanos", 9, PROTO_JSON_INT64, NULL, 0, NULL},
	{"durationNanos", 10, PROTO_JSON_INT64, NULL, 0, NULL},
	{"periodType", 11, PROTO_JSON_MESSAGE, &pprof_value_type, 0, NULL},
	{"period", 12, PROTO_JSON_INT64, NULL, 0, NULL},
	{"comment", 13, PROTO_JSON_INT64S, NULL, 0, NULL},
	{"defaultSampleType", 14, PROTO_JSON_INT64, NULL, 0, NULL},
	{"docUrl", 15, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
const struct proto_json_message querier_schema_pprof_profile = {pprof_profile_fields};

static const struct proto_json_field pprof_fields[] = {
	{"profile", 1, PROTO_JSON_MESSAGE, &querier_schema_pprof_profile, 0, NULL},
	{0},
};
static const struct proto_json_message pprof = {pprof_fields};

static const struct proto_json_field select_stacks_fields[] = {
	{"flamegraph", 1, PROTO_JSON_MESSAGE, &flame, 0, NULL},
	{"tree", 2, PROTO_JSON_BYTES, NULL, 0, NULL},
	{"dot", 3, PROTO_JSON_STRING, NULL, 0, NULL},
	{"pprof", 5, PROTO_JSON_MESSAGE, &pprof, 0, NULL},
	{0},
};
const struct proto_json_message querier_schema_select_stacks = {select_stacks_fields};

static const struct proto_json_field nothing_fields[] = {{0}};
const struct proto_json_message querier_schema_nothing = {nothing_fields};
