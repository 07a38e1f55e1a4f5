/* SPDX-License-Identifier: Apache-2.0 */
/* fsck: each block file by itself, and what its blocks name of the catalogue. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "profile/hash.h"
#include "store/sqlite/exemplar_block.h"
#include "store/sqlite/store_fsck_private.h"

#define ROW_QUERY                                                                                  \
	"SELECT t_ns, part, dict, len_ns, head, sum, data, owner, rowid FROM block ORDER BY rowid"

static bool has_owner(const struct fsck *fsck, const struct view_file *file, int64_t owner)
{
	const struct series *series = table_get(&fsck->catalogue.series, (uint64_t)owner / 2);
	const struct family *family = table_get(&fsck->catalogue.families, (uint64_t)owner / 2);

	if (owner < 2 || owner > UINT32_MAX)
		return false;
	if (!owner_is_family((uint32_t)owner))
		family = series ? series->family : NULL;
	return family && family->service->tenant->id == file->tenant;
}

/* Names of the block that the catalogue does not have; NULL: it has all. */
static const char *check_names(const struct fsck *fsck, const struct view_file *file,
			       const struct block *block)
{
	const struct catalogue *catalogue = &fsck->catalogue;
	const struct block_key *key = &block->key;
	const struct store_range *period = &file->period;

	if (!has_owner(fsck, file, key->owner))
		return "it belongs to a series that the catalogue does not have";
	if (key->t_ns < period->from_ns || key->t_ns >= period->until_ns || key->len_ns <= 0)
		return "its time is not that of its file";
	if (key->dict <= 0 || (uint64_t)key->dict >= catalogue->dicts.n ||
	    !catalogue->dicts.items[key->dict])
		return "it names a dictionary that the catalogue does not have";
	/* A damaged dictionary is a problem of its own. */
	if (fsck->dict_nodes[key->dict] && block->n_nodes &&
	    block->nodes[block->n_nodes - 1] >= fsck->dict_nodes[key->dict])
		return "it names stacks that its dictionary does not have";
	for (size_t c = 0; c < block->n_columns; c++)
		if (!table_get(&catalogue->columns, block->columns[c]))
			return "it has values of a type that the catalogue does not have";
	return NULL;
}

/* Spans have a form of their own; what they name is checked with the block that they lie beside. */
static const char *check_spans(struct fsck *fsck, const struct view_file *file,
			       struct file_row *row)
{
	const struct block none = {.key = row->key};
	struct exemplar_block block = {0};
	cleanup(arena_done) struct arena arena;

	arena_init(&arena);
	if (exemplar_block_read_head(&block, row->head, row->head_len, &arena) < 0)
		return "its head is damaged";
	file_row_data(row);
	if (hash_stable(row->data, row->data_len) != block.data_hash)
		return "its content is damaged";
	return check_names(fsck, file, &none);
}

const char *fsck_row(struct fsck *fsck, const struct view_file *file, sqlite3_stmt *stmt,
		     int64_t owner, struct block *ret_block, bool *ret_is_tombstone)
{
	struct file_row row;

	*ret_block = (struct block){0};
	*ret_is_tombstone = false;
	if (file_row_read(stmt, owner, &row) < 0)
		return "its sum is wrong";
	ret_block->key = row.key;
	*ret_is_tombstone = row.head_len == 0;
	if (*ret_is_tombstone)
		return NULL;
	if (file->level == LEVEL_SPANS)
		return check_spans(fsck, file, &row);
	if (block_read_head(ret_block, row.head, row.head_len, NULL, NULL) < 0)
		return "its head is damaged";
	file_row_data(&row);
	if (block_read_data(ret_block, row.data, row.data_len, &fsck->room) < 0)
		return "its content is damaged";
	return check_names(fsck, file, ret_block);
}

