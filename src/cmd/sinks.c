/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/sinks.h"

#include <assert.h>

void sinks_add(struct sinks *sinks, const struct capture_events *events, void *ctx)
{
	assert(sinks->n < SINKS_MAX);
	sinks->items[sinks->n].events = events;
	sinks->items[sinks->n++].ctx = ctx;
}

static int on_header(void *ctx, const struct capture_header *header)
{
	struct sinks *sinks = ctx;
	int r = 0;

	for (size_t i = 0; i < sinks->n && r >= 0; i++)
		if (sinks->items[i].events->header)
			r = sinks->items[i].events->header(sinks->items[i].ctx, header);
	return r;
}

static int on_process(void *ctx, const struct capture_process *process)
{
	struct sinks *sinks = ctx;
	int r = 0;

	for (size_t i = 0; i < sinks->n && r >= 0; i++)
		if (sinks->items[i].events->process)
			r = sinks->items[i].events->process(sinks->items[i].ctx, process);
	return r;
}

static int on_thread(void *ctx, const struct capture_thread *thread)
{
	struct sinks *sinks = ctx;
	int r = 0;

	for (size_t i = 0; i < sinks->n && r >= 0; i++)
		if (sinks->items[i].events->thread)
			r = sinks->items[i].events->thread(sinks->items[i].ctx, thread);
	return r;
}

static int on_sample(void *ctx, const struct capture_sample *sample)
{
	struct sinks *sinks = ctx;
	int r = 0;

	for (size_t i = 0; i < sinks->n && r >= 0; i++)
		if (sinks->items[i].events->sample)
			r = sinks->items[i].events->sample(sinks->items[i].ctx, sample);
	return r;
}

static int on_stats(void *ctx, const struct capture_stats *stats)
{
	struct sinks *sinks = ctx;
	int r = 0;

	for (size_t i = 0; i < sinks->n && r >= 0; i++)
		if (sinks->items[i].events->stats)
			r = sinks->items[i].events->stats(sinks->items[i].ctx, stats);
	return r;
}

static int on_local(void *ctx, const struct capture_local *local)
{
	struct sinks *sinks = ctx;
	int r = 0;

	for (size_t i = 0; i < sinks->n && r >= 0; i++)
		if (sinks->items[i].events->local)
			r = sinks->items[i].events->local(sinks->items[i].ctx, local);
	return r;
}

static int on_source(void *ctx, const struct capture_source *source)
{
	struct sinks *sinks = ctx;
	int r = 0;

	for (size_t i = 0; i < sinks->n && r >= 0; i++)
		if (sinks->items[i].events->source)
			r = sinks->items[i].events->source(sinks->items[i].ctx, source);
	return r;
}

static int on_end(void *ctx, const struct capture_end *end)
{
	struct sinks *sinks = ctx;
	int r = 0;

	for (size_t i = 0; i < sinks->n && r >= 0; i++)
		if (sinks->items[i].events->end)
			r = sinks->items[i].events->end(sinks->items[i].ctx, end);
	return r;
}

const struct capture_events *sinks_events(void)
{
	static const struct capture_events events = {
		.header = on_header,
		.process = on_process,
		.thread = on_thread,
		.sample = on_sample,
		.stats = on_stats,
		.local = on_local,
		.source = on_source,
		.end = on_end,
	};

	return &events;
}

static int write_header(void *ctx, const struct capture_header *header)
{
	return capture_write_header(ctx, header);
}

static int write_process(void *ctx, const struct capture_process *process)
{
	return capture_write_process(ctx, process);
}

static int write_thread(void *ctx, const struct capture_thread *thread)
{
	return capture_write_thread(ctx, thread);
}

static int write_sample(void *ctx, const struct capture_sample *sample)
{
	return capture_write_sample(ctx, sample);
}

/* About once a second: a capture that is cut off loses no more than that. */
static int write_stats(void *ctx, const struct capture_stats *stats)
{
	int r = capture_write_stats(ctx, stats);

	return r < 0 ? r : capture_flush(ctx);
}

static int write_local(void *ctx, const struct capture_local *local)
{
	return capture_write_local(ctx, local);
}

static int write_source(void *ctx, const struct capture_source *source)
{
	return capture_write_source(ctx, source);
}

static int write_end(void *ctx, const struct capture_end *end)
{
	int r = capture_write_end(ctx, end);

	return r < 0 ? r : capture_flush(ctx);
}

const struct capture_events *sinks_writer_events(void)
{
	static const struct capture_events events = {
		.header = write_header,
		.process = write_process,
		.thread = write_thread,
		.sample = write_sample,
		.stats = write_stats,
		.local = write_local,
		.source = write_source,
		.end = write_end,
	};

	return &events;
}
