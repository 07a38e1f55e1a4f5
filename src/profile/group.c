/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that become one: the lines of a function, the functions of a file, the files of a module.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "profile/profile_private.h"

struct part {
	const char *at;
	size_t len;
};

/* The part of a path behind the last `mark`, or NULL. */
static const char *behind_last(const char *path, const char *mark)
{
	const char *found = NULL;

	for (const char *at = path; (at = strstr(at, mark)); at++)
		found = at + strlen(mark);
	return found;
}

/* "lib/python3.11/json/decoder.py" -> "json/decoder.py", or NULL. */
static const char *behind_library(const char *path)
{
	const char *version = behind_last(path, "/lib/python"), *slash;

	slash = version ? strchr(version, '/') : NULL;
	return slash ? slash + 1 : NULL;
}

/*
 * The package that a Python file belongs to: the first part of its path below site-packages or the
 * standard library; of a program's own file its name without the ending.
 */
static struct part package_of(const char *path)
{
	const char *inside = behind_last(path, "/site-packages/"), *slash;
	struct part out;

	if (!inside)
		inside = behind_last(path, "/dist-packages/");
	if (!inside)
		inside = behind_library(path);
	if (!inside) {
		slash = strrchr(path, '/');
		inside = slash ? slash + 1 : path;
	}
	out = (struct part){inside, strcspn(inside, "/")};
	if (out.len > 3 && !inside[out.len] && !strcmp(inside + out.len - 3, ".py"))
		out.len -= 3;
	return out;
}

static struct str_id module_name(struct names *names, const struct frame *frame)
{
	struct part package;

	if (frame->module.v)
		return frame->module;
	package = package_of(names_text(names, frame->file, NULL));
	return names_str(names, package.at, package.len);
}

/* What stands for a frame in a view by files or modules; markers stand for themselves. */
static struct frame_id frame_of_place(struct names *names, struct frame_id id,
				      enum profile_group group)
{
	struct frame from = *names_frame_get(names, id), frame = {.kind = from.kind};

	if (from.kind == FRAME_MARKER)
		return id;
	if (group == GROUP_FILE)
		frame.file = frame.name = from.file;
	if (!frame.name.v)
		frame.module = frame.name = module_name(names, &from);
	if (!frame.name.v)
		frame.name = names_cstr(names, "[unknown]");
	return names_frame(names, &frame);
}

static struct frame_id frame_grouped(struct names *names, struct frame_id id,
				     enum profile_group group)
{
	switch (group) {
	case GROUP_LINE:
		return id;
	case GROUP_FUNCTION:
		return names_func_frame(names, names_func_of(names, id));
	case GROUP_FILE:
	case GROUP_MODULE:
		return frame_of_place(names, id, group);
	}
	return id;
}

/* Frames that were unlike still are: then so are siblings, and nobody has to look for a child. */
static bool stay_apart(const struct profile *from, const uint32_t *frame_of)
{
	uint32_t n = names_frame_count(from->names);
	cleanup_free uint32_t *source_of = xcalloc(n, sizeof(*source_of));

	for (uint32_t i = 1; i < from->tree.n; i++) {
		uint32_t frame = from->tree.frame[i], *source = &source_of[frame_of[frame]];

		if (*source && *source != frame + 1)
			return false;
		*source = frame + 1;
	}
	return true;
}

/*
 * With `joins_neighbours` a frame below an equal one is the same frame: time stays within the file.
 */
static void frames_map(const struct profile *from, const uint32_t *frame_of, bool joins_neighbours,
		       struct profile *into)
{
	const struct tree *tree = &from->tree;
	cleanup_free uint32_t *map = xcalloc(tree->n, sizeof(*map));
	bool is_new = into->tree.n == 1 && !joins_neighbours && stay_apart(from, frame_of);

	profile_copy_head(into, from);
	if (!is_new)
		tree_reserve(&into->tree, tree->n);
	for (uint32_t i = 1; i < tree->n; i++) {
		uint32_t parent = map[tree->parent[i]];
		struct frame_id frame = {frame_of[tree->frame[i]]};

		if (joins_neighbours && parent && !(parent & MAP_CUT) &&
		    into->tree.frame[parent] == frame.v)
			map[i] = parent;
		else if (is_new)
			map[i] = map_new_child(&into->tree, parent, frame);
		else
			map[i] = map_child(&into->tree, parent, frame);
	}
	for (size_t i = 0; i < from->n_columns; i++)
		map_values(from, i, map, into, i);
}

void profile_map_frames(const struct profile *from, const uint32_t *frame_of, struct profile *into)
{
	frames_map(from, frame_of, false, into);
}

void profile_group(const struct profile *from, enum profile_group group, struct profile *into)
{
	/* Counted before grouping makes frames of its own. */
	uint32_t n_frames = names_frame_count(from->names);
	cleanup_free uint32_t *frame_of = xcalloc(n_frames, sizeof(*frame_of));

	/* Only what the tree names: a table of names can serve many profiles. */
	for (uint32_t i = 1; i < from->tree.n; i++) {
		struct frame_id frame = {from->tree.frame[i]};

		if (!frame_of[frame.v])
			frame_of[frame.v] = frame_grouped(from->names, frame, group).v;
	}
	frames_map(from, frame_of, group == GROUP_FILE || group == GROUP_MODULE, into);
}
