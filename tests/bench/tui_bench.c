/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the terminal page costs without a terminal, per page: CPU time of an update with its drawing, and of the most
 * expensive key, for a program of many threads with deep stacks.
 *
 *	tui_bench [THREADS [FRAMES]]		200 threads x 50 frames, 200 columns x 50 rows
 *
 * Two updates a second may take 3 % of a core, a key less than 50 ms; each line says how much of that is used.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tui_scene.h"

#define ROUNDS 40
#define ROWS 50
#define COLUMNS 200
#define UPDATES_PER_SECOND 2
#define BUDGET_SHARE 0.03
#define BUDGET_KEY_NS (50 * NS_PER_MS)

static int64_t cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void draw(struct tui *tui, struct grid *grid)
{
	grid_resize(grid, ROWS, COLUMNS);
	tui_render(tui, grid);
}

/* One refresh: what the caller does for its model is not counted. */
static int64_t refreshes_ns(struct tui *tui, struct scene *scene, struct grid *grid, size_t threads,
			    size_t frames)
{
	int64_t spent = 0;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t begun;

		scene_big(scene, threads, frames, i);
		begun = cpu_ns();
		tui_update(tui, &scene->model);
		draw(tui, grid);
		spent += cpu_ns() - begun;
	}
	return spent / ROUNDS;
}

static int64_t worst_key_ns(struct tui *tui, struct grid *grid)
{
	static const uint32_t keys[] = {TUI_KEY_DOWN, TUI_KEY_PAGE_DOWN,
					TUI_KEY_END,  TUI_KEY_LEFT,
					'1',	      '2',
					'3',	      '4',
					'L',	      'L',
					'z',	      'z',
					'm',	      'm',
					'm',	      'm',
					'/',	      'f',
					'9',	      0x1b,
					'b',	      'b',
					TUI_KEY_HOME};
	int64_t worst = 0;

	for (size_t i = 0; i < array_len(keys); i++) {
		int64_t begun = cpu_ns(), took;

		tui_key(tui, keys[i]);
		draw(tui, grid);
		took = cpu_ns() - begun;
		worst = max_of(worst, took);
	}
	return worst;
}

int main(int argc, char **argv)
{
	static const char *const names[TUI_TABS] = {"functions", "threads", "tree", "flame",
						    "source"};
	size_t threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
	size_t frames = argc > 2 ? strtoul(argv[2], NULL, 10) : 50;

	printf("%zu threads x %zu frames, %d x %d\n", threads, frames, COLUMNS, ROWS);
	for (int tab = 0; tab < TUI_TABS; tab++) {
		struct scene scene;
		struct grid grid = {0};
		struct tui *tui =
			tui_new(&(struct tui_opts){.tab = (enum tui_tab)tab, .shows_idle = true});
		int64_t refresh, key;

		scene_init(&scene);
		refresh = refreshes_ns(tui, &scene, &grid, threads, frames);
		key = worst_key_ns(tui, &grid);
		printf("%-10s refresh %6.2f ms (%3.0f %% of 3 %% of a core), worst key %6.2f ms "
		       "(%3.0f %% of 50)\n",
		       names[tab], (double)refresh / 1e6,
		       100.0 * (double)refresh * UPDATES_PER_SECOND / 1e9 / BUDGET_SHARE,
		       (double)key / 1e6, 100.0 * (double)key / (double)BUDGET_KEY_NS);
		tui_free(tui);
		grid_done(&grid);
		scene_done(&scene);
	}
	return 0;
}
