/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck: what is done about findings (the rules are in store_fsck.h).
 *
 * Order, for a crash in between: a window is marked before its block goes, a file is whole before it takes
 * the place of the damaged one, of which a link lies in DIR/aside/ by then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "store/sqlite/store_backup_private.h"
#include "store/sqlite/store_fsck_private.h"

struct repair {
	struct fsck *fsck;
	sqlite3 *catalogue;
	sqlite3 *db;			  /* of the block file that was used last */
	size_t at;			  /* its index */
	const struct view_file *salvaged; /* while a file is */
	char *aside;
};

/* ---- opening ---- */

static void close_file(struct repair *repair)
{
	if (repair->db)
		sql_checkpoint(repair->db, true);
	sql_close(repair->db);
	repair->db = NULL;
}

static int open_file(struct repair *repair, size_t at, struct err *err)
{
	const struct view *view = &repair->fsck->view;
	struct sql_schema schema = block_file_schema(view->files[at].level);

	if (repair->db && repair->at == at)
		return 0;
	close_file(repair);
	repair->at = at;
	return sql_open_writer(view->files[at].path, page_sum_name(view->page_sums), &schema,
			       &repair->db, err);
}

static int run_ints(sqlite3 *db, const char *text, const int64_t *values, int n, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = sql_prepare(db, text, &stmt, err);

	if (r < 0)
		return r;
	sql_bind_ints(stmt, n, values);
	r = sql_run(stmt, err);
	sqlite3_finalize(stmt);
	return r;
}

/* ---- marks: what can be made again ---- */

static bool holds_mark(const struct view_file *file, uint32_t tenant, int level, uint32_t owner,
		       int64_t t_ns)
{
	int from = owner_is_family(owner) ? level : level - 1;
	int64_t reach = from == LEVEL_FINE ? STORE_MAX_DURATION_NS : 0;

	return file->tenant == tenant && file->level == from && file->state < FILE_DAMAGED &&
	       file->code != -ENOENT && file->period.from_ns < t_ns + levels[level].window_ns &&
	       file->period.until_ns + reach > t_ns;
}

/* In every file that it is made from, as the writer would have done. */
static int mark(struct repair *repair, uint32_t tenant, int level, uint32_t owner, int64_t t_ns,
		struct err *err)
{
	const struct view *view = &repair->fsck->view;
	int r = 0;

	for (size_t i = 0; i < view->n_files && r == 0; i++) {
		const struct view_file *file = &view->files[i];
		const int64_t row[] = {level, owner, t_ns}, id[] = {file->id};

		if (!holds_mark(file, tenant, level, owner, t_ns) || repair->fsck->is_bad[i])
			continue;
		r = open_file(repair, i, err);
		if (r == 0)
			r = run_ints(repair->db, "INSERT OR IGNORE INTO dirty VALUES(?,?,?)", row,
				     3, err);
		if (r == 0)
			r = run_ints(repair->catalogue, "UPDATE file SET has_work=1 WHERE id=?", id,
				     1, err);
	}
	return r;
}

static int delete_window(struct repair *repair, const struct finding *finding, struct err *err)
{
	const struct view *view = &repair->fsck->view;
	const int64_t key[] = {finding->owner, finding->t_ns};
	int r = mark(repair, finding->tenant, finding->level, finding->owner, finding->t_ns, err);

	for (size_t i = 0; i < view->n_files && r == 0; i++) {
		const struct view_file *file = &view->files[i];

		if (file->tenant != finding->tenant || file->level != finding->level ||
		    file->code == -ENOENT || repair->fsck->is_bad[i] ||
		    file->period.from_ns > finding->t_ns || file->period.until_ns <= finding->t_ns)
			continue;
		r = open_file(repair, i, err);
		if (r == 0)
			r = run_ints(repair->db, "DELETE FROM block WHERE owner=? AND t_ns=?", key,
				     2, err);
	}
	return r;
}

/* ---- blocks ---- */

int fsck_put_tombstone(sqlite3 *db, const struct block_key *key, int64_t rowid, bool is_fine,
		       struct err *err)
{
	const int64_t row[] = {key->owner, key->t_ns,	key->part,
			       key->dict,  key->len_ns, (int64_t)block_sum(key, "", 0)};
	sqlite3_stmt *stmt;
	int r = sql_prepare(
		db,
		"INSERT OR REPLACE INTO block(owner, t_ns, part, dict, len_ns, sum, head,"
		" data, rowid) VALUES(?,?,?,?,?,?,x'',x'',?)",
		&stmt, err);

	if (r < 0)
		return r;
	sql_bind_ints(stmt, 6, row);
	if (rowid >= 0 || is_fine)
		sqlite3_bind_int64(stmt, 7, rowid >= 0 ? rowid : key->part);
	r = sql_run(stmt, err);
	sqlite3_finalize(stmt);
	return r;
}

/* Its bytes as DIR/aside/FILE-ROWID.block, head then data. */
static int keep_bytes(const struct repair *repair, const struct finding *finding, sqlite3_stmt *row,
		      struct err *err)
{
	const char *name = strrchr(repair->fsck->view.files[finding->file].name, '/') + 1;
	cleanup_free char *path = NULL;
	FILE *out;

