/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters into flows: what a cumulative profile counted since the one before it.
 *
 * Go's heap (alloc_*), mutex and block profiles count since the start of the program.  Of each series the
 * highest counts are kept, by stack; a profile then stands for what came since, from the time of the one before to
 * its own:
 *
 *	first of its series		is the base, counts nothing
 *	later than the base		counts the difference, is the base from then on
 *	lower somewhere (a restart)	is a new base, counts nothing
 *	not later than the base		counts nothing: what it knows is counted already
 *
 * Which profiles are cumulative: those that do not say otherwise.  Pyroscope's clients say __delta__="false" when
 * they send differences; what covers a duration is a difference as well (the Python SDK's memory profiles, Go's
 * with ?seconds=), since a counter has none.
 *
 *   1. A profile is taken when everything else of its request has been checked; if the store refuses it then,
 *      delta_undo() gives back what it counted, so that the client's next try, or the next profile, counts it.
 *   2. All is in memory, at most `max_bytes` a tenant: the series that waited longest for a profile
 *      goes first.  What is forgotten, by that or by a restart of the server, has its next profile as a base: what was
 *      counted between is missing, nothing is wrong or twice.
 *
 * Any thread may call these; a take costs a sort of the profile's stacks.
 */
#ifndef SERVER_DELTA_H
#define SERVER_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile/labels.h"
#include "profile/profile.h"

struct delta_table;

struct delta_table *delta_table_new(size_t max_bytes_per_tenant) nodiscard;
void delta_table_free(struct delta_table *table);

/*
 * Make `profile` what was counted since the base, its start the base's and its duration what lies between;
 * false: it counts nothing, and is not to be stored.  Labels are the series', with __name__.
 */
bool delta_take(struct delta_table *table, const char *tenant, const struct labels *labels,
		struct profile *profile) nodiscard;
/* The profile as delta_take() left it did not come to be stored. */
void delta_undo(struct delta_table *table, const char *tenant, const struct labels *labels,
		const struct profile *profile);

struct delta_stats {
	uint64_t series, bytes; /* now */
	/* Profiles, by what they were; and series forgotten for want of room. */
	uint64_t counted, bases, restarts, late, forgotten;
};
void delta_stats(struct delta_table *table, struct delta_stats *ret_stats);

#endif
