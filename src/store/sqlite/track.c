/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/track.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

void track_done(struct track *track)
{
	free(track->entries);
	free(track->totals);
	*track = (struct track){0};
}

void track_reset(struct track *track)
{
	track->n = track->n_totals = 0;
	track->is_broken = false;
}

void track_add(struct track *track, struct track_entry entry, const int64_t *totals, size_t n)
{
	if (track->is_broken || track->n == TRACK_MAX_ENTRIES) {
		track->is_broken = true;
		return;
	}
	entry.totals = track->n_totals;
	entry.n = n;
	track->entries = vec_grow(track->entries, &track->cap, track->n + 1, sizeof(entry));
	track->entries[track->n++] = entry;
	track->totals = vec_grow(track->totals, &track->totals_cap, track->n_totals + n + 1,
				 sizeof(*totals));
	memcpy(&track->totals[track->n_totals], totals, n * sizeof(*totals));
	track->n_totals += n;
}

/* ---- writing ---- */

static int by_time(const void *a, const void *b)
{
	const struct track_entry *x = a, *y = b;

	if (x->t_ns != y->t_ns)
		return x->t_ns < y->t_ns ? -1 : 1;
	return x->totals < y->totals ? -1 : 1; /* as they came */
}

/* They mostly come in order. */
static void sort(struct track *track)
{
	for (size_t i = 1; i < track->n; i++)
		if (track->entries[i].t_ns < track->entries[i - 1].t_ns) {
			qsort(track->entries, track->n, sizeof(*track->entries), by_time);
			return;
		}
}

void track_write(struct track *track, int64_t t_ns, size_t n_columns, struct buf *head)
{
	int64_t last[PROFILE_MAX_COLUMNS] = {0}, gap = 0, len = 0;

	if (track->is_broken || !track->n)
		return;
	sort(track);
	buf_putc(head, 0);
	buf_put_varint(head, track->n);
	for (size_t i = 0; i < track->n; i++) {
		const struct track_entry *entry = &track->entries[i];
		int64_t longer = entry->len_ns - len;

		buf_put_zigzag(head, entry->t_ns - t_ns - gap);
		buf_put_zigzag(head, longer * 2 + entry->begins);
		for (size_t c = 0; c < n_columns; c++) {
			int64_t total = c < entry->n ? track->totals[entry->totals + c] : 0;

			/* Wraps, and back when it is read. */
			buf_put_zigzag(head, (int64_t)((uint64_t)total - (uint64_t)last[c]));
			last[c] = total;
		}
		gap = entry->t_ns - t_ns;
		t_ns = entry->t_ns;
		len = entry->len_ns;
	}
}

/* ---- reading ---- */

bool track_open(struct track_reader *reader, struct cursor head, int64_t t_ns, size_t n_columns)
{
	reader->in = head;
	reader->left = 0;
	if (!cursor_left(&head) || cursor_u8(&reader->in) != 0)
		return false;
	reader->left = cursor_varint(&reader->in);
	reader->t_ns = t_ns;
	reader->gap_ns = reader->len_ns = 0;
	reader->n_columns = n_columns;
	memset(reader->totals, 0, n_columns * sizeof(reader->totals[0]));
	if (reader->left > TRACK_MAX_ENTRIES)
		reader->in.bad = true;
	return !reader->in.bad;
}

/* A clock that goes on as it did: no change of the gap, none of the length, and a profile begins. */
static inline bool is_steady(const struct cursor *in)
{
	return cursor_left(in) > 2 && in->at[0] == 0 && in->at[1] == 2;
}

/* The next beginning and length; false when they are none. */
static inline bool next_time(struct track_reader *reader, struct cursor *in)
{
	int64_t longer;

	if (is_steady(in) && reader->len_ns) {
		in->at += 2;
		reader->begins = true;
		reader->t_ns += reader->gap_ns;
		return true;
	}
	reader->gap_ns = (int64_t)((uint64_t)reader->gap_ns + (uint64_t)cursor_list_zigzag(in));
	longer = cursor_list_zigzag(in);
	reader->begins = longer & 1;
	reader->len_ns = (int64_t)((uint64_t)reader->len_ns + (uint64_t)(longer >> 1));
	/* A profile is at most a day long, and a window too: nothing below can overflow then. */
	if (reader->gap_ns < -STORE_MAX_DURATION_NS || reader->gap_ns > STORE_MAX_DURATION_NS ||
	    reader->len_ns <= 0 || reader->len_ns > STORE_MAX_DURATION_NS)
		return false;
	reader->t_ns += reader->gap_ns;
	return true;
}

bool track_next(struct track_reader *reader)
{
	struct cursor in = reader->in;

	if (!reader->left || in.bad)
		return false;
	reader->left--;
	in.bad |= !next_time(reader, &in);
	for (size_t c = 0; c < reader->n_columns; c++)
		reader->totals[c] =
			(int64_t)((uint64_t)reader->totals[c] + (uint64_t)cursor_list_zigzag(&in));
	reader->in = in;
	return !in.bad;
}
