/* SPDX-License-Identifier: Apache-2.0 */
/*
 * _Py_DebugOffsets of CPython 3.13 (Include/internal/pycore_runtime.h): at the start of _PyRuntime the cookie,
 * the version, the flag of free-threaded builds, then groups of 64-bit words, each group beginning with the
 * size of the struct that its offsets are of.
 */
#include <string.h>

#include "python/layout.h"

/* Sizes a struct may claim: generous to what 3.13 has, far below what could make an offset dangerous. */
#define STRUCT_MAX_BYTES (1u << 20)
#define FIELD_MAX 60000u /* fits the row's 16 bits below NO_FIELD */

enum width { WIDTH_16, WIDTH_32 };

struct field {
	const char *name; /* as CPython calls it */
	uint16_t at;	  /* in the block */
	uint16_t size_at; /* where the block says how large the struct is */
	uint8_t bytes;	  /* of the field itself; it is aligned to that */
	uint8_t width;	  /* of the row's member */
	uint16_t member;  /* of struct layout */
};

#define FIELD32(name, at, size_at, bytes, member)                                                  \
	{                                                                                          \
		name, at, size_at, bytes, WIDTH_32, offsetof(struct layout, member)                \
	}
#define FIELD16(name, at, size_at, bytes, member)                                                  \
	{                                                                                          \
		name, at, size_at, bytes, WIDTH_16, offsetof(struct layout, member)                \
	}

static const struct field fields[] = {
	FIELD32("runtime_state.interpreters_head", 40, 24, 8, rt_interpreters_head),
	FIELD32("interpreter_state.next", 64, 48, 8, is_next),
	FIELD32("interpreter_state.threads_head", 72, 48, 8, is_threads_head),
	FIELD32("interpreter_state.imports_modules", 88, 48, 8, is_modules),
	FIELD32("interpreter_state.ceval_gil", 112, 48, 8, is_gil),
	FIELD16("thread_state.next", 168, 152, 8, ts_next),
	FIELD16("thread_state.interp", 176, 152, 8, ts_interp),
	FIELD16("thread_state.current_frame", 184, 152, 8, ts_frame),
	FIELD16("thread_state.thread_id", 192, 152, 8, ts_thread_id),
	FIELD16("thread_state.native_thread_id", 200, 152, 8, ts_native_thread_id),
	FIELD16("thread_state.datastack_chunk", 208, 152, 8, ts_stack_chunk),
	FIELD16("interpreter_frame.previous", 232, 224, 8, frame_previous),
	FIELD16("interpreter_frame.executable", 240, 224, 8, frame_code),
	FIELD16("interpreter_frame.instr_ptr", 248, 224, 8, frame_instr),
	FIELD16("interpreter_frame.localsplus", 256, 224, 8, frame_locals),
	FIELD16("interpreter_frame.owner", 264, 224, 1, frame_owner),
	FIELD16("code_object.filename", 280, 272, 8, co_filename),
	FIELD16("code_object.name", 288, 272, 8, co_name),
	FIELD16("code_object.qualname", 296, 272, 8, co_qualname),
	FIELD16("code_object.linetable", 304, 272, 8, co_linetable),
	FIELD16("code_object.firstlineno", 312, 272, 4, co_firstlineno),
	FIELD16("code_object.co_code_adaptive", 344, 272, 2, co_code),
	FIELD16("dict_object.ma_keys", 456, 448, 8, dict_keys),
	FIELD16("dict_object.ma_values", 464, 448, 8, dict_values),
	FIELD16("bytes_object.ob_size", 520, 512, 8, bytes_size),
	FIELD16("bytes_object.ob_sval", 528, 512, 1, bytes_data),
	FIELD16("unicode_object.state", 544, 536, 4, str_state),
	FIELD16("unicode_object.length", 552, 536, 8, str_length),
};

static uint64_t word(const uint8_t *block, size_t at)
{
	uint64_t value;

	memcpy(&value, block + at, sizeof(value));
	return value;
}

bool debug_offsets_is_block(const uint8_t *block, size_t len)
{
	return len >= DEBUG_OFFSETS_BYTES && memcmp(block, DEBUG_OFFSETS_COOKIE, 8) == 0;
}

uint64_t debug_offsets_hexversion(const uint8_t *block)
{
	return word(block, 8);
}

