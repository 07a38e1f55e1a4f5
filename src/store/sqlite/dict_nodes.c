/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stacks of a dictionary on disk.
 *
 *	nodes(id, n, raw_bytes, data)	id: dictionary * 2^32 + first node; n nodes from there, as two streams
 *					(streams.h): how far before it the parent is, and the frame
 *
 * Rows begin at multiples of ROW_NODES; the last one is written again while it fills.  2.5 bytes a stack, where a row of
 * its own took 18; and reading 300,000 of those took longer than anything else of a first question.
 *
 * Catalogues before version 3 have node(dictionary, id, parent, frame).  Such rows are read, never written.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "store/sqlite/dict.h"
#include "store/sqlite/sql.h"
#include "store/sqlite/streams.h"

#define ROW_NODES 512u
#define DICT_SHIFT 32

static int64_t row_id(uint32_t dict, uint32_t first)
{
	return (int64_t)((uint64_t)dict << DICT_SHIFT | first);
}

/* ---- writing ---- */

static int save_row(const struct dict *dict, sqlite3_stmt *stmt, uint32_t first, uint32_t n,
		    struct block_room *room, struct err *err)
{
	uint64_t distances[ROW_NODES], frames[ROW_NODES];
	const struct streams streams = {.runs = {distances, frames}, .n_runs = 2, .n = n};
	cleanup(buf_done) struct buf data = {0};
	size_t raw_bytes;
	int r;

	for (uint32_t i = 0; i < n; i++) {
		distances[i] = first + i - dict->tree.parent[first + i];
		frames[i] = dict->tree.frame[first + i];
	}
	buf_init(&data, BLOCK_MAX_BYTES);
	r = streams_write(&streams, room, &data, &raw_bytes, err);
	if (r < 0)
		return r;
	sql_bind(stmt, row_id(dict->id, first), n, (int64_t)raw_bytes);
	sqlite3_bind_blob(stmt, 4, data.data, (int)data.len, SQLITE_STATIC);
	r = sql_run(stmt, err);
	sqlite3_clear_bindings(stmt);
	return r;
}

int dict_nodes_save(const struct dict *dict, sqlite3 *catalogue, uint32_t from, struct err *err)
{
	cleanup(block_room_done) struct block_room room;
	uint32_t until = dict->tree.n;
	sqlite3_stmt *stmt;
	int r = sql_prepare(catalogue, "INSERT OR REPLACE INTO nodes VALUES(?,?,?,?)", &stmt, err);

	block_room_init(&room);
	for (uint32_t first = from - from % ROW_NODES; first < until && r == 0; first += ROW_NODES)
		r = save_row(dict, stmt, first, min_of(until - first, ROW_NODES), &room, err);
	sqlite3_finalize(stmt);
	return r;
}

/* ---- reading ---- */

/* It has the number that it had, or something is wrong; the root is there by itself. */
static int place(struct dict *dict, uint32_t id, uint64_t parent, uint64_t frame)
{
	if (id == 0)
		return parent == 0 && frame == 0 ? 0 : ERR_CORRUPT;
	if (parent >= dict->tree.n || parent >= id || frame >= names_frame_count(dict->names))
		return ERR_CORRUPT;
	return tree_child(&dict->tree, (struct node_id){(uint32_t)parent},
			  (struct frame_id){(uint32_t)frame})
				       .v == id
		       ? 0
		       : ERR_CORRUPT;
}

static int load_row(struct dict *dict, sqlite3_stmt *row, struct block_room *room)
{
	uint64_t numbers[2 * ROW_NODES];
	uint32_t first = (uint32_t)sqlite3_column_int64(row, 0);
	int64_t n = sqlite3_column_int64(row, 1), raw_bytes = sqlite3_column_int64(row, 2);
	const void *data = sqlite3_column_blob(row, 3);
	struct streams_shape shape = {.n_runs = 2};
	int r = 0;

	if (n < 0 || n > ROW_NODES || raw_bytes < 0 || raw_bytes > ROW_NODES * 32 || !data)
		return ERR_CORRUPT;
	shape.n = (uint32_t)n;
	shape.raw_bytes = (size_t)raw_bytes;
	if (streams_read(data, (size_t)sqlite3_column_bytes(row, 3), &shape, room, numbers) < 0)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < shape.n && r == 0; i++)
		r = place(dict, first + i, (uint64_t)first + i - numbers[i], numbers[shape.n + i]);
	return r;
}

static int load_old_row(struct dict *dict, sqlite3_stmt *row, struct block_room *room)
{
	(void)room;
	return place(dict, (uint32_t)sqlite3_column_int64(row, 0),
		     (uint64_t)sqlite3_column_int64(row, 1),
		     (uint64_t)sqlite3_column_int64(row, 2));
}

typedef int load_fn(struct dict *dict, sqlite3_stmt *row, struct block_room *room);

static int load_rows(struct dict *dict, sqlite3_stmt *row, load_fn *load, struct err *err)
{
	cleanup(block_room_done) struct block_room room;
	int r;

	block_room_init(&room);
	while ((r = sql_step(row, err)) > 0) {
		r = load(dict, row, &room);
		if (r < 0)
			return err_set(err, r, "dictionary %u of %s is damaged", dict->id,
				       dict->service->name);
	}
	return r;
}

int dict_nodes_load(struct dict *dict, sqlite3 *catalogue, struct err *err)
{
	sqlite3_stmt *row = NULL;
	int r = 0;

	if (sql_has_table(catalogue, "node")) {
		r = sql_prepare(catalogue,
				"SELECT id, parent, frame FROM node WHERE dictionary=? ORDER BY id",
				&row, err);
		if (r == 0) {
			sql_bind(row, dict->id);
			r = load_rows(dict, row, load_old_row, err);
		}
		sqlite3_finalize(row);
	}
	/* Read only, of a version before: nobody has made it yet. */
	if (r < 0 || !sql_has_table(catalogue, "nodes"))
		return r;
	r = sql_prepare(catalogue,
			"SELECT id & 4294967295, n, raw_bytes, data FROM nodes WHERE id>=? AND id<?"
			" ORDER BY id",
			&row, err);
	if (r == 0) {
		sql_bind(row, row_id(dict->id, 0), row_id(dict->id + 1, 0));
		r = load_rows(dict, row, load_row, err);
	}
	sqlite3_finalize(row);
	return r;
}

int dict_nodes_delete(uint32_t id, sqlite3 *catalogue, struct err *err)
{
	char text[160];
	int r = 0;

	if (sql_has_table(catalogue, "node")) {
		snprintf(text, sizeof(text), "DELETE FROM node WHERE dictionary=%u", id);
		r = sql_exec(catalogue, text, err);
	}
	snprintf(text, sizeof(text), "DELETE FROM nodes WHERE id>=%lld AND id<%lld",
		 (long long)row_id(id, 0), (long long)row_id(id + 1, 0));
	return r == 0 ? sql_exec(catalogue, text, err) : r;
}
