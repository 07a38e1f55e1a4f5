/* SPDX-License-Identifier: Apache-2.0 */
/* What front and worker may get to hear; what is taken must survive being said again. */
#include "fuzz.h"

#include <stdlib.h>

#include "base/err.h"
#include "symbol/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct protocol_request request;
	static struct protocol_answer answer, again;
	struct buf out;

	buf_init(&out, PROTOCOL_MAX_BYTES);
	if (protocol_get_request(data, size, &request) == 0)
		protocol_put_request(&out, &request);
	buf_reset(&out);
	if (protocol_get_answer(data, size, &answer) == 0) {
		protocol_put_answer(&out, &answer);
		if (!out.overflow &&
		    (protocol_get_answer(out.data, out.len, &again) < 0 || again.n != answer.n))
			abort();
	}
	buf_done(&out);
	return 0;
}
