/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/jit.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"

/* Functions that begin before an address and may still reach it; farther back nobody looks. */
#define LOOK_BACK 64

struct function {
	uint64_t start, size;
	uint64_t order; /* of being added: the highest counts */
	uint32_t name;	/* in text */
	uint32_t first_line, n_lines;
};

struct line {
	uint64_t offset; /* from the start of the function, so that it can move */
	uint32_t file, line;
};

/* The first `n_sorted` functions are sorted by their start; those behind are sorted in when somebody asks. */
struct jit_code {
	struct function *functions;
	size_t n, n_sorted, cap;
	struct line *lines;
	size_t n_lines, lines_cap, n_lines_used;
	uint64_t lines_base; /* the first address of those that wait for their function */
	struct buf text;     /* begins with a NUL: 0 is the empty text */
	uint32_t last_file;
	uint64_t n_added;
};

struct jit_code *jit_code_new(void)
{
	struct jit_code *code = xcalloc(1, sizeof(*code));

	buf_init(&code->text, JIT_MAX_TEXT_BYTES);
	buf_putc(&code->text, '\0');
	return code;
}

void jit_code_free(struct jit_code *code)
{
	if (!code)
		return;
	free(code->functions);
	free(code->lines);
	buf_done(&code->text);
	free(code);
}

void jit_code_reset(struct jit_code *code)
{
	code->n = code->n_sorted = code->n_lines = code->n_lines_used = 0;
	code->last_file = 0;
	code->text.overflow = false;
	buf_reset(&code->text);
	buf_putc(&code->text, '\0');
}

/* 0, the empty text, when there is no room. */
static uint32_t add_text(struct jit_code *code, const char *text, size_t len)
{
	uint32_t at = (uint32_t)code->text.len;

	len = min_of(strnlen(text, len), (size_t)JIT_NAME_MAX_BYTES);
	if (len + 1 > JIT_MAX_TEXT_BYTES - code->text.len)
		return 0;
	buf_put(&code->text, text, len);
	buf_putc(&code->text, '\0');
	return at;
}

static void add(struct jit_code *code, const struct function *function)
{
	if (code->n >= JIT_MAX_FUNCTIONS || !function->size ||
	    function->start + function->size < function->start)
		return;
	code->functions =
		vec_grow(code->functions, &code->cap, code->n + 1, sizeof(*code->functions));
	code->functions[code->n] = *function;
	code->functions[code->n++].order = ++code->n_added;
}

void jit_code_add(struct jit_code *code, uint64_t start, uint64_t size, const char *name,
		  size_t len)
{
	struct function function = {
		.start = start,
		.size = size,
		.first_line = (uint32_t)code->n_lines_used,
		.n_lines = (uint32_t)(code->n_lines - code->n_lines_used),
	};

	function.name = add_text(code, name, len);
	/* Lines of another function than announced help nobody. */
	if (function.n_lines && (code->lines_base < start || code->lines_base - start >= size))
		function.n_lines = 0;
	for (uint32_t i = 0; i < function.n_lines; i++)
		code->lines[function.first_line + i].offset -= start;
	code->n_lines_used = code->n_lines;
	if (function.name)
		add(code, &function);
}

void jit_code_add_line(struct jit_code *code, uint64_t address, uint32_t line, const char *file,
		       size_t len)
{
	const char *last = code->text.data + code->last_file;

	if (code->n_lines >= JIT_MAX_LINES)
		return;
	/* Mostly that of the line before. */
	if (!len)
		code->last_file = 0;
	else if (!code->last_file || strlen(last) != strnlen(file, len) ||
		 memcmp(last, file, strlen(last)) != 0)
		code->last_file = add_text(code, file, len);
	if (code->n_lines == code->n_lines_used)
		code->lines_base = address;
	code->lines =
		vec_grow(code->lines, &code->lines_cap, code->n_lines + 1, sizeof(*code->lines));
	code->lines[code->n_lines++] =
		(struct line){.offset = address, .file = code->last_file, .line = line};
}

