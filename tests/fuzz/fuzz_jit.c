/* SPDX-License-Identifier: Apache-2.0 */
/* A perf map or a jitdump of any bytes, in two pieces as a growing file comes. */
#include "fuzz.h"

#include "symbol/jit.h"

static void ask(struct jit_code *code)
{
	struct jit_found found;

	for (uint64_t at = 0; at < 1 << 16; at += 1000)
		(void)!jit_code_find(code, at, &found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jit_code *code = jit_code_new();
	size_t half = size / 2, at = perf_map_read(code, data, half, true);

	if (at < size)
		(void)perf_map_read(code, data + at, size - at, false);
	ask(code);
	jit_code_reset(code);
	at = jitdump_read(code, data, half, true);
	if (at < size)
		(void)jitdump_read(code, data + at, size - at, at == 0);
	ask(code);
	jit_code_free(code);
	return 0;
}
