/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: every profile, any time range, at the price of a few dozen blocks.
 *
 * One interface; `store/sqlite` implements it (others follow).  What holds for every
 * implementation:
 *
 *   1. A put is durable when its callback says so, and only then is an upload acknowledged.
 *   2. A profile's identity is (tenant, id), and a repeat carries the same start; a second put of
 * it counts as done (ERR_DUPLICATE) and changes nothing.  Content is never identity.
 *   3. Values are kept in their unit; times in whole microseconds with the remainder carried: the
 * sums over any set of adjoining ranges equal the sum over the whole.
 *   4. A profile of duration d is spread over its d, whatever the borders of blocks: of a value v
 * the time [start, start + e) holds v * e / d, rounded (store/spread.h).  Which level answers a
 *      query never changes its answer.
 *      A profile without a value type that its series has elsewhere counts as zero of it.
 *   5. Blocks know the nanoseconds they cover and how many profiles began in them: gaps differ from
 *      zero.  Gauges are not spread: each counts whole where it begins, and averages are sums of
 *      levels over numbers of profiles.
 *   6. Reading a range costs the blocks of its coarsest fitting levels: 10 s, 1 min, 10 min, 1 h, 1
 * d, per series and, from 4 series up, per service.
 *   7. A profile has a name (its id, as the client knows it), and its samples may name spans and traces
 * (profile/spans.h).  Both are kept beside the finest level, spans for a short time (span_age_ns), and are
 * what exemplars and selections by id (struct store_pick) are made of.  They are durable with their profile,
 * never without it.  A selection takes whole profiles, all that overlap the range: when in its profile a span was at
 * work nobody knows, so nothing is spread.  Spans past the bounds (SPANS_MAX of a profile, max_spans_per_minute of a
 * series) are counted, and their samples are in every other answer.
 *
 * Threads: any thread may put and query; a store has one writer thread of its own.  Strings passed
 * in are copied when kept.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "profile/labels.h"
#include "profile/profile.h"

#define STORE_TENANT_DEFAULT "anonymous"
#define STORE_TENANT_MAX_BYTES 150
#define STORE_TENANT_BETWEEN '|' /* no tenant's name has it */
#define STORE_MAX_TENANTS 16	 /* of one query */
#define STORE_ID_MAX_BYTES 64
#define STORE_MAX_DURATION_NS (24 * 3600 * 1000000000ll)
#define STORE_MAX_STEPS 20000
#define STORE_MAX_SOURCE_BYTES (2u << 20)
#define STORE_LEVELS 5
#define STORE_MAX_JOBS 100

struct store;

struct store_profile {
	const char *tenant;
	const char *id; /* from the client; NULL: none, never deduplicated */
	/* What exemplars call it, up to STORE_ID_MAX_BYTES; NULL: `id`, else a name that the store makes up. */
	const char *profile_id;
	const struct labels *labels;   /* with service_name and __name__ */
	const struct profile *profile; /* columns, period, start_ns, duration_ns (> 0), spans */
	bool is_gauge; /* values are levels (heap in use), not flows: ranges average them */
};

/* 0, ERR_DUPLICATE (as good as 0), or what went wrong; called once, from the writer thread. */
typedef void store_done_fn(void *ctx, int code, const char *text);

struct store_range {
	int64_t from_ns, until_ns; /* [from, until) in real time */
};

/*
 * Only profiles of these names, and of them only samples of these spans and traces; an empty list is no
 * condition.  UUIDs are equal with dashes and without.
 */
struct store_pick {
	const char *const *profile_ids;
	const struct span_id *spans;
	const struct trace_id *traces;
	size_t n_profile_ids, n_spans, n_traces;
};
#define STORE_PICK_MAX 1024 /* of each list */

struct store_query {
	const char *tenant; /* or several, "one|two": the sum of their data; delete() wants one */
	const struct selector *selector; /* __profile_type__ and labels */
	const struct store_pick *pick;	 /* of merge() and exemplars(); NULL: everything */
	struct store_range range;
	int64_t deadline_ns;	  /* monotonic; 0: none.  Past it -ETIME */
	const bool *is_cancelled; /* set by another thread; may be NULL */
};

struct store_series {
	struct labels labels;
	const char *profile_type; /* name:sample_type:sample_unit:period_type:period_unit */
	bool is_gauge;
	int64_t first_ns, last_ns;
};

struct store_point {
	int64_t time_ns;    /* left edge of the step */
	int64_t value;	    /* flow: sum in the step; gauge: sum of levels, divide by n_profiles */
	int64_t covered_ns; /* summed over series; 0: nothing is known, which is not a value of 0 */
	int64_t wall_ns;    /* part of the step in which at least one series has data */
	int64_t n_profiles; /* that began in the step; of a gauge, what `value` is the sum of */
};