	if (asprintf(&path, "%s/%s-%lld.block", repair->aside, name, (long long)finding->rowid) < 0)
		abort();
	out = fopen(path, "we");
	if (!out)
		return err_sys(err, -errno, "cannot make %s", path);
	for (int column = 3; column < 5; column++)
		fwrite(sqlite3_column_blob(row, column), 1,
		       (size_t)sqlite3_column_bytes(row, column), out);
	if (fflush(out) != 0 || fsync(fileno(out)) < 0) {
		fclose(out);
		return err_sys(err, -errno, "cannot write %s", path);
	}
	fclose(out);
	return 0;
}

static int64_t longest_of(const struct fsck *fsck, uint32_t owner, int level)
{
	const struct series *series = table_get(&fsck->catalogue.series, owner / 2);

	if (level_is_rolled(level))
		return levels[level].window_ns;
	return series && series->longest_ns > 0 ? series->longest_ns : STORE_MAX_DURATION_NS;
}

/* The damaged row becomes a tombstone; its length may be what is damaged. */
static int set_block_aside(struct repair *repair, const struct finding *finding, struct err *err)
{
	int64_t longest = longest_of(repair->fsck, finding->owner, finding->level);
	struct block_key key = {.owner = finding->owner, .t_ns = finding->t_ns};
	sqlite3_stmt *row = NULL;
	int r = open_file(repair, finding->file, err);

	if (r == 0)
		r = sql_prepare(repair->db,
				"SELECT part, dict, len_ns, head, data FROM block WHERE rowid=?",
				&row, err);
	if (r == 0) {
		sql_bind(row, finding->rowid);
		r = sql_step(row, err);
	}
	if (r > 0) {
		key.part = sqlite3_column_int64(row, 0);
		key.dict = sqlite3_column_int64(row, 1);
		key.len_ns = sqlite3_column_int64(row, 2);
		if (key.len_ns <= 0 || key.len_ns > longest)
			key.len_ns = longest;
		r = keep_bytes(repair, finding, row, err);
	}
	sqlite3_finalize(row);
	if (r == 0 && finding->level == LEVEL_SPANS)
		return run_ints(repair->db, "DELETE FROM block WHERE rowid=?", &finding->rowid, 1,
				err);
	return r < 0 ? r : fsck_put_tombstone(repair->db, &key, finding->rowid, false, err);
}

static int repair_block(struct repair *repair, const struct finding *finding, struct err *err)
{
	bool can_make = fsck_can_make(repair->fsck, finding->tenant, finding->level, finding->owner,
				      finding->t_ns);
	int r = set_block_aside(repair, finding, err);

	return r == 0 && can_make ? delete_window(repair, finding, err) : r;
}

/* ---- files ---- */

/* Of a file that is salvaged: made again where that can be, else a tombstone. */
static int on_lost(void *ctx, sqlite3 *into, uint32_t owner, int64_t t_ns, int64_t part,
		   struct err *err)
{
	struct repair *repair = ctx;
	const struct view_file *file = repair->salvaged;
	const struct block_key key = {.owner = owner,
				      .t_ns = t_ns,
				      .part = part,
				      .len_ns = longest_of(repair->fsck, owner, file->level)};
	const int64_t row[] = {file->level, owner, t_ns};

	if (file->level == LEVEL_SPANS)
		return 0; /* the profile that they lie beside is whole */
	if (!fsck_can_make(repair->fsck, file->tenant, file->level, owner, t_ns))
		return fsck_put_tombstone(into, &key, -1, file->level == LEVEL_FINE, err);
	if (owner_is_family(owner))
		return run_ints(into, "INSERT OR IGNORE INTO dirty VALUES(?,?,?)", row, 3, err);
	return mark(repair, file->tenant, file->level, owner, t_ns, err);
}

/* The catalogue's row for "something of this day (or month) is lost, and nobody knows what". */
static int note_unknown_loss(struct repair *repair, const struct view_file *file, struct err *err)
{
	const struct tenant *tenant = table_get(&repair->fsck->catalogue.tenants, file->tenant);
	const int64_t row[] = {file->tenant, file->level, file->period.from_ns};
	sqlite3_stmt *stmt;
	int r;

	/* All of it is made again from finer blocks: the next look finds which windows are missing. */
	if (file->level == LEVEL_SPANS)
		return 0;
	if (level_is_rolled(file->level) &&
	    file->period.from_ns >= tenant->expired_until_ns[file->level - 1])
		return 0;
	r = sql_prepare(repair->catalogue,
			"INSERT INTO file(tenant, level, from_ns, path, state, has_work, n_blocks)"
			" VALUES(?1, ?2, ?3, ?4 || '.lost', 2, 0, 0)",
			&stmt, err);
	if (r < 0)
		return r;
	sql_bind_ints(stmt, 3, row);
	sqlite3_bind_text(stmt, 4, file->name, -1, SQLITE_STATIC);
	r = sql_run(stmt, err);
	sqlite3_finalize(stmt);
	return r;
}

