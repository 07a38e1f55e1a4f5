/* SPDX-License-Identifier: Apache-2.0 */
#include "python/code.h"

#include <errno.h>

#include "base/vec.h"
#include "python/lines.h"
#include "python/object.h"

#define HEAD_BYTES 320 /* the fixed part of a code object of any version */
#define TEXT_PROOF_CHARS 96
#define CO_SUSPENDED 0x2a0u	    /* CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR */
#define MAX_INSTRUCTIONS (1u << 20) /* (code, instruction) pairs remembered */

void code_cache_init(struct code_cache *cache, struct names *names, const struct layout *layout,
		     struct python_stats *stats)
{
	*cache = (struct code_cache){.names = names, .layout = layout, .stats = stats};
	buf_init(&cache->text, OBJECT_MAX_CHARS * 4 + 16);
	buf_init(&cache->bytes, PYTHON_MAX_LINETABLE);
}

static void code_done(struct code *code)
{
	free(code->proofs);
	free(code->copies);
	free(code->table);
	for (size_t i = 0; i < array_len(code->texts); i++)
		free(code->texts[i]);
}

static void drop_codes(struct code_cache *cache)
{
	for (size_t i = 0; i < cache->n; i++)
		code_done(&cache->codes[i]);
	cache->n = 0;
	cache->table_bytes = 0;
}

void code_cache_done(struct code_cache *cache)
{
	drop_codes(cache);
	free(cache->codes);
	map64_done(&cache->by_addr);
	map64_done(&cache->frames);
	buf_done(&cache->text);
	buf_done(&cache->bytes);
}

void code_cache_trim(struct code_cache *cache)
{
	if (cache->n < PYTHON_MAX_CODES && cache->table_bytes < PYTHON_MAX_TABLES &&
	    cache->frames.n < MAX_INSTRUCTIONS)
		return;
	drop_codes(cache);
	map64_reset(&cache->by_addr);
	map64_reset(&cache->frames);
	cache->epoch++;
	cache->stats->caches_reset++;
}

uint32_t code_find(const struct code_cache *cache, raddr_t addr)
{
	const uint32_t *id = map64_get(&cache->by_addr, addr);

	return id ? *id : CODE_NONE;
}

const struct code *code_get(const struct code_cache *cache, uint32_t id)
{
	return &cache->codes[id];
}

/* ---- proofs ---- */

/*
 * From the first of them (the line's word) to the last: everything between is written once, when the object is made.
 * 3.12+ has co_version in it.
 */
static void identity_span(const struct layout *layout, uint16_t *ret_at, uint16_t *ret_len)
{
	size_t end = max_of(layout->co_filename, layout->co_name);
	size_t at = min_of(layout->co_firstlineno & ~(size_t)7,
			   (size_t)min_of(layout->co_filename, layout->co_name));

	end = max_of(end, layout->co_linetable);
	if (layout->co_qualname != NO_FIELD)
		end = max_of(end, layout->co_qualname);
	*ret_at = (uint16_t)at;
	*ret_len = (uint16_t)min_of(end + 8 - at, (size_t)CODE_PROOF_MAX_BYTES);
}

static void add_proof(struct code *code, raddr_t addr, size_t len, const uint8_t *bytes)
{
	struct proof *proof = &code->proofs[code->n_proofs++];

	proof->addr = addr;
	proof->len = (uint16_t)min_of(len, (size_t)CODE_PROOF_MAX_BYTES);
	memcpy(proof->bytes, bytes, proof->len);
}

/* Length, hash and the first characters, from the string's own memory. */
static int add_text_proof(struct code_cache *cache, struct memory *memory, struct code *code,
			  raddr_t str, size_t text_len)
{
	const struct layout *layout = cache->layout;
	uint8_t bytes[CODE_PROOF_MAX_BYTES];
	size_t chars = min_of(text_len, (size_t)TEXT_PROOF_CHARS);
	size_t len = min_of(layout->str_ascii_data - layout->str_length + chars, sizeof(bytes));
	int r = memory_read(memory, str + layout->str_length, bytes, len);

	if (r == 0)
		add_proof(code, str + layout->str_length, len, bytes);
	return r;
}

static int prove(struct memory *memory, const struct code *code)
{
	uint8_t bytes[CODE_MAX_PROOFS][CODE_PROOF_MAX_BYTES];
	struct mem_span spans[CODE_MAX_PROOFS];

	for (uint32_t i = 0; i < code->n_proofs; i++)
		spans[i] = (struct mem_span){
			.addr = code->proofs[i].addr, .into = bytes[i], .len = code->proofs[i].len};
	int r = memory_readv(memory, spans, code->n_proofs);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < code->n_proofs; i++)
		if (!spans[i].ok || memcmp(bytes[i], code->proofs[i].bytes, spans[i].len) != 0)
			return ERR_TORN;
	return 0;
}

