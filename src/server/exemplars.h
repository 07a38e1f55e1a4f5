/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exemplars: single profiles, or spans, that stand for the many in a point or a cell.
 *
 *	struct exemplars found;
 *	r = exemplars_find(store, &query, STORE_EXEMPLAR_SPAN, &group_by, &found, err);
 *	... found.items: by group, then by time ...
 *	exemplars_done(&found);
 *
 * What several series tell of one profile (or span in it) is one exemplar: its value is their sum, its labels are those
 * that they have in common.  Bounded by EXEMPLARS_MAX, about 100 bytes each.  Labels are borrowed from the store.
 */
#ifndef SERVER_EXEMPLARS_H
#define SERVER_EXEMPLARS_H

#include "base/map.h"
#include "store/store.h"

#define EXEMPLARS_MAX 500000

/* What to group by; borrowed. */
struct label_names {
	const char *const *items;
	size_t n;
};
bool label_names_have(const struct label_names *names, const char *name);

struct exemplar {
	uint32_t group;
	struct span span;
	const char *profile_id;
	const struct labels *labels; /* of the series, or what several have in common */
	int64_t time_ns, value;
};

struct exemplar_group {
	struct labels labels; /* of the group */
	const char *text;     /* canonical */
	size_t first, n;      /* items */
};

struct exemplars {
	struct exemplar *items;
	size_t n, cap;
	struct exemplar_group *groups; /* by text */
	size_t n_groups, groups_cap;
	struct map64 group_of; /* labels of a series, by address -> group */
	struct label_names group_by;
	uint64_t n_left_out; /* samples of spans past the store's bounds */
	bool is_partial;     /* something damaged was left out */
	struct arena arena;
};

int exemplars_find(struct store *store, const struct store_query *query,
		   enum store_exemplar_kind kind, const struct label_names *group_by,
		   struct exemplars *ret_exemplars, struct err *err) nodiscard;
void exemplars_done(struct exemplars *exemplars); /* all-zero is fine */

/* The one of most value in the group and time; NULL: none. */
const struct exemplar *exemplars_best(const struct exemplars *exemplars, const struct labels *group,
				      struct store_range range);

#endif
