/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a table of names, for names.c and names_import.c. */
#ifndef PROFILE_NAMES_PRIVATE_H
#define PROFILE_NAMES_PRIVATE_H

#include <string.h>

#include "base/arena.h"
#include "base/map.h"
#include "profile/hash.h"
#include "profile/hash_private.h"
#include "profile/names.h"

struct text {
	const char *data;
	uint32_t len;
	uint32_t hash; /* kept for import: tables of one process share their seed */
};

struct func {
	uint32_t first_frame;
	uint32_t plain_frame; /* the one without line and address, + 1; 0: not made yet */
};

/* An object with new and free; texts live in its arena, as long as it does. */
struct names {
	uint64_t seed;
	struct arena arena;
	size_t text_bytes;

	struct text *strings;
	size_t strings_cap;
	uint32_t n_strings;
	uint32_t max_strings;

	struct frame *frames;
	size_t frames_cap;
	uint32_t *func_of; /* per frame */
	size_t func_of_cap;
	uint32_t n_frames;
	uint32_t max_frames;

	struct func *funcs;
	size_t funcs_cap;
	uint32_t n_funcs;

	struct idtab string_tab, frame_tab, func_tab;
	uint64_t over_limit;
};

/* ---- finding ---- */

static inline bool text_equal(const void *things, uint32_t id, const void *key)
{
	const struct text *mine = &((const struct names *)things)->strings[id], *other = key;

	return mine->len == other->len && !memcmp(mine->data, other->data, other->len);
}

static inline struct text text_over(const struct names *names, const char *data, size_t len)
{
	return (struct text){data, (uint32_t)len, (uint32_t)hash_here(names->seed, data, len)};
}

static inline uint64_t two_of(uint32_t high, uint32_t low)
{
	return (uint64_t)high << 32 | low;
}

/*
 * In registers: hashing a struct as bytes would first wait for the stores that filled it.  What a function
 * is made of comes first, so that a frame's hash costs one product more.
 */
static inline uint64_t func_hash(uint64_t seed, const struct frame *frame)
{
	uint64_t other = seed << 32 | seed >> 32;

	return hash_fold(two_of(frame->name.v, frame->qualname.v) ^ seed ^ 0x9e3779b97f4a7c15u,
			 two_of(frame->file.v, frame->module.v) ^ other ^ 0xd1b54a32d192ed03u) +
	       hash_fold(two_of(frame->build_id.v, frame->first_line) ^ seed ^ 0x8bb84b93962eacc9u,
			 frame->kind ^ other ^ 0x2d358dccaa6c78a5u);
}

static inline uint64_t frame_hash(uint64_t seed, uint64_t func, const struct frame *frame)
{
	return func + hash_fold(two_of(frame->line, frame->column) ^ seed ^ 0x4b33a62ed433d4a3u,
				frame->address ^ (seed << 32 | seed >> 32) ^ 0x4d5a2da51de1aa47u);
}

static inline bool is_of_func(const struct frame *a, const struct frame *b)
{
	return a->name.v == b->name.v && a->file.v == b->file.v && a->qualname.v == b->qualname.v &&
	       a->module.v == b->module.v && a->build_id.v == b->build_id.v &&
	       a->first_line == b->first_line && a->kind == b->kind;
}

static inline bool frame_equal(const void *things, uint32_t id, const void *key)
{
	const struct frame *mine = &((const struct names *)things)->frames[id], *other = key;

	return mine->line == other->line && mine->column == other->column &&
	       mine->address == other->address && is_of_func(mine, other);
}

/* ---- interning what was hashed: names.c ---- */

/* A text that is valid and not too long. */
struct str_id names_intern_text(struct names *names, const struct text *text);
/* `is_limited` is false for the frames that may stand above the ceiling. */
struct frame_id names_intern_frame(struct names *names, const struct frame *frame, uint64_t func,
				   uint64_t hash, bool is_limited);

#endif
