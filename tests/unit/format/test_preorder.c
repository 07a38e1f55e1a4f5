/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "format/preorder.h"

struct read {
	struct names *names;
	struct profile profile;
	struct err err;
	int code;
};

static void read_begin(struct read *read)
{
	*read = (struct read){.names = names_new()};
	profile_init(&read->profile, read->names);
}

static void read_done(struct read *read)
{
	profile_done(&read->profile);
	names_free(read->names);
}

static void put_node(struct buf *buf, const char *name, uint64_t value, uint64_t n_children)
{
	buf_put_varint(buf, strlen(name));
	buf_puts(buf, name);
	buf_put_varint(buf, value);
	buf_put_varint(buf, n_children);
}

static int64_t value_of(const struct profile *profile, const char *const *path)
{
	struct node_id node = {0};

	for (; *path; path++) {
		bool is_found = false;

		for (uint32_t i = 1; i < profile->tree.n && !is_found; i++) {
			struct frame_id frame = {profile->tree.frame[i]};
			const struct frame *what = names_frame_get(profile->names, frame);

			if (profile->tree.parent[i] != node.v ||
			    strcmp(names_text(profile->names, what->name, NULL), *path) != 0)
				continue;
			node.v = i;
			is_found = true;
		}
		assert_true(is_found);
	}
	return node.v < profile->columns[0].cap ? profile->columns[0].values[node.v] : 0;
}

static void a_trie_joins_its_pieces(void **state)
{
	struct read read;
	struct buf body;

	(void)state;
	read_begin(&read);
	buf_init(&body, 4096);
	put_node(&body, "", 0, 2);
	put_node(&body, "main;wor", 0, 2);
	put_node(&body, "k", 3, 1);
	put_node(&body, ";foo", 75, 0);
	put_node(&body, "ld", 25, 0);
	put_node(&body, "other", 1, 0);
	assert_int_equal(preorder_read_trie(body.data, body.len, &format_limits_server,
					    &read.profile, &read.err),
			 0);
	assert_int_equal(value_of(&read.profile, (const char *[]){"main", "work", NULL}), 3);
	assert_int_equal(value_of(&read.profile, (const char *[]){"main", "work", "foo", NULL}),
			 75);
	assert_int_equal(value_of(&read.profile, (const char *[]){"main", "world", NULL}), 25);
	assert_int_equal(value_of(&read.profile, (const char *[]){"other", NULL}), 1);
	assert_int_equal(read.profile.n_samples, 104);
	buf_done(&body);
	read_done(&read);
}

static void a_tree_has_a_frame_a_node(void **state)
{
	struct read read;
	struct buf body;

	(void)state;
	read_begin(&read);
	buf_init(&body, 4096);
	put_node(&body, "", 0, 1);
	put_node(&body, "main", 1, 2);
	put_node(&body, "a;b", 7, 0); /* one frame: its name has a semicolon */
	put_node(&body, "work", 0, 1);
	put_node(&body, "foo", 75, 0);
	assert_int_equal(preorder_read_tree(body.data, body.len, &format_limits_server,
					    &read.profile, &read.err),
			 0);
	assert_int_equal(value_of(&read.profile, (const char *[]){"main", NULL}), 1);
	assert_int_equal(value_of(&read.profile, (const char *[]){"main", "a;b", NULL}), 7);
	assert_int_equal(value_of(&read.profile, (const char *[]){"main", "work", "foo", NULL}),
			 75);
	buf_done(&body);
	read_done(&read);
}

static int code_of(const struct buf *body, bool is_trie, struct err *err)
{
	struct read read;
	int code;

	read_begin(&read);
	code = (is_trie ? preorder_read_trie : preorder_read_tree)(
		body->data ? body->data : "", body->len, &format_limits_server, &read.profile, err);
	read_done(&read);
	return code;
}

static void every_cut_is_refused(void **state)
{
	struct buf body;
	struct err err;

	(void)state;
	buf_init(&body, 4096);
	put_node(&body, "", 0, 1);
	put_node(&body, "main", 1000, 1);
	put_node(&body, "work", 300, 0);
	while (body.len) {
		buf_cut(&body, body.len - 1);
		assert_int_equal(code_of(&body, true, &err), ERR_CORRUPT);
		assert_int_equal(code_of(&body, false, &err), ERR_CORRUPT);
	}
	put_node(&body, "", 0, 0);
	buf_putc(&body, 'x');
	assert_int_equal(code_of(&body, true, &err), ERR_CORRUPT);
	assert_string_equal(err.text, "not a trie: 1 bytes follow its last node");
	buf_done(&body);
}

static void depth_text_and_values_have_limits(void **state)
{
	struct buf body;
	struct err err;

	(void)state;
	buf_init(&body, 16u << 20);
	for (int i = 0; i < PREORDER_MAX_DEPTH; i++)
		put_node(&body, "f", 0, 1);
	put_node(&body, "f", 1, 0);
	assert_int_equal(code_of(&body, false, &err), ERR_LIMIT);
	buf_reset(&body);

	/* 400 pieces of 1 MiB / 300 each: past the text of one stack. */
	for (int i = 0; i < 400; i++) {
		buf_put_varint(&body, PREORDER_MAX_STACK_BYTES / 300);
		for (unsigned k = 0; k < PREORDER_MAX_STACK_BYTES / 300; k++)
			buf_putc(&body, 'x');
		buf_put_varint(&body, 0);
		buf_put_varint(&body, i < 399);
	}
	assert_int_equal(code_of(&body, true, &err), ERR_LIMIT);
	buf_reset(&body);

	put_node(&body, "", UINT64_MAX, 0);
	assert_int_equal(code_of(&body, true, &err), ERR_CORRUPT);
	buf_reset(&body);
	put_node(&body, "", 0, UINT64_MAX);
	assert_int_equal(code_of(&body, true, &err), ERR_CORRUPT);
	buf_done(&body);
}

static void what_is_written_is_read_again(void **state)
{
	static const char *const both[] = {"main", "work", NULL},
				 *const left[] = {"main", "a", NULL},
				 *const right[] = {"main", "z", "a", NULL};
	struct read read, again;
	struct buf body;

	(void)state;
	buf_init(&body, 1000);
	put_node(&body, "", 0, 1);
	put_node(&body, "main", 0, 3);
	put_node(&body, "z", 0, 1);
	put_node(&body, "a", 7, 0);
	put_node(&body, "work", 5, 0);
	put_node(&body, "a", 300, 0);
	read_begin(&read);
	assert_int_equal(preorder_read_tree(body.data, body.len, &format_limits_server,
					    &read.profile, &read.err),
			 0);
	buf_reset(&body);
	preorder_write_tree(&read.profile, 0, &body);
	read_begin(&again);
	assert_int_equal(preorder_read_tree(body.data, body.len, &format_limits_server,
					    &again.profile, &again.err),
			 0);
	assert_int_equal(value_of(&again.profile, both), 5);
	assert_int_equal(value_of(&again.profile, left), 300);
	assert_int_equal(value_of(&again.profile, right), 7);
	assert_int_equal(profile_sum(&again.profile, 0), 312);
	/* Last name first, as readers pile them up. */
	assert_memory_equal(body.data, "\0\0\1\4main\0\3\1z\0\1", 14);
	read_done(&read);
	read_done(&again);
	buf_done(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(a_trie_joins_its_pieces),
		cmocka_unit_test(a_tree_has_a_frame_a_node),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(depth_text_and_values_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
