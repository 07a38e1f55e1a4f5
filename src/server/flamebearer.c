/* SPDX-License-Identifier: Apache-2.0 */
#include "server/flamebearer.h"

#include <string.h>

#include "profile/narrow.h"

#define TOTAL_NAME "total"
#define OTHER_NAME "other"

/* ---- names, each once ---- */

static const char *name_of(const struct names *names, const struct flame *flame, uint32_t box,
			   struct str_id *ret_id)
{
	const struct frame *frame = names_frame_get(names, (struct frame_id){flame->frame[box]});

	*ret_id = frame->name;
	return names_text(names, *ret_id, NULL);
}

static void name_boxes(struct flamebearer *own, struct arena *arena)
{
	const struct names *names = own->shown.names;
	uint32_t n_strings = names_str_count(names), other = 0;
	uint32_t *of_str = arena_array(arena, n_strings, sizeof(*of_str)); /* index by string */

	memset(of_str, 0, n_strings * sizeof(*of_str));
	own->names = arena_array(arena, own->flame.n + 2, sizeof(*own->names));
	own->name = arena_array(arena, own->flame.n, sizeof(*own->name));
	own->names[own->n_names++] = TOTAL_NAME;
	own->name[0] = 0;
	for (uint32_t i = 1; i < own->flame.n; i++) {
		struct str_id id = {0};
		const char *text =
			own->flame.merged[i] ? OTHER_NAME : name_of(names, &own->flame, i, &id);
		uint32_t *index = own->flame.merged[i] ? &other : &of_str[id.v];

		if (!*index) {
			*index = own->n_names;
			own->names[own->n_names++] = text;
		}
		own->name[i] = *index;
	}
}

/* ---- edges ---- */

/* Boxes of one parent follow each other, and parents come first. */
static void place(const struct flame *flame, const int64_t *total, int64_t *x)
{
	x[0] = 0;
	for (uint32_t i = 1; i < flame->n; i++)
		x[i] = flame->parent[i] == flame->parent[i - 1] && i > 1 ? x[i - 1] + total[i - 1]
									 : x[flame->parent[i]];
}

static void lay_out(struct flamebearer *own, int64_t max_nodes, struct arena *arena)
{
	struct flame_opts opts = {
		.column = 0,
		.column_b = 1,
		.is_diff = own->is_double,
		/* The root comes on top, as at Pyroscope's. */
		.max_nodes =
			max_nodes <= 0
				? 0
				: (uint32_t)min_of(max_nodes, (int64_t)FLAME_MAX_NODES - 1) + 1,
	};
	struct flame *flame = &own->flame;

	flame_layout(&own->shown, &opts, arena, flame);
	name_boxes(own, arena);
	for (int i = 0; i <= own->is_double; i++) {
		const int64_t *total = i ? flame->total_b : flame->total;
		const int64_t *self = i ? flame->self_b : flame->self;

		own->x[i] = arena_array(arena, flame->n, sizeof(int64_t));
		place(flame, total, own->x[i]);
		own->total[i] = total[0];
		for (uint32_t box = 0; box < flame->n; box++)
			own->max_self = max_of(own->max_self, self[box]);
	}
}

/* ---- life ---- */

static void by_name(const struct profile *from, struct profile *into)
{
	profile_init(into, from->names);
	narrow_to_names(from, into);
}

void flamebearer_init(struct flamebearer *flame, const struct profile *profile, int64_t max_nodes,
		      struct arena *arena)
{
	*flame = (struct flamebearer){0};
	by_name(profile, &flame->shown);
	lay_out(flame, max_nodes, arena);
}

int flamebearer_init_double(struct flamebearer *flame, const struct profile *before,
			    const struct profile *after, int64_t max_nodes, struct arena *arena,
			    struct err *err)
{
	struct profile a, b;
	int r;

	*flame = (struct flamebearer){.is_double = true};
	by_name(before, &a);
	by_name(after, &b);
	profile_init(&flame->shown, before->names);
	r = profile_diff(&a, &b, 1, &flame->shown);
	profile_done(&a);
	profile_done(&b);
	if (r < 0)
		return err_set(err, r, "the two profiles have too many columns to compare");
	lay_out(flame, max_nodes, arena);
	return 0;
}

void flamebearer_done(struct flamebearer *flame)
{
	profile_done(&flame->shown);
}

/* ---- levels ---- */

uint32_t flamebearer_level(const struct flamebearer *own, uint32_t from, int64_t *numbers,
			   size_t *ret_n)
{
	const struct flame *flame = &own->flame;
	int64_t end[2] = {0, 0};
	uint32_t box = from;
	size_t n = 0;

	for (; box < flame->n && flame->depth[box] == flame->depth[from]; box++) {
		for (int i = 0; i <= own->is_double; i++) {
			int64_t total = i ? flame->total_b[box] : flame->total[box];

			numbers[n++] = own->x[i][box] - end[i];
			numbers[n++] = total;
			numbers[n++] = i ? flame->self_b[box] : flame->self[box];
			end[i] = own->x[i][box] + total;
		}
		numbers[n++] = own->name[box];
	}
	*ret_n = n;
	return box;
}
