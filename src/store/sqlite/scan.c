/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what a question needs: all that is planned in a file is read at one moment of it, since to begin reading
 * costs as much as a few blocks, and whatever SQLite had in memory of a file goes when the file was written meanwhile.
 */
#include <errno.h>

#include "store/sqlite/scan.h"

/* ---- rows ---- */

/* The row's part of the answer; a damaged one leaves a hole that is reported. */
static int visit_row(struct scan *scan, sqlite3_stmt *stmt, struct err *err)
{
	const struct piece *piece = scan->piece;
	struct file_row row;
	struct scanned scanned = {.row = &row, .piece = piece, .cover = &scan->cover};
	int r = file_row_read(stmt, piece->owner, &row);
	bool knows_time = r == 0;

	scanned.block.key = row.key;
	scanned.range.from_ns = max_of(piece->from_ns, row.key.t_ns);
	scanned.range.until_ns = min_of(piece->until_ns, row.key.t_ns + row.key.len_ns);
	if (r == 0 && scanned.range.from_ns >= scanned.range.until_ns)
		return 0;
	cover_reset(&scan->cover);
	if (r == 0)
		r = block_read_head(&scanned.block, row.head, row.head_len, &scanned.range,
				    &scan->cover);
	if (r == 0) {
		scan->query->n_blocks++;
		r = scan->sink->visit(scan->query, &scanned, scan->ctx);
	}
	if (r == ERR_CORRUPT) {
		quarantine_note(&scan->query->store->quarantine, scan->file->id, &row.key);
		/* If not even its time can be trusted, all that it could have stood for is missing. */
		query_note_missing(scan->query, knows_time ? scanned.range
							   : (struct store_range){piece->from_ns,
										  piece->until_ns});
		return 0;
	}
	if (r < 0)
		return err_set(err, r, "the query was given up");
	return r;
}

/* Up to which start blocks can overlap the piece. */
static int64_t look_from(const struct piece *piece)
{
	return piece->level == LEVEL_FINE ? piece->from_ns - piece->longest_ns
					  : level_window(piece->level, piece->from_ns);
}

static int scan_rows(struct scan *scan, struct err *err)
{
	sqlite3_stmt *rows = scan->sink->wants_heads ? scan->reader->heads : scan->reader->scan;
	int r;

	sql_bind(rows, scan->piece->owner, look_from(scan->piece), scan->piece->until_ns);
	while ((r = sql_step(rows, err)) > 0) {
		r = query_check_deadline(scan->query, err);
		if (r == 0)
			r = visit_row(scan, rows, err);
		if (r)
			break;
	}
	sqlite3_reset(rows);
	return r;
}

/* ---- files ---- */

static int give_reader(struct scan *scan, bool is_good, struct err *err)
{
	struct reader *reader = scan->reader;
	int r = 0;

	scan->reader = NULL;
	if (reader)
		r = readers_give(&scan->query->store->readers, reader, is_good);
	return r < 0 ? err_set(err, r, "the disk is too full to read %s", scan->file->path) : 0;
}

/* What a file cannot say is missing from the answer; the other pieces are tried again. */
static int scan_piece(struct scan *scan, struct err *err)
{
	const struct piece *piece = scan->piece;
	int r = 0;

	if (!scan->reader)
		r = readers_take(&scan->query->store->readers, scan->file, &scan->reader, err);
	if (r == 0)
		r = scan_rows(scan, err);
	if (r >= 0)
		return r;
	(void)give_reader(scan, false, NULL);
	if (r == -ENOENT && scan->file->state == FILE_DELETED)
		return 0; /* it expired just now */
	if (r != ERR_CORRUPT && r != -ENOENT && r != -EIO)
		return r;
	quarantine_note(&scan->query->store->quarantine, scan->file->id, NULL);
	query_note_missing(scan->query, (struct store_range){piece->from_ns, piece->until_ns});
	return 0;
}

/* A long profile is kept in pieces of PIECE_MAX_NS, all of them in the file of its beginning. */
static bool holds(const struct block_file *file, const struct piece *piece)
{
	bool may_be_divided = piece->level == LEVEL_FINE && piece->longest_ns >= PIECE_MAX_NS;
	int64_t reach = may_be_divided ? STORE_MAX_DURATION_NS : piece->longest_ns;

	return file->period.from_ns < piece->until_ns &&
	       file->period.until_ns + reach > piece->from_ns;
}

/* ---- a list of files ---- */

static const struct piece *next_piece(const struct scan_list *list, struct scan_visit *visit)
{
	size_t at = visit->n;

	if (!__atomic_load_n(&list->is_over, __ATOMIC_RELAXED))
		at = __atomic_fetch_add(&visit->next, 1, __ATOMIC_RELAXED);
	return at < visit->n ? &visit->pieces[at] : NULL;
}

static int scan_file(struct scan *scan, const struct scan_list *list, struct scan_visit *visit,
		     struct err *err)
{
	int r = 0, given;

	scan->file = visit->file;
	while (r == 0 && (scan->piece = next_piece(list, visit)))
		if (holds(scan->file, scan->piece))
			r = scan_piece(scan, err);
	given = give_reader(scan, true, r < 0 ? NULL : err);
	return r >= 0 && given < 0 ? given : r;
}

int scan_list_read(struct scan *scan, struct scan_list *list, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < list->n && r == 0; i++)
		r = scan_file(scan, list, &list->visits[i], err);
	if (r)
		__atomic_store_n(&list->is_over, true, __ATOMIC_RELAXED);
	cover_done(&scan->cover);
	return r;
}

int query_read_data(struct query *query, struct scanned *scanned)
{
	file_row_data(scanned->row);
	return block_read_data(&scanned->block, scanned->row->data, scanned->row->data_len,
			       &query->room);
}
