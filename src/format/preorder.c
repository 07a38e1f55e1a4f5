/* SPDX-License-Identifier: Apache-2.0 */
#include "format/preorder.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "format/stack_text.h"

/* A node on the way from the root to where we are. */
struct step {
	uint64_t n_children;   /* to come */
	struct frame_id frame; /* of a tree */
	size_t key_len;	       /* of a trie: bytes of the key with this node's */
};

struct reader {
	struct profile *into;
	const struct format_limits *limits;
	bool is_trie;
	struct stack_text text;
	struct cursor at;
	const uint8_t *start;
	size_t column;
	struct step *steps;
	size_t n_steps, cap;
	struct buf key;
	uint64_t text_bytes, n_stacks;
};

static void reader_done(struct reader *reader)
{
	stack_text_done(&reader->text);
	free(reader->steps);
	buf_done(&reader->key);
}

struct node {
	const char *name;
	size_t len;
	int64_t value;
	uint64_t n_children;
};

static int read_node(struct reader *reader, struct node *ret_node, struct err *err)
{
	struct cursor *at = &reader->at;
	size_t offset = (size_t)(at->at - reader->start);
	uint64_t len = cursor_varint(at), value;

	ret_node->name = (const char *)cursor_bytes(at, len);
	ret_node->len = (size_t)len;
	value = cursor_varint(at);
	ret_node->n_children = cursor_varint(at);
	/* A node takes three bytes at least. */
	if (at->bad || ret_node->n_children > cursor_left(at) / 3)
		return err_set(err, ERR_CORRUPT, "not a %s: the node at byte %zu is cut off",
			       reader->is_trie ? "trie" : "tree", offset);
	if (value > INT64_MAX)
		return err_set(err, ERR_CORRUPT, "the node at byte %zu has a value over 2^63",
			       offset);
	ret_node->value = (int64_t)value;
	return 0;
}

/* ---- what a node adds to the way ---- */

static int step_down(struct reader *reader, const struct node *node, struct err *err)
{
	struct step *step;

	if (reader->n_steps == PREORDER_MAX_DEPTH)
		return err_set(err, ERR_LIMIT, "nodes lie more than %d deep", PREORDER_MAX_DEPTH);
	reader->steps =
		vec_grow(reader->steps, &reader->cap, reader->n_steps + 1, sizeof(*reader->steps));
	step = &reader->steps[reader->n_steps++];
	step->n_children = node->n_children;
	if (!reader->is_trie) {
		step->frame = node->len ? stack_text_frame(&reader->text, node->name, node->len)
					: (struct frame_id){0};
		return 0;
	}
	buf_put(&reader->key, node->name, node->len);
	if (reader->key.overflow)
		return err_set(err, ERR_LIMIT, "a stack's text is over %u bytes",
			       PREORDER_MAX_STACK_BYTES);
	step->key_len = reader->key.len;
	return 0;
}

/* Nodes whose children have all been there are done with. */
static void step_up(struct reader *reader)
{
	while (reader->n_steps && !reader->steps[reader->n_steps - 1].n_children) {
		reader->n_steps--;
		if (reader->is_trie)
			buf_cut(&reader->key,
				reader->n_steps ? reader->steps[reader->n_steps - 1].key_len : 0);
	}
	if (reader->n_steps)
		reader->steps[reader->n_steps - 1].n_children--;
}

/* ---- stacks ---- */

static int push_key(struct reader *reader, struct err *err)
{
	reader->text_bytes += reader->key.len;
	if (reader->text_bytes > PREORDER_MAX_TEXT_BYTES)
		return err_set(err, ERR_LIMIT, "the stacks' texts are over %llu MiB together",
			       (unsigned long long)(PREORDER_MAX_TEXT_BYTES >> 20));
	stack_text_push(&reader->text, reader->key.data, reader->key.len);
	return 0;
}

static void push_steps(struct reader *reader)
{
	stack_reset(&reader->text.stack);
	for (size_t i = 0; i < reader->n_steps; i++)
		if (reader->steps[i].frame.v)
			stack_push(&reader->text.stack, reader->steps[i].frame);
}

static int add_stack(struct reader *reader, int64_t value, struct err *err)
{
	struct profile *into = reader->into;
	struct node_id node = {0};
	int r = 0;

	if (++reader->n_stacks > reader->limits->max_samples)
		return err_because(err, ERR_LIMIT, "samples_limit",
				   "more than %u stacks: send shorter ranges",
				   reader->limits->max_samples);
	if (reader->is_trie)
		r = push_key(reader, err);
	else
		push_steps(reader);
	if (r < 0)
		return r;
	if (reader->text.stack.n)
		node = stack_node(&reader->text.stack, &into->tree, into->names, node, false);
	profile_add(into, reader->column, node, value);
	into->n_samples += min_of(value, INT64_MAX - into->n_samples);
	return 0;
}

/* ---- the whole ---- */

static int read_nodes(struct reader *reader, struct err *err)
{
	struct node node = {0};
	int r;

	do {
		r = read_node(reader, &node, err);
		if (r == 0)
			r = step_down(reader, &node, err);
		if (r == 0 && node.value)
			r = add_stack(reader, node.value, err);
		if (r < 0)
			return r;
		step_up(reader);
	} while (reader->n_steps);
	if (cursor_left(&reader->at))
		return err_set(err, ERR_CORRUPT, "not a %s: %zu bytes follow its last node",
			       reader->is_trie ? "trie" : "tree", cursor_left(&reader->at));
	return 0;
}

static int read_preorder(const void *data, size_t len, bool is_trie,
			 const struct format_limits *limits, struct profile *into, struct err *err)
{
	cleanup(reader_done) struct reader reader = {
		.into = into,
		.limits = limits,
		.is_trie = is_trie,
		.at = cursor_over(data, len),
		.start = data,
	};
	int column = profile_column(into, "samples", "count", NULL);

	if (column < 0)
		return err_set(err, column, "the profile has too many columns already");
	if (len > limits->max_inflated_bytes)
		return err_set(err, ERR_LIMIT, "the body has %zu bytes, the limit is %zu", len,
			       limits->max_inflated_bytes);
	reader.column = (size_t)column;
	stack_text_init(&reader.text, into->names, limits->max_depth);
	buf_init(&reader.key, PREORDER_MAX_STACK_BYTES);
	return read_nodes(&reader, err);
}

int preorder_read_trie(const void *data, size_t len, const struct format_limits *limits,
		       struct profile *into, struct err *err)
{
	return read_preorder(data, len, true, limits, into, err);
}

int preorder_read_tree(const void *data, size_t len, const struct format_limits *limits,
		       struct profile *into, struct err *err)
{
	return read_preorder(data, len, false, limits, into, err);
}
