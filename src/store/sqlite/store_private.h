/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the SQLite store share.
 *
 * Locks, in the order in which they may be taken:
 *	service->lock	a service's dictionaries
 *	store->lock	catalogue (all but the dictionaries' contents), dirty windows, counters, queue
 *	readers.lock, dict_reader_lock	leaves
 *
 *	put (any thread) -> translate to ids -> queue -> writer: batch -> catalogue.db -> block files
 *	                                                  -> acknowledge -> roll-ups, retention
 *	query (any thread) -> plan (dirty windows) -> rows of block files -> sums -> names
 */
#ifndef STORE_SQLITE_STORE_PRIVATE_H
#define STORE_SQLITE_STORE_PRIVATE_H

#include <pthread.h>

#include "store/sqlite/accum.h"
#include "store/sqlite/catalogue.h"
#include "store/sqlite/clock_guard.h"
#include "store/sqlite/dict.h"
#include "store/sqlite/dirty.h"
#include "store/sqlite/exemplar_block.h"
#include "store/sqlite/files.h"
#include "store/sqlite/jobs.h"
#include "store/sqlite/page_sum.h"
#include "store/sqlite/quarantine.h"
#include "store/sqlite/sql.h"
#include "store/sqlite/sqlite_store.h"

#define QUEUE_MAX_BYTES ((size_t)64 << 20)
#define QUEUE_MAX_ITEMS 8192
/* Longer profiles are stored in pieces, so that looking for what overlaps a moment looks not far. */
#define PIECE_MAX_NS (600 * 1000000000ll)
#define SOURCE_MAX_FILES 4096 /* per service */

enum item_kind { ITEM_PROFILE, ITEM_SOURCE };

/* One put on its way to the writer; owns all it points to but catalogue objects. */
struct item {
	struct item *next;
	enum item_kind kind;
	size_t bytes;
	store_done_fn *done;
	void *ctx;
	int code; /* what the writer made of it */
	char text[ERR_TEXT_MAX];
	bool is_written; /* its transaction is on disk */
	bool is_scaled;	 /* its values took part in the series' carry */
	bool is_counted; /* among the series' refs */
	/* ITEM_PROFILE */
	struct series *series;
	struct dict *dict; /* held by its refs */
	struct block_file *file;
	char id[STORE_ID_MAX_BYTES];
	size_t id_len; /* 0: none */
	int64_t start_ns, duration_ns, n_samples;
	uint32_t columns[PROFILE_MAX_COLUMNS];
	int64_t *values[PROFILE_MAX_COLUMNS];  /* in the type's unit; the writer scales them */
	uint8_t carry_of[PROFILE_MAX_COLUMNS]; /* place among the series' columns */
	int64_t unit_scales[PROFILE_MAX_COLUMNS];
	int64_t carry_before[PROFILE_MAX_COLUMNS];
	size_t n_columns;
	uint32_t *nodes; /* sorted */
	uint32_t n_nodes;
	struct exemplar_id profile_id; /* len 0: it has no name */
	struct exemplar_id_room profile_id_room;
	struct exemplar_pack spans;    /* n_spans 0: none */
	struct block_file *spans_file; /* where they go */
	struct block_key first_block;  /* as the writer made it */
	uint64_t first_sum;
	/* ITEM_SOURCE */
	struct service *service;
	char *source_file, *source_text;
	size_t source_len;
	int64_t source_time_ns;
};

void item_free(struct item *item);

struct sqlite_store {
	struct store base;
	struct store_config config;
	char *dir;
	struct page_sum_vfs *page_sums;
	const char *vfs_name; /* of page_sums */
	int lock_fd;

	pthread_mutex_t lock;
	pthread_cond_t wake;	/* the writer: work, stop */
	pthread_cond_t settled; /* sqlite_store_settle() */
	struct catalogue catalogue;
	struct dirty dirty;
	struct jobs jobs;
	struct item *queue_first, **queue_end;
	size_t queue_bytes, queue_items;
	uint64_t settle_asked, settle_done;
	bool is_stopping;
	bool is_waiting; /* the writer is, for whatever comes */
	bool is_full;	 /* the disk is; tried again at full_until_ns */
	int failed;	 /* an fsync or write failed for good: nothing is acknowledged any more */
	int64_t full_until_ns;
	struct store_stats counts; /* puts .. commits */
	struct sqlite_store_counters counters;

	struct readers readers;
	int helpers_left; /* processors that a query may take beside its own */
	struct quarantine quarantine;
	pthread_mutex_t dict_reader_lock;
	sqlite3 *dict_reader; /* catalogue.db, to read dictionaries and sources */

	/* the writer's own */
	pthread_t writer;
	struct files files;
	struct accum roll_accum;
	struct block_room roll_room;
	struct clock_guard clock_guard;
	int64_t retention_at_ns, checkpoint_at_ns, tick_at_ns; /* monotonic */
	int64_t batch_at_ns;				       /* not before, see writer.c */
	uint64_t n_batches;
};

static inline struct sqlite_store *sqlite_store_of(struct store *store)
{
	return container_of(store, struct sqlite_store, base);
}

int64_t store_now_ns(const struct sqlite_store *store); /* real time, perhaps a test's */

/* ---- ingest.c ---- */
int sqlite_put(struct store *base, const struct store_profile *profile, store_done_fn *done,
	       void *ctx, struct err *err);
int sqlite_put_source(struct store *base, const char *tenant, const char *service,
		      const struct store_source *source, store_done_fn *done, void *ctx,
		      struct err *err);

/* The series of a put (whose labels are `text`) and its columns, in the item; the store's lock is held. */
int item_place(struct sqlite_store *store, const struct store_profile *put, const char *text,
	       struct item *item, struct err *err) nodiscard;
/* What the series must know before a query can look for the profile; the store's lock is held. */
void item_note_times(const struct item *item, int64_t period);

/* ---- sqlite_store.c ---- */
/* A store without its writer thread, for whoever is the writer. */
int store_open_idle(const struct store_config *config, struct sqlite_store **ret_store,
		    struct err *err) nodiscard;
void store_free(struct sqlite_store *store);

/* ---- dict_cache.c ---- */
/* The dictionary that new stacks of that month go to; the service's lock is held. */
int dict_for_month(struct sqlite_store *store, struct service *service, int month,
		   struct dict **ret_dict, struct err *err) nodiscard;
/* In memory, with the service's lock held until dict_unlock(). */
int dict_lock(struct sqlite_store *store, uint32_t id, struct dict **ret_dict,
	      struct err *err) nodiscard;
void dict_unlock(struct dict *dict);
/* Writer: rows of every dictionary that the items name, in the catalogue's transaction. */
int dicts_save(struct sqlite_store *store, struct item *items, struct err *err) nodiscard;
/* All of it on disk (NULL: nothing to save)?  Takes the service's lock. */
bool dict_is_saved(struct dict *dict);
/* Writer: that transaction was rolled back. */
void dicts_forget(struct item *items);
void dicts_evict(struct sqlite_store *store);

/* ---- exemplar_write.c ---- */
/* A put's spans, in the item; the store's lock is not held.  `map`: of the nodes. */
int exemplars_prepare(struct sqlite_store *store, const struct profile *profile,
		      const uint32_t *map, struct arena *arena, struct item *item,
		      struct err *err) nodiscard;
/*
 * Writer: commit the spans of the items for that file, before their blocks are.  *ret_blame is the file that an error
 * is of.
 */
int exemplars_write(struct sqlite_store *store, const struct block_file *file, struct item *items,
		    struct block_file **ret_blame, struct err *err) nodiscard;

/* ---- source.c ---- */
/* Writer: in the catalogue's transaction. */
int sources_save(struct sqlite_store *store, struct item *items, struct err *err) nodiscard;
int sqlite_get_source(struct store *base, const char *tenant, const char *service, const char *file,
		      struct arena *arena, struct store_source *ret_source, struct err *err);

/* ---- writer.c ---- */
void *writer_main(void *store);
/* Save the catalogue if anything in it changed, with the dictionaries and sources of `items`. */
int writer_save_catalogue(struct sqlite_store *store, struct item *items,
			  struct err *err) nodiscard;
/* What an error means for the store: full, failed, or this file only. */
void writer_note_error(struct sqlite_store *store, struct block_file *file, int code,
		       const char *text);

/* ---- batch.c ---- */
void writer_batch(struct sqlite_store *store, struct item *items); /* takes the items */

/* ---- rollup.c ---- */
/*
 * Roll up windows that are due, a few of each level; `force`: many, and also those touched just now.
 * Returns how many.
 */
size_t rollup_step(struct sqlite_store *store, bool force);
/* Families that have grown to be rolled up. */
void rollup_begin_families(struct sqlite_store *store);
/* What is marked in the dying file is due again: see the top of rollup.c. */
int rollup_retry(struct sqlite_store *store, struct block_file *file, struct err *err) nodiscard;
/* At open: the dirty windows and newest times that the files with work know of. */
int rollup_load(struct sqlite_store *store, struct err *err) nodiscard;

/* ---- retention.c ---- */
/* How long the tenant's files of the level are kept; 0: for ever. */
int64_t retention_age(const struct sqlite_store *store, const char *tenant, int level);
const struct store_retention *retention_of(const struct sqlite_store *store, const char *tenant);
/* `is_confirmed`: the clock is right, however far it went. */
/* True: files wait for windows to be made of them. */
bool retention_step(struct sqlite_store *store, bool is_confirmed);

/* ---- forget.c ---- */
/* Did a job end that may have emptied series? */
bool forget_is_due(struct sqlite_store *store);
/* The catalogue says on disk which files are deleted: they leave the disk, and what only they named goes. */
int forget_deleted(struct sqlite_store *store, int64_t now_ns, struct err *err) nodiscard;

/* ---- damage.c ---- */
int sqlite_damage(struct store *base, const char *tenant, struct arena *arena,
		  struct store_damage **ret_damage, size_t *ret_n, struct err *err);

/* ---- queries ---- */
int sqlite_series(struct store *base, const struct store_query *query, struct arena *arena,
		  struct store_series **ret_series, size_t *ret_n, struct err *err);
int sqlite_timeline(struct store *base, const struct store_query *query, int64_t step_ns,
		    const char *const *group_by, size_t n_group_by, struct arena *arena,
		    struct store_line **ret_lines, size_t *ret_n, struct err *err);
int sqlite_exemplars(struct store *base, const struct store_query *query,
		     enum store_exemplar_kind kind, store_exemplar_fn *tell, void *ctx,
		     struct store_exemplar_sum *ret_sum, struct err *err);
int sqlite_merge(struct store *base, const struct store_query *query,
		 struct store_merged *ret_merged, struct err *err);

#endif
