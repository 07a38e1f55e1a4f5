/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text: numbers like Python's own, limits that hold, and objects that no honest interpreter makes. */
#include "../unit.h"

#include <errno.h>
#include <float.h>
#include <math.h>

#include "fake_memory.h"
#include "python/value.h"

#define FLAG_LONG (1ull << 24)
#define FLAG_LIST (1ull << 25)
#define FLAG_TUPLE (1ull << 26)
#define FLAG_BYTES (1ull << 27)
#define FLAG_DICT (1ull << 29)
#define FLAG_HEAP (1ull << 9)

static const struct value_limits roomy = {.max_chars = 4000, .max_items = 100, .max_depth = 8};

struct fixture {
	struct fake_memory fake;
	struct value_reader reader;
	struct buf out;
};

static void begin(struct fixture *f, uint16_t version, const struct value_limits *limits)
{
	fake_init(&f->fake, layout_find(version));
	value_reader_init(&f->reader, &f->fake.memory, f->fake.layout, limits);
	buf_init(&f->out, 1 << 16);
}

static void end(struct fixture *f)
{
	buf_done(&f->out);
	fake_done(&f->fake);
}

static raddr_t make_type(struct fixture *f, const char *name, uint64_t flags, raddr_t base)
{
	const struct layout *layout = f->fake.layout;
	raddr_t type = fake_alloc(&f->fake, 1024), text = fake_alloc(&f->fake, VALUE_NAME_MAX);

	fake_put(&f->fake, text, name, strlen(name) + 1);
	fake_put64(&f->fake, type + layout->type_name, text);
	fake_put64(&f->fake, type + layout->type_flags, flags);
	fake_put64(&f->fake, type + layout->type_base, base);
	return type;
}

static raddr_t make_object(struct fixture *f, raddr_t type, const void *body, size_t len)
{
	raddr_t object = fake_alloc(&f->fake, f->fake.layout->object_bytes + len + 64);

	fake_put64(&f->fake, object + f->fake.layout->object_type, type);
	fake_put(&f->fake, object + f->fake.layout->object_bytes, body, len);
	return object;
}

static raddr_t make_list(struct fixture *f, raddr_t type, uint64_t n, raddr_t items)
{
	raddr_t list = make_object(f, type, &n, sizeof(n));

	fake_put64(&f->fake, list + f->fake.layout->list_items, items);
	return list;
}

static const char *text_of(struct fixture *f, raddr_t object)
{
	buf_reset(&f->out);
	assert_int_equal(value_put(&f->reader, object, &f->out), 0);
	buf_putc(&f->out, '\0');
	return f->out.data;
}

/* ---- numbers ---- */

static void reals_have_the_fewest_digits_that_tell_them_apart(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{0.1, "0.1"},
		{3.1415, "3.1415"},
		{5, "5.0"},
		{0, "0.0"},
		{-0.0, "-0.0"},
		{1e15, "1000000000000000.0"},
		{1e16, "1e+16"},
		{123456789012345680.0, "1.2345678901234568e+17"},
		{0.0001, "0.0001"},
		{0.00001, "1e-05"},
		{1.5e300, "1.5e+300"},
		{5e-324, "5e-324"},
		{DBL_MAX, "1.7976931348623157e+308"},
		{1.0 / 3, "0.3333333333333333"},
		{INFINITY, "inf"},
		{-INFINITY, "-inf"},
		{NAN, "nan"},
	};
	struct fixture f;

	(void)state;
	begin(&f, 0x030b, &roomy);
	raddr_t type = make_type(&f, "float", 0, 0);
	for (size_t i = 0; i < array_len(cases); i++)
		assert_string_equal(text_of(&f, make_object(&f, type, &cases[i].value, 8)),
				    cases[i].text);
	end(&f);
}

