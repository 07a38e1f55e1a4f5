/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `record --push`: the options of pushing and the wiring of the agent into a recording.
 */
#ifndef CMD_RECORD_PUSH_H
#define CMD_RECORD_PUSH_H

#include "base/opt.h"
#include "cmd/sinks.h"

struct record_push_options {
	const char *url; /* NULL: nothing is pushed */
	const char *service;
	struct opt_list labels; /* "k=v" */
	const char *spool;
	bool with_source;
};

struct record_push;

/* Check what a person typed; ERR_USAGE with the reason. */
int record_push_check(const struct record_push_options *options, struct err *err) nodiscard;

/* Start the agent and add it to the sinks.  All pointers are borrowed until record_push_free(). */
int record_push_start(const struct record_push_options *options, struct sinks *sinks,
		      struct names *names, struct tree *tree, struct record_push **ret_push,
		      struct err *err) nodiscard;
/*
 * Send what is left, for a few seconds at most; says what could not be sent.  Returns false when the last
 * profiles are lost, or no profile at all was taken: what the exit code has to tell.  NULL is fine.
 */
bool record_push_finish(struct record_push *push);
void record_push_free(struct record_push *push);

#endif
