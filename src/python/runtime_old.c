/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 2.7 and 3.6, which have no _PyRuntime but variables:
 *
 *   interp_head		the list of interpreters (static)
 *   _PyThreadState_Current	whoever holds the GIL; NULL while it is free, since the last thing that a thread does
 *				before it gives the GIL away, and the first when it has it, is to set this
 *   interpreter_lock (2.7)	points to the semaphore that is the GIL (static); NULL until there are threads
 *   gil_cond, gil_mutex (3.6)	what threads wait on for the GIL (static)
 *
 * A stripped file still exports _PyThreadState_Current, and functions that do nothing but read the static ones: then
 * their machine code says where those are.  Without any name (search_try_old_at()) interp_head is the word that leads
 * to an interpreter, and the variable beside it that comes to hold one of its threads is the holder's: both are in
 * pystate.c, and nothing else there points to a thread.
 */
#include "base/vec.h"
#include "python/runtime_private.h"

#define CODE_BYTES 32u	    /* of a function that only reads one variable */
#define NEIGHBOUR_BYTES 64u /* pystate.c has six variables */
#define FUTEX_BYTES 48u	    /* pthread_cond_t; a mutex has 40, a semaphore 32 */
#define PATIENCE_READS 256  /* of the holder's variable; a thread that runs is soon met */

/*
 * The address in the first RIP-relative operand of a function: of mov to rax or eax, or cmp with a byte.  Static
 * variables are addressed so, in position-independent code or not.
 */
static raddr_t first_operand(struct memory *memory, const struct module *module, raddr_t function)
{
	static const struct {
		uint8_t opcode[3];
		uint8_t len;	/* of the opcode */
		uint8_t behind; /* bytes of the instruction that follow the displacement */
	} reads[] = {
		{{0x48, 0x8b, 0x05}, 3, 0},
		{{0x48, 0x83, 0x3d}, 3, 1},
		{{0x8b, 0x05}, 2, 0},
	};
	uint8_t code[CODE_BYTES];
	int32_t displacement;

	if (!function || memory_read(memory, function, code, sizeof(code)) < 0)
		return 0;
	for (size_t i = 0; i + 8 <= sizeof(code); i++)
		for (size_t k = 0; k < array_len(reads); k++) {
			if (memcmp(code + i, reads[k].opcode, reads[k].len) != 0)
				continue;
			memcpy(&displacement, code + i + reads[k].len, sizeof(displacement));
			raddr_t addr = function + i + reads[k].len + sizeof(displacement) +
				       reads[k].behind + (raddr_t)(int64_t)displacement;
			bool is_ours =
				addr >= module->writable_start && addr < module->writable_end;
			return is_ours ? addr : 0;
		}
	return 0;
}

static void find_futexes(struct search *search, const struct module *module,
			 struct runtime *runtime)
{
	struct old_gil *gil = &runtime->gil;

	if (runtime->layout.version < 0x0300) {
		gil->lock = module->lock ? module->lock
					 : first_operand(search->args->memory, module,
							 module->has_gil_function);
	} else if (module->gil_cond && module->gil_mutex) {
		gil->futexes[0].start = module->gil_cond;
		gil->futexes[0].end = module->gil_cond + FUTEX_BYTES;
		gil->futexes[1].start = module->gil_mutex;
		gil->futexes[1].end = module->gil_mutex + FUTEX_BYTES;
	} else if (module->is_named) {
		/* Of all that an interpreter waits on only the GIL's is static; locks are allocated. */
		gil->futexes[0].start = module->writable_start;
		gil->futexes[0].end = module->writable_end;
	}
}

bool old_gil_has_futex(const struct python *python, raddr_t futex)
{
	const struct old_gil *gil = &python->old_gil;

	if (python->old_lock && futex >= python->old_lock && futex - python->old_lock < FUTEX_BYTES)
		return true;
	for (size_t i = 0; i < array_len(gil->futexes); i++)
		if (futex >= gil->futexes[i].start && futex < gil->futexes[i].end)
			return true;
	return false;
}

/* ---- candidates ---- */

static bool take(struct search *search, const struct module *module, const struct version *version,
		 raddr_t head, raddr_t holder)
{
	const struct layout *layout = layout_find_micro(version->minor, version->micro);
	struct runtime runtime = {.addr = head, .layout = *layout, .gil.holder = holder};
	int r = runtime_check(search->args->memory, layout, head);

	if (r < 0) {
		search_note(search, r);
		return false;
	}
	memcpy(runtime.version, version->text, sizeof(runtime.version));
	find_futexes(search, module, &runtime);
	*search->found = runtime;
	return true;
}

bool search_try_old(struct search *search, const struct module *module,
		    const struct version *version)
{
	raddr_t head = module->interp_head;

	if (!head)
		head = first_operand(search->args->memory, module, module->head_function);
	if (!head || !module->holder)
		return false;
	return take(search, module, version, head, module->holder);
}

/* Is `thread` a thread state of the interpreter? */
static bool is_thread_of(struct search *search, const struct layout *layout, raddr_t interp,
			 raddr_t thread)
{
	raddr_t back = 0;

	return search_is_writable(search->args->maps, thread) &&
	       memory_read_u64(search->args->memory, thread + layout->ts_interp, &back) == 0 &&
	       back == interp && search_is_thread(search, layout, interp);
}

/* The neighbour of interp_head that holds a thread, once one does. */
static raddr_t find_holder(struct search *search, const struct layout *layout, raddr_t head)
{
	uint8_t words[2 * NEIGHBOUR_BYTES];
	raddr_t start = head - NEIGHBOUR_BYTES, interp;

	for (int i = 0; i < PATIENCE_READS; i++) {
		if (memory_read(search->args->memory, start, words, sizeof(words)) < 0)
			return 0;
		interp = word_at(words, NEIGHBOUR_BYTES);
		for (size_t at = 0; at < sizeof(words); at += 8)
			if (at != NEIGHBOUR_BYTES &&
			    is_thread_of(search, layout, interp, word_at(words, at)))
				return start + at;
	}
	return 0;
}

bool search_try_old_at(struct search *search, const struct module *module,
		       const struct version *version, raddr_t addr)
{
	const struct layout *layout = layout_find_micro(version->minor, version->micro);
	raddr_t holder = module->holder ? module->holder : find_holder(search, layout, addr);

	if (holder)
		return take(search, module, version, addr, holder);
	search_note(search,
		    err_set(search->err, ERR_TORN,
			    "Python %s without symbols runs nothing now, so that its GIL is "
			    "not found: try again while it works",
			    version->text));
	return false;
}
