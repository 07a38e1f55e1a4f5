/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a protobuf message, its fields as messages and lists again: no field leaves its parent. */
#include "fuzz.h"

#include <stdlib.h>

#include "codec/proto.h"

#define MAX_DEPTH 6

static void walk(struct cursor message, int depth)
{
	const uint8_t *begin = message.at;
	struct proto_field field;
	uint64_t value;

	while (proto_next(&message, &field)) {
		struct proto_list list = proto_list(&field);

		if (field.bytes && (field.bytes < begin || field.bytes + field.len > message.end))
			abort();
		while (proto_list_next(&list, &value))
			;
		if (field.bytes && depth < MAX_DEPTH)
			walk(proto_message(&field), depth + 1);
	}
	if (!message.bad && message.at != message.end)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	walk(cursor_over(data, size), 0);
	return 0;
}
