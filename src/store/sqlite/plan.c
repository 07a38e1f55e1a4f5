/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which levels answer a range, per owner:
 *
 *	plan(L, range)	whole windows of L inside the range that are clean: read at L
 *			windows that are not, and the ends: plan(L - 1)
 *	plan(finest)	read, divided at the ends
 *
 * where data of L - 1 has expired, the window of L is read and divided instead.
 */
#include <stdlib.h>

#include "base/vec.h"
#include "store/sqlite/query.h"

void plan_done(struct plan *plan)
{
	free(plan->pieces);
	*plan = (struct plan){0};
}

/* Pieces that follow each other become one read. */
static void add_piece(struct plan *plan, struct piece piece)
{
	struct piece *last = plan->n ? &plan->pieces[plan->n - 1] : NULL;

	if (piece.from_ns >= piece.until_ns)
		return;
	if (last && last->owner == piece.owner && last->level == piece.level &&
	    last->is_cut == piece.is_cut && last->until_ns == piece.from_ns) {
		last->until_ns = piece.until_ns;
		return;
	}
	plan->pieces = vec_grow(plan->pieces, &plan->cap, plan->n + 1, sizeof(piece));
	plan->pieces[plan->n++] = piece;
}

struct planner {
	struct plan *plan;
	const struct sqlite_store *store;
	const struct tenant *tenant;
	uint32_t owner;
	/* A family's finest level are its members' plans. */
	struct series *const *members;
	size_t n_members;
	int max_level;
};

static void plan_level(const struct planner *planner, int level, struct store_range range);

static void plan_members(const struct planner *family, struct store_range range)
{
	for (size_t i = 0; i < family->n_members; i++) {
		struct planner member = *family;

		member.owner = owner_of_series(family->members[i]);
		member.members = NULL;
		if (range.from_ns < family->members[i]->last_ns &&
		    range.until_ns > family->members[i]->first_ns)
			plan_level(&member, family->max_level, range);
	}
}

/* What level + 1 could not answer. */
static void plan_finer(const struct planner *planner, int level, struct store_range range)
{
	int64_t expired = planner->tenant->expired_until_ns[level];

	if (range.from_ns >= range.until_ns)
		return;
	if (range.from_ns < expired) {
		int64_t until = min_of(expired, range.until_ns);

		add_piece(planner->plan,
			  (struct piece){planner->owner, level + 1, true, range.from_ns, until});
		range.from_ns = until;
	}
	if (range.from_ns < range.until_ns)
		plan_level(planner, level, range);
}

static bool is_usable(const struct planner *planner, int level, int64_t t_ns)
{
	return t_ns >= planner->tenant->expired_until_ns[level] &&
	       !dirty_is(&planner->store->dirty, planner->owner, level, t_ns);
}

/* Recursion goes down one level each time: at most LEVEL_COUNT deep, twice for a family. */
static void plan_level(const struct planner *planner, int level, struct store_range range)
{
	int64_t window = levels[level].window_ns, t;

	if (level == LEVEL_FINE) {
		if (planner->members)
			plan_members(planner, range);
		else
			add_piece(planner->plan, (struct piece){planner->owner, LEVEL_FINE, true,
								range.from_ns, range.until_ns});
		return;
	}
	t = level_window(level, range.from_ns + window - 1);
	if (t + window > range.until_ns) {
		plan_finer(planner, level - 1, range);
		return;
	}
	plan_finer(planner, level - 1, (struct store_range){range.from_ns, t});
	for (; t + window <= range.until_ns; t += window) {
		if (is_usable(planner, level, t))
			add_piece(planner->plan,
				  (struct piece){planner->owner, level, false, t, t + window});
		else
			plan_finer(planner, level - 1, (struct store_range){t, t + window});
	}
	plan_finer(planner, level - 1, (struct store_range){t, range.until_ns});
}

void plan_family(struct plan *plan, const struct sqlite_store *store, const struct family *family,
		 struct series *const *members, size_t n_members, int max_level,
		 struct store_range range)
{
	struct planner planner = {
		.plan = plan,
		.store = store,
		.tenant = family->service->tenant,
		.owner = owner_of_family(family),
		.members = members,
		.n_members = n_members,
		.max_level = max_level,
	};

	if (n_members == family->n_members && family->is_rolled)
		plan_level(&planner, max_level, range);
	else
		plan_members(&planner, range);
}
