/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `dump` prints: the threads of a capture stream of one look, as text in py-spy's layout or JSON.
 *
 *	Process 4711: python3 app.py
 *	Python v3.11.2
 *
 *	Thread 4711 (active+gil): "MainThread"
 *	    foo (app.py:12)
 *	    <module> (app.py:30)
 *	Thread 4712 (waiting for I/O): "worker"
 *	    ...
 *
 * Everything that comes from the target is printed as printable UTF-8.
 */
#ifndef CMD_DUMP_VIEW_H
#define CMD_DUMP_VIEW_H

#include "base/arena.h"
#include "format/capture.h"

struct dump_thread {
	uint32_t id; /* capture_thread.id */
	int32_t tid;
	uint64_t ident;
	const char *name; /* in the view's arena */
	bool has_sample;
	struct node_id node;
	uint8_t state, flags;
};

struct dump_view {
	struct names *names; /* borrowed */
	struct tree *tree;   /* borrowed */
	struct arena arena;
	struct dump_thread *threads;
	size_t n, cap;
	int32_t pid;
	const char *command, *runtime; /* in the arena; NULL before the process is known */
};

void dump_view_init(struct dump_view *view, struct names *names, struct tree *tree);
void dump_view_done(struct dump_view *view); /* all-zero is fine */

/* Events fill it, with the view as ctx. */
const struct capture_events *dump_view_events(void);

void dump_view_text(const struct dump_view *view, struct buf *out);
void dump_view_json(const struct dump_view *view, struct buf *out);

#endif
