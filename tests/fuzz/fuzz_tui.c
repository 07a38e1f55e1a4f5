/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal page under random profiles, names, keys and sizes.  The input is a program: each byte says what happens
 * next, the bytes behind it with what.  However it looks, no cell may hold what a terminal would obey.
 */
#include <stdlib.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "tui/tui.h"

#define MAX_ROWS 60
#define MAX_COLUMNS 250
#define MAX_STEPS 400
#define MAX_THREADS 12
#define MAX_NODES 2000

struct play {
	struct cursor input;
	struct names *names;
	struct profile profile;
	struct tui_model model;
	struct tui_thread threads[MAX_THREADS];
	uint8_t strip[16];
	struct tui_slider slider;
	char text[64];
	struct tui *tui;
	struct grid grid;
};

static struct str_id any_name(struct play *play)
{
	uint64_t len = cursor_u8(&play->input) % 40;
	const uint8_t *bytes = cursor_bytes(&play->input, len);

	return bytes ? names_str(play->names, (const char *)bytes, len) : (struct str_id){0};
}

static void add_stack(struct play *play)
{
	struct node_id node = {cursor_u8(&play->input) % play->profile.tree.n};
	size_t column = cursor_u8(&play->input) % max_of(play->profile.n_columns, (size_t)1);

	for (int n = cursor_u8(&play->input) % 12; n > 0 && play->profile.tree.n < MAX_NODES; n--) {
		struct frame frame = {.name = any_name(play),
				      .file = any_name(play),
				      .line = cursor_u8(&play->input),
				      .first_line = cursor_u8(&play->input) % 8,
				      .kind = cursor_u8(&play->input) % FRAME_KIND_COUNT};

		node = tree_child(&play->profile.tree, node, names_frame(play->names, &frame));
	}
	if (column < play->profile.n_columns)
		profile_add(&play->profile, column, node, cursor_zigzag(&play->input));
}

static void add_column(struct play *play)
{
	const char *state = thread_state_name(cursor_u8(&play->input) % STATE_COUNT);

	if (profile_column(&play->profile, cursor_u8(&play->input) & 1 ? "cpu" : "wall",
			   "nanoseconds", state) < 0)
		return; /* enough of them */
}

static void set_threads(struct play *play)
{
	play->model.n_threads = cursor_u8(&play->input) % MAX_THREADS;
	play->model.threads = play->threads;
	for (size_t i = 0; i < play->model.n_threads; i++) {
		uint32_t node = cursor_u8(&play->input);

		play->threads[i] = (struct tui_thread){
			.pid = 1,
			.tid = cursor_u8(&play->input),
			.name = names_text(play->names, any_name(play), NULL),
			.process = names_text(play->names, any_name(play), NULL),
			.state = cursor_u8(&play->input) % (STATE_COUNT + 2),
			.is_over = cursor_u8(&play->input) & 1,
			.node = {node % play->profile.tree.n},
			.marker = {node % names_frame_count(play->names)},
			.wall_ns = cursor_zigzag(&play->input),
			.busy_ns = cursor_zigzag(&play->input),
			.strip = play->strip,
			.n_strip = cursor_u8(&play->input) % sizeof(play->strip),
		};
	}
}

static void set_facts(struct play *play)
{
	struct tui_model *model = &play->model;

	model->title = names_text(play->names, any_name(play), NULL);
	model->note = cursor_u8(&play->input) & 1 ? model->title : NULL;
	model->ended = cursor_u8(&play->input) & 1 ? model->title : NULL;
	model->n_processes = cursor_u8(&play->input);
	model->elapsed_ns = cursor_zigzag(&play->input);
	model->samples = cursor_varint(&play->input);
	model->dropped = cursor_varint(&play->input);
	model->rate_hz = cursor_u8(&play->input);
	play->slider =
		(struct tui_slider){1000000000, cursor_u8(&play->input) * 1000000ll, 900000000};
	model->slider = cursor_u8(&play->input) % 3 ? NULL : &play->slider;
}

static const char *source(void *ctx, const char *file, size_t *ret_len, const char **ret_why)
{
	struct play *play = ctx;

	if (!file[0] || file[0] & 1) {
		*ret_why = "none";
		return NULL;
	}
	*ret_len = sizeof(play->text);
	return play->text;
}

/* A terminal shows it as one character, or as one and its marks. */
static void check_cell(const struct grid_cell *cell)
{
	uint32_t codes[GRID_CELL_MAX_CODES];
	size_t n = grid_cell_codes(cell, codes);

	for (size_t i = 0; i < n; i++) {
		if (!utf8_code_is_printable(codes[i]))
			abort();
		if ((utf8_code_columns(codes[i]) == 0) != (i > 0))
			abort();
	}
	if (cell->style >= STYLE_COUNT)
		abort();
}

static void draw(struct play *play)
{
	int rows = cursor_u8(&play->input) % MAX_ROWS,
	    columns = cursor_u8(&play->input) % MAX_COLUMNS;
	struct grid *grid = &play->grid;

	grid_resize(grid, rows, columns);
	tui_render(play->tui, grid);
	for (int row = 0; row < grid->rows; row++) {
		for (int column = 0; column < grid->columns; column++) {
			const struct grid_cell *cell = grid_at(grid, row, column);

			check_cell(cell);
			if (!cell->code && (!column || utf8_code_columns(cell[-1].code) != 2))
				abort();
		}
	}
}

static void press(struct play *play)
{
	uint32_t key = cursor_u8(&play->input);
	int64_t from, until;

	if (key >= 0xd0)
		key = TUI_KEY_UP + (key - 0xd0) % 24;
	(void)tui_key(play->tui, key);
	tui_wanted_range(play->tui, &from, &until);
	if (play->model.slider && (from < 0 || until < from))
		abort();
}

static void other_generation(struct play *play)
{
	play->model.generation++;
	profile_done(&play->profile);
	profile_init(&play->profile, play->names);
}

static void step(struct play *play)
{
	switch (cursor_u8(&play->input) % 16) {
	case 0:
	case 1:
	case 2:
		add_stack(play);
		break;
	case 3:
		add_column(play);
		break;
	case 4:
		set_threads(play);
		break;
	case 5:
		set_facts(play);
		break;
	case 6:
	case 7:
		tui_update(play->tui, &play->model);
		break;
	case 8:
	case 9:
		draw(play);
		break;
	case 10:
		if (cursor_u8(&play->input) > 240) {
			other_generation(play);
			play->model.n_threads = 0;
			tui_update(play->tui, &play->model);
		}
		break;
	default:
		press(play);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct play play = {.input = cursor_over(data, len), .names = names_new()};

	profile_init(&play.profile, play.names);
	play.model = (struct tui_model){.profile = &play.profile};
	for (size_t i = 0; i < sizeof(play.text); i++)
		play.text[i] = (char)(i < len ? data[i] : '\n');
	for (size_t i = 0; i < sizeof(play.strip); i++)
		play.strip[i] = i < len ? data[i] : 0;
	play.tui = tui_new(&(struct tui_opts){
		.source = source, .source_ctx = &play, .is_ascii = len & 1, .shows_idle = len & 2});
	for (int i = 0; i < MAX_STEPS && cursor_left(&play.input) && !play.input.bad; i++)
		step(&play);
	draw(&play);
	tui_free(play.tui);
	grid_done(&play.grid);
	profile_done(&play.profile);
	names_free(play.names);
	return 0;
}
