/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding _PyRuntime.
 *
 * In every mapped file, those named like Python first: the section .PyRuntime, then the symbol _PyRuntime (.dynsym or
 * .symtab), then what there was before 3.7 (runtime_old.c).  Where none of them is left its place is found by what it
 * holds (runtime_scan.c).  Whatever says "here it is" is believed only when an interpreter is there whose thread points
 * back to it.
 */
#include <errno.h>

#include "base/vec.h"
#include "python/runtime_private.h"

#define MAX_FILES 2048
#define ATTACH_MAX_READS (1u << 20)
#define ATTACH_MAX_BYTES (1ull << 30)

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

/* ---- a candidate's version and layout ---- */

/* An interpreter or its library, not the extension modules, which are many. */
static bool is_named_python(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	return strncmp(name, "python", 6) == 0 || strncmp(name, "libpython", 9) == 0;
}

int search_unsupported(struct search *search, const struct version *version)
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
	if (memory_read(memory, addr, block, DEBUG_OFFSETS_HEAD_BYTES) == 0 &&
	    debug_offsets_is_block(block)) {
		size_t len = debug_offsets_bytes(block);
		int r = memory_read(memory, addr, block, len);
		if (r == 0)
			r = debug_offsets_parse(block, len, &runtime->layout, search->err);
		if (r < 0)
			return r == -EFAULT ? ERR_CORRUPT : r;
		version = version_from_hex(debug_offsets_hexversion(block));
	} else {
		version = module_version(memory, module);
		const struct layout *layout =
			version.minor < 0x030d ? layout_find_micro(version.minor, version.micro)
					       : NULL;
		/* 3.13+ without its block yet: the very first moments of a process. */
		if (version.minor >= 0x030d && layout_find(version.minor))
			return ERR_TORN;
		if (!layout)
			return search_unsupported(search, &version);
		runtime->layout = *layout;
		if (layout->co_version != NO_FIELD)
			runtime->code_counter = module->code_counter;
	}
	memcpy(runtime->version, version.text, sizeof(runtime->version));
	return 0;
}

/* Keep the most telling reason: a Python that cannot be read, rather than no Python at all. */
void search_note(struct search *search, int reason)
{
	if (reason == -ESRCH || reason == -EPERM || search->reason == 0 ||
	    reason == ERR_UNSUPPORTED || (reason == ERR_TORN && search->reason == ERR_CORRUPT))
		search->reason = reason;
}

bool search_try(struct search *search, const struct module *module, raddr_t addr)
{
	struct runtime runtime = {0};
	int r = choose_layout(search, module, addr, &runtime);

	if (r == 0)
		r = runtime_check(search->args->memory, &runtime.layout, addr);
	if (r < 0) {
		search_note(search, r);
		return false;
	}
	*search->found = runtime;
	return true;
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
	struct module module = {.first = mapping, .is_named = is_named_python(mapping->path)};
	int r = module_open(search->args, &module);

	if (is_scan) {
		module_find_writable(search->args->maps, &module);
		return module.writable_start && search_scan(search, &module);
	}
	search->n_files++;
	if (r < 0 || !module.is_python)
		return false;
	module_find_writable(search->args->maps, &module);
	if (module.runtime)
		return search_try(search, &module, module.runtime);
	struct version version = module_version(search->args->memory, &module);
	if (version.minor && !layout_find(version.minor))
		search_note(search, search_unsupported(search, &version));
	else if (version.minor && version.minor < 0x0307)
		return search_try_old(search, &module, &version);
	return false;
}

static bool try_files(struct search *search, bool is_named, bool is_scan)
{
	const struct maps *maps = search->args->maps;

	for (size_t i = 0; i < maps->n && search->n_files < MAX_FILES; i++) {
		const struct mapping *mapping = &maps->items[i];

		if (!mapping_is_file(mapping) || is_named_python(mapping->path) != is_named ||
		    !is_first_of_file(maps, i) || !try_file(search, mapping, is_scan))
			continue;
		search->found->file = mapping;
		search->found->is_scanned = is_scan;
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
		if (search->err->code == ERR_TORN)
			return ERR_TORN;
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
