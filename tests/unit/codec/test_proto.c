/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "codec/proto.h"

static void proto_reads_back_what_was_written(void **state)
{
	struct cursor message, inner;
	struct proto_field field = {0};
	struct buf out;
	size_t begin;

	(void)state;
	buf_init(&out, 1u << 20);
	proto_put_uint(&out, 1, 300);
	proto_put_int(&out, 2, -1);
	proto_put_str(&out, 3, "text");
	begin = proto_begin(&out, 4);
	proto_put_uint(&out, 1, 7);
	proto_end(&out, begin);
	proto_put_bytes(&out, 536870911, "", 0);
	assert_memory_equal(out.data, "\x08\xac\x02\x10", 4);
	message = cursor_over(out.data, out.len);
	assert_true(proto_next(&message, &field));
	assert_int_equal(field.value, 300);
	assert_true(proto_next(&message, &field));
	assert_int_equal((int64_t)field.value, -1);
	assert_true(proto_next(&message, &field));
	assert_int_equal(field.len, 4);
	assert_memory_equal(field.bytes, "text", 4);
	assert_true(proto_next(&message, &field));
	inner = proto_message(&field);
	assert_true(proto_next(&inner, &field));
	assert_int_equal(field.value, 7);
	assert_false(proto_next(&inner, &field));
	assert_false(inner.bad);
	assert_true(proto_next(&message, &field));
	assert_int_equal(field.number, 536870911);
	assert_false(proto_next(&message, &field));
	assert_false(message.bad);
	buf_done(&out);
}

/* Lengths around each size of their own varint, nested three deep. */
static void proto_messages_of_every_length_nest(void **state)
{
	static const size_t lens[] = {0, 1, 127, 128, 129, 16383, 16384, 2097151, 2097152};
	static char zeros[2097152];

	(void)state;
	for (size_t i = 0; i < array_len(lens); i++) {
		struct buf out;
		struct cursor message;
		struct proto_field field = {0};
		size_t begins[3];

		buf_init(&out, 8u << 20);
		for (int level = 0; level < 3; level++)
			begins[level] = proto_begin(&out, 1);
		proto_put_bytes(&out, 2, zeros, lens[i]);
		for (int level = 2; level >= 0; level--)
			proto_end(&out, begins[level]);
		message = cursor_over(out.data, out.len);
		for (int level = 0; level < 3; level++) {
			assert_true(proto_next(&message, &field));
			assert_int_equal(field.number, 1);
			assert_int_equal(message.at == message.end, 1);
			message = proto_message(&field);
		}
		assert_true(proto_next(&message, &field));
		assert_int_equal(field.number, 2);
		assert_int_equal(field.len, lens[i]);
		assert_true(!lens[i] || memcmp(field.bytes, zeros, lens[i]) == 0);
		buf_done(&out);
	}
}

static void proto_lists_are_packed_or_not(void **state)
{
	struct cursor message = cursor_over("\x0a\x03\x01\x96\x01\x08\x05\x0a\x00", 9);
	struct proto_field field = {0};
	uint64_t value, values[4];
	size_t n = 0;

	(void)state;
	while (proto_next(&message, &field)) {
		struct proto_list list = proto_list(&field);

		while (proto_list_next(&list, &value))
			values[n++] = value;
		assert_false(list.bad);
	}
	assert_false(message.bad);
	assert_int_equal(n, 3);
	assert_int_equal(values[0], 1);
	assert_int_equal(values[1], 150);
	assert_int_equal(values[2], 5);
}

static const struct {
	const char *bytes;
	size_t len;
} malformed[] = {
	{"\x08", 1},	 /* no value */
	{"\x00\x01", 2}, /* field 0 */
	{"\x0b\x0c", 2}, /* group */
	{"\x0c", 1},	 /* end of a group */
	{"\x0e\x00", 2}, /* wire type 6 */
	{"\x0f\x00", 2}, /* wire type 7 */
	{"\x0a\x05"
	 "abc",
	 5},							  /* longer than the rest */
	{"\x09\x01\x02", 3},					  /* half a fixed64 */
	{"\x0d\x01", 2},					  /* half a fixed32 */
	{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* eleven bytes */
	{"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},	  /* 2^64-1 bytes */
	{"\x80\x80\x80\x80\x10\x00", 6},			  /* field 2^29 */
};

static void proto_refuses_what_is_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(malformed); i++) {
		struct cursor message = cursor_over(malformed[i].bytes, malformed[i].len);
		struct proto_field field = {0};

		assert_false(proto_next(&message, &field));
		assert_true(message.bad);
		assert_false(proto_next(&message, &field));
	}
}

