/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "symbol/jit.h"

static const char *name_at(struct jit_code *code, uint64_t address)
{
	struct jit_found found;

	return jit_code_find(code, address, &found) ? found.name : "-";
}

static struct jit_code *read_map(const char *text)
{
	struct jit_code *code = jit_code_new();

	assert_true(perf_map_read(code, text, strlen(text), true) <= strlen(text));
	return code;
}

static void perf_map_names_what_lies_in_a_function(void **state)
{
	struct jit_code *code = read_map("1000 20 first\n"
					 "0x2000 0x10 LazyCompile:*two words /a b.js:1:2\n"
					 "3000 8 crlf\r\n");

	(void)state;
	assert_string_equal(name_at(code, 0x0fff), "-");
	assert_string_equal(name_at(code, 0x1000), "first");
	assert_string_equal(name_at(code, 0x101f), "first");
	assert_string_equal(name_at(code, 0x1020), "-");
	assert_string_equal(name_at(code, 0x2001), "LazyCompile:*two words /a b.js:1:2");
	assert_string_equal(name_at(code, 0x3001), "crlf");
	jit_code_free(code);
}

static void perf_map_lets_later_lines_override(void **state)
{
	struct jit_code *code = read_map("1000 100 old\n1080 40 new\n2000 10 a\n2000 10 b\n");

	(void)state;
	assert_string_equal(name_at(code, 0x1070), "old");
	assert_string_equal(name_at(code, 0x1090), "new");
	assert_string_equal(name_at(code, 0x10d0), "old");
	assert_string_equal(name_at(code, 0x2000), "b");
	/* After a look, too, and when what is new lies before what was sorted. */
	jit_code_add(code, 0x1000, 0x200, "newest", 6);
	assert_string_equal(name_at(code, 0x1090), "newest");
	jit_code_add(code, 0x10, 0x10, "low", 3);
	assert_string_equal(name_at(code, 0x18), "low");
	assert_string_equal(name_at(code, 0x2008), "b");
	jit_code_free(code);
}

static void perf_map_leaves_half_a_line_for_later(void **state)
{
	static const char text[] = "1000 20 whole\n2000 20 ha";
	struct jit_code *code = jit_code_new();

	(void)state;
	assert_int_equal(perf_map_read(code, text, strlen(text), true), 14);
	assert_string_equal(name_at(code, 0x2000), "-");
	jit_code_free(code);
}

static void perf_map_passes_over_what_is_malformed(void **state)
{
	struct jit_code *code = read_map("\n \nname only\n1000\n1000 20\n1000 20 \n-1 20 x\n"
					 "11112222333344445 1 x\n1000 0 empty\n"
					 "ffffffffffffffff 20 wraps\nzz 1 x\n4000 10 good\n");

	(void)state;
	assert_string_equal(name_at(code, 0x1000), "-");
	assert_string_equal(name_at(code, UINT64_MAX), "-");
	assert_string_equal(name_at(code, 0x4000), "good");
	jit_code_free(code);
}

static void jit_code_finds_among_many(void **state)
{
	struct jit_code *code = jit_code_new();
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		unsigned at = i * 7919 % 20000;
		int len = snprintf(name, sizeof(name), "f%u", at);

		jit_code_add(code, 0x10000 + at * 64, 64, name, (size_t)len);
		if (i % 1000 == 0)
			assert_string_equal(name_at(code, 0x10000 + at * 64 + 63), name);
	}
	for (unsigned at = 0; at < 20000; at += 37) {
		snprintf(name, sizeof(name), "f%u", at);
		assert_string_equal(name_at(code, 0x10000 + at * 64 + 5), name);
	}
	jit_code_free(code);
}

/* ---- jitdump ---- */

static void put32(struct buf *out, uint32_t value)
{
	buf_put(out, &value, sizeof(value));
}

static void put64(struct buf *out, uint64_t value)
{
	buf_put(out, &value, sizeof(value));
}

static void put_head(struct buf *out)
{
	put32(out, 0x4a695444);
	put32(out, 1);
	put32(out, 40);
	put32(out, 62);
	put32(out, 0);
	put32(out, 4711);
	put64(out, 1);
	put64(out, 0);
}

static void put_load(struct buf *out, uint64_t address, uint64_t size, const char *name)
{
	size_t len = strlen(name) + 1;

	put32(out, 0);
	put32(out, (uint32_t)(16 + 40 + len + size));
	put64(out, 2);
	put64(out, 4711);
	put64(out, address);
	put64(out, address);
	put64(out, size);
	put64(out, 1);
	buf_put(out, name, len);
	for (uint64_t i = 0; i < size; i++)
		buf_putc(out, '\x90');
}

static void put_line(struct buf *out, uint64_t address, uint32_t line, const char *file)
{
	put64(out, address);
	put32(out, line);
	put32(out, 0);
	buf_put(out, file, strlen(file) + 1);
}

static void put_lines(struct buf *out, uint64_t address)
{
	put32(out, 2);
	put32(out, 16 + 16 + 16 + 5 + 16 + 2);
	put64(out, 2);
	put64(out, address);
	put64(out, 2);
	put_line(out, address, 10, "a.js");
	put_line(out, address + 8, 11, "\xff");
}

