/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/compiler.h"
#include "format/perf_script_private.h"

#define KERNEL_FROM 0xffff800000000000ull /* addresses of x86-64 and arm64 kernels lie above */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct perf_text trim(struct perf_text text)
{
	while (text.len && is_blank(*text.at))
		text.at++, text.len--;
	while (text.len && is_blank(text.at[text.len - 1]))
		text.len--;
	return text;
}

/* The next word; what is left stays in *text. */
static struct perf_text take_word(struct perf_text *text)
{
	struct perf_text word = *text = trim(*text);
	size_t len = 0;

	while (len < text->len && !is_blank(text->at[len]))
		len++;
	word.len = len;
	text->at += len;
	text->len -= len;
	return word;
}

/* Decimal digits from the beginning; how many there are, 0 also when the number is too large. */
static size_t take_decimal(struct perf_text text, int64_t *ret_value)
{
	int64_t value = 0;
	size_t n = 0;

	for (; n < text.len && is_digit(text.at[n]); n++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, text.at[n] - '0', &value))
			return 0;
	*ret_value = value;
	return n;
}

static struct perf_text behind(struct perf_text text, size_t n)
{
	return (struct perf_text){text.at + n, text.len - n};
}

static bool is_number(struct perf_text word, int64_t *ret_value)
{
	return word.len && take_decimal(word, ret_value) == word.len;
}

/* "4712" is a thread, "4711/4712" process and thread. */
static bool take_ids(struct perf_text word, struct perf_header *header)
{
	int64_t first, second;
	size_t n = take_decimal(word, &first);

	if (!n || first > INT32_MAX)
		return false;
	if (n == word.len) {
		header->pid = 0;
		header->tid = first;
		return true;
	}
	if (word.at[n] != '/' || !is_number(behind(word, n + 1), &second) || second > INT32_MAX)
		return false;
	header->pid = first;
	header->tid = second;
	return true;
}

/* "[002]" */
static bool is_cpu(struct perf_text word)
{
	int64_t cpu;

	return word.len > 2 && word.at[0] == '[' && word.at[word.len - 1] == ']' &&
	       is_number((struct perf_text){word.at + 1, word.len - 2}, &cpu);
}

/* "94564.109216:", in micro- or nanoseconds */
static bool take_time(struct perf_text word, int64_t *ret_ns)
{
	int64_t seconds, part;
	size_t n = take_decimal(word, &seconds), digits;

	if (!n || n + 2 > word.len || word.at[n] != '.' || word.at[word.len - 1] != ':')
		return false;
	digits = word.len - n - 2;
	if (!digits || digits > 9 || seconds > INT64_MAX / 2000000000 ||
	    take_decimal(behind(word, n + 1), &part) != digits)
		return false;
	for (; digits < 9; digits++)
		part *= 10;
	*ret_ns = seconds * 1000000000 + part;
	return true;
}

/* [period] event: */
static bool take_event(struct perf_text rest, struct perf_header *header)
{
	struct perf_text word = take_word(&rest);

	if (is_number(word, &header->period))
		word = take_word(&rest);
	if (word.len < 2 || word.at[word.len - 1] != ':')
		return false;
	header->event = (struct perf_text){word.at, word.len - 1};
	header->rest = trim(rest);
	return true;
}

/* Commands hold blanks and digits: the numbers are those that a CPU or a time follows. */
bool perf_take_header(struct perf_text line, struct perf_header *ret_header)
{
	struct perf_text rest = trim(line), command = rest;

	for (int words = 0; rest.len && words < 64; words++) {
		struct perf_header header = {.time_ns = -1};
		struct perf_text word = take_word(&rest), after = rest, next;

		if (!words || !take_ids(word, &header))
			continue;
		next = take_word(&after);
		bool has_cpu = is_cpu(next);

		if (has_cpu) {
			rest = after;
			next = take_word(&after);
		}
		if (take_time(next, &header.time_ns))
			rest = after;
		else if (!has_cpu)
			continue;
		header.command =
			trim((struct perf_text){command.at, (size_t)(word.at - command.at)});
		if (rest.len && !take_event(rest, &header) && header.time_ns < 0)
			return false;
		*ret_header = header;
		return true;
	}
	return false;
}

/* ---- frames ---- */