static void proto_message_of_a_number_is_bad(void **state)
{
	struct cursor message = cursor_over("\x08\x01", 2), inner;
	struct proto_field field = {0};

	(void)state;
	assert_true(proto_next(&message, &field));
	inner = proto_message(&field);
	assert_false(proto_next(&inner, &field));
	assert_true(inner.bad);
}

static void proto_over_the_ceiling_sets_overflow(void **state)
{
	struct buf out;
	size_t begin;

	(void)state;
	buf_init(&out, 130);
	begin = proto_begin(&out, 1);
	for (int i = 0; i < 64; i++)
		proto_put_uint(&out, 1, 1);
	assert_int_equal(out.len, 130);
	assert_false(out.overflow);
	proto_end(&out, begin); /* needs one byte more */
	assert_true(out.overflow);
	buf_done(&out);
}

/* Whether eight bytes follow decides how a long one is read. */
static void varints_of_any_length_are_the_same_before_anything(void **state)
{
	(void)state;
	for (unsigned int bits = 0; bits <= 64; bits++)
		for (size_t more = 0; more < 12; more++) {
			uint64_t value = bits ? UINT64_MAX >> (64 - bits) : 0;
			struct proto_varint back;
			struct buf out;

			buf_init(&out, 64);
			buf_put_varint(&out, value);
			size_t len = out.len;
			buf_put(&out, "\xff\x80\xff\x80\xff\x80\xff\x80\xff\x80\xff\x80", more);
			back = proto_varint((const uint8_t *)out.data,
					    (const uint8_t *)out.data + out.len);
			assert_ptr_equal(back.end, out.data + len);
			assert_true(back.value == value);
			for (size_t cut = 0; cut < len; cut++)
				assert_null(proto_varint((const uint8_t *)out.data,
							 (const uint8_t *)out.data + cut)
						    .end);
			buf_done(&out);
		}
}

static void tags_give_what_fields_give(void **state)
{
	struct cursor message = cursor_over("\x08\x96\x01\x12\x02\x08\x07\x1d"
					    "abcd"
					    "\x80\x01\x05",
					    15);
	struct cursor inner;

	(void)state;
	assert_int_equal(proto_tag(&message), PROTO_TAG(1, PROTO_VARINT));
	assert_int_equal(proto_take_number(&message), 150);
	assert_int_equal(proto_tag(&message), PROTO_TAG(2, PROTO_BYTES));
	inner = proto_take_message(&message);
	assert_int_equal(proto_tag(&inner), PROTO_TAG(1, PROTO_VARINT));
	assert_int_equal(proto_take_number(&inner), 7);
	assert_int_equal(proto_tag(&inner), 0);
	assert_false(inner.bad);
	assert_int_equal(proto_tag(&message), PROTO_TAG(3, PROTO_FIXED32));
	proto_skip(&message, PROTO_TAG(3, PROTO_FIXED32));
	assert_int_equal(proto_tag(&message), PROTO_TAG(16, PROTO_VARINT));
	assert_int_equal(proto_take_number(&message), 5);
	assert_int_equal(proto_tag(&message), 0);
	assert_false(message.bad);
}

static void tags_refuse_what_is_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(malformed); i++) {
		struct cursor message = cursor_over(malformed[i].bytes, malformed[i].len);
		uint32_t tag = proto_tag(&message);

		if (tag == PROTO_TAG(1, PROTO_VARINT))
			(void)proto_take_number(&message);
		else if (tag == PROTO_TAG(1, PROTO_BYTES))
			assert_true(proto_take_message(&message).bad);
		else if (tag)
			proto_skip(&message, tag);
		assert_true(message.bad);
		assert_int_equal(proto_tag(&message), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proto_reads_back_what_was_written),
		cmocka_unit_test(proto_messages_of_every_length_nest),
		cmocka_unit_test(proto_lists_are_packed_or_not),
		cmocka_unit_test(proto_refuses_what_is_malformed),
		cmocka_unit_test(proto_message_of_a_number_is_bad),
		cmocka_unit_test(proto_over_the_ceiling_sets_overflow),
		cmocka_unit_test(varints_of_any_length_are_the_same_before_anything),
		cmocka_unit_test(tags_give_what_fields_give),
		cmocka_unit_test(tags_refuse_what_is_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
