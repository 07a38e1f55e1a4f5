/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting: what the caller's thread does.  Names become ids here (the costly part, in parallel over
 * services), so that the writer only adds, packs and inserts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/store_private.h"

/* The sum of one profile; leaves room for eight thousand of them before sums saturate. */
#define VALUE_MAX (INT64_MAX >> 13)

void item_free(struct item *item)
{
	if (!item)
		return;
	if (item->dict)
		atomic_fetch_sub(&item->dict->refs, 1);
	if (item->is_counted)
		atomic_fetch_sub(&item->series->refs, 1);
	exemplar_pack_done(&item->spans);
	free(item->nodes);
	free(item->values[0]); /* one block for all columns */
	free(item->source_file);
	free(item->source_text);
	free(item);
}

/* ---- checks ---- */

static int check_time(const struct sqlite_store *store, const struct store_profile *put,
		      struct err *err)
{
	const struct store_retention *retention = retention_of(store, put->tenant);
	const struct profile *profile = put->profile;
	int64_t now = store_now_ns(store), start = profile->start_ns;
	int64_t duration = profile->duration_ns;

	if (duration <= 0 || duration > STORE_MAX_DURATION_NS)
		return err_set(err, ERR_USAGE,
			       "a profile lasts more than 0 s and at most 24 h, this one %lld ms: "
			       "send its from and until (or duration_nanos)",
			       (long long)(duration / NS_PER_MS));
	if (start < 0 || start > INT64_MAX - duration ||
	    start + duration > now + store->config.accept_future_ns)
		return err_because(
			err, ERR_USAGE, "not_in_ingestion_window",
			"the profile's time is not in the ingestion window: it ends %lld s "
			"after the server's clock; set the sender's clock, or raise "
			"serve --accept-future",
			(long long)((start + duration - now) / NS_PER_S));
	for (int level = 0; level < LEVEL_COUNT; level++)
		if (retention->age_ns[level] && start < now - retention->age_ns[level])
			return err_because(
				err, ERR_USAGE, "not_in_ingestion_window",
				"the profile is older than what is kept (%lld h at level "
				"%s): raise serve --retention to take it",
				(long long)(retention->age_ns[level] / NS_PER_S / 3600),
				levels[level].name);
	return 0;
}

static int check_values(const struct profile *profile, struct err *err)
{
	for (size_t c = 0; c < profile->n_columns; c++) {
		const struct profile_column *column = &profile->columns[c];
		size_t n = min_of(column->cap, (size_t)profile->tree.n);
		int64_t sum = 0;

		for (size_t i = 0; i < n; i++) {
			if (column->values[i] < 0)
				return err_set(err, ERR_USAGE, "a profile holds a negative value");
			sum = sum_of(sum, column->values[i]);
		}
		if (sum > VALUE_MAX)
			return err_set(err, ERR_USAGE,
				       "the values of a profile add up to more than %lld",
				       (long long)VALUE_MAX);
	}
	return 0;
}

static int check_put(struct sqlite_store *store, const struct store_profile *put, struct err *err)
{
	int r;

	if (put->id && (!*put->id || strlen(put->id) > STORE_ID_MAX_BYTES))
		return err_set(err, ERR_USAGE, "a profile's id has 1 to %d bytes",
			       STORE_ID_MAX_BYTES);
	if (!labels_get(put->labels, LABEL_SERVICE) || !labels_get(put->labels, LABEL_METRIC))
		return err_because(err, ERR_USAGE, "missing_labels",
				   "a profile needs the labels %s and %s", LABEL_SERVICE,
				   LABEL_METRIC);
	if (!put->profile->n_columns)
		return err_set(err, ERR_USAGE, "a profile needs at least one type of value");
	r = check_time(store, put, err);
	return r < 0 ? r : check_values(put->profile, err);
}

/* ---- series and columns ---- */

static const char *text_of(const struct names *names, struct str_id id)
{
	return names_text(names, id, NULL);
}

static int place_columns(struct sqlite_store *store, const struct profile *profile,
			 struct item *item, struct err *err)
{
	struct series *series = item->series;
	int r = 0;

	for (size_t c = 0; c < profile->n_columns && r == 0; c++) {
		const struct sample_type *type = &profile->columns[c].type;
		struct column *column;

		r = catalogue_make_column(
			&store->catalogue, series, text_of(profile->names, type->type),
			text_of(profile->names, type->unit), text_of(profile->names, type->state),
			&item->columns[c], err);
		if (r < 0)
			return r;
		column = table_get(&store->catalogue.columns, item->columns[c]);
		item->unit_scales[c] = column->unit_scale;
		while (series->columns[item->carry_of[c]] != item->columns[c])
			item->carry_of[c]++;
	}
	item->n_columns = profile->n_columns;
	return r;
}

