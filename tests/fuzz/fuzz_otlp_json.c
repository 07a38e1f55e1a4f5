/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as OTLP in JSON: what is taken is a message of well-formed fields, within its ceiling. */
#include "fuzz.h"

#include <stdlib.h>

#include "codec/proto.h"
#include "server/otlp_json.h"

#define MAX_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out;
	struct err err = {0};

	buf_init(&out, MAX_BYTES);
	if (otlp_json_read(data, size, &out, &err) == 0) {
		struct cursor message = cursor_over(out.data ? out.data : "", out.len);
		struct proto_field field;

		while (proto_next(&message, &field))
			;
		if (message.bad)
			abort();
	} else if (!err.text[0]) {
		abort();
	}
	buf_done(&out);
	return 0;
}
