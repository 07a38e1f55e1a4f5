/* SPDX-License-Identifier: Apache-2.0 */
/* Spans on their way to disk: packed by the thread that puts, written by the writer. */
#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/store_private.h"

#define MINUTE_NS (60 * NS_PER_S)

/* Back-filled profiles older than spans are kept have none. */
static bool is_too_old(const struct sqlite_store *store, const struct item *item)
{
	int64_t age =
		retention_age(store, item->series->family->service->tenant->name, LEVEL_SPANS);

	return age && item->start_ns + item->duration_ns < store_now_ns(store) - age;
}

/* How many spans the series may still have in that minute, which `n` are taken of. */
static uint32_t take_room(struct sqlite_store *store, struct series *series, int64_t at_ns,
			  uint32_t n)
{
	int64_t minute = at_ns / MINUTE_NS;
	struct span_count *count;
	uint32_t room;

	pthread_mutex_lock(&store->lock);
	if (!series->span_counts)
		series->span_counts = xcalloc(SPAN_MINUTES, sizeof(*series->span_counts));
	count = &series->span_counts[minute % SPAN_MINUTES];
	if (count->minute != minute)
		*count = (struct span_count){.minute = minute};
	room = min_of(n, store->config.max_spans_per_minute -
				 min_of(count->n, store->config.max_spans_per_minute));
	count->n += room;
	pthread_mutex_unlock(&store->lock);
	return room;
}

int exemplars_prepare(struct sqlite_store *store, const struct profile *profile,
		      const uint32_t *map, struct arena *arena, struct item *item, struct err *err)
{
	const struct exemplar_source source = {
		.spans = profile->spans,
		.map = map,
		.columns = item->columns,
		.n_columns = item->n_columns,
		.max_spans = is_too_old(store, item)
				     ? 0
				     : take_room(store, item->series, item->start_ns,
						 (uint32_t)profile->spans->n),
	};
	int r = exemplar_pack(&source, arena, &item->spans, err);

	if (r < 0)
		return r;
	item->bytes += item->spans.head.len + item->spans.data.len;
	pthread_mutex_lock(&store->lock);
	store->counts.spans += item->spans.n_spans;
	store->counts.span_samples_left_out += item->spans.n_left_out;
	pthread_mutex_unlock(&store->lock);
	return 0;
}

static bool has_spans_for(const struct item *item, const struct block_file *file)
{
	return item->file == file && item->spans.n_spans && !item->code && !item->is_written;
}

static int write_rows(struct open_file *handle, const struct block_file *file, struct item *items,
		      struct err *err)
{
	int r = file_begin(handle, err);

	for (struct item *item = items; item && r == 0; item = item->next) {
		if (!has_spans_for(item, file))
			continue;
		exemplar_pack_set_sum(&item->spans, item->first_sum);
		r = file_replace(handle, &item->first_block, &item->spans.head, &item->spans.data,
				 err);
	}
	return r == 0 ? file_commit(handle, err) : r;
}

int exemplars_write(struct sqlite_store *store, const struct block_file *file, struct item *items,
		    struct block_file **ret_blame, struct err *err)
{
	struct open_file *handle = NULL;
	struct block_file *spans_file;
	int r;

	/* Items of one file are of one tenant and day, so their spans go to one, too. */
	while (items && !has_spans_for(items, file))
		items = items->next;
	if (!items)
		return 0;
	spans_file = items->spans_file;
	r = files_open(&store->files, spans_file, &handle, err);
	if (r == 0) {
		r = write_rows(handle, file, items, err);
		if (r < 0)
			file_rollback(handle);
	}
	if (r < 0) {
		*ret_blame = spans_file;
		return r;
	}
	pthread_mutex_lock(&store->lock);
	if (spans_file->state == FILE_NEW) {
		spans_file->state = FILE_LIVE;
		spans_file->is_changed = true;
	}
	pthread_mutex_unlock(&store->lock);
	return 0;
}
