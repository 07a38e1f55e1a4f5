/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "codec/sha256.h"

static void hash_is(const void *data, size_t len, const char *hex)
{
	uint8_t hash[SHA256_BYTES];
	char text[2 * SHA256_BYTES + 1];

	sha256(data, len, hash);
	for (size_t i = 0; i < SHA256_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	assert_string_equal(text, hex);
}

/* FIPS 180-4's examples, as NIST publishes them (SHA_All.pdf, SHA2_Additional.pdf). */
static void hashes_of_the_standard_are_met(void **state)
{
	static const struct {
		const char *text, *hex;
	} rows[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
		{"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
		 "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		 "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
		{"\xbd", "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
		{"\xc9\x8c\x8e\x55",
		 "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++)
		hash_is(rows[i].text, strlen(rows[i].text), rows[i].hex);
}

/* Where the padding begins a block of its own: 55, 56 and 64 bytes; and many blocks. */
static void lengths_around_a_block_are_padded(void **state)
{
	static const struct {
		size_t len;
		const char *hex;
	} rows[] = {
		{55, "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"},
		{56, "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"},
		{57, "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785"},
		{64, "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"},
		{1000, "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53"},
	};
	char *zeros = calloc(1, 1000000);

	(void)state;
	assert_non_null(zeros);
	for (size_t i = 0; i < array_len(rows); i++)
		hash_is(zeros, rows[i].len, rows[i].hex);
	memset(zeros, 'a', 1000000);
	hash_is(zeros, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(zeros);
}

static void hashes_are_equal_when_every_bit_is(void **state)
{
	uint8_t one[SHA256_BYTES], other[SHA256_BYTES];

	(void)state;
	sha256("abc", 3, one);
	memcpy(other, one, sizeof(other));
	assert_true(sha256_equal(one, other));
	for (int bit = 0; bit < 8 * SHA256_BYTES; bit++) {
		other[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(sha256_equal(one, other));
		other[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_of_the_standard_are_met),
		cmocka_unit_test(lengths_around_a_block_are_padded),
		cmocka_unit_test(hashes_are_equal_when_every_bit_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
