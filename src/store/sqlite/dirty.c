/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/dirty.h"

#include <stdlib.h>

#include "base/vec.h"

#define OWNER_MASK ((1u << 30) - 1) /* series and families together: a billion */

void dirty_done(struct dirty *dirty)
{
	map64_done(&dirty->marks);
	for (int level = 0; level < LEVEL_COUNT; level++)
		free(dirty->queue[level]);
	*dirty = (struct dirty){0};
}

/* 2 bits of level (1-4), 30 of owner, 32 of window: minutes since 1970 fit for 8,000 years. */
static uint64_t key_of(uint32_t owner, int level, int64_t t_ns)
{
	uint64_t window = (uint64_t)(t_ns / levels[level].window_ns);

	return (uint64_t)(level - 1) << 62 | (uint64_t)(owner & OWNER_MASK) << 32 |
	       (window & UINT32_MAX);
}

static void push(struct dirty *dirty, int level, struct dirty_window window)
{
	dirty->queue[level] = vec_grow(dirty->queue[level], &dirty->cap[level], dirty->n[level] + 1,
				       sizeof(window));
	dirty->queue[level][dirty->n[level]++] = window;
}

void dirty_mark(struct dirty *dirty, uint32_t owner, int level, struct store_range range,
		uint32_t now_s)
{
	for (; level < LEVEL_COUNT; level++)
		for (int64_t t = level_window(level, range.from_ns); t < range.until_ns;
		     t += levels[level].window_ns) {
			bool is_new;
			uint32_t *touched =
				map64_put(&dirty->marks, key_of(owner, level, t), &is_new);

			*touched = now_s + 1;
			if (is_new)
				push(dirty, level, (struct dirty_window){owner, t});
		}
}

bool dirty_is(const struct dirty *dirty, uint32_t owner, int level, int64_t t_ns)
{
	return map64_get(&dirty->marks, key_of(owner, level, t_ns)) != NULL;
}

void dirty_clear(struct dirty *dirty, uint32_t owner, int level, int64_t t_ns)
{
	map64_del(&dirty->marks, key_of(owner, level, t_ns));
}

static bool is_due(const struct dirty *dirty, int level, const struct dirty_due *due,
		   const struct dirty_window *window)
{
	const uint32_t *touched =
		map64_get(&dirty->marks, key_of(window->owner, level, window->t_ns));

	return touched && *touched <= due->quiet_since_s + 1 &&
	       window->t_ns + levels[level].window_ns <= due->closed_before_ns &&
	       due->is_ready(due->ctx, level, window);
}

size_t dirty_take(struct dirty *dirty, int level, const struct dirty_due *due,
		  struct dirty_window *out, size_t max)
{
	struct dirty_window *queue = dirty->queue[level];
	size_t kept = 0, taken = 0;

	for (size_t i = 0; i < dirty->n[level]; i++) {
		if (taken < max && is_due(dirty, level, due, &queue[i]))
			out[taken++] = queue[i];
		else if (dirty_is(dirty, queue[i].owner, level, queue[i].t_ns))
			queue[kept++] = queue[i];
	}
	dirty->n[level] = kept;
	return taken;
}

void dirty_return(struct dirty *dirty, int level, const struct dirty_window *window)
{
	push(dirty, level, *window);
}
