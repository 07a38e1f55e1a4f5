/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request target: "/path?query", percent-encoded once.  What could mean two things to two
 * readers is refused: an encoded slash, NUL, a "..", an empty segment, text that is not UTF-8.
 */
#include <string.h>

#include "base/utf8.h"
#include "http/http_private.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode into `out` (at least len bytes); the decoded length, or ERR_USAGE. */
static long decode(const char *text, size_t len, bool is_query, char *out, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			bool has_two = i + 2 < len;
			int high = has_two ? hex_value(text[i + 1]) : -1;
			int low = has_two ? hex_value(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return err_set(err, ERR_USAGE,
					       "a %% is not followed by two hex digits");
			c = (char)(high << 4 | low);
			i += 2;
			if (!is_query && c == '/')
				return err_set(err, ERR_USAGE, "an encoded / in the path");
		} else if (is_query && c == '+') {
			c = ' ';
		}
		if (c == '\0' || (!is_query && ((unsigned char)c < 0x20 || c == 0x7f || c == '\\')))
			return err_set(err, ERR_USAGE,
				       "a control character or backslash in the URL");
		out[n++] = c;
	}
	out[n] = '\0';
	if (!utf8_is_valid(out, n))
		return err_set(err, ERR_USAGE, "the URL is not UTF-8");
	return (long)n;
}

static bool path_is_plain(const char *path)
{
	for (const char *at = path; *at; at++) {
		if (*at != '/')
			continue;
		if (at[1] == '/')
			return false;
		if (at[1] == '.' && (at[2] == '/' || at[2] == '\0'))
			return false;
		if (at[1] == '.' && at[2] == '.' && (at[3] == '/' || at[3] == '\0'))
			return false;
	}
	return true;
}

static int parse_params(const char *query, size_t len, struct arena *arena,
			struct http_request *request, struct err *err)
{
	const char *end = query + len;

	request->params = arena_array(arena, HTTP_MAX_PARAMS, sizeof(*request->params));
	while (query < end) {
		const char *stop = memchr(query, '&', (size_t)(end - query));
		const char *part_end = stop ? stop : end;
		const char *equals = memchr(query, '=', (size_t)(part_end - query));
		const char *name_end = equals ? equals : part_end;
		const char *value = equals ? equals + 1 : part_end;
		char *name = arena_alloc(arena, (size_t)(part_end - query) + 2);
		char *text = name + (name_end - query) + 1;

		if (part_end > query && request->n_params == HTTP_MAX_PARAMS)
			return err_set(err, ERR_LIMIT, "more than %d parameters", HTTP_MAX_PARAMS);
		if (decode(query, (size_t)(name_end - query), true, name, err) < 0 ||
		    decode(value, (size_t)(part_end - value), true, text, err) < 0)
			return ERR_USAGE;
		if (part_end > query)
			request->params[request->n_params++] = (struct http_pair){name, text};
		query = part_end + 1;
	}
	return 0;
}

int target_parse(const char *target, size_t len, struct arena *arena, struct http_request *request,
		 struct err *err)
{
	const char *query = memchr(target, '?', len);
	size_t path_len = query ? (size_t)(query - target) : len;
	char *path;

	if (!len || target[0] != '/')
		return err_set(err, ERR_USAGE, "the request target is not a path");
	path = arena_alloc(arena, path_len + 1);
	if (decode(target, path_len, false, path, err) < 0)
		return ERR_USAGE;
	if (!path_is_plain(path))
		return err_set(err, ERR_USAGE, "the path has an empty or a dot segment");
	request->path = path;
	if (!query)
		return 0;
	return parse_params(query + 1, len - path_len - 1, arena, request, err);
}

int http_form_parse(struct arena *arena, const void *data, size_t len, struct http_pair **ret_pairs,
		    size_t *ret_n, struct err *err)
{
	struct http_request form = {0};
	int r = parse_params(data ? data : "", len, arena, &form, err);

	if (r < 0)
		return r;
	*ret_pairs = form.params;
	*ret_n = form.n_params;
	return 0;
}
