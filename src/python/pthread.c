/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Up to 3.10 a PyThreadState knows its thread by pthread_t only, which on glibc and musl is the address of a
 * struct that holds the kernel's tid somewhere.  Where, is found once: it is the word that in the main thread's
 * struct equals the process id.  glibc's own place is tried first (before 2.25 a copy of the process id stood beside
 * it, in every thread), and believed where nothing better can be known: Python never ran in the main thread, or the
 * process id is one that means other things as well, as 1 does.
 */
#include "python/python_private.h"

#define SEARCH_BYTES 1024
#define GLIBC_TID 720	    /* glibc 2.2-2.41, x86-64 */
#define PID_LIMIT (1 << 22) /* the kernel's PID_MAX_LIMIT */

static int read_tid(struct python *python, uint64_t ident, uint16_t at, pid_t *ret_tid)
{
	int32_t tid;
	int r = memory_read(python->memory, ident + at, &tid, sizeof(tid));

	if (r < 0)
		return r;
	*ret_tid = tid > 0 && tid < PID_LIMIT ? tid : 0;
	return 0;
}

/*
 * glibc's begins with tcbhead_t: pointers to itself at 0 and 16, flags at 24.  In musl's the words at 16 and 24 are
 * list neighbours: itself in both, or in neither.
 */
static bool is_glibc(struct python *python, uint64_t ident)
{
	uint64_t head[4];

	return memory_read(python->memory, ident, head, sizeof(head)) == 0 && head[0] == ident &&
	       head[2] == ident && head[3] != ident;
}

/* For other libraries: musl, and whatever glibc will do. */
static void search(struct python *python, uint64_t ident)
{
	uint8_t bytes[SEARCH_BYTES];
	uint16_t found = 0;

	if (memory_read(python->memory, ident, bytes, sizeof(bytes)) < 0)
		return;
	for (uint16_t at = 8; at + 4u <= sizeof(bytes); at = (uint16_t)(at + 4)) {
		int32_t value;

		memcpy(&value, bytes + at, sizeof(value));
		if (value != python->pid)
			continue;
		/* A word that only looks like it: then the next but one would too, and none is believed. */
		if (found)
			return;
		found = at;
	}
	python->pthread_tid = found;
}

static void learn(struct python *python, uint64_t ident)
{
	bool is_main_known = false;
	pid_t tid;

	for (size_t i = 0; i < python->n_threads && !is_main_known; i++)
		is_main_known = is_glibc(python, python->tracks[i]->ident) &&
				read_tid(python, python->tracks[i]->ident, GLIBC_TID, &tid) == 0 &&
				tid == python->pid;
	if (is_main_known)
		python->pthread_tid = GLIBC_TID;
	for (size_t i = 0; !python->pthread_tid && i < python->n_threads; i++)
		search(python, python->tracks[i]->ident);
	if (!python->pthread_tid && is_glibc(python, ident))
		python->pthread_tid = GLIBC_TID;
}

pid_t thread_tid(struct python *python, uint64_t ident)
{
	pid_t tid = 0;

	if (!ident || ident & 7)
		return 0;
	if (!python->pthread_tid)
		learn(python, ident);
	if (!python->pthread_tid || read_tid(python, ident, python->pthread_tid, &tid) < 0)
		return 0;
	return tid;
}
