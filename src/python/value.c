/* SPDX-License-Identifier: Apache-2.0 */
#include "python/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "python/object.h"

#define ELLIPSIS "\xe2\x80\xa6"
#define INT_MAX_DIGITS 4096 /* of 30 bits; more is no int that anybody made */

void value_reader_init(struct value_reader *reader, struct memory *memory,
		       const struct layout *layout, const struct value_limits *limits)
{
	*reader = (struct value_reader){.memory = memory, .layout = layout, .limits = *limits};
	reader->limits.max_chars = min_of(limits->max_chars, VALUE_MAX_CHARS);
	reader->limits.max_items = min_of(limits->max_items, VALUE_MAX_ITEMS);
	reader->limits.max_depth = min_of(limits->max_depth, VALUE_MAX_DEPTH);
}

/* ---- text ---- */

void value_cut(struct value_reader *reader)
{
	if (!reader->is_full)
		buf_puts(reader->out, ELLIPSIS);
	reader->is_full = true;
}

void value_text(struct value_reader *reader, const char *text, size_t len)
{
	if (reader->is_full)
		return;
	if (reader->out->len - reader->start + len > reader->limits.max_chars)
		value_cut(reader);
	else
		buf_put(reader->out, text, len);
}

void value_printf(struct value_reader *reader, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	value_text(reader, text, (size_t)min_of(n, (int)sizeof(text) - 1));
}

void value_close(struct value_reader *reader, const char *text)
{
	buf_puts(reader->out, text);
}

static void put_escaped(struct value_reader *reader, uint32_t code)
{
	if (code == '\n')
		value_text(reader, "\\n", 2);
	else if (code == '\t')
		value_text(reader, "\\t", 2);
	else if (code == '\r')
		value_text(reader, "\\r", 2);
	else if (code == '"' || code == '\\')
		value_printf(reader, "\\%c", (char)code);
	else
		value_printf(reader, "\\x%02x", code);
}

void value_quoted(struct value_reader *reader, const struct buf *text, bool is_text, bool is_cut)
{
	const char *at = text->data;
	size_t len = text->len;

	value_text(reader, "\"", 1);
	for (size_t i = 0; i < len && !reader->is_full;) {
		uint32_t code = (uint8_t)at[i];
		size_t n = is_text ? utf8_next(at + i, len - i, &code) : 1;
		bool is_plain = code >= 0x20 && code != 0x7f && code != '"' && code != '\\' &&
				(code < 0x7f || (is_text && code >= 0xa0));

		if (is_plain)
			value_text(reader, at + i, n);
		else
			put_escaped(reader, code);
		i += n;
	}
	if (is_cut)
		value_cut(reader);
	value_close(reader, "\"");
}

/* ---- plain values ---- */

static int put_int(struct value_reader *reader, raddr_t object, bool is_bool)
{
	const struct layout *layout = reader->layout;
	uint32_t digits[INT_MAX_DIGITS];
	uint64_t tag;
	int r = memory_read_u64(reader->memory, object + layout->object_bytes, &tag);

	if (r < 0)
		return r;
	bool is_tagged = layout->ints == INTS_TAGGED;
	bool is_negative = is_tagged ? (tag & 3) == 2 : (int64_t)tag < 0;
	uint64_t n = is_tagged ? tag >> 3 : is_negative ? -tag : tag;
	if (is_bool) {
		value_printf(reader, "%s", n && (!is_tagged || (tag & 3) != 1) ? "True" : "False");
		return 0;
	}
	if (n > INT_MAX_DIGITS)
		return n > (uint64_t)INT64_MAX / 4
			       ? ERR_CORRUPT
			       : (value_printf(reader, "<int of %" PRIu64 " bits>", n * 30), 0);
	r = n ? memory_read(reader->memory, object + layout->object_bytes + 8, digits, n * 4) : 0;
	for (uint64_t i = 0; r == 0 && i < n; i++)
		if (digits[i] >> 30)
			return ERR_CORRUPT;
	if (r == 0)
		value_digits(reader, digits, n, is_negative);
	return r;
}

static int put_word(struct value_reader *reader, raddr_t object, const struct value_type *type)
{
	bool is_bool = strcmp(type->name, "bool") == 0;
	uint64_t value;
	int r = memory_read_u64(reader->memory, object + reader->layout->object_bytes, &value);

	if (r == 0 && is_bool)
		value_printf(reader, "%s", value ? "True" : "False");
	else if (r == 0)
		value_printf(reader, "%" PRId64, (int64_t)value);
	return r;
}

