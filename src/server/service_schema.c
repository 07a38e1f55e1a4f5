/* SPDX-License-Identifier: Apache-2.0 */
#include "server/service_schema.h"

static const struct proto_json_field nothing_fields[] = {{0}};
const struct proto_json_message service_schema_nothing = {nothing_fields};

/* ---- settings.v1 ---- */

static const struct proto_json_field setting_fields[] = {
	{"name", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"value", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"modifiedAt", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message setting = {setting_fields};

static const struct proto_json_field settings_fields[] = {
	{"settings", 1, PROTO_JSON_MESSAGE, &setting, PROTO_JSON_REPEATED, NULL},
	{0},
};
const struct proto_json_message service_schema_settings = {settings_fields};

static const struct proto_json_field set_setting_fields[] = {
	{"setting", 1, PROTO_JSON_MESSAGE, &setting, 0, NULL},
	{0},
};
const struct proto_json_message service_schema_set_setting = {set_setting_fields};

static const struct proto_json_field delete_setting_fields[] = {
	{"name", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{0},
};
const struct proto_json_message service_schema_delete_setting = {delete_setting_fields};

/* ---- version.v1, capabilities.v1 ---- */

static const struct proto_json_field version_fields[] = {
	{"QuerierAPI", 1, PROTO_JSON_UINT64, NULL, 0, NULL},
	{0},
};
const struct proto_json_message service_schema_version = {version_fields};

static const struct proto_json_field feature_fields[] = {
	{"name", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"enabled", 2, PROTO_JSON_BOOL, NULL, 0, NULL},
	{"description", 3, PROTO_JSON_STRING, NULL, 0, NULL},
	{"documentationUrl", 4, PROTO_JSON_STRING, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message feature = {feature_fields};

static const struct proto_json_field features_fields[] = {
	{"featureFlags", 1, PROTO_JSON_MESSAGE, &feature, PROTO_JSON_REPEATED, NULL},
	{0},
};
const struct proto_json_message service_schema_features = {features_fields};

/* ---- adhocprofiles.v1 ---- */

static const struct proto_json_field adhoc_upload_fields[] = {
	{"name", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"profile", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"maxNodes", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
const struct proto_json_message service_schema_adhoc_upload = {adhoc_upload_fields};

static const struct proto_json_field adhoc_get_fields[] = {
	{"id", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"profileType", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"maxNodes", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
const struct proto_json_message service_schema_adhoc_get = {adhoc_get_fields};

static const struct proto_json_field adhoc_profile_fields[] = {
	{"id", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"name", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"uploadedAt", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{"profileType", 4, PROTO_JSON_STRING, NULL, 0, NULL},
	{"profileTypes", 5, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"flamebearerProfile", 6, PROTO_JSON_STRING, NULL, 0, NULL},
	{0},
};
const struct proto_json_message service_schema_adhoc_profile = {adhoc_profile_fields};

static const struct proto_json_field adhoc_entry_fields[] = {
	{"id", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"name", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"uploadedAt", 3, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
static const struct proto_json_message adhoc_entry = {adhoc_entry_fields};

static const struct proto_json_field adhoc_list_fields[] = {
	{"profiles", 1, PROTO_JSON_MESSAGE, &adhoc_entry, PROTO_JSON_REPEATED, NULL},
	{0},
};
const struct proto_json_message service_schema_adhoc_list = {adhoc_list_fields};

static const struct proto_json_field adhoc_diff_request_fields[] = {
	{"leftId", 1, PROTO_JSON_STRING, NULL, 0, NULL},
	{"rightId", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{"profileType", 3, PROTO_JSON_STRING, NULL, 0, NULL},
	{"maxNodes", 4, PROTO_JSON_INT64, NULL, 0, NULL},
	{0},
};
const struct proto_json_message service_schema_adhoc_diff_request = {adhoc_diff_request_fields};

static const struct proto_json_field adhoc_diff_fields[] = {
	{"profileTypes", 1, PROTO_JSON_STRING, NULL, PROTO_JSON_REPEATED, NULL},
	{"flamebearerProfile", 2, PROTO_JSON_STRING, NULL, 0, NULL},
	{0},
};
const struct proto_json_message service_schema_adhoc_diff = {adhoc_diff_fields};
