/* SPDX-License-Identifier: Apache-2.0 */
/* Exemplars: each profile, or each span in it, by itself. */
#include "base/cleanup.h"
#include "store/sqlite/exemplar_scan.h"

struct exemplar_told {
	store_exemplar_fn *tell;
	void *ctx;
	struct store_exemplar_sum sum;
	struct err *err;
	struct err own; /* of who is told: scans have words of their own */
};

static int tell(struct exemplar_told *told, const struct store_exemplar *exemplar)
{
	int r;

	told->sum.n++;
	r = told->tell(told->ctx, exemplar, &told->own);
	if (r < 0)
		told->own.code = r;
	return r;
}

static int64_t in_unit(int64_t value, int64_t unit)
{
	int64_t product;

	return __builtin_mul_overflow(value, unit, &product) ? INT64_MAX : product;
}

/* Whole profiles, of the names that are picked. */
struct profile_telling {
	const struct exemplar_picks *picks;
	struct exemplar_told *told;
};

static int tell_profile(struct query *query, struct scanned *scanned, void *ctx)
{
	struct profile_telling *scan = ctx;
	const struct block *block = &scanned->block;
	const struct series *series = query_series_of(query, scanned->piece->owner);
	struct store_exemplar exemplar = {.time_ns = block->key.t_ns};
	struct exemplar_id_room room;
	struct exemplar_id id = exemplar_id_of(scanned, &room);
	char name[EXEMPLAR_ID_TEXT_BYTES];

	if (scanned->piece->level != LEVEL_FINE || block->key.t_ns < query->ask->range.from_ns ||
	    !series || !exemplar_picks_profile(scan->picks, &id))
		return 0;
	exemplar.labels = &series->labels;
	for (size_t c = 0; c < block->n_columns; c++) {
		const struct column *column = query_kind(query, block->columns[c]);

		if (column)
			exemplar.value = sum_of(exemplar.value,
						in_unit(block->totals[c], column->unit_scale));
	}
	exemplar_id_format(&id, name);
	exemplar.profile_id = name;
	return tell(scan->told, &exemplar);
}

static int tell_spans(struct span_scan *scan, struct span_row *row)
{
	struct exemplar_told *told = scan->ctx;
	const struct exemplar_block *block = &row->block;
	char name[EXEMPLAR_ID_TEXT_BYTES];
	int r = 0;

	exemplar_id_format(&row->profile_id, name);
	told->sum.n_left_out += block->n_left_out;
	for (uint32_t i = 0; i < block->n_spans && r == 0; i++) {
		struct store_exemplar exemplar = {
			.labels = &row->series->labels,
			.profile_id = name,
			.span = block->spans[i].id,
			.trace = block->spans[i].trace,
			.time_ns = row->row.key.t_ns,
		};

		if (!exemplar_picks_span(scan->picks, &block->spans[i]))
			continue;
		for (size_t c = 0; c < block->n_columns; c++)
			if (query_kind(scan->query, block->columns[c]))
				exemplar.value =
					sum_of(exemplar.value,
					       in_unit(block->totals[i * block->n_columns + c],
						       block->units[c]));
		if (exemplar.value)
			r = tell(told, &exemplar);
	}
	return r;
}

static int tell_all(struct query *query, enum store_exemplar_kind kind, struct exemplar_told *told)
{
	cleanup(arena_done) struct arena arena;
	struct exemplar_picks picks;
	struct profile_telling profiles = {.picks = &picks, .told = told};
	struct span_scan spans = {.query = query,
				  .picks = &picks,
				  .visit = tell_spans,
				  .ctx = told,
				  .err = told->err,
				  .begins_only = true};
	int r;

	arena_init(&arena);
	r = exemplar_picks_read(query->ask->pick, &arena, &picks, told->err);
	if (r < 0)
		return r;
	r = kind == STORE_EXEMPLAR_SPAN
		    ? span_scan_run(&spans)
		    : exemplar_scan_profiles(query, true, tell_profile, &profiles, told->err);
	if (r < 0 && told->own.code == r)
		return err_set(told->err, r, "%s", told->own.text);
	return r;
}

int sqlite_exemplars(struct store *base, const struct store_query *ask,
		     enum store_exemplar_kind kind, store_exemplar_fn *tell_fn, void *ctx,
		     struct store_exemplar_sum *ret_sum, struct err *err)
{
	struct exemplar_told told = {.tell = tell_fn, .ctx = ctx, .err = err};
	struct query query;
	int r = query_begin(&query, sqlite_store_of(base), ask, true, err);

	if (r == 0)
		r = tell_all(&query, kind, &told);
	told.sum.is_partial = query.missing.n > 0;
	query_end(&query);
	if (r == 0)
		*ret_sum = told.sum;
	return r;
}
