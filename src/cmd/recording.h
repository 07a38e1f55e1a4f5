/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of the sampler from the front's side: start, loop, signals, end.
 *
 * recording_start() launches the program (if any), starts keeper and reader, gives up this process's own
 * rights and lets the program go, in this order.  recording_run() passes events to the sinks until the
 * end; SIGINT, SIGTERM and SIGHUP ask for an orderly end, however often they come, and reach the program,
 * too: what a terminal sends goes to both, what is sent to us is passed on.  Afterwards `facts` says what
 * happened; the program, if it still runs, is ended by recording_done().
 *
 * Who waits for other things as well (keys) has a loop of its own: poll() for recording_fds(), then
 * recording_step(), while recording_has_ended() says no; then recording_conclude().
 */
#ifndef CMD_RECORDING_H
#define CMD_RECORDING_H

#include "cmd/launch.h"
#include "cmd/sinks.h"
#include "sample/naming.h"
#include "sample/session.h"

struct recording_facts {
	bool has_ended;	     /* an end record came */
	bool is_interrupted; /* somebody asked us to end */
	int code;	     /* of the end record: 0 as asked, else why */
	char text[ERR_TEXT_MAX];
	uint64_t n_samples;
	/* The process that was defined first, printable; 0: none yet. */
	int pid;
	char command[128], runtime[64];
	bool is_nonblocking; /* from the start: asked for, or because the target was traced already */
	struct capture_stats stats; /* the last */
	struct session_facts session;
};

struct recording {
	struct session_config config;
	struct sinks *sinks; /* borrowed; the recording adds its own listener */
	struct session *session;
	bool is_nameless;	       /* native frames stay addresses, on wish */
	const char *debug_dirs;	       /* of separate debug files; NULL: the usual */
	struct symbolizer *symbolizer; /* with native frames; */
	struct naming *naming;	       /* NULL: they stay addresses */
	struct launch launch;
	enum launch_streams streams; /* of the program */
	struct recording_facts facts;
	int signal_fd;
	/* Called about every `beat_ms`: a progress line.  May be NULL. */
	void (*on_beat)(void *ctx, const struct recording *recording);
	void *beat_ctx;
};

#define RECORDING_BEAT_MS 200
enum { RECORDING_FDS = SESSION_FDS + 2 };

/* `command` is NULL (then config.pid is the target) or the argv of a program to start. */
int recording_start(struct recording *recording, char **command, struct names *names,
		    struct tree *tree, struct err *err) nodiscard;
/* Run to the end; fails when a sink fails (output, damaged stream), not when the target does. */
int recording_run(struct recording *recording, struct err *err) nodiscard;

/* The pieces that recording_run() is made of. */
void recording_fds(const struct recording *recording, struct pollfd fds[RECORDING_FDS]);
/* Take what has come, signals and events; fails as recording_run() does. */
int recording_step(struct recording *recording, struct err *err) nodiscard;
/* Wait for at most `ms` for something to come, and take it. */
int recording_wait(struct recording *recording, int ms, struct err *err) nodiscard;
bool recording_has_ended(const struct recording *recording);
/* Ask for an orderly end.  The program is not told. */
void recording_stop(struct recording *recording);
/* Fill in the facts that are known at the end only. */
void recording_conclude(struct recording *recording);

/*
 * After a signal that the program got, too: wait until it has ended in its own way, as long as that takes.
 * Another signal ends the patience: false.
 */
bool recording_await_program(struct recording *recording);
/* Ends what still runs; all-zero is fine. */
void recording_done(struct recording *recording);

#endif