/* ---- decoding ---- */

struct code_head {
	uint8_t bytes[HEAD_BYTES];
};

static raddr_t head_word(const struct code_head *head, uint16_t at)
{
	raddr_t value;

	memcpy(&value, head->bytes + at, sizeof(value));
	return value;
}

/* PyCode_Type's tp_name is "code"; its address is the same for every code object of a process. */
static int check_type(struct code_cache *cache, struct memory *memory, raddr_t type)
{
	char name[5];
	raddr_t text;

	if (cache->type)
		return type == cache->type ? 0 : ERR_CORRUPT;
	/* tp_name follows the head and the size of a variable object */
	int r = memory_read_u64(memory, type + cache->layout->object_bytes + 8u, &text);
	if (r == 0)
		r = memory_read(memory, text, name, sizeof(name));
	if (r < 0)
		return r;
	if (memcmp(name, "code", sizeof(name)) != 0)
		return ERR_CORRUPT;
	cache->type = type;
	return 0;
}

static int read_head(struct code_cache *cache, struct memory *memory, raddr_t addr,
		     struct code_head *ret_head)
{
	const struct layout *layout = cache->layout;
	size_t len = min_of(layout->co_linetable + 24u, (size_t)HEAD_BYTES);
	struct code_head head = {0};

	if (layout->co_qualname != NO_FIELD)
		len = min_of(max_of(len, layout->co_qualname + 8u), (size_t)HEAD_BYTES);
	int r = addr & 7 ? ERR_CORRUPT : memory_read(memory, addr, head.bytes, len);
	if (r < 0)
		return r;
	r = check_type(cache, memory, head_word(&head, layout->object_type));
	if (r < 0)
		return r;
	*ret_head = head;
	return 0;
}

static int decode_text(struct code_cache *cache, struct memory *memory, struct code *code,
		       size_t which, raddr_t str)
{
	int r = object_text(memory, cache->layout, str, &cache->text);

	if (r < 0)
		return r;
	code->texts[which] = xstrndup(cache->text.data ? cache->text.data : "", cache->text.len);
	return add_text_proof(cache, memory, code, str, cache->text.len);
}

static int decode_texts(struct code_cache *cache, struct memory *memory, struct code *code,
			const struct code_head *head)
{
	const struct layout *layout = cache->layout;
	raddr_t name = head_word(head, layout->co_name);
	int r = decode_text(cache, memory, code, 0, name);

	if (r == 0)
		r = decode_text(cache, memory, code, 1, head_word(head, layout->co_filename));
	if (r < 0 || layout->co_qualname == NO_FIELD)
		return r;
	raddr_t qualname = head_word(head, layout->co_qualname);
	code->is_trampoline = qualname == name && !strcmp(code->texts[0], "__init__") &&
			      !strcmp(code->texts[1], "__init__");
	return qualname == name ? 0 : decode_text(cache, memory, code, 2, qualname);
}

/* A table that is too long or unreadable costs the lines, not the function. */
static int decode_table(struct code_cache *cache, struct memory *memory, struct code *code,
			raddr_t table)
{
	int r = object_bytes(memory, cache->layout, table, &cache->bytes);

	if (r < 0) {
		cache->stats->lines_unknown++;
		return r == -EFAULT || r == ERR_LIMIT ? 0 : r;
	}
	code->table = xcalloc(cache->bytes.len + 1, 1);
	if (cache->bytes.len)
		memcpy(code->table, cache->bytes.data, cache->bytes.len);
	code->table_len = (uint32_t)cache->bytes.len;
	return 0;
}

static int decode_extent(struct code_cache *cache, struct memory *memory, struct code *code,
			 const struct code_head *head)
{
	const struct layout *layout = cache->layout;
	uint64_t n;

	if (layout->instr_unit == 0) {
		code->instructions = code->addr + layout->co_code;
		n = head_word(head, layout->object_bytes); /* ob_size */
		if (n > CODE_MAX_BYTES / 2)
			return ERR_CORRUPT;
		code->n_bytes = (uint32_t)n * 2;
		return 0;
	}
	int r = memory_read_u64(memory, head_word(head, layout->co_code) + layout->bytes_size, &n);
	if (r < 0)
		return r;
	if (n > CODE_MAX_BYTES)
		return ERR_CORRUPT;
	code->n_bytes = (uint32_t)n;
	return 0;
}

