/* SPDX-License-Identifier: Apache-2.0 */
#include "server/derived.h"

#include <ctype.h>
#include <string.h>

#define TYPE_PARTS 5

const char *const derived_names[] = {
	LABEL_METRIC,	   "__type__", "__unit__",	"__period_type__",
	"__period_unit__", LABEL_TYPE, DERIVED_SERVICE,
};
const size_t derived_n = array_len(derived_names);

/* Which part of a profile type a label is, -1: none. */
static int part_of(const char *name)
{
	for (int i = 0; i < TYPE_PARTS; i++)
		if (strcmp(derived_names[i], name) == 0)
			return i;
	return -1;
}

const char *derived_value(struct arena *arena, const char *profile_type, const char *name)
{
	int part = part_of(name);

	if (strcmp(name, LABEL_TYPE) == 0)
		return profile_type;
	if (part < 0)
		return NULL;
	for (; part > 0 && *profile_type; part--) {
		profile_type += strcspn(profile_type, ":");
		profile_type += *profile_type == ':';
	}
	return arena_strndup(arena, profile_type, strcspn(profile_type, ":"));
}

/* ---- selectors ---- */

/* Text that stands for itself, as an expression. */
static const char *quoted(struct arena *arena, const char *text)
{
	char *out = arena_alloc(arena, 2 * strlen(text) + 1);
	size_t n = 0;

	for (; *text; text++) {
		if (!isalnum((unsigned char)*text) && (unsigned char)*text < 0x80)
			out[n++] = '\\';
		out[n++] = *text;
	}
	return out;
}

/* An expression of whole profile types whose `part` is as the matcher says. */
static const char *pattern_of(struct arena *arena, const struct matcher *matcher, int part)
{
	bool is_text = matcher->op == MATCH_EQ || matcher->op == MATCH_NE;
	const char *value = is_text ? quoted(arena, matcher->value) : matcher->value;
	const char *pattern = "";

	for (int i = 0; i < TYPE_PARTS; i++)
		pattern = arena_printf(arena, "%s%s(?:%s)", pattern, i ? ":" : "",
				       i == part ? value : "[^:]*");
	return pattern;
}

static int resolve(struct selector *into, struct arena *arena, const struct matcher *matcher,
		   int part, struct err *err)
{
	bool is_not = matcher->op == MATCH_NE || matcher->op == MATCH_NRE;

	return selector_add(into, LABEL_TYPE, is_not ? MATCH_NRE : MATCH_RE,
			    pattern_of(arena, matcher, part), err);
}

int derived_resolve(struct selector *selector, struct arena *arena, struct err *err)
{
	struct selector out = {.has_metric = selector->has_metric}, replaced = {0};
	int r = 0;

	for (size_t i = 0; i < selector->n; i++) {
		struct matcher *matcher = &selector->items[i];
		int part = part_of(matcher->name);

		if (strcmp(matcher->name, DERIVED_SERVICE) == 0)
			matcher->name = LABEL_SERVICE;
		if (part < 1) { /* __name__ is a label of its own */
			out.items[out.n++] = *matcher;
			continue;
		}
		replaced.items[replaced.n++] = *matcher;
		if (r == 0)
			r = resolve(&out, arena, matcher, part, err);
	}
	selector_done(&replaced);
	if (r < 0)
		selector_done(&out);
	*selector = out;
	return r;
}
