/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding _PyRuntime.
 *
 * In every mapped file, those named like Python first: the section .PyRuntime, then the symbol
 * _PyRuntime (.dynsym or .symtab).  Where neither is left (stripped of all), its place in the writable memory of
 * files named like Python is found by what it holds: the cookie of _Py_DebugOffsets, or a pointer to an
 * interpreter whose thread points back to it.  Whatever says "here it is" is believed only after that check.
 *
 * The version: _Py_DebugOffsets, else the symbol Py_Version (3.11+), else the text that Py_GetVersion() made,
 * else the file's name.
 */
#include <errno.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "elf/elf.h"
#include "python/python_private.h"
#include "python/version.h"

#define MAX_FILES 2048
#define ATTACH_MAX_READS (1u << 20)
#define ATTACH_MAX_BYTES (1ull << 30)
#define SCAN_MAX_BYTES (64u << 20) /* of writable memory behind one file */
#define SCAN_CHUNK_BYTES (256u << 10)
#define MAX_NEXT_ID (1u << 20) /* interpreters ever made */
#define MAX_TID (1u << 22)     /* the kernel's PID_MAX_LIMIT */

int runtime_check(struct memory *memory, const struct layout *layout, raddr_t addr)
{
	raddr_t interp, thread, back;
	int r = memory_read_u64(memory, addr + layout->rt_interpreters_head, &interp);

	if (r < 0)
		return r == -EFAULT ? ERR_CORRUPT : r;
	if (!interp)
		return ERR_TORN; /* zero-filled still, or no interpreter yet */
	if (interp & 7)
		return ERR_CORRUPT;
	r = memory_read_u64(memory, interp + layout->is_threads_head, &thread);
	if (r == 0 && !thread)
		return ERR_TORN;
	if (r == 0 && thread & 7)
		return ERR_CORRUPT;
	if (r == 0)
		r = memory_read_u64(memory, thread + layout->ts_interp, &back);
	if (r < 0)
		return r == -EFAULT ? ERR_CORRUPT : r;
	return back == interp ? 0 : ERR_CORRUPT;
}

/* ---- one mapped file ---- */

struct module {
	const struct mapping *first;	      /* the lowest mapping of the file */
	raddr_t writable_start, writable_end; /* .data and .bss; 0: none */
	raddr_t runtime, version;	      /* addresses, 0: not found */
	bool is_python; /* has Py_GetVersion: a Python, whatever its version */
};

struct search {
	const struct python_args *args;
	struct runtime *found;
	struct err *err;
	size_t n_files;
	int reason; /* why the best candidate failed, 0: there was none */
};

/* An interpreter or its library, not the extension modules, which are many. */
static bool is_named_python(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	return strncmp(name, "python", 6) == 0 || strncmp(name, "libpython", 9) == 0;
}

/* .bss is an anonymous mapping right behind the file's last one (or two). */
static void find_writable(const struct maps *maps, struct module *module)
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
}

static void find_symbols(const struct elf *elf, uint64_t bias, struct module *module)
{
	struct elf_symbol symbols[] = {
		{.name = "_PyRuntime"}, {.name = "Py_Version"}, {.name = "Py_GetVersion"}};
	struct elf_range section;

	if (elf_symbols(elf, symbols, array_len(symbols)) < 0)
		for (size_t i = 0; i < array_len(symbols); i++)
			symbols[i].is_found = false;
	if (elf_section(elf, ".PyRuntime", &section) == 0)
		module->runtime = bias + section.vaddr;
	else if (symbols[0].is_found)
		module->runtime = bias + symbols[0].range.vaddr;
	if (symbols[1].is_found)
		module->version = bias + symbols[1].range.vaddr;
	module->is_python = symbols[2].is_found || module->runtime;
}

