/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/narrow.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "profile/flame.h"
#include "profile/profile_private.h"
#include "regex/regex.h"

#define REGEX_ERROR_BYTES 256
#define OTHER_NAME "other"

/* How much of the call site a path has passed; a path that left it never comes back. */
#define OFF_SITE UINT16_MAX

void narrow_done(struct narrow *narrow)
{
	for (size_t i = 0; i < narrow->include.n_expressions; i++)
		regex_free(narrow->include.expressions[i]);
	for (size_t i = 0; i < narrow->exclude.n_expressions; i++)
		regex_free(narrow->exclude.expressions[i]);
	*narrow = (struct narrow){0};
}

static bool list_is_empty(const struct narrow_list *list)
{
	return !list->n_names && !list->n_expressions;
}

bool narrow_is_all(const struct narrow *narrow)
{
	return !narrow->n_call_site && list_is_empty(&narrow->include) &&
	       list_is_empty(&narrow->exclude);
}

int narrow_add_expression(struct narrow_list *list, const char *pattern, struct err *err)
{
	char why[REGEX_ERROR_BYTES];
	struct regex *regex;

	if (list->n_expressions == NARROW_MAX_EXPRESSIONS)
		return err_set(err, ERR_LIMIT, "more than %d expressions for frames",
			       NARROW_MAX_EXPRESSIONS);
	regex = regex_new(pattern, 0, why, sizeof(why));
	if (!regex)
		return err_set(err, ERR_USAGE, "regular expression for frames: %s", why);
	list->expressions[list->n_expressions++] = regex;
	return 0;
}

/* ---- functions by name ---- */

static bool list_has_text(const struct narrow_list *list, const char *text, size_t len)
{
	for (size_t i = 0; i < list->n_names; i++)
		if (strcmp(list->names[i], text) == 0)
			return true;
	for (size_t i = 0; i < list->n_expressions; i++)
		if (regex_match_full(list->expressions[i], text, len))
			return true;
	return false;
}

static bool list_has(const struct narrow_list *list, const struct names *names,
		     const struct frame *frame)
{
	size_t len;
	const char *text = names_text(names, frame->name, &len);

	if (list_has_text(list, text, len))
		return true;
	text = names_text(names, frame->qualname, &len);
	return len && list_has_text(list, text, len);
}

static bool is_function(const struct names *names, const struct frame *frame, const char *name)
{
	return strcmp(names_text(names, frame->name, NULL), name) == 0 ||
	       (frame->qualname.v && strcmp(names_text(names, frame->qualname, NULL), name) == 0);
}

/* ---- stacks ---- */

struct narrowing {
	const struct narrow *narrow;
	const struct profile *from;
	uint8_t *is_hidden; /* by function: 1 shown, 2 hidden, 0 not looked at */
	uint8_t *
		is_marker; /* by node: it and all above it are markers, which only the root's are */
	uint16_t *passed;  /* by node: names of the call site, or OFF_SITE */
	uint32_t *path, *map; /* by node: where it is, and where its values go */
};

static const struct frame *frame_of(const struct narrowing *all, uint32_t node)
{
	return names_frame_get(all->from->names, (struct frame_id){all->from->tree.frame[node]});
}

static bool is_hidden(struct narrowing *all, uint32_t node)
{
	const struct narrow *narrow = all->narrow;
	const struct names *names = all->from->names;
	struct func_id func = names_func_of(names, (struct frame_id){all->from->tree.frame[node]});
	uint8_t *known = &all->is_hidden[func.v];
	const struct frame *frame = frame_of(all, node);

	if (!*known) {
		bool is_shown =
			list_is_empty(&narrow->include) || list_has(&narrow->include, names, frame);

		*known = is_shown && !list_has(&narrow->exclude, names, frame) ? 1 : 2;
	}
	return *known == 2;
}

static uint16_t passed_at(const struct narrowing *all, uint32_t node, uint16_t before)
{
	const struct narrow *narrow = all->narrow;

	if (before == OFF_SITE || before == narrow->n_call_site)
		return before;
	return is_function(all->from->names, frame_of(all, node), narrow->call_site[before])
		       ? (uint16_t)(before + 1)
		       : OFF_SITE;
}

static void place_node(struct narrowing *all, uint32_t node, struct tree *into)
{
	const struct tree *tree = &all->from->tree;
	uint32_t parent = tree->parent[node];
	struct frame_id frame = {tree->frame[node]};

	all->path[node] = all->path[parent];
	all->passed[node] = all->passed[parent];
	all->is_marker[node] = all->is_marker[parent] && frame_of(all, node)->kind == FRAME_MARKER;
	if (!all->is_marker[node]) {
		if (is_hidden(all, node))
			return;
		all->passed[node] = passed_at(all, node, all->passed[parent]);
	}
	if (all->passed[node] != OFF_SITE)
		all->path[node] = map_child(into, all->path[parent], frame);
}

