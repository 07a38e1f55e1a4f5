/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where CPython's structs keep what we read, per version.  For files of this folder only.
 *
 * Offsets in bytes, 64-bit builds, with a row of its own for builds without a GIL.  Up to 3.12 a row of gen/layouts.h (made by tools/layouts from
 * an interpreter's own headers) is the whole truth: layouts are stable within a minor version (3.7.4 alone
 * changed one, and there are two rows of 3.7).
 * From 3.13 on the row is the ground on which the target's _Py_DebugOffsets are laid
 * (debug_offsets.c).  NO_FIELD stands for what a version does not have: readers ask for the field,
 * never for the version.
 */
#ifndef PYTHON_LAYOUT_H
#define PYTHON_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

#define NO_FIELD 0xffffu

/* How the frames of a thread hang together, and what ends a whole chain. */
enum layout_chain {
	CHAIN_OBJECTS, /* <= 3.10: PyFrameObjects, the last has no f_back */
	CHAIN_ENTRIES, /* 3.11: tstate->cframe->current_frame; the last is owned by the thread */
	CHAIN_SHIMS,   /* 3.12+: every entry from C pushes a shim (owner 3 or more); the last is one
			*/
};

enum layout_lines {
	LINES_LNOTAB_UNSIGNED, /* 2.7: (address delta, line delta) bytes, lines only grow */
	LINES_LNOTAB,	       /* 3.6-3.9: the same, the line delta signed */
	LINES_RANGES,	       /* 3.10: the same, each pair a range that ends at its address */
	LINES_LOCATION,	       /* 3.11+: PEP 657 location table */
};

/* The ints that threads are known by. */
enum layout_ints {
	INTS_WORD,   /* 2.7: a C long */
	INTS_DIGITS, /* <= 3.11: ob_size digits of 30 bits */
	INTS_TAGGED, /* 3.12+: lv_tag in its place, the number of digits above three bits */
};

/* Where an instance without __slots__ keeps its attributes. */
enum layout_instance {
	INSTANCE_DICT_AT_OFFSET, /* <= 3.10: a dict pointer at tp_dictoffset */
	INSTANCE_VALUES_OR_DICT, /* 3.11: values at -32, dict at -24 */
	INSTANCE_TAGGED,	 /* 3.12: at -24 a dict, or values when bit 0 is set */
	INSTANCE_INLINE,	 /* 3.13+: a dict in front of it, else values behind the object */
};

