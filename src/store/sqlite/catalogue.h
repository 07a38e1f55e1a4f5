/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue: tenants, services, series, columns, dictionaries and block files, in memory and in
 * catalogue.db.
 *
 * All of it is in memory (a few hundred bytes a series); things are made there, numbered, by any
 * thread that holds the store's lock, and written by the writer before any block names them
 * (invariant 2).  Objects live until the catalogue closes, so that pointers to them stay good.  Ids
 * are 1, 2, 3 ... per kind and never used twice.
 *
 *	tenant -> service -> family (metric, period, gauge or flow) -> series (label set)
 *
 * A family is what one roll-up of a whole service covers.  An owner of blocks is a series or a family:
 * see owner_of_series().
 */
#ifndef STORE_SQLITE_CATALOGUE_H
#define STORE_SQLITE_CATALOGUE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/map.h"
#include "store/sqlite/level.h"

#define CATALOGUE_VERSION 3 /* of catalogue.db: see struct sql_schema */
#define CATALOGUE_MAX_TENANTS 10000
#define FAMILY_ROLLED_FROM 4 /* series: a copy for fewer buys nothing */

struct tenant {
	uint32_t id;
	char *name;
	uint32_t n_series;
	/* Data before these was deleted by retention: no roll-up may read there again. */
	int64_t expired_until_ns[LEVEL_COUNT];
	bool is_changed;
};

struct service {
	uint32_t id;
	struct tenant *tenant;
	char *name;
	/*
	 * Held while its dictionaries are read or grown.  Taken before the store's lock, never after.
	 */
	pthread_mutex_t lock;
	struct dict **dicts;
	size_t n_dicts, dicts_cap;
};

struct column {
	uint32_t id;
	char *type, *unit, *state;
	int64_t unit_scale; /* nanoseconds are stored as microseconds: 1000; else 1 */
};

struct series;
struct block_file;

struct family {
	uint32_t id;
	struct service *service;
	char *metric, *period_type, *period_unit;
	bool is_gauge;
	bool wants_rollup; /* the writer marks its windows from now on */
	bool is_rolled;	   /* queries may use its blocks */
	bool is_changed;
	struct series **members;
	size_t n_members, members_cap;
	uint32_t columns[PROFILE_MAX_COLUMNS];
	size_t n_columns;
};

/* Spans put into a series, by minute modulo SPAN_MINUTES: back-fill goes on beside what is new. */
#define SPAN_MINUTES 16
struct span_count {
	int64_t minute;
	uint32_t n;
};

/* The writer's: windows that it marked for the series in a batch's transaction, see batch.c. */
struct series_mark {
	const struct block_file *file;
	uint64_t batch;
	struct store_range time;
};

struct series {
	uint32_t id;
	struct family *family;
	struct labels labels; /* texts in the catalogue's arena */
	char *text;	      /* canonical */
	uint32_t columns[PROFILE_MAX_COLUMNS];
	size_t n_columns, n_saved_columns;
	int64_t first_ns, last_ns; /* of its data; last may be saved late, see catalogue_load() */
	int64_t longest_ns;	   /* no block of the finest level is longer */
	int64_t period;
	bool is_changed;
	int64_t carry[PROFILE_MAX_COLUMNS]; /* the writer's: below one stored unit, by column */
	struct span_count *span_counts;	    /* of the last minutes; NULL: no spans yet */
	atomic_uint refs;		    /* puts on their way */
	struct series_mark marked;
};

enum file_state { FILE_NEW = 0, FILE_LIVE = 1, FILE_DAMAGED = 2, FILE_DELETED = 3 };

/* One block file.  What the writer keeps open of it is in files.h. */
struct block_file {
	uint32_t id;
	struct tenant *tenant;
	int level;
	struct store_range period;
	char *path;
	enum file_state state; /* NEW: nothing was committed yet, so it may be absent */
	bool has_work;	       /* may hold dirty marks */
	bool is_emptied;       /* the writer's: a job deleted all that was in it */
	bool is_dying;	   /* the writer's: past its age, of what is whole in it windows are made */
	bool is_forgotten; /* the writer's: deleted, unlinked, and its row is gone */
	bool is_changed;
	int64_t n_blocks;
	uint32_t *dicts; /* that its blocks name */
	size_t n_dicts, dicts_cap, n_saved_dicts;
	struct open_file *handle; /* the writer's */
	uint64_t batch;		  /* the writer's: number of the last one that wrote here */
};

