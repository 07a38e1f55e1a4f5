/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chunk: 68 bytes of header in big-endian, then events without a gap.  Checkpoints are events like others, so
 * constants are found by walking the events; the chain of offsets that also leads from one checkpoint to the
 * one before is not followed, and may be a cycle.
 */
#include <string.h>

#include "format/jfr_private.h"

#define HEADER_BYTES 68
#define MAX_CONSTANTS (1u << 20) /* of one chunk */
/* Types inside of types, in place: real ones are two deep. */
#define MAX_NESTING 8

#define TYPE_CHECKPOINT 1
#define FEATURE_COMPRESSED 1u

static int bad(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "not a valid JFR recording: %s", what);
}

/* ---- header ---- */

static uint64_t header_u64(const uint8_t *header, size_t at)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 8; i++)
		value = value << 8 | header[at + i];
	return value;
}

static int check_version(const uint8_t *header, struct err *err)
{
	int major = header[4] << 8 | header[5], minor = header[6] << 8 | header[7];

	if (major == 2)
		return 0;
	return err_set(
		err, ERR_UNSUPPORTED,
		"this is a JFR recording of version %d.%d; version 2 is understood, which Java 11 "
		"and later and async-profiler write",
		major, minor);
}

static int read_header(struct jfr_chunk *chunk, const uint8_t *data, size_t len,
		       uint64_t *ret_metadata, struct err *err)
{
	uint64_t size;
	int r;

	if (len < HEADER_BYTES || !jfr_is_jfr(data, len))
		return bad(err, "a chunk does not begin with FLR");
	r = check_version(data, err);
	if (r < 0)
		return r;
	size = header_u64(data, 8);
	if (size < HEADER_BYTES || size > len || size > UINT32_MAX)
		return bad(err, "a chunk is cut off, or was still being written");
	chunk->begin = data;
	chunk->end = data + size;
	chunk->start_ns = (int64_t)min_of(header_u64(data, 32), (uint64_t)INT64_MAX);
	chunk->duration_ns = (int64_t)min_of(header_u64(data, 40), (uint64_t)INT64_MAX);
	chunk->ticks_hz = header_u64(data, 56);
	chunk->is_compressed = data[67] & FEATURE_COMPRESSED;
	*ret_metadata = header_u64(data, 24);
	if (!chunk->ticks_hz)
		return bad(err, "its clock has no frequency");
	if (*ret_metadata < HEADER_BYTES || *ret_metadata >= size)
		return bad(err, "its metadata lie outside of the chunk");
	return 0;
}

bool jfr_is_jfr(const void *data, size_t len)
{
	return len >= 4 && memcmp(data, "FLR", 4) == 0;
}

/* ---- stepping over values ---- */

static bool step(struct jfr_chunk *chunk, struct jfr_cursor *at)
{
	if (!*chunk->steps)
		at->bytes.bad = true;
	else
		--*chunk->steps;
	return !at->bytes.bad;
}

static uint64_t read_plain(struct jfr_cursor *at, uint8_t shape)
{
	switch (shape) {
	case JFR_BYTE:
		return cursor_u8(&at->bytes);
	case JFR_SHORT:
		return jfr_number(at, 2);
	case JFR_INT:
		return jfr_u32(at);
	case JFR_LONG:
		return jfr_u64(at);
	case JFR_FLOAT:
		(void)cursor_bytes(&at->bytes, 4);
		return 0;
	default: /* JFR_DOUBLE */
		(void)cursor_bytes(&at->bytes, 8);
		return 0;
	}
}

static void skip_field(struct jfr_chunk *chunk, struct jfr_cursor *at,
		       const struct jfr_field *field, int depth);

static void skip_value(struct jfr_chunk *chunk, struct jfr_cursor *at, const struct jfr_type *type,
		       int depth)
{
	if (!step(chunk, at))
		return;
	if (type->shape == JFR_STRING) {
		(void)jfr_text(at);
	} else if (type->shape != JFR_STRUCT) {
		(void)read_plain(at, type->shape);
	} else if (depth == MAX_NESTING) {
		at->bytes.bad = true;
	} else {
		for (uint32_t i = 0; i < type->n_fields && !at->bytes.bad; i++)
			skip_field(chunk, at, &chunk->types.fields[type->first_field + i],
				   depth + 1);
	}
}

static void skip_one(struct jfr_chunk *chunk, struct jfr_cursor *at, const struct jfr_field *field,
		     int depth)
{
	if (field->is_constant)
		(void)jfr_u64(at);
	else
		skip_value(chunk, at, &chunk->types.types[field->type], depth);
}

