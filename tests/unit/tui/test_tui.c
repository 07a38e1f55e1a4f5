/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts of keys: what a user types, and what then stands on the screen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tui_scene.h"
#include "unit.h"

#define MAX_BYTES (1u << 20)

struct session {
	struct scene scene;
	struct tui *tui;
	struct grid grid;
	struct buf text;
};

static void session_init(struct session *session, void (*make)(struct scene *, int64_t))
{
	*session = (struct session){0};
	buf_init(&session->text, MAX_BYTES);
	scene_init(&session->scene);
	session->tui = tui_new(&(struct tui_opts){.source = scene_source});
	for (int i = 0; i < 2; i++) {
		make(&session->scene, 5);
		tui_update(session->tui, &session->scene.model);
	}
}

static void session_done(struct session *session)
{
	tui_free(session->tui);
	grid_done(&session->grid);
	buf_done(&session->text);
	scene_done(&session->scene);
}

static const char *screen(struct session *session)
{
	grid_resize(&session->grid, 24, 80);
	tui_render(session->tui, &session->grid);
	buf_reset(&session->text);
	grid_text(&session->grid, &session->text);
	return session->text.data;
}

/* The text of the chosen row: the first that is reversed below the head. */
static const char *chosen(struct session *session)
{
	static char line[512];
	const char *text = screen(session);
	int row = 3;

	while (row < 24 && !(grid_at(&session->grid, row, 40)->attributes & STYLE_REVERSE))
		row++;
	for (int i = 0; i < row && text; i++) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	snprintf(line, sizeof(line), "%.*s", text ? (int)strcspn(text, "\n") : 0, text ? text : "");
	return line;
}

static void press(struct session *session, const char *keys)
{
	for (; *keys; keys++)
		assert_int_equal(tui_key(session->tui, (uint32_t)*keys), TUI_DRAW);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" is in:\n%s", part, text);
}

static void one_key_shows_the_hot_line_of_a_busy_program(void **state)
{
	struct session session;

	(void)state;
	session_init(&session, scene_a);
	assert_has(chosen(&session), "foo");
	press(&session, "\r");
	assert_has(chosen(&session), "s = s + i * i");
	assert_has(chosen(&session), "61.0%");
	assert_has(screen(&session), "75.0% work (service.py:22)"); /* who called it */
	press(&session, "n");
	assert_has(chosen(&session), "for i in range(n):");
	press(&session, "\033");
	assert_has(screen(&session), "[Functions]");
	session_done(&session);
}

static void a_program_without_a_gil_has_no_gauges_of_it(void **state)
{
	struct session session;

	(void)state;
	session_init(&session, scene_b);
	assert_has(screen(&session), "no GIL");
	session.scene.model.has_no_gil = true;
	tui_update(session.tui, &session.scene.model);
	assert_has(screen(&session), "running     -   idle  100%");
	assert_lacks(screen(&session), "GIL");
	session_done(&session);
}

static void one_key_shows_how_many_threads_are_stuck_and_where(void **state)
{
	struct session session;

	(void)state;
	session_init(&session, scene_b);
	press(&session, "\t");
	assert_has(screen(&session), "7 of 9 threads wait for a lock: connection (local.py:100)");
	/* and two more what the holder does */
	tui_key(session.tui, TUI_KEY_END);
	press(&session, "\r");
	assert_has(screen(&session), "socket.py:706");
	assert_has(screen(&session), "view.py:41");
	session_done(&session);
}

static void threads_that_wait_are_where_python_is_not_where_the_library_sleeps(void **state)
{
	struct session session;
	struct scene *scene = &session.scene;

	(void)state;
	session_init(&session, scene_b);
	for (size_t i = 0; i < scene->n_threads; i++) {
		struct frame frame = {.name = names_cstr(scene->names, "futex_wait"),
				      .module = names_cstr(scene->names, "/lib/libc.so.6"),
				      .kind = FRAME_NATIVE};

		scene->threads[i].node = tree_child(&scene->profile.tree, scene->threads[i].node,
						    names_frame(scene->names, &frame));
	}
	tui_update(session.tui, &scene->model);
	press(&session, "\t");
	assert_has(screen(&session), "7 of 9 threads wait for a lock: connection (local.py:100)");
	assert_lacks(screen(&session), "futex_wait");
	/* the whole stack has it */
	press(&session, "\r");
	assert_has(screen(&session), "C futex_wait");
	session_done(&session);
}

