/* SPDX-License-Identifier: Apache-2.0 */
/* fsck: windows are what their finer blocks add up to; those that are marked as not right are passed by. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "store/sqlite/roll_sum.h"
#include "store/sqlite/store_fsck_private.h"

/* The window that is compared, and how it is made. */
struct compared {
	struct fsck *fsck;
	uint32_t owner, tenant;
	int level;
	struct roll_shape shape;
	const struct series *series; /* one of the two */
	const struct family *family;
	bool is_unknown; /* something that it is made of cannot be read */
};

static bool is_source(const struct compared *window, const struct view_file *file)
{
	int level = window->series ? window->level - 1 : window->level;
	int64_t from_ns = window->shape.window.from_ns;

	if (level == LEVEL_FINE) /* a profile lies in the file of its start */
		from_ns -= STORE_MAX_DURATION_NS;
	return file->tenant == window->tenant && file->level == level &&
	       file->period.from_ns < window->shape.window.until_ns &&
	       file->period.until_ns > from_ns;
}

static sqlite3_stmt *scan_of(struct fsck *fsck, size_t file)
{
	if (!fsck->scans[file] &&
	    sql_prepare(fsck->view.files[file].db, FILE_SCAN_QUERY, &fsck->scans[file], NULL) < 0)
		fsck->is_bad[file] = true;
	return fsck->scans[file];
}

/* ---- what it should be ---- */

static void add_row(struct compared *window, const struct view_file *file, sqlite3_stmt *scan,
		    int64_t owner, struct cover *cover)
{
	struct fsck *fsck = window->fsck;
	const struct store_range *range = &window->shape.window;
	bool is_tombstone;
	struct block block;

	if (fsck_row(fsck, file, scan, owner, &block, &is_tombstone) || is_tombstone) {
		window->is_unknown = true;
		return;
	}
	if (block.key.t_ns + block.key.len_ns <= range->from_ns)
		return;
	cover_reset(cover);
	if (block_read_head(&block, sqlite3_column_blob(scan, 4),
			    (size_t)sqlite3_column_bytes(scan, 4), range, cover) < 0)
		window->is_unknown = true;
	else
		roll_sum_add(&fsck->sums, &window->shape, &block, cover);
}

static void add_owner(struct compared *window, size_t at, uint32_t owner)
{
	const struct view_file *file = &window->fsck->view.files[at];
	const struct store_range *range = &window->shape.window;
	int64_t before = file->level == LEVEL_FINE ? window->series->longest_ns : 0;
	sqlite3_stmt *scan = scan_of(window->fsck, at);
	struct cover cover = {0};

	if (!scan) {
		window->is_unknown = true;
		return;
	}
	sql_bind(scan, owner, range->from_ns - before, range->until_ns);
	while (sqlite3_step(scan) == SQLITE_ROW && !window->is_unknown)
		add_row(window, file, scan, owner, &cover);
	sqlite3_reset(scan);
	cover_done(&cover);
}

static void add_sources(struct compared *window)
{
	struct fsck *fsck = window->fsck;

	accum_reset(&fsck->sums);
	for (size_t i = 0; i < fsck->view.n_files && !window->is_unknown; i++) {
		if (!is_source(window, &fsck->view.files[i]))
			continue;
		if (fsck->is_bad[i]) {
			window->is_unknown = true;
			return;
		}
		if (!fsck->view.files[i].db)
			continue; /* new, and not made yet */
		if (window->series)
			add_owner(window, i, window->owner);
		for (size_t m = 0; window->family && m < window->family->n_members; m++)
			add_owner(window, i, owner_of_series(window->family->members[m]));
	}
}

/* ---- what it is ---- */

static int column_at(const struct block *block, uint32_t column)
{
	for (size_t c = 0; c < block->n_columns; c++)
		if (block->columns[c] == column)
			return (int)c;
	return -1;
}

/* Columns may stand in another order, and one of zeros may be left out. */
static bool has_values(const struct block *is, const struct block *wanted)
{
	for (size_t c = 0; c < wanted->n_columns; c++) {
		int at = column_at(is, wanted->columns[c]);

		if (at < 0 && wanted->totals[c])
			return false;
		if (at >= 0 &&
		    (is->totals[at] != wanted->totals[c] ||
		     memcmp(is->values[at], wanted->values[c], is->n_nodes * sizeof(int64_t)) != 0))
			return false;
	}
	return true;
}

