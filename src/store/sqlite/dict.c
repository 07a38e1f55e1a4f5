/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/dict.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/sql.h"

struct dict *dict_new(struct service *service, uint32_t id, int month, int part)
{
	struct dict *dict = xcalloc(1, sizeof(*dict));

	dict->service = service;
	dict->id = id;
	dict->month = month;
	dict->part = part;
	service->dicts = vec_grow(service->dicts, &service->dicts_cap, service->n_dicts + 1,
				  sizeof(struct dict *));
	service->dicts[service->n_dicts++] = dict;
	return dict;
}

static void leave_memory(struct dict *dict)
{
	if (!dict->names)
		return;
	tree_done(&dict->tree);
	names_free(dict->names);
	dict->names = NULL;
}

void dict_free(struct dict *dict)
{
	if (dict)
		leave_memory(dict);
	free(dict);
}

static void begin(struct dict *dict, uint32_t max_nodes)
{
	dict->names = names_new();
	tree_init(&dict->tree);
	dict->tree.max_nodes = max_of(max_nodes, 2u);
	dict->text_bytes = 0;
}

void dict_begin(struct dict *dict, uint32_t max_nodes)
{
	struct frame over = {.kind = FRAME_MARKER};

	begin(dict, max_nodes);
	over.name = names_cstr(dict->names, "[stacks over limit]");
	(void)tree_child(&dict->tree, (struct node_id){0}, names_frame(dict->names, &over));
}

bool dict_is_full(const struct dict *dict)
{
	return dict->tree.n >= dict->tree.max_nodes;
}

/* ---- reading ---- */

typedef int load_fn(struct dict *dict, sqlite3_stmt *row);

static int load_string(struct dict *dict, sqlite3_stmt *row)
{
	size_t len = (size_t)sqlite3_column_bytes(row, 1);
	struct str_id id = names_str(dict->names, (const char *)sqlite3_column_blob(row, 1), len);

	dict->text_bytes += len;
	return id.v == (uint64_t)sqlite3_column_int64(row, 0) ? 0 : ERR_CORRUPT;
}

static struct str_id string_at(const struct dict *dict, sqlite3_stmt *row, int at)
{
	uint64_t id = (uint64_t)sqlite3_column_int64(row, at);

	return (struct str_id){id < names_str_count(dict->names) ? (uint32_t)id : 0};
}

static int load_frame(struct dict *dict, sqlite3_stmt *row)
{
	const struct frame frame = {
		.name = string_at(dict, row, 1),
		.qualname = string_at(dict, row, 2),
		.file = string_at(dict, row, 3),
		.module = string_at(dict, row, 4),
		.build_id = string_at(dict, row, 5),
		.address = (uint64_t)sqlite3_column_int64(row, 6),
		.line = (uint32_t)sqlite3_column_int64(row, 7),
		.first_line = (uint32_t)sqlite3_column_int64(row, 8),
		.kind = (uint8_t)sqlite3_column_int64(row, 9),
	};

	if (frame.kind >= FRAME_KIND_COUNT)
		return ERR_CORRUPT;
	return names_frame(dict->names, &frame).v == (uint64_t)sqlite3_column_int64(row, 0)
		       ? 0
		       : ERR_CORRUPT;
}

static int load_rows(struct dict *dict, sqlite3 *catalogue, const char *query, load_fn *load,
		     struct err *err)
{
	sqlite3_stmt *row;
	int r = sql_prepare(catalogue, query, &row, err);

	if (r < 0)
		return r;
	sql_bind(row, dict->id);
	while ((r = sql_step(row, err)) > 0)
		if ((r = load(dict, row)) < 0) {
			err_set(err, r, "dictionary %u of %s is damaged", dict->id,
				dict->service->name);
			break;
		}
	sqlite3_finalize(row);
	return r;
}

