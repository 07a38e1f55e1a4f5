/* SPDX-License-Identifier: Apache-2.0 */
/* Strings and dicts whose headers lie. */
#include "../unit.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "fake_memory.h"
#include "python/object.h"

static const uint16_t versions[] = {0x0306, 0x0307, 0x0308, 0x0309, 0x030a, 0x030b, 0x030c, 0x030d};

static raddr_t put_string(struct fake_memory *fake, uint64_t length, uint32_t state,
			  const void *data, size_t len)
{
	const struct layout *layout = fake->layout;
	raddr_t addr = fake_alloc(fake, 128 + len);
	bool is_ascii = state >> 6 & 1;

	fake_put64(fake, addr + layout->str_length, length);
	fake_put32(fake, addr + layout->str_state, state);
	fake_put(fake, addr + (is_ascii ? layout->str_ascii_data : layout->str_compact_data), data,
		 len);
	return addr;
}

#define STATE(kind, compact, ascii) ((uint32_t)(kind) << 2 | (compact) << 5 | (ascii) << 6)

static void text_is_read_in_every_width(void **state)
{
	static const uint16_t ucs2[] = {0x4e2d, 0xd800, 'x'}; /* a lone surrogate */
	static const uint32_t ucs4[] = {0x1f600, 0x110000, 0};
	static const struct {
		uint64_t length;
		uint32_t state;
		const void *data;
		size_t len;
		const char *expected; /* NULL: corrupt */
	} cases[] = {
		{5, STATE(1, 1, 1), "hello", 5, "hello"},
		{0, STATE(1, 1, 1), "", 0, ""},
		{2, STATE(1, 1, 0), "\xe9x", 2, "\xc3\xa9x"},
		{3, STATE(2, 1, 0), ucs2, sizeof(ucs2), "\xe4\xb8\xad\xef\xbf\xbdx"},
		{3, STATE(4, 1, 0), ucs4, sizeof(ucs4), "\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd"},
		{3, STATE(1, 1, 1),
		 "\xff\x80"
		 "a",
		 3,
		 "\xc3\xbf\xc2\x80"
		 "a"}, /* ascii, it claims */
		{2, STATE(0, 1, 1), "ab", 2, NULL},
		{2, STATE(3, 1, 0), "ab", 2, NULL},
		{2, STATE(7, 1, 0), "ab", 2, NULL},
		{2, STATE(1, 0, 1), "ab", 2, NULL},
		{1ull << 63, STATE(1, 1, 1), "ab", 2, NULL},
		{~0ull, STATE(4, 1, 0), "ab", 2, NULL},
	};
	struct buf text;

	(void)state;
	buf_init(&text, OBJECT_MAX_CHARS * 4 + 16);
	for (size_t v = 0; v < array_len(versions); v++) {
		struct fake_memory fake;

		fake_init(&fake, layout_find(versions[v]));
		for (size_t i = 0; i < array_len(cases); i++) {
			raddr_t at = put_string(&fake, cases[i].length, cases[i].state,
						cases[i].data, cases[i].len);
			int r = object_text(&fake.memory, fake.layout, at, &text);
			assert_int_equal(r, cases[i].expected ? 0 : ERR_CORRUPT);
			if (!r)
				assert_string_equal(text.data ? text.data : "", cases[i].expected);
		}
		fake_done(&fake);
	}
	buf_done(&text);
}

static void text_of_an_absurd_length_is_cut_not_allocated(void **state)
{
	static char many[8192];
	struct fake_memory fake;
	struct buf text;

	(void)state;
	memset(many, 'a', sizeof(many));
	fake_init(&fake, layout_find(0x030c));
	buf_init(&text, OBJECT_MAX_CHARS * 4 + 16);
	raddr_t at = put_string(&fake, 1ull << 40, STATE(1, 1, 1), many, sizeof(many));
	assert_int_equal(object_text(&fake.memory, fake.layout, at, &text), 0);
	assert_int_equal(text.len, OBJECT_MAX_CHARS + 3);
	assert_string_equal(text.data + OBJECT_MAX_CHARS, "\xe2\x80\xa6");
	/* At the very end of what is mapped. */
	raddr_t edge = FAKE_BASE + FAKE_BYTES - 48;
	fake_put64(&fake, edge + fake.layout->str_length, 3);
	fake_put32(&fake, edge + fake.layout->str_state, STATE(1, 1, 1));
	fake_put(&fake, edge + fake.layout->str_ascii_data, "end", 3);
	assert_int_equal(object_text(&fake.memory, fake.layout, edge, &text), 0);
	assert_string_equal(text.data, "end");
	buf_done(&text);
	fake_done(&fake);
}

static void bytes_over_their_ceiling_are_refused(void **state)
{
	static const uint64_t sizes[] = {101, 1ull << 30, ~0ull};
	struct fake_memory fake;
	struct buf bytes;

	(void)state;
	fake_init(&fake, layout_find(0x030b));
	buf_init(&bytes, 100);
	for (size_t i = 0; i < array_len(sizes); i++) {
		raddr_t at = fake_bytes(&fake, "abc", 3);
		fake_put64(&fake, at + fake.layout->bytes_size, sizes[i]);
		assert_int_equal(object_bytes(&fake.memory, fake.layout, at, &bytes), ERR_LIMIT);
	}
	assert_int_equal(
		object_bytes(&fake.memory, fake.layout, fake_bytes(&fake, "abc", 3), &bytes), 0);
	assert_int_equal(bytes.len, 3);
	buf_done(&bytes);
	fake_done(&fake);
}

