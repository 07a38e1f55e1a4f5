/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: strings, frames and functions as dense ids.
 *
 * Every string that a profile mentions is interned once, every frame is a struct of such ids, and
 * stacks (profile/tree.h) are made of frame ids: no hot path touches text.  Ids are never reused
 * and stay valid as long as the table lives; id 0 of each kind is the empty one.
 *
 * Strings are valid UTF-8 (bad bytes become U+FFFD) of at most NAME_MAX_BYTES; longer ones keep
 * head and tail.  A table has a ceiling for strings and frames: past it everything new maps to one
 * marker
 * ("[names over limit]"), and `over_limit` counts how often, so that a hostile source costs a
 * bounded amount and the rest stays true.  The marker itself, and the frames that
 * names_func_frame() derives from functions that are there already, may stand above the ceiling.
 *
 * One thread owns a table.  Interning costs one hash and one probe, about 50 ns.
 */
#ifndef PROFILE_NAMES_H
#define PROFILE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define NAME_MAX_BYTES 4096
#define NAMES_MAX_STRINGS (4u << 20)
#define NAMES_MAX_FRAMES (4u << 20)
#define NAMES_MAX_TEXT_BYTES ((size_t)1 << 29) /* of all strings of one table */

struct str_id {
	uint32_t v;
};

struct frame_id {
	uint32_t v;
};

/* What frames have in common that belong to one function; see names_func_of(). */
struct func_id {
	uint32_t v;
};

enum frame_kind {
	FRAME_OTHER, /* from an upload that does not say; drawn by its file name */
	FRAME_PYTHON,
	FRAME_NATIVE,
	FRAME_KERNEL,
	FRAME_MARKER, /* process, thread, task, "[GC]", "[deeper]": not code; never has a line */
	FRAME_KIND_COUNT,
};

struct frame {
	struct str_id name;	/* what is shown: "foo" */
	struct str_id qualname; /* "Service.foo" where known and different, else empty */
	struct str_id file;	/* as the program knows it, whole path where there is one */
	struct str_id module;	/* binary or package, "" where unknown */
	struct str_id build_id; /* hex, for frames that can still be symbolised */
	uint64_t address;	/* with build_id: offset in that file; else 0 */
	uint32_t line;		/* 0: unknown */
	uint32_t column;	/* 1-based, in bytes of the line as UTF-8; 0: unknown */
	uint32_t first_line;	/* of the function; 0: unknown */
	uint8_t kind;		/* enum frame_kind */
};

struct names;

struct names *names_new(void) nodiscard;
void names_free(struct names *names);
/* Lower the ceilings (tests, tenants with small budgets). */
void names_set_limits(struct names *names, uint32_t max_strings, uint32_t max_frames);
uint64_t names_over_limit(const struct names *names);
/* Room for so many more, where their number can be guessed: nothing moves on the way. */
void names_reserve(struct names *names, uint32_t strings, uint32_t frames);

struct str_id names_str(struct names *names, const char *text, size_t len);
struct str_id names_cstr(struct names *names, const char *text);
/* NUL-terminated, borrowed until names_free(); *ret_len may be NULL. */
const char *names_text(const struct names *names, struct str_id id, size_t *ret_len);
uint32_t names_str_count(const struct names *names);

/*
 * An unknown kind becomes FRAME_OTHER, a marker loses its line, and a column without a line is none.
 */
struct frame_id names_frame(struct names *names, const struct frame *frame);
/* Borrowed until the next names_frame(). */
const struct frame *names_frame_get(const struct names *names, struct frame_id id);
uint32_t names_frame_count(const struct names *names);

/*
 * The function that a frame belongs to: frames that agree in all but line, column and address.  Functions
 * are numbered in the order of their first frame; function 0 belongs to frame 0.
 */
struct func_id names_func_of(const struct names *names, struct frame_id id);
uint32_t names_func_count(const struct names *names);
/* A frame of that function with line, column and address 0 (made when it was not there). */
struct frame_id names_func_frame(struct names *names, struct func_id id);
/*
 * The same frame without its column, made when it was not there: what is counted by line ignores
 * columns, so that a line stays one box.
 */
struct frame_id names_line_frame(struct names *names, struct frame_id id);
/* The first frame that was seen of the function: for name, file and kind. */
const struct frame *names_func_get(const struct names *names, struct func_id id);

/*
 * Translation of another table's frames into this one, remembered per source frame and string: reset
 * with all zero, release with names_map_done().  Costs one lookup per frame after the first time.
 */
struct names_map {
	uint32_t *frames, *strings; /* source id -> own id + 1 */
	size_t cap, strings_cap;
};

struct frame_id names_import_new(struct names *names, struct names_map *map,
				 const struct names *source, struct frame_id id);

static inline struct frame_id names_import(struct names *names, struct names_map *map,
					   const struct names *source, struct frame_id id)
{
	if (id.v < map->cap && map->frames[id.v])
		return (struct frame_id){map->frames[id.v] - 1};
	return names_import_new(names, map, source, id);
}
/* All frames that are used, by id of the source: for what comes by the thousand, cheaper than one by one. */
void names_import_used(struct names *names, struct names_map *map, const struct names *source,
		       const uint8_t *is_used);
void names_map_done(struct names_map *map);

#endif
