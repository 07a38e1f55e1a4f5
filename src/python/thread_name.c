/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thread names: sys.modules["threading"]._active is a dict of {ident: Thread}, and a Thread has a _name.  An
 * interpreter has its own sys.modules.
 */
#include <errno.h>

#include "python/object.h"
#include "python/python_private.h"

#define NAME_READS 4096
#define NAME_BYTES (4u << 20)
#define MODULE_DICT 16 /* md_dict follows the object's head in every version */

static int active_dict(struct python *python, raddr_t interp, raddr_t *ret_dict)
{
	struct memory *memory = python->memory;
	const struct layout *layout = &python->layout;
	raddr_t modules, threading, globals;
	int r = memory_read_u64(memory, interp + layout->is_modules, &modules);

	if (r == 0)
		r = dict_find(memory, layout, modules, "threading", &threading);
	if (r == 0)
		r = memory_read_u64(memory, threading + MODULE_DICT, &globals);
	if (r == 0)
		r = dict_find(memory, layout, globals, "_active", ret_dict);
	return r;
}

struct by_ident {
	struct python *python;
	uint64_t ident;
	raddr_t thread;
};

/*
 * A non-negative int below 2^90.  Up to 3.11 ob_size says how many digits of 30 bits follow; from 3.12 on
 * lv_tag in the same place does, above three bits of sign and immortality.
 */
static int read_int(const struct python *python, raddr_t object, uint64_t *ret_value)
{
	struct {
		uint64_t tag;
		uint32_t digits[3];
	} number;
	int r = memory_read(python->memory, object + 16, &number, 20);

	if (r == -EFAULT) {
		number.digits[1] = number.digits[2] = 0;
		r = memory_read(python->memory, object + 16, &number, 16);
	}
	if (r < 0)
		return r;
	bool is_tagged = python->layout.chain == CHAIN_SHIMS;
	uint64_t n = is_tagged ? number.tag >> 3 : number.tag;
	if (n > 3)
		return ERR_CORRUPT;
	uint64_t value = 0;
	for (uint64_t i = 0; i < n; i++)
		value |= (uint64_t)number.digits[i] << (30 * i);
	*ret_value = value;
	return 0;
}

static int match_ident(void *ctx, raddr_t key, raddr_t value)
{
	struct by_ident *by = ctx;
	uint64_t ident;

	if (read_int(by->python, key, &ident) < 0 || ident != by->ident)
		return 0;
	by->thread = value;
	return 1;
}

static int read_name(struct python *python, const struct track *track, struct buf *out)
{
	struct by_ident by = {.python = python, .ident = track->ident};
	raddr_t active, name;
	int r = active_dict(python, track->interp, &active);

	if (r == 0)
		r = dict_each(python->memory, &python->layout, active, match_ident, &by);
	if (r < 0)
		return r;
	if (r == 0)
		return -ENOENT;
	r = object_attribute(python->memory, &python->layout, by.thread, "_name", &name);
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
	if (read_name(python, track, &once) == 0 && read_name(python, track, &again) == 0 &&
	    once.len == again.len && once.len && memcmp(once.data, again.data, once.len) == 0)
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
