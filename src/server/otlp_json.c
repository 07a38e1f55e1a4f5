/* SPDX-License-Identifier: Apache-2.0 */
#include "server/otlp_json.h"

#include "codec/proto_json.h"

/* Names and numbers of opentelemetry.proto.profiles.v1development from 1.10 on, what is used before what uses it. */

static const struct proto_json_field any_value_fields[] = {
	{"stringValue", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"boolValue", 2, PROTO_JSON_BOOL, NULL, 0, NULL},
	{"intValue", 3, PROTO_JSON_INT, NULL, 0, NULL},
	{"doubleValue", 4, PROTO_JSON_DOUBLE, NULL, 0, NULL},
	{"stringValueStrindex", 8, PROTO_JSON_INT, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message any_value = {any_value_fields};

static const struct proto_json_field key_value_fields[] = {
	{"key", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"value", 2, PROTO_JSON_MESSAGE, &any_value, 0, NULL},
	{"keyStrindex", 3, PROTO_JSON_INT, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message key_value = {key_value_fields};

static const struct proto_json_field resource_fields[] = {
	{"attributes", 1, PROTO_JSON_MESSAGE, &key_value, 0, NULL},
	{0},
};
static const struct proto_json_message resource = {resource_fields};

static const struct proto_json_field scope_fields[] = {
	{"name", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"version", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"attributes", 3, PROTO_JSON_MESSAGE, &key_value, 0, NULL},
	{0},
};
static const struct proto_json_message scope = {scope_fields};

static const struct proto_json_field value_type_fields[] = {
	{"typeStrindex", 1, PROTO_JSON_INT, NULL, 0, NULL},
	{"unitStrindex", 2, PROTO_JSON_INT, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message value_type = {value_type_fields};

static const struct proto_json_field sample_fields[] = {
	{"stackIndex", 1, PROTO_JSON_INT, NULL, 0, NULL},
	{"attributeIndices", 2, PROTO_JSON_INTS, NULL, 0, NULL},
	{"linkIndex", 3, PROTO_JSON_INT, NULL, 0, NULL},
	{"values", 4, PROTO_JSON_INTS, NULL, 0, NULL},
	{"timestampsUnixNano", 5, PROTO_JSON_FIXED64S, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message sample = {sample_fields};

static const struct proto_json_field profile_fields[] = {
	{"sampleType", 1, PROTO_JSON_MESSAGE, &value_type, 0, NULL},
	{"samples", 2, PROTO_JSON_MESSAGE, &sample, 0, NULL},
	{"timeUnixNano", 3, PROTO_JSON_FIXED64, NULL, 0, NULL},
	{"durationNano", 4, PROTO_JSON_INT, NULL, 0, NULL},
	{"periodType", 5, PROTO_JSON_MESSAGE, &value_type, 0, NULL},
	{"period", 6, PROTO_JSON_INT, NULL, 0, NULL},
	{"profileId", 7, PROTO_JSON_ID, NULL, 0, NULL},
	{"attributeIndices", 11, PROTO_JSON_INTS, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message profile = {profile_fields};

static const struct proto_json_field scope_profiles_fields[] = {
	{"scope", 1, PROTO_JSON_MESSAGE, &scope, 0, NULL},
	{"profiles", 2, PROTO_JSON_MESSAGE, &profile, 0, NULL},
	{0},
};
static const struct proto_json_message scope_profiles = {scope_profiles_fields};

static const struct proto_json_field resource_profiles_fields[] = {
	{"resource", 1, PROTO_JSON_MESSAGE, &resource, 0, NULL},
	{"scopeProfiles", 2, PROTO_JSON_MESSAGE, &scope_profiles, 0, NULL},
	{0},
};
static const struct proto_json_message resource_profiles = {resource_profiles_fields};

static const struct proto_json_field mapping_fields[] = {
	{"memoryStart", 1, PROTO_JSON_INT, NULL, 0, NULL},
	{"memoryLimit", 2, PROTO_JSON_INT, NULL, 0, NULL},
	{"fileOffset", 3, PROTO_JSON_INT, NULL, 0, NULL},
	{"filenameStrindex", 4, PROTO_JSON_INT, NULL, 0, NULL},
	{"attributeIndices", 5, PROTO_JSON_INTS, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message mapping = {mapping_fields};

static const struct proto_json_field line_fields[] = {
	{"functionIndex", 1, PROTO_JSON_INT, NULL, 0, NULL},
	{"line", 2, PROTO_JSON_INT, NULL, 0, NULL},
	{"column", 3, PROTO_JSON_INT, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message line = {line_fields};

static const struct proto_json_field location_fields[] = {
	{"mappingIndex", 1, PROTO_JSON_INT, NULL, 0, NULL},
	{"address", 2, PROTO_JSON_INT, NULL, 0, NULL},
	{"lines", 3, PROTO_JSON_MESSAGE, &line, 0, NULL},
	{"attributeIndices", 4, PROTO_JSON_INTS, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message location = {location_fields};

static const struct proto_json_field function_fields[] = {
	{"nameStrindex", 1, PROTO_JSON_INT, NULL, 0, NULL},
	{"systemNameStrindex", 2, PROTO_JSON_INT, NULL, 0, NULL},
	{"filenameStrindex", 3, PROTO_JSON_INT, NULL, 0, NULL},
	{"startLine", 4, PROTO_JSON_INT, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message function = {function_fields};

static const struct proto_json_field link_fields[] = {
	{"traceId", 1, PROTO_JSON_ID, NULL, 0, NULL},
	{"spanId", 2, PROTO_JSON_ID, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message link = {link_fields};

static const struct proto_json_field attribute_fields[] = {
	{"keyStrindex", 1, PROTO_JSON_INT, NULL, 0, NULL},
	{"value", 2, PROTO_JSON_MESSAGE, &any_value, 0, NULL},
	{"unitStrindex", 3, PROTO_JSON_INT, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message attribute = {attribute_fields};

static const struct proto_json_field stack_fields[] = {
	{"locationIndices", 1, PROTO_JSON_INTS, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message stack = {stack_fields};

static const struct proto_json_field dictionary_fields[] = {
	{"mappingTable", 1, PROTO_JSON_MESSAGE, &mapping, 0, NULL},
	{"locationTable", 2, PROTO_JSON_MESSAGE, &location, 0, NULL},
	{"functionTable", 3, PROTO_JSON_MESSAGE, &function, 0, NULL},
	{"linkTable", 4, PROTO_JSON_MESSAGE, &link, 0, NULL},
	{"stringTable", 5, PROTO_JSON_STRING, NULL, 0, NULL},
	{"attributeTable", 6, PROTO_JSON_MESSAGE, &attribute, 0, NULL},
	{"stackTable", 7, PROTO_JSON_MESSAGE, &stack, 0, NULL},
	{0},
};
static const struct proto_json_message dictionary = {dictionary_fields};

static const struct proto_json_field request_fields[] = {
	{"resourceProfiles", 1, PROTO_JSON_MESSAGE, &resource_profiles, 0, NULL},
	{"dictionary", 2, PROTO_JSON_MESSAGE, &dictionary, 0, NULL},
	{0},
};
static const struct proto_json_message request = {request_fields};

int otlp_json_read(const void *text, size_t len, struct buf *out, struct err *err)
{
	return proto_json_read(&request, text, len, out, err);
}
