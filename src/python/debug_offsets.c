/* SPDX-License-Identifier: Apache-2.0 */
/*
 * _Py_DebugOffsets of CPython 3.13+ (Include/internal/pycore_debug_offsets.h; 3.13: pycore_runtime.h): at the start
 * of _PyRuntime the cookie, the version, the flag of free-threaded builds, then groups of 64-bit words, each group
 * beginning with the size of the struct that its offsets are of.
 *
 * Every version so far has the words of the one before, in the same order, and some more in between: so one list
 * of words, each with the version that brought it, says where a word is in the block of any of them.
 */
#include <string.h>

#include "python/layout.h"

/* Sizes a struct may claim: generous to what 3.15 has, far below what could make an offset dangerous. */
#define STRUCT_MAX_BYTES (1u << 20)
#define FIELD_MAX 60000u    /* fits the row's 16 bits below NO_FIELD */
#define LEVEL_CANDIDATE 0xc /* release levels: 0xa alpha, 0xb beta, 0xc candidate, 0xf final */

#define V13 0x030d
#define V14 0x030e
#define V15 0x030f

struct word {
	const char *name; /* as CPython calls it */
	uint16_t since;
};

static const struct word words[] = {
	{"cookie", V13},
	{"version", V13},
	{"free_threaded", V13},
	{"runtime_state.size", V13},
	{"runtime_state.finalizing", V13},
	{"runtime_state.interpreters_head", V13},
	{"interpreter_state.size", V13},
	{"interpreter_state.id", V13},
	{"interpreter_state.next", V13},
	{"interpreter_state.threads_head", V13},
	{"interpreter_state.threads_main", V14},
	{"interpreter_state.gc", V13},
	{"interpreter_state.imports_modules", V13},
	{"interpreter_state.sysdict", V13},
	{"interpreter_state.builtins", V13},
	{"interpreter_state.ceval_gil", V13},
	{"interpreter_state.gil_runtime_state", V13},
	{"interpreter_state.gil_runtime_state_enabled", V13},
	{"interpreter_state.gil_runtime_state_locked", V13},
	{"interpreter_state.gil_runtime_state_holder", V13},
	{"interpreter_state.code_object_generation", V14},
	{"interpreter_state.tlbc_generation", V14},
	{"thread_state.size", V13},
	{"thread_state.prev", V13},
	{"thread_state.next", V13},
	{"thread_state.interp", V13},
	{"thread_state.current_frame", V13},
	{"thread_state.base_frame", V15},
	{"thread_state.last_profiled_frame", V15},
	{"thread_state.last_profiled_frame_seq", V15},
	{"thread_state.thread_id", V13},
	{"thread_state.native_thread_id", V13},
	{"thread_state.datastack_chunk", V13},
	{"thread_state.status", V13},
	{"thread_state.holds_gil", V15},
	{"thread_state.gil_requested", V15},
	{"thread_state.current_exception", V15},
	{"thread_state.exc_state", V15},
	{"err_stackitem.exc_value", V15},
	{"interpreter_frame.size", V13},
	{"interpreter_frame.previous", V13},
	{"interpreter_frame.executable", V13},
	{"interpreter_frame.instr_ptr", V13},
	{"interpreter_frame.localsplus", V13},
	{"interpreter_frame.owner", V13},
	{"interpreter_frame.stackpointer", V14},
	{"interpreter_frame.tlbc_index", V14},
	{"code_object.size", V13},
	{"code_object.filename", V13},
	{"code_object.name", V13},
	{"code_object.qualname", V13},
	{"code_object.linetable", V13},
	{"code_object.firstlineno", V13},
	{"code_object.argcount", V13},
	{"code_object.localsplusnames", V13},
	{"code_object.localspluskinds", V13},
	{"code_object.co_code_adaptive", V13},
	{"code_object.co_tlbc", V14},
	{"pyobject.size", V13},
	{"pyobject.ob_type", V13},
	{"type_object.size", V13},
	{"type_object.tp_name", V13},
	{"type_object.tp_repr", V13},
	{"type_object.tp_flags", V13},
	{"type_object.tp_basicsize", V15},
	{"type_object.tp_dictoffset", V15},
	{"heap_type_object.size", V15},
	{"heap_type_object.ht_cached_keys", V15},
	{"tuple_object.size", V13},
	{"tuple_object.ob_item", V13},
	{"tuple_object.ob_size", V13},
	{"list_object.size", V13},
	{"list_object.ob_item", V13},
	{"list_object.ob_size", V13},
	{"set_object.size", V14},
	{"set_object.used", V14},
	{"set_object.table", V14},
	{"set_object.mask", V14},
	{"dict_object.size", V13},
	{"dict_object.ma_keys", V13},
	{"dict_object.ma_values", V13},
	{"float_object.size", V13},
	{"float_object.ob_fval", V13},
	{"long_object.size", V13},
	{"long_object.lv_tag", V13},
	{"long_object.ob_digit", V13},
	{"bytes_object.size", V13},
	{"bytes_object.ob_size", V13},
	{"bytes_object.ob_sval", V13},
	{"unicode_object.size", V13},
	{"unicode_object.state", V13},
	{"unicode_object.length", V13},
	{"unicode_object.asciiobject_size", V13},
	{"unicode_object.compactunicodeobject_size", V15},
	{"gc.size", V13},
	{"gc.collecting", V13},
	{"gc.frame", V15},
	{"gc.generation_stats_size", V15},
	{"gc.generation_stats", V15},
	{"gen_object.size", V14},
	{"gen_object.gi_name", V14},
	{"gen_object.gi_iframe", V14},
	{"gen_object.gi_frame_state", V14},
	{"llist_node.next", V14},
	{"llist_node.prev", V14},
	{"debugger_support.eval_breaker", V14},
	{"debugger_support.remote_debugger_support", V14},
	{"debugger_support.remote_debugging_enabled", V14},
	{"debugger_support.debugger_pending_call", V14},
	{"debugger_support.debugger_script_path", V14},
	{"debugger_support.debugger_script_path_size", V14},
};
_Static_assert(sizeof(words) / sizeof(words[0]) * 8 == DEBUG_OFFSETS_BYTES,
	       "all words of the newest block");

