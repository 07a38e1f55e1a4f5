/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints one row of src/python/gen/layouts.h: compiled by tools/layouts against one interpreter's headers,
 * the internal ones included, and run.  Fields as in struct layout (src/python/layout.h).  MICRO_FROM, which it
 * defines, is the first patch level that the row is true for.  With Py_GIL_DISABLED defined it is the row of the
 * free-threaded build (3.13+), whose headers are the same.
 */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <frameobject.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#if PY_MAJOR_VERSION == 2
#include <classobject.h>
#elif PY_VERSION_HEX >= 0x03080000
#include <internal/pycore_pystate.h>
#elif PY_VERSION_HEX >= 0x03070000
#include <internal/pystate.h>
#endif
#if PY_VERSION_HEX >= 0x03090000
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#endif
#if PY_VERSION_HEX >= 0x030b0000
#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_object.h>
#if PY_VERSION_HEX >= 0x030e0000
#include <internal/pycore_interpframe.h>
#endif
#else
/* Objects/dict-common.h, the same in 3.6-3.10, is not installed. */
struct _dictkeysobject {
	Py_ssize_t dk_refcnt;
	Py_ssize_t dk_size;
	void *dk_lookup;
	Py_ssize_t dk_usable;
	Py_ssize_t dk_nentries;
	char dk_indices[];
};
#endif

#define NO_FIELD 0xffff
#define PRINT(name, value) printf("\t." #name " = %zu,\n", (size_t)(value))

#if PY_VERSION_HEX < 0x03070000
/*
 * Before there was a _PyRuntime: the variable interp_head stands for it, _PyThreadState_Current for the GIL.
 */
static void print_runtime(void)
{
	PRINT(rt_interpreters_head, 0);
	PRINT(is_next, offsetof(PyInterpreterState, next));
	PRINT(rt_gil, NO_FIELD);
	PRINT(is_gil, NO_FIELD);
	PRINT(is_size, NO_FIELD);
	PRINT(is_code_generation, NO_FIELD);
	PRINT(is_tlbc_generation, NO_FIELD);
	PRINT(is_threads_head, offsetof(PyInterpreterState, tstate_head));
	PRINT(is_modules, offsetof(PyInterpreterState, modules));
	PRINT(gil_size, sizeof(PyThreadState *));
	PRINT(gil_last_holder, 0);
	PRINT(gil_locked, NO_FIELD);
}
#else
static void print_runtime(void)
{
	PRINT(rt_interpreters_head, offsetof(_PyRuntimeState, interpreters.head));
	PRINT(is_next, offsetof(PyInterpreterState, next));
#if PY_VERSION_HEX >= 0x030c0000
	PRINT(rt_gil, NO_FIELD);
	PRINT(is_gil, offsetof(PyInterpreterState, ceval.gil));
#else
	PRINT(rt_gil, offsetof(_PyRuntimeState, ceval.gil));
	PRINT(is_gil, NO_FIELD);
#endif
#if PY_VERSION_HEX >= 0x030d0000 /* asked for nowhere else, and not the same in all releases of 3.9 */
	PRINT(is_size, sizeof(PyInterpreterState));
#else
	PRINT(is_size, NO_FIELD);
#endif
#if PY_VERSION_HEX >= 0x030e0000
	PRINT(is_code_generation, offsetof(PyInterpreterState, _code_object_generation));
#elif PY_VERSION_HEX >= 0x030d0000 /* 3.12 has the field and does not use it */
	PRINT(is_code_generation, offsetof(PyInterpreterState, func_state.next_version));
#else
	PRINT(is_code_generation, NO_FIELD);
#endif
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030e0000
	PRINT(is_tlbc_generation, offsetof(PyInterpreterState, tlbc_indices.tlbc_generation));
#else
	PRINT(is_tlbc_generation, NO_FIELD);
#endif
#if PY_VERSION_HEX >= 0x030b0000
	PRINT(is_threads_head, offsetof(PyInterpreterState, threads.head));
#else
	PRINT(is_threads_head, offsetof(PyInterpreterState, tstate_head));
#endif
#if PY_VERSION_HEX >= 0x030c0000
	PRINT(is_modules, offsetof(PyInterpreterState, imports.modules));
#else
	PRINT(is_modules, offsetof(PyInterpreterState, modules));
#endif
	PRINT(gil_size, sizeof(struct _gil_runtime_state));
	PRINT(gil_last_holder, offsetof(struct _gil_runtime_state, last_holder));
	PRINT(gil_locked, offsetof(struct _gil_runtime_state, locked));
}
#endif

