/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden screens: every page at three sizes, as text in golden/.  PYROMETER_WRITE_GOLDEN=1 writes them anew; read the
 * difference before it is committed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tui_scene.h"
#include "unit.h"

#define MAX_BYTES (1u << 20)

static const char *golden_dir; /* from the command line */

static void golden_path(char out[512], const char *name)
{
	snprintf(out, 512, "%s/%s.txt", golden_dir, name);
}

static void golden_write(const char *name, const struct buf *text)
{
	char path[512];
	cleanup_file FILE *file = NULL;

	golden_path(path, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(text->data, 1, text->len, file), text->len);
}

static void golden_compare(const char *name, const struct grid *grid)
{
	char path[512];
	char *wanted = calloc(1, MAX_BYTES);
	cleanup_file FILE *file = NULL;
	struct buf text;

	buf_init(&text, MAX_BYTES);
	grid_text(grid, &text);
	if (getenv("PYROMETER_WRITE_GOLDEN"))
		golden_write(name, &text);
	golden_path(path, name);
	file = fopen(path, "re");
	if (!file)
		fail_msg("%s is missing", path);
	assert_true(fread(wanted, 1, MAX_BYTES - 1, file) > 0);
	if (strcmp(wanted, text.data) != 0)
		fail_msg("%s:\n%s\nis not what is drawn:\n%s", name, wanted, text.data);
	buf_done(&text);
	free(wanted);
}

static const struct {
	int rows, columns;
} sizes[] = {{12, 60}, {24, 80}, {50, 200}};

static void compare_sizes(struct tui *tui, const char *name)
{
	struct grid grid = {0};

	for (size_t i = 0; i < array_len(sizes); i++) {
		char full[128];

		grid_resize(&grid, sizes[i].rows, sizes[i].columns);
		tui_render(tui, &grid);
		snprintf(full, sizeof(full), "%s-%dx%d", name, sizes[i].columns, sizes[i].rows);
		golden_compare(full, &grid);
	}
	grid_done(&grid);
}

static struct tui *tui_of_scene(struct scene *scene, void (*make)(struct scene *, int64_t),
				bool shows_idle)
{
	struct tui *tui =
		tui_new(&(struct tui_opts){.source = scene_source, .shows_idle = shows_idle});

	scene_init(scene);
	make(scene, 9);
	tui_update(tui, &scene->model);
	make(scene, 1);
	tui_update(tui, &scene->model);
	return tui;
}

static void every_page_of_a_busy_program_looks_as_it_should(void **state)
{
	static const char *const names[TUI_TABS] = {"functions", "threads", "tree", "flame",
						    "source"};
	struct scene scene;
	struct tui *tui = tui_of_scene(&scene, scene_a, false);

	(void)state;
	for (size_t i = 0; i < TUI_TABS; i++) {
		char name[64];

		snprintf(name, sizeof(name), "busy-%s", names[i]);
		compare_sizes(tui, name);
		tui_key(tui, '\t');
	}
	tui_free(tui);
	scene_done(&scene);
}

static void threads_that_wait_for_a_lock_look_as_they_should(void **state)
{
	struct scene scene;
	struct tui *tui = tui_of_scene(&scene, scene_b, true);

	(void)state;
	tui_key(tui, '\t');
	compare_sizes(tui, "stuck-threads");
	tui_key(tui, TUI_KEY_DOWN);
	tui_key(tui, '\r');
	compare_sizes(tui, "stuck-stack");
	tui_key(tui, 0x1b);
	tui_key(tui, '\t');
	compare_sizes(tui, "stuck-tree");
	tui_free(tui);
	scene_done(&scene);
}

static void help_filter_and_lines_look_as_they_should(void **state)
{
	struct scene scene;
	struct tui *tui = tui_of_scene(&scene, scene_a, false);

	(void)state;
	tui_key(tui, '?');
	compare_sizes(tui, "help");
	tui_key(tui, '?');
	tui_key(tui, 'L');
	compare_sizes(tui, "lines");
	tui_key(tui, '/');
	tui_key(tui, 'b');
	tui_key(tui, 'a');
	compare_sizes(tui, "filter");
	tui_free(tui);
	scene_done(&scene);
}

static void a_comparison_and_a_pause_look_as_they_should(void **state)
{
	struct scene scene;
	struct tui *tui = tui_of_scene(&scene, scene_a, false);
	struct frame_id marker = scene_marker(&scene, "thread 4711: MainThread");
	const struct scene_frame stack[] = {{"<module>", "/srv/app/service.py", 27, 1},
					    {"work", "/srv/app/service.py", 25, 22},
					    {"bar", "/srv/app/service.py", 19, 18}};

	(void)state;
	tui_key(tui, 'b');
	/* foo is gone, bar stays a quarter of a core */
	scene_add(&scene, scene_stack(&scene, marker, stack, 3), STATE_RUNNING_GIL, 2500000000,
		  2500000000);
	scene.model.elapsed_ns += 10000000000;
	tui_update(tui, &scene.model);
	compare_sizes(tui, "diff-functions");
	tui_key(tui, '\t');
	tui_key(tui, '\t');
	compare_sizes(tui, "diff-tree");
	tui_key(tui, '\t');
	compare_sizes(tui, "diff-flame");
	tui_key(tui, ' ');
	scene_a(&scene, 3);
	tui_update(tui, &scene.model);
	compare_sizes(tui, "paused");
	tui_free(tui);
	scene_done(&scene);
}

