/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tui/tui_private.h"

#define MAX_TEXT_BYTES 4096
#define MAX_THREADS (1u << 16)
#define MAX_STRIP 4096

void facts_init(struct facts *facts)
{
	*facts = (struct facts){.title = "", .runtime = ""};
	arena_init(&facts->arena);
}

void facts_done(struct facts *facts)
{
	arena_done(&facts->arena);
	*facts = (struct facts){0};
}

static const char *text_copy(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text ? text : "", text ? strnlen(text, MAX_TEXT_BYTES) : 0);
}

static void thread_copy(struct arena *arena, const struct tui_thread *from, struct tui_thread *into)
{
	size_t n = min_of(from->n_strip, (size_t)MAX_STRIP);
	uint8_t *strip = arena_array(arena, n, 1);

	*into = *from;
	into->name = text_copy(arena, from->name);
	into->process = text_copy(arena, from->process);
	if (n)
		memcpy(strip, from->strip + (from->n_strip - n), n);
	into->strip = strip;
	into->n_strip = n;
}

void facts_take(struct facts *facts, const struct tui_model *model)
{
	struct arena arena = facts->arena;

	arena_reset(&arena);
	*facts = (struct facts){
		.title = text_copy(&arena, model->title),
		.runtime = text_copy(&arena, model->runtime),
		.has_no_gil = model->has_no_gil,
		.ended = model->ended ? text_copy(&arena, model->ended) : NULL,
		.note = model->note ? text_copy(&arena, model->note) : NULL,
		.pid = model->pid,
		.n_processes = model->n_processes,
		.is_capture = model->slider != NULL,
		.rate_hz = model->rate_hz,
		.elapsed_ns = model->elapsed_ns,
		.strip_step_ns = model->strip_step_ns,
		.ticks = model->ticks,
		.late = model->late,
		.samples = model->samples,
		.dropped = model->dropped,
		.reader_cpu_ns = model->reader_cpu_ns,
		.paused_ns = model->paused_ns,
		.n_threads = min_of(model->n_threads, (size_t)MAX_THREADS),
	};
	if (model->slider)
		facts->slider = *model->slider;
	facts->threads = arena_array(&arena, facts->n_threads, sizeof(*facts->threads));
	for (size_t i = 0; i < facts->n_threads; i++)
		thread_copy(&arena, &model->threads[i], &facts->threads[i]);
	facts->arena = arena;
}
