/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for jobs, listing them, and keeping them in the catalogue; what they do is in job_delete.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "store/sqlite/query.h"

#define SELECTOR_MAX_BYTES ((size_t)1 << 20)

static void job_free(struct job *job)
{
	if (!job)
		return;
	free(job->selector);
	free(job->series);
	free(job);
}

void jobs_done(struct jobs *jobs)
{
	while (jobs->first) {
		struct job *job = jobs->first;

		jobs->first = job->next;
		job_free(job);
	}
}

static void append(struct jobs *jobs, struct job *job)
{
	struct job **end = &jobs->first;

	while (*end)
		end = &(*end)->next;
	*end = job;
}

static void take_out(struct jobs *jobs, const struct job *job)
{
	struct job **at = &jobs->first;

	while (*at && *at != job)
		at = &(*at)->next;
	if (*at)
		*at = job->next;
}

static bool is_over(const struct job *job)
{
	return job->state == STORE_JOB_DONE || job->state == STORE_JOB_FAILED;
}

/* ---- on disk ---- */

static int load_series(struct sqlite_store *store, struct job *job, struct err *err)
{
	sqlite3_stmt *row;
	size_t cap = 0;
	int r = sql_prepare(store->catalogue.db, "SELECT series FROM job_series WHERE job=?", &row,
			    err);

	if (r < 0)
		return r;
	sql_bind(row, (int64_t)job->id);
	while ((r = sql_step(row, err)) > 0) {
		job->series = vec_grow(job->series, &cap, job->n_series + 1, sizeof(*job->series));
		job->series[job->n_series++] = (uint32_t)sqlite3_column_int64(row, 0);
	}
	sqlite3_finalize(row);
	return r;
}

static int load_job(struct sqlite_store *store, sqlite3_stmt *row, struct err *err)
{
	struct job *job = xcalloc(1, sizeof(*job));
	const char *selector = (const char *)sqlite3_column_text(row, 2);
	const char *error = (const char *)sqlite3_column_text(row, 7);

	job->id = (uint64_t)sqlite3_column_int64(row, 0);
	job->tenant = table_get(&store->catalogue.tenants, (uint64_t)sqlite3_column_int64(row, 1));
	job->selector = xstrdup(selector ? selector : "");
	job->range =
		(struct store_range){sqlite3_column_int64(row, 3), sqlite3_column_int64(row, 4)};
	job->state = (enum store_job_state)sqlite3_column_int(row, 5);
	job->profiles = (uint64_t)sqlite3_column_int64(row, 6);
	snprintf(job->error, sizeof(job->error), "%s", error ? error : "");
	append(&store->jobs, job);
	if (!job->tenant || job->state < STORE_JOB_WAITING || job->state > STORE_JOB_FAILED)
		return err_set(err, ERR_CORRUPT, "the catalogue contradicts itself (job %llu)",
			       (unsigned long long)job->id);
	if (!is_over(job))
		job->state = STORE_JOB_WAITING;
	return load_series(store, job, err);
}

int jobs_load(struct sqlite_store *store, struct err *err)
{
	sqlite3_stmt *row;
	int r = sql_prepare(store->catalogue.db,
			    "SELECT id, tenant, selector, from_ns, until_ns, state, profiles, error"
			    " FROM job ORDER BY id",
			    &row, err);

	if (r < 0)
		return r;
	while ((r = sql_step(row, err)) > 0)
		if ((r = load_job(store, row, err)) < 0)
			break;
	sqlite3_finalize(row);
	return r;
}

static int insert_job(sqlite3 *db, const struct job *job, uint64_t *ret_id, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int r = sql_prepare(db, "INSERT INTO job VALUES(NULL,?,?,?,?,0,0,'')", &stmt, err);

	if (r < 0)
		return r;
	sql_bind(stmt, job->tenant->id, 0, job->range.from_ns, job->range.until_ns);
	sqlite3_bind_text(stmt, 2, job->selector, -1, SQLITE_STATIC);
	r = sql_run(stmt, err);
	sqlite3_finalize(stmt);
	*ret_id = (uint64_t)sqlite3_last_insert_rowid(db);
	if (r == 0)
		r = sql_prepare(db, "INSERT INTO job_series VALUES(?,?)", &stmt, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < job->n_series && r == 0; i++) {
		sql_bind(stmt, (int64_t)*ret_id, job->series[i]);
		r = sql_run(stmt, err);
	}
	sqlite3_finalize(stmt);
	return r;
}