static void a_capture_and_an_end_look_as_they_should(void **state)
{
	struct scene scene;
	struct tui *tui = tui_of_scene(&scene, scene_a, false);
	struct tui_slider slider = {60000000000, 12000000000, 24000000000};

	(void)state;
	scene.model.ended = "the program ended with code 3";
	tui_update(tui, &scene.model);
	compare_sizes(tui, "ended");
	scene.model.ended = NULL;
	scene.model.slider = &slider;
	scene.model.pid = 0;
	scene.model.generation++;
	tui_update(tui, &scene.model);
	compare_sizes(tui, "capture");
	tui_free(tui);
	scene_done(&scene);
}

static void hostile_names_keep_their_columns(void **state)
{
	static const struct scene_frame stack[] = {
		{"\xe5\x87\xa6\xe7\x90\x86\xe3\x81\x99\xe3\x82\x8b",
		 "/srv/\xe6\x97\xa5\xe6\x9c\xac.py", 3, 1},
		{"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "/srv/\xd8\xb9\xd8\xb1\xd8\xa8.py", 7, 6},
		{"re\xcc\x81sume\xcc\x81", "/srv/re\xcc\x81.py", 9, 8},
		{"\x1b]0;owned\x07\x1b[2J", "/srv/\xe2\x80\xaeyp.exe", 11, 10},
		{"\xf0\x9f\x98\x80_and_a_very_long_name_that_has_to_be_cut_somewhere_in_the_middle",
		 "/srv/a\nb\tc.py", 13, 12},
	};
	struct scene scene;
	struct tui *tui = tui_new(&(struct tui_opts){0});
	struct node_id node;

	(void)state;
	scene_init(&scene);
	scene_threads(&scene, 1);
	for (size_t n = 1; n <= array_len(stack); n++) {
		node = scene_stack(&scene, (struct frame_id){0}, stack, n);
		scene_add(&scene, node, STATE_RUNNING_GIL, (int64_t)n * 100000000, 0);
	}
	scene.threads[0] = (struct tui_thread){.pid = 1,
					       .tid = 1,
					       .name = "\xd7\xa9\xd7\x9c\x1b[7m\xe6\x97\xa5",
					       .process = "",
					       .state = STATE_RUNNING_GIL,
					       .node = node,
					       .wall_ns = 1};
	scene.model.title = "python3 \x1b[31m\xe2\x80\xae.py";
	scene.model.elapsed_ns = 1500000000;
	tui_update(tui, &scene.model);
	compare_sizes(tui, "hostile-functions");
	tui_key(tui, '\t');
	compare_sizes(tui, "hostile-threads");
	tui_key(tui, '\t');
	tui_key(tui, '\t');
	compare_sizes(tui, "hostile-flame");
	tui_free(tui);
	scene_done(&scene);
}

static void a_terminal_without_unicode_gets_ascii_only(void **state)
{
	struct scene scene;
	struct tui *tui;
	struct grid grid = {0};

	(void)state;
	scene_init(&scene);
	scene_a(&scene, 1);
	tui = tui_new(&(struct tui_opts){.is_ascii = true, .source = scene_source});
	tui_update(tui, &scene.model);
	for (int tab = 0; tab < TUI_TABS; tab++, tui_key(tui, '\t')) {
		grid_resize(&grid, 24, 120);
		tui_render(tui, &grid);
		for (size_t i = 0; i < 24u * 120u; i++)
			assert_in_range(grid.cells[i].code, ' ', '~');
	}
	golden_compare("ascii", &grid);
	grid_done(&grid);
	tui_free(tui);
	scene_done(&scene);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_page_of_a_busy_program_looks_as_it_should),
		cmocka_unit_test(threads_that_wait_for_a_lock_look_as_they_should),
		cmocka_unit_test(help_filter_and_lines_look_as_they_should),
		cmocka_unit_test(a_comparison_and_a_pause_look_as_they_should),
		cmocka_unit_test(a_capture_and_an_end_look_as_they_should),
		cmocka_unit_test(hostile_names_keep_their_columns),
		cmocka_unit_test(a_terminal_without_unicode_gets_ascii_only),
	};

	if (argc != 2)
		return 2;
	golden_dir = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
