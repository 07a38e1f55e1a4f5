/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/roster.h"

#include <stdlib.h>

#include "base/vec.h"

#define NAMESAKES_MAX 64 /* threads of one process and thread id that are looked through */
#define PID_BITS 22	 /* of a pid: the kernel's PID_MAX_LIMIT */

void roster_done(struct roster *roster)
{
	map64_done(&roster->process_index);
	map64_done(&roster->thread_index);
	free(roster->processes);
	free(roster->threads);
	*roster = (struct roster){0};
}

/* ---- processes ---- */

static uint64_t process_key(const struct capture_process *process)
{
	return (uint64_t)process->start_ticks << PID_BITS | (uint32_t)process->pid;
}

/* Found or added. */
static uint32_t process_id(struct roster *roster, const struct capture_process *process)
{
	bool is_new;
	uint32_t *id = map64_put(&roster->process_index, process_key(process), &is_new);
	const struct known_process *known = is_new ? NULL : &roster->processes[*id - 1];

	/* The key is no proof: a stream may say any number. */
	if (known && known->pid == process->pid && known->start_ticks == process->start_ticks)
		return *id;
	roster->processes = vec_grow(roster->processes, &roster->processes_cap,
				     roster->n_processes + 1, sizeof(*roster->processes));
	roster->processes[roster->n_processes++] =
		(struct known_process){false, process->pid, process->start_ticks};
	*id = (uint32_t)roster->n_processes;
	return *id;
}

int roster_process(struct roster *roster, const struct capture_process *process, uint32_t *ret_id)
{
	size_t n_before = roster->n_processes;
	bool is_read = *process->runtime != '\0';
	struct known_process *known;

	if (n_before >= CAPTURE_MAX_PROCESSES)
		return ERR_LIMIT;
	*ret_id = process_id(roster, process);
	known = &roster->processes[*ret_id - 1];
	roster->n_read += is_read && !known->is_read;
	known->is_read |= is_read;
	/* Of an ancestor whoever reads it knows more. */
	return is_read || roster->n_processes > n_before;
}

/* ---- threads ---- */

static uint64_t thread_key(const struct known_thread *thread)
{
	return (uint64_t)thread->process << 32 | (uint32_t)thread->tid;
}

/* Newest first: a thread id that the kernel gave out again belongs to its last owner. */
static uint32_t find_thread(const struct roster *roster, const struct known_thread *wanted)
{
	const uint32_t *newest = map64_get(&roster->thread_index, thread_key(wanted));
	uint32_t id = newest ? *newest : 0;

	for (int i = 0; id && i < NAMESAKES_MAX; i++) {
		const struct known_thread *known = &roster->threads[id - 1];

		if (known->ident == wanted->ident && known->stream != wanted->stream)
			return id;
		id = known->older;
	}
	return 0;
}

static uint32_t add_thread(struct roster *roster, const struct known_thread *thread)
{
	uint32_t *newest = map64_put(&roster->thread_index, thread_key(thread), NULL);

	roster->threads = vec_grow(roster->threads, &roster->threads_cap, roster->n_threads + 1,
				   sizeof(*roster->threads));
	roster->threads[roster->n_threads] = *thread;
	roster->threads[roster->n_threads++].older = *newest;
	*newest = (uint32_t)roster->n_threads;
	return *newest;
}

int roster_thread(struct roster *roster, uint32_t process, const struct capture_thread *thread,
		  uint32_t stream, uint32_t *ret_id)
{
	struct known_thread wanted = {
		.process = process,
		.tid = thread->tid,
		.ident = thread->python_ident,
		.stream = stream,
	};
	uint32_t id = find_thread(roster, &wanted);

	if (id == 0 && roster->n_threads >= CAPTURE_MAX_THREADS)
		return ERR_LIMIT;
	*ret_id = id ? id : add_thread(roster, &wanted);
	roster->threads[*ret_id - 1].stream = stream;
	return 0;
}
