/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/exemplar_sum.h"

#include "base/cleanup.h"
#include "store/sqlite/exemplar_scan.h"

struct adding {
	struct exemplar_sums *sums;
	const struct query *query;
	const struct exemplar_picks *picks;
	const struct span_row *row;
};

static void note_profile(struct exemplar_sums *sums, const struct block_key *key, int64_t n_samples)
{
	sums->covered_ns += key->len_ns;
	sums->n_samples += n_samples;
	cover_add(&sums->wall, key->t_ns, key->t_ns + key->len_ns);
}

static int add_span(void *ctx, uint32_t span, const struct block *values)
{
	const struct adding *adding = ctx;
	const struct query *query = adding->query;
	struct block block = *values;
	struct accum_part whole = {.until_ns = adding->row->row.key.len_ns,
				   .is_whole = true,
				   .columns = query->columns,
				   .n_columns = query->n_columns};

	block.key = adding->row->row.key;
	if (exemplar_picks_span(adding->picks, &adding->row->block.spans[span]))
		accum_add(&adding->sums->accum, &block, &whole);
	return 0;
}

static int add_spans(struct span_scan *scan, struct span_row *row)
{
	struct exemplar_sums *sums = scan->ctx;
	struct adding adding = {sums, scan->query, scan->picks, row};
	bool any = false;

	for (uint32_t i = 0; i < row->block.n_spans && !any; i++)
		any = exemplar_picks_span(scan->picks, &row->block.spans[i]);
	if (!any)
		return 0;
	note_profile(sums, &row->row.key, 0);
	sums->n_profiles++;
	file_row_data(&row->row);
	return exemplar_block_read_data(&row->block, row->row.data, row->row.data_len,
					&scan->query->room, add_span, &adding);
}

/* Whole profiles, of the names that are picked. */
struct profile_sums {
	const struct exemplar_picks *picks;
	struct exemplar_sums *sums;
};

static int add_profile(struct query *query, struct scanned *scanned, void *ctx)
{
	struct profile_sums *scan = ctx;
	struct accum_part whole = {.until_ns = scanned->block.key.len_ns,
				   .is_whole = true,
				   .columns = query->columns,
				   .n_columns = query->n_columns};
	struct exemplar_id_room room;
	struct exemplar_id id = exemplar_id_of(scanned, &room);
	int r;

	if (scanned->piece->level != LEVEL_FINE || !exemplar_picks_profile(scan->picks, &id))
		return 0;
	r = query_read_data(query, scanned);
	if (r < 0)
		return r;
	accum_add(&scan->sums->accum, &scanned->block, &whole);
	note_profile(scan->sums, &scanned->block.key, scanned->block.n_samples);
	scan->sums->n_profiles += scanned->block.n_profiles;
	return 0;
}

int exemplar_add_up(struct query *query, struct exemplar_sums *sums, struct err *err)
{
	cleanup(arena_done) struct arena arena;
	struct exemplar_picks picks;
	struct profile_sums profiles = {.picks = &picks, .sums = sums};
	struct span_scan spans = {
		.query = query, .picks = &picks, .visit = add_spans, .ctx = sums, .err = err};
	int r;

	arena_init(&arena);
	r = exemplar_picks_read(query->ask->pick, &arena, &picks, err);
	if (r < 0)
		return r;
	sums->is_in_full_units = picks.n_spans || picks.n_traces;
	return sums->is_in_full_units
		       ? span_scan_run(&spans)
		       : exemplar_scan_profiles(query, false, add_profile, &profiles, err);
}