/* What the series must know before a query can look for the profile. */
void item_note_times(const struct item *item, int64_t period)
{
	struct series *series = item->series;
	int64_t longest = min_of(item->duration_ns, PIECE_MAX_NS);

	if (series->family->is_gauge)
		longest = item->duration_ns;
	if (item->start_ns < series->first_ns || longest > series->longest_ns ||
	    (period && period != series->period))
		series->is_changed = true;
	series->first_ns = min_of(series->first_ns, item->start_ns);
	series->last_ns = max_of(series->last_ns, item->start_ns + item->duration_ns);
	series->longest_ns = max_of(series->longest_ns, longest);
	if (period)
		series->period = period;
}

int item_place(struct sqlite_store *store, const struct store_profile *put, const char *text,
	       struct item *item, struct err *err)
{
	const struct profile *profile = put->profile;
	struct series_key key = {
		.labels = put->labels,
		.text = text,
		.period_type = text_of(profile->names, profile->period_type),
		.period_unit = text_of(profile->names, profile->period_unit),
		.is_gauge = put->is_gauge,
	};
	int r = catalogue_make_tenant(&store->catalogue, put->tenant, &key.tenant, err);

	/* Where files went because of their size; no roll-up reads there again. */
	if (r == 0 && profile->start_ns < key.tenant->expired_until_ns[LEVEL_FINE])
		r = err_because(err, ERR_USAGE, "not_in_ingestion_window",
				"the profile is older than what is kept of tenant %s: raise "
				"serve --retention to take it",
				put->tenant);
	if (r == 0)
		r = catalogue_make_series(&store->catalogue, &key, store->config.max_series,
					  &item->series, err);
	if (r < 0)
		return r;
	atomic_fetch_add(&item->series->refs, 1);
	item->is_counted = true;
	return place_columns(store, profile, item, err);
}

/* ---- stacks ---- */

struct place {
	uint32_t node, source;
};

/* By node, of equal ones as they stand: digit by digit, as many as the largest has. */
static struct place *sort_places(struct place *places, struct place *spare, uint32_t n)
{
	uint32_t largest = 0;

	for (uint32_t i = 0; i < n; i++)
		largest = max_of(largest, places[i].node);
	for (uint32_t shift = 0; shift < 32 && largest >> shift; shift += 8) {
		uint32_t start[257] = {0};
		struct place *sorted = spare;

		for (uint32_t i = 0; i < n; i++)
			start[(places[i].node >> shift & 0xff) + 1]++;
		for (uint32_t digit = 0; digit < 256; digit++)
			start[digit + 1] += start[digit];
		for (uint32_t i = 0; i < n; i++)
			sorted[start[places[i].node >> shift & 0xff]++] = places[i];
		spare = places;
		places = sorted;
	}
	return places;
}

/* The nodes that have a value in any column. */
static uint32_t list_places(const struct profile *profile, const uint32_t *map, struct arena *arena,
			    struct place *places)
{
	uint8_t *has_value = arena_alloc(arena, profile->tree.n);
	uint32_t n = 0;

	for (size_t c = 0; c < profile->n_columns; c++) {
		const struct profile_column *column = &profile->columns[c];
		size_t n_values = min_of(column->cap, (size_t)profile->tree.n);

		for (size_t i = 0; i < n_values; i++)
			has_value[i] |= column->values[i] != 0;
	}
	for (uint32_t i = 0; i < profile->tree.n; i++)
		if (has_value[i])
			places[n++] = (struct place){map[i], i};
	return n;
}

/* Nodes sorted by their number in the dictionary; two that became one (over the limit) are added. */
static void place_values(const struct profile *profile, const uint32_t *map, struct arena *arena,
			 struct item *item)
{
	struct place *places = arena_array(arena, profile->tree.n, sizeof(*places));
	uint32_t n = list_places(profile, map, arena, places), kept = 0;
	int64_t *values;

	places = sort_places(places, arena_array(arena, n, sizeof(*places)), n);
	item->nodes = xcalloc((size_t)n + 1, sizeof(*item->nodes));
	values = xcalloc(((size_t)n + 1) * item->n_columns, sizeof(*values));
	for (size_t c = 0; c < item->n_columns; c++)
		item->values[c] = values + c * ((size_t)n + 1);
	for (uint32_t i = 0; i < n; i++) {
		if (kept && item->nodes[kept - 1] == places[i].node)
			kept--;
		item->nodes[kept] = places[i].node;
		for (size_t c = 0; c < item->n_columns; c++)
			item->values[c][kept] = sum_of(
				item->values[c][kept],
				profile_value(profile, c, (struct node_id){places[i].source}));
		kept++;
	}
	item->n_nodes = kept;
	item->bytes = sizeof(*item) + (size_t)n * (4 + 8 * item->n_columns);
}

static int place_stacks(struct sqlite_store *store, const struct profile *profile,
			struct item *item, struct err *err)
{
	struct service *service = item->series->family->service;
	cleanup(arena_done) struct arena arena;
	uint64_t over_limit = 0;
	uint32_t *map = NULL;
	int r;

