/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the page share.
 *
 * A page is a file: it computes its rows from the look when it is shown and they are out of date, and draws them into
 * a pane.  `version` counts whatever rows are made from (data, filter, order, measure); a page whose `made_of` equals it
 * has nothing to compute.  Moving the choice changes no version, so such keys cost a drawing.
 */
#ifndef TUI_TUI_PRIVATE_H
#define TUI_TUI_PRIVATE_H

#include "base/arena.h"
#include "base/map.h"
#include "profile/flame.h"
#include "profile/table.h"
#include "tui/list.h"
#include "tui/look.h"
#include "tui/tui.h"
#include "tui/words.h"

#define FILTER_MAX_BYTES 128

/* A part of the grid. */
struct pane {
	struct grid *grid;
	int row, rows, columns;
};

/* ---- what a model says, kept ---- */

struct facts {
	struct arena arena; /* texts, threads, strips */
	const char *title, *runtime, *ended, *note;
	int32_t pid;
	uint32_t n_processes;
	bool is_capture, has_no_gil;
	double rate_hz;
	int64_t elapsed_ns, strip_step_ns;
	uint64_t ticks, late, samples, dropped;
	int64_t reader_cpu_ns, paused_ns;
	struct tui_slider slider;
	struct tui_thread *threads;
	size_t n_threads;
};

void facts_init(struct facts *facts);
void facts_done(struct facts *facts);
void facts_take(struct facts *facts, const struct tui_model *model);

/* ---- pages ---- */

enum order { ORDER_OWN_SHARE, ORDER_SHARE, ORDER_OWN, ORDER_TOTAL };

/* A function, or a line where tui->is_by_line. */
struct function_row {
	uint32_t id; /* func_id or frame_id */
	struct frame_id frame;
	int64_t self[2], total[2]; /* columns of the look */
};

struct functions_page {
	struct arena arena;
	uint64_t made_of;
	struct function_row *rows;
	struct list list;
	enum order order;
};

/* Threads that wait in the same way at the same place. */
struct cluster {
	enum thread_state state;
	uint32_t frame; /* of the program's own code, else the innermost */
	uint32_t n;
	bool is_own;
};

enum thread_order { THREAD_BY_BUSY, THREAD_BY_CPU, THREAD_BY_NAME, THREAD_BY_STATE };

struct threads_page {
	struct arena arena;
	uint64_t made_of;
	const struct tui_thread **rows;
	struct cluster *clusters;
	size_t n_clusters;
	struct list list;
	enum thread_order order;
	bool shows_stack; /* of the chosen thread */
	struct list stack;
	struct frame_id *frames; /* of that stack, innermost first, without markers */
};

struct tree_row {
	uint32_t node; /* of the merged tree */
	uint64_t path; /* hash of its frames */
	uint16_t depth;
	bool has_children, is_open;
};

struct tree_page {
	struct arena arena;
	uint64_t made_of;
	struct tree_row *rows;
	const int64_t *totals[2];
	struct list list;
	struct map64 opened; /* path -> OPEN or SHUT, by hand */
};

struct flame_page {
	struct arena arena;
	uint64_t made_of;
	int made_rows, made_columns;
	struct flame flame;
	uint64_t *paths; /* per box: hash of its frames */
	uint32_t at;	 /* the chosen box */
	uint64_t path;	 /* its hash */
	uint32_t deepest;
	int top; /* first level that is shown */
	struct frame_id *zoom;
	size_t n_zoom, zoom_cap;
};

struct source_line {
	uint32_t line;
	int64_t self, total;
	const char *text; /* in the source, not terminated */
	size_t len;
};

struct source_page {
	struct arena arena;
	uint64_t made_of;
	struct frame_id frame; /* of the function; 0: none was chosen */
	struct func_id func;
	struct source_line *lines;
	struct list list;
	const char *why; /* there is no text */
	struct edge_row *callers, *callees;
	size_t n_callers, n_callees;
	int64_t self, total;
	bool is_fresh; /* go to the hottest line */
};

struct help_page {
	int top;
};

