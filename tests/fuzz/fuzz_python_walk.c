/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile Python: a made-up process with three frames in which the input changes words.  First byte: the version;
 * then 6 bytes each: where (u24, in words of 4 bytes), how (u8: a value, or an address that exists), what (u16).  When
 * the input ends the process is looked at as in a tick, twice, with a change between.
 */
#include "fuzz.h"

#include <string.h>

#include "base/compiler.h"
#include "fake_memory.h"
#include "python/python_private.h"

/* What seeds begin with depends on the order: new ones go to the end. */
#define NO_GIL 0x10000u
static const uint32_t versions[] = {
	0x0308, 0x0309, 0x030a, 0x030b, 0x030c,		 0x030d,	  0x0207,
	0x0306, 0x0307, 0x030e, 0x030f, NO_GIL | 0x030d, NO_GIL | 0x030e, NO_GIL | 0x030f};

#define ENTRY_BYTES 6
#define RUNTIME_AND_OBJECTS 32768 /* where structs lie: most of the changes go there */

static void change(struct fake_memory *fake, const uint8_t *entry)
{
	uint32_t at = (uint32_t)(entry[0] | entry[1] << 8 | entry[2] << 16);
	uint64_t value = (uint64_t)(entry[4] | entry[5] << 8);
	size_t limit = entry[3] & 0x80 ? FAKE_BYTES : RUNTIME_AND_OBJECTS;
	raddr_t addr = FAKE_BASE + at % (limit / 4 - 2) * 4;

	switch (entry[3] & 7) {
	case 0:
		fake_put8(fake, addr, (uint8_t)value);
		break;
	case 1:
		fake_put32(fake, addr, (uint32_t)value);
		break;
	case 2:
		fake_put64(fake, addr, value);
		break;
	case 3:
		fake_put64(fake, addr, ~value);
		break;
	case 4:
		fake_put64(fake, addr, value << 48);
		break;
	default:
		fake_put64(fake, addr & ~7ull, FAKE_BASE + value * 8 % FAKE_BYTES);
		break;
	}
}

static void tick(struct python *python)
{
	struct python_look look;
	struct python_stack stack;
	uint8_t outcomes[8];
	uint32_t threads[8];
	uint32_t n = 0;

	if (python_look(python, &look) < 0)
		return;
	for (uint32_t i = 0; i < look.n && n < array_len(threads); i++) {
		threads[n++] = i;
		(void)python_thread_name(python, i, true);
		if (python_read_paused(python, i, 0) == PYTHON_COMPLETE)
			python_stack(python, i, &stack);
	}
	if (python_read_waiting(python, threads, n, PYTHON_ANY, outcomes) < 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		if (outcomes[i] == PYTHON_COMPLETE)
			python_stack(python, threads[i], &stack);
}

static void run(struct fake_memory *fake, const struct fake_process *process, const uint8_t *data,
		size_t size)
{
	struct runtime runtime = fake_runtime(fake, process);
	struct names *names = names_new();
	struct python_args args = {.memory = &fake->memory, .names = names, .pid = FAKE_PID};
	struct python *python;

	if (python_new(&args, &runtime, &python, NULL) == 0) {
		tick(python);
		for (size_t at = 0; at + ENTRY_BYTES <= size; at += ENTRY_BYTES) {
			change(fake, data + at);
			if (at / ENTRY_BYTES % 8 == 7)
				tick(python);
		}
		tick(python);
		tick(python);
		python_free(python);
	}
	names_free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_memory fake;
	struct fake_process process = {0};
	raddr_t codes[3];

	if (size < 1 || size > 4096)
		return 0;
	uint32_t version = versions[data[0] % array_len(versions)];
	fake_init(&fake, version & NO_GIL ? layout_find_free_threaded((uint16_t)version)
					  : layout_find((uint16_t)version));
	fake_process(&fake, &process);
	for (size_t i = 0; i < array_len(codes); i++)
		codes[i] = fake_code(&fake, "name", "file.py", (uint32_t)i);
	fake_stack(&fake, &process, codes, array_len(codes));
	run(&fake, &process, data + 1, size - 1);
	fake_done(&fake);
	return 0;
}