static void jitdump_names_functions_and_lines(void **state)
{
	struct jit_code *code = jit_code_new();
	struct jit_found found;
	struct buf dump;

	(void)state;
	buf_init(&dump, 1 << 20);
	put_head(&dump);
	put_lines(&dump, 0x1000);
	put_load(&dump, 0x1000, 32, "render");
	put_load(&dump, 0x2000, 16, "plain");
	assert_int_equal(jitdump_read(code, dump.data, dump.len, true), dump.len);
	assert_true(jit_code_find(code, 0x1004, &found));
	assert_string_equal(found.name, "render");
	assert_string_equal(found.file, "a.js");
	assert_int_equal(found.line, 10);
	assert_true(jit_code_find(code, 0x1010, &found));
	assert_int_equal(found.line, 11);
	assert_string_equal(found.file, "a.js");
	assert_true(jit_code_find(code, 0x2000, &found));
	assert_int_equal(found.line, 0);
	jit_code_move(code, 0x1000, 0x5000, 32);
	assert_true(jit_code_find(code, 0x500f, &found));
	assert_string_equal(found.name, "render");
	assert_int_equal(found.line, 11);
	jit_code_free(code);
	buf_done(&dump);
}

/* Whatever the length at which a reading stops, it goes on there. */
static void jitdump_is_read_in_pieces(void **state)
{
	struct buf dump;

	(void)state;
	buf_init(&dump, 1 << 20);
	put_head(&dump);
	put_load(&dump, 0x1000, 32, "one");
	put_lines(&dump, 0x2000);
	put_load(&dump, 0x2000, 32, "two");
	for (size_t cut = 1; cut < dump.len; cut++) {
		struct jit_code *code = jit_code_new();
		size_t at = jitdump_read(code, dump.data, cut, true);

		assert_true(at <= cut);
		at += jitdump_read(code, dump.data + at, dump.len - at, at == 0);
		assert_int_equal(at, dump.len);
		assert_string_equal(name_at(code, 0x1001), "one");
		assert_string_equal(name_at(code, 0x2001), "two");
		jit_code_free(code);
	}
	buf_done(&dump);
}

static void jit_file_reads_on_and_notices_a_new_beginning(void **state)
{
	struct jit_file file = {.fd = memfd_create("map", MFD_CLOEXEC)};
	struct jit_code *code = jit_code_new();

	(void)state;
	assert_true(file.fd >= 0);
	assert_false(jit_file_look(&file, code));
	assert_int_equal(write(file.fd, "1000 10 a\n20", 12), 12);
	assert_true(jit_file_look(&file, code));
	assert_string_equal(name_at(code, 0x1000), "a");
	assert_int_equal(write(file.fd, "00 10 b\n", 8), 8);
	assert_true(jit_file_look(&file, code));
	assert_string_equal(name_at(code, 0x2000), "b");
	assert_false(jit_file_look(&file, code));
	assert_int_equal(ftruncate(file.fd, 0), 0);
	assert_true(jit_file_look(&file, code));
	assert_string_equal(name_at(code, 0x1000), "-");
	jit_file_done(&file);
	jit_code_free(code);
}

/* V8 11.3: lines 0x40 too far on, and files from memory that it has given back. */
static void jitdump_of_v8_has_its_lines_mended(void **state)
{
	static const char name[] = "JS:*work /srv/a b.js:1:19", damaged[] = "\x9a\x25\0\0\0\x12.js";
	struct jit_code *code = jit_code_new();
	struct jit_found found;
	struct buf dump;

	(void)state;
	buf_init(&dump, 1 << 16);
	put_head(&dump);
	put32(&dump, 2);
	put32(&dump, 16 + 16 + 2 * (16 + sizeof(damaged)));
	put64(&dump, 2);
	put64(&dump, 0x1000);
	put64(&dump, 2);
	for (uint32_t i = 0; i < 2; i++) {
		put64(&dump, 0x1040 + 8 * i);
		put32(&dump, 10 + i);
		put32(&dump, 19);
		buf_put(&dump, damaged, sizeof(damaged));
	}
	put_load(&dump, 0x1000, 0x20, name);
	assert_int_equal(jitdump_read(code, dump.data, dump.len, true), dump.len);
	assert_true(jit_code_find(code, 0x1007, &found));
	assert_string_equal(found.name, name);
	assert_string_equal(found.file, "/srv/a b.js");
	assert_int_equal(found.line, 10);
	assert_true(jit_code_find(code, 0x1008, &found));
	assert_int_equal(found.line, 11);
	buf_done(&dump);
	jit_code_free(code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(perf_map_names_what_lies_in_a_function),
		cmocka_unit_test(perf_map_lets_later_lines_override),
		cmocka_unit_test(perf_map_leaves_half_a_line_for_later),
		cmocka_unit_test(perf_map_passes_over_what_is_malformed),
		cmocka_unit_test(jit_code_finds_among_many),
		cmocka_unit_test(jitdump_names_functions_and_lines),
		cmocka_unit_test(jitdump_is_read_in_pieces),
		cmocka_unit_test(jitdump_of_v8_has_its_lines_mended),
		cmocka_unit_test(jit_file_reads_on_and_notices_a_new_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
