/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deleting by selector: jobs that the writer does a piece at a time, between batches.
 *
 * A job knows its series by number, as they were when it was asked for, and looks through the tenant's
 * files in the order of their numbers:
 *
 *	10 s level	profiles that begin in the range go, and the windows that they reach into are
 *			marked dirty, in one transaction per piece: roll-ups make them again of what is left
 *	above		only where the level below has expired: windows that lie in the range whole go, and
 *			what follows from them is marked
 *
 * Each piece is committed by itself, and doing a file twice does no harm, so that after a restart a job
 * begins again.  Space: a file that nobody writes any more and that is mostly empty is packed, one that
 * holds nothing goes with the next retention.
 */
#ifndef STORE_SQLITE_JOBS_H
#define STORE_SQLITE_JOBS_H

#include "store/sqlite/catalogue.h"

#define JOBS_SCHEMA                                                                                \
	"CREATE TABLE job(id INTEGER PRIMARY KEY AUTOINCREMENT, tenant INTEGER NOT NULL,"          \
	" selector TEXT NOT NULL, from_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL,"            \
	" state INTEGER NOT NULL, profiles INTEGER NOT NULL, error TEXT NOT NULL);"                \
	"CREATE TABLE job_series(job INTEGER, series INTEGER,"                                     \
	" PRIMARY KEY(job, series)) WITHOUT ROWID;"

struct job {
	uint64_t id; /* 0: not on disk yet */
	struct tenant *tenant;
	char *selector;
	struct store_range range;
	enum store_job_state state;
	uint32_t *series; /* numbers */
	size_t n_series;
	uint64_t profiles;
	char error[ERR_TEXT_MAX];
	/* While it runs. */
	size_t next_file; /* files with lower numbers are done */
	bool is_refused;  /* it could not be written down */
	bool is_swept;	  /* series that it emptied were looked for */
	struct job *next;
};

/* Oldest first; the store's lock guards the list and all that is in it. */
struct jobs {
	struct job *first;
	bool is_busy; /* the writer need not wait for work: set with each new one */
};

struct sqlite_store;

void jobs_done(struct jobs *jobs); /* all-zero is empty */
/* At open. */
int jobs_load(struct sqlite_store *store, struct err *err) nodiscard;
/* Writer: write down those that were asked for. */
void jobs_save_new(struct sqlite_store *store);
/* Writer: a piece of the oldest job that is not done; false: there is none. */
bool jobs_step(struct sqlite_store *store);

/* ---- between jobs.c and job_delete.c ---- */
/* Has it anything to do in that file? */
bool job_concerns(const struct job *job, const struct block_file *file);
/* Done, or failed with that text. */
int job_end(struct sqlite_store *store, struct job *job, const char *error,
	    struct err *err) nodiscard;

int sqlite_delete(struct store *base, const struct store_query *query, uint64_t *ret_job,
		  struct err *err);
int sqlite_jobs(struct store *base, const char *tenant, struct arena *arena,
		struct store_job **ret_jobs, size_t *ret_n, struct err *err);

#endif
