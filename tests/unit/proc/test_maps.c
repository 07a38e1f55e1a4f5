/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static void parse(struct maps *maps, const char *text)
{
	maps_reset(maps);
	maps_feed(maps, text, strlen(text));
	maps_finish(maps);
}

static void line_gives_every_field(void **state)
{
	struct maps maps;

	(void)state;
	maps_init(&maps);
	parse(&maps, "7f1200000000-7f1200021000 r-xp 00026000 fe:1f 1234      /usr/lib/x y.so\n");
	assert_int_equal(maps.n, 1);
	assert_int_equal(maps.skipped, 0);
	assert_true(maps.items[0].start == 0x7f1200000000 && maps.items[0].end == 0x7f1200021000);
	assert_int_equal(maps.items[0].perms, MAPPING_READ | MAPPING_EXEC);
	assert_int_equal(maps.items[0].offset, 0x26000);
	assert_int_equal(maps.items[0].dev_major, 0xfe);
	assert_int_equal(maps.items[0].dev_minor, 0x1f);
	assert_int_equal(maps.items[0].inode, 1234);
	assert_string_equal(maps.items[0].path, "/usr/lib/x y.so");
	assert_true(mapping_is_file(&maps.items[0]));
	maps_done(&maps);
}

static void paths_may_hold_anything(void **state)
{
	static const struct {
		const char *text, *path;
		bool is_deleted;
	} cases[] = {
		{"1000-2000 rw-s 0 08:01 7 /tmp/a (deleted)", "/tmp/a", true},
		{"1000-2000 rw-s 0 08:01 7 /tmp/a (deleted) (deleted)", "/tmp/a (deleted)", true},
		{"1000-2000 rw-p 0 00:00 0 [anon: x (deleted)]", "[anon: x (deleted)]", false},
		{"1000-2000 rw-p 0 08:01 7 /a\\012b", "/a\nb", false},
		{"1000-2000 rw-p 0 08:01 7 /a\\0b\\", "/a\\0b\\", false},
		{"1000-2000 rw-p 0 08:01 7 /\xff\x1b[2J", "/\xff\x1b[2J", false},
		{"1000-2000 rw-p 0 00:00 0", "", false},
	};
	struct maps maps;

	(void)state;
	maps_init(&maps);
	for (size_t i = 0; i < array_len(cases); i++) {
		parse(&maps, cases[i].text);
		assert_int_equal(maps.n, 1);
		assert_string_equal(maps.items[0].path, cases[i].path);
		assert_int_equal(maps.items[0].is_deleted, cases[i].is_deleted);
	}
	maps_done(&maps);
}

static void malformed_lines_are_counted_and_skipped(void **state)
{
	static const char *const bad[] = {
		"x",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 ",
		"1000-2000 rw",
		"2000-1000 rw-p 0 0:0 0",
		"1000-1000 rw-p 0 0:0 0",
		"1000-2000 rw-p 0 0:0",
		"1000-2000 rw-p 0 00 0",
		"1000-2000 rw-p zz 0:0 0",
		"11111111111111111-2000 rw-p 0 0:0 0",
		"1000-2000 rw-p 0 100000000:0 0",
		"1000-2000 rw-p 0 0:0 99999999999999999999",
	};
	struct maps maps;

	(void)state;
	maps_init(&maps);
	for (size_t i = 0; i < array_len(bad); i++) {
		parse(&maps, bad[i]);
		assert_int_equal(maps.n, 0);
		assert_int_equal(maps.skipped, 1);
	}
	maps_done(&maps);
}

