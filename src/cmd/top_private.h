/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of `pyrometer top` share.
 *
 *	top.c		options, and which of the ways to show
 *	top_live.c	a recording behind it: start, end, exit code
 *	top_capture.c	a capture behind it
 *	top_screen.c	the page: keys, signals, refreshes
 *	top_guard.c	the terminal, should we crash
 *	top_model.c	from the timeline to what the page draws
 *	top_functions.c	the functions as rows, for
 *	top_table.c	one table where there is no terminal, and
 *	top_json.c	a line of JSON per refresh
 *	top_source.c	the text of source files
 *
 * Nothing here knows of servers or of the network.
 */
#ifndef CMD_TOP_PRIVATE_H
#define CMD_TOP_PRIVATE_H

#include "cmd/capture_file.h"
#include "cmd/recording.h"
#include "cmd/top_source.h"
#include "format/timeline.h"
#include "tui/screen.h"
#include "tui/tui.h"

#define TOP_WINDOW_NS 500000000ll /* of a capture: the step of its slider */
#define TOP_STRIP_CELLS 120
#define TOP_DELAY_LEAST_NS 50000000ll
#define TOP_DELAY_MOST_NS 3600000000000ll

struct top_options {
	int64_t pid;
	double rate_hz;
	int64_t duration_ns, delay_ns;
	int colour; /* enum term_when */
	bool subprocesses, gil, idle, function, nonblocking, native, kernel, json;
};

struct top {
	struct top_options options;
	char **command;	  /* a program to start; NULL: options.pid or the file */
	const char *path; /* a capture; NULL: live */
	struct names *names;
	struct tree tree;
	struct timeline *timeline;
	struct top_sources sources;
	struct sinks sinks;
	struct recording recording; /* live */
	struct capture_file file;   /* a capture */
	int64_t begun_ns;	    /* monotonic: since when a live one is sampled */
	char ended[ERR_TEXT_MAX];   /* how the target ended; "" while it has not */
};

/* ---- where samples come from ---- */

/* Start sampling; afterwards what has come is shown by top_live_refresh(). */
int top_live_start(struct top *top, struct err *err) nodiscard;
/* Show what has come so far. */
void top_live_refresh(struct top *top);
/* Why it is over, for people, into top->ended; once recording_has_ended(). */
void top_live_ended(struct top *top);
/* Ask for the end, wait for it, and say how it went.  Returns an exit code. */
int top_live_finish(struct top *top);

/* Read the whole capture; shows all of it.  Returns 1 for a damaged one, which was said. */
int top_capture_read(struct top *top, struct err *err) nodiscard;

/* ---- ways to show it ---- */

/* From here on fatal signals rescue the terminal first; what it returns is for top_unguard_terminal(). */
void *top_guard_terminal(void) nodiscard;
void top_unguard_terminal(void *stack);

/* The page until it is left.  Returns 0; fails when the stream or the terminal does. */
int top_screen_run(struct top *top, struct err *err) nodiscard;

/*
 * After `window_ns` of sampling (live), or of the capture's range: one table.  `rows` at most; for an end of
 * the page as well.
 */
void top_table_put(const struct top *top, size_t rows, const struct term *term, struct buf *out);

struct top_json;
struct top_json *top_json_new(void) nodiscard;
void top_json_free(struct top_json *json);
/* One object and a newline: what is shown now, and what it grew by since the last one. */
void top_json_put(struct top_json *json, const struct top *top, struct buf *out);

/* ---- for them ---- */

/* Everything in it is borrowed from the timeline, or lives in the arena. */
void top_model(struct top *top, struct arena *arena, struct tui_model *ret_model);
/* Which threads' time counts: 1 << enum thread_state. */
unsigned top_states(const struct top *top);

struct top_function {
	struct func_id func;
	int64_t self, total;
	uint32_t line; /* its hottest; with --function its first; 0: unknown */
};

/* The `n` with the most time of their own; *ret_sum is the time of all. */
size_t top_functions(const struct top *top, size_t n, struct arena *arena,
		     struct top_function **ret_rows, int64_t *ret_sum);

#endif
