/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/store_fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/dict.h"
#include "store/sqlite/store_fsck_private.h"

#define LINES_MAX 1000	     /* said; all are counted */
#define FINDINGS_MAX 1000000 /* repaired in one pass */
#define REPAIR_PASSES 3	     /* what one pass sets free, the next finds missing */
#define PAGE_TRIES 3
#define PAGE_TRY_AGAIN_US 20000
#define INTEGRITY_QUERY "PRAGMA integrity_check(10)"

/* ---- telling ---- */

static void say_text(const struct fsck *fsck, const char *fmt, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, args);
	if (fsck->request->say)
		fsck->request->say(fsck->request->ctx, text);
}

void fsck_say(const struct fsck *fsck, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say_text(fsck, fmt, args);
	va_end(args);
}

void fsck_problem(struct fsck *fsck, const struct finding *finding, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (fsck->report.problems < LINES_MAX)
		say_text(fsck, fmt, args);
	va_end(args);
	fsck->report.problems++;
	if (!finding || fsck->n_findings == FINDINGS_MAX)
		return;
	fsck->findings = vec_grow(fsck->findings, &fsck->findings_cap, fsck->n_findings + 1,
				  sizeof(*fsck->findings));
	fsck->findings[fsck->n_findings++] = *finding;
}

void fsck_name(const struct fsck *fsck, uint32_t owner, int64_t t_ns, char text[FSCK_NAME_BYTES])
{
	const struct series *series = table_get(&fsck->catalogue.series, owner / 2);
	const struct family *family = table_get(&fsck->catalogue.families, owner / 2);
	time_t seconds = t_ns / NS_PER_S;
	struct tm parts;
	char when[32] = "?";

	if (gmtime_r(&seconds, &parts))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
	if (owner_is_family(owner))
		snprintf(text, FSCK_NAME_BYTES, "service %.160s at %s",
			 family ? family->service->name : "?", when);
	else
		snprintf(text, FSCK_NAME_BYTES, "series %u %.160s at %s", owner / 2,
			 series ? series->text : "?", when);
}

/* ---- the catalogue ---- */

/* A page without content was freed before it was ever written. */
static bool is_blank(const uint8_t *page, int len)
{
	for (int i = 0; i < len; i++)
		if (page[i])
			return false;
	return true;
}

/* Every page of the file itself, those too that nothing leads to; through our sums (page_sum.h). */
static const char *scan_pages(sqlite3 *db)
{
	sqlite3_file *file = NULL;
	sqlite3_int64 bytes = 0;
	int64_t page_bytes = 0;
	cleanup_free uint8_t *page = NULL;

	if (sql_int(db, "PRAGMA page_size", &page_bytes, NULL) < 0 ||
	    sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
	    !file->pMethods || file->pMethods->xFileSize(file, &bytes) != SQLITE_OK)
		return NULL; /* said by who reads it otherwise */
	page = xcalloc(1, (size_t)page_bytes);
	for (int64_t at = 0; at + page_bytes <= bytes; at += page_bytes) {
		int r = file->pMethods->xRead(file, page, (int)page_bytes, at);

		if (r != SQLITE_OK && !is_blank(page, (int)page_bytes))
			return "a page is damaged (its checksum is wrong)";
	}
	return bytes % page_bytes ? "its end is cut off" : NULL;
}

/* A server may be writing the very page that is read: what stays wrong is. */
static const char *check_all_pages(sqlite3 *db)
{
	const char *wrong = NULL;

	for (int tries = 0; tries < PAGE_TRIES; tries++) {
		wrong = scan_pages(db);
		if (!wrong)
			return NULL;
		usleep(PAGE_TRY_AGAIN_US);
	}
	return wrong;
}

/* Pages and the shape of tables and indexes; what it says is one problem. */
static bool check_pages(struct fsck *fsck, sqlite3 *db, const char *name,
			const struct finding *finding)
{
	struct err err = {0};
	sqlite3_stmt *row;
	int r = sql_prepare(db, INTEGRITY_QUERY, &row, &err);

	if (r == 0)
		r = sql_step(row, &err);
	if (r < 0) {
		fsck_problem(fsck, finding, "%s: %s", name, err.text);
	} else if (strcmp((const char *)sqlite3_column_text(row, 0), "ok") != 0) {
		fsck_problem(fsck, finding, "%s: %s", name,
			     (const char *)sqlite3_column_text(row, 0));
		r = ERR_CORRUPT;
	} else {
		const char *wrong = check_all_pages(db);

		if (wrong)
			fsck_problem(fsck, finding, "%s: %s", name, wrong);
		r = wrong ? ERR_CORRUPT : 0;
	}
	sqlite3_finalize(row);
	return r >= 0;
}

static bool check_catalogue(struct fsck *fsck)
{
	struct err err = {0};

	if (!check_pages(fsck, fsck->view.catalogue, "catalogue.db", NULL))
		return false;
	if (catalogue_read(&fsck->catalogue, fsck->view.catalogue, fsck->view.dir, &err) < 0) {
		fsck_problem(fsck, NULL, "catalogue.db: %s", err.text);
		return false;
	}
	return true;
}