struct layout {
	uint16_t version;   /* 0x030b for 3.11 */
	uint8_t micro_from; /* the patch level that the row begins with */
	bool is_free_threaded;
	uint8_t chain, lines, instance, ints;
	uint8_t instr_unit; /* what one step of the frame's instruction field is worth: 1 a byte
			       offset, 2 an offset in code units, 0 a pointer into the code */
	/*
	 * Before 3.7 the runtime is the variable interp_head.  rt_gil and is_gil: the GIL belongs to the runtime
	 * (3.7-3.11) or to each interpreter (3.12+); before 3.7 it is a place of its own (struct runtime).
	 */
	uint32_t rt_interpreters_head, rt_gil;
	uint32_t is_next, is_threads_head, is_modules, is_gil;
	/*
	 * A 32-bit count in the interpreter that moves whenever a code object comes to be (3.13: the number of
	 * the next one) or goes (3.14+), so that while it stands still no address has got another code object.
	 */
	uint32_t is_size, is_code_generation;
	uint32_t
		is_tlbc_generation; /* 32 bits that move when a thread gets or gives back its tlbc_index */
	/* Before 3.7 there is no gil_locked: the holder is NULL while the GIL is free. */
	uint16_t gil_size, gil_last_holder, gil_locked;
	uint16_t ts_next, ts_interp, ts_frame, ts_cframe, ts_thread_id, ts_native_thread_id;
	uint16_t ts_stack_chunk, ts_stack_top;
	uint16_t ts_status,
		ts_state;	/* free-threaded: the int ts_state says whether it is attached */
	uint16_t ts_base_frame; /* 3.15+: a pointer to the shim that ends every chain */
	uint16_t cframe_size, cframe_current, cframe_previous;
	uint16_t frame_previous, frame_code, frame_instr, frame_owner, frame_is_entry, frame_locals;
	uint16_t
		frame_code_tag; /* bits of the pointer to the code that are none of it (_PyStackRef) */
	/*
	 * Free-threaded 3.14+: each thread specialises a copy of the bytecode of its own, which the frame's
	 * instruction points into.  co_tlbc is a pointer to their number and addresses, frame_tlbc_index says which.
	 */
	uint16_t frame_tlbc_index, co_tlbc;
	uint16_t co_filename, co_name, co_qualname, co_firstlineno, co_linetable, co_code;
	uint16_t co_version; /* numbers code objects uniquely while it lasts (then 0); 3.12+ */
	uint16_t object_bytes, object_type; /* of the head that every object begins with */
	uint16_t
		object_dict_before; /* 3.11+: so far in front of an instance is the pointer to its dict */
	/* 2.7: bytes in no known encoding, without str_state and str_compact_data. */
	uint16_t str_length, str_state, str_ascii_data, str_compact_data;
	uint16_t
		str_kind_shift; /* kind, compact and ascii are the bits from here on of str_state */
	uint16_t bytes_size, bytes_data;
	uint16_t type_basicsize, type_dictoffset, type_cached_keys;
	uint16_t instance_dict;		/* 2.7: of an instance of a class that has no base */
	uint16_t dict_table, dict_mask; /* 2.7: one table of slots, instead of: */
	uint16_t dict_keys, dict_values;
	uint16_t keys_log2_size, keys_size, keys_kind, keys_nentries, keys_indices;
	/* What values are made of; sizes of variable objects and plain C numbers follow the head. */
	uint16_t type_name, type_flags, type_base, type_dict, type_qualname;
	uint16_t list_items, tuple_items, bytearray_start, exception_args;
	uint16_t set_used, set_mask, set_table, set_key_at; /* set_key_at: in a slot of 16 bytes */
	uint16_t str_indirect; /* pointer to the characters of a str that is not compact */
	/* Locals: how many there are and their names; arguments come first.  Up to 3.10: */
	uint16_t co_argcount, co_kwonlyargcount, co_flags;
	uint16_t co_nlocals, co_varnames, co_cellvars, co_freevars;
	/* 3.11+: all of them in one list */
	uint16_t co_nlocalsplus, co_localsplusnames;
	/* The collector of garbage runs: an int in the runtime (3.7, 3.8) or the interpreter (3.9+). */
	uint32_t rt_gc_collecting, is_gc_collecting;
	uint32_t
		is_gc_frame; /* 3.15+: a pointer to the frame in which it began; NULL: it does not run */
	uint16_t values_data; /* from the start of an instance's values to the first */
};

/* The row of a minor version (the newest where there are several) with a GIL, or NULL. */
const struct layout *layout_find(uint16_t version);
/* The row of a patch level. */
const struct layout *layout_find_micro(uint16_t version, uint8_t micro);
/* The row of a build without a GIL. */
const struct layout *layout_find_free_threaded(uint16_t version);
/* "2.7, 3.6-3.15": what layout_find() knows, for messages. */
const char *layout_known(void);

/*
 * _Py_DebugOffsets of 3.13+: size to read, and its check.  `block` are the target's bytes; *layout
 * starts as the row of the version (the block's own; ERR_UNSUPPORTED when there is none, and for an
 * alpha or beta, whose block may have any shape) and gets every field that the block has.  ERR_CORRUPT
 * names a field that is out of its struct's size, unaligned or over its limit.
 */
#define DEBUG_OFFSETS_COOKIE "xdebugpy"
#define DEBUG_OFFSETS_BYTES                                                                        \
	888 /* 3.15; older ones are shorter, and followed by more of the runtime */

#define DEBUG_OFFSETS_HEAD_BYTES 24 /* cookie, version, flag */

bool debug_offsets_is_block(const uint8_t *head);
/* How long the block of the head's version is: at most DEBUG_OFFSETS_BYTES. */
size_t debug_offsets_bytes(const uint8_t *head);
uint64_t debug_offsets_hexversion(const uint8_t *block); /* as Py_Version: 0x030d00f0 */
int debug_offsets_parse(const uint8_t *block, size_t len, struct layout *ret_layout,
			struct err *err) nodiscard;

#endif