static int take_field(const struct field *field, const uint8_t *block, struct layout *layout,
		      struct err *err)
{
	uint64_t size = word(block, field->size_at);
	uint64_t value = word(block, field->at);

	/* The flexible array at a struct's end (co_code_adaptive, ob_sval) may begin at its very size. */
	if (size > STRUCT_MAX_BYTES || value > size || value % field->bytes != 0 ||
	    (field->width == WIDTH_16 && value > FIELD_MAX))
		return err_set(err, ERR_CORRUPT,
			       "_Py_DebugOffsets: %s is %llu in a struct of %llu bytes",
			       field->name, (unsigned long long)value, (unsigned long long)size);
	if (field->width == WIDTH_32) {
		uint32_t narrow = (uint32_t)value;
		memcpy((char *)layout + field->member, &narrow, sizeof(narrow));
	} else {
		uint16_t narrow = (uint16_t)value;
		memcpy((char *)layout + field->member, &narrow, sizeof(narrow));
	}
	return 0;
}

/* Offsets in the interpreter's own _gil, from which the GIL struct's fields follow. */
static int take_gil(const uint8_t *block, struct layout *layout, struct err *err)
{
	uint64_t gil = word(block, 120);
	uint64_t locked = word(block, 136) - gil;
	uint64_t holder = word(block, 144) - gil;

	/* One span of 16 bytes brings both. */
	if (locked < holder + 8 || locked > holder + 12 || holder > layout->gil_size ||
	    locked % 4 || holder % 8)
		return err_set(err, ERR_CORRUPT,
			       "_Py_DebugOffsets: the GIL's holder is at %llu and its lock at %llu",
			       (unsigned long long)holder, (unsigned long long)locked);
	layout->gil_locked = (uint16_t)locked;
	layout->gil_last_holder = (uint16_t)holder;
	return 0;
}

/* Two fields that share bytes cannot both be true. */
static int check_distinct(const struct layout *layout, struct err *err)
{
	const uint16_t words[] = {layout->ts_next,	  layout->ts_interp,
				  layout->ts_frame,	  layout->ts_thread_id,
				  layout->ts_stack_chunk, layout->ts_native_thread_id};

	for (size_t i = 0; i < array_len(words); i++)
		for (size_t k = 0; k < i; k++)
			if (words[i] == words[k])
				return err_set(err, ERR_CORRUPT,
					       "_Py_DebugOffsets: two fields of thread_state at %u",
					       words[i]);
	return 0;
}

int debug_offsets_parse(const uint8_t *block, size_t len, struct layout *ret_layout,
			struct err *err)
{
	if (!debug_offsets_is_block(block, len))
		return err_set(err, ERR_CORRUPT, "no _Py_DebugOffsets");
	uint64_t version = debug_offsets_hexversion(block);
	const struct layout *ground = version >> 32 ? NULL : layout_find((uint16_t)(version >> 16));
	if (!ground)
		return err_set(err, ERR_UNSUPPORTED, "Python %llu.%llu is not known (known: %s)",
			       (unsigned long long)(version >> 24),
			       (unsigned long long)(version >> 16 & 0xff), layout_known());
	if (word(block, 16))
		return err_set(err, ERR_UNSUPPORTED,
			       "free-threaded Python %llu.%llu is not supported yet",
			       (unsigned long long)(version >> 24),
			       (unsigned long long)(version >> 16 & 0xff));
	struct layout layout = *ground;
	for (size_t i = 0; i < array_len(fields); i++) {
		int r = take_field(&fields[i], block, &layout, err);
		if (r < 0)
			return r;
	}
	int r = take_gil(block, &layout, err);
	if (r < 0)
		return r;
	r = check_distinct(&layout, err);
	if (r < 0)
		return r;
	/* Not in the block of 3.13: the row's holds while the struct has the row's size. */
	if (word(block, 48) != ground->is_size)
		layout.is_code_generation = NO_FIELD;
	layout.ts_stack_top = (uint16_t)(layout.ts_stack_chunk + 8); /* declared right behind it */
	layout.str_ascii_data = (uint16_t)word(block, 560);
	layout.str_compact_data = (uint16_t)(layout.str_ascii_data + 16); /* utf8 and its length */
	if (layout.str_ascii_data < 24 || layout.str_ascii_data > 128)
		return err_set(err, ERR_CORRUPT,
			       "_Py_DebugOffsets: unicode_object.asciiobject_size");
	*ret_layout = layout;
	return 0;
}