static void threads_that_wait_elsewhere_are_no_crowd(void **state)
{
	struct session session;

	(void)state;
	session_init(&session, scene_b);
	for (size_t i = 0; i < session.scene.n_threads; i++)
		session.scene.threads[i].state = STATE_WAITING_IO;
	tui_update(session.tui, &session.scene.model);
	press(&session, "\t");
	assert_lacks(screen(&session), "threads wait for a lock:");
	session_done(&session);
}

static void digits_sort_as_py_spy_does(void **state)
{
	static const struct {
		char key;
		const char *first;
	} cases[] = {{'1', "bar"}, {'2', "<module>"}, {'3', "foo"}, {'4', "<module>"}};
	struct session session;
	struct frame_id marker;
	const struct scene_frame stack[] = {{"<module>", "/srv/app/service.py", 27, 1},
					    {"work", "/srv/app/service.py", 25, 22},
					    {"bar", "/srv/app/service.py", 19, 18}};

	(void)state;
	session_init(&session, scene_a);
	marker = scene_marker(&session.scene, "thread 4711: MainThread");
	/* Now only bar runs; in all it is still foo. */
	scene_add(&session.scene, scene_stack(&session.scene, marker, stack, 3), STATE_RUNNING_GIL,
		  NS_PER_S, NS_PER_S);
	session.scene.model.elapsed_ns += NS_PER_S;
	tui_update(session.tui, &session.scene.model);
	for (size_t i = 0; i < array_len(cases); i++) {
		const char keys[] = {cases[i].key, '\0'};

		press(&session, keys);
		assert_has(chosen(&session), cases[i].first);
	}
	session_done(&session);
}

static void a_pause_freezes_the_picture_until_it_ends(void **state)
{
	struct session session;

	(void)state;
	session_init(&session, scene_a);
	press(&session, " ");
	assert_true(tui_is_paused(session.tui));
	scene_a(&session.scene, 10);
	tui_update(session.tui, &session.scene.model);
	assert_has(screen(&session), "PAUSED, 10.00s behind");
	assert_has(screen(&session), "7.50s");
	press(&session, " ");
	tui_update(session.tui, &session.scene.model);
	assert_lacks(screen(&session), "PAUSED");
	assert_has(screen(&session), "15.00s");
	session_done(&session);
}

static void the_choice_stays_with_its_row_when_rows_move(void **state)
{
	struct session session;
	const struct scene_frame stack[] = {{"<module>", "/srv/app/service.py", 27, 1},
					    {"late", "/srv/app/service.py", 40, 39}};

	(void)state;
	session_init(&session, scene_a);
	tui_key(session.tui, TUI_KEY_DOWN);
	assert_has(chosen(&session), "bar");
	scene_add(&session.scene, scene_stack(&session.scene, (struct frame_id){0}, stack, 2),
		  STATE_RUNNING_GIL, 100 * NS_PER_S, 0);
	session.scene.model.elapsed_ns += NS_PER_S;
	tui_update(session.tui, &session.scene.model);
	assert_has(screen(&session), "late");
	assert_has(chosen(&session), "bar");
	tui_key(session.tui, TUI_KEY_HOME);
	assert_has(chosen(&session), "late");
	session_done(&session);
}

static void a_filter_is_taken_as_typed_and_esc_clears_it(void **state)
{
	struct session session;

	(void)state;
	session_init(&session, scene_a);
	press(&session, "/BAq");
	assert_has(screen(&session), "no function matches");
	tui_key(session.tui, TUI_KEY_BACKSPACE);
	assert_has(screen(&session), "bar");
	assert_lacks(screen(&session), "foo");
	assert_has(screen(&session), "25.0% of the time");
	press(&session, "\r");
	assert_has(screen(&session), "/BA");
	press(&session, "\033");
	assert_has(screen(&session), "foo");
	/* an expression that is none says so */
	press(&session, "//(/");
	assert_lacks(screen(&session), "25.0% of the time");
	session_done(&session);
}

