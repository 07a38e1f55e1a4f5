/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, texts, names and labels of JFR; whole recordings are in tests/integration/test_jfr.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "format/jfr_private.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void numbers_have_at_most_nine_bytes(void **state)
{
	static const struct {
		uint8_t bytes[10];
		size_t len, used;
		bool is_compressed, is_bad;
		uint64_t value;
	} rows[] = {
		{{0x05}, 1, 1, true, false, 5},
		{{0x80, 0x01}, 2, 2, true, false, 128},
		{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		 10,
		 9,
		 true,
		 false,
		 ~0ull},
		{{0x80, 0x80}, 2, 2, true, true, 0},
		{{0}, 0, 0, true, true, 0},
		{{0, 0, 0, 0, 0, 0, 1, 2}, 8, 8, false, false, 258},
		{{0, 0, 0, 0}, 4, 0, false, true, 0},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct jfr_cursor at = {cursor_over(rows[i].bytes, rows[i].len),
					rows[i].is_compressed};
		uint64_t value = jfr_u64(&at);

		assert_int_equal(at.bytes.bad, rows[i].is_bad);
		if (rows[i].is_bad)
			continue;
		assert_true(value == rows[i].value);
		assert_int_equal(at.bytes.at - rows[i].bytes, rows[i].used);
	}
}

static void decoded(const uint8_t *bytes, size_t len, bool is_compressed, const char *expected)
{
	struct jfr_cursor at = {cursor_over(bytes, len), is_compressed};
	struct jfr_text text = jfr_text(&at);
	struct buf out;

	buf_init(&out, 100);
	buf_puts(&out, "");
	jfr_text_decode(&text, is_compressed, &out);
	if (expected)
		assert_string_equal(out.len ? out.data : "", expected);
	assert_int_equal(at.bytes.bad, expected == NULL);
	if (expected)
		assert_int_equal(cursor_left(&at.bytes), 0);
	buf_done(&out);
}

static void texts_come_in_four_encodings(void **state)
{
	(void)state;
	decoded(BYTES(0), true, "");
	decoded(BYTES(1), true, "");
	decoded(BYTES(3, 2, 'h', 'i'), true, "hi");
	decoded(BYTES(3, 0, 0, 0, 2, 'h', 'i'), false, "hi");
	decoded(BYTES(5, 1, 0xe4), true, "\xc3\xa4");
	decoded(BYTES(4, 1, 0xe4, 0x01), true, "\xc3\xa4");
	decoded(BYTES(4, 0, 0, 0, 2, 0xd8, 0x3d, 0xde, 0x00), false, "\xf0\x9f\x98\x80");
	decoded(BYTES(4, 0, 0, 0, 1, 0xde, 0x00), false, "\xef\xbf\xbd");
	decoded(BYTES(2, 7), true, "");
	decoded(BYTES(6, 1, 'x'), true, NULL);
	decoded(BYTES(3, 5, 'x'), true, NULL);
	decoded(BYTES(4, 5, 'x'), true, NULL);
}

static void generated_names_lose_their_numbers(void **state)
{
	static const struct {
		const char *name, *becomes;
	} rows[] = {
		{"jdk/internal/reflect/GeneratedMethodAccessor31",
		 "jdk/internal/reflect/GeneratedMethodAccessor_"},
		{"jdk/internal/reflect/GeneratedMethodAccessor",
		 "jdk/internal/reflect/GeneratedMethodAccessor"},
		{"jdk/internal/reflect/GeneratedMethodAccessor3x",
		 "jdk/internal/reflect/GeneratedMethodAccessor3x"},
		{"org/Service$$Lambda$669.0x0000000800fd7318", "org/Service$$Lambda_"},
		{"Fib$$Lambda/0x00007ffa600c4da0", "Fib$$Lambda_"},
		{"Fib$$Lambda12", "Fib$$Lambda_"},
		{"Fib$$LambdaForm", "Fib$$LambdaForm"},
		{"$$Lambda12", "$$Lambda12"},
		{"a/B$$EnhancerBySpringCGLIB$$1a2b", "a/B$$EnhancerBySpringCGLIB$$_"},
		{"./tmp/libzstd-jni-1.5.1-16931311898282279136.so (deleted)", "libzstd-jni-_.so"},
		{"libasyncProfiler-linux-x64-17b9a1d8156277a98ccc871afa9a8f69215f92.so",
		 "libasyncProfiler-_.so"},
		{"libjvm.so", "libjvm.so"},
		{"java/lang/Thread", "java/lang/Thread"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct buf name;

		buf_init(&name, 1000);
		buf_puts(&name, rows[i].name);
		jfr_merge_generated(&name);
		assert_string_equal(name.data, rows[i].becomes);
		buf_done(&name);
	}
}

static void contexts_name_labels_by_two_strings(void **state)
{
	/* {1: {5: 6}}, {5: "k", 6: "v"} */
	static const uint8_t snapshot[] = {0x0a, 0x0a, 0x08, 1,	   0x12, 6,    0x0a, 4,	   0x08,
					   5,	 0x10, 6,    0x12, 5,	 0x08, 5,    0x12, 1,
					   'k',	 0x12, 5,    0x08, 6,	 0x12, 1,    'v'};
	struct jfr_contexts contexts = {0};
	struct labels labels = {0};
	struct arena arena;
	struct err err = {0};

	(void)state;
	arena_init(&arena);
	assert_int_equal(jfr_contexts_read(&contexts, snapshot, sizeof(snapshot), &err), 0);
	assert_int_equal(jfr_context_labels(&contexts, 2, &arena, &labels, &err), 0);
	assert_int_equal(labels.n, 0);
	assert_int_equal(jfr_context_labels(&contexts, 1, &arena, &labels, &err), 0);
	assert_int_equal(labels.n, 1);
	assert_string_equal(labels_get(&labels, "k"), "v");
	jfr_contexts_done(&contexts);
	assert_int_equal(jfr_contexts_read(&contexts, snapshot, sizeof(snapshot) - 1, &err),
			 ERR_CORRUPT);
	jfr_contexts_done(&contexts);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_have_at_most_nine_bytes),
		cmocka_unit_test(texts_come_in_four_encodings),
		cmocka_unit_test(generated_names_lose_their_numbers),
		cmocka_unit_test(contexts_name_labels_by_two_strings),
	};

	return cmocka_run_group_tests_name("jfr", tests, NULL, NULL);
}