static void ints_of_any_size_are_whole(void **state)
{
	static const struct {
		int64_t size; /* digits, negative for a negative int */
		uint32_t digits[7];
		const char *text;
	} cases[] = {
		{0, {0}, "0"},
		{1, {5678}, "5678"},
		{-1, {1234}, "-1234"},
		{2, {0, 1}, "1073741824"},
		{2, {0x3fffffff, 0x3fffffff}, "1152921504606846975"},
		{-7,
		 {0, 0, 0, 0, 0, 0, 1u << 20},
		 "-1606938044258990275541962092341162602522202993782792835301376"},
		{1, {1u << 30}, "<unreadable at 0x"}, /* a digit has 30 bits */
		{INT64_MIN, {0}, "<unreadable at 0x"},
		{5000, {0}, "<int of 150000 bits>"},
	};

	(void)state;
	for (int tagged = 0; tagged < 2; tagged++) {
		struct fixture f;

		begin(&f, tagged ? 0x030d : 0x030b, &roomy);
		raddr_t type = make_type(&f, "int", FLAG_LONG, 0);
		for (size_t i = 0; i < array_len(cases); i++) {
			uint64_t body[5] = {0};
			bool is_negative = cases[i].size < 0;
			uint64_t n =
				is_negative ? -(uint64_t)cases[i].size : (uint64_t)cases[i].size;

			if (tagged && n > 1ull << 50)
				continue; /* cannot be said there */
			body[0] = tagged ? n << 3 | (is_negative ? 2 : n == 0)
					 : (uint64_t)cases[i].size;
			memcpy(body + 1, cases[i].digits, sizeof(cases[i].digits));
			const char *text = text_of(&f, make_object(&f, type, body, sizeof(body)));
			assert_int_equal(strncmp(text, cases[i].text, strlen(cases[i].text)), 0);
		}
		end(&f);
	}
}

static void numpy_scalars_are_numbers(void **state)
{
	static const float single = 0.1f;
	static const uint16_t half = 0x34cd; /* 0.3 */
	static const int8_t small = -3;
	static const uint64_t large = UINT64_MAX;
	static const double parts[] = {0.3, 5};
	static const uint8_t yes = 1;
	static const uint8_t not_a_real[16] = {1, 0, 0, 0, 0, 0, 0, 0, 1}; /* an "unnormal" */
	static const struct {
		const char *name;
		const void *value;
		size_t len;
		const char *text;
	} cases[] = {
		{"numpy.float32", &single, 4, "0.1"},
		{"numpy.float16", &half, 2, "0.3"},
		{"numpy.int8", &small, 1, "-3"},
		{"numpy.ulonglong", &large, 8, "18446744073709551615"},
		{"numpy.complex128", parts, 16, "(0.3+5j)"},
		{"numpy.bool_", &yes, 1, "True"},
		{"numpy.longdouble", not_a_real, 16, "<unreadable at 0x"},
		{"numpy.ndarray", &large, 8, "<numpy.ndarray at 0x"},
	};
	struct fixture f;

	(void)state;
	begin(&f, 0x030c, &roomy);
	for (size_t i = 0; i < array_len(cases); i++) {
		raddr_t type = make_type(&f, cases[i].name, 0, 0);
		const char *text = text_of(&f, make_object(&f, type, cases[i].value, cases[i].len));

		assert_int_equal(strncmp(text, cases[i].text, strlen(cases[i].text)), 0);
	}
	end(&f);
}

/* ---- hostile ---- */

static void a_list_that_holds_itself_ends(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 0x030b, &roomy);
	raddr_t items = fake_alloc(&f.fake, 16);
	raddr_t list = make_list(&f, make_type(&f, "list", FLAG_LIST, 0), 2, items);
	fake_put64(&f.fake, items, list);
	fake_put64(&f.fake, items + 8, list);
	const char *text = text_of(&f, list);
	assert_true(strlen(text) < 4000 + 64);
	assert_int_equal(strncmp(text, "[[[[[[[[", 8), 0);
	assert_string_equal(text + strlen(text) - 8, "]]]]]]]]");
	end(&f);
}

static void lengths_that_nothing_backs_cost_little(void **state)
{
	static const uint64_t lengths[] = {1ull << 20, 1ull << 40, INT64_MAX, UINT64_MAX};
	struct fixture f;

	(void)state;
	begin(&f, 0x030b, &roomy);
	raddr_t lists = make_type(&f, "list", FLAG_LIST, 0);
	raddr_t tuples = make_type(&f, "tuple", FLAG_TUPLE, 0);
	raddr_t bytes = make_type(&f, "bytes", FLAG_BYTES, 0);
	for (size_t i = 0; i < array_len(lengths); i++) {
		f.fake.n_reads = 0;
		(void)text_of(&f, make_list(&f, lists, lengths[i], FAKE_BASE + FAKE_BYTES - 64));
		(void)text_of(&f, make_object(&f, tuples, &lengths[i], 8));
		(void)text_of(&f, make_object(&f, bytes, &lengths[i], 8));
		assert_true(f.fake.n_reads < 1000);
		assert_true(f.out.len < 8192);
	}
	end(&f);
}

