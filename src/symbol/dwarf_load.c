/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <errno.h>

#include "base/vec.h"
#include "symbol/dwarf_private.h"

#define LIBELF "libelf.so.1"
#define LIBDW "libdw.so.1"

/* Looks `name` up, into the pointer at `into`; ISO C has no cast from void * to a function. */
static bool look_up(void *handle, const char *name, void *into)
{
	void *found = dlsym(handle, name);

	memcpy(into, &found, sizeof(found));
	return found;
}

static bool look_up_all(struct dwarf_library *library)
{
	const struct {
		void *handle;
		const char *name;
		void *into;
	} wanted[] = {
		{library->elf_handle, "elf_version", &library->elf_version},
		{library->elf_handle, "elf_begin", &library->elf_begin},
		{library->elf_handle, "elf_end", &library->elf_end},
		{library->dw_handle, "dwarf_begin_elf", &library->dwarf_begin_elf},
		{library->dw_handle, "dwarf_end", &library->dwarf_end},
		{library->dw_handle, "dwarf_setalt", &library->dwarf_setalt},
		{library->dw_handle, "dwarf_get_units", &library->dwarf_get_units},
		{library->dw_handle, "dwarf_ranges", &library->dwarf_ranges},
		{library->dw_handle, "dwarf_getsrc_die", &library->dwarf_getsrc_die},
		{library->dw_handle, "dwarf_linesrc", &library->dwarf_linesrc},
		{library->dw_handle, "dwarf_lineno", &library->dwarf_lineno},
		{library->dw_handle, "dwarf_getsrcfiles", &library->dwarf_getsrcfiles},
		{library->dw_handle, "dwarf_filesrc", &library->dwarf_filesrc},
		{library->dw_handle, "dwarf_attr", &library->dwarf_attr},
		{library->dw_handle, "dwarf_attr_integrate", &library->dwarf_attr_integrate},
		{library->dw_handle, "dwarf_formstring", &library->dwarf_formstring},
		{library->dw_handle, "dwarf_formudata", &library->dwarf_formudata},
		{library->dw_handle, "dwarf_child", &library->dwarf_child},
		{library->dw_handle, "dwarf_siblingof", &library->dwarf_siblingof},
		{library->dw_handle, "dwarf_haspc", &library->dwarf_haspc},
		{library->dw_handle, "dwarf_tag", &library->dwarf_tag},
	};

	for (size_t i = 0; i < array_len(wanted); i++)
		if (!look_up(wanted[i].handle, wanted[i].name, wanted[i].into))
			return false;
	return library->elf_version(EV_CURRENT) != EV_NONE;
}

int dwarf_load(struct dwarf_library **ret_library, struct err *err)
{
	struct dwarf_library *library = xcalloc(1, sizeof(*library));

	library->elf_handle = dlopen(LIBELF, RTLD_NOW | RTLD_LOCAL);
	library->dw_handle = library->elf_handle ? dlopen(LIBDW, RTLD_NOW | RTLD_LOCAL) : NULL;
	if (!library->dw_handle || !look_up_all(library)) {
		dwarf_unload(library);
		return err_set(err, -ENOENT,
			       "no %s of elfutils 0.170 or newer: install it for lines and inlined "
			       "functions",
			       LIBDW);
	}
	*ret_library = library;
	return 0;
}

void dwarf_unload(struct dwarf_library *library)
{
	if (!library)
		return;
	if (library->dw_handle)
		dlclose(library->dw_handle);
	if (library->elf_handle)
		dlclose(library->elf_handle);
	free(library);
}