/* With the series that it names, which may be as new as the job. */
static int save_new(struct sqlite_store *store, const struct job *job, uint64_t *ret_id,
		    struct err *err)
{
	sqlite3 *db = store->catalogue.db;
	int r = store->failed ? err_set(err, store->failed, "the store stopped writing")
			      : writer_save_catalogue(store, NULL, err);

	if (r == 0)
		r = sql_exec(db, "BEGIN IMMEDIATE", err);
	if (r < 0)
		return r;
	r = insert_job(db, job, ret_id, err);
	if (r == 0)
		r = sql_exec(db, "COMMIT", err);
	if (r < 0)
		sql_rollback(db);
	return r;
}

static struct job *new_job(struct sqlite_store *store)
{
	struct job *job;

	pthread_mutex_lock(&store->lock);
	for (job = store->jobs.first; job; job = job->next)
		if (!job->id && !job->is_refused)
			break;
	pthread_mutex_unlock(&store->lock);
	return job;
}

void jobs_save_new(struct sqlite_store *store)
{
	struct job *job;

	while ((job = new_job(store))) {
		struct err err = {0};
		uint64_t id = 0;
		int r = save_new(store, job, &id, &err);

		if (r < 0)
			writer_note_error(store, NULL, r, err.text);
		pthread_mutex_lock(&store->lock);
		if (r == 0)
			job->id = id;
		job->is_refused = r < 0;
		if (r < 0)
			snprintf(job->error, sizeof(job->error), "%s", err.text);
		pthread_cond_broadcast(&store->settled);
		pthread_mutex_unlock(&store->lock);
	}
}

/* ---- asking ---- */

static void put_quoted(struct buf *out, const char *text)
{
	buf_putc(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_putc(out, '\\');
		if (*text == '\n')
			buf_puts(out, "\\n");
		else
			buf_putc(out, *text);
	}
	buf_putc(out, '"');
}

static char *selector_text(const struct selector *selector)
{
	static const char *const ops[] = {
		[MATCH_EQ] = "=",
		[MATCH_NE] = "!=",
		[MATCH_RE] = "=~",
		[MATCH_NRE] = "!~",
	};
	cleanup(buf_done) struct buf out = {0};

	buf_init(&out, SELECTOR_MAX_BYTES);
	buf_putc(&out, '{');
	for (size_t i = 0; i < selector->n; i++) {
		buf_printf(&out, "%s%s%s", i ? "," : "", selector->items[i].name,
			   ops[selector->items[i].op]);
		put_quoted(&out, selector->items[i].value);
	}
	buf_putc(&out, '}');
	return xstrdup(out.data);
}

static size_t count_waiting(const struct jobs *jobs)
{
	size_t n = 0;

	for (const struct job *job = jobs->first; job; job = job->next)
		n += !is_over(job);
	return n;
}

/* The job, not in the list yet; NULL where there is nothing to match. */
static int make_job(struct sqlite_store *store, const struct store_query *ask, struct job **ret_job,
		    struct err *err)
{
	struct query query;
	struct job *job;
	int r = query_begin(&query, store, ask, false, err);

	if (r == 0 && !query.n_tenants)
		r = err_set(err, -ENOENT, "there is no tenant %s", ask->tenant);
	if (r == 0 && strchr(ask->tenant, STORE_TENANT_BETWEEN))
		r = err_set(err, ERR_USAGE, "delete the profiles of one tenant at a time");
	if (r == 0) {
		job = xcalloc(1, sizeof(*job));
		job->tenant = query.tenants[0];
		job->range = ask->range;
		job->selector = selector_text(ask->selector);
		job->series = xcalloc(query.n_series + 1, sizeof(*job->series));
		for (size_t i = 0; i < query.n_series; i++)
			job->series[job->n_series++] = query.series[i]->id;
		*ret_job = job;
	}
	query_end(&query);
	return r;
}