static void wild_pointers_are_named_not_followed(void **state)
{
	static const raddr_t wild[] = {0,	   1,
				       8,	   0xdead,
				       UINT64_MAX, UINT64_MAX - 7,
				       1ull << 47, FAKE_BASE + FAKE_BYTES - 8};
	struct fixture f;

	(void)state;
	begin(&f, 0x030b, &roomy);
	for (size_t i = 0; i < array_len(wild); i++)
		assert_int_equal(strncmp(text_of(&f, wild[i]), "<unreadable at 0x", 17), 0);
	/* A type that is none, a name that is none, bases in a ring. */
	uint64_t body = 0;
	assert_non_null(strstr(text_of(&f, make_object(&f, 0xdead0, &body, 8)), "unreadable"));
	raddr_t nameless = make_type(&f, "x", 0, 0);
	fake_put64(&f.fake, nameless + f.fake.layout->type_name, 0x40);
	assert_non_null(strstr(text_of(&f, make_object(&f, nameless, &body, 8)), "unreadable"));
	raddr_t ring = make_type(&f, "ring", FLAG_HEAP, 0);
	fake_put64(&f.fake, ring + f.fake.layout->type_base, ring);
	assert_int_equal(strncmp(text_of(&f, make_object(&f, ring, &body, 8)), "<ring at 0x", 11),
			 0);
	end(&f);
}

static void the_budget_of_reads_ends_a_value(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 0x030b, &roomy);
	raddr_t items = fake_alloc(&f.fake, 100 * 8);
	raddr_t list = make_list(&f, make_type(&f, "list", FLAG_LIST, 0), 100, items);
	double value = 1;
	raddr_t floats = make_type(&f, "float", 0, 0);
	for (raddr_t i = 0; i < 100; i++)
		fake_put64(&f.fake, items + i * 8, make_object(&f, floats, &value, 8));
	memory_budget_set(&f.fake.memory, 20, 1 << 20);
	const char *text = text_of(&f, list);
	assert_int_equal(strncmp(text, "[1.0, ", 6), 0);
	assert_string_equal(text + strlen(text) - 4, "\xe2\x80\xa6]");
	assert_true(f.fake.n_reads <= 20);
	end(&f);
}

static void text_is_cut_where_its_room_ends(void **state)
{
	static const struct value_limits narrow = {.max_chars = 20, .max_items = 3, .max_depth = 2};
	struct fixture f;

	(void)state;
	begin(&f, 0x030b, &narrow);
	uint64_t n = 11;
	raddr_t bytes = make_type(&f, "bytes", FLAG_BYTES, 0);
	raddr_t object = make_object(&f, bytes, &n, 8);
	fake_put(&f.fake, object + f.fake.layout->bytes_data, "ab\n\0\xff\"12345", 11);
	assert_string_equal(text_of(&f, object), "b\"ab\\n\\x00\\xff\\\"1234\xe2\x80\xa6\"");
	raddr_t items = fake_alloc(&f.fake, 5 * 8);
	double value = 1;
	raddr_t floats = make_type(&f, "float", 0, 0);
	for (raddr_t i = 0; i < 5; i++)
		fake_put64(&f.fake, items + i * 8, make_object(&f, floats, &value, 8));
	raddr_t list = make_list(&f, make_type(&f, "list", FLAG_LIST, 0), 5, items);
	assert_string_equal(text_of(&f, list), "[1.0, 1.0, 1.0, \xe2\x80\xa6]");
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reals_have_the_fewest_digits_that_tell_them_apart),
		cmocka_unit_test(ints_of_any_size_are_whole),
		cmocka_unit_test(numpy_scalars_are_numbers),
		cmocka_unit_test(a_list_that_holds_itself_ends),
		cmocka_unit_test(lengths_that_nothing_backs_cost_little),
		cmocka_unit_test(wild_pointers_are_named_not_followed),
		cmocka_unit_test(the_budget_of_reads_ends_a_value),
		cmocka_unit_test(text_is_cut_where_its_room_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
