/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "profile/profile_private.h"
#include "profile/table.h"
#include "regex/regex.h"

#define REGEX_ERROR_BYTES 256

/* What is known of a string: many frames share one file. */
enum { UNTRIED, MATCHES, MATCHES_NOT };

struct search {
	const struct names *names;
	struct regex *regex;
	uint8_t *strings; /* per string id */
};

static bool is_expression(const char *query, size_t len)
{
	return len >= 3 && query[0] == '/' && query[len - 1] == '/';
}

/* Text that stands for itself, as an expression. */
static char *text_quoted(struct arena *arena, const char *text, size_t len)
{
	char *out = arena_alloc(arena, 2 * len + 1);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool is_word =
			c >= 0x80 || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');

		if (!is_word)
			out[n++] = '\\';
		out[n++] = (char)c;
	}
	return out;
}

static int query_compile(const char *query, struct arena *arena, struct regex **ret_regex,
			 struct err *err)
{
	size_t len = strlen(query);
	char why[REGEX_ERROR_BYTES];
	char *pattern;

	if (is_expression(query, len))
		pattern = arena_strndup(arena, query + 1, len - 2);
	else
		pattern = text_quoted(arena, query, len);
	*ret_regex = regex_new(pattern, is_expression(query, len) ? 0 : REGEX_IGNORE_CASE, why,
			       sizeof(why));
	if (!*ret_regex)
		return err_set(err, ERR_USAGE, "search for %.200s: %s", query, why);
	return 0;
}

static bool string_matches(const struct search *search, struct str_id id)
{
	uint8_t *known = &search->strings[id.v];

	if (*known == UNTRIED) {
		size_t len;
		const char *text = names_text(search->names, id, &len);

		*known = regex_match_part(search->regex, text, len) ? MATCHES : MATCHES_NOT;
	}
	return id.v && *known == MATCHES;
}

static bool frame_matches(const struct search *search, struct frame_id id)
{
	const struct frame *frame = names_frame_get(search->names, id);

	return string_matches(search, frame->name) || string_matches(search, frame->qualname) ||
	       string_matches(search, frame->file);
}

/* One forward pass: a stack matches when its frame does or the stack below it did. */
static void tree_search(const struct profile *profile, size_t column, const struct search *search,
			struct arena *arena, struct search_result *result)
{
	const struct tree *tree = &profile->tree;
	const int64_t *totals = profile_totals(profile, column, arena);
	uint8_t *is_hit = arena_array(arena, tree->n, sizeof(*is_hit));

	for (uint32_t i = 1; i < tree->n; i++) {
		struct frame_id frame = {tree->frame[i]};
		struct func_id func = names_func_of(profile->names, frame);

		is_hit[i] = is_hit[tree->parent[i]];
		if (totals[i] && frame_matches(search, frame)) {
			is_hit[i] = 1;
			result->n_functions += !result->is_match[func.v];
			result->is_match[func.v] = 1;
		}
		if (is_hit[i])
			result->matched =
				sum_saturated(result->matched,
					      profile_value(profile, column, (struct node_id){i}));
	}
}

int profile_search(const struct profile *profile, size_t column, const char *query,
		   struct arena *arena, struct search_result *ret_result, struct err *err)
{
	struct search search = {.names = profile->names};
	struct search_result result = {0};

	result.is_match = arena_array(arena, names_func_count(profile->names), 1);
	if (*query) {
		int r = query_compile(query, arena, &search.regex, err);

		if (r < 0)
			return r;
		search.strings = arena_array(arena, names_str_count(profile->names), 1);
		tree_search(profile, column, &search, arena, &result);
		regex_free(search.regex);
	}
	*ret_result = result;
	return 0;
}