/* Things of one kind by id; index 0 is not used, gaps are NULL. */
struct table {
	void **items;
	size_t n, cap;	/* n: the next id */
	size_t n_saved; /* ids below are on disk */
};

struct catalogue {
	sqlite3 *db; /* the writer's */
	struct arena arena;
	struct table tenants, services, columns, families, series, dicts, files;
	struct idtab series_by_key;
	struct series **gone; /* dropped: pointers to them stay good */
	size_t n_gone, gone_cap;
	uint64_t hash_seed;
	char *blocks_dir;
};

int catalogue_open(struct catalogue *catalogue, const char *dir, const char *vfs_name,
		   struct err *err) nodiscard;
/* Only its database, for whoever holds DIR/lock. */
int catalogue_open_writer(const char *dir, const char *vfs_name, sqlite3 **ret_db,
			  struct err *err) nodiscard;
void catalogue_close(struct catalogue *catalogue); /* all-zero is fine */
/*
 * The same, of a connection that reads only (fsck).  It becomes catalogue->db and stays the caller's: set
 * that to NULL, and free the dictionaries, before catalogue_close().
 */
int catalogue_read(struct catalogue *catalogue, sqlite3 *db, const char *dir,
		   struct err *err) nodiscard;

/*
 * Inside a transaction of the writer, with the store's lock held: write what is new or changed (rows of
 * dictionaries apart: dict.h).
 */
int catalogue_save(struct catalogue *catalogue, struct err *err) nodiscard;
/* Is there anything to save? */
bool catalogue_is_changed(const struct catalogue *catalogue);
/* The transaction of catalogue_save() was rolled back: all is to be saved again. */
void catalogue_save_failed(struct catalogue *catalogue);

/* ---- finding and making; the store's lock is held ---- */

struct tenant *catalogue_tenant(const struct catalogue *catalogue, const char *name); /* or NULL */
/* Those of "one|two" that are known; ERR_LIMIT for more than STORE_MAX_TENANTS names. */
int catalogue_tenants(const struct catalogue *catalogue, const char *names,
		      struct tenant *ret_tenants[STORE_MAX_TENANTS], size_t *ret_n,
		      struct err *err) nodiscard;
int catalogue_make_tenant(struct catalogue *catalogue, const char *name, struct tenant **ret_tenant,
			  struct err *err) nodiscard;
struct service *catalogue_service(const struct catalogue *catalogue, const struct tenant *tenant,
				  const char *name); /* or NULL */
struct service *catalogue_make_service(struct catalogue *catalogue, struct tenant *tenant,
				       const char *name);

struct series_key {
	struct tenant *tenant;
	const struct labels *labels;
	const char *text; /* of the labels */
	const char *period_type, *period_unit;
	bool is_gauge;
};

/* ERR_LIMIT past `max_series` of the tenant. */
int catalogue_make_series(struct catalogue *catalogue, const struct series_key *key,
			  uint32_t max_series, struct series **ret_series,
			  struct err *err) nodiscard;
/*
 * Out of its family and the table, so that nobody finds it again; its rows are the caller's business.  False: a put
 * holds it.
 */
bool catalogue_drop_series(struct catalogue *catalogue, struct series *series);
/* Number of a column in general, and as one that the series has.  ERR_LIMIT. */
int catalogue_make_column(struct catalogue *catalogue, struct series *series, const char *type,
			  const char *unit, const char *state, uint32_t *ret_column,
			  struct err *err) nodiscard;
/* The live file of that level and time, made (not yet on disk) when there is none. */
struct block_file *catalogue_make_file(struct catalogue *catalogue, struct tenant *tenant,
				       int level, int64_t at_ns);
/* Blocks of the file name that dictionary from now on. */
void catalogue_file_names_dict(struct block_file *file, uint32_t dict);

static inline void *table_get(const struct table *table, uint64_t id)
{
	return id < table->n ? table->items[id] : NULL;
}

/* Adds `item` under the next id, which it returns. */
uint32_t table_add(struct table *table, void *item);

/* Owners of the members, for use without the lock; free() it. */
uint32_t *family_owners(const struct family *family, size_t *ret_n) nodiscard;

/* Even owners are series, odd ones families. */
static inline uint32_t owner_of_series(const struct series *series)
{
	return series->id * 2;
}

static inline uint32_t owner_of_family(const struct family *family)
{
	return family->id * 2 + 1;
}

static inline bool owner_is_family(uint32_t owner)
{
	return owner & 1;
}

#endif
