/* SPDX-License-Identifier: Apache-2.0 */
/* Names of this very program's functions: the compiler's own __LINE__ is the oracle. */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/elf.h"
#include "symbol/symbol.h"

extern const char __executable_start[];

static uint64_t call_address;
static int inner_line, outer_line;

/* Notes where it was called from. */
__attribute__((noinline)) static void note_caller(void)
{
	call_address = (uint64_t)__builtin_return_address(0) - 1;
}

__attribute__((always_inline)) static inline void inner(void)
{
	inner_line = __LINE__, note_caller();
	__asm__ volatile("");
}

__attribute__((noinline)) static void outer(void)
{
	outer_line = __LINE__, inner();
	__asm__ volatile("");
}

struct fixture {
	struct names *names;
	struct tree tree;
	struct symbolizer *symbolizer;
	char build_id[2 * ELF_BUILD_ID_MAX + 1];
	char path[4096];
};

static void set_up(struct fixture *f, struct symbolizer_config config)
{
	struct err err = {0};
	uint8_t id[ELF_BUILD_ID_MAX];
	struct elf *elf;
	int n;

	memset(f, 0, sizeof(*f));
	f->names = names_new();
	tree_init(&f->tree);
	config.names = f->names;
	config.tree = &f->tree;
	assert_int_equal(symbolizer_new(&config, &f->symbolizer, &err), 0);
	assert_int_equal(elf_open(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), &elf, NULL), 0);
	n = elf_build_id(elf, id);
	assert_int_equal(n, 20);
	for (int i = 0; i < n; i++)
		snprintf(f->build_id + 2 * i, 3, "%02x", id[i]);
	elf_close(elf);
	assert_true(readlink("/proc/self/exe", f->path, sizeof(f->path) - 1) > 0);
}

static void tear_down(struct fixture *f)
{
	symbolizer_free(f->symbolizer);
	tree_done(&f->tree);
	names_free(f->names);
}

static struct node_id native(struct fixture *f, struct node_id parent, const char *module,
			     const char *build_id, uint64_t address)
{
	struct frame frame = {
		.module = names_cstr(f->names, module),
		.build_id = names_cstr(f->names, build_id),
		.address = address,
		.kind = FRAME_NATIVE,
	};

	return tree_child(&f->tree, parent, names_frame(f->names, &frame));
}

/* Frames of a node: "outer:12 inner:7", with lines where they are known. */
static const char *words(struct fixture *f, struct node_id node)
{
	static char text[8192];
	struct frame_id frames[64];
	size_t n = tree_path(&f->tree, node, frames, 64), at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct frame *frame = names_frame_get(f->names, frames[i]);

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "",
				       names_text(f->names, frame->name, NULL));
		if (frame->line)
			at += (size_t)snprintf(text + at, sizeof(text) - at, ":%u", frame->line);
	}
	return text;
}

static uint64_t linked(const void *address)
{
	return (uint64_t)address - (uint64_t)__executable_start;
}

static bool has_dwarf(struct fixture *f)
{
	struct symbolizer_facts facts;

	symbolizer_facts(f->symbolizer, &facts);
	return facts.has_dwarf;
}

static void symbolizer_names_functions_with_inlined_callers(void **state)
{
	struct fixture f;
	char expected[128];
	struct node_id node;

	(void)state;
	outer();
	set_up(&f, (struct symbolizer_config){0});
	node = native(&f, (struct node_id){0}, f.path, f.build_id, linked((void *)call_address));
	node = symbolizer_node(f.symbolizer, 0, node);
	if (has_dwarf(&f))
		snprintf(expected, sizeof(expected), "outer:%d inner:%d", outer_line, inner_line);
	else
		snprintf(expected, sizeof(expected), "outer");
	assert_string_equal(words(&f, node), expected);

	struct frame_id frames[2];
	size_t n = tree_path(&f.tree, node, frames, 2);
	const struct frame *frame = names_frame_get(f.names, frames[n - 1]);

	assert_int_equal(frame->kind, FRAME_NATIVE);
	assert_int_equal(frame->address, 0);
	assert_int_equal(frame->build_id.v, 0);
	assert_string_equal(names_text(f.names, frame->module, NULL), f.path);
	if (has_dwarf(&f))
		assert_non_null(
			strstr(names_text(f.names, frame->file, NULL), "test_symbolizer.c"));
	tear_down(&f);
}