static void portions_of_any_size_give_the_same(void **state)
{
	static const char text[] = "1000-2000 r--p 0 08:01 7 /one\n"
				   "2000-3000 r-xp 1000 08:01 7 /one\n"
				   "1800-2800 r-xp 0 08:01 8 /overlaps\n"
				   "5000-6000 rw-p 0 00:00 0 [heap]";
	struct maps maps;

	(void)state;
	for (size_t part = 1; part < sizeof(text); part++) {
		maps_init(&maps);
		for (size_t at = 0; at < strlen(text); at += part)
			maps_feed(&maps, text + at, min_of(part, strlen(text) - at));
		maps_finish(&maps);
		assert_int_equal(maps.n, 3);
		assert_int_equal(maps.skipped, 1);
		assert_ptr_equal(maps.items[0].path, maps.items[1].path);
		assert_true(mapping_is_same_file(&maps.items[0], &maps.items[1]));
		assert_string_equal(maps.items[2].path, "[heap]");
		maps_done(&maps);
	}
}

static void overlong_line_costs_only_itself(void **state)
{
	struct maps maps;
	char *text = malloc(3 * MAPS_MAX_LINE_BYTES);
	size_t len;

	(void)state;
	maps_init(&maps);
	len = (size_t)snprintf(text, 64, "1000-2000 r--p 0 08:01 7 /");
	memset(text + len, 'x', 2 * MAPS_MAX_LINE_BYTES);
	len += 2 * MAPS_MAX_LINE_BYTES;
	len += (size_t)snprintf(text + len, 64, "\n3000-4000 r--p 0 08:01 7 /y\n");
	maps_feed(&maps, text, len);
	maps_finish(&maps);
	assert_int_equal(maps.n, 1);
	assert_int_equal(maps.skipped, 1);
	assert_string_equal(maps.items[0].path, "/y");
	free(text);
	maps_done(&maps);
}

static void number_of_mappings_is_limited(void **state)
{
	struct maps maps;
	char line[64];

	(void)state;
	maps_init(&maps);
	for (unsigned i = 1; i <= MAPS_MAX + 10; i++) {
		int len = snprintf(line, sizeof(line), "%x000-%x000 r--p 0 00:00 0\n", i, i + 1);

		maps_feed(&maps, line, (size_t)len);
	}
	maps_finish(&maps);
	assert_int_equal(maps.n, MAPS_MAX);
	assert_int_equal(maps.skipped, 10);
	maps_done(&maps);
}

static void address_is_found_in_its_mapping_only(void **state)
{
	struct maps maps;

	(void)state;
	maps_init(&maps);
	parse(&maps, "1000-2000 r--p 0 00:00 0\n3000-4000 r--p 0 00:00 0\n");
	assert_null(maps_find(&maps, 0xfff));
	assert_ptr_equal(maps_find(&maps, 0x1000), &maps.items[0]);
	assert_ptr_equal(maps_find(&maps, 0x1fff), &maps.items[0]);
	assert_null(maps_find(&maps, 0x2000));
	assert_ptr_equal(maps_find(&maps, 0x3abc), &maps.items[1]);
	assert_null(maps_find(&maps, 0x4000));
	maps_done(&maps);
}

static const struct mapping *mapping_of(struct maps *maps, const void *address)
{
	assert_true(maps_read(maps, getpid(), NULL) >= 0);
	return maps_find(maps, (raddr_t)(uintptr_t)address);
}

static void check_copy(const struct maps *maps, const struct mapping *mapping)
{
	struct memory *memory = memory_live_new(getpid());
	struct stat st;
	char text[8] = "";

	memory_budget_set(memory, 100, 1 << 20);
	int fd = maps_copy(memory, maps, mapping, NULL);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	assert_int_equal(st.st_size, 4096);
	assert_int_equal(pread(fd, text, 7, 100), 7);
	assert_string_equal(text, "content");
	close(fd);
	memory_budget_set(memory, 100, 100);
	assert_int_equal(maps_copy(memory, maps, mapping, NULL), ERR_LIMIT);
	memory_free(memory);
}

