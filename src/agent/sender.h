/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests on their way: a queue, a spool behind it, and what to do with each answer.
 *
 *	put ──▶ memory ──▶ transport
 *	          │  ▲
 *	 away     ▼  │ oldest first
 *	         spool
 *
 *   1. Order is kept: what waits on disk is older than what waits in memory, and goes first.
 *   2. A request leaves only when the server took it, refused it for good, or room ran out.
 *   3. Nothing waits for the network but sender_step() (the sender's thread) and sender_finish().
 *
 * sender_put() and sender_stats() may be called by any thread.  The rest of the state belongs to
 * whoever steps: the sender's thread, or a test without one.
 */
#ifndef AGENT_SENDER_H
#define AGENT_SENDER_H

#include "agent/agent.h"
#include "agent/spool.h"
#include "agent/transport.h"
#include "base/buf.h"

#define SENDER_FIRST_PAUSE_NS 1000000000ll
#define SENDER_MAX_PAUSE_NS (30 * 1000000000ll)
#define SENDER_IDLE INT64_MAX /* nothing to do until the next put */

enum sender_kind { SENDER_PUSH = 1, SENDER_SOURCE = 2 };

struct sender_opts {
	struct agent_transport transport; /* handed over: freed with the sender */
	struct spool *spool;		  /* handed over; NULL: none */
	size_t memory_max_bytes;
	uint64_t seed; /* of the jitter */
};

struct sender;

struct sender *sender_new(const struct sender_opts *opts) nodiscard;
void sender_free(struct sender *sender);

/* Start the thread that steps. */
int sender_start(struct sender *sender, struct err *err) nodiscard;

/* Queue a request; the oldest ones go when there is no room.  `path` and `body` are copied. */
void sender_put(struct sender *sender, enum sender_kind kind, const char *path, const void *body,
		size_t len);

/*
 * Send at most one request, if it is time at `now_ns`.  Returns when to call again, on the same clock, or
 * SENDER_IDLE.
 */
int64_t sender_step(struct sender *sender, int64_t now_ns);

/*
 * Send what waits until the clock says `deadline_ns` (monotonic), then stop the thread and put what is
 * left on disk.  Returns how many requests were neither sent nor spooled.
 */
uint64_t sender_finish(struct sender *sender, int64_t deadline_ns);

void sender_stats(struct sender *sender, struct agent_stats *ret_stats);

#endif
