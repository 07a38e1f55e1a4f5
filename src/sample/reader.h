/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader: the process with the rights, and nothing else.
 *
 * It attaches to the target, samples it and sends the capture stream over the wire.  It opens no file
 * but /proc and what the target has mapped, knows no network and no terminal.  Its keeper
 * (proc/watchdog.h) kills it when it holds a target too long, and starts it again.
 *
 * What goes wrong travels as the end record of the stream: a code and one line for a person.
 */
#ifndef SAMPLE_READER_H
#define SAMPLE_READER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/watchdog.h"
#include "sample/locals.h"
#include "sample/target.h"

struct reader_config {
	double rate_hz;
	int64_t duration_ns; /* 0: until asked to end */
	bool is_nonblocking;
	bool is_once;		     /* one stack of every thread, then end */
	bool is_launched;	     /* we started it: wait until its interpreter is there */
	bool with_tree;		     /* one of many: what is no Python is left in silence */
	pid_t root;		     /* of the tree */
	bool with_idle;		     /* for the header only: what the user wants to see */
	unsigned wants;		     /* of its frames: TARGET_* */
	struct locals_config locals; /* values to be read */
	bool with_sources;	     /* send the text of sampled files, too */
	int wire_fd;
	/* Shared memory: when the first reader began, so that the next ends when that one would have. */
	_Atomic int64_t *first_begun_ns;
};

/* The reader's whole life, as keeper_config.reader wants it; `ctx` is a struct reader_config. */
int reader_run(void *ctx, struct heartbeat *beat, const struct keeper_job *job);

#endif
