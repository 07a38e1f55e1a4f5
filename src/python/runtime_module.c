/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a mapped file says of the Python in it: symbols, sections, where its variables are, its version.
 *
 * The version: the symbol Py_Version (3.11+), else the text that Py_GetVersion() made, else the file's name.
 */
#include "base/vec.h"
#include "elf/elf.h"
#include "python/runtime_private.h"

#define SCAN_MAX_BYTES (64u << 20) /* of writable memory behind one file */

/* .bss is an anonymous mapping right behind the file's last one (or two). */
void module_find_writable(const struct maps *maps, struct module *module)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct mapping *mapping = &maps->items[i];
		bool is_ours = mapping_is_same_file(mapping, module->first);
		bool is_bss = !mapping->inode && !mapping->path[0] &&
			      mapping->start == module->writable_end;

		if (!(mapping->perms & MAPPING_WRITE) || (!is_ours && !is_bss))
			continue;
		if (!module->writable_start)
			module->writable_start = mapping->start;
		module->writable_end = mapping->end;
	}
	module->writable_end =
		min_of(module->writable_end, module->writable_start + SCAN_MAX_BYTES);
}

static void find_symbols(const struct elf *elf, uint64_t bias, struct module *module)
{
	enum { GET_VERSION };
	struct elf_symbol symbols[] = {
		[GET_VERSION] = {.name = "Py_GetVersion"},
		{.name = "_PyRuntime"},
		{.name = "Py_Version"},
		{.name = "interp_head"},
		{.name = "_PyThreadState_Current"},
		{.name = "interpreter_lock"},
		{.name = "gil_cond"},
		{.name = "gil_mutex"},
		{.name = "PyInterpreterState_Head"},
		{.name = "PyEval_ThreadsInitialized"},
		{.name = "_Py_next_func_version"},
	};
	raddr_t *const into[array_len(symbols)] = {
		NULL,
		&module->runtime,
		&module->version,
		&module->interp_head,
		&module->holder,
		&module->lock,
		&module->gil_cond,
		&module->gil_mutex,
		&module->head_function,
		&module->has_gil_function,
		&module->code_counter,
	};
	struct elf_range section;

	if (elf_symbols(elf, symbols, array_len(symbols)) < 0)
		for (size_t i = 0; i < array_len(symbols); i++)
			symbols[i].is_found = false;
	for (size_t i = 0; i < array_len(symbols); i++)
		if (into[i] && symbols[i].is_found)
			*into[i] = bias + symbols[i].range.vaddr;
	if (elf_section(elf, ".PyRuntime", &section) == 0)
		module->runtime = bias + section.vaddr;
	module->is_python = symbols[GET_VERSION].is_found || module->runtime;
}

int module_open(const struct python_args *args, struct module *module)
{
	struct elf *elf;
	uint64_t vaddr;
	int fd = args->open(args->ctx, module->first, NULL);

	if (fd < 0)
		return fd;
	int r = elf_open(fd, &elf, NULL);
	if (r < 0)
		return r;
	r = elf_vaddr(elf, module->first->offset, &vaddr);
	if (r == 0)
		find_symbols(elf, module->first->start - vaddr, module);
	elf_close(elf);
	return r;
}

struct version module_version(struct memory *memory, const struct module *module)
{
	struct version version = {0};
	uint64_t hex;

	if (module->version && memory_read_u64(memory, module->version, &hex) == 0 &&
	    hex >> 32 == 0)
		version = version_from_hex(hex);
	if (!version.minor && module->writable_start)
		version = version_from_memory(memory, module->writable_start, module->writable_end);
	if (!version.minor)
		version = version_from_path(module->first->path);
	return version;
}