static void check_rows(struct fsck *fsck, size_t at)
{
	const struct view_file *file = &fsck->view.files[at];
	struct err err = {0};
	sqlite3_stmt *row;
	int r = sql_prepare(file->db, ROW_QUERY, &row, &err);

	while (r >= 0 && (r = sql_step(row, &err)) > 0) {
		struct finding finding = {
			.kind = FINDING_BLOCK,
			.file = at,
			.level = file->level,
			.tenant = file->tenant,
			.rowid = sqlite3_column_int64(row, 8),
			.owner = (uint32_t)sqlite3_column_int64(row, 7),
			.t_ns = sqlite3_column_int64(row, 0),
		};
		char name[FSCK_NAME_BYTES];
		bool is_tombstone;
		struct block block;
		const char *wrong = fsck_row(fsck, file, row, sqlite3_column_int64(row, 7), &block,
					     &is_tombstone);

		fsck->report.blocks += !is_tombstone;
		fsck->report.tombstones += is_tombstone;
		if (!wrong)
			continue;
		fsck_name(fsck, finding.owner, finding.t_ns, name);
		fsck_problem(fsck, &finding, "blocks/%s: the block of %s: %s", file->name, name,
			     wrong);
	}
	sqlite3_finalize(row);
	if (r < 0) {
		const struct finding finding = {FINDING_FILE, .file = at, .level = file->level};

		fsck->is_bad[at] = true;
		fsck_problem(fsck, &finding, "blocks/%s: %s", file->name, err.text);
	}
}

static void check_ids(struct fsck *fsck, const struct view_file *file)
{
	int64_t n = 0;
	struct err err = {0};

	if (sql_int(file->db,
		    "SELECT count(*) FROM seen WHERE typeof(id)<>'blob' OR length(id) NOT BETWEEN "
		    "1 AND 64",
		    &n, &err) < 0)
		fsck_problem(fsck, NULL, "blocks/%s: %s", file->name, err.text);
	else if (n)
		fsck_problem(fsck, NULL, "blocks/%s: %lld identities of profiles are none",
			     file->name, (long long)n);
}

/* What its marks say is not right; a series' mark is its family's, too (see family.c). */
static void load_marks(struct fsck *fsck, const struct view_file *file)
{
	sqlite3_stmt *row;
	int r = sql_prepare(file->db, "SELECT level, owner, t_ns FROM dirty", &row, NULL);

	while (r >= 0 && (r = sql_step(row, NULL)) > 0) {
		int64_t level = sqlite3_column_int64(row, 0), t = sqlite3_column_int64(row, 2);
		uint32_t owner = (uint32_t)sqlite3_column_int64(row, 1);
		const struct series *series = table_get(&fsck->catalogue.series, owner / 2);
		struct store_range range;

		if (level < LEVEL_1M || level >= LEVEL_COUNT || t < 0)
			continue;
		range = (struct store_range){t, t + levels[level].window_ns};
		dirty_mark(&fsck->dirty, owner, (int)level, range, 0);
		if (!owner_is_family(owner) && series)
			dirty_mark(&fsck->dirty, owner_of_family(series->family), (int)level, range,
				   0);
	}
	sqlite3_finalize(row);
}

/* Written by a version that we know? */
static bool check_version(struct fsck *fsck, size_t at)
{
	const struct view_file *file = &fsck->view.files[at];
	int64_t application = 0, version = 0;

	if (sql_int(file->db, "PRAGMA application_id", &application, NULL) == 0 &&
	    sql_int(file->db, "PRAGMA user_version", &version, NULL) == 0 &&
	    application == SQL_APPLICATION_ID && version >= 1 && version <= BLOCK_FILE_VERSION)
		return true;
	fsck->is_bad[at] = true;
	if (application == 0 && version == 0 && file->state == FILE_NEW)
		return false; /* a crash while it was made */
	fsck_problem(fsck, NULL, "blocks/%s: it is not a block file of a version that is known",
		     file->name);
	return false;
}

void fsck_block_files(struct fsck *fsck)
{
	for (size_t i = 0; i < fsck->view.n_files; i++) {
		if (fsck->is_bad[i] || !fsck->view.files[i].db || !check_version(fsck, i))
			continue;
		check_rows(fsck, i);
		if (fsck->view.files[i].level == LEVEL_FINE)
			check_ids(fsck, &fsck->view.files[i]);
		load_marks(fsck, &fsck->view.files[i]);
	}
}
