/* SPDX-License-Identifier: Apache-2.0 */
/* For files of this folder only. */
#ifndef UNWIND_UNWIND_PRIVATE_H
#define UNWIND_UNWIND_PRIVATE_H

#include "unwind/step.h"
#include "unwind/table.h"
#include "unwind/unwind.h"

#define SPACE_MAX_MODULES 8192
#define SPACE_MAX_OPEN 128		    /* files held open at the same time */
#define SPACE_MAX_INDEX_BYTES (48ull << 20) /* of all tables' indexes */
#define SPACE_ANSWERS 4096		    /* a power of two */
#define SPACE_CALLS 1024		    /* a power of two */

/* How much is looked at for the first time in one unwind_run(): about 20 ms at worst for usual files. */
#define RUN_MAX_LOADS 32
#define RUN_MAX_DECODED 1024

enum module_state { MODULE_NEW, MODULE_LOADED, MODULE_FAILED };

struct module {
	struct unwind_module public;
	struct mapping mapping; /* one that is executable; its path is ours */
	enum module_state state;
	struct table table;
	uint64_t used; /* number of the run that last needed the table */
};

/* Executable memory, rising, without overlap. */
struct range {
	raddr_t start, end;
	uint32_t module;
};

/* What was found for an address before. */
struct answer {
	uint64_t address; /* 0: none */
	uint32_t module;
	uint32_t rule;
};

/* Whether a call ends at an address, and what it names: searches ask for the same ones again and again. */
struct call {
	uint64_t address; /* 0: none */
	uint64_t target;
	bool is_call;
};

struct unwind_space {
	struct unwind_args args;
	struct module **modules;
	size_t n_modules, modules_cap;
	struct map64 module_ids; /* identity's hash -> module */
	struct range *ranges;
	size_t n_ranges, ranges_cap;
	struct rows rows;
	struct answer answers[SPACE_ANSWERS];
	struct call calls[SPACE_CALLS];
	uint64_t runs;
	uint32_t n_open;
	size_t index_bytes;
	uint32_t left_loads, left_decoded; /* of this run */
	raddr_t top;			   /* unwind_top() */
};

/* Load what the module needs; false: it has no table, or not in this run (then left_loads is 0). */
bool space_load(struct unwind_space *space, struct module *module);
/* The function around an address; NULL: nothing is known, or not in this run (left_decoded is 0). */
const struct function *space_function(struct unwind_space *space, uint32_t module,
				      uint64_t address);
/* The rule at an address: NULL with *ret_is_bad telling damaged from unknown. */
const struct cfi_rule *space_rule(struct unwind_space *space, uint32_t module, uint64_t address,
				  bool *ret_is_bad);
/* Bytes of code, from the file or, where there is none, from the process's memory. */
bool space_code(struct unwind_space *space, uint32_t module, uint64_t address, void *into,
		size_t len);

#endif