static int put_float(struct value_reader *reader, raddr_t object)
{
	double value;
	int r = memory_read(reader->memory, object + reader->layout->object_bytes, &value,
			    sizeof(value));

	if (r == 0)
		value_real(reader, value, REAL_DOUBLE, true);
	return r;
}

static int put_complex(struct value_reader *reader, raddr_t object)
{
	double parts[2];
	int r = memory_read(reader->memory, object + reader->layout->object_bytes, parts,
			    sizeof(parts));

	if (r == 0)
		value_complex(reader, parts[0], parts[1], REAL_DOUBLE);
	return r;
}

/* ---- strings ---- */

static int put_str(struct value_reader *reader, raddr_t object)
{
	struct buf text;
	bool is_cut;

	buf_init(&text, OBJECT_MAX_CHARS * 4 + 16);
	int r = object_text_head(reader->memory, reader->layout, object, reader->limits.max_chars,
				 &text, &is_cut);
	if (r == 0)
		value_quoted(reader, &text, true, is_cut);
	buf_done(&text);
	return r;
}

static int put_memory(struct value_reader *reader, raddr_t data, uint64_t len)
{
	size_t n = (size_t)min_of(len, (uint64_t)reader->limits.max_chars);
	struct buf bytes;

	n = min_of(n, (size_t)VALUE_MAX_CHARS);
	buf_init(&bytes, VALUE_MAX_CHARS);
	char *room = buf_room(&bytes, n); /* also of nothing: it ends in NUL */
	int r = n ? memory_read(reader->memory, data, room, n) : 0;
	if (r == 0) {
		buf_grew(&bytes, n);
		value_text(reader, "b", 1);
		value_quoted(reader, &bytes, false, n < len);
	}
	buf_done(&bytes);
	return r;
}

static int put_bytes(struct value_reader *reader, raddr_t object)
{
	uint64_t len;
	int r = memory_read_u64(reader->memory, object + reader->layout->bytes_size, &len);

	return r < 0 ? r : put_memory(reader, object + reader->layout->bytes_data, len);
}

static int put_bytearray(struct value_reader *reader, raddr_t object)
{
	const struct layout *layout = reader->layout;
	uint64_t len;
	raddr_t start;
	int r = memory_read_u64(reader->memory, object + layout->object_bytes, &len);

	if (r == 0)
		r = memory_read_u64(reader->memory, object + layout->bytearray_start, &start);
	if (r < 0)
		return r;
	value_text(reader, "bytearray(", 10);
	r = put_memory(reader, start, len);
	value_close(reader, ")");
	return r;
}

/* 2.7's unicode: units of two or four bytes, as it was built; ends in a unit of 0. */
static int put_unicode(struct value_reader *reader, raddr_t object)
{
	uint32_t units[512];
	uint16_t halves[2 * 512];
	uint64_t len;
	raddr_t data;
	struct buf text;
	int r = memory_read_u64(reader->memory, object + reader->layout->object_bytes, &len);

	if (r == 0)
		r = memory_read_u64(reader->memory, object + reader->layout->object_bytes + 8,
				    &data);
	size_t n = r < 0 ? 0 : (size_t)min_of(len, (uint64_t)array_len(units));
	if (n)
		r = memory_read(reader->memory, data, halves, n * 2);
	if (r < 0)
		return r;
	bool is_wide = n > 1 && halves[1] <= 0x10 && halves[3 % (2 * n)] <= 0x10 &&
		       memory_read(reader->memory, data, units, n * 4) == 0;
	for (size_t i = 0; is_wide && i < n; i++)
		is_wide = units[i] <= 0x10ffff;
	buf_init(&text, 4 * array_len(units) + 1);
	for (size_t i = 0; i < n; i++) {
		char bytes[4];
		uint32_t code = is_wide ? units[i] : halves[i];

		buf_put(&text, bytes, utf8_put(bytes, code ? code : 0xfffd));
	}
	value_text(reader, "u", 1);
	value_quoted(reader, &text, true, n < len);
	buf_done(&text);
	return 0;
}

/* ---- objects ---- */

static int put_name(struct value_reader *reader, const struct value_type *type)
{
	struct buf name;
	char clean[2048];

	buf_init(&name, 2 * (OBJECT_MAX_CHARS * 4 + 16));
	int r = value_class_name(reader, type, &name);
	if (r == 0)
		value_text(
			reader, clean,
			utf8_printable(clean, sizeof(clean), name.data ? name.data : "", name.len));
	buf_done(&name);
	return r;
}

