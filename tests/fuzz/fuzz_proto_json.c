/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON of a schema with every kind of field, one in itself: what comes out is whole protobuf. */
#include "fuzz.h"

#include <stdlib.h>

#include "codec/proto.h"
#include "codec/proto_json.h"

static const struct proto_json_message message;
static const struct proto_json_field fields[] = {
	{"anInt", 1, PROTO_JSON_INT, NULL, 0, NULL},
	{"someInts", 2, PROTO_JSON_INTS, NULL, 0, NULL},
	{"aTime", 3, PROTO_JSON_FIXED64, NULL, 0, NULL},
	{"times", 4, PROTO_JSON_FIXED64S, NULL, 0, NULL},
	{"aDouble", 5, PROTO_JSON_DOUBLE, NULL, 0, NULL},
	{"aBool", 6, PROTO_JSON_BOOL, NULL, 0, NULL},
	{"aText", 7, PROTO_JSON_STRING, NULL, 0, NULL},
	{"bytes", 8, PROTO_JSON_BYTES, NULL, 0, NULL},
	{"id", 9, PROTO_JSON_ID, NULL, 0, NULL},
	{"inner", 10, PROTO_JSON_MESSAGE, &message, 0, NULL},
	{0},
};
static const struct proto_json_message message = {fields};

static void check(struct cursor at)
{
	struct proto_field field;

	while (proto_next(&at, &field))
		if (field.number == 10)
			check(proto_message(&field)); /* as deep as JSON may be */
	if (at.bad)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out;
	struct err err;

	buf_init(&out, 1u << 16);
	if (proto_json_read(&message, data, size, &out, &err) == 0)
		check(cursor_over(out.data ? out.data : "", out.len));
	buf_done(&out);
	return 0;
}