enum width { WIDTH_16, WIDTH_32 };

/* Taken where the version has the word and its row the member. */
struct field {
	const char *word;
	uint8_t bytes;	 /* of the field itself; it is aligned to that */
	uint8_t width;	 /* of the row's member */
	uint16_t member; /* of struct layout */
};

#define FIELD32(word, bytes, member)                                                               \
	{                                                                                          \
		word, bytes, WIDTH_32, offsetof(struct layout, member)                             \
	}
#define FIELD16(word, bytes, member)                                                               \
	{                                                                                          \
		word, bytes, WIDTH_16, offsetof(struct layout, member)                             \
	}

static const struct field fields[] = {
	FIELD32("runtime_state.interpreters_head", 8, rt_interpreters_head),
	FIELD32("interpreter_state.next", 8, is_next),
	FIELD32("interpreter_state.threads_head", 8, is_threads_head),
	FIELD32("interpreter_state.imports_modules", 8, is_modules),
	FIELD32("interpreter_state.ceval_gil", 8, is_gil),
	FIELD32("interpreter_state.code_object_generation", 8, is_code_generation),
	FIELD32("interpreter_state.tlbc_generation", 4, is_tlbc_generation),
	FIELD16("thread_state.next", 8, ts_next),
	FIELD16("thread_state.interp", 8, ts_interp),
	FIELD16("thread_state.current_frame", 8, ts_frame),
	FIELD16("thread_state.base_frame", 8, ts_base_frame),
	FIELD16("thread_state.thread_id", 8, ts_thread_id),
	FIELD16("thread_state.native_thread_id", 8, ts_native_thread_id),
	FIELD16("thread_state.datastack_chunk", 8, ts_stack_chunk),
	FIELD16("thread_state.status", 4, ts_status),
	FIELD16("interpreter_frame.previous", 8, frame_previous),
	FIELD16("interpreter_frame.executable", 8, frame_code),
	FIELD16("interpreter_frame.instr_ptr", 8, frame_instr),
	FIELD16("interpreter_frame.localsplus", 8, frame_locals),
	FIELD16("interpreter_frame.owner", 1, frame_owner),
	FIELD16("interpreter_frame.tlbc_index", 4, frame_tlbc_index),
	FIELD16("code_object.filename", 8, co_filename),
	FIELD16("code_object.name", 8, co_name),
	FIELD16("code_object.qualname", 8, co_qualname),
	FIELD16("code_object.linetable", 8, co_linetable),
	FIELD16("code_object.firstlineno", 4, co_firstlineno),
	FIELD16("code_object.co_code_adaptive", 2, co_code),
	FIELD16("code_object.co_tlbc", 8, co_tlbc),
	FIELD16("type_object.tp_basicsize", 8, type_basicsize),
	FIELD16("type_object.tp_dictoffset", 8, type_dictoffset),
	FIELD16("heap_type_object.ht_cached_keys", 8, type_cached_keys),
	FIELD16("dict_object.ma_keys", 8, dict_keys),
	FIELD16("dict_object.ma_values", 8, dict_values),
	FIELD16("bytes_object.ob_size", 8, bytes_size),
	FIELD16("bytes_object.ob_sval", 1, bytes_data),
	FIELD16("unicode_object.state", 4, str_state),
	FIELD16("unicode_object.length", 8, str_length),
};

