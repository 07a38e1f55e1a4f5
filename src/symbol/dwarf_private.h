/* SPDX-License-Identifier: Apache-2.0 */
/* For files of this folder only: libdw as it was loaded. */
#ifndef SYMBOL_DWARF_PRIVATE_H
#define SYMBOL_DWARF_PRIVATE_H

#include <elfutils/libdw.h>

#include "symbol/dwarf.h"

/* The functions of libelf and libdw that are used, under their own names. */
struct dwarf_library {
	void *elf_handle, *dw_handle;
	__typeof__(elf_version) *elf_version;
	__typeof__(elf_begin) *elf_begin;
	__typeof__(elf_end) *elf_end;
	__typeof__(dwarf_begin_elf) *dwarf_begin_elf;
	__typeof__(dwarf_end) *dwarf_end;
	__typeof__(dwarf_setalt) *dwarf_setalt;
	__typeof__(dwarf_get_units) *dwarf_get_units;
	__typeof__(dwarf_ranges) *dwarf_ranges;
	__typeof__(dwarf_getsrc_die) *dwarf_getsrc_die;
	__typeof__(dwarf_linesrc) *dwarf_linesrc;
	__typeof__(dwarf_lineno) *dwarf_lineno;
	__typeof__(dwarf_getsrcfiles) *dwarf_getsrcfiles;
	__typeof__(dwarf_filesrc) *dwarf_filesrc;
	__typeof__(dwarf_attr) *dwarf_attr;
	__typeof__(dwarf_attr_integrate) *dwarf_attr_integrate;
	__typeof__(dwarf_formstring) *dwarf_formstring;
	__typeof__(dwarf_formudata) *dwarf_formudata;
	__typeof__(dwarf_child) *dwarf_child;
	__typeof__(dwarf_siblingof) *dwarf_siblingof;
	__typeof__(dwarf_haspc) *dwarf_haspc;
	__typeof__(dwarf_tag) *dwarf_tag;
};

#endif
