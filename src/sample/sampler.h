/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sampler: the loop of the reader process.  Ticks at random around the rate, serves the pauser at
 * all times, writes the capture stream.
 *
 * States: it samples until the duration is over, somebody asks it to end (SIGTERM), the target ends, or
 * the wire breaks.  A front that does not keep up makes it miss ticks, nothing else.
 *
 *	poll ── pauser has events ──▶ pauser_pump
 *	   ├─── a tick is due ──────▶ tick_run, samples into the stream
 *	   │                          (none while all of the target sleeps: sample/doze.h)
 *	   ├─── 250 ms are over ────▶ names, ended threads, flush, heartbeat
 *	   └─── SIGTERM, end ───────▶ last tick, statistics, end record
 *
 * Sums are kept whatever happens: sample/account.h.  One thread, no locks.
 */
#ifndef SAMPLE_SAMPLER_H
#define SAMPLE_SAMPLER_H

#include "format/capture.h"
#include "proc/pause.h"
#include "proc/watchdog.h"
#include "sample/doze.h"
#include "sample/kernel.h"
#include "sample/pace.h"
#include "sample/source.h"
#include "sample/stream.h"
#include "sample/tick.h"
#include "sample/wire.h"

struct sampler_config {
	double rate_hz;
	int64_t end_ns; /* monotonic; 0: until asked to end */
	bool is_nonblocking;
	bool with_native;		    /* native frames */
	bool with_kernel;		    /* the kernel's, too */
	bool is_once;			    /* `dump`: one true stack of every thread, then end */
	bool with_sources;		    /* send the text of sampled files, too */
	const struct locals_config *locals; /* borrowed */
};

struct sampler {
	const struct sampler_config *config;
	struct target *target;
	struct names *names;
	struct tree *tree;
	struct node_id native_node; /* see tick.h */
	struct capture_writer *writer;
	struct wire *wire;
	struct pauser *pauser;
	struct heartbeat *beat;
	int signal_fd; /* SIGTERM */
	struct crew crew;
	struct tick tick;
	struct locals locals;
	struct native *native;
	struct kernel *kernel;
	struct pace pace;
	struct doze doze;
	struct stream stream;
	struct sources sources;
	struct capture_stats stats;
	struct capture_stats before; /* what the stream counted before this program of the target */
	int64_t serve_due_ns;	     /* of who waits while we are awake between ticks */
	int64_t rests_due_ns;	     /* when sleeping threads show in the stream again */
	int64_t chores_due_ns, names_due_ns, names_gap_ns;
	uint32_t
		named_until_id; /* threads from here on have not been asked for their names again */
	bool is_stopped;	/* the target by its user, as /proc said last */
	bool has_to_end;	/* asked by a signal */
};

/* All pointers are borrowed; the header and the process have been written. */
void sampler_init(struct sampler *sampler, const struct sampler_config *config,
		  uint32_t first_thread_id);
void sampler_done(struct sampler *sampler);

/*
 * Run until the end.  0 as asked; ERR_GONE with the reason when the target ended or became another
 * program (target_lives_on() tells); -EPIPE when the front is gone; else what went wrong.  Statistics are written, the end record
 * is the caller's.
 */
int sampler_run(struct sampler *sampler, struct err *err) nodiscard;

#endif
