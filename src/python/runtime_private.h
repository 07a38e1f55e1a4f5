/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that search for the runtime share (runtime*.c). */
#ifndef PYTHON_RUNTIME_PRIVATE_H
#define PYTHON_RUNTIME_PRIVATE_H

#include "python/python_private.h"
#include "python/version.h"

/* What one mapped file says of itself; addresses in the target, 0: not found. */
struct module {
	const struct mapping *first;	      /* the lowest mapping of the file */
	raddr_t writable_start, writable_end; /* .data and .bss; 0: none */
	raddr_t runtime;		      /* _PyRuntime */
	raddr_t version;		      /* Py_Version */
	raddr_t code_counter; /* 3.12: _Py_next_func_version, where symbols were left */
	bool is_python;	      /* has Py_GetVersion: a Python, whatever its version */
	bool is_named;	      /* its name begins with python or libpython */
	/* Before 3.7: */
	raddr_t interp_head, holder, lock, gil_cond, gil_mutex; /* variables */
	raddr_t head_function;					/* PyInterpreterState_Head() */
	raddr_t has_gil_function;				/* PyEval_ThreadsInitialized() */
};

struct search {
	const struct python_args *args;
	struct runtime *found;
	struct err *err;
	size_t n_files;
	int reason; /* why the best candidate failed, 0: there was none */
};

/* runtime_module.c: open the file and look for the names above.  Negative when it cannot be read as ELF. */
int module_open(const struct python_args *args, struct module *module);
void module_find_writable(const struct maps *maps, struct module *module);
struct version module_version(struct memory *memory, const struct module *module);

/* runtime.c: keep the most telling reason of all candidates. */
void search_note(struct search *search, int reason);
int search_unsupported(struct search *search, const struct version *version);
/* Is there an interpreter at `addr`?  Then it is what was searched for. */
bool search_try(struct search *search, const struct module *module, raddr_t addr);

/* runtime_scan.c: what search_try() is to be asked, found in the module's writable memory. */
bool search_scan(struct search *search, const struct module *module);
/* Is there a thread of this interpreter, with an id that a thread can have? */
bool search_is_thread(struct search *search, const struct layout *layout, raddr_t interp);
bool search_is_writable(const struct maps *maps, raddr_t addr);

/* runtime_old.c: 2.7 and 3.6, with whatever symbols there are. */
bool search_try_old(struct search *search, const struct module *module,
		    const struct version *version);
/* Without: `addr` holds what interp_head would. */
bool search_try_old_at(struct search *search, const struct module *module,
		       const struct version *version, raddr_t addr);

#endif
