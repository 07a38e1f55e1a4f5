/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: a streaming writer into a buf and a streaming reader over yajl.  Neither holds a document.
 *
 * The writer puts the commas:
 *
 *	struct json_writer json;
 *
 *	json_writer_init(&json, &out, 0);
 *	json_object(&json);
 *	json_key(&json, "total");
 *	json_int(&json, total);
 *	json_end(&json);		gives {"total":91}
 *
 * Strings are cleaned to valid UTF-8 on the way; integers are exact in 64 bits.  Errors are those
 * of the buf (its ceiling).
 */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define JSON_MAX_DEPTH 64

enum {
	JSON_ESCAPE_MARKUP = 1, /* < > & as \u003c…: the text can sit inside HTML */
};

struct json_writer {
	struct buf *out; /* borrowed */
	uint32_t flags;
	uint32_t depth;
	uint64_t is_array; /* one bit per level */
	uint64_t has_items;
	bool after_key;
};

void json_writer_init(struct json_writer *json, struct buf *out, uint32_t flags);
void json_object(struct json_writer *json);
void json_array(struct json_writer *json);
void json_end(struct json_writer *json); /* of the innermost object or array */
void json_key(struct json_writer *json, const char *key);
void json_str(struct json_writer *json, const char *text, size_t len);
void json_cstr(struct json_writer *json, const char *text); /* NULL: null */
void json_int(struct json_writer *json, int64_t value);
void json_uint(struct json_writer *json, uint64_t value);
/* An array of numbers: what long tables are made of.  A writer that is nearly full may end it early, as overflown. */
void json_ints(struct json_writer *json, const int64_t *values, size_t n);
void json_uints(struct json_writer *json, const uint32_t *values, size_t n);
/* As few digits as read back to the same double; null for what JSON cannot say. */
void json_double(struct json_writer *json, double value);
void json_bool(struct json_writer *json, bool value);
void json_null(struct json_writer *json);
/* A value that is JSON already. */
void json_raw(struct json_writer *json, const char *text, size_t len);

/* Shorthands for members of the open object. */
void json_member_str(struct json_writer *json, const char *key, const char *text);
void json_member_int(struct json_writer *json, const char *key, int64_t value);
void json_member_uint(struct json_writer *json, const char *key, uint64_t value);
void json_member_double(struct json_writer *json, const char *key, double value);
void json_member_bool(struct json_writer *json, const char *key, bool value);

/* ---- reading ---- */

enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_OBJECT_BEGIN,
	JSON_OBJECT_END,
	JSON_ARRAY_BEGIN,
	JSON_ARRAY_END,
};

/*
 * One event.  `path` names its place without the positions in arrays: "" is the whole document,
 * "shared.frames[].name" the name of some frame.  A key that holds one of the characters ".[]" or
 * is longer than JSON_MAX_KEY_BYTES stands as "?" there, so that no key can pose as a path.
 */
struct json_event {
	enum json_kind kind;
	const char *path;
	bool truth;	  /* JSON_BOOL */
	const char *text; /* JSON_STRING unescaped, JSON_NUMBER as written; not NUL-terminated */
	size_t len;
};

#define JSON_MAX_KEY_BYTES 63

/* A negative return stops the reader with that code; fill `err` then. */
typedef int json_event_fn(void *ctx, const struct json_event *event, struct err *err);

struct json_limits {
	size_t max_bytes;
	uint32_t max_depth; /* at most JSON_MAX_DEPTH */
};

/*
 * Read one document.  ERR_CORRUPT (with the line) when it is not JSON, ERR_LIMIT past the limits,
 * or what `on_event` returned.  Strings may hold invalid UTF-8 and NUL.
 */
int json_read(const void *data, size_t len, const struct json_limits *limits,
	      json_event_fn *on_event, void *ctx, struct err *err) nodiscard;

/*
 * The number (or, as proto3 JSON writes 64-bit integers, the string) of an event.  int64: exact,
 * and ERR_CORRUPT for fractions and what does not fit; 1e3 and 5.0 are integers.
 */
int json_event_int(const struct json_event *event, int64_t *ret_value) nodiscard;
int json_event_double(const struct json_event *event, double *ret_value) nodiscard;
/* Does the event's text equal `text`? */
bool json_event_is(const struct json_event *event, const char *text) nodiscard;

#endif