/* How many values come; each has at least a byte. */
static uint32_t count_of(struct jfr_cursor *at, const struct jfr_field *field)
{
	uint32_t n = field->is_array ? jfr_u32(at) : 1;

	if (field->is_array && n > cursor_left(&at->bytes))
		at->bytes.bad = true;
	return at->bytes.bad ? 0 : n;
}

static void skip_field(struct jfr_chunk *chunk, struct jfr_cursor *at,
		       const struct jfr_field *field, int depth)
{
	uint32_t n = count_of(at, field);

	for (uint32_t i = 0; i < n && !at->bytes.bad; i++)
		skip_one(chunk, at, field, depth);
}

/* ---- records ---- */

static void read_array(struct jfr_chunk *chunk, struct jfr_cursor *at,
		       const struct jfr_field *field, bool is_last, struct jfr_record *record)
{
	uint32_t n = count_of(at, field);

	record->value[field->slot] = n;
	record->array = *at;
	record->array_type = field->is_constant ? NULL : &chunk->types.types[field->type];
	for (uint32_t i = 0; !is_last && i < n && !at->bytes.bad; i++)
		skip_one(chunk, at, field, 0);
}

static void read_slot(struct jfr_chunk *chunk, struct jfr_cursor *at, const struct jfr_field *field,
		      bool is_last, struct jfr_record *record)
{
	const struct jfr_type *type = &chunk->types.types[field->type];

	record->text[field->slot].encoding = JFR_TEXT_NULL;
	record->value[field->slot] = 0;
	if (field->is_array)
		read_array(chunk, at, field, is_last, record);
	else if (field->is_constant)
		record->value[field->slot] = jfr_u64(at);
	else if (type->shape == JFR_STRING)
		record->text[field->slot] = jfr_text(at);
	else if (type->shape != JFR_STRUCT)
		record->value[field->slot] = read_plain(at, type->shape);
	else
		skip_value(chunk, at, type, 0);
	record->is_there |= 1u << field->slot;
}

/* Not `whole`: what stands behind the last field with a slot is left alone. */
static bool read_record(struct jfr_chunk *chunk, struct jfr_cursor *at, const struct jfr_type *type,
			bool whole, struct jfr_record *record)
{
	uint32_t left = type->n_slots;

	record->is_there = 0;
	for (uint32_t i = 0; i < type->n_fields && (whole || left) && step(chunk, at); i++) {
		const struct jfr_field *field = &chunk->types.fields[type->first_field + i];

		if (field->slot == JFR_NO_SLOT) {
			skip_field(chunk, at, field, 0);
		} else {
			left--;
			read_slot(chunk, at, field, !whole && !left, record);
		}
	}
	return !at->bytes.bad;
}

bool jfr_record_read(struct jfr_chunk *chunk, struct jfr_cursor *at, const struct jfr_type *type,
		     struct jfr_record *ret_record)
{
	return read_record(chunk, at, type, true, ret_record);
}

bool jfr_event_read(struct jfr_chunk *chunk, const struct jfr_event *event,
		    const struct jfr_type *type, struct jfr_record *ret_record)
{
	struct jfr_cursor at = event->fields;

	return read_record(chunk, &at, type, false, ret_record);
}

/* ---- constants ---- */

static struct jfr_cursor cursor_at(const struct jfr_chunk *chunk, const uint8_t *at)
{
	return (struct jfr_cursor){{.at = at, .end = chunk->end}, chunk->is_compressed};
}

bool jfr_constant(struct jfr_chunk *chunk, enum jfr_known known, uint64_t id,
		  struct jfr_record *ret_record)
{
	const struct jfr_type *type = jfr_type_known(&chunk->types, known);
	const uint32_t *offset = map64_get(&chunk->pools[known], id);
	struct jfr_cursor at;

	if (!type || !offset)
		return false;
	at = cursor_at(chunk, chunk->begin + *offset);
	return read_record(chunk, &at, type, false, ret_record);
}

/* A string among the constants; strings that name strings end here. */
static void constant_text(struct jfr_chunk *chunk, uint64_t id, struct buf *out)
{
	const uint32_t *offset = map64_get(&chunk->pools[JFR_TEXT_TYPE], id);
	struct jfr_cursor at;
	struct jfr_text text;

	if (!offset)
		return;
	at = cursor_at(chunk, chunk->begin + *offset);
	text = jfr_text(&at);
	jfr_text_decode(&text, chunk->is_compressed, out);
}

