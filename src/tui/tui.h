/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal page: functions, threads, tree, flame and source of a profile that grows, or of a range of a
 * capture.
 *
 * It knows no process and no terminal: it is given models (what there is to see), keys, and a grid to draw
 * into (tui/grid.h).  What is drawn depends on these three alone.
 *
 *	tui = tui_new(&opts);
 *	for (;;) {
 *		tui_update(tui, &model);	every refresh: copies what it needs
 *		tui_render(tui, &grid);		after an update, a key, a resize
 *		tui_key(tui, key);		says what the caller has to do, if anything
 *	}
 *
 * Numbers are those of profile/table.h, of the whole tree.  What is not shown is not computed; a key costs a
 * drawing, and sorting only where it changes the order.  An object of one thread.
 *
 * Keys, wherever they make sense: Tab and Shift-Tab change pages, arrows, PgUp, PgDn, Home and End move, Enter
 * goes into the selected thing, Esc back out; 1-4 sort (own share, share, own time, time), L lines or
 * functions, R starts from zero, Space pauses (plays a capture), / filters as typed, b compares with what was until
 * now, z shows idle time or hides it, m changes the measure, [ ] { } move and resize the range of a capture, ? help,
 * q quits.
 */
#ifndef TUI_TUI_H
#define TUI_TUI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile/profile.h"
#include "tui/grid.h"

#define TUI_MIN_ROWS 12
#define TUI_MIN_COLUMNS 60

/* ---- what there is to see ---- */

#define TUI_STRIP_NONE 0xff /* in a strip: the thread was not sampled then */

struct tui_thread {
	int32_t pid, tid; /* both together tell threads apart */
	const char *name;
	const char *process; /* its command, shown where there are several */
	enum thread_state state;
	bool is_over; /* has ended; shown for a while */
	/* Its latest stack, a node of the profile's tree; root: none. */
	struct node_id node;
	/* The marker frame at the root of its stacks in the profile; 0: it has none. */
	struct frame_id marker;
	int64_t wall_ns, busy_ns, cpu_ns; /* in the latest window of sampling; wall 0: unknown */
	const uint8_t *strip;		  /* enum thread_state or TUI_STRIP_NONE, oldest first */
	size_t n_strip;
};

/* A capture's times; all since its start. */
struct tui_slider {
	int64_t end_ns;		   /* of the whole */
	int64_t from_ns, until_ns; /* what the profile is of */
};

struct tui_model {
	/*
	 * Sums since the start, or of the slider's range.  Columns "wall" and "cpu" in nanoseconds, best one for each
	 * thread state (as capture_fold_new() makes them with `split_states`), and with the marker frames of threads
	 * at the root.  Between two updates with the same `generation` nodes are only added and values
	 * only grow; "now" is what they grew by.  The names live until tui_free(), or the first update with others.
	 */
	const struct profile *profile;
	uint64_t generation;

	const struct tui_thread *threads;
	size_t n_threads;
	int64_t strip_step_ns; /* that one character of a strip stands for */

	const char *title;   /* command, or the file's name */
	const char *runtime; /* "CPython 3.11.2", "" */
	bool has_no_gil;     /* free-threaded: nothing holds it or waits for it */
	int32_t pid;	     /* 0: a capture */
	uint32_t n_processes;

	double rate_hz;
	int64_t elapsed_ns; /* that the profile covers */
	uint64_t ticks, late, samples, dropped;
	int64_t reader_cpu_ns, paused_ns; /* the sampler's own, and how long it held threads */

	const char *ended;		 /* "ended with code 3 at 14:07"; NULL: it goes on */
	const char *note;		 /* a line for the user; NULL: none */
	const struct tui_slider *slider; /* NULL: live */
};

/*
 * Text of a source file as the frames name it, borrowed until the next call; NULL when there is none, and
 * *ret_why says so in a few words.
 */
typedef const char *tui_source_fn(void *ctx, const char *file, size_t *ret_len,
				  const char **ret_why);

/* ---- the page ---- */

enum tui_tab { TUI_FUNCTIONS, TUI_THREADS, TUI_TREE, TUI_FLAME, TUI_SOURCE, TUI_TABS };

struct tui_opts {
	enum tui_tab tab; /* to begin with */
	bool shows_idle;  /* count waiting time, too, from the start */
	bool is_ascii; /* no characters beyond ASCII but in names (tui/screen.h: screen_has_unicode()) */
	tui_source_fn *source; /* NULL: no text is to be had */
	void *source_ctx;
};

struct tui;

struct tui *tui_new(const struct tui_opts *opts) nodiscard;
void tui_free(struct tui *tui);

/* Copies; while a live page is paused only what the head says of time is taken. */
void tui_update(struct tui *tui, const struct tui_model *model);
void tui_render(struct tui *tui, struct grid *grid);

/* ---- keys ---- */

/* Characters are their code points; Enter is '\r', Esc 0x1b, Tab '\t', Ctrl-C 3. */
enum tui_key {
	TUI_KEY_UP = 0x110000,
	TUI_KEY_DOWN,
	TUI_KEY_LEFT,
	TUI_KEY_RIGHT,
	TUI_KEY_PAGE_UP,
	TUI_KEY_PAGE_DOWN,
	TUI_KEY_HOME,
	TUI_KEY_END,
	TUI_KEY_BACKSPACE,
	TUI_KEY_BACK_TAB, /* Shift-Tab */
	TUI_KEY_F1,	  /* to F10 in order */
	TUI_KEY_RESIZE = TUI_KEY_F1 + 10,
};

enum tui_answer {
	TUI_DRAW, /* render again; nothing else to do */
	TUI_QUIT,
	TUI_SEEK, /* a capture: fold the range of tui_wanted_range() and update */
	TUI_FASTER,
	TUI_SLOWER, /* the refresh, by a step of the caller's */
};

enum tui_answer tui_key(struct tui *tui, uint32_t key);
/*
 * Live: the picture is frozen.  A capture: the range stands still, as it does in the beginning; else the caller moves
 * it on.
 */
bool tui_is_paused(const struct tui *tui);
void tui_wanted_range(const struct tui *tui, int64_t *ret_from_ns, int64_t *ret_until_ns);

#endif
