/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the evaluation function lies.
 *
 * Its symbol is exported by every build (extensions may call it), so it is found in stripped files, too.  2.7 has
 * one function; from 3.6 on PyEval_EvalFrameEx() only calls what PEP 523 lets others replace.
 *
 * Compilers put what they think is cold elsewhere, in a part with unwind information of its own: a few error paths,
 * or nearly all of it (Debian's static 3.14 and 3.15, where the symbol has 1 kB and the loop 84 kB).  Such parts have
 * no symbol in a stripped file.  A part is what a direct jump out of the function leads to, that does not begin like
 * a function (no frame yet: CFA = rsp + 8) nor is the linker's stubs, and that jumps back or is a loop by its size.
 *
 * A function whose parts together are smaller than any loop has none: its instructions are functions of their own, which
 * end in calls of each other (--with-tail-call-interp, 3.14+).  It calls nothing else, so that what stands directly on
 * it, in the same file, is one of these.
 */
#include <stdlib.h>

#include "base/vec.h"
#include "elf/eh_frame.h"
#include "elf/elf.h"
#include "python/python_private.h"

#define SINCE_DEFAULT 0x0306 /* _PyEval_EvalFrameDefault */
#define PART_MAX_BYTES (512u << 10)
#define LOOP_BYTES (16u << 10) /* no other function's cold part is as large */
#define DWARF_RSP 7
#define CFA_AT_ENTRY 8

/* One part, as linked. */
struct part {
	uint64_t start, end;
};

struct search_parts {
	const struct elf *elf;
	struct eh_frame *frame;
	struct part parts[PYTHON_MAX_EVAL_RANGES];
	size_t n;
};

static bool is_known(const struct search_parts *search, uint64_t vaddr)
{
	for (size_t i = 0; i < search->n; i++)
		if (vaddr >= search->parts[i].start && vaddr < search->parts[i].end)
			return true;
	return false;
}

/* ---- direct jumps ---- */

/*
 * The target of the direct jump at bytes[at]: jmp rel32 (e9), jcc rel32 (0f 80 to 0f 8f).  Every byte is tried,
 * whether an instruction begins there or not: what is no jump leads anywhere, and is refused by what lies there.
 */
static bool jump_at(const uint8_t *bytes, size_t len, size_t at, uint64_t vaddr,
		    uint64_t *ret_target)
{
	size_t head = bytes[at] == 0xe9 ? 1 : 2;
	int32_t distance;

	if (at + head + sizeof(distance) > len)
		return false;
	if (head == 2 && (bytes[at] != 0x0f || (bytes[at + 1] & 0xf0) != 0x80))
		return false;
	__builtin_memcpy(&distance, bytes + at + head, sizeof(distance));
	*ret_target = vaddr + at + head + sizeof(distance) + (uint64_t)(int64_t)distance;
	return true;
}

static uint8_t *read_part(const struct elf *elf, const struct part *part)
{
	size_t len = (size_t)(part->end - part->start);
	uint8_t *bytes;

	if (part->end <= part->start || part->end - part->start > PART_MAX_BYTES)
		return NULL;
	bytes = xcalloc(len, 1);
	if (elf_read_vaddr(elf, part->start, bytes, len) == 0)
		return bytes;
	free(bytes);
	return NULL;
}

static bool jumps_back(const struct search_parts *search, const struct part *part)
{
	size_t len = (size_t)(part->end - part->start);
	uint8_t *bytes = read_part(search->elf, part);
	uint64_t target;
	bool is_found = false;

	for (size_t at = 0; bytes && at < len && !is_found; at++)
		is_found =
			jump_at(bytes, len, at, part->start, &target) && is_known(search, target);
	free(bytes);
	return is_found;
}

/* ---- parts ---- */

struct row_facts {
	size_t n;
	bool is_function, is_stub;
};

static int take_row(void *ctx, uint64_t vaddr, const struct cfi_rule *rule)
{
	struct row_facts *facts = ctx;

	(void)vaddr;
	if (facts->n++ == 0)
		facts->is_function = rule->cfa == CFI_CFA_REG && rule->reg == DWARF_RSP &&
				     rule->off == CFA_AT_ENTRY;
	facts->is_stub |= rule->cfa == CFI_CFA_PLT;
	return 0;
}

static bool find_part(const struct search_parts *search, uint64_t vaddr, struct part *ret_part)
{
	struct row_facts facts = {0};
	struct eh_fde fde;
	size_t i;

	if (eh_frame_find(search->frame, vaddr, &i) < 0 ||
	    eh_frame_rows(search->frame, i, &fde, take_row, &facts) < 0)
		return false;
	*ret_part = (struct part){fde.start, fde.end};
	return vaddr >= fde.start && vaddr < fde.end && facts.n && !facts.is_function &&
	       !facts.is_stub;
}

static void add_part(struct search_parts *search, const struct part *part)
{
	if (search->n < PYTHON_MAX_EVAL_RANGES)
		search->parts[search->n++] = *part;
}

static void follow_jumps(struct search_parts *search, const struct part *from)
{
	size_t len = (size_t)(from->end - from->start);
	uint8_t *bytes = read_part(search->elf, from);

	for (size_t at = 0; bytes && at < len; at++) {
		struct part part;
		uint64_t target;

		if (!jump_at(bytes, len, at, from->start, &target) || is_known(search, target) ||
		    !find_part(search, target, &part))
			continue;
		if (part.end - part.start >= LOOP_BYTES || jumps_back(search, &part))
			add_part(search, &part);
	}
	free(bytes);
}

static int by_start(const void *a, const void *b)
{
	const struct python_eval_range *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

static void add_handlers(struct python *python, const struct maps *maps, const struct mapping *file)
{
	for (size_t i = 0; i < maps->n && python->n_evals < PYTHON_MAX_EVAL_RANGES; i++) {
		const struct mapping *mapping = &maps->items[i];

		if (mapping->perms & MAPPING_EXEC && mapping_is_same_file(mapping, file))
			python->evals[python->n_evals++] = (struct python_eval_range){
				.start = mapping->start, .end = mapping->end, .is_handler = true};
	}
}

/* All parts together. */
static uint64_t measure(const struct search_parts *search)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < search->n; i++)
		bytes += search->parts[i].end - search->parts[i].start;
	return bytes;
}