static void dict_that_claims_too_much_is_refused(void **state)
{
	(void)state;
	for (size_t v = 0; v < array_len(versions); v++) {
		struct dict_entries entries = {0};
		struct fake_memory fake;
		raddr_t value;

		fake_init(&fake, layout_find(versions[v]));
		raddr_t dict = fake_alloc(&fake, 64), keys = fake_alloc(&fake, 512);
		fake_put64(&fake, dict + fake.layout->dict_keys, keys);
		fake_put64(&fake, keys + fake.layout->keys_nentries, DICT_MAX_ENTRIES + 1);
		assert_int_equal(dict_read(&fake.memory, fake.layout, dict, &entries), ERR_LIMIT);
		fake_put64(&fake, keys + fake.layout->keys_nentries, ~0ull);
		assert_int_equal(dict_find(&fake.memory, fake.layout, dict, "x", &value),
				 ERR_LIMIT);
		fake_put64(&fake, keys + fake.layout->keys_nentries, 0);
		if (fake.layout->keys_size != NO_FIELD)
			fake_put64(&fake, keys + fake.layout->keys_size, ~0ull);
		else
			fake_put8(&fake, keys + fake.layout->keys_log2_size + 1, 63);
		assert_int_equal(dict_find(&fake.memory, fake.layout, dict, "x", &value),
				 ERR_CORRUPT);
		fake_done(&fake);
	}
}

static void bytes_of_2_7_keep_what_is_no_utf_8(void **state)
{
	static const char data[] = "caf\xc3\xa9 caf\xe9\0 \xe2\x82";
	struct fake_memory fake;
	struct buf text;

	(void)state;
	buf_init(&text, OBJECT_MAX_CHARS * 4 + 16);
	fake_init(&fake, layout_find(0x0207));
	raddr_t at = fake_bytes(&fake, data, sizeof(data) - 1);
	assert_int_equal(object_text(&fake.memory, fake.layout, at, &text), 0);
	assert_string_equal(text.data, "caf\xc3\xa9 caf\\xe9\\x00 \\xe2\\x82");
	fake_put64(&fake, at + fake.layout->str_length, ~0ull);
	assert_int_equal(object_text(&fake.memory, fake.layout, at, &text), ERR_CORRUPT);
	fake_put64(&fake, at + fake.layout->str_length, 1ull << 40);
	assert_int_equal(object_text(&fake.memory, fake.layout, at, &text), 0);
	assert_true(text.len <= OBJECT_MAX_CHARS * 4 + 3);
	buf_done(&text);
	fake_done(&fake);
}

static void dict_of_2_7_is_a_table_with_free_slots(void **state)
{
	struct dict_entries entries = {0};
	struct fake_memory fake;
	raddr_t value = 0;

	(void)state;
	fake_init(&fake, layout_find(0x0207));
	const struct layout *layout = fake.layout;
	raddr_t dict = fake_alloc(&fake, 256), table = fake_alloc(&fake, 8 * 24);
	fake_put64(&fake, dict + layout->dict_table, table);
	fake_put64(&fake, dict + layout->dict_mask, 7);
	fake_put64(&fake, table + 24 * 2 + 8, fake_ascii(&fake, "deleted"));
	fake_put64(&fake, table + 24 * 5 + 8, fake_ascii(&fake, "_active"));
	fake_put64(&fake, table + 24 * 5 + 16, 0x1234);
	assert_int_equal(dict_find(&fake.memory, layout, dict, "_active", &value), 0);
	assert_int_equal(value, 0x1234);
	assert_int_equal(dict_find(&fake.memory, layout, dict, "deleted", &value), -ENOENT);
	fake_put64(&fake, dict + layout->dict_mask, DICT_MAX_ENTRIES);
	assert_int_equal(dict_read(&fake.memory, layout, dict, &entries), ERR_LIMIT);
	fake_put64(&fake, dict + layout->dict_mask, ~0ull);
	assert_int_equal(dict_read(&fake.memory, layout, dict, &entries), ERR_LIMIT);
	fake_done(&fake);
}

static void attribute_of_a_class_without_base_is_found(void **state)
{
	struct fake_memory fake;
	raddr_t value = 0;

	(void)state;
	fake_init(&fake, layout_find(0x0207));
	const struct layout *layout = fake.layout;
	raddr_t type = fake_alloc(&fake, 1024), object = fake_alloc(&fake, 64);
	raddr_t dict = fake_alloc(&fake, 256), table = fake_alloc(&fake, 24);
	fake_put64(&fake, object + 8, type);
	fake_put64(&fake, object + layout->instance_dict, dict);
	fake_put64(&fake, dict + layout->dict_table, table);
	fake_put64(&fake, table + 8, fake_ascii(&fake, "_Thread__name"));
	fake_put64(&fake, table + 16, 77);
	assert_int_equal(object_attribute(&fake.memory, layout, object, "_Thread__name", &value),
			 0);
	assert_int_equal(value, 77);
	fake_done(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_read_in_every_width),
		cmocka_unit_test(text_of_an_absurd_length_is_cut_not_allocated),
		cmocka_unit_test(bytes_over_their_ceiling_are_refused),
		cmocka_unit_test(dict_that_claims_too_much_is_refused),
		cmocka_unit_test(bytes_of_2_7_keep_what_is_no_utf_8),
		cmocka_unit_test(dict_of_2_7_is_a_table_with_free_slots),
		cmocka_unit_test(attribute_of_a_class_without_base_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
