/* SPDX-License-Identifier: Apache-2.0 */
/* Which profiles, spans and traces a query wants. */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/exemplar_scan.h"

static int by_span(const void *a, const void *b)
{
	const struct span_id *x = a, *y = b;

	return (x->v > y->v) - (x->v < y->v);
}

static int by_trace(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct trace_id));
}

static void *sorted(const void *items, size_t n, size_t bytes,
		    int (*compare)(const void *a, const void *b), struct arena *arena)
{
	void *copy = arena_array(arena, n + 1, bytes);

	if (n) {
		memcpy(copy, items, n * bytes);
		qsort(copy, n, bytes, compare);
	}
	return copy;
}

int exemplar_picks_read(const struct store_pick *pick, struct arena *arena,
			struct exemplar_picks *ret_picks, struct err *err)
{
	struct exemplar_picks picks = {0};

	if (!pick) {
		*ret_picks = picks;
		return 0;
	}
	if (max_of(pick->n_profile_ids, max_of(pick->n_spans, pick->n_traces)) > STORE_PICK_MAX)
		return err_set(err, ERR_LIMIT, "more than %d ids are asked for", STORE_PICK_MAX);
	picks.n_ids = pick->n_profile_ids;
	picks.ids = arena_array(arena, picks.n_ids + 1, sizeof(*picks.ids));
	picks.rooms = arena_array(arena, picks.n_ids + 1, sizeof(*picks.rooms));
	for (size_t i = 0; i < picks.n_ids; i++)
		picks.ids[i] = exemplar_id_parse(pick->profile_ids[i], &picks.rooms[i]);
	picks.n_spans = pick->n_spans;
	picks.spans = sorted(pick->spans, pick->n_spans, sizeof(*pick->spans), by_span, arena);
	picks.n_traces = pick->n_traces;
	picks.traces = sorted(pick->traces, pick->n_traces, sizeof(*pick->traces), by_trace, arena);
	*ret_picks = picks;
	return 0;
}

bool exemplar_picks_profile(const struct exemplar_picks *picks, const struct exemplar_id *id)
{
	for (size_t i = 0; i < picks->n_ids; i++)
		if (exemplar_id_equal(&picks->ids[i], id))
			return true;
	return !picks->n_ids;
}

bool exemplar_picks_span(const struct exemplar_picks *picks, const struct span *span)
{
	return (!picks->n_spans ||
		bsearch(&span->id, picks->spans, picks->n_spans, sizeof(span->id), by_span)) &&
	       (!picks->n_traces || bsearch(&span->trace, picks->traces, picks->n_traces,
					    sizeof(span->trace), by_trace));
}