struct block {
	const uint8_t *bytes;
	uint16_t version;
};

static uint64_t word_at(const uint8_t *bytes, size_t at)
{
	uint64_t value;

	memcpy(&value, bytes + at, sizeof(value));
	return value;
}

/* A word's place in the block, and that of the size of its struct; false where the version lacks it. */
static bool find_word(const struct block *block, const char *name, size_t *ret_at,
		      size_t *ret_size_at)
{
	size_t at = 0, size_at = 0;

	for (size_t i = 0; i < array_len(words); i++) {
		const char *dot = strchr(words[i].name, '.');

		if (words[i].since > block->version)
			continue;
		if (dot && strcmp(dot, ".size") == 0)
			size_at = at;
		if (strcmp(words[i].name, name) == 0) {
			*ret_at = at;
			*ret_size_at = size_at;
			return true;
		}
		at += 8;
	}
	return false;
}

static uint64_t take_word(const struct block *block, const char *name)
{
	size_t at, size_at;

	return find_word(block, name, &at, &size_at) ? word_at(block->bytes, at) : 0;
}

bool debug_offsets_is_block(const uint8_t *head)
{
	return memcmp(head, DEBUG_OFFSETS_COOKIE, 8) == 0;
}

size_t debug_offsets_bytes(const uint8_t *head)
{
	uint64_t version = debug_offsets_hexversion(head) >> 16;
	size_t n = 0;

	for (size_t i = 0; i < array_len(words); i++)
		n += words[i].since <= version;
	return max_of(8 * n, (size_t)DEBUG_OFFSETS_HEAD_BYTES);
}

uint64_t debug_offsets_hexversion(const uint8_t *block)
{
	return word_at(block, 8);
}

static uint32_t get_member(const struct layout *layout, const struct field *field)
{
	uint16_t narrow;
	uint32_t wide;

	memcpy(&narrow, (const char *)layout + field->member, sizeof(narrow));
	if (field->width == WIDTH_16)
		return narrow;
	memcpy(&wide, (const char *)layout + field->member, sizeof(wide));
	return wide;
}