struct store_line {
	struct labels group; /* the values of group_by */
	struct store_point *points;
	size_t n;
};

struct store_merged {
	struct profile
		*profile;    /* column 0: the value, states united; more per state where known */
	struct names *names; /* what profile borrows; both are the caller's: store_merged_done() */
	int64_t covered_ns;  /* summed over series: value / covered = mean cores of one series */
	int64_t wall_covered_ns; /* time of the range in which at least one series has data */
	int64_t n_profiles;
	uint32_t n_series;
	bool is_gauge;	   /* the values are levels, and the profile holds their sums */
	uint32_t n_blocks; /* read for it, for the status line */
	bool is_partial;   /* a damaged block was left out; `missing` says which ranges, sorted */
	struct store_range *missing;
	size_t n_missing;
};

enum store_exemplar_kind {
	STORE_EXEMPLAR_PROFILE, /* each profile that begins in the range */
	STORE_EXEMPLAR_SPAN,	/* each span in each of them */
};

/* All of it is borrowed until the callback returns. */
struct store_exemplar {
	const struct labels *labels; /* of the series */
	const char *profile_id;	     /* as UUID where it is one */
	struct span_id span;	     /* of spans; may be none where only the trace is known */
	struct trace_id trace;
	int64_t time_ns; /* where the profile begins */
	int64_t value;	 /* of the asked type, over all states, of the profile or the span in it */
};

/* In no order.  Anything but 0 ends the query, which returns it. */
typedef int store_exemplar_fn(void *ctx, const struct store_exemplar *exemplar, struct err *err);

struct store_exemplar_sum {
	uint64_t n; /* that were told */
	uint64_t
		n_left_out; /* samples of spans past the bounds, in the profiles that were looked at */
	bool is_partial;    /* something damaged was left out */
};

struct store_source {
	const char *file;
	const char *text;
	size_t len;
	int64_t time_ns; /* when it was sent */
};

/*
 * Deleting by selector goes on in the background: between a delete and the end of its job, queries show
 * more and more of it gone; what comes meanwhile may stay or go.  A job outlives a restart.  An id of a
 * deleted profile stays known: a repeat does not bring it back.
 */
enum store_job_state { STORE_JOB_WAITING, STORE_JOB_RUNNING, STORE_JOB_DONE, STORE_JOB_FAILED };

struct store_job {
	uint64_t id;
	enum store_job_state state;
	const char *tenant, *selector; /* as text */
	struct store_range range;
	uint32_t n_series;
	uint64_t files_done, files_all; /* progress: block files looked through */
	uint64_t profiles;		/* deleted */
	const char *error;		/* of a failed one, else "" */
};

/* What is damaged, and so left out of answers: found since the start, or set aside before. */
struct store_damage {
	const char *file;  /* below the store's directory */
	const char *level; /* "10s" */
	const char *
		owner; /* labels of the block's series, or the service of a roll-up; "": all of the file */
	struct store_range range; /* the time that it held, or may have held */
};
#define STORE_MAX_DAMAGE 1000 /* listed; all are counted */

struct store_stats {
	uint64_t puts, duplicates, rejected, commits;
	uint64_t blocks, bytes_on_disk, series, stack_nodes, strings;
	uint64_t spans, span_samples_left_out; /* kept, and past the bounds, since the start */
	uint64_t queue_depth;
	uint64_t damaged_blocks; /* found since the start, each once; left out of answers */
	uint64_t damaged_files;	 /* set aside: what was in them is missing from answers */
	int64_t oldest_ns, newest_ns;
	bool is_full;	/* reads go on, puts fail with -ENOSPC until there is room again */
	bool is_failed; /* the disk failed: reads go on, no put is acknowledged until a restart */
};

