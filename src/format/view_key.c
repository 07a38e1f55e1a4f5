/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of frames, and what keys name. */
#include <errno.h>
#include <string.h>

#include "codec/base64.h"
#include "format/view_private.h"
#include "profile/hash.h"
#include "profile/table.h"

static const char *const kind_names[FRAME_KIND_COUNT] = {
	[FRAME_OTHER] = "other",   [FRAME_PYTHON] = "python", [FRAME_NATIVE] = "native",
	[FRAME_KERNEL] = "kernel", [FRAME_MARKER] = "marker",
};

const char *view_kind_name(uint8_t kind)
{
	return kind < FRAME_KIND_COUNT ? kind_names[kind] : kind_names[FRAME_OTHER];
}

static void key_put(struct buf *buf, const char *text)
{
	buf_put(buf, text, strlen(text) + 1);
}

/* "<lambda>", but not "<module>", of which a file has one. */
static bool is_anonymous(const char *name)
{
	return name[0] == '<' && strcmp(name, "<module>") != 0;
}

static struct view_key key_of(const struct names *names, const struct frame *frame, uint32_t line)
{
	struct str_id name_id = frame->qualname.v ? frame->qualname : frame->name;
	const char *name = names_text(names, name_id, NULL);
	struct view_key key = {{0}};
	unsigned char bytes[8];
	struct buf text;
	uint64_t hash;

	buf_init(&text, 4 * NAME_MAX_BYTES);
	key_put(&text, name);
	key_put(&text, names_text(names, frame->file, NULL));
	key_put(&text, view_kind_name(frame->kind));
	if (line)
		buf_printf(&text, "line %u", line);
	if (is_anonymous(names_text(names, frame->name, NULL)))
		buf_printf(&text, "from %u", frame->first_line);
	hash = hash_stable(text.data, text.len);
	buf_done(&text);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(hash >> (56 - 8 * i));
	buf_init(&text, sizeof(key.text));
	base64url_encode(bytes, sizeof(bytes), &text);
	memcpy(key.text, text.data, VIEW_KEY_CHARS);
	buf_done(&text);
	return key;
}

struct view_key view_key_of(const struct names *names, struct frame_id frame)
{
	const struct frame *found = names_frame_get(names, frame);

	return frame.v ? key_of(names, found, found->line) : (struct view_key){{0}};
}

struct view_key view_key_of_func(const struct names *names, struct func_id func)
{
	return func.v ? key_of(names, names_func_get(names, func), 0) : (struct view_key){{0}};
}

int view_key_check(const char *text, size_t len, struct err *err)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789-_";

	if (len == VIEW_KEY_CHARS && strspn(text, alphabet) >= len)
		return 0;
	return err_set(err, ERR_USAGE,
		       "'%.*s' is not the key of a function (%d letters of base64url)",
		       (int)min_of(len, (size_t)64), text, VIEW_KEY_CHARS);
}

size_t view_funcs_of_key(const struct profile *profile, const char *key, struct arena *arena,
			 uint8_t **ret_is_it)
{
	uint32_t n_funcs = names_func_count(profile->names);
	uint8_t *is_it = arena_array(arena, n_funcs, 1);
	uint8_t *is_frame_known = arena_array(arena, names_frame_count(profile->names), 1);
	uint8_t *is_func_known = arena_array(arena, n_funcs, 1);
	size_t n = 0;

	for (uint32_t i = 1; i < profile->tree.n; i++) {
		struct frame_id frame = {profile->tree.frame[i]};
		struct func_id func = names_func_of(profile->names, frame);
		bool is_found = false;

		if (is_it[func.v] || is_frame_known[frame.v])
			continue;
		is_frame_known[frame.v] = 1;
		if (!is_func_known[func.v])
			is_found = !strcmp(view_key_of_func(profile->names, func).text, key);
		is_func_known[func.v] = 1;
		is_found = is_found || !strcmp(view_key_of(profile->names, frame).text, key);
		is_it[func.v] = is_found;
		n += is_found;
	}
	*ret_is_it = is_it;
	return n;
}

int view_find_func(const struct profile *profile, size_t column, const char *key,
		   struct func_id *ret_func, struct err *err)
{
	struct func_row *rows;
	struct arena arena;
	uint8_t *is_it;
	size_t n, i = 0;
	int r = view_key_check(key, strlen(key), err);

	if (r < 0)
		return r;
	arena_init(&arena);
	r = -ENOENT;
	if (view_funcs_of_key(profile, key, &arena, &is_it)) {
		n = func_table(profile, column, FUNC_BY_TOTAL, &arena, &rows);
		while (i < n && !is_it[rows[i].func.v])
			i++;
		if (i < n) {
			*ret_func = rows[i].func;
			r = 0;
		}
	}
	arena_done(&arena);
	if (r < 0)
		return err_set(err, r, "no function with the key %s in this range", key);
	return 0;
}

/* The child with that key; of several (lines of one function) the one with the largest total. */
static bool child_of_key(const struct profile *profile, const struct tree_index *index,
			 const int64_t *totals, const char *key, uint32_t *node)
{
	uint32_t best = 0;

	for (uint32_t at = index->start[*node]; at < index->start[*node + 1]; at++) {
		uint32_t child = index->list[at];
		struct frame_id frame = {profile->tree.frame[child]};

		if (strncmp(view_key_of(profile->names, frame).text, key, VIEW_KEY_CHARS) == 0 &&
		    (!best || totals[child] > totals[best]))
			best = child;
	}
	if (best)
		*node = best;
	return best != 0;
}

int view_root_find(const struct profile *profile, const char *keys, struct arena *arena,
		   struct flame_opts *opts, bool *ret_is_found, struct err *err)
{
	const int64_t *totals = profile_totals(profile, opts->column, arena);
	struct frame_id *path;
	struct tree_index index;
	uint32_t node = 0;
	bool is_found = true;

	tree_index(&profile->tree, arena, &index);
	for (const char *at = keys; *at;) {
		size_t len = strcspn(at, ".");
		int r = view_key_check(at, len, err);

		if (r < 0)
			return err_prefix(err, r, "root");
		is_found = is_found && child_of_key(profile, &index, totals, at, &node);
		at += len;
		at += *at == '.';
	}
	*ret_is_found = is_found;
	if (!is_found)
		return 0;
	opts->root_len = profile->tree.depth[node];
	path = arena_array(arena, opts->root_len, sizeof(*path));
	(void)tree_path(&profile->tree, (struct node_id){node}, path, opts->root_len);
	opts->root_path = path;
	return 0;
}
