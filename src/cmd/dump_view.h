/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `dump` prints: the processes and threads of a capture stream of one look, as text in py-spy's layout or JSON.
 *
 *	Process 4711: python3 app.py
 *	Python v3.11.2
 *	GIL: held by thread 4711, 1 thread waits for it
 *
 *	Thread 4711 (active+gil): "MainThread"
 *	    foo (app.py:12)
 *	        Arguments:
 *	            n: 5
 *	        Locals:
 *	            path: "/srv"
 *	    <module> (app.py:30)
 *	Thread 4712 (waiting for I/O): "worker"
 *	    ...
 *
 * Everything that comes from the target is printed as printable UTF-8.  On a terminal colours tell what runs from
 * what waits, and the program's own code from that of libraries; the words are the same.
 */
#ifndef CMD_DUMP_VIEW_H
#define CMD_DUMP_VIEW_H

#include "base/arena.h"
#include "format/capture.h"
#include "tui/term.h"

struct dump_process {
	uint32_t id; /* capture_process.id */
	int32_t pid, parent_pid;
	const char *command, *runtime; /* in the view's arena */
};

struct dump_local {
	uint32_t frame; /* as in struct capture_local */
	uint64_t address;
	uint8_t flags;		 /* LOCAL_* */
	const char *name, *text; /* in the view's arena */
};

struct dump_thread {
	uint32_t id;	  /* capture_thread.id */
	uint32_t process; /* capture_process.id */
	int32_t tid;
	uint64_t ident;
	const char *name; /* in the view's arena */
	bool has_sample;
	struct node_id node;
	uint8_t state, flags;
	struct dump_local *locals; /* in the order of the frames */
	size_t n_locals, locals_cap;
};

struct dump_view {
	struct names *names; /* borrowed */
	struct tree *tree;   /* borrowed */
	struct arena arena;
	struct dump_thread *threads;
	size_t n, cap;
	struct dump_process *processes;
	size_t n_processes, processes_cap;
	bool with_full_files; /* file names are not shortened */
	bool with_locals;     /* they were asked for */
	struct term term;     /* where the text goes; all-zero: plain */
};

void dump_view_init(struct dump_view *view, struct names *names, struct tree *tree);
void dump_view_done(struct dump_view *view); /* all-zero is fine */

/* Events fill it, with the view as ctx. */
const struct capture_events *dump_view_events(void);

/* Does every thread have its stack? */
bool dump_view_is_whole(const struct dump_view *view);

void dump_view_text(const struct dump_view *view, struct buf *out);
void dump_view_json(const struct dump_view *view, struct buf *out);

/* ---- for both ---- */

const struct frame *dump_view_frame(const struct dump_view *view, uint32_t node);
const char *dump_view_name(const struct dump_view *view, struct str_id id);
/* A path as it is shown. */
const char *dump_view_file(const struct dump_view *view, const char *path);

#endif
