/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan becomes a list of files with what is wanted of each.  A long one is read by several threads: each takes the
 * next piece of a file until there is none, and what they found is added up.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/vec.h"
#include "store/sqlite/scan.h"

#define MAX_HELPERS 3	    /* of one query */
#define ROWS_PER_HELPER 200 /* they take some milliseconds, a thread a tenth of one */
#define USUAL_PROFILE_NS (10 * 1000000000ll)

/* ---- several threads ---- */

struct helper {
	pthread_t thread;
	struct query query;
	struct scan scan;
	struct scan_list *list;
	struct err err;
	int r;
};

static void *helper_main(void *ctx)
{
	struct helper *helper = ctx;

	helper->r = scan_list_read(&helper->scan, helper->list, &helper->err);
	return NULL;
}

/* One of the processors that no query has. */
static bool take_processor(struct sqlite_store *store)
{
	int left = __atomic_load_n(&store->helpers_left, __ATOMIC_RELAXED);

	while (left > 0)
		if (__atomic_compare_exchange_n(&store->helpers_left, &left, left - 1, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	return false;
}

static void give_processor(struct sqlite_store *store)
{
	__atomic_fetch_add(&store->helpers_left, 1, __ATOMIC_RELAXED);
}

static bool start_helper(struct helper *helper, const struct scan *scan, struct scan_list *list)
{
	sigset_t all, before;
	int r;

	*helper = (struct helper){.query = *scan->query, .scan = *scan, .list = list};
	helper->scan.query = &helper->query;
	helper->scan.ctx = scan->sink->fork(scan->ctx);
	if (!helper->scan.ctx)
		return false;
	block_room_init(&helper->query.room);
	helper->query.missing = (struct cover){0};
	helper->query.n_blocks = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&helper->thread, NULL, helper_main, helper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		scan->sink->join(scan->ctx, helper->scan.ctx);
	return r == 0;
}

static int end_helper(struct helper *helper, struct scan *scan, int r, struct err *err)
{
	struct query *query = scan->query;

	pthread_join(helper->thread, NULL);
	scan->sink->join(scan->ctx, helper->scan.ctx);
	query->n_blocks += helper->query.n_blocks;
	for (size_t i = 0; i < helper->query.missing.n; i++)
		query_note_missing(query, helper->query.missing.items[i]);
	cover_done(&helper->query.missing);
	block_room_done(&helper->query.room);
	if (r == 0 && helper->r < 0 && err)
		*err = helper->err;
	return r == 0 ? helper->r : r;
}

/* About how many blocks there are to read. */
static int64_t count_rows(const struct plan *plan)
{
	int64_t rows = 0;

	for (size_t i = 0; i < plan->n; i++) {
		const struct piece *piece = &plan->pieces[i];
		int64_t each = piece->level == LEVEL_FINE ? USUAL_PROFILE_NS
							  : levels[piece->level].window_ns;

		rows += (piece->until_ns - piece->from_ns) / each + 1;
	}
	return rows;
}

static size_t start_helpers(struct helper *helpers, const struct scan *scan,
			    const struct plan *plan, struct scan_list *list)
{
	struct sqlite_store *store = scan->query->store;
	int64_t rows = scan->sink->fork ? count_rows(plan) : 0;
	size_t n = 0;

	while (n < MAX_HELPERS && rows >= (int64_t)(n + 1) * ROWS_PER_HELPER &&
	       take_processor(store)) {
		if (!start_helper(&helpers[n], scan, list)) {
			give_processor(store);
			break;
		}
		n++;
	}
	return n;
}

static int scan_together(struct scan *scan, const struct plan *plan, struct scan_list *list,
			 struct err *err)
{
	struct helper helpers[MAX_HELPERS];
	size_t n = start_helpers(helpers, scan, plan, list);
	int r = scan_list_read(scan, list, err);

	for (size_t i = 0; i < n; i++) {
		r = end_helper(&helpers[i], scan, r, err);
		give_processor(scan->query->store);
	}
	return r;
}

/* The levels of a tenant apart, as the files are; each by owner and time, as it was planned. */
static int by_files(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	if (x->tenant != y->tenant)
		return x->tenant->id < y->tenant->id ? -1 : 1;
	if (x->level != y->level)
		return x->level > y->level ? -1 : 1;
	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	return (x->from_ns > y->from_ns) - (x->from_ns < y->from_ns);
}

/* The files that may hold some of the pieces, which are of one tenant and level.  The store's lock is held. */
static void list_files(struct scan_list *list, const struct table *files,
		       const struct piece *pieces, size_t n)
{
	for (size_t id = 1; id < files->n; id++) {
		struct block_file *file = files->items[id];

		if (!file || file->tenant != pieces[0].tenant || file->level != pieces[0].level ||
		    file->state != FILE_LIVE)
			continue;
		list->visits =
			vec_grow(list->visits, &list->cap, list->n + 1, sizeof(*list->visits));
		list->visits[list->n++] =
			(struct scan_visit){.file = file, .pieces = pieces, .n = n};
	}
}

static void list_plan(struct scan_list *list, struct sqlite_store *store, const struct plan *plan)
{
	pthread_mutex_lock(&store->lock);
	for (size_t i = 0, end; i < plan->n; i = end) {
		const struct piece *first = &plan->pieces[i];

		for (end = i + 1; end < plan->n && plan->pieces[end].tenant == first->tenant &&
				  plan->pieces[end].level == first->level;
		     end++)
			;
		list_files(list, &store->catalogue.files, first, end - i);
	}
	pthread_mutex_unlock(&store->lock);
}

int query_scan_plan(struct query *query, struct plan *plan, const struct scan_sink *sink,
		    struct err *err)
{
	struct scan scan = {.query = query, .sink = sink, .ctx = sink->ctx};
	struct scan_list list = {0};
	int r;

	if (plan->n)
		qsort(plan->pieces, plan->n, sizeof(*plan->pieces), by_files);
	list_plan(&list, query->store, plan);
	r = scan_together(&scan, plan, &list, err);
	free(list.visits);
	return r;
}

int query_scan(struct query *query, struct series *const *members, size_t n_members,
	       const struct steps *steps, const struct scan_sink *sink, struct err *err)
{
	struct plan plan = {0};
	int r;

	plan_series(&plan, query->store, members, n_members, steps);
	r = query_scan_plan(query, &plan, sink, err);
	plan_done(&plan);
	return r;
}