static bool is_same(const struct block *is, const struct block *wanted)
{
	return is->n_nodes == wanted->n_nodes && is->n_profiles == wanted->n_profiles &&
	       is->n_samples == wanted->n_samples && is->covered_ns == wanted->covered_ns &&
	       memcmp(is->nodes, wanted->nodes, is->n_nodes * sizeof(*is->nodes)) == 0 &&
	       has_values(is, wanted);
}

/* Is the stored block in the sums?  Takes it out of them. */
static bool take_equal(struct fsck *fsck, const struct block *block)
{
	cleanup(arena_done) struct arena arena;
	bool found = false;

	arena_init(&arena);
	for (size_t i = 0; i < fsck->sums.n_dicts && !found; i++) {
		struct accum_dict *dict = &fsck->sums.dicts[i];
		struct block wanted;

		if (dict->dict != block->key.dict || !dict->covered_ns)
			continue;
		accum_block(&fsck->sums, dict, &arena, &wanted);
		found = is_same(block, &wanted);
		dict->covered_ns = 0;
	}
	return found;
}

/* Its blocks in the file against the sums; NULL: equal. */
static const char *compare(struct compared *window, size_t at)
{
	struct fsck *fsck = window->fsck;
	const char *wrong = NULL;
	sqlite3_stmt *scan = scan_of(fsck, at);

	if (!scan)
		return NULL; /* a problem of the file */
	sql_bind(scan, window->owner, window->shape.window.from_ns,
		 window->shape.window.from_ns + 1);
	while (sqlite3_step(scan) == SQLITE_ROW && !wrong) {
		bool is_tombstone;
		struct block block;

		if (fsck_row(fsck, &fsck->view.files[at], scan, window->owner, &block,
			     &is_tombstone) ||
		    is_tombstone)
			break; /* found or set aside as a block */
		if (!take_equal(fsck, &block))
			wrong = "it is not what its finer blocks add up to";
	}
	sqlite3_reset(scan);
	for (size_t i = 0; i < fsck->sums.n_dicts && !wrong; i++)
		if (fsck->sums.dicts[i].covered_ns)
			wrong = "it lacks what is in its finer blocks";
	return wrong;
}

/* ---- windows that are there ---- */

static bool begin(struct compared *window, struct fsck *fsck, size_t at, uint32_t owner,
		  int64_t t_ns)
{
	const struct view_file *file = &fsck->view.files[at];
	const struct tenant *tenant = table_get(&fsck->catalogue.tenants, file->tenant);

	*window = (struct compared){
		.fsck = fsck, .owner = owner, .tenant = file->tenant, .level = file->level};
	if (owner_is_family(owner))
		window->family = table_get(&fsck->catalogue.families, owner / 2);
	else
		window->series = table_get(&fsck->catalogue.series, owner / 2);
	if ((!window->family && !window->series) ||
	    dirty_is(&fsck->dirty, owner, file->level, t_ns))
		return false;
	window->shape = (struct roll_shape){
		.window = {t_ns, t_ns + levels[file->level].window_ns},
		.is_gauge = window->series && window->series->family->is_gauge,
		.is_of_profiles = window->series && file->level == LEVEL_1M,
	};
	/* What it was made of is gone by now, or in part. */
	return !window->series || t_ns >= tenant->expired_until_ns[file->level - 1];
}

static void check_window(struct fsck *fsck, size_t at, uint32_t owner, int64_t t_ns)
{
	const struct finding finding = {.kind = FINDING_WINDOW,
					.file = at,
					.owner = owner,
					.tenant = fsck->view.files[at].tenant,
					.level = fsck->view.files[at].level,
					.t_ns = t_ns};
	char name[FSCK_NAME_BYTES];
	struct compared window;
	const char *wrong;

	if (!begin(&window, fsck, at, owner, t_ns))
		return;
	add_sources(&window);
	if (window.is_unknown)
		return;
	wrong = compare(&window, at);
	fsck->report.windows++;
	if (!wrong)
		return;
	fsck_name(fsck, owner, t_ns, name);
	fsck_problem(fsck, &finding, "blocks/%s: the window of %s: %s", fsck->view.files[at].name,
		     name, wrong);
}

static void check_file(struct fsck *fsck, size_t at)
{
	sqlite3_stmt *row;
	int r = sql_prepare(fsck->view.files[at].db,
			    "SELECT DISTINCT owner, t_ns FROM block ORDER BY owner, t_ns", &row,
			    NULL);

	while (r >= 0 && (r = sql_step(row, NULL)) > 0)
		check_window(fsck, at, (uint32_t)sqlite3_column_int64(row, 0),
			     sqlite3_column_int64(row, 1));
	sqlite3_finalize(row);
}