void jit_code_mend_lines(struct jit_code *code, uint64_t late, const char *file, size_t len)
{
	uint32_t known = 0;

	code->lines_base -= late;
	for (size_t i = code->n_lines_used; i < code->n_lines; i++) {
		struct line *line = &code->lines[i];

		line->offset -= late;
		if (!line->file && !known && len)
			known = add_text(code, file, len);
		if (!line->file)
			line->file = known;
	}
}

/* ---- finding ---- */

static int compare(const void *left, const void *right)
{
	const struct function *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

/* Sort what came since, and merge it with what is sorted. */
static void sort(struct jit_code *code)
{
	size_t n_new = code->n - code->n_sorted, left = code->n_sorted, right = code->n;
	struct function *functions = code->functions;

	if (!n_new)
		return;
	qsort(functions + left, n_new, sizeof(*functions), compare);
	cleanup_free struct function *merged = xcalloc(code->n, sizeof(*merged));
	for (size_t at = code->n; at > 0; at--) {
		bool is_left =
			left > 0 && (right == code->n_sorted ||
				     compare(&functions[left - 1], &functions[right - 1]) > 0);

		merged[at - 1] = is_left ? functions[--left] : functions[--right];
	}
	memcpy(functions, merged, code->n * sizeof(*merged));
	code->n_sorted = code->n;
}

static const struct function *find(struct jit_code *code, uint64_t address)
{
	const struct function *best = NULL;
	size_t low = 0, high;

	sort(code);
	for (high = code->n; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (code->functions[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t looked = 0; low > 0 && looked < LOOK_BACK; low--, looked++) {
		const struct function *function = &code->functions[low - 1];

		if (address - function->start < function->size &&
		    (!best || function->order > best->order))
			best = function;
	}
	return best;
}

static const struct line *find_line(const struct jit_code *code, const struct function *function,
				    uint64_t address)
{
	const struct line *lines = code->lines + function->first_line, *best = NULL;
	uint64_t offset = address - function->start;
	uint32_t low = 0, high = function->n_lines;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (lines[middle].offset <= offset) {
			best = &lines[middle];
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return best;
}

bool jit_code_find(struct jit_code *code, uint64_t address, struct jit_found *ret_found)
{
	const struct function *function = find(code, address);
	const struct line *line;

	if (!function)
		return false;
	line = function->n_lines ? find_line(code, function, address) : NULL;
	*ret_found = (struct jit_found){
		.name = code->text.data + function->name,
		.file = line ? code->text.data + line->file : "",
		.line = line ? line->line : 0,
	};
	return true;
}

void jit_code_move(struct jit_code *code, uint64_t from, uint64_t to, uint64_t size)
{
	const struct function *old = find(code, from);
	struct function moved;

	if (!old || old->start != from)
		return;
	moved = *old;
	moved.start = to;
	moved.size = size;
	add(code, &moved);
}

/* ---- files ---- */

void jit_file_done(struct jit_file *file)
{
	cleanup_close_fd(&file->fd);
}

static bool read_piece(struct jit_file *file, struct jit_code *code, uint64_t end, char *piece)
{
	ssize_t n = pread(file->fd, piece, JIT_LOOK_BYTES, (off_t)file->at);
	size_t took;

	if (n <= 0)
		return false;
	took = file->is_dump ? jitdump_read(code, piece, (size_t)n, file->at == 0)
			     : perf_map_read(code, piece, (size_t)n, file->at + (uint64_t)n >= end);
	file->at += took;
	return took > 0;
}

bool jit_file_look(struct jit_file *file, struct jit_code *code)
{
	bool is_changed = false;
	struct stat st;

	if (file->fd < 0 || fstat(file->fd, &st) < 0 || st.st_size < 0)
		return false;
	if ((uint64_t)st.st_size < file->at && !file->is_dump) { /* written anew */
		file->at = 0;
		jit_code_reset(code);
		is_changed = true;
	}
	if ((uint64_t)st.st_size <= file->at)
		return is_changed;
	cleanup_free char *piece = xcalloc(1, JIT_LOOK_BYTES);
	return read_piece(file, code, (uint64_t)st.st_size, piece) || is_changed;
}
