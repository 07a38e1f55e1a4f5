/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole stack of any bytes, over files of any bytes.  The input is, in this order: registers (17 words and
 * which of them are known), the length of a stack and the stack, then an ELF file, which is mapped twice, once
 * as a file and once as the vDSO, beside memory that has no file.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unwind/unwind.h"

#define FILE_AT 0x400000
#define VDSO_AT 0x7fff00000000
#define CODE_AT 0x500000000
#define STACK_AT 0x7ffe00000000
#define STACK_MAX 8192

struct input {
	uint64_t regs[UNWIND_REGS];
	uint64_t known;
	uint64_t stack_bytes;
};

struct bytes {
	const uint8_t *data;
	size_t size;
};

/* The process's memory: the file's bytes, wherever they are mapped. */
struct fake {
	struct memory memory;
	struct bytes file;
};

static int fake_readv(struct memory *memory, struct mem_span *spans, size_t n)
{
	const struct bytes *file = &((struct fake *)memory)->file;
	int whole = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t at = spans[i].addr & 0xffff;

		spans[i].ok = at <= file->size && spans[i].len <= file->size - at;
		if (spans[i].ok)
			memcpy(spans[i].into, file->data + at, spans[i].len);
		whole += spans[i].ok;
	}
	return whole;
}

static int open_bytes(void *ctx, const struct mapping *mapping, struct err *err)
{
	const struct bytes *file = ctx;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	(void)mapping, (void)err;
	if (fd >= 0 && write(fd, file->data, file->size) != (ssize_t)file->size) {
		close(fd);
		return -1;
	}
	return fd;
}

static void demand(bool is_kept)
{
	if (!is_kept)
		abort();
}

static void try_stack(struct unwind_space *space, const struct input *input,
		      const uint8_t *stack_at, size_t stack_bytes, struct memory *memory)
{
	static struct unwind_frame frames[UNWIND_MAX_FRAMES];
	struct unwind_regs regs = {.known = input->known};
	enum unwind_outcome outcome;

	memcpy(regs.r, input->regs, sizeof(regs.r));
	regs.known |= 1ull << UNWIND_SP | 1ull << UNWIND_PC;
	size_t first = memory ? stack_bytes : stack_bytes / 16 * 8; /* in two pieces, too */
	struct unwind_stack stack = {
		.sp = regs.r[UNWIND_SP],
		.bytes = stack_at,
		.len = first,
		.more_at = regs.r[UNWIND_SP] + first,
		.more = stack_at + first,
		.more_len = stack_bytes - first,
		.memory = memory,
	};
	if (memory)
		memory_budget_set(memory, 200, 1u << 20);
	size_t n = unwind_run(space, &regs, &stack, frames, UNWIND_MAX_FRAMES, &outcome);
	demand(n >= 1 && n <= UNWIND_MAX_FRAMES && outcome < UNWIND_OUTCOMES);
	demand(frames[0].pc == regs.r[UNWIND_PC] && frames[0].flags & UNWIND_FRAME_EXACT);
	for (size_t i = 0; i < n; i++)
		demand(frames[i].module == UNWIND_NO_MODULE ||
		       frames[i].module < unwind_modules(space));
	/* A complete stack, and only one, has an end that nobody called. */
	demand((outcome == UNWIND_BASE) == ((frames[n - 1].flags & UNWIND_FRAME_BASE) != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct memory_ops ops = {.readv = fake_readv};
	static struct mapping mappings[] = {
		{.start = FILE_AT,
		 .end = FILE_AT + 0x10000,
		 .inode = 1,
		 .perms = 5,
		 .path = "/file"},
		{.start = CODE_AT, .end = CODE_AT + 0x10000, .perms = 5, .path = ""},
		{.start = VDSO_AT, .end = VDSO_AT + 0x2000, .perms = 5, .path = "[vdso]"},
	};
	struct input input;

	if (size < sizeof(input))
		return 0;
	memcpy(&input, data, sizeof(input));
	data += sizeof(input);
	size -= sizeof(input);
	size_t stack_bytes = (size_t)(input.stack_bytes % STACK_MAX);
	if (stack_bytes > size)
		return 0;
	struct fake fake = {.memory = {.ops = &ops},
			    .file = {data + stack_bytes, size - stack_bytes}};
	struct unwind_args args = {.open = open_bytes, .ctx = &fake.file, .memory = &fake.memory};
	struct unwind_space *space = unwind_space_new(&args);
	struct maps maps = {.items = mappings, .n = 3};

	memory_budget_set(&fake.memory, 200, 1u << 20);
	unwind_space_update(space, &maps);
	try_stack(space, &input, data, stack_bytes, NULL);
	try_stack(space, &input, data, stack_bytes, &fake.memory);
	unwind_space_free(space);
	return 0;
}