struct tui {
	struct tui_opts opts;
	struct facts facts;
	struct shot shot, baseline;
	bool has_baseline;
	struct look look;
	uint64_t version;      /* see above */
	uint64_t look_made_of; /* version of what the look was built from */
	uint64_t look_version;

	enum tui_tab tab, back_tab; /* where Esc in the source goes */
	enum measure measure;
	bool is_by_line; /* lines are told apart */
	bool shows_help, is_paused, is_typing;
	int64_t behind_ns; /* what was not shown since the pause */
	char filter[FILTER_MAX_BYTES];
	char filter_err[ERR_TEXT_MAX];
	struct arena search_arena;
	uint64_t search_made_of;
	struct search_result search;
	struct tui_slider wanted;
	/* Only this thread is shown; 0: all. */
	struct frame_id only;
	char only_name[WORDS_NAME_MAX];

	struct functions_page functions;
	struct threads_page threads;
	struct tree_page tree;
	struct flame_page flame;
	struct source_page source;
	struct help_page help;
};

/* Rows have to be made anew. */
void tui_touch(struct tui *tui);
/* The same, and the numbers behind them, too. */
void tui_touch_look(struct tui *tui);
/* The look, built when it is out of date; NULL before the first update. */
struct look *tui_look(struct tui *tui);
/* Per func_id what the filter found; NULL: there is none. */
const uint8_t *tui_matches(struct tui *tui);
bool tui_frame_matches(struct tui *tui, const uint8_t *matches, struct frame_id frame);
/* Show the source of a frame's function. */
void tui_open_source(struct tui *tui, struct frame_id frame);
void tui_set_tab(struct tui *tui, enum tui_tab tab);

/*
 * Each page draws itself, and takes a key that is its own: false where it is not.  Pages are made before they are
 * drawn or given a key, in `make`.
 */
struct page {
	const char *name;
	/* A pane without columns: for a key, nothing will be drawn. */
	void (*make)(struct tui *tui, const struct pane *pane);
	void (*draw)(struct tui *tui, const struct pane *pane);
	bool (*key)(struct tui *tui, uint32_t key);
	/* Pairs of key and meaning for the foot, most important first, NULL at the end. */
	const char *const *keys;
};

extern const struct page page_functions, page_threads, page_tree, page_flame, page_source;
const struct page *tui_page(const struct tui *tui);
const struct page *tui_page_at(enum tui_tab tab);

/* Head, foot and the sheet of keys. */
#define HEAD_ROWS 3
void page_head_draw(struct tui *tui, const struct pane *pane);
/* Rows that the foot takes at the end of the grid. */
int page_foot_rows(const struct tui *tui);
void page_foot_draw(struct tui *tui, const struct pane *pane);
void page_help_draw(struct tui *tui, const struct pane *pane);
bool page_help_key(struct tui *tui, uint32_t key);

/* Who calls the function of the source page, and whom it calls, in the pane's rows. */
void source_edges_draw(struct tui *tui, const struct pane *pane);

/* ---- for pages ---- */

/* The name of what numbers are parts of: "busy time". */
const char *tui_measure_words(const struct tui *tui);
/* A bar of `room` columns. */
void pane_bar(const struct pane *pane, struct grid_place at, int64_t part, int64_t whole,
	      enum tui_style style);
/* The first of several wordings that fits, longest first, at the right end of the room; none where none does. */
void pane_right(const struct pane *pane, struct grid_place at, enum tui_style style,
		const char *const *wordings, size_t n);
/* A line in the middle of an empty page. */
void pane_say(const struct pane *pane, const char *text);

static inline struct grid_place pane_at(const struct pane *pane, int row, int column, int room)
{
	return (struct grid_place){pane->row + row, column, room, GRID_CUT_END};
}

/*
 * The innermost frame of the program's own code on a stack; else the innermost of Python, else of any code; 0: none.
 */
struct frame_id stack_own_frame(const struct shot *shot, struct node_id node);
/* Hash of a path of frames, from its parent's. */
uint64_t path_hash(uint64_t parent, uint32_t frame);

#endif