static void file_of_a_mapping_is_opened_even_when_deleted(void **state)
{
	char path[] = "/tmp/pyrometer-maps-XXXXXX";
	int file = mkstemp(path), fd;
	const struct mapping *mapping;
	struct stat ours, theirs;
	struct maps maps;
	struct err err = {0};
	void *memory;

	(void)state;
	assert_true(file >= 0 && ftruncate(file, 4096) == 0);
	assert_int_equal(pwrite(file, "content", 7, 100), 7);
	memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
	maps_init(&maps);
	mapping = mapping_of(&maps, memory);
	assert_string_equal(mapping->path, path);
	fd = maps_open(getpid(), mapping, &err);
	assert_true(fd >= 0 && fstat(fd, &theirs) == 0 && fstat(file, &ours) == 0);
	assert_int_equal(ours.st_ino, theirs.st_ino);
	close(fd);
	unlink(path);
	mapping = mapping_of(&maps, memory);
	assert_true(mapping->is_deleted);
	fd = maps_open(getpid(), mapping, &err);
	check_copy(&maps, mapping);
	/* Without CAP_CHECKPOINT_RESTORE a deleted library cannot be opened: then that is said. */
	assert_true(fd >= 0 || (geteuid() != 0 && err.text[0]));
	if (fd >= 0)
		close(fd);
	munmap(memory, 4096);
	close(file);
	maps_done(&maps);
}

/* /proc/PID/map_files is out of the way for a mapping that is not at that place. */
static void another_file_under_the_same_path_is_refused(void **state)
{
	char path[] = "/tmp/pyrometer-maps-XXXXXX";
	int file = mkstemp(path);
	struct mapping mapping = {.start = 0x1000, .end = 0x2000, .path = path, .dev_major = 1};
	struct err err = {0};
	struct stat stat;

	(void)state;
	assert_true(file >= 0 && fstat(file, &stat) == 0);
	mapping.inode = stat.st_ino + 1;
	assert_true(maps_open(getpid(), &mapping, &err) < 0);
	assert_non_null(strstr(err.text, path));
	unlink(path);
	close(file);
}

static void only_regular_files_are_opened(void **state)
{
	char path[] = "/tmp/pyrometer-fifo-XXXXXX";
	struct err err = {0};

	(void)state;
	assert_int_equal(maps_open_path(getpid(), "/dev/zero", 1 << 20, &err), ERR_UNSUPPORTED);
	assert_int_equal(maps_open_path(getpid(), "/etc", 1 << 20, &err), ERR_UNSUPPORTED);
	assert_non_null(mkdtemp(path));
	rmdir(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	/* Opening a FIFO for reading would wait for a writer for ever. */
	assert_int_equal(maps_open_path(getpid(), path, 1 << 20, &err), ERR_UNSUPPORTED);
	unlink(path);
}

static void magic_links_are_not_followed(void **state)
{
	(void)state;
	assert_true(maps_open_path(getpid(), "/proc/self/exe", 1ll << 40, NULL) < 0);
	assert_true(maps_open_path(getpid(), "/proc/1/root/etc/passwd", 1ll << 40, NULL) < 0);
}

static void size_is_limited(void **state)
{
	int fd = maps_open_path(getpid(), "/etc/passwd", 1 << 20, NULL);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(maps_open_path(getpid(), "/etc/passwd", 3, NULL), ERR_LIMIT);
}

static void process_that_is_not_there_is_an_error(void **state)
{
	struct maps maps;
	struct err err = {0};

	(void)state;
	maps_init(&maps);
	assert_int_equal(maps_read(&maps, 0x7fffffff, &err), -ESRCH);
	assert_non_null(strstr(err.text, "has ended"));
	maps_done(&maps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_gives_every_field),
		cmocka_unit_test(paths_may_hold_anything),
		cmocka_unit_test(malformed_lines_are_counted_and_skipped),
		cmocka_unit_test(portions_of_any_size_give_the_same),
		cmocka_unit_test(overlong_line_costs_only_itself),
		cmocka_unit_test(number_of_mappings_is_limited),
		cmocka_unit_test(address_is_found_in_its_mapping_only),
		cmocka_unit_test(file_of_a_mapping_is_opened_even_when_deleted),
		cmocka_unit_test(another_file_under_the_same_path_is_refused),
		cmocka_unit_test(only_regular_files_are_opened),
		cmocka_unit_test(magic_links_are_not_followed),
		cmocka_unit_test(size_is_limited),
		cmocka_unit_test(process_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