static size_t take_hex(struct perf_text text, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t n = 0;

	for (; n < text.len && n <= 16; n++) {
		char c = text.at[n];

		if (is_digit(c))
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	*ret_value = value;
	return n <= 16 ? n : 0;
}

/* Without "+0x1f" at the end. */
static struct perf_text without_offset(struct perf_text symbol)
{
	size_t at = symbol.len;
	uint64_t ignored;

	while (at > 0 && symbol.at[at - 1] != '+')
		at--;
	if (at > 1 && symbol.len - at > 2 && symbol.at[at] == '0' && symbol.at[at + 1] == 'x' &&
	    take_hex(behind(symbol, at + 2), &ignored) == symbol.len - at - 2)
		symbol.len = at - 1;
	return symbol;
}

bool perf_take_frame(struct perf_text line, struct perf_frame *ret_frame)
{
	struct perf_frame frame = {0};
	struct perf_text rest = trim(line), word = take_word(&rest);
	size_t open;
	int depth = 0;

	if (!word.len || take_hex(word, &frame.address) != word.len)
		return false;
	rest = trim(rest);
	if (rest.len < 3 || rest.at[rest.len - 1] != ')')
		return false;
	for (open = rest.len; open > 0; open--) {
		depth += rest.at[open - 1] == ')';
		if (rest.at[open - 1] == '(' && --depth == 0)
			break;
	}
	if (!open)
		return false;
	frame.module = (struct perf_text){rest.at + open, rest.len - open - 1};
	frame.symbol = without_offset(trim((struct perf_text){rest.at, open - 1}));
	*ret_frame = frame;
	return true;
}

bool perf_take_place(struct perf_text line, struct perf_text *ret_file, uint32_t *ret_line)
{
	struct perf_text text = trim(line);
	size_t at = text.len;
	int64_t number;

	while (at > 0 && text.at[at - 1] != ':')
		at--;
	if (at < 2 || !is_number(behind(text, at), &number) || number > INT32_MAX)
		return false;
	*ret_file = (struct perf_text){text.at, at - 1};
	*ret_line = (uint32_t)number;
	return true;
}

/* ---- into the model ---- */

static bool begins(struct perf_text text, const char *with)
{
	size_t n = strlen(with);

	return text.len >= n && memcmp(text.at, with, n) == 0;
}

static bool is_kernel(const struct perf_frame *frame)
{
	static const char *const user[] = {"[vdso]", "[vsyscall]", "[unknown]",
					   "[heap]", "[stack",	   "[anon"};
	struct perf_text module = frame->module;

	if (frame->address >= KERNEL_FROM)
		return true;
	if (!begins(module, "["))
		return module.len > 3 && !memcmp(module.at + module.len - 3, ".ko", 3);
	for (size_t i = 0; i < array_len(user); i++)
		if (begins(module, user[i]))
			return false;
	return true;
}

static struct str_id text_id(struct names *names, struct perf_text text)
{
	return names_str(names, text.at, min_of(text.len, (size_t)PERF_TEXT_MAX));
}

/* "py::work:/srv/app.py", as CPython's trampolines are called. */
static bool name_python(struct names *names, struct perf_text symbol, struct frame *frame)
{
	const char *colon;

	if (!begins(symbol, "py::"))
		return false;
	symbol = behind(symbol, 4);
	colon = symbol.len ? memrchr(symbol.at, ':', symbol.len) : NULL;
	if (!colon)
		return false;
	frame->kind = FRAME_PYTHON;
	frame->module = (struct str_id){0};
	frame->name = text_id(names, (struct perf_text){symbol.at, (size_t)(colon - symbol.at)});
	frame->file = text_id(names, behind(symbol, (size_t)(colon + 1 - symbol.at)));
	return true;
}

/* "JS:*render /srv/app.js:14:9", "LazyCompile:~render app.js:14": the mark says how it was compiled. */
static bool name_script(struct names *names, struct perf_text symbol, struct frame *frame)
{
	static const char *const kinds[] = {"JS:", "LazyCompile:", "Function:", "Script:", "Eval:"};
	struct perf_text file;
	const char *blank;
	size_t n = 0;
	uint32_t line;

	for (size_t i = 0; i < array_len(kinds) && !n; i++)
		n = begins(symbol, kinds[i]) ? strlen(kinds[i]) : 0;
	if (!n)
		return false;
	symbol = behind(symbol, n);
	if (symbol.len && strchr("*~^+", *symbol.at))
		symbol = behind(symbol, 1);
	blank = symbol.len ? memrchr(symbol.at, ' ', symbol.len) : NULL;
	if (!blank ||
	    !perf_take_place(behind(symbol, (size_t)(blank + 1 - symbol.at)), &file, &line))
		return false;
	/* With a column the number that was cut off was that. */
	(void)perf_take_place(file, &file, &line);
	symbol.len = (size_t)(blank - symbol.at);
	frame->kind = FRAME_OTHER;
	frame->module = (struct str_id){0};
	frame->name = symbol.len ? text_id(names, symbol) : names_cstr(names, "(anonymous)");
	frame->file = text_id(names, file);
	frame->first_line = line;
	return true;
}

/* Code without a name is called by where it is. */
static struct str_id name_by_module(struct names *names, struct perf_text module)
{
	const char *slash = module.len ? memrchr(module.at, '/', module.len) : NULL;
	char text[PERF_TEXT_MAX];

	if (slash)
		module = behind(module, (size_t)(slash + 1 - module.at));
	if (!module.len || *module.at == '[')
		return module.len ? text_id(names, module) : names_cstr(names, "[unknown]");
	snprintf(text, sizeof(text), "[%.*s]", (int)min_of(module.len, sizeof(text) - 3),
		 module.at);
	return names_cstr(names, text);
}

struct frame perf_frame_of(struct names *names, const struct perf_frame *from, const char *symbol)
{
	struct perf_text name = symbol ? (struct perf_text){symbol, strlen(symbol)} : from->symbol;
	struct frame frame = {.kind = FRAME_NATIVE};
	bool is_inlined = begins(from->module, "inlined") && from->module.len == 7;

	if (!is_inlined && !begins(from->module, "[unknown]"))
		frame.module = text_id(names, from->module);
	if (is_kernel(from)) {
		frame.kind = FRAME_KERNEL;
		if (begins(from->module, "[kernel") || begins(from->module, "[guest.kernel"))
			frame.module = (struct str_id){0};
	}
	if (!name.len || begins(name, "[unknown]"))
		frame.name = name_by_module(names, from->module);
	else if (!name_python(names, name, &frame) && !name_script(names, name, &frame))
		frame.name = text_id(names, name);
	return frame;
}
