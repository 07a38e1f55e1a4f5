/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views as JSON: what the web page, the single-file HTML and everybody else reads.
 *
 * docs/API.md has the answers by example; this writes `view`, `diff` and `lines` from profiles.
 * Every number comes from the full tree; only the flame graph is cut (profile/flame.h), and of the
 * function table the rows past VIEW_TABLE_ROWS (by self and by total), which `rows` admits.
 *
 * Values over 2^53 would not survive JSON readers that know only doubles: such a view is divided by
 * the least power of 1,000 that fits, node by node before anything is summed, so that every sum
 * still holds, and `scale` says so.
 *
 * Frames are named by key: 11 characters, base64url of 64 bits, the same in every process and every
 * version, made of name (the qualified one where known), file and kind.  What has no name of its
 * own ("<lambda>", "<listcomp>") adds its first line, and a frame in a view by lines its line.
 *
 * Nothing here keeps state: any thread, one per names table (views intern grouped frames into it).
 */
#ifndef FORMAT_VIEW_H
#define FORMAT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "profile/profile.h"

#define VIEW_KEY_CHARS 11
#define VIEW_TABLE_ROWS 4096

struct view_key {
	char text[VIEW_KEY_CHARS + 1];
};

/* With its line, where it has one; frame 0 has the empty key. */
struct view_key view_key_of(const struct names *names, struct frame_id frame);
/* Without a line. */
struct view_key view_key_of_func(const struct names *names, struct func_id func);

/* "function", "line", "file" or "module"; ERR_USAGE says which there are. */
int view_group_parse(const char *text, enum profile_group *ret_group, struct err *err) nodiscard;
/* "running,running-gil" into bits (1 << enum thread_state). */
int view_states_parse(const char *text, uint32_t *ret_states, struct err *err) nodiscard;

struct view_request {
	/*
	 * Which value: this column when its type names no state; otherwise, and with `states`, the
	 * sum of the columns of the same type and unit (of those states).
	 */
	size_t column;
	uint32_t states; /* bits 1 << enum thread_state; 0: all */
	enum profile_group group;
	bool is_split;	    /* threads=split: marker frames at the root stay */
	uint32_t max_nodes; /* 0: FLAME_DEFAULT_NODES */
	uint32_t max_rows;  /* 0: VIEW_TABLE_ROWS; of the function table, by self and by total */
	const char *search; /* as profile_search() takes it; NULL or "": none */
	const char *root;   /* keys joined by '.', the zoomed box; NULL or "": none */
	const char *focus;  /* key of a function: only what lies at or below it; NULL or "": none */
	/*
	 * Key of a function: the flame graph shows it and, below, who called it, up to the root.  The table and the
	 * search stay those of the whole.  Not together with focus or is_inverted.  NULL or "": none.
	 */
	const char *callers;
	bool is_inverted; /* the flame graph shows the innermost frames first, their callers below */
	uint32_t json_flags; /* JSON_ESCAPE_MARKUP where the text goes into HTML */
};

/* What only the store knows. */
struct view_gap {
	int64_t from_ms, until_ms;
};

struct view_facts {
	int64_t covered_ms, wall_ms;
	uint32_t series;
	bool is_partial;
	const struct view_gap *missing; /* ranges that were left out */
	size_t n_missing;
};

/* ERR_USAGE: bad search expression or key; -ENOENT: no such focus; ERR_LIMIT: `out` is full. */
int view_write(const struct profile *profile, const struct view_request *request,
	       const struct view_facts *facts, struct buf *out, struct err *err) nodiscard;

/*
 * a = before, b = after; `column` is a's, b's is found by type.  Values are raw sums; widths and
 * noise take b times wall_a / wall_b =: s.  A function that begins at one line in a and at another
 * in b, and shares its key with no other function of either, has moved and is shown as one.  Both
 * may have different names (those of a take in what b has); `focus` and `root` as above.
 *
 * Noise is half of the 95 % interval of self_b * s - self_a.  Samples come at random times, so the
 * number of them behind a value v is Poisson with mean v / p, where p is the profile's period or,
 * where that is unknown, its sum / n_samples:
 *
 *	noise = 1.96 * sqrt(self_a * p_a + s * s * self_b * p_b)
 *
 * It is 0 where neither is known.
 */
int view_write_diff(const struct profile *a, const struct profile *b,
		    const struct view_request *request, const struct view_facts *facts_a,
		    const struct view_facts *facts_b, struct buf *out, struct err *err) nodiscard;

/* ---- lists: functions and changes, whole, a page of rows at a time ---- */

enum view_order { VIEW_BY_SELF, VIEW_BY_TOTAL, VIEW_BY_NAME };

struct view_page {
	enum view_order order;
	size_t offset, limit; /* rows */
};

/* "self", "total" or "name". */
int view_order_parse(const char *text, enum view_order *ret_order, struct err *err) nodiscard;

/* Every function with its self and total; with `search` those that match it, and what they matched. */
int view_write_functions(const struct profile *profile, const struct view_request *request,
			 const struct view_page *page, const struct view_facts *facts,
			 struct buf *out, struct err *err) nodiscard;
/*
 * Self and total of the functions that share a key, in the value that the request asks for, not scaled; 0 where there
 * is none.  ERR_USAGE: not a key.
 */
int view_func_sums(const struct profile *profile, const struct view_request *request,
		   const char *key, int64_t *ret_self, int64_t *ret_total,
		   struct err *err) nodiscard;
/*
 * Functions of two ranges, largest change first: b's value * wall_a / wall_b - a's, of self or (VIEW_BY_TOTAL) of
 * total.  One that stays within its noise (as of view_write_diff()) says so.
 */
int view_write_changes(const struct profile *a, const struct profile *b,
		       const struct view_request *request, const struct view_page *page,
		       const struct view_facts *facts_a, const struct view_facts *facts_b,
		       struct buf *out, struct err *err) nodiscard;

/* Source text of the function's file; NULL where nobody sent it. */
struct view_source {
	const char *text;
	size_t len;
	int64_t sent_ms;
};

/*
 * A function of that key, the one with the largest total in `column`; a key with a line will do.
 * ERR_USAGE: not a key; -ENOENT.
 */
int view_find_func(const struct profile *profile, size_t column, const char *key,
		   struct func_id *ret_func, struct err *err) nodiscard;
/*
 * Lines, callers and callees of that function, and of others that share its key, as one.  From an
 * ungrouped profile; of the request: column, states and json_flags.  `frame` of a caller or callee
 * is null for none: called from the root, or itself on top.
 */
int view_write_lines(const struct profile *profile, const struct view_request *request,
		     const char *key, const struct view_source *source, struct buf *out,
		     struct err *err) nodiscard;

#endif
