/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of real interpreters, recorded by tools/record-snapshot, against what the program in them said of itself.
 * Argument: the folder of the snapshots.
 */
#include "../unit.h"

#include <assert.h>
#include <dirent.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "python/python_private.h"
#include "python/version.h"

static const char *folder;

static void cleanup_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static char *read_file(const char *name, const char *ending, size_t *ret_len)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s%s", folder, name, ending);
	cleanup_file FILE *file = fopen(path, "rbe");
	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	char *data = xcalloc((size_t)st.st_size + 1, 1);
	assert_int_equal(fread(data, 1, (size_t)st.st_size, file), (size_t)st.st_size);
	*ret_len = (size_t)st.st_size;
	return data;
}

static void describe(struct python *python, struct names *names, const struct python_look *look,
		     uint32_t i, struct buf *out)
{
	const struct python_thread *thread = &look->threads[i];
	uint8_t outcome;
	struct python_stack stack;

	assert_int_equal(python_read_waiting(python, &i, 1, 0, &outcome), 0);
	assert_int_equal(outcome, PYTHON_COMPLETE);
	buf_printf(out, "thread %d %llu %s\n", thread->tid, (unsigned long long)thread->ident,
		   names_text(names, python_thread_name(python, i, false), NULL));
	python_stack(python, i, &stack);
	for (size_t k = 0; k < stack.n; k++) {
		const struct frame *frame = names_frame_get(names, stack.frames[k]);
		const char *file = names_text(names, frame->file, NULL);
		const char *slash = strrchr(file, '/');

		buf_printf(
			out, "%s (%s:%u)\n",
			names_text(names, frame->qualname.v ? frame->qualname : frame->name, NULL),
			slash ? slash + 1 : file, frame->line);
	}
}

/* The program names every thread but its main one. */
static void check_threads(struct python *python, struct names *names, const char *expected)
{
	struct python_look look;
	size_t n_expected = 0, n_found = 0;

	for (const char *at = expected; (at = strstr(at, "thread ")); at++)
		n_expected++;
	assert_int_equal(python_look(python, &look), 0);
	assert_int_equal(look.n, n_expected + 1);
	assert_int_equal(look.holder, PYTHON_NO_THREAD);
	for (uint32_t i = 0; i < look.n; i++) {
		struct buf text;

		buf_init(&text, 1 << 20);
		describe(python, names, &look, i, &text);
		n_found += strstr(expected, text.data) != NULL;
		if (!strstr(expected, text.data))
			assert_non_null(strstr(text.data, "MainThread"));
		buf_done(&text);
	}
	assert_int_equal(n_found, n_expected);
}

static void find_layout(struct memory *memory, struct runtime *runtime)
{
	uint8_t block[DEBUG_OFFSETS_BYTES];
	struct err err = {0};

	memory_budget_set(memory, 2, 2 * sizeof(block));
	assert_int_equal(memory_read(memory, runtime->addr, block, DEBUG_OFFSETS_HEAD_BYTES), 0);
	if (debug_offsets_is_block(block)) {
		size_t n = debug_offsets_bytes(block);

		assert_int_equal(memory_read(memory, runtime->addr, block, n), 0);
		if (debug_offsets_parse(block, n, &runtime->layout, &err) < 0)
			fail_msg("%s", err.text);
		return;
	}
	char path[64];
	snprintf(path, sizeof(path), "python%s", runtime->version);
	const struct layout *layout = layout_find(version_from_path(path).minor);
	assert_non_null(layout);
	runtime->layout = *layout;
}

static void check_snapshot(const char *name)
{
	size_t len, expected_len;
	int pid;
	cleanup_free char *data = read_file(name, ".mem", &len);
	cleanup_free char *expected = read_file(name, ".txt", &expected_len);
	struct memory *memory = memory_snapshot_new(data, len, NULL);
	struct names *names = names_new();
	struct runtime runtime = {0};
	struct python *python;

	assert_non_null(memory);
	assert_int_equal(sscanf(expected, "runtime %lx pid %d version %31s", &runtime.addr, &pid,
				runtime.version),
			 3);
	find_layout(memory, &runtime);
	struct python_args args = {.memory = memory, .names = names, .pid = pid};
	assert_int_equal(python_new(&args, &runtime, &python, NULL), 0);
	check_threads(python, names, strstr(expected, "thread "));
	python_free(python);
	names_free(names);
	memory_free(memory);
}

static void snapshots_give_what_the_program_said(void **state)
{
	cleanup(cleanup_closedir) DIR *dir = opendir(folder);
	int n = 0;

	(void)state;
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		char name[256];
		const char *ending = strstr(entry->d_name, ".mem");

		if (!ending)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(ending - entry->d_name), entry->d_name);
		print_message("%s\n", name);
		check_snapshot(name);
		n++;
	}
	assert_true(n >= 10);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshots_give_what_the_program_said),
	};

	assert(argc == 2);
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
