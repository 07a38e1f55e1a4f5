/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thread names: sys.modules["threading"]._active is a dict of {ident: Thread}, and a Thread has a _name (in 2.7
 * the compiler spelt it _Thread__name).  An
 * interpreter has its own sys.modules.  Costs about ten reads a name, and some hundred microseconds once for all
 * names that are asked for between two looks.
 */
#include <errno.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "python/object.h"
#include "python/python_private.h"

#define NAME_READS 4096
#define IDENTS_AT_ONCE 128u
#define NAME_BYTES (4u << 20)

static int active_dict(struct python *python, raddr_t interp, raddr_t *ret_dict)
{
	struct memory *memory = python->memory;
	const struct layout *layout = &python->layout;
	raddr_t modules, threading, globals;
	int r = memory_read_u64(memory, interp + layout->is_modules, &modules);

	if (r == 0)
		r = dict_find(memory, layout, modules, "threading", &threading);
	if (r == 0)
		r = memory_read_u64(memory, threading + layout->object_bytes, &globals);
	if (r == 0)
		r = dict_find(memory, layout, globals, "_active", ret_dict);
	return r;
}

/*
 * A non-negative int below 2^90, from the 20 bytes behind its head (enum layout_ints).
 */
#define INT_BYTES 20

static bool parse_int(const struct python *python, const uint8_t *bytes, uint64_t *ret_value)
{
	uint64_t n =
		python->layout.ints == INTS_TAGGED ? word_at(bytes, 0) >> 3 : word_at(bytes, 0);
	uint64_t value = 0;

	if (python->layout.ints == INTS_WORD) {
		*ret_value = n;
		return true;
	}
	if (n > 3)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		uint32_t digit;

		memcpy(&digit, bytes + 8 + 4 * i, sizeof(digit));
		value |= (uint64_t)digit << (30 * i);
	}
	*ret_value = value;
	return true;
}

/* ---- the roster: which Thread object is whose, for all threads of one interpreter ---- */

static int add_idents(struct python *python, const struct dict_item *items, size_t n)
{
	uint8_t bytes[IDENTS_AT_ONCE][INT_BYTES];
	struct mem_span spans[IDENTS_AT_ONCE];
	struct roster *roster = &python->roster;

	for (size_t i = 0; i < n; i++)
		spans[i] = (struct mem_span){.addr = items[i].key + python->layout.object_bytes,
					     .into = bytes[i],
					     .len = INT_BYTES};
	int r = memory_readv(python->memory, spans, n);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		uint64_t ident;

		if (!spans[i].ok || !parse_int(python, bytes[i], &ident))
			continue;
		roster->threads = vec_grow(roster->threads, &roster->cap, roster->n + 1,
					   sizeof(*roster->threads));
		roster->threads[roster->n] = items[i].value;
		*map64_put(&roster->by_ident, ident, NULL) = (uint32_t)roster->n++;
	}
	return r < 0 ? r : 0;
}

/* Read once for all the names that are asked for between two looks. */
static int call_roster(struct python *python, raddr_t interp)
{
	cleanup(dict_entries_done) struct dict_entries entries = {0};
	struct roster *roster = &python->roster;
	raddr_t active;

	if (roster->interp == interp && roster->looks == python->stats.looks)
		return 0;
	roster->interp = interp;
	roster->looks = python->stats.looks;
	roster->n = 0;
	map64_reset(&roster->by_ident);
	int r = active_dict(python, interp, &active);
	if (r == 0)
		r = dict_read(python->memory, &python->layout, active, &entries);
	for (size_t at = 0; r == 0 && at < entries.n; at += IDENTS_AT_ONCE)
		r = add_idents(python, entries.items + at, min_of(entries.n - at, IDENTS_AT_ONCE));
	return r;
}

static int read_name(struct python *python, const struct track *track, struct buf *out)
{
	const uint32_t *known = map64_get(&python->roster.by_ident, track->ident);
	const char *attribute = python->layout.ints == INTS_WORD ? "_Thread__name" : "_name";
	raddr_t name;

	if (!known)
		return -ENOENT;
	int r = object_attribute(python->memory, &python->layout, python->roster.threads[*known],
				 attribute, &name);
	return r < 0 ? r : object_text(python->memory, &python->layout, name, out);
}

/* The target goes on meanwhile: a name is believed when it reads the same twice. */
static struct str_id ask(struct python *python, const struct track *track)
{
	struct str_id name = {0};
	struct buf once, again;

	memory_budget_set(python->memory, NAME_READS, NAME_BYTES);
	buf_init(&once, OBJECT_MAX_CHARS * 4 + 16);
	buf_init(&again, OBJECT_MAX_CHARS * 4 + 16);
	if (call_roster(python, track->interp) == 0 && read_name(python, track, &once) == 0 &&
	    read_name(python, track, &again) == 0 && once.len == again.len && once.len &&
	    memcmp(once.data, again.data, once.len) == 0)
		name = names_str(python->names, once.data, once.len);
	buf_done(&once);
	buf_done(&again);
	return name;
}

struct str_id python_thread_name(struct python *python, uint32_t thread, bool is_fresh)
{
	if (thread >= python->n_threads)
		return (struct str_id){0};
	struct track *track = python->tracks[thread];

	if (is_fresh || !track->has_asked_name)
		track->name = ask(python, track);
	track->has_asked_name = true;
	return track->name;
}