static void symbolizer_does_with_symbol_tables(void **state)
{
	struct fixture f;
	struct node_id node;

	(void)state;
	outer();
	set_up(&f, (struct symbolizer_config){.without_dwarf = true});
	node = native(&f, (struct node_id){0}, f.path, f.build_id, linked((void *)call_address));
	assert_string_equal(words(&f, symbolizer_node(f.symbolizer, 0, node)), "outer");
	tear_down(&f);
}

static void symbolizer_leaves_other_frames_as_they_are(void **state)
{
	struct fixture f;
	struct frame python = {.kind = FRAME_PYTHON, .line = 7};
	struct node_id node, with, answer;

	(void)state;
	outer();
	set_up(&f, (struct symbolizer_config){.without_dwarf = true});
	python.name = names_cstr(f.names, "work");
	node = tree_child(&f.tree, (struct node_id){0}, names_frame(f.names, &python));
	assert_int_equal(symbolizer_node(f.symbolizer, 0, node).v, node.v);
	assert_true(symbolizer_ask(f.symbolizer, 0, node));
	with = native(&f, node, f.path, f.build_id, linked((void *)call_address));
	python.name = names_cstr(f.names, "callback");
	with = tree_child(&f.tree, with, names_frame(f.names, &python));
	answer = symbolizer_node(f.symbolizer, 0, with);
	assert_string_equal(words(&f, answer), "work:7 outer callback:7");
	assert_int_equal(symbolizer_node(f.symbolizer, 0, with).v, answer.v);
	tear_down(&f);
}

static void symbolizer_keeps_what_is_unknown(void **state)
{
	struct fixture f;
	struct node_id node, answer;
	struct frame_id id;

	(void)state;
	set_up(&f, (struct symbolizer_config){.debug_dirs = "/nonexistent"});
	node = native(&f, (struct node_id){0}, "/usr/lib/libnone.so.1", "00112233445566778899",
		      0x1234);
	answer = symbolizer_node(f.symbolizer, 0, node);
	assert_string_equal(words(&f, answer), "libnone.so.1+0x1234");
	assert_int_equal(tree_path(&f.tree, answer, &id, 1), 1);
	const struct frame *frame = names_frame_get(f.names, id);

	assert_int_equal(frame->address, 0x1234);
	assert_string_equal(names_text(f.names, frame->build_id, NULL), "00112233445566778899");
	/* Another build of this program, and an address where nothing is. */
	node = native(&f, (struct node_id){0}, f.path, "00112233445566778899", 0x1234);
	assert_non_null(strstr(words(&f, symbolizer_node(f.symbolizer, 0, node)), "+0x1234"));
	node = native(&f, (struct node_id){0}, f.path, f.build_id, 1ull << 40);
	assert_non_null(
		strstr(words(&f, symbolizer_node(f.symbolizer, 0, node)), "+0x10000000000"));
	tear_down(&f);
}