static void print_thread(void)
{
	PRINT(ts_next, offsetof(PyThreadState, next));
	PRINT(ts_interp, offsetof(PyThreadState, interp));
	PRINT(ts_thread_id, offsetof(PyThreadState, thread_id));
#if PY_VERSION_HEX >= 0x030d0000
	PRINT(ts_frame, offsetof(PyThreadState, current_frame));
	PRINT(ts_cframe, NO_FIELD);
#elif PY_VERSION_HEX >= 0x030b0000
	PRINT(ts_frame, NO_FIELD);
	PRINT(ts_cframe, offsetof(PyThreadState, cframe));
#else
	PRINT(ts_frame, offsetof(PyThreadState, frame));
	PRINT(ts_cframe, NO_FIELD);
#endif
#if PY_VERSION_HEX >= 0x030b0000
	PRINT(ts_native_thread_id, offsetof(PyThreadState, native_thread_id));
	PRINT(ts_stack_chunk, offsetof(PyThreadState, datastack_chunk));
	PRINT(ts_stack_top, offsetof(PyThreadState, datastack_top));
#else
	PRINT(ts_native_thread_id, NO_FIELD);
	PRINT(ts_stack_chunk, NO_FIELD);
	PRINT(ts_stack_top, NO_FIELD);
#endif
#ifdef Py_GIL_DISABLED
	PRINT(ts_status, offsetof(PyThreadState, _status));
	PRINT(ts_state, offsetof(PyThreadState, state));
#else
	PRINT(ts_status, NO_FIELD);
	PRINT(ts_state, NO_FIELD);
#endif
#if PY_VERSION_HEX >= 0x030f0000
	PRINT(ts_base_frame, offsetof(PyThreadState, base_frame));
#else
	PRINT(ts_base_frame, NO_FIELD);
#endif
#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030d0000
	PRINT(cframe_size, sizeof(_PyCFrame));
	PRINT(cframe_current, offsetof(_PyCFrame, current_frame));
	PRINT(cframe_previous, offsetof(_PyCFrame, previous));
#else
	PRINT(cframe_size, NO_FIELD);
	PRINT(cframe_current, NO_FIELD);
	PRINT(cframe_previous, NO_FIELD);
#endif
}

#if PY_VERSION_HEX >= 0x030b0000
static void print_frame(void)
{
	PRINT(frame_previous, offsetof(_PyInterpreterFrame, previous));
#if PY_VERSION_HEX >= 0x030d0000
	PRINT(frame_code, offsetof(_PyInterpreterFrame, f_executable));
	PRINT(frame_instr, offsetof(_PyInterpreterFrame, instr_ptr));
#else
	PRINT(frame_code, offsetof(_PyInterpreterFrame, f_code));
	PRINT(frame_instr, offsetof(_PyInterpreterFrame, prev_instr));
#endif
	PRINT(frame_owner, offsetof(_PyInterpreterFrame, owner));
#if PY_VERSION_HEX < 0x030c0000
	PRINT(frame_is_entry, offsetof(_PyInterpreterFrame, is_entry));
#else
	PRINT(frame_is_entry, NO_FIELD);
#endif
	PRINT(frame_locals, offsetof(_PyInterpreterFrame, localsplus));
	PRINT(frame_code_tag, PY_VERSION_HEX >= 0x030e0000 ? 3 : 0); /* Py_TAG_BITS */
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030e0000
	PRINT(frame_tlbc_index, offsetof(_PyInterpreterFrame, tlbc_index));
#else
	PRINT(frame_tlbc_index, NO_FIELD);
#endif
	PRINT(instr_unit, 0);
}
#else
static void print_frame(void)
{
	PRINT(frame_previous, offsetof(PyFrameObject, f_back));
	PRINT(frame_code, offsetof(PyFrameObject, f_code));
	PRINT(frame_instr, offsetof(PyFrameObject, f_lasti));
	PRINT(frame_owner, NO_FIELD);
	PRINT(frame_is_entry, NO_FIELD);
	PRINT(frame_locals, offsetof(PyFrameObject, f_localsplus));
	PRINT(frame_code_tag, 0);
	PRINT(frame_tlbc_index, NO_FIELD);
	PRINT(instr_unit, PY_VERSION_HEX >= 0x030a0000 ? 2 : 1);
}
#endif

