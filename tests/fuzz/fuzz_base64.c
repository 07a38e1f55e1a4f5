/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as base64; what is read is the same when it is written and read again, with either alphabet. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "codec/base64.h"

#define MAX_BYTES ((size_t)1 << 20)

typedef void encode_fn(const void *data, size_t len, struct buf *out);

static void check_round_trip(const struct buf *plain, encode_fn *encode)
{
	struct buf text, again;

	buf_init(&text, 2 * MAX_BYTES);
	buf_init(&again, MAX_BYTES);
	encode(plain->data ? plain->data : "", plain->len, &text);
	if (base64_decode(text.data ? text.data : "", text.len, &again, NULL) < 0 ||
	    again.len != plain->len ||
	    (plain->len && memcmp(again.data, plain->data, plain->len) != 0))
		abort();
	buf_done(&text);
	buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf plain;

	buf_init(&plain, MAX_BYTES);
	if (base64_decode((const char *)data, size, &plain, NULL) == 0) {
		if (plain.len > size)
			abort();
		check_round_trip(&plain, base64_encode);
		check_round_trip(&plain, base64url_encode);
	}
	buf_done(&plain);
	return 0;
}