int sqlite_delete(struct store *base, const struct store_query *ask, uint64_t *ret_job,
		  struct err *err)
{
	struct sqlite_store *store = sqlite_store_of(base);
	struct job *job = NULL;
	int r = make_job(store, ask, &job, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&store->lock);
	if (count_waiting(&store->jobs) >= STORE_MAX_JOBS) {
		r = err_set(err, ERR_LIMIT, "%d jobs wait already: try again when some are done",
			    STORE_MAX_JOBS);
	} else {
		append(&store->jobs, job);
		store->jobs.is_busy = true;
		pthread_cond_signal(&store->wake);
		while (!job->id && !job->is_refused)
			pthread_cond_wait(&store->settled, &store->lock);
		if (job->is_refused) {
			r = err_set(err, -EIO, "the job cannot be written down: %s", job->error);
			take_out(&store->jobs, job);
		} else {
			*ret_job = job->id;
		}
	}
	pthread_mutex_unlock(&store->lock);
	if (r < 0)
		job_free(job);
	return r;
}

/* ---- listing ---- */

static char *copy(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

static void describe(const struct sqlite_store *store, const struct job *job, struct arena *arena,
		     struct store_job *out)
{
	const struct table *files = &store->catalogue.files;

	*out = (struct store_job){
		.id = job->id,
		.state = job->state,
		.tenant = copy(arena, job->tenant->name),
		.selector = copy(arena, job->selector),
		.range = job->range,
		.n_series = (uint32_t)job->n_series,
		.profiles = job->profiles,
		.error = copy(arena, job->error),
	};
	for (size_t id = 1; id < files->n; id++) {
		if (!files->items[id] || !job_concerns(job, files->items[id]))
			continue;
		out->files_all++;
		out->files_done += id < job->next_file || job->state == STORE_JOB_DONE;
	}
}

int sqlite_jobs(struct store *base, const char *tenant, struct arena *arena,
		struct store_job **ret_jobs, size_t *ret_n, struct err *err)
{
	struct sqlite_store *store = sqlite_store_of(base);
	struct store_job *jobs;
	size_t n = 0, at;

	(void)err;
	pthread_mutex_lock(&store->lock);
	for (const struct job *job = store->jobs.first; job; job = job->next)
		n += job->id && strcmp(job->tenant->name, tenant) == 0;
	jobs = arena_array(arena, n + 1, sizeof(*jobs));
	at = n;
	for (const struct job *job = store->jobs.first; job; job = job->next)
		if (job->id && strcmp(job->tenant->name, tenant) == 0)
			describe(store, job, arena, &jobs[--at]);
	pthread_mutex_unlock(&store->lock);
	*ret_jobs = jobs;
	*ret_n = n;
	return 0;
}

/* ---- the end of one ---- */

/* One more of those that are over than are kept?  Taken out of the list. */
static struct job *take_oldest(struct sqlite_store *store)
{
	struct job *oldest = NULL;
	size_t n = 0;

	pthread_mutex_lock(&store->lock);
	for (struct job *job = store->jobs.first; job; job = job->next) {
		n += is_over(job);
		if (is_over(job) && !oldest)
			oldest = job;
	}
	if (n > STORE_MAX_JOBS)
		take_out(&store->jobs, oldest);
	pthread_mutex_unlock(&store->lock);
	return n > STORE_MAX_JOBS ? oldest : NULL;
}

static int forget_old(struct sqlite_store *store, struct err *err)
{
	struct job *oldest = take_oldest(store);
	char text[128];

	if (!oldest)
		return 0;
	snprintf(text, sizeof(text),
		 "DELETE FROM job_series WHERE job=%llu; DELETE FROM job WHERE id=%llu",
		 (unsigned long long)oldest->id, (unsigned long long)oldest->id);
	job_free(oldest);
	return sql_exec(store->catalogue.db, text, err);
}

int job_end(struct sqlite_store *store, struct job *job, const char *error, struct err *err)
{
	enum store_job_state state = *error ? STORE_JOB_FAILED : STORE_JOB_DONE;
	sqlite3_stmt *stmt;
	int r = sql_prepare(store->catalogue.db,
			    "UPDATE job SET state=?, profiles=?, error=? WHERE id=?", &stmt, err);

	if (r < 0)
		return r;
	sql_bind(stmt, state, (int64_t)job->profiles, 0, (int64_t)job->id);
	sqlite3_bind_text(stmt, 3, error, -1, SQLITE_STATIC);
	r = sql_run(stmt, err);
	sqlite3_finalize(stmt);
	if (r < 0)
		return r;
	pthread_mutex_lock(&store->lock);
	job->state = state;
	snprintf(job->error, sizeof(job->error), "%s", error);
	pthread_mutex_unlock(&store->lock);
	return forget_old(store, err);
}
