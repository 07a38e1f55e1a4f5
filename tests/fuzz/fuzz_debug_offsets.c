/* SPDX-License-Identifier: Apache-2.0 */
/*
 * _Py_DebugOffsets of any content: 3 bytes each say which byte of a block that begins as a true one is changed (u16),
 * and to what.  The first byte chooses the version.  What is accepted has to be usable.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "fake_memory.h"
#include "python/python_private.h"

#define ENTRY_BYTES 3

/* Words that are right for a struct of 4,096 bytes each: sizes and, behind them, fields one after the other. */
static void fill(uint8_t block[DEBUG_OFFSETS_BYTES], uint8_t which)
{
	uint64_t version = 0x030d00f0ull + ((uint64_t)(which % 4) << 16);

	memset(block, 0, DEBUG_OFFSETS_BYTES);
	memcpy(block, DEBUG_OFFSETS_COOKIE, strlen(DEBUG_OFFSETS_COOKIE));
	memcpy(block + 8, &version, sizeof(version));
	for (size_t at = 24; at + 8 <= DEBUG_OFFSETS_BYTES; at += 8) {
		uint64_t word = at / 8 % 16 == 3 ? 4096 : at % 512;

		memcpy(block + at, &word, sizeof(word));
	}
}

static void use(const struct layout *layout)
{
	struct fake_memory fake;
	struct runtime runtime = {.addr = FAKE_BASE, .layout = *layout};
	struct names *names = names_new();
	struct python_args args = {.memory = &fake.memory, .names = names, .pid = FAKE_PID};
	struct python_look look;
	struct python *python;

	fake_init(&fake, layout);
	if (python_new(&args, &runtime, &python, NULL) == 0) {
		(void)!python_look(python, &look);
		python_free(python);
	}
	names_free(names);
	fake_done(&fake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t block[DEBUG_OFFSETS_BYTES];
	struct layout layout;

	if (size < 1 || size > 4096)
		return 0;
	fill(block, data[0]);
	for (size_t at = 1; at + ENTRY_BYTES <= size; at += ENTRY_BYTES)
		block[(size_t)(data[at] | data[at + 1] << 8) % DEBUG_OFFSETS_BYTES] = data[at + 2];
	if (debug_offsets_parse(block, sizeof(block), &layout, NULL) == 0)
		use(&layout);
	return 0;
}