	arena_init(&arena);
	pthread_mutex_lock(&service->lock);
	r = dict_for_month(store, service, level_month(item->start_ns), &item->dict, err);
	if (r == 0) {
		atomic_fetch_add(&item->dict->refs, 1);
		map = dict_translate(item->dict, profile, &arena, &over_limit);
	}
	pthread_mutex_unlock(&service->lock);
	if (r < 0)
		return r;
	place_values(profile, map, &arena, item);
	if (profile->spans) {
		r = exemplars_prepare(store, profile, map, &arena, item, err);
		if (r < 0)
			return r;
	}
	if (over_limit) {
		pthread_mutex_lock(&store->lock);
		store->counters.over_limit_stacks += over_limit;
		pthread_mutex_unlock(&store->lock);
	}
	return 0;
}

/* ---- the queue ---- */

/* May more come?  The store's lock is held. */
static int check_queue(struct sqlite_store *store, struct err *err)
{
	if (store->failed)
		return err_set(err, store->failed,
			       "the store stopped writing after an error of the disk: see the log, "
			       "check the disk and restart");
	if (store->is_full && clock_monotonic_ns() < store->full_until_ns)
		return err_set(err, -ENOSPC, "the disk is full: free some space under %s",
			       store->dir);
	if (store->queue_bytes >= QUEUE_MAX_BYTES || store->queue_items >= QUEUE_MAX_ITEMS)
		return err_set(err, -EAGAIN, "the store has more to write than it can: try again");
	return 0;
}

static void enqueue(struct sqlite_store *store, struct item *item)
{
	*store->queue_end = item;
	store->queue_end = &item->next;
	store->queue_bytes += item->bytes;
	store->queue_items++;
	if (store->is_waiting)
		pthread_cond_signal(&store->wake);
}

static int prepare(struct sqlite_store *store, const struct store_profile *put, struct item *item,
		   struct err *err)
{
	cleanup(buf_done) struct buf text = {0};
	int r = check_put(store, put, err);

	if (r < 0)
		return r;
	item->start_ns = put->profile->start_ns;
	item->duration_ns = put->profile->duration_ns;
	item->n_samples = max_of(put->profile->n_samples, 0);
	if (put->id) {
		item->id_len = strlen(put->id);
		memcpy(item->id, put->id, item->id_len);
	}
	item->profile_id = exemplar_id_parse(put->profile_id ? put->profile_id : put->id,
					     &item->profile_id_room);
	buf_init(&text, LABELS_MAX * 6 * (LABEL_NAME_MAX_BYTES + LABEL_VALUE_MAX_BYTES));
	labels_format(put->labels, &text);
	pthread_mutex_lock(&store->lock);
	r = check_queue(store, err);
	if (r == 0)
		r = item_place(store, put, text.data, item, err);
	if (r == 0)
		item_note_times(item, put->profile->period);
	pthread_mutex_unlock(&store->lock);
	return r < 0 ? r : place_stacks(store, put->profile, item, err);
}

int sqlite_put(struct store *base, const struct store_profile *profile, store_done_fn *done,
	       void *ctx, struct err *err)
{
	struct sqlite_store *store = sqlite_store_of(base);
	struct item *item = xcalloc(1, sizeof(*item));
	int r;

	item->kind = ITEM_PROFILE;
	item->done = done;
	item->ctx = ctx;
	r = prepare(store, profile, item, err);
	pthread_mutex_lock(&store->lock);
	if (r == 0)
		enqueue(store, item);
	else
		store->counts.rejected++;
	pthread_mutex_unlock(&store->lock);
	if (r < 0)
		item_free(item);
	return r;
}

int sqlite_put_source(struct store *base, const char *tenant, const char *service,
		      const struct store_source *source, store_done_fn *done, void *ctx,
		      struct err *err)
{
	struct sqlite_store *store = sqlite_store_of(base);
	struct tenant *owner;
	struct item *item;
	int r;

	if (source->len > STORE_MAX_SOURCE_BYTES)
		return err_set(err, ERR_LIMIT, "%s has %zu bytes, sources at most %u", source->file,
			       source->len, STORE_MAX_SOURCE_BYTES);
	item = xcalloc(1, sizeof(*item));
	item->kind = ITEM_SOURCE;
	item->done = done;
	item->ctx = ctx;
	item->source_file = xstrdup(source->file);
	item->source_text = xcalloc(source->len + 1, 1);
	memcpy(item->source_text, source->text, source->len);
	item->source_len = source->len;
	item->source_time_ns = source->time_ns;
	item->bytes = sizeof(*item) + source->len;
	pthread_mutex_lock(&store->lock);
	r = check_queue(store, err);
	if (r == 0)
		r = catalogue_make_tenant(&store->catalogue, tenant, &owner, err);
	if (r == 0) {
		item->service = catalogue_make_service(&store->catalogue, owner, service);
		enqueue(store, item);
	}
	pthread_mutex_unlock(&store->lock);
	if (r < 0)
		item_free(item);
	return r;
}