static void print_code(void)
{
	PRINT(co_filename, offsetof(PyCodeObject, co_filename));
	PRINT(co_name, offsetof(PyCodeObject, co_name));
	PRINT(co_firstlineno, offsetof(PyCodeObject, co_firstlineno));
#if PY_VERSION_HEX >= 0x030b0000
	PRINT(co_qualname, offsetof(PyCodeObject, co_qualname));
	PRINT(co_code, offsetof(PyCodeObject, co_code_adaptive));
#else
	PRINT(co_qualname, NO_FIELD);
	PRINT(co_code, offsetof(PyCodeObject, co_code));
#endif
#if PY_VERSION_HEX >= 0x030c0000
	PRINT(co_version, offsetof(PyCodeObject, co_version));
#else
	PRINT(co_version, NO_FIELD);
#endif
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030e0000
	PRINT(co_tlbc, offsetof(PyCodeObject, co_tlbc));
#else
	PRINT(co_tlbc, NO_FIELD);
#endif
#if PY_VERSION_HEX >= 0x030a0000
	PRINT(co_linetable, offsetof(PyCodeObject, co_linetable));
#else
	PRINT(co_linetable, offsetof(PyCodeObject, co_lnotab));
#endif
}

#if PY_MAJOR_VERSION == 2
static void print_strings(void)
{
	PRINT(str_length, offsetof(PyStringObject, ob_size));
	PRINT(str_state, NO_FIELD);
	PRINT(str_kind_shift, NO_FIELD);
	PRINT(str_ascii_data, offsetof(PyStringObject, ob_sval));
	PRINT(str_compact_data, NO_FIELD);
	PRINT(bytes_size, offsetof(PyStringObject, ob_size));
	PRINT(bytes_data, offsetof(PyStringObject, ob_sval));
}

static void print_dicts(void)
{
	PRINT(instance_dict, offsetof(PyInstanceObject, in_dict));
	PRINT(type_cached_keys, NO_FIELD);
	PRINT(dict_table, offsetof(PyDictObject, ma_table));
	PRINT(dict_mask, offsetof(PyDictObject, ma_mask));
	PRINT(dict_keys, NO_FIELD);
	PRINT(dict_values, NO_FIELD);
	PRINT(keys_nentries, NO_FIELD);
	PRINT(keys_indices, NO_FIELD);
	PRINT(keys_log2_size, NO_FIELD);
	PRINT(keys_kind, NO_FIELD);
	PRINT(keys_size, NO_FIELD);
	PRINT(values_data, 0);
}
#else
/* Where a string's kind begins in its state word, behind what says how it is interned. */
static size_t kind_shift(void)
{
	PyASCIIObject str;
	unsigned int word, shift = 0;

	memset(&str.state, 0, sizeof(str.state));
	str.state.kind = 1;
	memcpy(&word, &str.state, sizeof(word));
	while (!(word >> shift & 1))
		shift++;
	return shift;
}

