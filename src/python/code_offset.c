/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in its code a frame stands.
 *
 * Up to 3.10 frames have an offset, later a pointer to an instruction.  In free-threaded builds from 3.14 on that
 * pointer leads into the thread's own copy of the bytecode, which the code object's co_tlbc lists under the frame's
 * tlbc_index.  A copy stays where it is while its thread lives; then another thread may get the index, and another
 * copy: tlbc_generation of the interpreter moves, and all that was known of copies is void (copies_epoch).
 */
#include "base/vec.h"
#include "python/code.h"

#define COPIES_AT 8 /* _PyCodeArray: their number, then their addresses */

static raddr_t *find_copy(const struct code_cache *cache, struct code *code, int32_t index)
{
	if (code->copies_epoch != cache->copies_epoch)
		code->n_copies = 0;
	code->copies_epoch = cache->copies_epoch;
	for (uint32_t i = 0; i < code->n_copies; i++)
		if (code->copies[i].index == index)
			return &code->copies[i].instructions;
	return NULL;
}

static int read_copy(const struct code_cache *cache, struct memory *memory, const struct code *code,
		     int32_t index, raddr_t *ret_instructions)
{
	raddr_t list, instructions;
	uint64_t n;
	int r = memory_read_u64(memory, code->addr + cache->layout->co_tlbc, &list);

	if (r == 0)
		r = memory_read_u64(memory, list, &n);
	if (r == 0 && (uint64_t)index >= n)
		return ERR_CORRUPT;
	if (r == 0)
		r = memory_read_u64(memory, list + COPIES_AT + 8 * (uint64_t)index, &instructions);
	if (r < 0)
		return r;
	*ret_instructions = instructions;
	return 0;
}

static void remember(struct code *code, int32_t index, raddr_t instructions)
{
	uint32_t at = code->n_copies < CODE_MAX_COPIES ? code->n_copies++
						       : (uint32_t)index % CODE_MAX_COPIES;

	if (!code->copies)
		code->copies = xcalloc(CODE_MAX_COPIES, sizeof(*code->copies));
	code->copies[at] = (struct code_copy){.index = index, .instructions = instructions};
}

static int copy_instructions(const struct code_cache *cache, struct memory *memory,
			     struct code *code, int32_t index, raddr_t *ret_instructions)
{
	const raddr_t *known = find_copy(cache, code, index);

	if (index < 0)
		return ERR_CORRUPT;
	if (known) {
		*ret_instructions = *known;
		return 0;
	}
	int r = read_copy(cache, memory, code, index, ret_instructions);
	if (r == 0)
		remember(code, index, *ret_instructions);
	return r;
}

int code_offset(struct code_cache *cache, struct memory *memory, uint32_t id, uint64_t instr,
		int32_t copy, int64_t *ret_offset)
{
	struct code *code = &cache->codes[id];
	raddr_t instructions = code->instructions;
	int64_t offset;

	if (copy) {
		int r = copy_instructions(cache, memory, code, copy, &instructions);
		if (r < 0)
			return r;
	}
	if (cache->layout->instr_unit)
		offset = (int64_t)(int32_t)(uint32_t)instr * cache->layout->instr_unit;
	else
		offset = (int64_t)(instr - instructions);
	if (offset < -2 || offset >= (int64_t)code->n_bytes)
		return ERR_CORRUPT;
	*ret_offset = offset;
	return 0;
}
