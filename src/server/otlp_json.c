/* SPDX-License-Identifier: Apache-2.0 */
#include "server/otlp_json.h"

#include "codec/proto_json.h"

/* Names and numbers of opentelemetry.proto.profiles.v1development from 1.10 on, what is used before what uses it. */

static const struct proto_json_field any_value_fields[] = {
	{"stringValue", 1, PROTO_JSON_STRING, NULL},
	{"boolValue", 2, PROTO_JSON_BOOL, NULL},
	{"intValue", 3, PROTO_JSON_INT, NULL},
	{"doubleValue", 4, PROTO_JSON_DOUBLE, NULL},
	{"stringValueStrindex", 8, PROTO_JSON_INT, NULL},
	{0},
};
static const struct proto_json_message any_value = {any_value_fields};

static const struct proto_json_field key_value_fields[] = {
	{"key", 1, PROTO_JSON_STRING, NULL},
	{"value", 2, PROTO_JSON_MESSAGE, &any_value},
	{"keyStrindex", 3, PROTO_JSON_INT, NULL},
	{0},
};
static const struct proto_json_message key_value = {key_value_fields};

static const struct proto_json_field resource_fields[] = {
	{"attributes", 1, PROTO_JSON_MESSAGE, &key_value},
	{0},
};
static const struct proto_json_message resource = {resource_fields};

static const struct proto_json_field scope_fields[] = {
	{"name", 1, PROTO_JSON_STRING, NULL},
	{"version", 2, PROTO_JSON_STRING, NULL},
	{"attributes", 3, PROTO_JSON_MESSAGE, &key_value},
	{0},
};
static const struct proto_json_message scope = {scope_fields};

static const struct proto_json_field value_type_fields[] = {
	{"typeStrindex", 1, PROTO_JSON_INT, NULL},
	{"unitStrindex", 2, PROTO_JSON_INT, NULL},
	{0},
};
static const struct proto_json_message value_type = {value_type_fields};

static const struct proto_json_field sample_fields[] = {
	{"stackIndex", 1, PROTO_JSON_INT, NULL},
	{"attributeIndices", 2, PROTO_JSON_INTS, NULL},
	{"linkIndex", 3, PROTO_JSON_INT, NULL},
	{"values", 4, PROTO_JSON_INTS, NULL},
	{"timestampsUnixNano", 5, PROTO_JSON_FIXED64S, NULL},
	{0},
};
static const struct proto_json_message sample = {sample_fields};

static const struct proto_json_field profile_fields[] = {
	{"sampleType", 1, PROTO_JSON_MESSAGE, &value_type},
	{"samples", 2, PROTO_JSON_MESSAGE, &sample},
	{"timeUnixNano", 3, PROTO_JSON_FIXED64, NULL},
	{"durationNano", 4, PROTO_JSON_INT, NULL},
	{"periodType", 5, PROTO_JSON_MESSAGE, &value_type},
	{"period", 6, PROTO_JSON_INT, NULL},
	{"profileId", 7, PROTO_JSON_ID, NULL},
	{"attributeIndices", 11, PROTO_JSON_INTS, NULL},
	{0},
};
static const struct proto_json_message profile = {profile_fields};

static const struct proto_json_field scope_profiles_fields[] = {
	{"scope", 1, PROTO_JSON_MESSAGE, &scope},
	{"profiles", 2, PROTO_JSON_MESSAGE, &profile},
	{0},
};
static const struct proto_json_message scope_profiles = {scope_profiles_fields};

static const struct proto_json_field resource_profiles_fields[] = {
	{"resource", 1, PROTO_JSON_MESSAGE, &resource},
	{"scopeProfiles", 2, PROTO_JSON_MESSAGE, &scope_profiles},
	{0},
};
static const struct proto_json_message resource_profiles = {resource_profiles_fields};

static const struct proto_json_field mapping_fields[] = {
	{"memoryStart", 1, PROTO_JSON_INT, NULL},
	{"memoryLimit", 2, PROTO_JSON_INT, NULL},
	{"fileOffset", 3, PROTO_JSON_INT, NULL},
	{"filenameStrindex", 4, PROTO_JSON_INT, NULL},
	{"attributeIndices", 5, PROTO_JSON_INTS, NULL},
	{0},
};
static const struct proto_json_message mapping = {mapping_fields};

static const struct proto_json_field line_fields[] = {
	{"functionIndex", 1, PROTO_JSON_INT, NULL},
	{"line", 2, PROTO_JSON_INT, NULL},
	{"column", 3, PROTO_JSON_INT, NULL},
	{0},
};
static const struct proto_json_message line = {line_fields};

static const struct proto_json_field location_fields[] = {
	{"mappingIndex", 1, PROTO_JSON_INT, NULL},
	{"address", 2, PROTO_JSON_INT, NULL},
	{"lines", 3, PROTO_JSON_MESSAGE, &line},
	{"attributeIndices", 4, PROTO_JSON_INTS, NULL},
	{0},
};
static const struct proto_json_message location = {location_fields};

static const struct proto_json_field function_fields[] = {
	{"nameStrindex", 1, PROTO_JSON_INT, NULL},
	{"systemNameStrindex", 2, PROTO_JSON_INT, NULL},
	{"filenameStrindex", 3, PROTO_JSON_INT, NULL},
	{"startLine", 4, PROTO_JSON_INT, NULL},
	{0},
};
static const struct proto_json_message function = {function_fields};

static const struct proto_json_field link_fields[] = {
	{"traceId", 1, PROTO_JSON_ID, NULL},
	{"spanId", 2, PROTO_JSON_ID, NULL},
	{0},
};
static const struct proto_json_message link = {link_fields};

static const struct proto_json_field attribute_fields[] = {
	{"keyStrindex", 1, PROTO_JSON_INT, NULL},
	{"value", 2, PROTO_JSON_MESSAGE, &any_value},
	{"unitStrindex", 3, PROTO_JSON_INT, NULL},
	{0},
};
static const struct proto_json_message attribute = {attribute_fields};

static const struct proto_json_field stack_fields[] = {
	{"locationIndices", 1, PROTO_JSON_INTS, NULL},
	{0},
};
static const struct proto_json_message stack = {stack_fields};

static const struct proto_json_field dictionary_fields[] = {
	{"mappingTable", 1, PROTO_JSON_MESSAGE, &mapping},
	{"locationTable", 2, PROTO_JSON_MESSAGE, &location},
	{"functionTable", 3, PROTO_JSON_MESSAGE, &function},
	{"linkTable", 4, PROTO_JSON_MESSAGE, &link},
	{"stringTable", 5, PROTO_JSON_STRING, NULL},
	{"attributeTable", 6, PROTO_JSON_MESSAGE, &attribute},
	{"stackTable", 7, PROTO_JSON_MESSAGE, &stack},
	{0},
};
static const struct proto_json_message dictionary = {dictionary_fields};

static const struct proto_json_field request_fields[] = {
	{"resourceProfiles", 1, PROTO_JSON_MESSAGE, &resource_profiles},
	{"dictionary", 2, PROTO_JSON_MESSAGE, &dictionary},
	{0},
};
static const struct proto_json_message request = {request_fields};

int otlp_json_read(const void *text, size_t len, struct buf *out, struct err *err)
{
	return proto_json_read(&request, text, len, out, err);
}