static void a_reset_counts_from_zero(void **state)
{
	struct session session;

	(void)state;
	session_init(&session, scene_a);
	press(&session, "R");
	assert_has(screen(&session), "nothing to count here yet");
	scene_a(&session.scene, 2);
	tui_update(session.tui, &session.scene.model);
	assert_has(screen(&session), "1.50s");
	assert_lacks(screen(&session), "9.00s");
	session_done(&session);
}

static void a_baseline_shows_what_changed_and_leaves_what_did_not(void **state)
{
	struct session session;
	struct frame_id marker;
	const struct scene_frame stack[] = {{"<module>", "/srv/app/service.py", 27, 1},
					    {"work", "/srv/app/service.py", 25, 22},
					    {"bar", "/srv/app/service.py", 19, 18}};

	(void)state;
	session_init(&session, scene_a);
	marker = scene_marker(&session.scene, "thread 4711: MainThread");
	press(&session, "b");
	/* Half as long: foo is gone, bar is what it was a second. */
	scene_add(&session.scene, scene_stack(&session.scene, marker, stack, 3), STATE_RUNNING_GIL,
		  5 * NS_PER_S / 4, 0);
	session.scene.model.elapsed_ns += 5 * NS_PER_S;
	tui_update(session.tui, &session.scene.model);
	assert_has(chosen(&session), "0.75      -   -0.75   -0.75  foo");
	tui_key(session.tui, TUI_KEY_END);
	assert_has(chosen(&session), "0.25   0.25       =       =  bar");
	press(&session, "b");
	assert_has(screen(&session), "OwnTime");
	session_done(&session);
}

static void one_thread_alone_is_what_all_pages_show(void **state)
{
	struct session session;

	(void)state;
	session_init(&session, scene_b);
	press(&session, "z\t4");
	assert_has(chosen(&session), "L waitress-0");
	press(&session, "t\t");
	assert_has(screen(&session), "only waitress-0");
	assert_has(screen(&session), "connection");
	assert_lacks(screen(&session), "select");
	press(&session, "\033");
	assert_has(screen(&session), "serve.py");
	session_done(&session);
}

static void a_tree_opens_and_shuts(void **state)
{
	struct session session;

	(void)state;
	session_init(&session, scene_a);
	press(&session, "\t\t");
	assert_has(screen(&session), "foo");
	tui_key(session.tui, TUI_KEY_DOWN);
	assert_has(chosen(&session), "work");
	press(&session, "\r");
	assert_lacks(screen(&session), "foo");
	/* it stays shut when there is more to show */
	scene_a(&session.scene, 1);
	tui_update(session.tui, &session.scene.model);
	assert_lacks(screen(&session), "foo");
	tui_key(session.tui, TUI_KEY_RIGHT);
	assert_has(screen(&session), "foo");
	tui_key(session.tui, TUI_KEY_RIGHT);
	assert_has(chosen(&session), "foo");
	tui_key(session.tui, TUI_KEY_LEFT);
	assert_has(chosen(&session), "work");
	session_done(&session);
}

static void a_flame_graph_zooms_in_and_out(void **state)
{
	struct session session;

	(void)state;
	session_init(&session, scene_a);
	press(&session, "\t\t\t");
	for (int i = 0; i < 3; i++)
		tui_key(session.tui, TUI_KEY_DOWN);
	assert_has(screen(&session), "foo (service.py:11) total 75.0%");
	tui_key(session.tui, TUI_KEY_LEFT);
	assert_has(screen(&session), "bar (service.py:18) total 25.0%");
	tui_key(session.tui, TUI_KEY_RIGHT);
	press(&session, "\r");
	assert_lacks(screen(&session), "bar");
	assert_has(screen(&session), "foo 75.0%");
	press(&session, "\033");
	assert_has(screen(&session), "bar");
	session_done(&session);
}

