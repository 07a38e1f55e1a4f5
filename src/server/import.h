/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Import: what another Pyroscope (or Pyrometer) holds, asked for by its query API and pushed to a server.
 *
 *	ProfileTypes ─▶ Series of each type ─▶ SelectSeries: which steps have data ─▶ SelectMergeProfile of each ─▶ Push
 *
 *   1. Steps are aligned to the epoch, and a profile's ID is made of its series, its type and its step: what is imported
 *      twice counts once, however often an import is broken off.
 *   2. Only steps that are over by IMPORT_SETTLE_NS are asked for: what still grows would be kept as it was.
 *   3. Work goes from old to new in spans of six hours.  `state_file` says up to where all is done, so
 *      that a second run goes on there.
 *   4. Levels (heap in use, goroutines), which a merge adds up, are divided by their number again.
 *   5. One request at a time to either side; answers are bounded.
 */
#ifndef SERVER_IMPORT_H
#define SERVER_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define IMPORT_DEFAULT_STEP_NS (60 * 1000000000ll)
#define IMPORT_SETTLE_NS (120 * 1000000000ll)

struct import_side {
	const char *url;    /* http://user:password@host:port/prefix */
	const char *tenant; /* X-Scope-OrgID; NULL: none */
	const char *token;  /* Authorization: Bearer; NULL: none */
};

struct import_progress {
	int64_t done_until_ns, from_ns, until_ns;
	uint64_t series, profiles, bytes, skipped; /* skipped: too large for one answer */
};

struct import_opts {
	struct import_side from, to;
	const char *query; /* {label="value"}; NULL: everything */
	int64_t from_ns, until_ns;
	int64_t step_ns;
	const char *state_file; /* NULL: none */
	const volatile bool *is_cancelled;
	void (*progress)(void *ctx, const struct import_progress *progress);
	void *ctx;
};

/* -ECANCELED when asked to stop: what was done stays, and is not done again with a state file. */
int import_run(const struct import_opts *opts, struct import_progress *ret_progress,
	       struct err *err) nodiscard;

#endif
