/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The code cache: from (code object, instruction) to frame ids.  For files of this folder only.
 *
 * A code object lives at an address; when it dies another may come to live there, with its strings at the
 * same addresses again (allocators hand out what was freed last).  So an entry carries *proofs*: spans of
 * target memory with the bytes that they held when the entry was decoded.  A reader of stacks reads the
 * proofs of the entries it expects together with the frames, and takes an entry only if all are equal:
 *   - the identity part of the code object (first line, pointers to its names and tables, its version), and
 *   - where a version does not number its code objects (before 3.12), length, hash and first characters of
 *     its name, file name and qualified name.
 * From 3.13 on an interpreter counts its code objects (layout.h: is_code_generation), 3.12 does for all of them (in
 * _Py_next_func_version, a variable that has to be found by its symbol), and reading the count
 * after the stack replaces reading the proofs: while it is what it was when an entry was proven, no address
 * has got another code object.
 *
 * Decoding (text, line table) needs several reads, once per code object; interning waits until code_frame().
 * Limits: PYTHON_MAX_CODES entries, PYTHON_MAX_TABLES bytes of tables; past them the cache starts anew, and
 * `epoch` changes: ids from before are void.
 */
#ifndef PYTHON_CODE_H
#define PYTHON_CODE_H

#include "base/map.h"
#include "python/layout.h"
#include "python/python.h"

#define CODE_MAX_PROOFS 4
#define CODE_PROOF_MAX_BYTES 160
#define CODE_MAX_COPIES 64 /* of its bytecode, remembered; more threads that share it cost reads */
#define CODE_MAX_BYTES (1u << 24) /* of bytecode: an instruction beyond is not one */
#define CODE_NONE UINT32_MAX

struct proof {
	raddr_t addr;
	uint16_t len;
	uint8_t bytes[CODE_PROOF_MAX_BYTES];
};

/* In free-threaded 3.14+ each thread runs a copy of its own of the bytecode. */
struct code_copy {
	int32_t index;
	raddr_t instructions;
};

struct code {
	raddr_t addr;
	raddr_t instructions; /* where the bytecode starts; 0: frames have offsets (<= 3.10) */
	uint32_t n_bytes;     /* of bytecode */
	struct code_copy *copies;
	uint32_t n_copies, copies_epoch; /* see code_cache */
	uint32_t first_line;
	bool is_generator; /* known up to 3.10 */
	struct proof *proofs;
	uint32_t n_proofs;
	/* When it was last proven the interpreter `interp` had counted so many code objects; 0: never. */
	raddr_t interp;
	uint32_t count;
	char *texts[3]; /* name, file, qualname until interned; NULL afterwards */
	struct str_id name, file, qualname;
	bool is_interned;
	/*
	 * 3.12+ puts a frame of its own below an __init__() that it calls without C (_Py_InitCleanup): function,
	 * qualified name and file are "__init__", and tracebacks leave it out.
	 */
	bool is_trampoline;
	uint8_t *table;
	uint32_t table_len;
};

struct code_cache {
	struct names *names;
	const struct layout *layout;
	raddr_t type; /* PyCode_Type, learnt from the first code object; 0: not yet */
	struct code *codes;
	size_t n, cap;
	struct map64 by_addr; /* address -> newest entry */
	struct map64 frames;  /* entry << 32 | instruction offset + 2 -> frame id */
	size_t table_bytes;
	uint32_t epoch;
	uint32_t copies_epoch;	/* what is known of copies is void when a thread came or went */
	bool with_columns;	/* of frames */
	struct buf text, bytes; /* scratch */
	struct python_stats *stats;
};

void code_cache_init(struct code_cache *cache, struct names *names, const struct layout *layout,
		     struct python_stats *stats);
void code_cache_done(struct code_cache *cache);
/* To be called between units, never while entries of the cache are in use: starts anew when full. */
void code_cache_trim(struct code_cache *cache);

/* The newest entry of an address, CODE_NONE when there is none. */
uint32_t code_find(const struct code_cache *cache, raddr_t addr);
const struct code *code_get(const struct code_cache *cache, uint32_t id);

/*
 * The true entry for the code object that is at `addr` now: proves the known one, or decodes it anew.  Returns 0,
 * ERR_CORRUPT (no code object), ERR_TORN (changed while decoding), or as memory_read().
 */
int code_resolve(struct code_cache *cache, struct memory *memory, raddr_t addr,
		 uint32_t *ret_id) nodiscard;

/* The entry was found true while `interp` had counted `count` code objects. */
void code_stamp(struct code_cache *cache, uint32_t id, raddr_t interp, uint32_t count);

/*
 * The frame's instruction field as an offset in bytes.  `copy` is the frame's tlbc_index (0 where there is none); a copy
 * that was not met before costs three reads.  ERR_CORRUPT when the instruction does not lie in this code, or as
 * memory_read().
 */
int code_offset(struct code_cache *cache, struct memory *memory, uint32_t id, uint64_t instr,
		int32_t copy, int64_t *ret_offset) nodiscard;

/* The frame of an instruction; no reads. */
struct frame_id code_frame(struct code_cache *cache, uint32_t id, int64_t offset);

#endif
