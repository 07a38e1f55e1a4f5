/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks that are written as text: "main (app.py:3);work;foo_[k]", outermost first.
 *
 * What a frame's text says of name, file, line and kind is docs/FORMATS.md's "collapsed"; any bytes will do,
 * what cannot be text becomes U+FFFD.  Shared by all formats that carry such texts.
 */
#ifndef FORMAT_STACK_TEXT_H
#define FORMAT_STACK_TEXT_H

#include "format/stack.h"

/* A frame's text is unescaped into this much; longer ones keep their head. */
#define STACK_TEXT_FRAME_BYTES (3 * NAME_MAX_BYTES)

struct stack_text {
	struct names *names; /* borrowed */
	struct stack stack;
	char token[STACK_TEXT_FRAME_BYTES + 1];
};

void stack_text_init(struct stack_text *stack, struct names *names, uint32_t max_depth);
void stack_text_done(struct stack_text *stack); /* all-zero is fine */

/*
 * The escape that `text` begins with, and its length; 0 when it begins with none.  \xHH stands for a control character and
 * what means something in these texts, \uHHHH for what cannot be seen: C1, turned directions, no width.
 */
size_t stack_text_escape(const char *text, size_t len, uint32_t *ret_code);

/* One frame. */
struct frame_id stack_text_frame(struct stack_text *stack, const char *text, size_t len);
/* Replace stack->stack by the frames between the semicolons; empty ones do not count. */
void stack_text_push(struct stack_text *stack, const char *text, size_t len);

#endif
