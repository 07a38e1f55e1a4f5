/* SPDX-License-Identifier: Apache-2.0 */
/* perf's jitdump, version 1 (linux: tools/perf/Documentation/jitdump-specification.txt), little-endian. */
#include <string.h>

#include "base/buf.h"
#include "symbol/jit.h"

#define MAGIC 0x4a695444u
#define HEAD_BYTES 40
#define HEAD_MOST 4096
#define RECORD_HEAD_BYTES 16
#define RECORD_MOST (64u << 20)
/* Of a record only so much is looked at: behind its name a function has its code. */
#define LOOK_MOST (1u << 20)

#define LINE_HEAD_BYTES 16
/* Lines lie no farther from the beginning of their function. */
#define FUNCTION_MOST (64u << 20)
/*
 * V8 (11.3, perf-jit.cc: kElfHeaderSize) adds to the address of each line what `perf inject` takes off again: the
 * header of the ELF file that it makes.  It names its functions "JS:*name /path/to.js:1:19".
 */
#define V8_LATE_BYTES 0x40
#define V8_PREFIX "JS:"

enum { CODE_LOAD, CODE_MOVE, CODE_DEBUG_INFO };

/* A text that ends with NUL; NULL without one. */
static const char *take_text(struct cursor *cursor, size_t *ret_len)
{
	const uint8_t *end =
		cursor_left(cursor) ? memchr(cursor->at, 0, cursor_left(cursor)) : NULL;

	if (!end)
		return NULL;
	*ret_len = (size_t)(end - cursor->at);
	return (const char *)cursor_bytes(cursor, *ret_len + 1);
}

/* "/path/to.js" of "JS:*name /path/to.js:1:19". */
static const char *v8_file(const char *name, size_t len, size_t *ret_len)
{
	const char *begin = memmem(name, len, " /", 2), *end = name + len;

	*ret_len = 0;
	if (!begin) /* "node:internal/…" */
		begin = memrchr(name, ' ', len);
	if (!begin)
		return "";
	for (int colons = 0; end > begin && colons < 2; colons += *end == ':')
		end--;
	*ret_len = end > begin ? (size_t)(end - begin - 1) : 0;
	return begin + 1;
}

static void mend_v8_lines(struct jit_code *code, const char *name, size_t len)
{
	size_t file_len;
	const char *file = v8_file(name, len, &file_len);

	if (len > strlen(V8_PREFIX) && memcmp(name, V8_PREFIX, strlen(V8_PREFIX)) == 0)
		jit_code_mend_lines(code, V8_LATE_BYTES, file, file_len);
}

static void read_load(struct jit_code *code, struct cursor *cursor)
{
	const char *name;
	uint64_t address, size;
	size_t len;

	(void)cursor_le64(cursor); /* pid, tid */
	(void)cursor_le64(cursor); /* where it was linked for */
	address = cursor_le64(cursor);
	size = cursor_le64(cursor);
	(void)cursor_le64(cursor); /* its number */
	name = take_text(cursor, &len);
	if (!name || cursor->bad)
		return;
	mend_v8_lines(code, name, len);
	jit_code_add(code, address, size, name, len);
}

static void read_move(struct jit_code *code, struct cursor *cursor)
{
	uint64_t from, to, size;

	(void)cursor_le64(cursor);
	(void)cursor_le64(cursor);
	from = cursor_le64(cursor);
	to = cursor_le64(cursor);
	size = cursor_le64(cursor);
	if (!cursor->bad)
		jit_code_move(code, from, to, size);
}

/* Can a line's record begin here?  At the end of all of them, too. */
static bool is_line(struct cursor cursor, uint64_t function)
{
	if (cursor_left(&cursor) < LINE_HEAD_BYTES)
		return true;
	uint64_t address = cursor_le64(&cursor);
	uint32_t line = cursor_le32(&cursor);

	return !cursor.bad && address - function < FUNCTION_MOST && line <= INT32_MAX;
}

static bool is_path(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ')
			return false;
	return len > 0;
}

/*
 * The file of a line.  V8 11.3 writes the text of memory that it has given back already: with bytes of anything,
 * also NUL.  Then the text ends where the next line can begin, and tells nothing: *ret_len is 0.
 */
static const char *take_file(struct cursor *cursor, uint64_t function, size_t *ret_len)
{
	const char *name = take_text(cursor, ret_len);
	bool is_whole = name && is_line(*cursor, function);

	if (is_whole && is_path(name, *ret_len))
		return name;
	while (name && !is_line(*cursor, function))
		name = take_text(cursor, ret_len);
	*ret_len = 0;
	return name;
}

static void read_lines(struct jit_code *code, struct cursor *cursor)
{
	const char *file = "", *name;
	size_t file_len = 0, len;
	uint64_t n, function;

	function = cursor_le64(cursor); /* the one that follows */
	n = cursor_le64(cursor);
	for (; n && !cursor->bad && cursor_left(cursor); n--) {
		uint64_t address = cursor_le64(cursor);
		uint32_t line = cursor_le32(cursor);

		(void)cursor_le32(cursor); /* which of the blocks on that line */
		name = take_file(cursor, function, &len);
		if (!name)
			return;
		if (len != 1 || (unsigned char)*name != 0xff) { /* else: as before */
			file = name;
			file_len = len;
		}
		jit_code_add_line(code, address, line <= INT32_MAX ? line : 0, file, file_len);
	}
}

/* 0: not all of it that matters is here; what is no record at all ends the reading. */
static size_t read_record(struct jit_code *code, const uint8_t *data, size_t len)
{
	struct cursor cursor = cursor_over(data, len);
	uint32_t kind = cursor_le32(&cursor), total = cursor_le32(&cursor);

	(void)cursor_le64(&cursor); /* when */
	if (cursor.bad)
		return 0;
	if (total < RECORD_HEAD_BYTES || total > RECORD_MOST)
		return 0;
	if (len < total && len < LOOK_MOST)
		return 0;
	cursor.end = data + min_of(len, (size_t)total);
	if (kind == CODE_LOAD)
		read_load(code, &cursor);
	else if (kind == CODE_MOVE)
		read_move(code, &cursor);
	else if (kind == CODE_DEBUG_INFO)
		read_lines(code, &cursor);
	return total;
}

static size_t read_head(const uint8_t *data, size_t len)
{
	struct cursor cursor = cursor_over(data, len);
	uint32_t magic = cursor_le32(&cursor), version, total;

	version = cursor_le32(&cursor);
	total = cursor_le32(&cursor);
	return !cursor.bad && magic == MAGIC && version == 1 && total >= HEAD_BYTES &&
			       total <= HEAD_MOST && len >= total
		       ? total
		       : 0;
}

size_t jitdump_read(struct jit_code *code, const void *data, size_t len, bool is_begin)
{
	const uint8_t *bytes = data;
	size_t at = 0, step;

	if (is_begin) {
		at = read_head(bytes, len);
		if (!at)
			return 0;
	}
	while (at < len && (step = read_record(code, bytes + at, len - at)) > 0)
		at += step;
	return at;
}
