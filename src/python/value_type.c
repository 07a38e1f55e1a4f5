/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of thing an object is, by its type: the flags that CPython itself asks, else the name of a static type. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/object.h"
#include "python/value.h"

#define PAGE 4096u
#define MAX_BASES 16 /* from a class of Python's up to the first static type */

/* Py_TPFLAGS_*, the same from 2.6 to 3.15 (INT: 2.x only). */
#define FLAG_HEAP (1ull << 9)
#define FLAG_INT (1ull << 23)
#define FLAG_LONG (1ull << 24)
#define FLAG_LIST (1ull << 25)
#define FLAG_TUPLE (1ull << 26)
#define FLAG_BYTES (1ull << 27)
#define FLAG_UNICODE (1ull << 28)
#define FLAG_DICT (1ull << 29)
#define FLAG_EXCEPTION (1ull << 30)
#define FLAG_TYPE (1ull << 31)

static bool is_old(const struct layout *layout)
{
	return layout->ints == INTS_WORD;
}

static enum value_kind kind_by_flags(const struct layout *layout, uint64_t flags)
{
	if (flags & FLAG_INT && is_old(layout))
		return VALUE_WORD;
	if (flags & FLAG_LONG)
		return VALUE_INT;
	if (flags & FLAG_LIST)
		return VALUE_LIST;
	if (flags & FLAG_TUPLE)
		return VALUE_TUPLE;
	if (flags & FLAG_BYTES)
		return is_old(layout) ? VALUE_STR : VALUE_BYTES;
	if (flags & FLAG_UNICODE)
		return is_old(layout) ? VALUE_UNICODE : VALUE_STR;
	if (flags & FLAG_DICT)
		return VALUE_DICT;
	if (flags & FLAG_EXCEPTION)
		return VALUE_EXCEPTION;
	return flags & FLAG_TYPE ? VALUE_CLASS : VALUE_OBJECT;
}

static enum value_kind kind_by_name(const char *name)
{
	static const struct {
		const char *name;
		enum value_kind kind;
	} kinds[] = {
		{"NoneType", VALUE_NONE},	{"NotImplementedType", VALUE_NOT_IMPLEMENTED},
		{"ellipsis", VALUE_ELLIPSIS},	{"bool", VALUE_BOOL},
		{"float", VALUE_FLOAT},		{"complex", VALUE_COMPLEX},
		{"bytearray", VALUE_BYTEARRAY}, {"set", VALUE_SET},
		{"frozenset", VALUE_FROZENSET}, {"range", VALUE_RANGE},
		{"xrange", VALUE_XRANGE},	{"cell", VALUE_CELL},
	};

	for (size_t i = 0; i < array_len(kinds); i++)
		if (strcmp(name, kinds[i].name) == 0)
			return kinds[i].kind;
	return VALUE_OBJECT;
}

/* ---- reading ---- */

/* What is left of the page is all that a C string surely has. */
static int read_name(struct memory *memory, raddr_t addr, char name[VALUE_NAME_MAX])
{
	size_t len = min_of((size_t)(PAGE - addr % PAGE), (size_t)VALUE_NAME_MAX - 1);
	int r = memory_read(memory, addr, name, len);

	if (r == 0 && len < VALUE_NAME_MAX - 1 && !memchr(name, '\0', len)) {
		r = memory_read(memory, addr + len, name + len, VALUE_NAME_MAX - 1 - len);
		len = r == 0 ? VALUE_NAME_MAX - 1 : len;
		r = r == -EFAULT ? 0 : r;
	}
	name[r == 0 ? len : 0] = '\0';
	return r;
}

static int read_type(struct value_reader *reader, raddr_t addr, struct value_type *ret_type)
{
	const struct layout *layout = reader->layout;
	struct value_type type = {.addr = addr};
	raddr_t name;
	struct mem_span spans[] = {
		{.addr = addr + layout->type_name, .into = &name, .len = 8},
		{.addr = addr + layout->type_flags, .into = &type.flags, .len = 8},
		{.addr = addr + layout->type_base, .into = &type.base, .len = 8},
		{.addr = addr + layout->type_dict, .into = &type.dict, .len = 8},
	};
	int r = addr & 7 ? -EFAULT : memory_readv(reader->memory, spans, array_len(spans));

	if (r < 0)
		return r;
	if (r < (int)array_len(spans))
		return -EFAULT;
	r = read_name(reader->memory, name, type.name);
	if (r == 0)
		*ret_type = type;
	return r;
}

/* The kind of a class of Python's is that of the first static type among its bases. */
static int find_kind(struct value_reader *reader, struct value_type *type)
{
	struct value_type base = *type;

	type->kind = (uint8_t)kind_by_flags(reader->layout, type->flags);
	for (int i = 0; i < MAX_BASES && base.flags & FLAG_HEAP && base.base; i++) {
		int r = type->kind != VALUE_OBJECT ? 0 : read_type(reader, base.base, &base);
		if (r < 0)
			return r;
		if (type->kind != VALUE_OBJECT)
			break;
	}
	enum value_kind named = kind_by_name(base.name);
	type->numpy = value_numpy_find(base.name);
	if (type->numpy)
		type->kind = VALUE_NUMPY;
	else if (named != VALUE_OBJECT && (type->kind == VALUE_OBJECT || named == VALUE_BOOL) &&
		 !(base.flags & FLAG_HEAP))
		type->kind = (uint8_t)named;
	return 0;
}

int value_type_of(struct value_reader *reader, raddr_t addr, const struct value_type **ret_type)
{
	for (size_t i = 0; i < VALUE_TYPES; i++)
		if (reader->types[i].addr == addr && addr) {
			*ret_type = &reader->types[i];
			return 0;
		}
	struct value_type type = {0};
	int r = read_type(reader, addr, &type);
	if (r == 0)
		r = find_kind(reader, &type);
	if (r < 0)
		return r;
	struct value_type *place = &reader->types[reader->next_type++ % VALUE_TYPES];
	*place = type;
	*ret_type = place;
	return 0;
}

/* ---- names ---- */

static int put_text_of(struct value_reader *reader, raddr_t str, struct buf *out)
{
	struct buf text;

	buf_init(&text, OBJECT_MAX_CHARS * 4 + 16);
	int r = object_text(reader->memory, reader->layout, str, &text);
	if (r == 0)
		buf_put(out, text.data, text.len);
	buf_done(&text);
	return r;
}

/* Static types have their module in their name, classes of Python's in their dict. */
int value_class_name(struct value_reader *reader, const struct value_type *type, struct buf *out)
{
	const struct layout *layout = reader->layout;
	const struct value_type known = *type;
	raddr_t module, qualname;
	size_t start = out->len;

	if (known.flags & FLAG_HEAP && known.dict &&
	    dict_find(reader->memory, layout, known.dict, "__module__", &module) == 0 &&
	    put_text_of(reader, module, out) == 0 && out->len > start)
		buf_putc(out, '.');
	if (known.flags & FLAG_HEAP && layout->type_qualname != NO_FIELD &&
	    memory_read_u64(reader->memory, known.addr + layout->type_qualname, &qualname) == 0 &&
	    put_text_of(reader, qualname, out) == 0)
		return 0;
	buf_puts(out, known.name);
	return 0;
}
