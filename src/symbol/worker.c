/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/worker.h"

#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "symbol/demangle.h"
#include "symbol/dwarf.h"
#include "symbol/protocol.h"
#include "symbol/symtab.h"

/* Files whose debug information is open at the same time: each costs indexes and descriptors. */
#define OPEN_DWARFS 24

struct object {
	int fds[PROTOCOL_MAX_FDS]; /* main, debug, alt; -1: none, or handed on */
	uint32_t flags;
	struct symtab *symtab;
	struct dwarf *dwarf;
	uint64_t used_at;
	bool is_open, is_without_dwarf;
};

struct worker {
	int fd;
	const struct dwarf_library *library; /* NULL: none */
	struct object *objects;		     /* PROTOCOL_MAX_OBJECTS */
	uint32_t n_dwarfs;
	uint64_t clock;
	/* Texts of one answer. */
	char names[PROTOCOL_MAX_FRAMES][DEMANGLE_MAX_BYTES];
	struct protocol_answer answer;
	struct buf out;
};

enum { FD_MAIN, FD_DEBUG, FD_ALT };

static void object_close(struct worker *worker, struct object *object)
{
	worker->n_dwarfs -= object->dwarf != NULL;
	dwarf_close(object->dwarf);
	symtab_free(object->symtab);
	for (size_t i = 0; i < PROTOCOL_MAX_FDS && object->is_open; i++)
		cleanup_close_fd(&object->fds[i]);
	*object = (struct object){0};
}

/* The descriptors come in the order of their flags; what is too many is closed. */
static void object_open(struct worker *worker, const struct protocol_request *request,
			int fds[PROTOCOL_MAX_FDS])
{
	struct object *object = &worker->objects[request->object];
	size_t next = 0;

	object_close(worker, object);
	object->flags = request->flags;
	object->is_open = true;
	for (size_t i = 0; i < PROTOCOL_MAX_FDS; i++)
		object->fds[i] = request->flags >> i & 1 && next < PROTOCOL_MAX_FDS
					 ? take_fd(&fds[next++])
					 : -1;
}

/* ---- loading, at the first question ---- */

static void load_symtab(struct object *object)
{
	object->symtab = symtab_new();
	/* The debug file's table is whole where the program's is stripped. */
	for (size_t i = FD_MAIN; i <= FD_DEBUG; i++) {
		int fd = object->fds[i] >= 0 ? dup(object->fds[i]) : -1;

		if (fd >= 0)
			(void)!symtab_add(object->symtab, fd, NULL);
	}
}

static void close_oldest(struct worker *worker)
{
	struct object *oldest = NULL;

	for (size_t i = 0; i < PROTOCOL_MAX_OBJECTS; i++) {
		struct object *object = &worker->objects[i];

		if (object->dwarf && (!oldest || object->used_at < oldest->used_at))
			oldest = object;
	}
	if (!oldest)
		return;
	dwarf_close(oldest->dwarf);
	oldest->dwarf = NULL;
	worker->n_dwarfs--;
}

static void load_dwarf(struct worker *worker, struct object *object)
{
	int alt = object->fds[FD_ALT] >= 0 ? dup(object->fds[FD_ALT]) : -1;

	if (worker->n_dwarfs >= OPEN_DWARFS)
		close_oldest(worker);
	for (size_t i = FD_MAIN; i <= FD_DEBUG && !object->dwarf; i++) {
		int fd = object->fds[i] >= 0 ? dup(object->fds[i]) : -1;

		if (fd < 0)
			continue;
		if (dwarf_open(worker->library, fd, alt, &object->dwarf, NULL) < 0)
			object->dwarf = NULL;
		/* It was taken; another file wants one of its own. */
		alt = !object->dwarf && object->fds[FD_ALT] >= 0 ? dup(object->fds[FD_ALT]) : -1;
	}
	cleanup_close_fd(&alt);
	object->is_without_dwarf = !object->dwarf;
	worker->n_dwarfs += object->dwarf != NULL;
}

static void load(struct worker *worker, struct object *object)
{
	if (!object->symtab)
		load_symtab(object);
	if (!object->dwarf && !object->is_without_dwarf && worker->library &&
	    !(object->flags & PROTOCOL_TABLES_ONLY))
		load_dwarf(worker, object);
	object->used_at = ++worker->clock;
}

/* ---- answering ---- */

static void answer_frame(struct worker *worker, uint32_t at, const char *linked,
			 const struct dwarf_frame *from)
{
	struct protocol_frame *frame = &worker->answer.frames[at];

	*frame = (struct protocol_frame){
		.name = worker->names[at],
		.name_len = linked ? demangle(linked, worker->names[at]) : 0,
		.file = from->file ? from->file : "",
		.file_len = from->file ? strlen(from->file) : 0,
		.line = from->line,
		.first_line = from->first_line,
	};
}

static void find(struct worker *worker, struct object *object, uint64_t address)
{
	struct dwarf_frame frames[PROTOCOL_MAX_FRAMES];
	int n = object->dwarf ? dwarf_find(object->dwarf, address, frames, PROTOCOL_MAX_FRAMES) : 0;
	const char *symbol = symtab_find(object->symtab, address);

	if (n < 1 && symbol) {
		frames[0] = (struct dwarf_frame){.name = symbol};
		n = 1;
	}
	worker->answer.n = 0;
	for (int i = n - 1; i >= 0; i--) {
		/* The table knows functions of assembler code, which debug information gives lines only. */
		const char *linked = frames[i].name ? frames[i].name : i == n - 1 ? symbol : NULL;

		if (linked && *linked)
			answer_frame(worker, worker->answer.n++, linked, &frames[i]);
	}
}

static int answer(struct worker *worker, const struct protocol_request *request)
{
	struct object *object = &worker->objects[request->object];
	int r = 0;

	if (object->is_open)
		load(worker, object);
	for (uint32_t i = 0; i < request->n && r == 0; i++) {
		worker->answer.n = 0;
		worker->answer.tag = request->looks[i].tag;
		if (object->is_open)
			find(worker, object, request->looks[i].address);
		buf_reset(&worker->out);
		protocol_put_answer(&worker->out, &worker->answer);
		r = protocol_send(worker->fd, worker->out.data, worker->out.len, NULL, 0);
	}
	return r;
}

void worker_run(int fd, const struct dwarf_library *library)
{
	struct worker *worker = xcalloc(1, sizeof(*worker));
	cleanup_free char *datagram = xcalloc(1, PROTOCOL_MAX_BYTES);
	struct protocol_request request;
	int fds[PROTOCOL_MAX_FDS], n, r = 0;

	worker->fd = fd;
	worker->library = library;
	worker->objects = xcalloc(PROTOCOL_MAX_OBJECTS, sizeof(*worker->objects));
	buf_init(&worker->out, PROTOCOL_MAX_BYTES);
	while (r == 0 && (n = protocol_receive(fd, datagram, PROTOCOL_MAX_BYTES, fds, true)) > 0) {
		r = protocol_get_request(datagram, (size_t)n, &request);
		if (r == 0 && request.kind == PROTOCOL_OPEN)
			object_open(worker, &request, fds);
		else if (r == 0)
			r = answer(worker, &request);
		for (size_t i = 0; i < array_len(fds); i++)
			cleanup_close_fd(&fds[i]);
	}
	for (size_t i = 0; i < PROTOCOL_MAX_OBJECTS; i++)
		object_close(worker, &worker->objects[i]);
	buf_done(&worker->out);
	free(worker->objects);
	free(worker);
}
