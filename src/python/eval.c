/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the evaluation function lies.
 *
 * Its symbol is exported by every build (extensions may call it), so it is found in stripped files, too.  2.7 has
 * one function; from 3.6 on PyEval_EvalFrameEx() only calls what PEP 523 lets others replace.
 */
#include <stdlib.h>

#include "base/vec.h"
#include "elf/elf.h"
#include "python/python_private.h"

#define SINCE_DEFAULT 0x0306 /* _PyEval_EvalFrameDefault */

static void add_range(struct python *python, raddr_t start, uint64_t size)
{
	if (python->n_evals == PYTHON_MAX_EVAL_RANGES || size == 0)
		return;
	python->evals[python->n_evals++] =
		(struct python_eval_range){.start = start, .end = start + size};
}

static void find_in(struct python *python, const struct elf *elf, uint64_t bias)
{
	struct elf_symbol symbols[] = {
		{.name = python->layout.version < SINCE_DEFAULT ? "PyEval_EvalFrameEx"
								: "_PyEval_EvalFrameDefault"},
	};

	if (elf_symbols(elf, symbols, array_len(symbols)) < 1)
		return;
	add_range(python, bias + symbols[0].range.vaddr, symbols[0].range.size);
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
		find_in(python, elf, runtime->file->start - vaddr);
	elf_close(elf);
}

size_t python_eval_ranges(const struct python *python, const struct python_eval_range **ret_ranges)
{
	*ret_ranges = python->evals;
	return python->n_evals;
}
