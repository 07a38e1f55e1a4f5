/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the program that shall be profiled: `record -- python3 app.py`.
 *
 * launch_prepare() forks a child that waits just before its exec, so that the reader can be told
 * its process id and be there from the first moment; launch_go() lets it run.  The program keeps
 * our standard streams, runs as the caller's user (caller.h) and allows our descendants to trace it
 * where Yama would forbid that.
 */
#ifndef CMD_LAUNCH_H
#define CMD_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct launch {
	pid_t pid;	     /* 0: nothing was launched, or it has been waited for */
	int gate_fd;	     /* closing it without a byte ends the waiting child */
	int failure_fd;	     /* errno of a failed exec; end of file when it succeeded */
	int captured_fd;     /* what it printed; -1: it has our standard streams */
	int status;	     /* as waitpid() gives it, once ended */
	const char *program; /* its name as given, borrowed */
};

/*
 * Its standard streams: ours; or an empty input, and a file without a name for all that it prints; or that
 * for those of ours only that are a terminal, where a page is drawn and keys are read.
 */
enum launch_streams { LAUNCH_SHARE, LAUNCH_CAPTURE, LAUNCH_CAPTURE_TERMINAL };

int launch_prepare(struct launch *launch, char **argv, enum launch_streams streams,
		   struct err *err) nodiscard;
/* Fails when the program cannot be executed; `launch` has been waited for then. */
int launch_go(struct launch *launch, struct err *err) nodiscard;
/* Has the program ended?  Then its status is known and its pid no longer ours. */
bool launch_has_ended(struct launch *launch);
/* The same, but one that is about to end is waited for, some seconds at most. */
bool launch_ends_soon(struct launch *launch);
/* Ask it to end (SIGTERM), then insist (SIGKILL), and wait for it. */
void launch_end(struct launch *launch);
/* The same, and forget what was captured. */
void launch_done(struct launch *launch);
/* Print on our stderr what was captured, if anything. */
void launch_print_captured(const struct launch *launch);
/* The exit code that tells our caller what happened to the program: 128 + signal when killed. */
int launch_exit_code(const struct launch *launch);

#endif
