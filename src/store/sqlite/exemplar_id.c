/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/exemplar_id.h"

#include <string.h>

#include "base/utf8.h"
#include "profile/hash.h"

#define UUID_BYTES 16
#define UUID_TEXT_LEN 36

/* 32 digits, as they are or in the five groups of a UUID. */
static bool parse_uuid(const char *text, size_t len, uint8_t out[UUID_BYTES])
{
	char digits[2 * UUID_BYTES];
	struct trace_id id;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bool is_dash = len == UUID_TEXT_LEN && (i == 8 || i == 13 || i == 18 || i == 23);

		if (is_dash != (text[i] == '-') || (!is_dash && n == sizeof(digits)))
			return false;
		if (!is_dash)
			digits[n++] = text[i];
	}
	if (trace_id_parse(digits, n, &id) < 0)
		return false;
	memcpy(out, id.bytes, UUID_BYTES);
	return true;
}

struct exemplar_id exemplar_id_parse(const char *text, struct exemplar_id_room *room)
{
	struct exemplar_id id = {.bytes = room->bytes};
	size_t len = text ? strlen(text) : 0;

	if (len > STORE_ID_MAX_BYTES || !utf8_is_valid(text ? text : "", len))
		return id;
	id.is_uuid = parse_uuid(text, len, room->bytes);
	id.len = id.is_uuid ? UUID_BYTES : (uint8_t)len;
	if (!id.is_uuid)
		memcpy(room->bytes, text ? text : "", len);
	return id;
}

/* A UUID of version 8 (made by whoever made it), variant 1: RFC 9562. */
struct exemplar_id exemplar_id_made(uint64_t block_sum, struct exemplar_id_room *room)
{
	const uint64_t halves[] = {block_sum, hash_stable(&block_sum, sizeof(block_sum))};

	memcpy(room->bytes, halves, UUID_BYTES);
	room->bytes[6] = (room->bytes[6] & 0x0f) | 0x80;
	room->bytes[8] = (room->bytes[8] & 0x3f) | 0x80;
	return (struct exemplar_id){room->bytes, UUID_BYTES, true};
}

bool exemplar_id_equal(const struct exemplar_id *a, const struct exemplar_id *b)
{
	return a->len == b->len && a->is_uuid == b->is_uuid &&
	       memcmp(a->bytes, b->bytes, a->len) == 0;
}

void exemplar_id_format(const struct exemplar_id *id, char out[EXEMPLAR_ID_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	if (!id->is_uuid) {
		memcpy(out, id->bytes, id->len);
		out[id->len] = '\0';
		return;
	}
	for (size_t i = 0; i < UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[id->bytes[i] >> 4];
		*out++ = digits[id->bytes[i] & 15];
	}
	*out = '\0';
}

void exemplar_id_write(const struct exemplar_id *id, struct buf *head)
{
	if (!id->len)
		return;
	buf_put_varint(head, id->len * 2u + id->is_uuid);
	buf_put(head, id->bytes, id->len);
}

struct exemplar_id exemplar_id_read(struct cursor *head)
{
	struct exemplar_id id = {.len = 0};
	uint64_t first;

	if (head->bad || !cursor_left(head))
		return id;
	first = cursor_varint(head);
	id.is_uuid = first & 1;
	if (first / 2 > STORE_ID_MAX_BYTES || (id.is_uuid && first / 2 != UUID_BYTES))
		head->bad = true;
	else
		id.bytes = cursor_bytes(head, first / 2);
	id.len = head->bad ? 0 : (uint8_t)(first / 2);
	return id;
}