static void print_strings(void)
{
	PRINT(str_length, offsetof(PyASCIIObject, length));
	PRINT(str_state, offsetof(PyASCIIObject, state));
	PRINT(str_kind_shift, kind_shift());
	PRINT(str_ascii_data, sizeof(PyASCIIObject));
	PRINT(str_compact_data, sizeof(PyCompactUnicodeObject));
	PRINT(bytes_size, offsetof(PyVarObject, ob_size));
	PRINT(bytes_data, offsetof(PyBytesObject, ob_sval));
}

static void print_dicts(void)
{
	PRINT(instance_dict, NO_FIELD);
	PRINT(type_cached_keys, offsetof(PyHeapTypeObject, ht_cached_keys));
	PRINT(dict_table, NO_FIELD);
	PRINT(dict_mask, NO_FIELD);
	PRINT(dict_keys, offsetof(PyDictObject, ma_keys));
	PRINT(dict_values, offsetof(PyDictObject, ma_values));
	PRINT(keys_nentries, offsetof(struct _dictkeysobject, dk_nentries));
	PRINT(keys_indices, offsetof(struct _dictkeysobject, dk_indices));
#if PY_VERSION_HEX >= 0x030b0000
	PRINT(keys_log2_size, offsetof(struct _dictkeysobject, dk_log2_size));
	PRINT(keys_kind, offsetof(struct _dictkeysobject, dk_kind));
	PRINT(keys_size, NO_FIELD);
#else
	PRINT(keys_log2_size, NO_FIELD);
	PRINT(keys_kind, NO_FIELD);
	PRINT(keys_size, offsetof(struct _dictkeysobject, dk_size));
#endif
#if PY_VERSION_HEX >= 0x030b0000
	PRINT(values_data, offsetof(PyDictValues, values));
#else
	PRINT(values_data, 0);
#endif
}
#endif

static void print_objects(void)
{
	PRINT(object_bytes, sizeof(PyObject));
	PRINT(object_type, offsetof(PyObject, ob_type));
#ifdef MANAGED_DICT_OFFSET
	PRINT(object_dict_before, -MANAGED_DICT_OFFSET);
#elif PY_VERSION_HEX >= 0x030b0000
	PRINT(object_dict_before, 24); /* without a name in 3.12 */
#else
	PRINT(object_dict_before, NO_FIELD);
#endif
	print_strings();
	PRINT(type_basicsize, offsetof(PyTypeObject, tp_basicsize));
	PRINT(type_dictoffset, offsetof(PyTypeObject, tp_dictoffset));
	print_dicts();
}

static void print_values(void)
{
	PRINT(type_name, offsetof(PyTypeObject, tp_name));
	PRINT(type_flags, offsetof(PyTypeObject, tp_flags));
	PRINT(type_base, offsetof(PyTypeObject, tp_base));
	PRINT(type_dict, offsetof(PyTypeObject, tp_dict));
	PRINT(list_items, offsetof(PyListObject, ob_item));
	PRINT(tuple_items, offsetof(PyTupleObject, ob_item));
	PRINT(set_used, offsetof(PySetObject, used));
	PRINT(set_mask, offsetof(PySetObject, mask));
	PRINT(set_table, offsetof(PySetObject, table));
	PRINT(set_key_at, offsetof(setentry, key));
#if PY_VERSION_HEX >= 0x03000000
	PRINT(bytearray_start, offsetof(PyByteArrayObject, ob_start));
	PRINT(exception_args, offsetof(PyBaseExceptionObject, args));
	PRINT(type_qualname, offsetof(PyHeapTypeObject, ht_qualname));
	PRINT(str_indirect, offsetof(PyUnicodeObject, data));
#else
	PRINT(bytearray_start, offsetof(PyByteArrayObject, ob_bytes));
	PRINT(exception_args, offsetof(PyBaseExceptionObject, args));
	PRINT(type_qualname, NO_FIELD);
	PRINT(str_indirect, NO_FIELD);
#endif
}

