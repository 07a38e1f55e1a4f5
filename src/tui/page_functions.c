/* SPDX-License-Identifier: Apache-2.0 */
/* The table of functions, or of lines: py-spy's four columns, and with a baseline before, after and the change. */
#include <stdlib.h>
#include <string.h>

#include "tui/tui_private.h"

#define BAR_FROM_COLUMNS 100 /* narrower ones need the room for names */
#define BAR_COLUMNS 12
#define TIMES_FROM_COLUMNS 70
#define PATH_FROM_COLUMNS 80

/* ---- rows ---- */

/* Join the tables of two columns by id; `find` maps an id to its row + 1. */
static struct function_row *row_of(struct function_row *rows, size_t *n, uint32_t *find,
				   uint32_t id)
{
	if (!find[id]) {
		rows[*n].id = id;
		find[id] = (uint32_t)++ * n;
	}
	return &rows[find[id] - 1];
}

static size_t rows_by_line(const struct look *look, struct arena *arena,
			   struct function_row **ret_rows)
{
	uint32_t n_frames = names_frame_count(look->names);
	uint32_t *find = arena_array(arena, n_frames, sizeof(*find));
	struct function_row *rows = arena_array(arena, n_frames, sizeof(*rows));
	size_t n = 0;

	for (size_t side = 0; side < 2; side++) {
		struct frame_row *table;
		size_t n_table = frame_table(&look->value, side, FUNC_BY_SELF, arena, &table);

		for (size_t i = 0; i < n_table; i++) {
			struct function_row *row = row_of(rows, &n, find, table[i].frame.v);

			row->frame = table[i].frame;
			row->self[side] = table[i].self;
			row->total[side] = table[i].total;
		}
	}
	*ret_rows = rows;
	return n;
}

static size_t rows_by_function(const struct look *look, struct arena *arena,
			       struct function_row **ret_rows)
{
	uint32_t n_funcs = names_func_count(look->names);
	uint32_t *find = arena_array(arena, n_funcs, sizeof(*find));
	struct function_row *rows = arena_array(arena, n_funcs, sizeof(*rows));
	size_t n = 0;

	for (size_t side = 0; side < 2; side++) {
		struct func_row *table;
		size_t n_table = func_table(&look->value, side, FUNC_BY_SELF, arena, &table);

		for (size_t i = 0; i < n_table; i++) {
			struct function_row *row = row_of(rows, &n, find, table[i].func.v);

			row->self[side] = table[i].self;
			row->total[side] = table[i].total;
		}
	}
	*ret_rows = rows;
	return n;
}

/* A frame of each function, for what is known of it only: any line will do. */
static void frames_find(const struct look *look, struct function_row *rows, size_t n,
			struct arena *arena)
{
	uint32_t n_frames = names_frame_count(look->names);
	uint32_t *frame_of = arena_array(arena, names_func_count(look->names), sizeof(*frame_of));

	for (uint32_t i = n_frames; i-- > 1;)
		frame_of[names_func_of(look->names, (struct frame_id){i}).v] = i;
	for (size_t i = 0; i < n; i++)
		rows[i].frame.v = frame_of[rows[i].id];
}

static size_t rows_filter(struct tui *tui, struct function_row *rows, size_t n)
{
	const uint8_t *matches = tui_matches(tui);
	size_t kept = 0;

	if (!matches)
		return n;
	for (size_t i = 0; i < n; i++)
		if (tui_frame_matches(tui, matches, rows[i].frame))
			rows[kept++] = rows[i];
	return kept;
}

/* ---- order ---- */

struct sorting {
	enum order order;
	bool is_diff;
};

static int64_t distance(int64_t a, int64_t b)
{
	return a < b ? b - a : a - b;
}

static int64_t sort_value(const struct function_row *row, const struct sorting *by)
{
	bool is_own = by->order == ORDER_OWN || by->order == ORDER_OWN_SHARE;
	const int64_t *values = is_own ? row->self : row->total;

	if (by->is_diff)
		return distance(values[LOOK_BEFORE], values[LOOK_AFTER]);
	return values[by->order == ORDER_OWN || by->order == ORDER_TOTAL ? LOOK_WHOLE : LOOK_NOW];
}

