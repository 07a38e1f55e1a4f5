/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/utf8.h"
#include "format/collapsed_private.h"
#include "format/frame_kind.h"
#include "format/marker.h"
#include "format/stack_text.h"

void stack_text_init(struct stack_text *stack, struct names *names, uint32_t max_depth)
{
	stack->names = names;
	stack_init(&stack->stack, max_depth);
}

void stack_text_done(struct stack_text *stack)
{
	stack_done(&stack->stack);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, size_t n, uint32_t *ret_code)
{
	*ret_code = 0;
	for (size_t i = 0; i < n; i++) {
		if (hex_digit(text[i]) < 0)
			return false;
		*ret_code = *ret_code * 16 + (uint32_t)hex_digit(text[i]);
	}
	return true;
}

/* Only what the writer escapes: other backslashes are a name's own. */
size_t stack_text_escape(const char *text, size_t len, uint32_t *ret_code)
{
	uint32_t code;

	if (len >= 4 && text[0] == '\\' && text[1] == 'x' && read_hex(text + 2, 2, &code) &&
	    ((code > 0 && code < 0x20) || code == 0x7f || code == ';' || code == '#' ||
	     code == '\\')) {
		*ret_code = code;
		return 4;
	}
	if (len >= 6 && text[0] == '\\' && text[1] == 'u' && read_hex(text + 2, 4, &code) &&
	    code > 0x7f && !utf8_code_is_printable(code)) {
		*ret_code = code;
		return 6;
	}
	return 0;
}

static size_t copy_token(struct stack_text *stack, const char *text, size_t len)
{
	size_t n = 0, taken;
	uint32_t code;
	char bytes[4];

	for (size_t i = 0; i < len && n + sizeof(bytes) <= STACK_TEXT_FRAME_BYTES; i += taken) {
		taken = text[i] == '\\' ? stack_text_escape(text + i, len - i, &code) : 0;
		if (taken) {
			size_t put = utf8_put(bytes, code);

			memcpy(stack->token + n, bytes, put);
			n += put;
			continue;
		}
		/* A NUL would end the text: a bad byte instead, which becomes U+FFFD. */
		stack->token[n++] = text[i] ? text[i] : '\xff';
		taken = 1;
	}
	stack->token[n] = '\0';
	return n;
}

static bool ends_with(const char *text, size_t len, const char *ending)
{
	size_t n = strlen(ending);

	return len > n && memcmp(text + len - n, ending, n) == 0;
}

/* ":123" at the end of a place; cuts it off. */
static uint32_t take_line(char *place)
{
	char *colon = strrchr(place, ':');
	uint64_t line = 0;

	if (!colon || colon == place || !colon[1])
		return 0;
	for (const char *c = colon + 1; *c; c++) {
		if (*c < '0' || *c > '9')
			return 0;
		line = min_of(line * 10 + (uint64_t)(*c - '0'), (uint64_t)UINT32_MAX);
	}
	*colon = '\0';
	return (uint32_t)line;
}

/*
 * "name (place)": the last " (" up to the final ')'.  What is in it must look like a file, so that C++
 * signatures keep their arguments.
 */
static char *find_place(char *token, size_t len)
{
	char *place;

	if (len < 4 || token[len - 1] != ')')
		return NULL;
	for (place = token + len - 2; place > token + 1; place--) {
		if (*place == ')')
			return NULL;
		if (*place == '(')
			break;
	}
	if (place <= token + 1 || place[-1] != ' ' || place[1] == ')')
		return NULL;
	token[len - 1] = '\0';
	if (strpbrk(place + 1, "./<:[") == NULL) {
		token[len - 1] = ')';
		return NULL;
	}
	place[-1] = '\0';
	return place + 1;
}

struct frame_id stack_text_frame(struct stack_text *stack, const char *text, size_t text_len)
{
	struct names *names = stack->names;
	size_t len = copy_token(stack, text, text_len);
	char *token = stack->token, *place = NULL;
	uint32_t line = 0;

	if (ends_with(token, len, COLLAPSED_KERNEL_SUFFIX)) {
		token[len - strlen(COLLAPSED_KERNEL_SUFFIX)] = '\0';
		return frame_of_place(names, token, FRAME_KERNEL_PLACE, 0, 0);
	}
	/* A thread may be called "pool (a.b:1)". */
	if (marker_parse(token).kind == MARKER_NONE)
		place = find_place(token, len);
	if (place)
		line = take_line(place);
	return frame_of_place(names, token, place ? place : "", line, 0);
}

void stack_text_push(struct stack_text *stack, const char *text, size_t len)
{
	const char *end = text + len;

	stack_reset(&stack->stack);
	while (text < end) {
		const char *semicolon = memchr(text, ';', (size_t)(end - text));
		size_t n = (size_t)((semicolon ? semicolon : end) - text);

		if (n)
			stack_push(&stack->stack, stack_text_frame(stack, text, n));
		text += n + 1;
	}
}
