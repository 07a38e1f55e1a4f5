/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the runtime where no name is left (stripped of all): by what its place in writable memory holds.  That is
 * the cookie of _Py_DebugOffsets, or a pointer to an interpreter whose thread points back to it.
 */
#include "base/cleanup.h"
#include "base/vec.h"
#include "python/runtime_private.h"

#define SCAN_CHUNK_BYTES (256u << 10)
#define MAX_NEXT_ID (1u << 20) /* interpreters ever made */
#define MAX_TID (1u << 22)     /* the kernel's PID_MAX_LIMIT */

bool search_is_writable(const struct maps *maps, raddr_t addr)
{
	const struct mapping *mapping = addr && !(addr & 7) ? maps_find(maps, addr) : NULL;

	return mapping && mapping->perms & MAPPING_WRITE;
}

/* In 3.7-3.12 `interpreters` is {lock, head, main, next_id}; two reads more tell whether it is. */
static bool is_interpreters(const struct search *search, const uint8_t *head)
{
	const struct maps *maps = search->args->maps;

	return search_is_writable(maps, word_at(head, 0)) &&
	       search_is_writable(maps, word_at(head, 8)) && word_at(head, 16) >= 1 &&
	       word_at(head, 16) <= MAX_NEXT_ID;
}

/*
 * Rings of two (list heads of the collector) pass runtime_check() too.  A thread's id is the address of its struct
 * pthread, and from 3.11 on the kernel's number stands beside it.
 */
bool search_is_thread(struct search *search, const struct layout *layout, raddr_t interp)
{
	struct memory *memory = search->args->memory;
	uint64_t thread, ident, tid = 1;

	if (memory_read_u64(memory, interp + layout->is_threads_head, &thread) < 0 ||
	    memory_read_u64(memory, thread + layout->ts_thread_id, &ident) < 0 ||
	    !search_is_writable(search->args->maps, ident))
		return false;
	if (layout->ts_native_thread_id != NO_FIELD &&
	    memory_read_u64(memory, thread + layout->ts_native_thread_id, &tid) < 0)
		return false;
	return tid >= 1 && tid <= MAX_TID;
}

/* What is looked for: of this version, or the cookie where that is 3.13 or not known. */
struct quarry {
	struct version version;
	const struct layout *layout;
};

static bool try_word(struct search *search, const struct module *module,
		     const struct quarry *quarry, raddr_t addr, const uint8_t *word)
{
	const struct layout *layout = quarry->layout;

	if (!layout)
		return memcmp(word, DEBUG_OFFSETS_COOKIE, 8) == 0 &&
		       search_try(search, module, addr);
	bool is_old = layout->rt_gil == NO_FIELD && layout->is_gil == NO_FIELD;
	if (is_old ? !search_is_writable(search->args->maps, word_at(word, 0))
		   : !is_interpreters(search, word))
		return false;
	raddr_t runtime = addr - layout->rt_interpreters_head;
	if (runtime_check(search->args->memory, layout, runtime) < 0 ||
	    !search_is_thread(search, layout, word_at(word, 0)))
		return false;
	return is_old ? search_try_old_at(search, module, &quarry->version, addr)
		      : search_try(search, module, runtime);
}

bool search_scan(struct search *search, const struct module *module)
{
	struct quarry quarry = {.version = module_version(search->args->memory, module)};
	cleanup_free uint8_t *chunk = xcalloc(SCAN_CHUNK_BYTES, 1);

	if (quarry.version.minor && !layout_find(quarry.version.minor)) {
		search_note(search, search_unsupported(search, &quarry.version));
		return false;
	}
	if (quarry.version.minor < 0x030d)
		quarry.layout = layout_find_micro(quarry.version.minor, quarry.version.micro);
	for (raddr_t at = module->writable_start; at < module->writable_end;
	     at += SCAN_CHUNK_BYTES - 16) {
		size_t len = (size_t)min_of(module->writable_end - at, SCAN_CHUNK_BYTES);

		if (memory_read(search->args->memory, at, chunk, len) < 0)
			continue;
		for (size_t i = 0; i + 24 <= len; i += 8)
			if (try_word(search, module, &quarry, at + i, chunk + i))
				return true;
	}
	return false;
}