/* The old file and its log to DIR/aside/, the new one in its place. */
static int exchange(struct repair *repair, const struct view_file *file, const char *fresh,
		    struct err *err)
{
	const char *name = strrchr(file->name, '/') + 1;
	cleanup_free char *aside = copy_path(repair->aside, name);
	cleanup_free char *log = NULL, *log_aside = NULL, *shared = NULL;

	if (asprintf(&log, "%s-wal", file->path) < 0 || asprintf(&log_aside, "%s-wal", aside) < 0 ||
	    asprintf(&shared, "%s-shm", file->path) < 0)
		abort();
	(void)unlink(aside);
	if (file->code != -ENOENT && link(file->path, aside) < 0)
		return err_sys(err, -errno, "cannot set %s aside", file->path);
	if (rename(log, log_aside) < 0 && errno != ENOENT)
		return err_sys(err, -errno, "cannot set %s aside", log);
	(void)unlink(shared);
	if (rename(fresh, file->path) < 0)
		return err_sys(err, -errno, "cannot rename %s", fresh);
	return copy_sync_dir(repair->aside, err);
}

/* Nothing is left of a file that is missing: an empty one takes its place. */
static int make_fresh(struct repair *repair, const struct view_file *file, const char *fresh,
		      struct salvaged *ret_salvaged, struct err *err)
{
	struct sql_schema schema = block_file_schema(file->level);
	sqlite3 *db = NULL;
	int r;

	if (file->code != -ENOENT)
		return salvage_file(repair->fsck, file, fresh, on_lost, repair, ret_salvaged, err);
	r = copy_make_dirs(repair->fsck->view.dir, fresh, err);
	if (r == 0)
		r = sql_open_writer(fresh, page_sum_name(repair->fsck->view.page_sums), &schema,
				    &db, err);
	sql_close(db);
	*ret_salvaged = (struct salvaged){0};
	return r;
}

static int repair_file(struct repair *repair, const struct finding *finding, struct err *err)
{
	struct view_file *file = &repair->fsck->view.files[finding->file];
	cleanup_free char *fresh = NULL;
	const int64_t id[] = {file->id};
	struct salvaged got;
	int r;

	if (asprintf(&fresh, "%s.salvaged", file->path) < 0)
		abort();
	repair->salvaged = file;
	r = make_fresh(repair, file, fresh, &got, err);
	close_file(repair);
	if (r == 0 && !got.is_all_known)
		r = note_unknown_loss(repair, file, err);
	if (r == 0)
		r = exchange(repair, file, fresh, err);
	if (r == 0)
		r = run_ints(repair->catalogue, "UPDATE file SET state=1, has_work=1 WHERE id=?",
			     id, 1, err);
	if (r < 0)
		return r;
	file->code = 0;
	repair->fsck->is_bad[finding->file] = false;
	fsck_say(repair->fsck, "blocks/%s: set aside; %llu blocks saved, %llu lost%s%s", file->name,
		 (unsigned long long)got.blocks, (unsigned long long)got.lost,
		 got.is_all_known ? "" : " at least",
		 got.has_all_ids || file->level > LEVEL_FINE
			 ? ""
			 : "; identities too: what is sent again may count twice");
	return 0;
}

/* ---- all of them ---- */

static int repair_one(struct repair *repair, const struct finding *finding, struct err *err)
{
	switch (finding->kind) {
	case FINDING_FILE:
		return repair->fsck->is_bad[finding->file] ? repair_file(repair, finding, err) : 0;
	case FINDING_BLOCK:
		return repair->fsck->is_bad[finding->file] ? 0 : repair_block(repair, finding, err);
	case FINDING_WINDOW:
		return delete_window(repair, finding, err);
	}
	return 0;
}

/* The view is of no use any more: files are about to be written and exchanged. */
static void let_go(struct fsck *fsck)
{
	for (size_t i = 0; i < fsck->view.n_files; i++) {
		sqlite3_finalize(fsck->scans[i]);
		fsck->scans[i] = NULL;
		sql_close(fsck->view.files[i].db);
		fsck->view.files[i].db = NULL;
	}
}

int fsck_repair(struct fsck *fsck, struct err *err)
{
	struct repair repair = {.fsck = fsck, .aside = copy_path(fsck->view.dir, "aside")};
	int r = 0;

	let_go(fsck);
	if (mkdir(repair.aside, 0700) < 0 && errno != EEXIST)
		r = err_sys(err, -errno, "cannot make %s", repair.aside);
	if (r == 0)
		r = catalogue_open_writer(fsck->view.dir, page_sum_name(fsck->view.page_sums),
					  &repair.catalogue, err);
	/* Files first: single blocks and windows are put into what takes their place. */
	for (int kind = FINDING_FILE; kind <= FINDING_WINDOW; kind++)
		for (size_t i = 0; i < fsck->n_findings && r == 0; i++)
			if ((int)fsck->findings[i].kind == kind)
				r = repair_one(&repair, &fsck->findings[i], err);
	close_file(&repair);
	if (repair.catalogue)
		sql_checkpoint(repair.catalogue, true);
	sql_close(repair.catalogue);
	free(repair.aside);
	return r;
}
