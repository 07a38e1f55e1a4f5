/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exemplars of a call: single profiles, or spans, that stand for the many in a point or a cell.
 *
 *	struct querier_exemplars found;
 *	r = querier_exemplars_find(call, STORE_EXEMPLAR_SPAN, range, &found, err);
 *	... found.items: by group, then by time ...
 *	querier_exemplars_done(&found);
 *
 * What several series tell of one profile (or span in it) is one exemplar: its value is their sum, its labels are those
 * that they have in common, but for the ones grouped by.  Bounded by QUERIER_MAX_EXEMPLARS, about 100 bytes each.
 */
#ifndef SERVER_QUERIER_EXEMPLARS_H
#define SERVER_QUERIER_EXEMPLARS_H

#include "base/map.h"
#include "server/querier.h"

#define QUERIER_MAX_EXEMPLARS 500000

/* types.v1.ExemplarType */
enum { EXEMPLAR_NONE = 1, EXEMPLAR_INDIVIDUAL = 2, EXEMPLAR_SPAN = 3 };

struct querier_exemplar {
	uint32_t group;
	struct span span;
	const char *profile_id;
	const struct labels *labels; /* of the series, or what several have in common */
	int64_t time_ns, value;
};

struct querier_exemplar_group {
	struct labels labels; /* of the group */
	const char *text;     /* canonical */
	size_t first, n;      /* items */
};

struct querier_exemplars {
	struct querier_exemplar *items;
	size_t n, cap;
	struct querier_exemplar_group *groups; /* by text */
	size_t n_groups, groups_cap;
	struct map64 group_of; /* labels of a series, by address -> group */
	struct querier *call;
	struct arena arena;
};

/* Grouped by the names of the call. */
int querier_exemplars_find(struct querier *call, enum store_exemplar_kind kind,
			   struct store_range range, struct querier_exemplars *ret_exemplars,
			   struct err *err) nodiscard;
void querier_exemplars_done(struct querier_exemplars *exemplars); /* all-zero is fine */

/* The one of most value in the group and time; NULL: none. */
const struct querier_exemplar *querier_exemplars_best(const struct querier_exemplars *exemplars,
						      const struct labels *group,
						      struct store_range range);
/* types.v1.Exemplar as that field. */
void querier_put_exemplar(struct querier *call, uint32_t number,
			  const struct querier_exemplar *exemplar);

#endif
