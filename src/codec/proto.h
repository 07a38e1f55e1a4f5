/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protobuf wire format, without schemas: a bounded cursor over messages and a writer into a
 * buf.
 *
 *	struct cursor message = cursor_over(data, len);
 *	struct proto_field field;
 *
 *	while (proto_next(&message, &field))
 *		switch (field.number) {
 *		case 1: ... field.value ...
 *		case 2: struct cursor inner = proto_message(&field); ...
 *		}
 *	if (message.bad)
 *		... malformed ...
 *
 * Nothing is copied and nothing recurses.  Groups (wire types 3 and 4, unused since 2008) and the
 * reserved types 6 and 7 are malformed.
 */
#ifndef CODEC_PROTO_H
#define CODEC_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum proto_wire {
	PROTO_VARINT = 0,
	PROTO_FIXED64 = 1,
	PROTO_BYTES = 2,
	PROTO_FIXED32 = 5,
};

struct proto_field {
	uint32_t number;
	uint8_t wire;	      /* enum proto_wire */
	uint64_t value;	      /* all but PROTO_BYTES, else 0 */
	const uint8_t *bytes; /* PROTO_BYTES: in place, else NULL */
	size_t len;
};

/* The next field; false at the end or when malformed (then message->bad). */
bool proto_next(struct cursor *message, struct proto_field *ret_field) nodiscard;

/* The bytes of a field as a message of their own; a field of another wire type gives a bad cursor.
 */
struct cursor proto_message(const struct proto_field *field);

/*
 * The varints of a repeated field, packed or not, one at a time:
 *
 *	struct proto_list list = proto_list(&field);
 *	while (proto_list_next(&list, &value)) ...
 *	if (list.bad) ...
 */
struct proto_list {
	struct cursor packed;
	uint64_t single;
	bool has_single;
	bool bad;
};

struct proto_list proto_list(const struct proto_field *field);
bool proto_list_next(struct proto_list *list, uint64_t *ret_value) nodiscard;

/* ---- writing: zeros and empty texts too; leave out what is a default ---- */

void proto_put_uint(struct buf *out, uint32_t number, uint64_t value);
void proto_put_int(struct buf *out, uint32_t number, int64_t value); /* ten bytes when negative */
void proto_put_bytes(struct buf *out, uint32_t number, const void *data, size_t len);
void proto_put_str(struct buf *out, uint32_t number, const char *text);

/* A message inside: what is put between begin and end is its content. */
size_t proto_begin(struct buf *out, uint32_t number) nodiscard;
void proto_end(struct buf *out, size_t begin);

#endif