static void symbolizer_takes_files_that_others_have_opened(void **state)
{
	struct fixture f;
	struct node_id node;

	(void)state;
	outer();
	set_up(&f, (struct symbolizer_config){.without_dwarf = true});
	symbolizer_add_file(f.symbolizer, f.build_id, "/elsewhere/program",
			    open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	symbolizer_add_file(f.symbolizer, "", "/elsewhere/no-id",
			    open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	node = native(&f, (struct node_id){0}, "/elsewhere/program", f.build_id,
		      linked((void *)call_address));
	node = native(&f, node, "/elsewhere/no-id", "", linked((void *)call_address));
	assert_string_equal(words(&f, symbolizer_node(f.symbolizer, 0, node)), "outer outer");
	tear_down(&f);
}

static void symbolizer_trusts_paths_only_when_told(void **state)
{
	struct fixture f;
	struct node_id node;

	(void)state;
	outer();
	for (int trusts = 0; trusts < 2; trusts++) {
		set_up(&f,
		       (struct symbolizer_config){.trusts_paths = trusts, .without_dwarf = true});
		node = native(&f, (struct node_id){0}, f.path, "", linked((void *)call_address));
		node = symbolizer_node(f.symbolizer, 0, node);
		assert_int_equal(!strcmp(words(&f, node), "outer"), trusts);
		tear_down(&f);
	}
}

static void copy_self(const char *to)
{
	cleanup_fd int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	cleanup_fd int into = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	struct stat st;

	assert_int_equal(fstat(from, &st), 0);
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(into, from, NULL, (size_t)left);

		assert_true(n > 0);
		left -= n;
	}
}

/* As a container's files are seen from outside. */
static void symbolizer_looks_below_the_root_of_the_target_first(void **state)
{
	char dir[] = "/tmp/symbols.XXXXXX", file[64], link[64];
	struct fixture f;
	struct node_id node;
	int root;

	(void)state;
	outer();
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/program", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	copy_self(file);
	assert_int_equal(symlink("/program", link), 0); /* the container's, not ours */
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	set_up(&f, (struct symbolizer_config){.trusts_paths = true, .without_dwarf = true});
	symbolizer_add_root(f.symbolizer, root);
	node = native(&f, (struct node_id){0}, "/program", f.build_id,
		      linked((void *)call_address));
	node = native(&f, node, "/link", "", linked((void *)call_address));
	/* Without a build id our file of that path is not theirs. */
	node = native(&f, node, f.path, "", linked((void *)call_address));
	assert_memory_equal(words(&f, symbolizer_node(f.symbolizer, 0, node)), "outer outer test_",
			    17);
	tear_down(&f);
	unlink(link);
	unlink(file);
	rmdir(dir);
}

static void symbolizer_answers_without_waiting(void **state)
{
	struct fixture f;
	struct node_id node;
	int rounds = 0;

	(void)state;
	outer();
	set_up(&f, (struct symbolizer_config){0});
	node = native(&f, (struct node_id){0}, f.path, f.build_id, linked((void *)call_address));
	assert_int_equal(symbolizer_fd(f.symbolizer), -1);
	while (!symbolizer_ask(f.symbolizer, 0, node) && rounds++ < 10000) {
		assert_true(symbolizer_fd(f.symbolizer) >= 0);
		usleep(1000);
		symbolizer_pump(f.symbolizer);
	}
	assert_int_equal(symbolizer_fd(f.symbolizer), -1);
	assert_non_null(strstr(words(&f, symbolizer_node(f.symbolizer, 0, node)), "outer"));
	tear_down(&f);
}

/* ---- a worker that is lost ---- */

/* The only grandchild: nursery and worker have this process and the nursery as parents. */
static pid_t child_of(pid_t parent)
{
	char path[64];
	int child = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	cleanup_file FILE *file = fopen(path, "re");
	if (!file || fscanf(file, "%d", &child) != 1)
		return 0;
	return child;
}

static void symbolizer_goes_on_after_its_worker_died(void **state)
{
	struct fixture f;
	struct node_id node;
	pid_t worker;

	(void)state;
	outer();
	set_up(&f, (struct symbolizer_config){.without_dwarf = true});
	node = native(&f, (struct node_id){0}, f.path, f.build_id, linked((void *)call_address));
	assert_string_equal(words(&f, symbolizer_node(f.symbolizer, 0, node)), "outer");
	worker = child_of(child_of(getpid()));
	if (!worker) {
		tear_down(&f);
		skip(); /* a kernel without lists of children */
	}
	kill(worker, SIGKILL);
	usleep(20000);
	node = native(&f, (struct node_id){0}, f.path, f.build_id, linked(note_caller));
	assert_string_equal(words(&f, symbolizer_node(f.symbolizer, 0, node)), "note_caller");
	tear_down(&f);
}

static void symbolizer_goes_on_without_whom_it_cannot_start(void **state)
{
	struct fixture f;
	struct node_id node;

	(void)state;
	outer();
	set_up(&f, (struct symbolizer_config){.without_dwarf = true});
	kill(child_of(getpid()), SIGKILL);
	usleep(20000);
	node = native(&f, (struct node_id){0}, f.path, f.build_id, linked((void *)call_address));
	assert_non_null(strstr(words(&f, symbolizer_node(f.symbolizer, 0, node)), "+0x"));
	tear_down(&f);
}

static void symbolizer_kills_a_worker_that_gives_no_sign(void **state)
{
	struct symbolizer_facts facts;
	struct fixture f;
	struct node_id node;
	pid_t worker;

	(void)state;
	outer();
	set_up(&f, (struct symbolizer_config){.without_dwarf = true, .patience_ns = 100000000});
	node = native(&f, (struct node_id){0}, f.path, f.build_id, linked((void *)call_address));
	(void)symbolizer_node(f.symbolizer, 0, node);
	worker = child_of(child_of(getpid()));
	if (!worker) {
		tear_down(&f);
		skip();
	}
	kill(worker, SIGSTOP);
	node = native(&f, (struct node_id){0}, f.path, f.build_id, linked(note_caller));
	while (!symbolizer_ask(f.symbolizer, 0, node)) {
		usleep(10000);
		symbolizer_pump(f.symbolizer);
	}
	symbolizer_facts(f.symbolizer, &facts);
	assert_int_equal(facts.restarts, 1);
	assert_int_equal(facts.bad_files, 1);
	for (int i = 0; i < 2000 && kill(worker, 0) == 0; i++)
		usleep(5000);
	assert_int_not_equal(kill(worker, 0), 0);
	/* Other files are not to blame. */
	symbolizer_add_file(f.symbolizer, "", "/same",
			    open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	node = native(&f, (struct node_id){0}, "/same", "", linked(note_caller));
	assert_string_equal(words(&f, symbolizer_node(f.symbolizer, 0, node)), "note_caller");
	tear_down(&f);
}

/* ---- code made at run time ---- */

static int file_of(const char *text)
{
	int fd = memfd_create("map", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void symbolizer_names_code_of_each_process_by_its_own_map(void **state)
{
	struct fixture f;
	struct node_id node;
	cleanup_fd int grows = -1;
	int fd = file_of("1000 100 js:first\n");

	(void)state;
	set_up(&f, (struct symbolizer_config){0});
	grows = dup(fd);
	assert_int_equal(symbolizer_add_perf_map(f.symbolizer, 1, fd, NULL), 0);
	assert_int_equal(
		symbolizer_add_perf_map(f.symbolizer, 2, file_of("1000 100 other\n"), NULL), 0);
	node = native(&f, (struct node_id){0}, "", "", 0x1010);
	assert_string_equal(words(&f, symbolizer_node(f.symbolizer, 1, node)), "js:first");
	assert_string_equal(words(&f, symbolizer_node(f.symbolizer, 2, node)), "other");
	assert_string_equal(words(&f, symbolizer_node(f.symbolizer, 3, node)), "+0x1010");
	/* The same place, used again. */
	assert_int_equal(write(grows, "1000 80 js:second\n", 18), 18);
	for (int i = 0;
	     i < 200 && strcmp(words(&f, symbolizer_node(f.symbolizer, 1, node)), "js:second") != 0;
	     i++)
		usleep(10000);
	assert_string_equal(words(&f, symbolizer_node(f.symbolizer, 1, node)), "js:second");
	tear_down(&f);
}

static void symbolizer_leaves_out_the_trampolines_of_python(void **state)
{
	struct fixture f;
	struct frame python = {.kind = FRAME_PYTHON};
	struct node_id node;

	(void)state;
	set_up(&f, (struct symbolizer_config){0});
	python.name = names_cstr(f.names, "work");
	assert_int_equal(
		symbolizer_add_perf_map(f.symbolizer, 1, file_of("2000 50 py::work:/a.py\n"), NULL),
		0);
	node = native(&f, (struct node_id){0}, "", "", 0x2010);
	node = tree_child(&f.tree, node, names_frame(f.names, &python));
	assert_string_equal(words(&f, symbolizer_node(f.symbolizer, 1, node)), "work");
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symbolizer_names_functions_with_inlined_callers),
		cmocka_unit_test(symbolizer_does_with_symbol_tables),
		cmocka_unit_test(symbolizer_leaves_other_frames_as_they_are),
		cmocka_unit_test(symbolizer_keeps_what_is_unknown),
		cmocka_unit_test(symbolizer_takes_files_that_others_have_opened),
		cmocka_unit_test(symbolizer_trusts_paths_only_when_told),
		cmocka_unit_test(symbolizer_looks_below_the_root_of_the_target_first),
		cmocka_unit_test(symbolizer_answers_without_waiting),
		cmocka_unit_test(symbolizer_goes_on_after_its_worker_died),
		cmocka_unit_test(symbolizer_goes_on_without_whom_it_cannot_start),
		cmocka_unit_test(symbolizer_kills_a_worker_that_gives_no_sign),
		cmocka_unit_test(symbolizer_names_code_of_each_process_by_its_own_map),
		cmocka_unit_test(symbolizer_leaves_out_the_trampolines_of_python),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