static void find_in(struct python *python, const struct python_args *args,
		    const struct runtime *runtime, const struct elf *elf, uint64_t bias)
{
	struct search_parts search = {.elf = elf};
	struct elf_symbol symbol = {.name = python->layout.version < SINCE_DEFAULT
						    ? "PyEval_EvalFrameEx"
						    : "_PyEval_EvalFrameDefault"};

	if (elf_symbols(elf, &symbol, 1) < 1 || symbol.range.size == 0)
		return;
	add_part(&search,
		 &(struct part){symbol.range.vaddr, symbol.range.vaddr + symbol.range.size});
	if (eh_frame_open(elf, &search.frame, NULL) == 0) {
		for (size_t i = 0; i < search.n; i++)
			follow_jumps(&search,
				     &(struct part){search.parts[i].start, search.parts[i].end});
		eh_frame_close(search.frame);
	}
	for (size_t i = 0; i < search.n; i++)
		python->evals[python->n_evals++] = (struct python_eval_range){
			.start = bias + search.parts[i].start, .end = bias + search.parts[i].end};
	qsort(python->evals, python->n_evals, sizeof(*python->evals), by_start);
	if (measure(&search) < LOOP_BYTES)
		add_handlers(python, args->maps, runtime->file);
}

void evals_find(struct python *python, const struct python_args *args,
		const struct runtime *runtime)
{
	struct elf *elf;
	uint64_t vaddr;
	int fd = args->open(args->ctx, runtime->file, NULL);

	if (fd < 0 || elf_open(fd, &elf, NULL) < 0)
		return;
	if (elf_vaddr(elf, runtime->file->offset, &vaddr) == 0)
		find_in(python, args, runtime, elf, runtime->file->start - vaddr);
	elf_close(elf);
}

size_t python_eval_ranges(const struct python *python, const struct python_eval_range **ret_ranges)
{
	*ret_ranges = python->evals;
	return python->n_evals;
}
