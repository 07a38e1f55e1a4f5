/* SPDX-License-Identifier: Apache-2.0 */
/* Field numbers of OTLP's profiles, and its dictionary as the tables of a pprof. */
#ifndef FORMAT_OTLP_PRIVATE_H
#define FORMAT_OTLP_PRIVATE_H

#include "codec/proto.h"
#include "format/otlp.h"
#include "format/pprof_private.h"

enum {
	REQUEST_RESOURCE_PROFILES = 1,
	REQUEST_DICTIONARY = 2,

	DICTIONARY_MAPPINGS = 1,
	DICTIONARY_LOCATIONS = 2,
	DICTIONARY_FUNCTIONS = 3,
	DICTIONARY_LINKS = 4,
	DICTIONARY_STRINGS = 5,
	DICTIONARY_ATTRIBUTES = 6,
	DICTIONARY_STACKS = 7,

	RESOURCE_PROFILES_RESOURCE = 1, /* and ScopeProfiles.scope */
	RESOURCE_PROFILES_SCOPES = 2,	/* and ScopeProfiles.profiles */
	RESOURCE_ATTRIBUTES = 1,
	SCOPE_ATTRIBUTES = 3,

	OTLP_PROFILE_SAMPLE_TYPE = 1,
	OTLP_PROFILE_SAMPLES = 2,
	OTLP_PROFILE_TIME = 3,
	OTLP_PROFILE_DURATION = 4,
	OTLP_PROFILE_PERIOD_TYPE = 5,
	OTLP_PROFILE_PERIOD = 6,
	OTLP_PROFILE_ID = 7,
	OTLP_PROFILE_ATTRIBUTES = 11,

	OTLP_LINK_TRACE = 1,
	OTLP_LINK_SPAN = 2,

	OTLP_SAMPLE_STACK = 1,
	OTLP_SAMPLE_TIMESTAMPS = 5,

	OTLP_MAPPING_FILENAME = 4,
	OTLP_MAPPING_ATTRIBUTES = 5,

	OTLP_LOCATION_MAPPING = 1,
	OTLP_LOCATION_ADDRESS = 2,
	OTLP_LOCATION_LINES = 3,
	OTLP_LOCATION_ATTRIBUTES = 4,

	OTLP_LINE_FUNCTION = 1,
	OTLP_LINE_LINE = 2,
	OTLP_LINE_COLUMN = 3,

	OTLP_FUNCTION_NAME = 1,
	OTLP_FUNCTION_SYSTEM_NAME = 2,
	OTLP_FUNCTION_FILENAME = 3,
	OTLP_FUNCTION_START_LINE = 4,

	KEY_VALUE_KEY = 1,
	KEY_VALUE_VALUE = 2,
	KEY_VALUE_KEY_INDEX = 3, /* of a resource's; the dictionary's have the index in 1 */

	ANY_VALUE_STRING = 1,
	ANY_VALUE_BOOL = 2,
	ANY_VALUE_INT = 3,
	ANY_VALUE_STRING_INDEX = 8,
};

#define OTLP_SERVICE_KEY "service.name"
#define OTLP_PID_KEY "process.pid"
#define OTLP_PROCESS_KEY "process.executable.name"

/* Fields of a sample that changed places between 1.9 and 1.10. */
struct otlp_layout {
	uint32_t values, attributes, link;
};

struct otlp_attribute {
	struct pprof_label label; /* key 0: of a kind that cannot be one */
	uint32_t sample_key; /* its key where a sample has it: as labels of a pprof are called */
};

/* The request that samples were taken in. */
struct otlp_link {
	struct span span;
	bool is_spoilt; /* its ids have the wrong length */
};

struct otlp_tables {
	struct pprof_tables pprof;
	struct otlp_attribute *attributes;
	struct cursor *stacks; /* their messages */
	struct otlp_link *links;
	size_t n_attributes, n_stacks, n_links, attributes_cap, stacks_cap, links_cap;
	uint32_t text_true, text_false; /* strings */
	uint32_t first_alias;
};

int otlp_tables_read(struct otlp_tables *tables, struct cursor dictionary,
		     const struct format_limits *limits, struct err *err) nodiscard;
void otlp_tables_done(struct otlp_tables *tables); /* all-zero is fine */

/* A string that is not in the dictionary; borrows the bytes. */
uint32_t otlp_add_string(struct otlp_tables *tables, const void *bytes, size_t len);
/* Key and value of an attribute of the dictionary, a resource or a scope; key 0: none that can be a label. */
int otlp_read_attribute(struct otlp_tables *tables, struct cursor message,
			struct pprof_label *ret_label, struct err *err) nodiscard;
/* What a pprof calls a label of that key. */
uint32_t otlp_sample_key(const struct otlp_tables *tables, uint64_t key);
bool otlp_is_text(const struct otlp_tables *tables, uint64_t index, const char *text);
/* NULL: there is none of that index, and `err` says so. */
const struct otlp_attribute *otlp_attribute_at(const struct otlp_tables *tables, uint64_t index,
					       struct err *err);
/* ERR_CORRUPT: "a <what> is malformed or cut off". */
int otlp_malformed(const char *what, struct err *err);

/* ---- a request while it is read ---- */

struct otlp_reader {
	struct otlp_tables tables;
	const struct otlp_layout *layout;
	const struct format_limits *limits;
	struct names *names;
	const struct otlp_sink *sink;
	struct otlp_result *result;
	struct arena arena; /* labels */
	uint64_t n_samples;
	struct pprof_label pid, process; /* of the resource; key 0: it does not say */
};

/* Begins after sink.begin(); `factor`: a value of a sample is so much of the column. */
int otlp_read_samples(struct otlp_reader *reader, struct cursor message, int64_t factor,
		      struct err *err) nodiscard;

#endif
