/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of what a query picks by id (store_query.pick): whole profiles, or what of them belongs to spans. */
#ifndef STORE_SQLITE_EXEMPLAR_SUM_H
#define STORE_SQLITE_EXEMPLAR_SUM_H

#include "store/sqlite/query.h"

struct exemplar_sums {
	struct accum accum;
	struct cover wall;
	int64_t covered_ns, n_profiles, n_samples;
	bool is_in_full_units; /* of the sample type; else in those that blocks are stored in */
};

/* Into sums that are all zero; release accum and wall. */
int exemplar_add_up(struct query *query, struct exemplar_sums *sums, struct err *err) nodiscard;

#endif