/* ---- windows that should be there ---- */

/* Some file of the level has a block of it, or might have had. */
static bool is_there(struct fsck *fsck, uint32_t tenant, int level, uint32_t owner, int64_t t_ns)
{
	for (size_t i = 0; i < fsck->view.n_files; i++) {
		const struct view_file *file = &fsck->view.files[i];
		sqlite3_stmt *scan;
		bool found;

		if (file->tenant != tenant || file->level != level || file->period.from_ns > t_ns ||
		    file->period.until_ns <= t_ns)
			continue;
		if (fsck->is_bad[i])
			return true;
		scan = file->db ? scan_of(fsck, i) : NULL;
		if (!scan)
			continue;
		sql_bind(scan, owner, t_ns, t_ns + 1);
		found = sqlite3_step(scan) == SQLITE_ROW;
		sqlite3_reset(scan);
		if (found)
			return true;
	}
	return false;
}

static void check_missing(struct fsck *fsck, size_t at, uint32_t owner, int64_t window)
{
	const struct view_file *file = &fsck->view.files[at];
	const struct tenant *tenant = table_get(&fsck->catalogue.tenants, file->tenant);
	const struct series *series = table_get(&fsck->catalogue.series, owner / 2);
	int level = file->level + 1;
	const struct finding finding = {.kind = FINDING_WINDOW,
					.file = at,
					.level = level,
					.owner = owner,
					.tenant = file->tenant,
					.t_ns = window};
	char name[FSCK_NAME_BYTES];

	if (!tenant || !series || window < tenant->expired_until_ns[level] ||
	    window < tenant->expired_until_ns[file->level] ||
	    dirty_is(&fsck->dirty, owner, level, window) ||
	    is_there(fsck, file->tenant, level, owner, window))
		return;
	fsck_name(fsck, owner, window, name);
	fsck_problem(fsck, &finding, "level %s: the window of %s is missing", levels[level].name,
		     name);
}

/* Every window that a block reaches into, each once. */
static void check_followers(struct fsck *fsck, size_t at)
{
	int level = fsck->view.files[at].level + 1;
	uint32_t last_owner = 0;
	int64_t checked_until = 0;
	sqlite3_stmt *row;
	int r = sql_prepare(
		fsck->view.files[at].db,
		"SELECT owner, t_ns, len_ns FROM block WHERE owner%2=0 AND length(head)>0"
		" AND len_ns BETWEEN 1 AND 86400000000000 ORDER BY owner, t_ns",
		&row, NULL);

	while (r >= 0 && (r = sql_step(row, NULL)) > 0) {
		uint32_t owner = (uint32_t)sqlite3_column_int64(row, 0);
		int64_t t = sqlite3_column_int64(row, 1);
		int64_t until = t + sqlite3_column_int64(row, 2);

		if (owner != last_owner)
			checked_until = 0;
		t = max_of(level_window(level, t), checked_until);
		for (; t < until; t += levels[level].window_ns)
			check_missing(fsck, at, owner, t);
		checked_until = max_of(checked_until, t);
		last_owner = owner;
	}
	sqlite3_finalize(row);
}

void fsck_sums(struct fsck *fsck)
{
	for (size_t i = 0; i < fsck->view.n_files; i++) {
		if (fsck->is_bad[i] || !fsck->view.files[i].db)
			continue;
		if (level_is_rolled(fsck->view.files[i].level))
			check_file(fsck, i);
		if (fsck->view.files[i].level + 1 < LEVEL_COUNT)
			check_followers(fsck, i);
	}
}

bool fsck_can_make(const struct fsck *fsck, uint32_t tenant, int level, uint32_t owner,
		   int64_t t_ns)
{
	const struct tenant *of = table_get(&fsck->catalogue.tenants, tenant);
	int from = owner_is_family(owner) ? level : level - 1;
	bool any = false;

	if (!level_is_rolled(level) || !of || t_ns < of->expired_until_ns[from])
		return false;
	for (size_t i = 0; i < fsck->view.n_files; i++) {
		const struct view_file *file = &fsck->view.files[i];

		if (file->tenant != tenant || file->level != from ||
		    file->period.from_ns >= t_ns + levels[level].window_ns ||
		    file->period.until_ns <= t_ns)
			continue;
		/* A family's members lie in the very file that is repaired. */
		if (fsck->is_bad[i] && !owner_is_family(owner))
			return false;
		any = true;
	}
	return any;
}
