/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a request target, a form, a list of codings and a host: what is let in cannot mean two things. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "http/http_private.h"

static void check_text(const char *text)
{
	uint32_t code;

	for (size_t left = strlen(text), n; left; text += n, left -= n) {
		n = utf8_next(text, left, &code);
		if (!n || n > left)
			abort();
	}
}

static void check_pairs(const struct http_pair *pairs, size_t n)
{
	if (n > HTTP_MAX_PARAMS)
		abort();
	for (size_t i = 0; i < n; i++) {
		check_text(pairs[i].name);
		check_text(pairs[i].value);
	}
}

static void check_target(const struct http_request *request)
{
	const char *path = request->path;
	size_t len = strlen(path);

	if (path[0] != '/' || strstr(path, "//") || strchr(path, '\\') || strstr(path, "/../") ||
	    (len >= 3 && strcmp(path + len - 3, "/..") == 0))
		abort();
	check_text(path);
	check_pairs(request->params, request->n_params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request request = {0};
	struct http_pair *pairs;
	struct arena arena;
	struct err err;
	size_t n;
	char *text;

	arena_init(&arena);
	text = arena_strndup(&arena, (const char *)data, size);
	if (target_parse(text, strlen(text), &arena, &request, &err) == 0)
		check_target(&request);
	if (http_form_parse(&arena, data, size, &pairs, &n, &err) == 0)
		check_pairs(pairs, n);
	if (http_list_has(text, "gzip") && !strcasestr(text, "gzip"))
		abort();
	if (host_is_well_formed(text) && strpbrk(text, "/@ \t\r\n?#\"<>"))
		abort();
	arena_done(&arena);
	return 0;
}