static int put_exception(struct value_reader *reader, raddr_t object, const struct value_type *type)
{
	raddr_t args;
	int r = memory_read_u64(reader->memory, object + reader->layout->exception_args, &args);

	if (r == 0)
		r = put_name(reader, type);
	return r < 0 ? r : value_tuple(reader, args);
}

static int put_class(struct value_reader *reader, raddr_t object)
{
	const struct value_type *type;
	int r = value_type_of(reader, object, &type);

	if (r < 0)
		return r;
	value_text(reader, "<class ", 7);
	r = put_name(reader, type);
	value_close(reader, ">");
	return r;
}

static int put_plain(struct value_reader *reader, raddr_t object, const struct value_type *type)
{
	value_text(reader, "<", 1);
	int r = put_name(reader, type);
	value_printf(reader, " at 0x%" PRIx64, object);
	value_close(reader, ">");
	return r;
}

static int put_kind(struct value_reader *reader, raddr_t object, const struct value_type *type)
{
	switch ((enum value_kind)type->kind) {
	case VALUE_NONE:
		return value_printf(reader, "None"), 0;
	case VALUE_NOT_IMPLEMENTED:
		return value_printf(reader, "NotImplemented"), 0;
	case VALUE_ELLIPSIS:
		return value_printf(reader, "Ellipsis"), 0;
	case VALUE_BOOL:
		return put_int(reader, object, true);
	case VALUE_INT:
		return put_int(reader, object, false);
	case VALUE_WORD:
		return put_word(reader, object, type);
	case VALUE_FLOAT:
		return put_float(reader, object);
	case VALUE_COMPLEX:
		return put_complex(reader, object);
	case VALUE_STR:
		return put_str(reader, object);
	case VALUE_UNICODE:
		return put_unicode(reader, object);
	case VALUE_BYTES:
		return put_bytes(reader, object);
	case VALUE_BYTEARRAY:
		return put_bytearray(reader, object);
	case VALUE_LIST:
		return value_list(reader, object);
	case VALUE_TUPLE:
		return value_tuple(reader, object);
	case VALUE_DICT:
		return value_dict(reader, object);
	case VALUE_SET:
	case VALUE_FROZENSET:
		return value_set(reader, object, type->kind == VALUE_FROZENSET);
	case VALUE_RANGE:
		return value_range(reader, object);
	case VALUE_XRANGE:
		return value_xrange(reader, object);
	case VALUE_EXCEPTION:
		return put_exception(reader, object, type);
	case VALUE_CLASS:
		return put_class(reader, object);
	case VALUE_NUMPY:
		return value_numpy(reader, type->numpy, object);
	default:
		return put_plain(reader, object, type);
	}
}

static int type_of_object(struct value_reader *reader, raddr_t object,
			  const struct value_type **ret_type)
{
	raddr_t addr;
	int r = object & 7 || !object
			? -EFAULT
			: memory_read_u64(reader->memory, object + reader->layout->object_type,
					  &addr);

	return r < 0 ? r : value_type_of(reader, addr, ret_type);
}

int value_object(struct value_reader *reader, raddr_t object)
{
	const struct value_type *type;

	if (reader->depth >= reader->limits.max_depth) {
		value_text(reader, ELLIPSIS, strlen(ELLIPSIS));
		return 0;
	}
	reader->depth++;
	int r = type_of_object(reader, object, &type);
	if (r == 0) {
		/* A copy: nested values may push it out of the reader's memory. */
		const struct value_type own = *type;
		r = put_kind(reader, object, &own);
	}
	reader->depth--;
	if (r == -EFAULT || r == ERR_CORRUPT) {
		value_printf(reader, "<unreadable at 0x%" PRIx64 ">", object);
		return 0;
	}
	if (r == ERR_LIMIT) {
		value_cut(reader);
		return 0;
	}
	return r;
}

int value_put(struct value_reader *reader, raddr_t object, struct buf *out)
{
	reader->out = out;
	reader->start = out->len;
	reader->is_full = false;
	reader->depth = 0;
	return value_object(reader, object);
}

int value_cell(struct value_reader *reader, raddr_t object, raddr_t *ret_object)
{
	const struct value_type *type;
	int r = type_of_object(reader, object, &type);

	if (r < 0)
		return r;
	if (type->kind != VALUE_CELL)
		return -ENOENT;
	r = memory_read_u64(reader->memory, object + reader->layout->object_bytes, ret_object);
	return r == 0 && !*ret_object ? ERR_GONE : r;
}
