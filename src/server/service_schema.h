/* SPDX-License-Identifier: Apache-2.0 */
/* Names and numbers of the small services: settings.v1, adhocprofiles.v1, version.v1, capabilities.v1. */
#ifndef SERVER_SERVICE_SCHEMA_H
#define SERVER_SERVICE_SCHEMA_H

#include "codec/proto_json.h"

extern const struct proto_json_message service_schema_nothing, service_schema_settings,
	service_schema_set_setting, service_schema_delete_setting, service_schema_version,
	service_schema_features, service_schema_adhoc_upload, service_schema_adhoc_get,
	service_schema_adhoc_profile, service_schema_adhoc_list, service_schema_adhoc_diff_request,
	service_schema_adhoc_diff;

#endif