/* Generators, coroutines and asynchronous generators: of each the frame outlives its calls. */
static bool has_generator_flag(const struct layout *layout, const struct code_head *head)
{
	uint32_t flags = 0;

	if (layout->chain == CHAIN_OBJECTS)
		memcpy(&flags, head->bytes + layout->co_flags, sizeof(flags));
	return flags & CO_SUSPENDED;
}

static int decode(struct code_cache *cache, struct memory *memory, raddr_t addr, struct code *code)
{
	const struct layout *layout = cache->layout;
	struct code_head head;
	uint16_t at, len;

	code->addr = addr;
	code->proofs = xcalloc(CODE_MAX_PROOFS, sizeof(*code->proofs));
	int r = read_head(cache, memory, addr, &head);
	if (r < 0)
		return r;
	identity_span(layout, &at, &len);
	add_proof(code, addr + at, len, head.bytes + at);
	code->is_generator = has_generator_flag(cache->layout, &head);
	memcpy(&code->first_line, head.bytes + layout->co_firstlineno, sizeof(code->first_line));
	r = decode_texts(cache, memory, code, &head);
	if (r == 0)
		r = decode_extent(cache, memory, code, &head);
	if (r == 0)
		r = decode_table(cache, memory, code, head_word(&head, layout->co_linetable));
	if (r < 0)
		return r;
	return prove(memory, code);
}

/* Where code objects are numbered the identity alone tells two apart, which saves reading their names. */
static bool is_numbered(const struct layout *layout, const struct code *code)
{
	uint32_t version;
	uint16_t at, len;

	if (layout->co_version == NO_FIELD)
		return false;
	identity_span(layout, &at, &len);
	if (layout->co_version < at || layout->co_version + sizeof(version) > (size_t)at + len)
		return false;
	memcpy(&version, code->proofs[0].bytes + (layout->co_version - at), sizeof(version));
	return version != 0;
}

static uint32_t add_code(struct code_cache *cache, const struct code *code)
{
	bool is_new;
	uint32_t id = (uint32_t)cache->n++;

	cache->codes = vec_grow(cache->codes, &cache->cap, cache->n, sizeof(*cache->codes));
	cache->codes[id] = *code;
	*map64_put(&cache->by_addr, code->addr, &is_new) = id;
	cache->table_bytes += code->table_len;
	cache->stats->codes_decoded++;
	cache->stats->codes_reused += !is_new;
	return id;
}

int code_resolve(struct code_cache *cache, struct memory *memory, raddr_t addr, uint32_t *ret_id)
{
	uint32_t known = code_find(cache, addr);

	if (known != CODE_NONE) {
		int r = prove(memory, &cache->codes[known]);
		if (r == 0)
			*ret_id = known;
		if (r != ERR_TORN)
			return r;
	}
	struct code code = {0};
	int r = decode(cache, memory, addr, &code);
	if (r < 0) {
		code_done(&code);
		return r;
	}
	if (is_numbered(cache->layout, &code))
		code.n_proofs = 1;
	*ret_id = add_code(cache, &code);
	return 0;
}

void code_stamp(struct code_cache *cache, uint32_t id, raddr_t interp, uint32_t count)
{
	cache->codes[id].interp = interp;
	cache->codes[id].count = count;
}

/* ---- frames ---- */

static void intern(struct code_cache *cache, struct code *code)
{
	code->name = names_cstr(cache->names, code->texts[0]);
	code->file = names_cstr(cache->names, code->texts[1]);
	if (code->texts[2] && strcmp(code->texts[2], code->texts[0]) != 0)
		code->qualname = names_cstr(cache->names, code->texts[2]);
	for (size_t i = 0; i < array_len(code->texts); i++) {
		free(code->texts[i]);
		code->texts[i] = NULL;
	}
	code->is_interned = true;
}

struct frame_id code_frame(struct code_cache *cache, uint32_t id, int64_t offset)
{
	bool is_new;
	uint32_t *known =
		map64_put(&cache->frames, (uint64_t)id << 32 | (uint32_t)(offset + 2), &is_new);
	struct code *code = &cache->codes[id];

	if (!is_new)
		return (struct frame_id){*known};
	if (!code->is_interned)
		intern(cache, code);
	struct place place = lines_find(cache->layout->lines, code->table, code->table_len,
					code->first_line, offset);
	struct frame frame = {
		.name = code->name,
		.qualname = code->qualname,
		.file = code->file,
		.line = place.line,
		.column = cache->with_columns ? place.column : 0,
		.first_line = code->first_line <= INT32_MAX ? code->first_line : 0,
		.kind = FRAME_PYTHON,
	};
	struct frame_id frame_id = names_frame(cache->names, &frame);
	*known = frame_id.v;
	return frame_id;
}
