/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was refused lately, for people who wonder where their profiles are: by tenant, service and reason, with a count,
 * the last time and the last text, which names the limit.
 *
 * Shown at GET /rejections (a page), GET /api/v1/rejections and, as counters by tenant and reason, in /metrics:
 * requests as pyrometer_rejected_total, what was lost with them under Pyroscope's names, pyroscope_discarded_samples_total
 * and pyroscope_discarded_bytes_total.
 *
 * Bounded: the REJECT_MAX_ROWS that were seen last, and REJECT_MAX_COUNTERS pairs of tenant and reason, which are never
 * dropped, since counters must not go back; what comes later is counted as tenant "other".  Any thread.
 */
#ifndef SERVER_REJECT_H
#define SERVER_REJECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

#define REJECT_MAX_ROWS 200
#define REJECT_MAX_COUNTERS 500
#define REJECT_TEXT_BYTES 400

struct rejects;

/* What went with a refused request (upload.h says what is counted where nobody could read it). */
struct reject_loss {
	uint64_t samples, bytes; /* inflated */
};

/* Copied, cut where it is too long. */
struct reject {
	const char *tenant;
	const char *service;	 /* "" when nobody knows */
	const char *reason;	 /* one of a fixed set of words */
	const char *text;	 /* what the client was told */
	uint64_t count;		 /* of requests; rejects_note() adds it */
	struct reject_loss loss; /* of this request */
	int64_t last_ns;	 /* real time */
};

struct reject_counter {
	const char *tenant, *reason;
	uint64_t count;
	struct reject_loss loss;
};

struct rejects *rejects_new(void) nodiscard;
void rejects_free(struct rejects *rejects);
void rejects_note(struct rejects *rejects, const struct reject *reject);
/* Those of one tenant (NULL: of all), the latest first; in the arena. */
size_t rejects_list(struct rejects *rejects, const char *tenant, struct arena *arena,
		    struct reject **ret_list);
size_t rejects_counters(struct rejects *rejects, struct arena *arena,
			struct reject_counter **ret_list);

#endif