static void keys_of_a_capture_move_and_resize_its_range(void **state)
{
	struct session session;
	struct tui_slider slider = {100 * NS_PER_S, 40 * NS_PER_S, 60 * NS_PER_S};
	static const struct {
		char key;
		int64_t from, until;
	} cases[] = {{']', 45, 65}, {'[', 40, 60}, {'{', 45, 55}, {'}', 40, 60},
		     {'}', 30, 70}, {'}', 10, 90}, {'}', 0, 100}, {']', 0, 100}};
	int64_t from, until;

	(void)state;
	session_init(&session, scene_a);
	assert_int_equal(tui_key(session.tui, ']'), TUI_DRAW);
	session.scene.model.slider = &slider;
	tui_update(session.tui, &session.scene.model);
	for (size_t i = 0; i < array_len(cases); i++) {
		assert_int_equal(tui_key(session.tui, (uint32_t)cases[i].key), TUI_SEEK);
		tui_wanted_range(session.tui, &from, &until);
		assert_int_equal(from, cases[i].from * NS_PER_S);
		assert_int_equal(until, cases[i].until * NS_PER_S);
	}
	session_done(&session);
}

static void whoever_wants_to_leave_can(void **state)
{
	struct session session;

	(void)state;
	session_init(&session, scene_a);
	assert_int_equal(tui_key(session.tui, 'q'), TUI_QUIT);
	press(&session, "/");
	assert_int_equal(tui_key(session.tui, 3), TUI_QUIT);
	press(&session, "q\033?");
	assert_int_equal(tui_key(session.tui, 'q'), TUI_QUIT);
	session_done(&session);
}

static void a_page_without_samples_says_so_and_takes_keys(void **state)
{
	struct tui *tui = tui_new(&(struct tui_opts){0});
	struct grid grid = {0};
	struct buf text;

	(void)state;
	buf_init(&text, MAX_BYTES);
	for (uint32_t key = 1; key < 128; key++)
		if (key != '?' && key != '/')
			(void)tui_key(tui, key);
	grid_resize(&grid, 24, 80);
	tui_render(tui, &grid);
	grid_text(&grid, &text);
	assert_has(text.data, "waiting for the first sample");
	buf_done(&text);
	grid_done(&grid);
	tui_free(tui);
}

static void other_names_make_a_fresh_start(void **state)
{
	struct session session;
	struct scene other;

	(void)state;
	session_init(&session, scene_a);
	press(&session, "b\r");
	scene_init(&other);
	scene_b(&other, 1);
	tui_update(session.tui, &other.model);
	for (int i = 0; i < TUI_TABS; i++) {
		assert_lacks(screen(&session), "foo");
		press(&session, "\t");
	}
	session_done(&session);
	scene_done(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_key_shows_the_hot_line_of_a_busy_program),
		cmocka_unit_test(a_program_without_a_gil_has_no_gauges_of_it),
		cmocka_unit_test(one_key_shows_how_many_threads_are_stuck_and_where),
		cmocka_unit_test(
			threads_that_wait_are_where_python_is_not_where_the_library_sleeps),
		cmocka_unit_test(threads_that_wait_elsewhere_are_no_crowd),
		cmocka_unit_test(digits_sort_as_py_spy_does),
		cmocka_unit_test(a_pause_freezes_the_picture_until_it_ends),
		cmocka_unit_test(the_choice_stays_with_its_row_when_rows_move),
		cmocka_unit_test(a_filter_is_taken_as_typed_and_esc_clears_it),
		cmocka_unit_test(a_reset_counts_from_zero),
		cmocka_unit_test(a_baseline_shows_what_changed_and_leaves_what_did_not),
		cmocka_unit_test(one_thread_alone_is_what_all_pages_show),
		cmocka_unit_test(a_tree_opens_and_shuts),
		cmocka_unit_test(a_flame_graph_zooms_in_and_out),
		cmocka_unit_test(keys_of_a_capture_move_and_resize_its_range),
		cmocka_unit_test(whoever_wants_to_leave_can),
		cmocka_unit_test(a_page_without_samples_says_so_and_takes_keys),
		cmocka_unit_test(other_names_make_a_fresh_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
