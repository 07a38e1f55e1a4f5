/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and names as the pages print them. */
#ifndef TUI_WORDS_H
#define TUI_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "profile/profile.h"

#define WORDS_MAX 32	   /* bytes of a number */
#define WORDS_NAME_MAX 512 /* of a name; the end of a longer one is left out */

/* "75.0%", "<0.1%" for what would round to nothing, "" for nothing. */
void words_share(char out[WORDS_MAX], int64_t value, int64_t whole);
/* "12.34s", "2m05s", "3h20m", "850ms"; never longer than 7. */
void words_time(char out[WORDS_MAX], int64_t ns);
/* Of a difference, per second of real time: "+0.75", "-0.20", "=" within what chance does. */
void words_change(char out[WORDS_MAX], double change, double noise);

/* "Service.foo", and for code that is not Python its kind before it: "C foo", "k page_fault". */
void words_frame(char out[WORDS_NAME_MAX], const struct names *names, const struct frame *frame);
/* "app.py:12", of the path only the last part; "" where there is none.  Without a line the function's first. */
void words_place(char out[WORDS_NAME_MAX], const struct names *names, const struct frame *frame);
/* The whole path, and the line. */
void words_path(char out[WORDS_NAME_MAX], const struct names *names, const struct frame *frame);
/* Name and place in one: "foo (app.py:12)". */
void words_both(char out[WORDS_NAME_MAX], const struct names *names, const struct frame *frame);

#endif
