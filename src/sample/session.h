/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording as the front sees it: keeper and readers at work behind a wire, events in front.
 *
 *	session_start(&config, names, tree, events, ctx, &session, err);	forks
 *	drop_rights(...);						the front needs none any more
 *	while (!session_has_ended(session)) {
 *		poll(session_fds(...));
 *		session_pump(session, err);				events are called from here
 *	}
 *	session_free(session);
 *
 * Whatever a reader sends is decoded as hostile: a target that has taken its reader over can forge
 * samples, but not break the front.  Every process has a stream of its own, and readers that were killed
 * and started again have several; together they make one recording (sample/relay.h).  The last event is
 * always `end`: when the readers leave without one, the session makes it, with the reason.
 *
 * One thread.  Call session_start() before any other thread exists.
 */
#ifndef SAMPLE_SESSION_H
#define SAMPLE_SESSION_H

#include <poll.h>

#include "format/capture.h"
#include "sample/locals.h"

struct session_config {
	pid_t pid;
	double rate_hz;
	int64_t duration_ns;
	bool is_nonblocking;
	bool is_once;
	bool is_launched;
	bool with_idle;
	/*
	 * With native frames: a file that a target has mapped, which readers could open; takes the descriptor.  At most
	 * SESSION_MAX_FILES are passed on.  May be NULL.
	 */
	void (*file)(void *ctx, const char *build_id, const char *path, int fd);
	void *file_ctx;
	bool with_native; /* native frames; their names are the caller's business (symbol/symbol.h) */
	bool with_kernel;	/* the kernel's, too (sample/kernel.h); implies native frames */
	bool without_collector; /* no marker "[GC]" */
	bool with_columns;	/* frames have columns: more of them, and larger trees */
	bool with_sources;
	struct locals_config locals; /* values of variables that are read with stacks */
	/*
	 * Read all processes below `pid`, too, now and later; with is_once those that are there.  The
	 * recording ends when the root has ended and no Python is left below it.
	 */
	bool with_tree;
};

#define SESSION_MAX_FILES 400 /* descriptors are few: 1,024 a process is usual */

struct session;

/* `names`, `tree`, `events` and `ctx` are borrowed until session_free(). */
int session_start(const struct session_config *config, struct names *names, struct tree *tree,
		  const struct capture_events *events, void *ctx, struct session **ret_session,
		  struct err *err) nodiscard;
/* Ends keeper and reader first, whatever they do. */
void session_free(struct session *session);

/* What to poll for: fills fds[SESSION_FDS]. */
enum { SESSION_FDS = 2 };
void session_fds(const struct session *session, struct pollfd fds[SESSION_FDS]);

/*
 * Decode what has come.  Returns 0, or the first error that an event function returned (then nothing
 * more is decoded).
 */
int session_pump(struct session *session, struct err *err) nodiscard;
bool session_has_ended(const struct session *session);

/*
 * Ask for an orderly end: the rest of the samples and the end record follow, from the session itself
 * when the readers take longer than a few seconds (somebody stopped them): so keep on pumping.
 */
void session_stop(struct session *session);

struct session_facts {
	uint32_t restarts; /* readers that had to be started again */
	uint32_t
		kills; /* of those: killed by the keeper, because a pause or a silence was too long */
	int64_t lost_ns; /* time that no reader covered */

	uint32_t processes; /* that were read */
	uint32_t failed;    /* that could not be read any (further), though they are Python */
	/* Of a tree: */
	uint32_t found;		   /* processes of any kind, the root among them */
	uint32_t left_out;	   /* more than could be followed at the same time */
	struct err first_failure;  /* code 0: none */
	struct err without_events; /* why processes are found by looking; code 0: events tell */
};
void session_facts(const struct session *session, struct session_facts *ret_facts);

#endif
