/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile objects as text.  First byte: the version; second: the limits; then 5 bytes each: where in a stretch of
 * 16 KB (u16, in words), how (u8: a value, a type, or an address in that stretch), what (u16).  The object at its
 * beginning, and the one behind it, are shown; what is shown has to be printable and within its limit.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/utf8.h"
#include "fake_memory.h"
#include "python/value.h"

#define ENTRY_BYTES 5
#define STRETCH_BYTES 16384u
#define READS 200
#define READ_BYTES (1u << 20)
#define ELLIPSIS_ROOM 64 /* closing brackets and ellipses stand behind the limit */

static const struct {
	const char *name;
	uint64_t flags; /* Py_TPFLAGS_* that tell what it is */
} kinds[] = {
	{"int", 1ull << 24},
	{"list", 1ull << 25},
	{"tuple", 1ull << 26},
	{"bytes", 1ull << 27},
	{"str", 1ull << 28},
	{"dict", 1ull << 29},
	{"ValueError", 1ull << 30},
	{"type", 1ull << 31},
	{"NoneType", 0},
	{"bool", 1ull << 24},
	{"float", 0},
	{"complex", 0},
	{"bytearray", 0},
	{"set", 0},
	{"frozenset", 0},
	{"range", 0},
	{"cell", 0},
	{"numpy.int64", 0},
	{"numpy.longdouble", 0},
	{"numpy.str_", 1ull << 28},
	{"Thing", 1ull << 9},
};

static void add_types(struct fake_memory *fake, raddr_t types[array_len(kinds)])
{
	const struct layout *layout = fake->layout;

	for (size_t i = 0; i < array_len(kinds); i++) {
		raddr_t name = fake_alloc(fake, 128);

		types[i] = fake_alloc(fake, 1024);
		fake_put(fake, name, kinds[i].name, strlen(kinds[i].name) + 1);
		fake_put64(fake, types[i] + layout->type_name, name);
		fake_put64(fake, types[i] + layout->type_flags, kinds[i].flags);
		fake_put64(fake, types[i] + layout->type_base, types[i / 2]);
	}
}

static uint64_t value_of(const uint8_t *entry, const raddr_t types[array_len(kinds)],
			 raddr_t stretch)
{
	uint64_t what = (uint64_t)(entry[3] | entry[4] << 8);

	switch (entry[2] & 7) {
	case 0:
		return what;
	case 1:
		return ~what;
	case 2:
		return what << 40;
	case 3:
		return what << 16 | 1;
	case 4:
	case 5:
		return types[what % array_len(kinds)];
	default:
		return stretch + what * 8 % STRETCH_BYTES;
	}
}

static void show(struct fake_memory *fake, raddr_t object, uint8_t limits)
{
	struct value_limits few = {.max_chars = 32, .max_items = 4, .max_depth = 3};
	struct value_limits many = {
		.max_chars = VALUE_MAX_CHARS, .max_items = 64, .max_depth = VALUE_MAX_DEPTH};
	const struct value_limits *chosen = limits & 1 ? &few : &many;
	struct value_reader reader;
	struct buf text;

	buf_init(&text, 1 << 20);
	memory_budget_set(&fake->memory, READS, READ_BYTES);
	value_reader_init(&reader, &fake->memory, fake->layout, chosen);
	if (value_put(&reader, object, &text) == 0 &&
	    (text.len > chosen->max_chars + ELLIPSIS_ROOM ||
	     (text.len && memchr(text.data, 0, text.len))))
		abort();
	buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_memory fake;
	raddr_t types[array_len(kinds)], stretch;

	if (size < 2 || size > 4096)
		return 0;
	fake_init(&fake, layout_find((uint16_t)(0x0308 + data[0] % 8)));
	add_types(&fake, types);
	stretch = fake_alloc(&fake, STRETCH_BYTES);
	for (size_t at = 2; at + ENTRY_BYTES <= size; at += ENTRY_BYTES) {
		const uint8_t *entry = data + at;
		size_t word = (size_t)(entry[0] | entry[1] << 8) % (STRETCH_BYTES / 8);

		fake_put64(&fake, stretch + word * 8, value_of(entry, types, stretch));
	}
	show(&fake, stretch, data[1]);
	show(&fake, stretch + 64, data[1]);
	fake_done(&fake);
	return 0;
}