int dict_load(struct dict *dict, sqlite3 *catalogue, uint32_t max_nodes, struct err *err)
{
	int r;

	dict->used_ns = clock_monotonic_ns();
	if (dict->names)
		return 0;
	/* The limit may have been lowered since: what is there is read, then nothing is added. */
	begin(dict, TREE_MAX_NODES);
	r = load_rows(dict, catalogue, "SELECT id, text FROM string WHERE dictionary=? ORDER BY id",
		      load_string, err);
	if (r == 0)
		r = load_rows(dict, catalogue,
			      "SELECT id, name, qualname, file, module, build_id, address, line,"
			      " first_line, kind FROM frame WHERE dictionary=? ORDER BY id",
			      load_frame, err);
	if (r == 0)
		r = dict_nodes_load(dict, catalogue, err);
	if (r < 0) {
		leave_memory(dict);
		return r;
	}
	if (dict->tree.n <= DICT_OVER_LIMIT) { /* its row was saved, then a crash */
		leave_memory(dict);
		dict_begin(dict, max_nodes);
		return 0;
	}
	dict->tree.max_nodes = max_of(max_nodes, 2u);
	dict->saved = (struct dict_counts){names_str_count(dict->names),
					   names_frame_count(dict->names), dict->tree.n};
	return 0;
}

/* ---- translating ---- */

/* Nodes with a value, and all above them. */
static uint8_t *needed_nodes(const struct profile *profile, struct arena *arena)
{
	const struct tree *tree = &profile->tree;
	uint8_t *is_needed = arena_alloc(arena, tree->n);

	for (size_t c = 0; c < profile->n_columns; c++) {
		const struct profile_column *column = &profile->columns[c];
		size_t n = min_of(column->cap, (size_t)tree->n);

		for (size_t i = 0; i < n; i++)
			is_needed[i] |= column->values[i] != 0;
	}
	for (uint32_t i = tree->n; i-- > 1;)
		is_needed[tree->parent[i]] |= is_needed[i];
	return is_needed;
}

/* The frames of those nodes in the dictionary's names; names_map_done() them. */
static struct names_map needed_frames(struct dict *dict, const struct profile *profile,
				      const uint8_t *is_needed, struct arena *arena)
{
	const struct tree *tree = &profile->tree;
	uint8_t *is_used = arena_alloc(arena, names_frame_count(profile->names));
	struct names_map frames = {0};

	for (uint32_t i = 1; i < tree->n; i++)
		is_used[tree->frame[i]] |= is_needed[i];
	names_import_used(dict->names, &frames, profile->names, is_used);
	return frames;
}

uint32_t *dict_translate(struct dict *dict, const struct profile *profile, struct arena *arena,
			 uint64_t *over_limit)
{
	const struct tree *tree = &profile->tree;
	const uint8_t *is_needed = needed_nodes(profile, arena);
	uint32_t *map = arena_array(arena, tree->n, sizeof(*map));
	struct names_map frames = needed_frames(dict, profile, is_needed, arena);

	for (uint32_t i = 1; i < tree->n; i++) {
		uint32_t parent = map[tree->parent[i]];
		struct node_id node = {DICT_OVER_LIMIT};

		if (!is_needed[i])
			continue;
		/* Below the marker there is nothing: what hangs there hung below what is missing. */
		if (parent != DICT_OVER_LIMIT &&
		    !tree_try_child(&dict->tree, (struct node_id){parent},
				    names_import(dict->names, &frames, profile->names,
						 (struct frame_id){tree->frame[i]}),
				    &node)) {
			node.v = DICT_OVER_LIMIT;
			++*over_limit;
		}
		map[i] = node.v;
	}
	names_map_done(&frames);
	return map;
}

/* ---- writing ---- */

