/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who forks, executes and ends: the kernel's own news (netlink's process connector).
 *
 * Each process of the machine that begins, becomes another program or ends is told at once, so that
 * nobody has to scan /proc.  It takes CAP_NET_ADMIN (before Linux 6.6) and the host's own user and pid
 * namespaces; where it cannot be had, events_open() says why, and proc/family.h looks at the children of
 * the processes that it knows instead.
 *
 *	events_open(&events, err);
 *	poll(events_fd(events));
 *	events_take(events, on_event, ctx);
 *
 * Threads are left out by a filter in the kernel: only processes wake us.  A pid in an event is of the
 * host and names who had it then; it may be somebody else's by the time it is read.  One thread.
 */
#ifndef PROC_EVENTS_H
#define PROC_EVENTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum process_event_kind {
	PROCESS_FORKED, /* pid is the child, parent who made it */
	PROCESS_EXECED, /* pid became another program */
	PROCESS_ENDED,	/* the main thread of pid; the others may go on */
};

struct process_event {
	enum process_event_kind kind;
	pid_t pid;
	pid_t parent; /* of PROCESS_FORKED */
};

typedef void process_event_fn(void *ctx, const struct process_event *event);

struct events;

/* -EPERM or ERR_UNSUPPORTED, with the reason and what would help. */
int events_open(struct events **ret_events, struct err *err) nodiscard;
void events_close(struct events *events); /* NULL is fine */
int events_fd(const struct events *events);

/*
 * Pass on what has come, without waiting.  0; -ENOBUFS when the kernel had to drop some (then look at
 * the processes themselves); another error when there will be no more.
 */
int events_take(struct events *events, process_event_fn *fn, void *ctx) nodiscard;

/*
 * The parser behind it, of one datagram of any bytes.  *ret_ack gets the kernel's answer to the request
 * number `request` when one is in it (0: it was granted); pass NULL to skip those.
 */
void events_parse(const void *bytes, size_t len, uint32_t request, int *ret_ack,
		  process_event_fn *fn, void *ctx);

#endif
