/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dictionary: the strings, frames and stacks of one service in one month (invariant 3).
 *
 * Its ids are those of a `struct names` and a `struct tree`, and rows of the catalogue:
 *
 *	string(dictionary, id, text)	frame(dictionary, id, ...)	nodes: see dict_nodes.c
 *
 * New ones are made in memory by whoever puts a profile; the writer saves them before it commits a
 * block that names them.  A month has up to DICT_MAX_PARTS dictionaries: a full one is followed by
 * another, and past the last one what is new goes to the node DICT_OVER_LIMIT ("[stacks over limit]"),
 * and is counted.  Dictionaries out of use leave memory; the catalogue has them all.
 *
 * The service's lock guards all of it, but `refs`, `saved` and eviction, which are as noted.
 */
#ifndef STORE_SQLITE_DICT_H
#define STORE_SQLITE_DICT_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "store/sqlite/catalogue.h"

#define DICT_MAX_PARTS 4
#define DICT_OVER_LIMIT 1u /* the first node of every dictionary */

/* From version 3 of the catalogue on: see dict_nodes.c. */
#define DICT_NODES_SCHEMA                                                                          \
	"CREATE TABLE nodes(id INTEGER PRIMARY KEY, n INTEGER NOT NULL, raw_bytes INTEGER NOT "    \
	"NULL,"                                                                                    \
	" data BLOB NOT NULL);"
#define DICT_SCHEMA                                                                                \
	"CREATE TABLE dictionary(id INTEGER PRIMARY KEY AUTOINCREMENT, service INTEGER NOT NULL,"  \
	" month INTEGER NOT NULL, part INTEGER NOT NULL);"                                         \
	"CREATE TABLE string(dictionary INTEGER, id INTEGER, text TEXT NOT NULL,"                  \
	" PRIMARY KEY(dictionary, id)) WITHOUT ROWID;"                                             \
	"CREATE TABLE frame(dictionary INTEGER, id INTEGER, name INTEGER, qualname INTEGER,"       \
	" file INTEGER, module INTEGER, build_id INTEGER, address INTEGER, line INTEGER,"          \
	" first_line INTEGER, kind INTEGER, PRIMARY KEY(dictionary, id)) WITHOUT "                 \
	"ROWID;" DICT_NODES_SCHEMA

struct dict_counts {
	uint32_t strings, frames, nodes;
};

struct dict {
	struct service *service;
	uint32_t id;
	int month; /* level_month() */
	int part;
	struct names *names; /* NULL: not in memory */
	struct tree tree;
	struct dict_counts saved; /* rows on disk: the writer's, under the service's lock */
	size_t text_bytes;	  /* of the strings saved, for the size estimate */
	atomic_uint refs;	  /* items of the queue that name it: it stays in memory */
	int64_t used_ns;	  /* monotonic */
};

/* Belongs to its service's list as well; freed by dict_free(). */
struct dict *dict_new(struct service *service, uint32_t id, int month, int part);
void dict_free(struct dict *dict);

/* Make it usable: read it from the catalogue when it is not in memory. */
int dict_load(struct dict *dict, sqlite3 *catalogue, uint32_t max_nodes, struct err *err) nodiscard;
/* Begin an empty one in memory. */
void dict_begin(struct dict *dict, uint32_t max_nodes);
bool dict_is_full(const struct dict *dict);

/*
 * Nodes of `profile` that have a value in any column, or lead to one, as nodes of the dictionary, in
 * the arena: map[i] for node i of profile->tree (0 where not needed).  Adds to *over_limit.
 */
uint32_t *dict_translate(struct dict *dict, const struct profile *profile, struct arena *arena,
			 uint64_t *over_limit);

/* Inside the writer's transaction: write what is new; *ret_counts is what will be on disk then. */
int dict_save(struct dict *dict, sqlite3 *catalogue, struct dict_counts *ret_counts,
	      struct err *err) nodiscard;
/*
 * What of it is on disk.  The service's lock is held; atomic, because stats read the numbers under the
 * store's lock only.
 */
void dict_set_saved(struct dict *dict, struct dict_counts counts);
/* Inside a transaction: delete all rows. */
int dict_delete(uint32_t id, sqlite3 *catalogue, struct err *err) nodiscard;

/* ---- dict_nodes.c: its stacks; for dict.c ---- */
/* From node `from` on, in the writer's transaction. */
int dict_nodes_save(const struct dict *dict, sqlite3 *catalogue, uint32_t from,
		    struct err *err) nodiscard;
/* Behind the frames that they name. */
int dict_nodes_load(struct dict *dict, sqlite3 *catalogue, struct err *err) nodiscard;
int dict_nodes_delete(uint32_t id, sqlite3 *catalogue, struct err *err) nodiscard;

/* Bytes in memory, about. */
size_t dict_bytes(const struct dict *dict);
/* Leave memory, if nothing needs it there. */
bool dict_evict(struct dict *dict);

#endif
