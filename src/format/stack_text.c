/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

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

/* The four characters of \xHH, when they stand for something that the writer escapes. */
static int unescape(const char *text, size_t len)
{
	int code;

	if (len < 4 || text[0] != '\\' || text[1] != 'x' || hex_digit(text[2]) < 0 ||
	    hex_digit(text[3]) < 0)
		return -1;
	code = hex_digit(text[2]) * 16 + hex_digit(text[3]);
	return (code > 0 && code < 0x20) || code == 0x7f || code == ';' || code == '#' ||
			       code == '\\'
		       ? code
		       : -1;
}

static size_t copy_token(struct stack_text *stack, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < STACK_TEXT_FRAME_BYTES; i++) {
		int code = text[i] == '\\' ? unescape(text + i, len - i) : -1;

		/* A NUL would end the text: a bad byte instead, which becomes U+FFFD. */
		stack->token[n++] = code >= 0 ? (char)code : text[i] ? text[i] : '\xff';
		if (code >= 0)
			i += 3;
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
