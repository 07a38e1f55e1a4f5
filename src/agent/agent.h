/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent: a live capture goes in, profiles go out to a server, again and again.
 *
 *	r = agent_new(&opts, names, tree, &agent, err);
 *	reader = capture_reader_new(names, tree, agent_events(), agent);
 *	... capture_feed() ...
 *	agent_finish(agent);
 *	agent_free(agent);
 *
 * It cuts the stream into windows: the first ends after 2 s, the others on the tens of seconds of the
 * real clock.  Windows adjoin exactly: one begins in the nanosecond in which the one before ends, and a
 * sample that stands for time on both sides is split between them.  Each window is two profiles,
 *
 *	process_cpu	cpu / nanoseconds, period cpu / nanoseconds
 *	wall		wall / nanoseconds, with the threads' states
 *
 * with process and thread as labels, pushed as one push.v1.PusherService/Push (Connect, protobuf,
 * gzip).  Each profile has an id of its own, made of 64 random bits of this run and a sequence number, so
 * that a repeat is recognised: whatever is in doubt is sent again.
 *
 * The server may go away.  What could not be sent waits in memory and, with a spool directory, on
 * disk (and survives this process); both are bounded and drop the oldest first, counted.  Network
 * errors and 429, 502, 503, 504 are tried again, with growing, jittered pauses or as Retry-After says;
 * any other refusal drops that one request and says so once per reason.
 *
 * Threads: one thread makes all calls and gives the events; sending is a thread of the agent's own, so
 * nothing here waits for the network but agent_finish().
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/credentials.h"
#include "base/err.h"
#include "format/capture.h"
#include "profile/labels.h"

#define AGENT_FIRST_WINDOW_NS (2 * 1000000000ll)
#define AGENT_WINDOW_NS (10 * 1000000000ll)
#define AGENT_FINISH_NS (5 * 1000000000ll) /* agent_finish() takes no longer */
#define AGENT_MEMORY_BYTES ((size_t)32 << 20)
#define AGENT_SPOOL_BYTES ((size_t)256 << 20)

struct agent_transport; /* agent/transport.h: HTTP, or what a test puts in its place */

/* Texts are copied. */
struct agent_opts {
	const char *url;     /* "http://127.0.0.1:4040", with or without a path in front of ours */
	const char *service; /* label service_name */
	const struct label *labels;
	size_t n_labels;
	struct agent_credentials credentials;	 /* for the server at `url` */
	const char *spool_dir;			 /* NULL: memory only; made when missing (0700) */
	size_t memory_max_bytes;		 /* 0: AGENT_MEMORY_BYTES */
	size_t spool_max_bytes;			 /* 0: AGENT_SPOOL_BYTES */
	const struct agent_transport *transport; /* NULL: HTTP to `url` */
};

struct agent_stats {
	uint64_t windows;     /* cut so far */
	uint64_t pushed;      /* requests that the server took */
	uint64_t retries;     /* requests that did not get through, for now */
	uint64_t refused;     /* dropped: the server will not have them */
	uint64_t dropped;     /* dropped: no room left to wait */
	uint64_t waiting;     /* requests in memory and on disk */
	bool is_away;	      /* the last try did not get through */
	char last_error[200]; /* of the last try that failed; "" when none did */
};

struct agent;

/*
 * `names` and `tree` are the capture reader's, borrowed.  ERR_USAGE for a URL or label that is none;
 * nothing is sent yet and the server need not be there.
 */
int agent_new(const struct agent_opts *opts, struct names *names, const struct tree *tree,
	      struct agent **ret_agent, struct err *err) nodiscard;
void agent_free(struct agent *agent); /* without agent_finish(): what waits in memory is lost */

/* For capture_reader_new(), or to be called by another consumer; ctx is the agent. */
const struct capture_events *agent_events(void);

/*
 * Cut the last window and send what waits, for at most AGENT_FINISH_NS; what is left goes to the
 * spool, or is dropped.  Returns 0, or -ETIMEDOUT when something was left (the log says how much).
 */
int agent_finish(struct agent *agent);

void agent_stats(struct agent *agent, struct agent_stats *ret_stats);

#endif