static int save_strings(struct dict *dict, sqlite3 *catalogue, uint32_t until, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = sql_prepare(catalogue, "INSERT OR REPLACE INTO string VALUES(?,?,?)", &stmt, err);

	for (uint32_t id = dict->saved.strings; id < until && r == 0; id++) {
		size_t len;
		const char *text = names_text(dict->names, (struct str_id){id}, &len);

		sql_bind(stmt, dict->id, id);
		sqlite3_bind_text(stmt, 3, text, (int)len, SQLITE_STATIC);
		r = sql_run(stmt, err);
		dict->text_bytes += len;
	}
	sqlite3_finalize(stmt);
	return r;
}

static int save_frames(struct dict *dict, sqlite3 *catalogue, uint32_t until, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = sql_prepare(catalogue, "INSERT OR REPLACE INTO frame VALUES(?,?,?,?,?,?,?,?,?,?,?)",
			    &stmt, err);

	for (uint32_t id = dict->saved.frames; id < until && r == 0; id++) {
		const struct frame *frame = names_frame_get(dict->names, (struct frame_id){id});

		sql_bind(stmt, dict->id, id, frame->name.v, frame->qualname.v, frame->file.v,
			 frame->module.v, frame->build_id.v, (int64_t)frame->address, frame->line,
			 frame->first_line, frame->kind);
		r = sql_run(stmt, err);
	}
	sqlite3_finalize(stmt);
	return r;
}

void dict_set_saved(struct dict *dict, struct dict_counts counts)
{
	__atomic_store_n(&dict->saved.strings, counts.strings, __ATOMIC_RELAXED);
	__atomic_store_n(&dict->saved.frames, counts.frames, __ATOMIC_RELAXED);
	__atomic_store_n(&dict->saved.nodes, counts.nodes, __ATOMIC_RELAXED);
}

int dict_save(struct dict *dict, sqlite3 *catalogue, struct dict_counts *ret_counts,
	      struct err *err)
{
	const struct dict_counts now = {names_str_count(dict->names),
					names_frame_count(dict->names), dict->tree.n};
	int r = 0;

	/* Ids 0 (empty string, empty frame, root) are in every table by itself. */
	dict_set_saved(dict, (struct dict_counts){max_of(dict->saved.strings, 1u),
						  max_of(dict->saved.frames, 1u),
						  max_of(dict->saved.nodes, 1u)});
	if (dict->saved.strings < now.strings)
		r = save_strings(dict, catalogue, now.strings, err);
	if (r == 0 && dict->saved.frames < now.frames)
		r = save_frames(dict, catalogue, now.frames, err);
	if (r == 0 && dict->saved.nodes < now.nodes)
		r = dict_nodes_save(dict, catalogue, dict->saved.nodes, err);
	*ret_counts = now;
	return r;
}

int dict_delete(uint32_t id, sqlite3 *catalogue, struct err *err)
{
	char text[256];
	int r = dict_nodes_delete(id, catalogue, err);

	snprintf(text, sizeof(text),
		 "DELETE FROM frame WHERE dictionary=%u; DELETE FROM string WHERE dictionary=%u;"
		 "DELETE FROM dictionary WHERE id=%u;",
		 id, id, id);
	return r == 0 ? sql_exec(catalogue, text, err) : r;
}

/* ---- memory ---- */

#define NODE_BYTES 14  /* struct tree; a tenth of the nodes are in its hash table */
#define FRAME_BYTES 72 /* struct names with its hash tables */
#define STRING_BYTES 32

size_t dict_bytes(const struct dict *dict)
{
	if (!dict->names)
		return 0;
	return (size_t)dict->tree.n * NODE_BYTES +
	       (size_t)names_frame_count(dict->names) * FRAME_BYTES +
	       (size_t)names_str_count(dict->names) * STRING_BYTES + dict->text_bytes;
}

bool dict_evict(struct dict *dict)
{
	if (!dict->names || atomic_load(&dict->refs) ||
	    dict->saved.strings < names_str_count(dict->names) ||
	    dict->saved.frames < names_frame_count(dict->names) || dict->saved.nodes < dict->tree.n)
		return false;
	leave_memory(dict);
	return true;
}
