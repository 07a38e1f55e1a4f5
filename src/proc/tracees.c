/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/tracees_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/vec.h"

void tracees_done(struct tracees *tracees)
{
	while (tracees->n)
		tracees_drop(tracees, tracees->items[tracees->n - 1]);
	free(tracees->items);
	map64_done(&tracees->index);
	*tracees = (struct tracees){0};
}

struct tracee *tracees_find(const struct tracees *tracees, pid_t tid)
{
	const uint32_t *place = map64_get(&tracees->index, (uint64_t)tid);

	return place ? tracees->items[*place] : NULL;
}

struct tracee *tracees_add(struct tracees *tracees, const struct thread *thread)
{
	struct tracee *tracee = xcalloc(1, sizeof(*tracee));
	bool is_new;

	tracee->thread = *thread;
	tracee->place = tracees->n;
	tracees->items =
		vec_grow(tracees->items, &tracees->cap, tracees->n + 1, sizeof(struct tracee *));
	*map64_put(&tracees->index, (uint64_t)thread->tid, &is_new) = (uint32_t)tracees->n;
	assert(is_new);
	tracees->items[tracees->n++] = tracee;
	return tracee;
}

void tracees_drop(struct tracees *tracees, struct tracee *tracee)
{
	struct tracee *last;

	if (!tracee)
		return;
	last = tracees->items[--tracees->n];
	(void)map64_del(&tracees->index, (uint64_t)tracee->thread.tid);
	if (last != tracee) {
		last->place = tracee->place;
		tracees->items[last->place] = last;
		*map64_get(&tracees->index, (uint64_t)last->thread.tid) = (uint32_t)last->place;
	}
	thread_done(&tracee->thread);
	free(tracee);
}