static void set_member(struct layout *layout, const struct field *field, uint32_t value)
{
	uint16_t narrow = (uint16_t)value;

	if (field->width == WIDTH_16)
		memcpy((char *)layout + field->member, &narrow, sizeof(narrow));
	else
		memcpy((char *)layout + field->member, &value, sizeof(value));
}

static int take_field(const struct field *field, const struct block *block, struct layout *layout,
		      struct err *err)
{
	size_t at, size_at;

	if (!find_word(block, field->word, &at, &size_at) || get_member(layout, field) == NO_FIELD)
		return 0;
	uint64_t size = word_at(block->bytes, size_at);
	uint64_t value = word_at(block->bytes, at);
	/* The flexible array at a struct's end (co_code_adaptive, ob_sval) may begin at its very size. */
	if (size > STRUCT_MAX_BYTES || value > size || value % field->bytes != 0 ||
	    (field->width == WIDTH_16 && value > FIELD_MAX))
		return err_set(err, ERR_CORRUPT,
			       "_Py_DebugOffsets: %s is %llu in a struct of %llu bytes",
			       field->word, (unsigned long long)value, (unsigned long long)size);
	set_member(layout, field, (uint32_t)value);
	return 0;
}

/* Offsets in the interpreter's own _gil, from which the GIL struct's fields follow. */
static int take_gil(const struct block *block, struct layout *layout, struct err *err)
{
	uint64_t gil = take_word(block, "interpreter_state.gil_runtime_state");
	uint64_t locked = take_word(block, "interpreter_state.gil_runtime_state_locked") - gil;
	uint64_t holder = take_word(block, "interpreter_state.gil_runtime_state_holder") - gil;

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

/* The collector's struct lies in the interpreter's. */
static int take_collector(const struct block *block, struct layout *layout, struct err *err)
{
	uint64_t gc = take_word(block, "interpreter_state.gc");
	uint64_t size = take_word(block, "gc.size");
	uint64_t collecting = take_word(block, "gc.collecting");
	uint64_t frame = take_word(block, "gc.frame"); /* 0 before 3.15 */

	if (gc > STRUCT_MAX_BYTES || size > STRUCT_MAX_BYTES || collecting + 4 > size ||
	    (frame && frame + 8 > size) || (gc + collecting) % 4 || (gc + frame) % 8)
		return err_set(err, ERR_CORRUPT,
			       "_Py_DebugOffsets: gc.collecting is %llu in a struct of %llu bytes",
			       (unsigned long long)collecting, (unsigned long long)size);
	layout->is_gc_collecting = (uint32_t)(gc + collecting);
	if (layout->is_gc_frame != NO_FIELD)
		layout->is_gc_frame = (uint32_t)(gc + frame);
	return 0;
}

/* Two fields that share bytes cannot both be true. */
static int check_distinct(const struct layout *layout, struct err *err)
{
	const uint16_t fields_of_thread[] = {layout->ts_next,	     layout->ts_interp,
					     layout->ts_frame,	     layout->ts_thread_id,
					     layout->ts_stack_chunk, layout->ts_native_thread_id,
					     layout->ts_base_frame};

	for (size_t i = 0; i < array_len(fields_of_thread); i++)
		for (size_t k = 0; k < i; k++)
			if (fields_of_thread[i] == fields_of_thread[k])
				return err_set(err, ERR_CORRUPT,
					       "_Py_DebugOffsets: two fields of thread_state at %u",
					       fields_of_thread[i]);
	return 0;
}

/* What every object begins with cannot change within a version: a block with another one has another shape. */
static int check_object(const struct block *block, const struct layout *layout, struct err *err)
{
	uint64_t size = take_word(block, "pyobject.size");
	uint64_t type = take_word(block, "pyobject.ob_type");

	if (size == layout->object_bytes && type == layout->object_type)
		return 0;
	return err_set(err, ERR_CORRUPT,
		       "_Py_DebugOffsets: pyobject.ob_type is %llu in a struct of %llu bytes",
		       (unsigned long long)type, (unsigned long long)size);
}

/*
 * The row's count holds while the struct has about the row's size: between 3.13.0 and 3.13.15 it got two words,
 * at its end (the count has the same place in both releases' headers).
 */
#define GROWN_BYTES 16u

static bool may_be_as_large(const struct layout *ground, uint64_t size)
{
	return size >= ground->is_size - GROWN_BYTES && size <= ground->is_size + GROWN_BYTES;
}

/* What the block does not have, from what it has. */
static int derive(const struct block *block, const struct layout *ground, struct layout *layout,
		  struct err *err)
{
	size_t at, size_at;

	if (!find_word(block, "interpreter_state.code_object_generation", &at, &size_at) &&
	    !may_be_as_large(ground, take_word(block, "interpreter_state.size")))
		layout->is_code_generation = NO_FIELD;
	if (layout->ts_state != NO_FIELD)
		layout->ts_state =
			(uint16_t)(layout->ts_status + (ground->ts_state - ground->ts_status));
	layout->ts_stack_top =
		(uint16_t)(layout->ts_stack_chunk + 8); /* declared right behind it */
	layout->str_ascii_data = (uint16_t)take_word(block, "unicode_object.asciiobject_size");
	layout->str_compact_data =
		(uint16_t)(layout->str_ascii_data + 16); /* utf8 and its length */
	if (layout->str_ascii_data < 24 || layout->str_ascii_data > 128)
		return err_set(err, ERR_CORRUPT,
			       "_Py_DebugOffsets: unicode_object.asciiobject_size");
	return 0;
}

static int find_ground(const uint8_t *block, const struct layout **ret_ground, struct err *err)
{
	uint64_t version = debug_offsets_hexversion(block);
	bool is_free_threaded = word_at(block, 16) != 0;
	const struct layout *ground = NULL;

	if (version >> 32 == 0)
		ground = is_free_threaded ? layout_find_free_threaded((uint16_t)(version >> 16))
					  : layout_find((uint16_t)(version >> 16));
	if (!ground)
		return err_set(err, ERR_UNSUPPORTED, "%sPython %llu.%llu is not known (known: %s)",
			       is_free_threaded ? "free-threaded " : "",
			       (unsigned long long)(version >> 24),
			       (unsigned long long)(version >> 16 & 0xff), layout_known());
	if ((version >> 4 & 0xf) < LEVEL_CANDIDATE)
		return err_set(err, ERR_UNSUPPORTED,
			       "this Python %llu.%llu is an early pre-release, whose structs may "
			       "differ from those of the release",
			       (unsigned long long)(version >> 24),
			       (unsigned long long)(version >> 16 & 0xff));
	*ret_ground = ground;
	return 0;
}

int debug_offsets_parse(const uint8_t *block, size_t len, struct layout *ret_layout,
			struct err *err)
{
	const struct layout *ground = NULL;

	if (len < DEBUG_OFFSETS_HEAD_BYTES || !debug_offsets_is_block(block))
		return err_set(err, ERR_CORRUPT, "no _Py_DebugOffsets");
	int r = find_ground(block, &ground, err);
	if (r < 0)
		return r;
	if (len < debug_offsets_bytes(block))
		return err_set(err, ERR_CORRUPT, "_Py_DebugOffsets: cut after %zu bytes", len);
	struct block words_of = {.bytes = block, .version = ground->version};
	struct layout layout = *ground;
	r = check_object(&words_of, &layout, err);
	for (size_t i = 0; r == 0 && i < array_len(fields); i++)
		r = take_field(&fields[i], &words_of, &layout, err);
	if (r == 0)
		r = take_gil(&words_of, &layout, err);
	if (r == 0)
		r = take_collector(&words_of, &layout, err);
	if (r == 0)
		r = check_distinct(&layout, err);
	if (r == 0)
		r = derive(&words_of, ground, &layout, err);
	if (r == 0)
		*ret_layout = layout;
	return r;
}
