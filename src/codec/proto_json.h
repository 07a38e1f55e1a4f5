/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto3's JSON into protobuf and back, by a schema, without a document.
 *
 *	static const struct proto_json_field point_fields[] = {
 *		{"x", 1, PROTO_JSON_INT, NULL, 0, NULL},
 *		{"labelPairs", 2, PROTO_JSON_MESSAGE, &label, PROTO_JSON_REPEATED, NULL}, {0}};
 *	static const struct proto_json_message point = {point_fields};
 *
 *	r = proto_json_read(&point, text, len, &out, err);	JSON to proto
 *	r = proto_json_write(&point, data, len, &out, err);	proto to JSON
 *
 * Reading takes what proto3's JSON allows: names as lowerCamelCase or as the schema's snake_case, 64-bit integers as numbers or
 * texts, null for "not there".  Members that the schema does not have are skipped, with all that is in them.  A
 * value of the wrong kind is ERR_CORRUPT and named.  Reading does not recurse; writing does, as deep as the schema is, which JSON_MAX_DEPTH bounds.
 */
#ifndef CODEC_PROTO_JSON_H
#define CODEC_PROTO_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum proto_json_kind {
	PROTO_JSON_INT,	  /* varint; negative numbers as int64 */
	PROTO_JSON_INTS,  /* repeated, packed */
	PROTO_JSON_INT64, /* as above, of 64 bits: written as texts */
	PROTO_JSON_INT64S,
	PROTO_JSON_UINT64,
	PROTO_JSON_FIXED64, /* an integer of 8 bytes */
	PROTO_JSON_FIXED64S,
	PROTO_JSON_DOUBLE,
	PROTO_JSON_DOUBLES,
	PROTO_JSON_BOOL,
	PROTO_JSON_ENUM,   /* by name or by number */
	PROTO_JSON_STRING, /* repeated or not */
	PROTO_JSON_BYTES,  /* base64 */
	PROTO_JSON_ID,	   /* hexadecimal where it is all digits of that, else base64 */
	PROTO_JSON_MESSAGE,
};

/* Texts, bytes and messages of which there may be several: written as an array. */
enum { PROTO_JSON_REPEATED = 1 };

struct proto_json_message;

struct proto_json_field {
	const char *name; /* lowerCamelCase */
	uint32_t number;
	enum proto_json_kind kind;
	const struct proto_json_message *message; /* PROTO_JSON_MESSAGE */
	unsigned flags;
	const char *const *names; /* PROTO_JSON_ENUM: by number, up to a NULL */
};

struct proto_json_message {
	const struct proto_json_field *fields; /* up to the one without a name */
};

/* Both append to `out`; ERR_LIMIT when that is full. */
int proto_json_read(const struct proto_json_message *schema, const void *text, size_t len,
		    struct buf *out, struct err *err) nodiscard;
/* Members in the order of the schema; what is not in the message is left out.  ERR_CORRUPT. */
int proto_json_write(const struct proto_json_message *schema, const void *data, size_t len,
		     struct buf *out, struct err *err) nodiscard;

#endif
