/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions in linear time, with RE2's syntax and meaning: the one place that knows
 * libre2. A compiled expression may be used by several threads at once.
 */
#ifndef REGEX_REGEX_H
#define REGEX_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REGEX_MAX_BYTES 4096		 /* longest pattern */
#define REGEX_MAX_MEMORY_BYTES (1 << 20) /* of the compiled program */

struct regex;

enum { REGEX_IGNORE_CASE = 1 };

/*
 * NULL when the pattern is malformed or too large; then error[cap] says why.  Free with
 * regex_free(), which accepts NULL.
 */
struct regex *regex_new(const char *pattern, int flags, char *error, size_t cap);
void regex_free(struct regex *regex);
/* Does the whole text match (as Prometheus anchors it)? */
bool regex_match_full(const struct regex *regex, const char *text, size_t len);
/* Is there a match anywhere? */
bool regex_match_part(const struct regex *regex, const char *text, size_t len);

#ifdef __cplusplus
}
#endif

#endif