static int row_compare(const void *left, const void *right, void *ctx)
{
	const struct function_row *a = left, *b = right;
	int64_t value_a = sort_value(a, ctx), value_b = sort_value(b, ctx);

	if (value_a != value_b)
		return value_a > value_b ? -1 : 1;
	if (a->total[0] != b->total[0])
		return a->total[0] > b->total[0] ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static uint64_t row_key(const void *rows, size_t i)
{
	return ((const struct function_row *)rows)[i].id;
}

static void functions_make(struct tui *tui, const struct pane *pane)
{
	struct functions_page *page = &tui->functions;
	const struct look *look = tui_look(tui);
	struct sorting sorting = {page->order, look->is_diff};
	size_t n;

	(void)pane;
	if (page->made_of == tui->version)
		return;
	arena_reset(&page->arena);
	if (tui->is_by_line) {
		n = rows_by_line(look, &page->arena, &page->rows);
	} else {
		n = rows_by_function(look, &page->arena, &page->rows);
		frames_find(look, page->rows, n, &page->arena);
	}
	n = rows_filter(tui, page->rows, n);
	qsort_r(page->rows, n, sizeof(*page->rows), row_compare, &sorting);
	list_update(&page->list, page->rows, n, row_key);
	page->made_of = tui->version;
}

/* ---- drawing ---- */

/* Where columns begin, and how wide they are; width 0: left out. */
struct columns {
	int at[4], width[4];
	int bar, bar_width, name, name_width, path, path_width;
};

static struct columns columns_of(const struct tui *tui, int width)
{
	bool is_diff = tui->look.is_diff;
	bool has_now = tui->look.has_now, has_times = width >= TIMES_FROM_COLUMNS;
	struct columns columns = {
		.width = {is_diff || has_now ? 7 : 0, is_diff || has_now ? 7 : 0, 8,
			  has_times ? 8 : 0},
	};
	int at = 0;

	for (int i = 0; i < 4; i++) {
		columns.at[i] = at;
		at += columns.width[i];
	}
	if (width >= BAR_FROM_COLUMNS) {
		columns.bar = at + 2;
		columns.bar_width = BAR_COLUMNS;
		at += BAR_COLUMNS + 2;
	}
	columns.name = at + 2;
	columns.name_width = max_of(width - columns.name, 0);
	if (width >= PATH_FROM_COLUMNS) {
		columns.path_width = columns.name_width * 2 / 5;
		columns.name_width -= columns.path_width + 2;
		columns.path = columns.name + columns.name_width + 2;
	}
	return columns;
}

static void head_draw(struct tui *tui, const struct pane *pane, const struct columns *columns)
{
	static const char *const plain[] = {"%Own", "%Total", "OwnTime", "TotalTime"};
	static const char *const diff[] = {"before", "after", "change", "total"};
	const char *const *names = tui->look.is_diff ? diff : plain;
	const char *what = tui->is_by_line ? "Line" : "Function";

	for (int i = 0; i < 4; i++) {
		bool is_order =
			tui->look.is_diff ? i == 2 || i == 3 : i == (int)tui->functions.order;
		struct grid_place at = pane_at(pane, 0, columns->at[i], columns->width[i]);

		if (tui->look.is_diff && is_order)
			is_order = (i == 3) == (tui->functions.order % 2 == 1);
		if (!columns->width[i])
			continue;
		grid_puts_right(pane->grid, at, STYLE_HEAD,
				i == 3 && !tui->look.is_diff && at.room < 10 ? "Total" : names[i]);
		if (is_order)
			grid_mark(pane->grid, at, STYLE_REVERSE | STYLE_BOLD);
	}
	grid_puts(pane->grid, pane_at(pane, 0, columns->name, columns->name_width), STYLE_HEAD,
		  what);
	grid_puts(pane->grid, pane_at(pane, 0, columns->path, columns->path_width), STYLE_HEAD,
		  "File");
}

static void numbers_draw(const struct look *look, const struct function_row *row,
			 const struct pane *pane, int line, const struct columns *columns)
{
	char text[4][WORDS_MAX];

	words_share(text[0], row->self[LOOK_NOW], look->sum[LOOK_NOW]);
	words_share(text[1], row->total[LOOK_NOW], look->sum[LOOK_NOW]);
	words_time(text[2], row->self[LOOK_WHOLE]);
	words_time(text[3], row->total[LOOK_WHOLE]);
	for (int i = 0; i < 4; i++)
		if (columns->width[i])
			grid_puts_right(pane->grid,
					pane_at(pane, line, columns->at[i], columns->width[i]),
					STYLE_PLAIN, text[i]);
	pane_bar(pane, pane_at(pane, line, columns->bar, columns->bar_width), row->self[LOOK_WHOLE],
		 look->sum[LOOK_WHOLE], STYLE_BAR);
}

static void change_draw(const struct look *look, const int64_t values[2], const struct pane *pane,
			struct grid_place at)
{
	double per = look->elapsed[0] > 0 ? 1.0 / (double)look->elapsed[0] : 0;
	double change = ((double)values[LOOK_AFTER] - (double)values[LOOK_BEFORE]) * per;
	double noise = look_noise(look, values[LOOK_BEFORE], values[LOOK_AFTER]) * per;
	char text[WORDS_MAX];

	words_change(text, change, noise);
	grid_puts_right(pane->grid, at,
			*text == '=' ? STYLE_FAINT
			: change < 0 ? STYLE_LESS
				     : STYLE_MORE,
			text);
}

/* Seconds of the measure per second. */
static void cores_draw(const struct look *look, int64_t value, const struct pane *pane,
		       struct grid_place at)
{
	char text[WORDS_MAX] = "-";

	if (value && look->elapsed[0] > 0)
		snprintf(text, sizeof(text), "%.2f", (double)value / (double)look->elapsed[0]);
	grid_puts_right(pane->grid, at, STYLE_PLAIN, text);
}

static void changes_draw(const struct look *look, const struct function_row *row,
			 const struct pane *pane, int line, const struct columns *columns)
{
	struct grid_place at[4];

	for (int i = 0; i < 4; i++)
		at[i] = pane_at(pane, line, columns->at[i], columns->width[i]);
	cores_draw(look, row->self[LOOK_BEFORE], pane, at[0]);
	cores_draw(look, row->self[LOOK_AFTER], pane, at[1]);
	change_draw(look, row->self, pane, at[2]);
	if (columns->width[3])
		change_draw(look, row->total, pane, at[3]);
}

static void name_draw(struct tui *tui, const struct function_row *row, const struct pane *pane,
		      int line, const struct columns *columns)
{
	const struct frame *frame = names_frame_get(tui->shot.names, row->frame);
	char name[WORDS_NAME_MAX], place[WORDS_NAME_MAX];
	struct grid_place at = pane_at(pane, line, columns->name, columns->name_width);
	struct frame shown = *frame;
	int used;

	if (!tui->is_by_line)
		shown.line = shown.first_line;
	words_frame(name, tui->shot.names, frame);
	if (columns->path_width) {
		struct grid_place to = pane_at(pane, line, columns->path, columns->path_width);

		words_path(place, tui->shot.names, &shown);
		to.cut = GRID_CUT_START;
		grid_puts(pane->grid, to, STYLE_FAINT, place);
		grid_puts(pane->grid, at, style_of_frame(tui->shot.names, frame), name);
		return;
	}
	words_place(place, tui->shot.names, &shown);
	used = grid_puts(pane->grid, at, style_of_frame(tui->shot.names, frame), name);
	at.column += used + 1;
	at.room = max_of(columns->name_width - used - 1, 0);
	grid_puts(pane->grid, at, STYLE_FAINT, place);
}

static void functions_draw(struct tui *tui, const struct pane *pane)
{
	struct functions_page *page = &tui->functions;
	struct columns columns = columns_of(tui, pane->columns);

	head_draw(tui, pane, &columns);
	list_show(&page->list, pane->rows - 1);
	if (!page->list.n)
		pane_say(pane, *tui->filter ? "no function matches the filter"
			       : tui->measure == MEASURE_ALL
				       ? "no samples yet"
				       : "nothing to count here yet: z shows idle time, too");
	for (int line = 1; line < pane->rows; line++) {
		size_t i = page->list.top + (size_t)line - 1;

		if (i >= page->list.n)
			break;
		if (tui->look.is_diff)
			changes_draw(&tui->look, &page->rows[i], pane, line, &columns);
		else
			numbers_draw(&tui->look, &page->rows[i], pane, line, &columns);
		name_draw(tui, &page->rows[i], pane, line, &columns);
		if (i == page->list.at)
			grid_mark(pane->grid, pane_at(pane, line, 0, pane->columns), STYLE_REVERSE);
	}
}

/* ---- keys ---- */

static void open_chosen(struct tui *tui)
{
	struct functions_page *page = &tui->functions;

	if (page->list.at < page->list.n)
		tui_open_source(tui, page->rows[page->list.at].frame);
}

static bool functions_key(struct tui *tui, uint32_t key)
{
	struct functions_page *page = &tui->functions;

	if (list_move(&page->list, key, page->rows, row_key))
		return true;
	switch (key) {
	case '1':
	case '2':
	case '3':
	case '4':
		page->order = (enum order)(key - '1');
		break;
	case 's':
		page->order = (enum order)((page->order + 1) % 4);
		break;
	case '\r':
	case 'o':
		open_chosen(tui);
		return true;
	default:
		return false;
	}
	tui_touch(tui);
	return true;
}

static const char *const functions_keys[] = {
	"Enter", "source", "1-4", "sort", "L", "lines", "/", "filter", "b", "baseline", NULL,
};

const struct page page_functions = {
	.name = "Functions",
	.make = functions_make,
	.draw = functions_draw,
	.key = functions_key,
	.keys = functions_keys,
};
