/* SPDX-License-Identifier: Apache-2.0 */
#include "sample_profiles.h"

#include <stdio.h>
#include <string.h>

#include "format/marker.h"
#include "unit.h"

uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static const char *const hostile_names[] = {
	"semi;colon",	  "two words", "new\nline", "tab\there", "\x1b[31mred",
	"back\\x41slash", "quote\"'",  "<script>",  "naïve",	 "smile \xf0\x9f\x98\x80",
	"(paren)",	  "a (b",      "\\",	    "%s%n",	 "trailing ",
	"1 2 3",	  "ends in )", "#hash",
};

static struct frame_id random_frame(struct names *names, uint32_t *seed, uint32_t flags)
{
	struct frame frame = {.kind = FRAME_PYTHON};
	char text[32];

	snprintf(text, sizeof(text), "f%u", next_random(seed) % 12);
	frame.name = names_cstr(names, text);
	if ((flags & SAMPLE_HOSTILE) && next_random(seed) % 3 == 0)
		frame.name = names_cstr(
			names, hostile_names[next_random(seed) % array_len(hostile_names)]);
	if ((flags & SAMPLE_NATIVE) && next_random(seed) % 4 == 0) {
		frame.kind = next_random(seed) % 3 ? FRAME_NATIVE : FRAME_KERNEL;
		if (frame.kind == FRAME_NATIVE)
			frame.module = names_cstr(names, "/usr/lib/libfoo.so.6");
		return names_frame(names, &frame);
	}
	snprintf(text, sizeof(text), "/srv/app%u.py", next_random(seed) % 3);
	frame.file = names_cstr(names, text);
	frame.line = next_random(seed) % 4;
	if (flags & SAMPLE_QUALNAMES) {
		frame.first_line = 1;
		if (next_random(seed) % 3 == 0) {
			snprintf(text, sizeof(text), "Class.%s",
				 names_text(names, frame.name, NULL));
			frame.qualname = names_cstr(names, text);
		}
	}
	return names_frame(names, &frame);
}

static struct node_id random_node(struct profile *into, uint32_t *seed, uint32_t flags)
{
	struct node_id node = {0};
	size_t depth = 1 + next_random(seed) % 20;

	if (flags & SAMPLE_MARKERS) {
		uint32_t tid = 4711 + next_random(seed) % 3;

		node = tree_child(&into->tree, node,
				  marker_process(into->names, 4711, "python app.py"));
		node = tree_child(
			&into->tree, node,
			marker_thread(into->names, tid, tid == 4711 ? "MainThread" : "worker: 1"));
	}
	for (size_t i = 0; i < depth; i++)
		node = tree_child(&into->tree, node, random_frame(into->names, seed, flags));
	return node;
}

void sample_profile(struct profile *into, uint32_t seed, uint32_t flags)
{
	static const char *const types[][2] = {{"cpu", "nanoseconds"}, {"wall", "nanoseconds"}};

	into->start_ns = 1763800000123456789;
	into->duration_ns = 10000000001;
	into->period = 10000000;
	into->period_type = names_cstr(into->names, "cpu");
	into->period_unit = names_cstr(into->names, "nanoseconds");
	into->n_profiles = 1;
	for (int i = 0; i < 200; i++) {
		struct node_id node = random_node(into, &seed, flags);
		int n_types = flags & SAMPLE_TWO_TYPES ? 2 : 1;

		for (int type = 0; type < n_types; type++) {
			enum thread_state state =
				(enum thread_state)(next_random(&seed) % STATE_COUNT);
			int column = profile_column(into, types[type][0], types[type][1],
						    flags & SAMPLE_STATES ? thread_state_name(state)
									  : NULL);

			assert_true(column >= 0);
			profile_add(into, (size_t)column, node,
				    ((int64_t)next_random(&seed) << 20) + 1);
		}
	}
}

/* ---- comparing ---- */

static void assert_same_text(const struct profile *a, struct str_id in_a, const struct profile *b,
			     struct str_id in_b)
{
	assert_string_equal(names_text(a->names, in_a, NULL), names_text(b->names, in_b, NULL));
}

static void assert_same_frame(const struct profile *a, struct frame_id in_a,
			      const struct profile *b, struct frame_id in_b)
{
	const struct frame *left = names_frame_get(a->names, in_a);
	const struct frame *right = names_frame_get(b->names, in_b);

	assert_same_text(a, left->name, b, right->name);
	assert_same_text(a, left->qualname, b, right->qualname);
	assert_same_text(a, left->file, b, right->file);
	assert_same_text(a, left->module, b, right->module);
	assert_int_equal(left->line, right->line);
	assert_int_equal(left->first_line, right->first_line);
	assert_int_equal(left->kind, right->kind);
}

/*
 * b's stacks are looked up in a copy of a's tree made with b's frames: the import must add nothing.
 */
static void assert_contains(const struct profile *a, const struct profile *b)
{
	struct names_map map = {0};
	struct profile copy;

	profile_init(&copy, a->names);
	assert_true(profile_merge(&copy, a) >= 0);
	for (size_t c = 0; c < b->n_columns; c++) {
		const struct sample_type *type = &b->columns[c].type;
		int in_a = profile_find_column(&copy, names_text(b->names, type->type, NULL),
					       names_text(b->names, type->unit, NULL),
					       names_text(b->names, type->state, NULL));

		assert_true(in_a >= 0 || profile_sum(b, c) == 0);
		for (uint32_t node = 0; node < b->tree.n; node++) {
			struct frame_id path[TREE_MAX_DEPTH];
			int64_t value = profile_value(b, c, (struct node_id){node});
			size_t n =
				tree_path(&b->tree, (struct node_id){node}, path, TREE_MAX_DEPTH);
			struct node_id at;

			if (!value)
				continue;
			for (size_t i = 0; i < n; i++) {
				struct frame_id in_b = path[i];

				path[i] = names_import(a->names, &map, b->names, in_b);
				assert_same_frame(a, path[i], b, in_b);
			}
			at = tree_stack(&copy.tree, path, n);
			assert_int_equal(profile_value(&copy, (size_t)in_a, at), value);
		}
	}
	names_map_done(&map);
	profile_done(&copy);
}

void assert_same_profile(const struct profile *a, const struct profile *b)
{
	assert_contains(a, b);
	assert_contains(b, a);
}