/* Each dictionary is read whole, and let go. */
static void check_dicts(struct fsck *fsck)
{
	struct table *dicts = &fsck->catalogue.dicts;

	fsck->dict_nodes = xcalloc(dicts->n + 1, sizeof(*fsck->dict_nodes));
	for (size_t id = 1; id < dicts->n; id++) {
		struct dict *dict = dicts->items[id];
		struct err err = {0};

		if (!dict)
			continue;
		if (dict_load(dict, fsck->view.catalogue, TREE_MAX_NODES, &err) < 0)
			fsck_problem(fsck, NULL, "catalogue.db: %s", err.text);
		else
			fsck->dict_nodes[id] = dict->tree.n;
		(void)dict_evict(dict);
	}
}

/* ---- the order of things ---- */

static void check_files(struct fsck *fsck)
{
	fsck->is_bad = xcalloc(fsck->view.n_files + 1, sizeof(*fsck->is_bad));
	fsck->scans = xcalloc(fsck->view.n_files + 1, sizeof(*fsck->scans));
	for (size_t i = 0; i < fsck->view.n_files; i++) {
		const struct view_file *file = &fsck->view.files[i];
		const struct finding finding = {FINDING_FILE, .file = i, .level = file->level};

		fsck->report.files++;
		if (file->state == FILE_DAMAGED) {
			fsck->is_bad[i] = true; /* set aside already */
		} else if (!file->db) {
			fsck->is_bad[i] = file->state != FILE_NEW || file->code != -ENOENT;
			if (fsck->is_bad[i])
				fsck_problem(fsck, &finding, "blocks/%s: %s", file->name,
					     file->text);
		} else if (!check_pages(fsck, file->db, file->name, &finding)) {
			fsck->is_bad[i] = true;
		}
	}
	fsck_block_files(fsck);
	fsck_sums(fsck);
}

static void look_done(struct fsck *fsck)
{
	struct table *dicts = &fsck->catalogue.dicts;

	for (size_t i = 0; fsck->scans && i < fsck->view.n_files; i++)
		sqlite3_finalize(fsck->scans[i]);
	free(fsck->scans);
	fsck->scans = NULL;
	fsck->catalogue.db = NULL; /* the view's */
	for (size_t id = 1; id < dicts->n; id++)
		dict_free(dicts->items[id]);
	catalogue_close(&fsck->catalogue);
	view_close(&fsck->view);
	free(fsck->dict_nodes);
	free(fsck->is_bad);
	free(fsck->findings);
	dirty_done(&fsck->dirty);
	accum_done(&fsck->sums);
	block_room_done(&fsck->room);
	*fsck = (struct fsck){.request = fsck->request};
}

/* One pass over all of it; with `repair`, something is done about what it found. */
static int look(struct fsck *fsck, bool repair, struct err *err)
{
	int r = view_open(&fsck->view, fsck->request->dir, err);

	block_room_init(&fsck->room);
	if (r < 0)
		return r;
	if (check_catalogue(fsck)) {
		check_dicts(fsck);
		check_files(fsck);
	} else if (repair) {
		fsck_say(fsck, "a damaged catalogue cannot be repaired: restore it from a backup");
	}
	return repair && fsck->n_findings ? fsck_repair(fsck, err) : 0;
}

/* Held while it is repaired; -EBUSY: a server has it. */
static int lock_store(const char *dir, int *ret_fd)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;

	if (asprintf(&path, "%s/lock", dir) < 0)
		abort();
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -EBUSY;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* What is left is looked at again after each pass of repairs. */
static int look_and_repair(struct fsck *fsck, struct fsck_report *ret_report, struct err *err)
{
	struct fsck_report first = {0};
	int r = 0;

	for (int pass = 0; pass <= REPAIR_PASSES && r == 0; pass++) {
		r = look(fsck, pass < REPAIR_PASSES, err);
		if (pass == 0)
			first = fsck->report;
		first.repaired = first.problems - min_of(first.problems, fsck->report.problems);
		first.tombstones = fsck->report.tombstones;
		if (!fsck->report.problems || !fsck->n_findings)
			break;
		look_done(fsck);
	}
	*ret_report = first;
	return r;
}

int sqlite_store_fsck(const struct fsck_request *request, struct fsck_report *ret_report,
		      struct err *err)
{
	struct fsck fsck = {.request = request};
	cleanup_fd int lock = -1;
	int busy = lock_store(request->dir, &lock), r;

	if (busy && request->repair)
		return err_set(err, -EBUSY, "a server runs on %s: stop it to repair", request->dir);
	if (!request->repair && lock >= 0) {
		close(lock);
		lock = -1;
	}
	if (request->repair) {
		r = look_and_repair(&fsck, ret_report, err);
	} else {
		r = look(&fsck, false, err);
		if (r == 0)
			*ret_report = fsck.report;
	}
	if (r == 0)
		ret_report->is_running = busy < 0;
	look_done(&fsck);
	return r;
}
