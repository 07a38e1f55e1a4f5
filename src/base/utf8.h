/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names come from targets, files and the network, so they can hold anything.  Inside the program
 * every string is valid UTF-8 without NUL; what goes to a terminal or a log is printable as well.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Is [text, text+len) valid UTF-8 (no overlong forms, no surrogates, no NUL)? */
bool utf8_is_valid(const char *text, size_t len) nodiscard;

/*
 * Copy src to dst (cap bytes with the final NUL, cap >= 1) as valid UTF-8: each bad byte and each
 * NUL becomes U+FFFD.  A text that does not fit is cut at a character border.  Returns the bytes
 * written without the NUL.
 */
size_t utf8_clean(char *dst, size_t cap, const char *src, size_t len);

/*
 * Like utf8_clean(), and control characters (C0, C1, DEL), bidirectional overrides and zero-width
 * characters become \xNN or \uNNNN, so that no hostile name moves a cursor.
 */
size_t utf8_printable(char *dst, size_t cap, const char *src, size_t len);

/*
 * Next character of [text, text+len), len > 0: stores its code point and returns its bytes.  A bad
 * byte gives U+FFFD and 1.
 */
size_t utf8_next(const char *text, size_t len, uint32_t *ret_code);

/* Write one code point (surrogates and values over U+10FFFF as U+FFFD); returns 1-4 bytes. */
size_t utf8_put(char dst[4], uint32_t code);

/* Terminal columns of a valid UTF-8 text: wide East Asian characters count 2, combining marks 0. */
size_t utf8_columns(const char *text, size_t len);

/* The same of one code point: 0, 1 or 2. */
int utf8_code_columns(uint32_t code);
/* False of what moves a cursor, turns the reading direction or takes no room (marks do print). */
bool utf8_code_is_printable(uint32_t code);
/* Is it a letter that runs right to left? */
bool utf8_code_runs_left(uint32_t code);

#endif
