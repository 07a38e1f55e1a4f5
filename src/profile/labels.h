/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label sets and selectors, as in Prometheus.
 *
 * A label set is sorted by name, names unique, no value empty: an empty label is one that is not
 * there.  Its text form, {a="b",c="d"}, is canonical: equal sets have equal texts, so the text
 * serves as a key.  A name is written bare when it is of [A-Za-z_][A-Za-z0-9_.-]*, else in quotes.
 * Limits are those of LABELS_*; past them ERR_LIMIT.
 *
 * A selector is a list of matchers: = != =~ !~, regular expressions anchored with RE2's meaning.
 *
 * In texts, quoted strings are "…" or '…' with the escapes of Go (\\ \" \' \a \b \f \n \r \t \v \123 \x7f \u20ac
 * \U0001f600, but no NUL), or `…` without any; names in quotes may hold any UTF-8.  From '#' to the end of its line is
 * a comment.
 * Errors are ERR_USAGE and name the character where reading stopped.
 */
#ifndef PROFILE_LABELS_H
#define PROFILE_LABELS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define LABELS_MAX 30
#define LABEL_NAME_MAX_BYTES 1024
#define LABEL_VALUE_MAX_BYTES 2048
#define SELECTOR_MAX_MATCHERS 64

/* Names with a meaning of their own. */
#define LABEL_SERVICE "service_name"
#define LABEL_METRIC "__name__"	      /* "process_cpu", "wall", … */
#define LABEL_TYPE "__profile_type__" /* the five parts joined by ':' */

struct label {
	const char *name;
	const char *value;
};

struct labels {
	struct label items[LABELS_MAX];
	size_t n;
};

/*
 * Set (or with value NULL or "" remove) a label; texts are copied into the arena, cleaned to UTF-8.
 * A value may not be longer than LABEL_VALUE_MAX_BYTES, a name not empty.
 */
int labels_set(struct labels *labels, struct arena *arena, const char *name, const char *value,
	       struct err *err) nodiscard;
const char *labels_get(const struct labels *labels, const char *name); /* NULL: not there */
/* Canonical text, quoted and escaped. */
void labels_format(const struct labels *labels, struct buf *out);
/* {a="b", c="d"} (spaces and a final comma allowed; a name twice is an error) */
int labels_parse(const char *text, struct arena *arena, struct labels *ret_labels,
		 struct err *err) nodiscard;
/*
 * "app.name{k=v,k2=v2}", values unquoted up to the next ',' or '}': the name parameter of /ingest.
 * Spaces around names and values are dropped; what follows the '}' is ignored, and the '}' itself may be missing.
 */
int labels_parse_app_name(const char *text, struct arena *arena, char **ret_app,
			  struct labels *ret_labels, struct err *err) nodiscard;

enum matcher_op { MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE };

struct matcher {
	const char *name;
	const char *value;
	enum matcher_op op;
	struct regex *regex; /* MATCH_RE and MATCH_NRE */
};

struct selector {
	struct matcher items[SELECTOR_MAX_MATCHERS];
	size_t n;
	bool has_metric; /* one of them was a metric's name */
};

/*
 * Parse  metric{a="b",c=~"d.*"}  with both halves optional (nothing at all matches every label set,
 * as {} does), or with the metric's name as a quoted text inside, {"metric",a="b"}; it becomes the matcher
 * __profile_type__="metric" when it holds ':' and __name__="metric" otherwise.
 */
int selector_parse(const char *text, struct arena *arena, struct selector *ret_selector,
		   struct err *err) nodiscard;
void selector_done(struct selector *selector); /* frees the expressions */
/* One more matcher; texts are borrowed.  ERR_USAGE and ERR_LIMIT as above. */
int selector_add(struct selector *selector, const char *name, enum matcher_op op, const char *value,
		 struct err *err) nodiscard;
/* A label that is not there counts as empty. */
bool selector_match(const struct selector *selector, const struct labels *labels);

#endif
