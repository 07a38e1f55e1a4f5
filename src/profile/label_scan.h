/* SPDX-License-Identifier: Apache-2.0 */
/* Words of label texts: what labels.c and selector.c both read. */
#ifndef PROFILE_LABEL_SCAN_H
#define PROFILE_LABEL_SCAN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

struct label_scan {
	const char *text; /* the whole, NUL-terminated */
	const char *at;
	struct arena *arena; /* takes the words */
};

/* Skip spaces and comments; is `c` next?  Then step over it. */
bool label_scan_take(struct label_scan *scan, char c);
/* Skip spaces and comments and return the next character, NUL at the end. */
char label_scan_peek(struct label_scan *scan);
/* A bare or quoted label name. */
int label_scan_name(struct label_scan *scan, const char **ret_name, struct err *err) nodiscard;
/* A quoted string. */
int label_scan_string(struct label_scan *scan, const char **ret_text, struct err *err) nodiscard;
/* ERR_USAGE "character 12: expected `what`, found …". */
int label_scan_fail(const struct label_scan *scan, const char *what, struct err *err);
/* Characters of a bare name. */
bool label_name_begins(char c);
bool label_name_goes_on(char c);

#endif
