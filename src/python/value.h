/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values: Python objects as text, much as repr() shows them.  For files of this folder only.
 *
 * None, bool, int of any size, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range,
 * exceptions, classes and numpy's scalars are shown by their value (instances of their subclasses too), all
 * other objects as <module.Class at 0x7f…>.  Strings stand in double quotes.  Nothing of the target runs: what
 * a class makes of itself with __repr__ is not known here.
 *
 * Every pointer, count and length is hostile.  Reads are bounded by the memory's budget, text by max_chars,
 * items of a container by max_items, nesting by max_depth; where one of them ends stands an ellipsis, and a
 * container that is cut has its closing bracket all the same.  What cannot be read is "<unreadable at 0x7f…>".
 *
 * A reader remembers types: it is made for one unit of reading, in which no type dies (a pause), or whose
 * texts are read twice and compared.  One thread.
 */
#ifndef PYTHON_VALUE_H
#define PYTHON_VALUE_H

#include "base/buf.h"
#include "proc/memory.h"
#include "python/layout.h"

#define VALUE_MAX_CHARS 4000u
#define VALUE_MAX_ITEMS 4096u
#define VALUE_MAX_DEPTH 16u
#define VALUE_TYPES 16u /* remembered; more than a frame's locals mostly have */
#define VALUE_NAME_MAX 96

struct value_limits {
	uint32_t max_chars; /* of one value, in bytes of UTF-8 */
	uint32_t max_items; /* of one container */
	uint32_t max_depth;
};

enum value_kind {
	VALUE_OBJECT, /* by class and address */
	VALUE_NONE,
	VALUE_NOT_IMPLEMENTED,
	VALUE_ELLIPSIS,
	VALUE_BOOL,
	VALUE_INT,
	VALUE_WORD, /* 2.7's int */
	VALUE_FLOAT,
	VALUE_COMPLEX,
	VALUE_STR,
	VALUE_UNICODE, /* 2.7's unicode */
	VALUE_BYTES,
	VALUE_BYTEARRAY,
	VALUE_LIST,
	VALUE_TUPLE,
	VALUE_DICT,
	VALUE_SET,
	VALUE_FROZENSET,
	VALUE_RANGE,
	VALUE_XRANGE,
	VALUE_EXCEPTION,
	VALUE_CLASS,
	VALUE_CELL,
	VALUE_NUMPY,
};

struct value_type {
	raddr_t addr; /* 0: free */
	raddr_t base, dict;
	uint64_t flags;
	uint8_t kind;		   /* enum value_kind */
	uint8_t numpy;		   /* VALUE_NUMPY: which scalar */
	char name[VALUE_NAME_MAX]; /* tp_name */
};

struct value_reader {
	struct memory *memory;	     /* borrowed; its budget bounds the reading */
	const struct layout *layout; /* borrowed */
	struct value_limits limits;
	struct buf *out;
	size_t start; /* of the value in `out` */
	bool is_full;
	uint32_t depth;
	uint32_t next_type;
	struct value_type types[VALUE_TYPES];
};

void value_reader_init(struct value_reader *reader, struct memory *memory,
		       const struct layout *layout, const struct value_limits *limits);

/*
 * Appends the text of the object at `object` to `out`, valid UTF-8 without control characters.  0, or -ESRCH
 * and -EPERM when the target is gone; all else becomes text.
 */
int value_put(struct value_reader *reader, raddr_t object, struct buf *out) nodiscard;

/* What a cell of a closure holds: -ENOENT when `object` is no cell, ERR_GONE for an empty one. */
int value_cell(struct value_reader *reader, raddr_t object, raddr_t *ret_object) nodiscard;

/* ---- between the files of values ---- */

/* The text so far is bounded by max_chars: what does not fit becomes an ellipsis, and nothing follows it. */
void value_text(struct value_reader *reader, const char *text, size_t len);
void value_printf(struct value_reader *reader, const char *fmt, ...) printf_like(2, 3);
/* An ellipsis, and nothing after it. */
void value_cut(struct value_reader *reader);
/* A closing bracket: always. */
void value_close(struct value_reader *reader, const char *text);
/*
 * Bytes as they would stand in a string literal; `is_text`: UTF-8, else all but ASCII is escaped; `is_cut`: there
 * is more of them.
 */
void value_quoted(struct value_reader *reader, const struct buf *text, bool is_text, bool is_cut);
/* A real number as repr() writes it: the shortest digits that read back as the same. */
enum value_real { REAL_HALF, REAL_SINGLE, REAL_DOUBLE, REAL_EXTENDED };
void value_real(struct value_reader *reader, long double value, enum value_real kind,
		bool with_point);
void value_complex(struct value_reader *reader, long double re, long double im,
		   enum value_real kind);
/* An int of `n` digits of 30 bits, lowest first. */
void value_digits(struct value_reader *reader, const uint32_t *digits, size_t n, bool is_negative);

/* A value in a value: depth is counted. */
int value_object(struct value_reader *reader, raddr_t object) nodiscard;
/* Of the kind that they are named after, with their brackets: value_items.c. */
int value_list(struct value_reader *reader, raddr_t object) nodiscard;
int value_tuple(struct value_reader *reader, raddr_t object) nodiscard;
int value_dict(struct value_reader *reader, raddr_t object) nodiscard;
int value_set(struct value_reader *reader, raddr_t object, bool is_frozen) nodiscard;
int value_range(struct value_reader *reader, raddr_t object) nodiscard;
int value_xrange(struct value_reader *reader, raddr_t object) nodiscard;

/* Which of numpy's scalars a type's name is, from 1; 0: none. */
uint8_t value_numpy_find(const char *type_name);
int value_numpy(struct value_reader *reader, uint8_t which, raddr_t object) nodiscard;

/* A type by its address, read or remembered; borrowed until the next. */
int value_type_of(struct value_reader *reader, raddr_t addr,
		  const struct value_type **ret_type) nodiscard;
/* "module.Class" of a type. */
int value_class_name(struct value_reader *reader, const struct value_type *type,
		     struct buf *out) nodiscard;

#endif
