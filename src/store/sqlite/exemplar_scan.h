/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What queries for exemplars and for picks by id share: what is picked, and reading it.
 *
 *	profiles	blocks of the finest level, by the name in their head
 *	spans		rows of the spans' files, each with the block that it belongs to: without it, it means nothing
 */
#ifndef STORE_SQLITE_EXEMPLAR_SCAN_H
#define STORE_SQLITE_EXEMPLAR_SCAN_H

#include "store/sqlite/query.h"

/* ---- exemplar_pick.c ---- */

struct exemplar_picks {
	struct exemplar_id *ids;
	struct exemplar_id_room *rooms;
	struct span_id *spans; /* sorted, as traces */
	struct trace_id *traces;
	size_t n_ids, n_spans, n_traces;
};

/* NULL picks everything.  In the arena. */
int exemplar_picks_read(const struct store_pick *pick, struct arena *arena,
			struct exemplar_picks *ret_picks, struct err *err) nodiscard;
bool exemplar_picks_profile(const struct exemplar_picks *picks, const struct exemplar_id *id);
bool exemplar_picks_span(const struct exemplar_picks *picks, const struct span *span);

/* ---- exemplar_scan.c ---- */

/* One that counts: its block is there. */
struct span_row {
	const struct series *series;
	struct exemplar_block block;
	struct exemplar_id profile_id;
	struct file_row row;
};

struct span_scan;
typedef int span_row_fn(struct span_scan *scan, struct span_row *row);

struct span_scan {
	struct query *query;
	const struct exemplar_picks *picks;
	span_row_fn *visit;
	void *ctx;
	struct err *err;
	bool begins_only;      /* rows that begin in the range; else those that overlap it */
	struct arena arena;    /* of one row */
	struct reader *blocks; /* of the day's profiles */
	int64_t longest_ns;
};

/* Every row of the query's series that the range asks for; negative ends it, as what `visit` returns. */
int span_scan_run(struct span_scan *scan) nodiscard;

/* Blocks of the finest level: `ctx` for `visit`, `wants_heads` as in struct scan_sink. */
int exemplar_scan_profiles(struct query *query, bool wants_heads, scan_fn *visit, void *ctx,
			   struct err *err) nodiscard;
/* What the profile of a block is called; in the room where it has no name. */
struct exemplar_id exemplar_id_of(const struct scanned *scanned, struct exemplar_id_room *room);

#endif