void jfr_field_text(struct jfr_chunk *chunk, const struct jfr_record *record, enum jfr_slot slot,
		    struct buf *out)
{
	const struct jfr_text *text = &record->text[slot];
	struct jfr_record symbol;

	if (!jfr_record_has(record, slot))
		return;
	if (text->encoding == JFR_TEXT_CONSTANT)
		constant_text(chunk, text->constant, out);
	else if (text->encoding)
		jfr_text_decode(text, chunk->is_compressed, out);
	else if (jfr_constant(chunk, JFR_SYMBOL, record->value[slot], &symbol) &&
		 jfr_record_has(&symbol, JFR_STRING_FIELD))
		jfr_text_decode(&symbol.text[JFR_STRING_FIELD], chunk->is_compressed, out);
	else
		constant_text(chunk, record->value[slot], out);
}

static int read_pool(struct jfr_chunk *chunk, struct jfr_cursor *at, struct err *err)
{
	const struct jfr_type *type = jfr_type_by_id(&chunk->types, jfr_u64(at));
	uint32_t n = jfr_u32(at);

	if (at->bytes.bad || !type)
		return bad(err, "it has constants of an unknown class");
	for (uint32_t i = 0; i < n && !at->bytes.bad; i++) {
		uint64_t id = jfr_u64(at);

		if (type->known && type->known < JFR_POOL_COUNT && !at->bytes.bad) {
			if (chunk->n_constants++ == MAX_CONSTANTS)
				return err_set(
					err, ERR_LIMIT,
					"a chunk of the recording has more than %u constants",
					MAX_CONSTANTS);
			*map64_put(&chunk->pools[type->known], id, NULL) =
				(uint32_t)(at->bytes.at - chunk->begin);
		}
		skip_value(chunk, at, type, 0);
	}
	if (!*chunk->steps)
		return err_set(err, ERR_LIMIT, "the recording takes too many steps to read");
	return at->bytes.bad ? bad(err, "its constants are malformed or cut off") : 0;
}

static int read_checkpoint(struct jfr_chunk *chunk, struct jfr_cursor at, struct err *err)
{
	uint32_t n_pools;
	int r = 0;

	(void)jfr_u64(&at);	    /* start */
	(void)jfr_u64(&at);	    /* duration */
	(void)jfr_u64(&at);	    /* where the one before begins */
	(void)cursor_u8(&at.bytes); /* its kind */
	n_pools = jfr_u32(&at);
	if (at.bytes.bad)
		return bad(err, "a checkpoint is cut off");
	for (uint32_t i = 0; r == 0 && i < n_pools; i++)
		r = read_pool(chunk, &at, err);
	return r;
}

static int read_constants(struct jfr_chunk *chunk, struct err *err)
{
	const uint8_t *at = NULL;
	struct jfr_event event;
	int r;

	while ((r = jfr_chunk_next(chunk, &at, &event, err)) == 1) {
		if (event.type_id != TYPE_CHECKPOINT)
			continue;
		r = read_checkpoint(chunk, event.fields, err);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- the chunk ---- */

int jfr_chunk_next(const struct jfr_chunk *chunk, const uint8_t **at, struct jfr_event *ret_event,
		   struct err *err)
{
	const uint8_t *begin = *at ? *at : chunk->begin + HEADER_BYTES;
	struct jfr_cursor fields = cursor_at(chunk, begin);
	uint32_t size;

	if (begin == chunk->end)
		return 0;
	size = jfr_u32(&fields);
	ret_event->type_id = jfr_u64(&fields);
	if (fields.bytes.bad || size > (size_t)(chunk->end - begin) ||
	    begin + size < fields.bytes.at)
		return bad(err, "an event has a wrong size");
	*at = fields.bytes.end = begin + size;
	ret_event->fields = fields;
	return 1;
}

int jfr_chunk_open(struct jfr_chunk *chunk, const uint8_t *data, size_t len, uint64_t *steps,
		   struct err *err)
{
	uint64_t metadata = 0;
	int r;

	*chunk = (struct jfr_chunk){.steps = steps};
	r = read_header(chunk, data, len, &metadata, err);
	if (r == 0)
		r = jfr_types_read(&chunk->types, cursor_at(chunk, data + metadata), err);
	return r < 0 ? r : read_constants(chunk, err);
}

void jfr_chunk_done(struct jfr_chunk *chunk)
{
	jfr_types_done(&chunk->types);
	for (size_t i = 0; i < array_len(chunk->pools); i++)
		map64_done(&chunk->pools[i]);
}
