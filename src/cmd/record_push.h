/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `record --push`: the options of pushing and the wiring of the agent into a recording.
 */
#ifndef CMD_RECORD_PUSH_H
#define CMD_RECORD_PUSH_H

#include <stddef.h>

#include "base/opt.h"
#include "cmd/sinks.h"

struct record_push_options {
	const char *url; /* NULL: nothing is pushed */
	const char *service;
	struct opt_list labels; /* "k=v" */
	const char *spool;
	const char *token_file, *tenant, *ca_file;
	bool with_source;
};

/*
 * The rows of the option table that fill the struct at offset `at`.  In pyrometer-reader, which has no network, only what
 * record_push_check() says so of (record_push_absent.c).
 */
#ifdef PYROMETER_READER
#define RECORD_PUSH_OPTIONS(at)                                                                    \
	{                                                                                          \
		0, "push", OPT_STR, (at) + offsetof(struct record_push_options, url), "URL", "",   \
			.is_hidden = true                                                          \
	}
#else
#define RECORD_PUSH_OPTIONS(at)                                                                    \
	{0,	  "push",                                                                          \
	 OPT_STR, (at) + offsetof(struct record_push_options, url),                                \
	 "URL",	  "send profiles to this server as they come, until interrupted",                  \
	 0,	  0,                                                                               \
	 NULL,	  "PYROMETER_PUSH"},                                                               \
		{0,	  "service",                                                               \
		 OPT_STR, (at) + offsetof(struct record_push_options, service),                    \
		 "NAME",  "service name of what is pushed",                                        \
		 0,	  0,                                                                       \
		 NULL,	  "PYROMETER_SERVICE"},                                                    \
		{0,	   "label",                                                                \
		 OPT_LIST, (at) + offsetof(struct record_push_options, labels),                    \
		 "K=V",	   "label of what is pushed; may be repeated"},                            \
		{0,	   "source",                                                               \
		 OPT_FLAG, (at) + offsetof(struct record_push_options, with_source),               \
		 NULL,	   "push the source text of sampled files, too, or keep it in a capture"}, \
		{0,                                                                                \
		 "token-file",                                                                     \
		 OPT_STR,                                                                          \
		 (at) + offsetof(struct record_push_options, token_file),                          \
		 "FILE",                                                                           \
		 "file with the token to push with, readable by its owner alone "                  \
		 "(PYROMETER_TOKEN holds one, too)"},                                              \
		{0,	  "tenant",                                                                \
		 OPT_STR, (at) + offsetof(struct record_push_options, tenant),                     \
		 "NAME",  "tenant to push for, where the server keeps them apart"},                \
		{0,	  "ca-file",                                                               \
		 OPT_STR, (at) + offsetof(struct record_push_options, ca_file),                    \
		 "FILE",  "trust the authorities in this PEM file instead of the system's"},       \
	{                                                                                          \
		0, "spool", OPT_STR, (at) + offsetof(struct record_push_options, spool), "DIR",    \
			"keep what cannot be pushed in this folder until it can"                   \
	}
#endif

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
