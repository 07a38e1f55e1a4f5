/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sample types of an upload mean: the metric's name, which are levels (gauges), and what the
 * counts of text formats stand for.  The rules are Pyroscope's, so that its clients find their data
 * under the names they expect; where those are marked as bugs ("example.com" is an application, not
 * the unknown profile type "com"), the rule is repaired.
 */
#ifndef SERVER_SAMPLE_TYPES_H
#define SERVER_SAMPLE_TYPES_H

#include "profile/profile.h"
#include "server/upload.h"

/*
 * "process_cpu", "wall", "memory", …: by the first sample type that says, under the name that the client's
 * sample_type_config shows it by.  The types themselves keep their names, as at Pyroscope's.
 */
const char *sample_types_metric(const struct profile *profile, const struct upload_type *types);
/* Of one sample type; NULL: no rule knows it. */
const char *sample_types_metric_of(const char *type);
/* By the beginning of the text: the sample type, and what may follow it in a profile type. */
bool sample_types_is_level(const char *type);
/* Bits of the columns that are levels. */
uint64_t sample_types_gauges(const struct profile *profile, const struct upload_type *types,
			     bool is_all);
/*
 * Bits of the columns that count since a program began: those of which the types say so; with `may_be` also those that
 * Go's heap, mutex and block profiles have.
 */
uint64_t sample_types_counters(const struct profile *profile, const char *metric,
			       const struct upload_type *types, bool may_be);
/*
 * Each of these characters in a type or unit becomes '_': ':' (perf's "cycles:u") tells the five parts of a profile type
 * apart.
 */
void sample_types_tidy(struct profile *profile, const char *unwanted);
bool sample_types_are_all(const struct profile *profile, uint64_t columns);
/* Copy the columns of the bit set, with all of the tree, into an empty profile of the same names. */
void sample_types_take(const struct profile *from, uint64_t columns, struct profile *into);
/*
 * Of a profile without times the first column, if it counts, becomes the unit's type, its counts values; times are
 * CPU's or wall's, and stay.  Returns the metric.
 */
const char *sample_types_name_counts(struct profile *profile, const struct upload_unit *unit);

/*
 * The unit of collapsed text: by the last part of the application's name ("app.cpu"), which is cut off
 * `app` then, else by the parameter `units`.
 */
void sample_types_of_text(char *app, const char *units, int64_t rate_hz,
			  struct upload_unit *ret_unit);

#endif