static void print_locals(void)
{
	PRINT(co_argcount, offsetof(PyCodeObject, co_argcount));
	PRINT(co_flags, offsetof(PyCodeObject, co_flags));
#if PY_VERSION_HEX >= 0x03000000
	PRINT(co_kwonlyargcount, offsetof(PyCodeObject, co_kwonlyargcount));
#else
	PRINT(co_kwonlyargcount, NO_FIELD);
#endif
	PRINT(co_nlocals, offsetof(PyCodeObject, co_nlocals));
#if PY_VERSION_HEX >= 0x030b0000
	PRINT(co_varnames, NO_FIELD);
	PRINT(co_cellvars, NO_FIELD);
	PRINT(co_freevars, NO_FIELD);
	PRINT(co_nlocalsplus, offsetof(PyCodeObject, co_nlocalsplus));
	PRINT(co_localsplusnames, offsetof(PyCodeObject, co_localsplusnames));
#else
	PRINT(co_varnames, offsetof(PyCodeObject, co_varnames));
	PRINT(co_cellvars, offsetof(PyCodeObject, co_cellvars));
	PRINT(co_freevars, offsetof(PyCodeObject, co_freevars));
	PRINT(co_nlocalsplus, NO_FIELD);
	PRINT(co_localsplusnames, NO_FIELD);
#endif
}

/* Before 3.7 it is a static variable that no struct leads to. */
static void print_collector(void)
{
#if PY_VERSION_HEX >= 0x03090000
	PRINT(rt_gc_collecting, NO_FIELD);
	PRINT(is_gc_collecting, offsetof(PyInterpreterState, gc.collecting));
#elif PY_VERSION_HEX >= 0x03070000
	PRINT(rt_gc_collecting, offsetof(_PyRuntimeState, gc.collecting));
	PRINT(is_gc_collecting, NO_FIELD);
#else
	PRINT(rt_gc_collecting, NO_FIELD);
	PRINT(is_gc_collecting, NO_FIELD);
#endif
#if PY_VERSION_HEX >= 0x030f0000
	PRINT(is_gc_frame, offsetof(PyInterpreterState, gc.frame));
#else
	PRINT(is_gc_frame, NO_FIELD);
#endif
}

int main(void)
{
	printf("{\n\t.version = 0x%04x,\n", PY_VERSION_HEX >> 16);
	PRINT(micro_from, MICRO_FROM);
#ifdef Py_GIL_DISABLED
	PRINT(is_free_threaded, 1);
#else
	PRINT(is_free_threaded, 0);
#endif
	printf("\t.chain = %s,\n", PY_VERSION_HEX >= 0x030c0000	  ? "CHAIN_SHIMS"
				   : PY_VERSION_HEX >= 0x030b0000 ? "CHAIN_ENTRIES"
								  : "CHAIN_OBJECTS");
	printf("\t.lines = %s,\n", PY_VERSION_HEX >= 0x030b0000	  ? "LINES_LOCATION"
				   : PY_VERSION_HEX >= 0x030a0000 ? "LINES_RANGES"
				   : PY_VERSION_HEX >= 0x03060000 ? "LINES_LNOTAB"
								  : "LINES_LNOTAB_UNSIGNED");
	printf("\t.ints = %s,\n", PY_VERSION_HEX >= 0x030c0000	 ? "INTS_TAGGED"
				  : PY_VERSION_HEX >= 0x03000000 ? "INTS_DIGITS"
								 : "INTS_WORD");
	printf("\t.instance = %s,\n", PY_VERSION_HEX >= 0x030d0000   ? "INSTANCE_INLINE"
				      : PY_VERSION_HEX >= 0x030c0000 ? "INSTANCE_TAGGED"
				      : PY_VERSION_HEX >= 0x030b0000 ? "INSTANCE_VALUES_OR_DICT"
								     : "INSTANCE_DICT_AT_OFFSET");
	print_runtime();
	print_thread();
	print_frame();
	print_code();
	print_objects();
	print_values();
	print_locals();
	print_collector();
	printf("},\n");
	return 0;
}