struct store_ops {
	/*
	 * Queue one profile.  The store takes what it needs before it returns; `done` follows
	 * later. Fails at once (done is not called) with -EAGAIN when the queue is full, ERR_LIMIT
	 * (labels, series), ERR_USAGE (duration, time outside the window), -ENOSPC.
	 */
	int (*put)(struct store *store, const struct store_profile *profile, store_done_fn *done,
		   void *ctx, struct err *err);
	/* Series that have data in the range, sorted by label text, in the arena. */
	int (*series)(struct store *store, const struct store_query *query, struct arena *arena,
		      struct store_series **ret_series, size_t *ret_n, struct err *err);
	/*
	 * Sums per step and group; steps are aligned to `step_ns` from range.from_ns, the last may
	 * be short.  Costs the totals of an hour's profiles for each series and hour, wherever steps
	 * begin; those of a whole service in steps of whole minutes its own windows.  A step of a gauge in which no profile
	 * begins repeats the one before.  At most STORE_MAX_STEPS.
	 */
	int (*timeline)(struct store *store, const struct store_query *query, int64_t step_ns,
			const char *const *group_by, size_t n_group_by, struct arena *arena,
			struct store_line **ret_lines, size_t *ret_n, struct err *err);
	/*
	 * One profile of everything that matches, spread at the edges of the range.  ERR_USAGE when
	 * the selector matches profiles of more than one type; an empty profile when it matches
	 * none.
	 */
	int (*merge)(struct store *store, const struct store_query *query,
		     struct store_merged *ret_merged, struct err *err);
	/* Of one type, as merge(): ERR_USAGE.  Costs the 10 s level of the range. */
	int (*exemplars)(struct store *store, const struct store_query *query,
			 enum store_exemplar_kind kind, store_exemplar_fn *tell, void *ctx,
			 struct store_exemplar_sum *ret_sum, struct err *err);
	/*
	 * Source text of a service's files, newest per file (and of several tenants); len 0 when it was never
	 * sent.
	 */
	int (*put_source)(struct store *store, const char *tenant, const char *service,
			  const struct store_source *source, store_done_fn *done, void *ctx,
			  struct err *err);
	int (*get_source)(struct store *store, const char *tenant, const char *service,
			  const char *file, struct arena *arena, struct store_source *ret_source,
			  struct err *err);
	/*
	 * Delete the profiles of the tenant that match (deadline and cancel are not looked at) and begin
	 * within the range; a long one that is kept in pieces of ten minutes, by piece.  Where only sums
	 * are left, those windows that lie in the range whole.  Returns when the job is on disk; ERR_LIMIT
	 * when STORE_MAX_JOBS wait already.
	 */
	int (*delete)(struct store *store, const struct store_query *query, uint64_t *ret_job,
		      struct err *err);
	/* Jobs of the tenant, the newest first, with the last STORE_MAX_JOBS that are over. */
	int (*jobs)(struct store *store, const char *tenant, struct arena *arena,
		    struct store_job **ret_jobs, size_t *ret_n, struct err *err);
	/* Of the tenant, at most STORE_MAX_DAMAGE, the files first. */
	int (*damage)(struct store *store, const char *tenant, struct arena *arena,
		      struct store_damage **ret_damage, size_t *ret_n, struct err *err);
	void (*stats)(struct store *store, struct store_stats *ret_stats);
	/* Finish what is queued, write everything, stop the writer, free. */
	void (*close)(struct store *store);
};

struct store {
	const struct store_ops *ops;
};

void store_merged_done(struct store_merged *merged); /* all-zero is fine */

/*
 * How long, and how much.  Per level 10 s, 1 min, 10 min, 1 h, 1 d; 0: no limit.  What goes is whole files
 * (a day or a month), the oldest first, and never one that is still written or not yet summed up in the
 * next level: sizes are what is aimed at, not a quota.
 */
struct store_retention {
	int64_t age_ns[STORE_LEVELS];
	int64_t max_bytes[STORE_LEVELS]; /* of one tenant's files of the level */
	int64_t max_total_bytes;	 /* of one tenant: the finest level gives way first */
	int64_t span_age_ns;		 /* of spans: 2 days; never longer than the 10 s level */
};

struct store_tenant_retention {
	const char *tenant;
	struct store_retention retention;
};

struct store_config {
	const char *dir;
	struct store_retention retention;	      /* of tenants that have none of their own */
	const struct store_tenant_retention *tenants; /* borrowed until close */
	size_t n_tenants;
	uint32_t max_series;		 /* per tenant, 5,000 */
	uint32_t max_stack_nodes;	 /* per service and generation, 1,000,000 */
	int64_t accept_future_ns;	 /* 10 min */
	uint32_t max_spans_per_minute;	 /* and series, 20,000; 0: no spans are kept */
	const struct store_clock *clock; /* NULL: the system's */
	const struct store_io *io;	 /* NULL: the system's; tests inject faults */
};

/* The documented defaults, for a directory. */
void store_config_init(struct store_config *config, const char *dir);
/* Is this unit a time that is kept in whole microseconds ("nanoseconds")? */
bool store_unit_is_time(const char *unit);

/* Time as the store sees it; tests turn it. */
struct store_clock {
	int64_t (*now_ns)(void *ctx);
	void *ctx;
};

#endif