static int open_module(const struct search *search, struct module *module)
{
	const struct python_args *args = search->args;
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

/* ---- a candidate's version and layout ---- */

static struct version module_version(struct memory *memory, const struct module *module)
{
	struct version version = {0};
	uint64_t hex;

	if (module->version && memory_read_u64(memory, module->version, &hex) == 0 &&
	    hex >> 32 == 0)
		version = version_from_hex(hex);
	if (!version.minor && module->writable_start)
		version = version_from_memory(
			memory, module->writable_start,
			min_of(module->writable_end, module->writable_start + SCAN_MAX_BYTES));
	if (!version.minor)
		version = version_from_path(module->first->path);
	return version;
}

static int unsupported(struct search *search, const struct version *version)
{
	return err_set(search->err, ERR_UNSUPPORTED, "Python %s is not supported (known: %s)",
		       version->minor ? version->text : "of an unknown version", layout_known());
}

/* Layout and version for a runtime at `addr`: 0, ERR_UNSUPPORTED, ERR_CORRUPT. */
static int choose_layout(struct search *search, const struct module *module, raddr_t addr,
			 struct runtime *runtime)
{
	struct memory *memory = search->args->memory;
	uint8_t block[DEBUG_OFFSETS_BYTES];
	struct version version;

	runtime->addr = addr;
	if (memory_read(memory, addr, block, sizeof(block)) == 0 &&
	    debug_offsets_is_block(block, sizeof(block))) {
		int r = debug_offsets_parse(block, sizeof(block), &runtime->layout, search->err);
		if (r < 0)
			return r;
		version = version_from_hex(debug_offsets_hexversion(block));
	} else {
		version = module_version(memory, module);
		const struct layout *layout =
			version.minor < 0x030d ? layout_find(version.minor) : NULL;
		/* 3.13+ without its block yet: the very first moments of a process. */
		if (version.minor >= 0x030d && layout_find(version.minor))
			return ERR_TORN;
		if (!layout)
			return unsupported(search, &version);
		runtime->layout = *layout;
	}
	memcpy(runtime->version, version.text, sizeof(runtime->version));
	return 0;
}

/* Keep the most telling reason: a Python that cannot be read, rather than no Python at all. */
static void note_reason(struct search *search, int r)
{
	if (r == -ESRCH || r == -EPERM || search->reason == 0 || r == ERR_UNSUPPORTED ||
	    (r == ERR_TORN && search->reason == ERR_CORRUPT))
		search->reason = r;
}

static bool try_runtime(struct search *search, const struct module *module, raddr_t addr)
{
	struct runtime runtime = {0};
	int r = choose_layout(search, module, addr, &runtime);

	if (r == 0)
		r = runtime_check(search->args->memory, &runtime.layout, addr);
	if (r < 0) {
		note_reason(search, r);
		return false;
	}
	*search->found = runtime;
	return true;
}

/* ---- without symbols ---- */

static bool is_writable_target(const struct maps *maps, raddr_t addr)
{
	const struct mapping *mapping = addr && !(addr & 7) ? maps_find(maps, addr) : NULL;

	return mapping && mapping->perms & MAPPING_WRITE;
}

/* In 3.8-3.12 `interpreters` is {lock, head, main, next_id}; two reads more tell whether it is. */
static bool is_interpreters(struct search *search, const uint8_t *head)
{
	const struct maps *maps = search->args->maps;

	return is_writable_target(maps, word_at(head, 0)) &&
	       is_writable_target(maps, word_at(head, 8)) && word_at(head, 16) >= 1 &&
	       word_at(head, 16) <= MAX_NEXT_ID;
}

/*
 * Rings of two (list heads of the collector) pass runtime_check() too.  A thread's id is the address of its struct
 * pthread, and from 3.11 on the kernel's number stands beside it.
 */
static bool is_thread(struct search *search, const struct layout *layout, raddr_t interp)
{
	struct memory *memory = search->args->memory;
	uint64_t thread, ident, tid = 1;

	if (memory_read_u64(memory, interp + layout->is_threads_head, &thread) < 0 ||
	    memory_read_u64(memory, thread + layout->ts_thread_id, &ident) < 0 ||
	    !is_writable_target(search->args->maps, ident))
		return false;
	if (layout->ts_native_thread_id != NO_FIELD &&
	    memory_read_u64(memory, thread + layout->ts_native_thread_id, &tid) < 0)
		return false;
	return tid >= 1 && tid <= MAX_TID;
}

static bool try_words(struct search *search, const struct module *module, raddr_t addr,
		      const uint8_t *bytes, size_t len, const struct layout *layout)
{
	for (size_t at = 0; at + 24 <= len; at += 8) {
		if (!layout) {
			if (memcmp(bytes + at, DEBUG_OFFSETS_COOKIE, 8) == 0 &&
			    try_runtime(search, module, addr + at))
				return true;
			continue;
		}
		raddr_t runtime = addr + at - layout->rt_interpreters_head;
		if (is_interpreters(search, bytes + at) &&
		    runtime_check(search->args->memory, layout, runtime) == 0 &&
		    is_thread(search, layout, word_at(bytes, at)) &&
		    try_runtime(search, module, runtime))
			return true;
	}
	return false;
}

static bool scan_writable(struct search *search, const struct module *module)
{
	struct version version = module_version(search->args->memory, module);
	/* From 3.13 on the cookie is looked for instead. */
	const struct layout *layout = version.minor < 0x030d ? layout_find(version.minor) : NULL;
	raddr_t end = min_of(module->writable_end, module->writable_start + SCAN_MAX_BYTES);
	cleanup_free uint8_t *chunk = xcalloc(SCAN_CHUNK_BYTES, 1);

	if (version.minor && !layout_find(version.minor)) {
		note_reason(search, unsupported(search, &version));
		return false;
	}
	for (raddr_t at = module->writable_start; at < end; at += SCAN_CHUNK_BYTES - 24) {
		size_t len = (size_t)min_of(end - at, SCAN_CHUNK_BYTES);

		if (memory_read(search->args->memory, at, chunk, len) == 0 &&
		    try_words(search, module, at, chunk, len, layout))
			return true;
	}
	return false;
}

/* ---- all files ---- */

static bool is_first_of_file(const struct maps *maps, size_t i)
{
	/* Mappings of one file stand together, but for what lies between them anonymously. */
	for (size_t k = i; k-- > 0 && i - k < 16;)
		if (mapping_is_same_file(&maps->items[k], &maps->items[i]))
			return false;
	return true;
}

static bool try_file(struct search *search, const struct mapping *mapping, bool is_scan)
{
	struct module module = {.first = mapping};
	int r = open_module(search, &module);

	if (is_scan) {
		find_writable(search->args->maps, &module);
		return module.writable_start && scan_writable(search, &module);
	}
	search->n_files++;
	if (r < 0 || !module.is_python)
		return false;
	find_writable(search->args->maps, &module);
	if (module.runtime)
		return try_runtime(search, &module, module.runtime);
	/* Older than 3.7, and that is what will be said. */
	struct version version = module_version(search->args->memory, &module);
	if (version.minor && !layout_find(version.minor))
		note_reason(search, unsupported(search, &version));
	return false;
}

static bool try_files(struct search *search, bool is_named, bool is_scan)
{
	const struct maps *maps = search->args->maps;

	for (size_t i = 0; i < maps->n && search->n_files < MAX_FILES; i++) {
		const struct mapping *mapping = &maps->items[i];

		if (mapping_is_file(mapping) && is_named_python(mapping->path) == is_named &&
		    is_first_of_file(maps, i) && try_file(search, mapping, is_scan))
			return true;
	}
	return false;
}

static int explain(const struct search *search)
{
	switch (search->reason) {
	case 0:
		return err_set(search->err, ERR_NOT_PYTHON,
			       "not a Python process: looked for _PyRuntime in %zu mapped files",
			       search->n_files);
	case ERR_TORN:
		return err_set(search->err, ERR_TORN, "Python is still starting: try again");
	case ERR_CORRUPT:
	case ERR_UNSUPPORTED:
		if (search->err && search->err->code == search->reason)
			return search->reason;
		return err_set(search->err,
			       search->reason == ERR_CORRUPT ? ERR_NOT_PYTHON : search->reason,
			       "what is named _PyRuntime holds no interpreter that we can read");
	default:
		return err_sys(search->err, search->reason, "cannot read the process");
	}
}

int runtime_find(const struct python_args *args, struct runtime *ret_runtime, struct err *err)
{
	struct err own = {0};
	struct search search = {.args = args, .found = ret_runtime, .err = err ? err : &own};

	memory_budget_set(args->memory, ATTACH_MAX_READS, ATTACH_MAX_BYTES);
	search.err->code = 0;
	if (try_files(&search, true, false) || try_files(&search, false, false))
		return 0;
	if ((search.reason == 0 || search.reason == ERR_CORRUPT) && try_files(&search, true, true))
		return 0;
	return explain(&search);
}
