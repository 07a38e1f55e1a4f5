/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "cmd/dump_view.h"

static struct node_id push(struct names *names, struct tree *tree, struct node_id parent,
			   const char *name, const char *file, uint32_t line)
{
	struct frame frame = {
		.name = names_cstr(names, name),
		.file = names_cstr(names, file),
		.line = line,
		.kind = FRAME_PYTHON,
	};

	return tree_child(tree, parent, names_frame(names, &frame));
}

struct fixture {
	struct names *names;
	struct tree tree;
	struct dump_view view;
	struct buf out;
};

static void begin(struct fixture *f)
{
	const struct capture_events *events = dump_view_events();
	struct capture_process process = {

		.id = 1, .pid = 7, .command = "python3 a.py", .runtime = "CPython 3.12.1"};
	struct capture_thread main_thread = {.id = 1, .process = 1, .tid = 7, .name = "MainThread"};
	struct capture_thread other = {.id = 2, .process = 1, .tid = 8, .name = "\x1b[31m\"x\n"};
	struct capture_sample sample = {
		.thread = 1, .state = STATE_RUNNING_GIL, .flags = SAMPLE_GIL};

	f->names = names_new();
	tree_init(&f->tree);
	buf_init(&f->out, 1 << 16);
	dump_view_init(&f->view, f->names, &f->tree);
	assert_int_equal(events->process(&f->view, &process), 0);
	assert_int_equal(events->thread(&f->view, &main_thread), 0);
	assert_int_equal(events->thread(&f->view, &other), 0);
	sample.node = push(f->names, &f->tree, (struct node_id){0}, "<module>", "/srv/a.py", 30);
	sample.node = push(f->names, &f->tree, sample.node, "get",
			   "/v/lib/python3.12/site-packages/lib/api.py", 12);
	assert_int_equal(events->sample(&f->view, &sample), 0);
}

static void end(struct fixture *f)
{
	buf_done(&f->out);
	dump_view_done(&f->view);
	tree_done(&f->tree);
	names_free(f->names);
}

static void dump_text_has_the_layout_that_people_know(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	dump_view_text(&f.view, &f.out);
	assert_string_equal(f.out.data, "Process 7: python3 a.py\n"
					"Python v3.12.1\n"
					"GIL: held by thread 7\n"
					"\n"
					"Thread 7 (active+gil): \"MainThread\"\n"
					"    get (lib/api.py:12)\n"
					"    <module> (a.py:30)\n"
					"Thread 8 (could not be read): \"\\x1b[31m\"x\\x0a\"\n");
	end(&f);
}

static void add_local(struct fixture *f, uint32_t frame, uint8_t flags, const char *name,
		      const char *text)
{
	struct capture_local local = {.thread = 1,
				      .frame = frame,
				      .address = 0x7f00,
				      .flags = flags,
				      .name = name,
				      .text = text};

	assert_int_equal(dump_view_events()->local(&f->view, &local), 0);
}

static void dump_shows_arguments_then_other_locals(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	f.view.with_locals = true;
	add_local(&f, 0, 0, "x", "[1, 2]");
	add_local(&f, 0, LOCAL_ARGUMENT, "self", "<a.B at 0x7f00>");
	add_local(&f, 1, LOCAL_SHARED, "\x1b", "\"\x1b\"");
	add_local(&f, 1, LOCAL_CUT, "", "");
	dump_view_text(&f.view, &f.out);
	assert_non_null(strstr(f.out.data, "    get (lib/api.py:12)\n"
					   "        Arguments:\n"
					   "            self: <a.B at 0x7f00>\n"
					   "        Locals:\n"
					   "            x: [1, 2]\n"
					   "    <module> (a.py:30)\n"
					   "        Locals:\n"
					   "            \\x1b: \"\\x1b\"\n"
					   "            \xe2\x80\xa6\n"));
	buf_reset(&f.out);
	dump_view_json(&f.view, &f.out);
	assert_non_null(strstr(f.out.data, "{\"name\":\"self\",\"addr\":32512,\"arg\":true,"
					   "\"shared\":false,\"repr\":\"<a.B at 0x7f00>\"}"));
	assert_non_null(strstr(f.out.data, "\"locals_cut\":true"));
	end(&f);
}

static void dump_tells_processes_and_who_waits_for_the_gil(void **state)
{
	struct capture_process child = {.id = 2,
					.pid = 9,
					.parent_pid = 7,
					.command = "python3 b.py",
					.runtime = "CPython 3.12.1"};
	struct capture_thread thread = {.id = 3, .process = 2, .tid = 9, .name = "MainThread"};
	struct capture_sample sample = {.thread = 3, .state = STATE_WAITING_GIL};
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(dump_view_events()->process(&f.view, &child), 0);
	assert_int_equal(dump_view_events()->thread(&f.view, &thread), 0);
	assert_int_equal(dump_view_events()->sample(&f.view, &sample), 0);
	dump_view_text(&f.view, &f.out);
	assert_non_null(strstr(f.out.data,
			       "Process 9: python3 b.py\n"
			       "Python v3.12.1\n"
			       "Parent Process 7: python3 a.py\n"
			       "GIL: free, 1 thread waits for it\n"
			       "\n"
			       "Thread 9 (idle, waiting for the GIL): \"MainThread\"\n"));
	buf_reset(&f.out);
	dump_view_json(&f.view, &f.out);
	assert_non_null(strstr(f.out.data, "\"waits_for_gil\":true"));
	assert_non_null(strstr(f.out.data, "{\"pid\":9,"));
	end(&f);
}

static void dump_json_has_whole_paths(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	dump_view_json(&f.view, &f.out);
	assert_non_null(strstr(f.out.data, "\"owns_gil\":true"));
	assert_non_null(
		strstr(f.out.data, "\"filename\":\"/v/lib/python3.12/site-packages/lib/api.py\""));
	assert_non_null(strstr(f.out.data, "\"state\":\"unreadable\""));
	assert_null(strchr(f.out.data, '\x1b'));
	end(&f);
}

static void dump_refuses_a_sample_of_no_thread(void **state)
{
	struct capture_sample sample = {.thread = 99};
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(dump_view_events()->sample(&f.view, &sample), ERR_CORRUPT);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dump_text_has_the_layout_that_people_know),
		cmocka_unit_test(dump_shows_arguments_then_other_locals),
		cmocka_unit_test(dump_tells_processes_and_who_waits_for_the_gil),
		cmocka_unit_test(dump_json_has_whole_paths),
		cmocka_unit_test(dump_refuses_a_sample_of_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
