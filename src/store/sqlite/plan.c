/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which levels answer a range, per owner:
 *
 *	plan(L, range)	windows of L that are clean and lie in one step: read at L
 *			of a series, for totals, other clean windows that have tracks: by these
 *			the rest: plan(L - 1)
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

void plan_join(struct plan *plan, struct plan *other)
{
	plan->pieces =
		vec_grow(plan->pieces, &plan->cap, plan->n + other->n + 1, sizeof(*plan->pieces));
	for (size_t i = 0; i < other->n; i++)
		plan->pieces[plan->n++] = other->pieces[i];
	plan_done(other);
}

struct planner {
	struct plan *plan;
	const struct sqlite_store *store;
	const struct steps *steps;
	const struct tenant *tenant;
	uint32_t owner;
	int64_t longest_ns; /* of the series' profiles */
	bool has_tracks;
	/* A family's finest level are its members' plans. */
	struct series *const *members;
	size_t n_members;
};

/* Pieces that follow each other become one read. */
static void add_piece(const struct planner *planner, int level, enum piece_part part,
		      struct store_range range)
{
	struct plan *plan = planner->plan;
	struct piece *last = plan->n ? &plan->pieces[plan->n - 1] : NULL;

	if (last && last->owner == planner->owner && last->level == level && last->part == part &&
	    last->line == plan->line && last->dict == plan->dict &&
	    last->until_ns == range.from_ns) {
		last->until_ns = range.until_ns;
		return;
	}
	plan->pieces = vec_grow(plan->pieces, &plan->cap, plan->n + 1, sizeof(*plan->pieces));
	plan->pieces[plan->n++] = (struct piece){
		.owner = planner->owner,
		.level = level,
		.part = part,
		.from_ns = range.from_ns,
		.until_ns = range.until_ns,
		.longest_ns = level == LEVEL_FINE ? planner->longest_ns : levels[level].window_ns,
		.tenant = planner->tenant,
		.line = plan->line,
		.dict = plan->dict,
	};
}

static void plan_level(const struct planner *planner, int level, struct store_range range);

static void plan_members(const struct planner *family, struct store_range range)
{
	for (size_t i = 0; i < family->n_members; i++) {
		const struct series *series = family->members[i];
		struct planner member = *family;

		member.owner = owner_of_series(series);
		member.longest_ns = series->longest_ns;
		member.has_tracks = family->steps->needs_totals && !series->family->is_gauge;
		member.members = NULL;
		if (range.from_ns < series->last_ns && range.until_ns > series->first_ns)
			plan_level(&member, family->steps->max_level, range);
	}
}

/* What level + 1 could not answer. */
static void plan_finer(const struct planner *planner, int level, struct store_range range)
{
	int64_t expired = planner->tenant->expired_until_ns[level];

	if (range.from_ns < expired) {
		int64_t until = min_of(expired, range.until_ns);

		add_piece(planner, level + 1, PIECE_CUT,
			  (struct store_range){range.from_ns, until});
		range.from_ns = until;
	}
	if (range.from_ns < range.until_ns)
		plan_level(planner, level, range);
}

static bool is_clean(const struct planner *planner, int level, int64_t t_ns)
{
	return t_ns >= planner->tenant->expired_until_ns[level] &&
	       !dirty_is(&planner->store->dirty, planner->owner, level, t_ns);
}

static bool has_tracks(const struct planner *planner, int level)
{
	return planner->has_tracks && level > LEVEL_FINE && level < LEVEL_1D;
}

/* `part`: of the window at `t_ns`. */
static void plan_window(const struct planner *planner, int level, int64_t t_ns,
			struct store_range part)
{
	int64_t until = t_ns + levels[level].window_ns;
	bool is_whole = part.from_ns == t_ns && part.until_ns == until &&
			step_at(planner->steps, t_ns) == step_at(planner->steps, until - 1);

	if ((is_whole || has_tracks(planner, level)) && is_clean(planner, level, t_ns))
		add_piece(planner, level, is_whole ? PIECE_WHOLE : PIECE_TRACK, part);
	else
		plan_finer(planner, level - 1, part);
}

/* Recursion goes down one level each time: at most LEVEL_COUNT deep, twice for a family. */
static void plan_level(const struct planner *planner, int level, struct store_range range)
{
	int64_t window = levels[level].window_ns;

	if (level == LEVEL_FINE && planner->members) {
		plan_members(planner, range);
		return;
	}
	if (level == LEVEL_FINE) {
		add_piece(planner, LEVEL_FINE, PIECE_CUT, range);
		return;
	}
	for (int64_t t = level_window(level, range.from_ns); t < range.until_ns; t += window)
		plan_window(planner, level, t,
			    (struct store_range){max_of(t, range.from_ns),
						 min_of(t + window, range.until_ns)});
}

/* Where hardly a minute lies in one step, all of a family would be read and then its members, too. */
static bool steps_fit_windows(const struct steps *steps)
{
	int64_t minute = levels[LEVEL_1M].window_ns;

	return !steps->needs_totals || steps->n == 1 ||
	       (steps->from_ns % minute == 0 && steps->step_ns % minute == 0);
}

/*
 * A family's blocks are its members' where all that have data in the range are asked for: others come and go, as
 * containers do.
 */
static size_t count_in(struct series *const *members, size_t n, struct store_range range)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += range.from_ns < members[i]->last_ns &&
			 range.until_ns > members[i]->first_ns;
	return count;
}

void plan_family(struct plan *plan, const struct sqlite_store *store, const struct steps *steps,
		 struct series *const *members, size_t n_members, struct store_range range)
{
	const struct family *family = members[0]->family;
	struct planner planner = {
		.plan = plan,
		.store = store,
		.steps = steps,
		.tenant = family->service->tenant,
		.owner = owner_of_family(family),
		.members = members,
		.n_members = n_members,
	};

	if (family->is_rolled && steps_fit_windows(steps) &&
	    count_in(members, n_members, range) ==
		    count_in(family->members, family->n_members, range))
		plan_level(&planner, steps->max_level, range);
	else
		plan_members(&planner, range);
}

/*
 * The whole days that can hold anything of the members: a range "from the beginning" has fifty years of
 * windows to look at otherwise.  Days, so that no window is cut by it.  The store's lock is held.
 */
static struct store_range days_of(struct series *const *members, size_t n_members)
{
	int64_t day = levels[LEVEL_1D].window_ns;
	struct store_range all = {INT64_MAX, 0};

	for (size_t i = 0; i < n_members; i++) {
		all.from_ns = min_of(all.from_ns, members[i]->first_ns);
		all.until_ns = max_of(all.until_ns, members[i]->last_ns);
	}
	all.from_ns -= all.from_ns % day;
	if (all.until_ns <= INT64_MAX - day)
		all.until_ns += day - all.until_ns % day;
	return all;
}

void plan_series(struct plan *plan, struct sqlite_store *store, struct series *const *members,
		 size_t n_members, const struct steps *steps)
{
	pthread_mutex_lock(&store->lock);
	for (size_t i = 0, end; i < n_members; i = end) {
		struct store_range range;

		for (end = i + 1; end < n_members && members[end]->family == members[i]->family;
		     end++)
			;
		range = days_of(&members[i], end - i);
		range.from_ns = max_of(range.from_ns, steps->range.from_ns);
		range.until_ns = min_of(range.until_ns, steps->range.until_ns);
		if (range.from_ns < range.until_ns)
			plan_family(plan, store, steps, &members[i], end - i, range);
	}
	pthread_mutex_unlock(&store->lock);
}
