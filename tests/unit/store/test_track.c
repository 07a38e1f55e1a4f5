/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/vec.h"
#include "store/sqlite/block.h"
#include "unit.h"

#define T0 1763800000000000000
#define S 1000000000ll

struct want {
	int64_t t_ns, len_ns;
	bool begins;
	int64_t totals[2];
};

/* Irregular in all that can change, and one that began before the window. */
static const struct want wanted[] = {
	{T0 - 5 * S, 10 * S, true, {1, 2}},
	{T0 + 5 * S, 10 * S, true, {INT64_MAX, 0}},
	{T0 + 15 * S + 7, 10 * S - 7, false, {-3, INT64_MIN}},
	{T0 + 15 * S + 7, 1, true, {0, 5}},
	{T0 + 500 * S, 600 * S, false, {9, 9}},
};

static struct cursor head_of(const struct buf *head)
{
	return cursor_over(head->data ? head->data : "", head->len);
}

static void write_wanted(struct track *track, struct buf *head)
{
	buf_init(head, 1 << 20);
	for (size_t i = array_len(wanted); i-- > 0;) /* sorted when it is written */
		track_add(track,
			  (struct track_entry){wanted[i].t_ns, wanted[i].len_ns, wanted[i].begins,
					       0, 0},
			  wanted[i].totals, 2);
	track_write(track, T0, 2, head);
}

static void entries_come_back_by_time_as_they_were(void **state)
{
	struct track track = {0};
	struct track_reader reader;
	struct buf head;
	size_t n = 0;
	bool is_seen[array_len(wanted)] = {0};

	(void)state;
	write_wanted(&track, &head);
	assert_true(track_open(&reader, head_of(&head), T0, 2));
	for (int64_t last = 0; track_next(&reader); last = reader.t_ns, n++) {
		assert_true(reader.t_ns >= last);
		for (size_t i = 0; i < array_len(wanted); i++)
			is_seen[i] |= wanted[i].t_ns == reader.t_ns &&
				      wanted[i].len_ns == reader.len_ns &&
				      wanted[i].begins == reader.begins &&
				      memcmp(wanted[i].totals, reader.totals, 16) == 0;
	}
	assert_int_equal(n, array_len(wanted));
	for (size_t i = 0; i < array_len(wanted); i++)
		assert_true(is_seen[i]);
	assert_false(reader.in.bad);
	buf_done(&head);
	track_done(&track);
}

static void columns_that_came_later_are_zero_before(void **state)
{
	struct track track = {0};
	struct track_reader reader;
	struct buf head;

	(void)state;
	buf_init(&head, 1 << 20);
	track_add(&track, (struct track_entry){T0, S, true, 0, 0}, (int64_t[]){4}, 1);
	track_add(&track, (struct track_entry){T0 + S, S, true, 0, 0}, (int64_t[]){5, 6}, 2);
	track_write(&track, T0, 2, &head);
	assert_true(track_open(&reader, head_of(&head), T0, 2));
	assert_true(track_next(&reader));
	assert_int_equal(reader.totals[1], 0);
	assert_true(track_next(&reader));
	assert_int_equal(reader.totals[1], 6);
	buf_done(&head);
	track_done(&track);
}

static void regular_clock_costs_two_bytes_and_its_totals(void **state)
{
	struct track track = {0};
	struct track_reader reader;
	struct buf head;

	(void)state;
	buf_init(&head, 1 << 20);
	for (int i = 0; i < 360; i++)
		track_add(&track, (struct track_entry){T0 + i * 10 * S, 10 * S, true, 0, 0},
			  (int64_t[]){7000000}, 1);
	track_write(&track, T0, 1, &head);
	assert_true(head.len < 360 * 3 + 40);
	assert_true(track_open(&reader, head_of(&head), T0, 1));
	for (int i = 0; i < 360; i++) {
		assert_true(track_next(&reader));
		assert_int_equal(reader.t_ns, T0 + i * 10 * S);
		assert_int_equal(reader.len_ns, 10 * S);
		assert_int_equal(reader.totals[0], 7000000);
		assert_true(reader.begins);
	}
	assert_false(track_next(&reader));
	buf_done(&head);
	track_done(&track);
}

static void track_that_lacks_something_is_left_out(void **state)
{
	struct track track = {0};
	struct track_reader reader;
	struct buf head;

	(void)state;
	buf_init(&head, 1 << 20);
	for (int i = 0; i <= TRACK_MAX_ENTRIES; i++)
		track_add(&track, (struct track_entry){T0 + i, 1, true, 0, 0}, (int64_t[]){1}, 1);
	track_write(&track, T0, 1, &head);
	assert_int_equal(head.len, 0);
	assert_false(track_open(&reader, head_of(&head), T0, 1));
	assert_false(track_next(&reader));
	track_reset(&track);
	assert_false(track.is_broken);
	buf_done(&head);
	track_done(&track);
}

/* Every prefix, and every byte changed: no read past the end, no time that overflows, never more entries. */
static void damaged_tracks_end(void **state)
{
	struct track track = {0};
	struct track_reader reader;
	struct buf head;

	(void)state;
	write_wanted(&track, &head);
	for (size_t len = 0; len < head.len; len++) {
		bool is_there = track_open(&reader, cursor_over(head.data, len), T0, 2);

		while (is_there && track_next(&reader))
			;
		assert_true(!is_there || reader.in.bad);
	}
	for (size_t i = 0; i < head.len * 256; i++) {
		char before = head.data[i / 256];
		size_t n = 0;

		head.data[i / 256] = (char)i;
		if (track_open(&reader, head_of(&head), T0, 2))
			while (track_next(&reader) && n <= TRACK_MAX_ENTRIES)
				n++;
		assert_true(n <= TRACK_MAX_ENTRIES);
		head.data[i / 256] = before;
	}
	buf_done(&head);
	track_done(&track);
}

static void block_brings_its_track_and_no_name(void **state)
{
	const struct store_range range = {T0, T0 + 600 * S};
	struct block block = {.key = {6, T0, 9, 3, 600 * S}, .columns = {7, 8}, .n_columns = 2};
	struct track track = {0};
	struct track_reader reader;
	struct block_room room;
	struct cover cover = {0};
	struct buf head, unused;

	(void)state;
	block_room_init(&room);
	write_wanted(&track, &unused);
	buf_reset(&unused);
	buf_init(&head, 1 << 20);
	block.track = &track;
	assert_int_equal(block_write(&block, &cover, &room, &head, &unused, NULL), 0);
	assert_int_equal(block_read_head(&block, head.data, head.len, &range, &cover), 0);
	assert_int_equal(block.id.len, 0);
	assert_true(track_open(&reader, block.track_head, T0, block.n_columns));
	assert_int_equal(reader.left, array_len(wanted));
	block_room_done(&room);
	cover_done(&cover);
	buf_done(&head);
	buf_done(&unused);
	track_done(&track);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_back_by_time_as_they_were),
		cmocka_unit_test(columns_that_came_later_are_zero_before),
		cmocka_unit_test(regular_clock_costs_two_bytes_and_its_totals),
		cmocka_unit_test(track_that_lacks_something_is_left_out),
		cmocka_unit_test(damaged_tracks_end),
		cmocka_unit_test(block_brings_its_track_and_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