void narrow_profile(const struct narrow *narrow, const struct profile *from, struct profile *into)
{
	const struct tree *tree = &from->tree;
	cleanup_free uint8_t *is_hidden_by = xcalloc(names_func_count(from->names), 1);
	cleanup_free uint8_t *is_marker = xcalloc(tree->n, 1);
	cleanup_free uint16_t *passed = xcalloc(tree->n, sizeof(*passed));
	cleanup_free uint32_t *path = xcalloc(tree->n, sizeof(*path));
	cleanup_free uint32_t *map = xcalloc(tree->n, sizeof(*map));
	struct narrowing all = {narrow, from, is_hidden_by, is_marker, passed, path, map};

	profile_copy_head(into, from);
	is_marker[0] = 1;
	for (uint32_t i = 1; i < tree->n; i++)
		place_node(&all, i, &into->tree);
	for (uint32_t i = 0; i < tree->n; i++)
		map[i] = passed[i] == narrow->n_call_site ? path[i] : MAP_NONE;
	for (size_t i = 0; i < from->n_columns; i++)
		map_values(from, i, map, into, i);
}

/* What stands for a frame where only names count. */
static uint32_t bare_frame(struct names *names, uint32_t id)
{
	const struct frame *frame = names_frame_get(names, (struct frame_id){id});
	struct frame bare = {.name = frame->qualname.v ? frame->qualname : frame->name};

	return names_frame(names, &bare).v;
}

/* One pass, not one for the markers and one for the names: the tree is most of the cost. */
void narrow_to_names(const struct profile *from, struct profile *into)
{
	const struct tree *tree = &from->tree;
	struct names *names = from->names;
	cleanup_free uint32_t *frame_of = xcalloc(names_frame_count(names), sizeof(*frame_of));
	cleanup_free uint32_t *map = xcalloc(tree->n, sizeof(*map));

	profile_copy_head(into, from);
	for (uint32_t i = 1; i < tree->n; i++) {
		uint32_t parent = map[tree->parent[i]], frame = tree->frame[i];
		struct frame_id id = {frame};

		/* Only what went to the root has nothing but markers above it. */
		if (!parent && names_frame_get(names, id)->kind == FRAME_MARKER)
			continue;
		if (!frame_of[frame])
			frame_of[frame] = bare_frame(names, frame);
		map[i] = map_child(&into->tree, parent, (struct frame_id){frame_of[frame]});
	}
	for (size_t i = 0; i < from->n_columns; i++)
		map_values(from, i, map, into, i);
}

/* ---- for compilers ---- */

/* The innermost frames of a stack, without the markers at its root. */
static size_t innermost(const struct profile *from, uint32_t node, size_t most,
			struct frame_id *out)
{
	size_t n = tree_path(&from->tree, (struct node_id){node}, out, TREE_MAX_DEPTH), skip = 0;

	while (skip < n && names_frame_get(from->names, out[skip])->kind == FRAME_MARKER)
		skip++;
	if (most && n - skip > most)
		skip = n - most;
	memmove(out, out + skip, (n - skip) * sizeof(*out));
	return n - skip;
}

void narrow_for_pgo(const struct narrow *narrow, const struct profile *from, struct profile *into)
{
	cleanup_free uint32_t *map = xcalloc(from->tree.n, sizeof(*map));
	struct frame_id frames[TREE_MAX_DEPTH];

	profile_copy_head(into, from);
	for (uint32_t i = 1; i < from->tree.n; i++) {
		size_t n = innermost(from, i, narrow->pgo_frames, frames);

		if (n && narrow->pgo_aggregates_leafs)
			frames[n - 1] = names_func_frame(from->names,
							 names_func_of(from->names, frames[n - 1]));
		map[i] = tree_stack(&into->tree, frames, n).v;
	}
	for (size_t i = 0; i < from->n_columns; i++)
		map_values(from, i, map, into, i);
}

/* ---- nodes ---- */

void narrow_to_nodes(const struct profile *from, uint32_t max_nodes, struct arena *arena,
		     struct profile *into)
{
	struct flame_opts opts = {.max_nodes = max_nodes ? max_nodes + 1 : 0};
	struct frame other = {.name = names_cstr(from->names, OTHER_NAME)};
	struct frame_id other_id = names_frame(from->names, &other);
	struct flame flame;
	uint32_t *node;

	profile_copy_head(into, from);
	if (!from->n_columns)
		return;
	flame_layout(from, &opts, arena, &flame);
	node = arena_array(arena, flame.n, sizeof(*node));
	for (uint32_t i = 0; i < flame.n; i++) {
		struct frame_id frame =
			flame.merged[i] ? other_id : (struct frame_id){flame.frame[i]};

		node[i] = i ? map_child(&into->tree, node[flame.parent[i]], frame) : 0;
		profile_add(into, 0, (struct node_id){node[i] & ~MAP_CUT}, flame.self[i]);
	}
}
