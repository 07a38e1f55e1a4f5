/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/naming.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/vec.h"

struct held {
	struct capture_sample sample;
	uint32_t process;
	int64_t since_ns;
};

struct naming {
	struct symbolizer *symbolizer;
	const struct capture_events *events;
	void *ctx;
	struct map64 process_of; /* thread -> process, as the stream numbers them */
	struct held *ring;	 /* NAMING_MAX_HELD */
	uint32_t first, n;
	bool is_patient;
};

struct naming *naming_new(struct symbolizer *symbolizer, const struct capture_events *events,
			  void *ctx)
{
	struct naming *naming = xcalloc(1, sizeof(*naming));

	naming->symbolizer = symbolizer;
	naming->events = events;
	naming->ctx = ctx;
	naming->ring = xcalloc(NAMING_MAX_HELD, sizeof(*naming->ring));
	return naming;
}

void naming_be_patient(struct naming *naming)
{
	naming->is_patient = true;
}

void naming_free(struct naming *naming)
{
	if (!naming)
		return;
	map64_done(&naming->process_of);
	free(naming->ring);
	free(naming);
}

/* ---- samples ---- */

static int pass(struct naming *naming, const struct held *held)
{
	struct capture_sample sample = held->sample;

	if (!naming->events->sample)
		return 0;
	sample.node = symbolizer_node_now(naming->symbolizer, held->process, sample.node);
	return naming->events->sample(naming->ctx, &sample);
}

/* Let the oldest go; while nobody does, all that are ready or have waited for so long. */
static int let_go(struct naming *naming, int64_t hold_ns)
{
	int64_t now_ns = clock_monotonic_ns();
	int r = 0;

	while (naming->n && r >= 0) {
		const struct held *held = &naming->ring[naming->first];

		if (now_ns - held->since_ns < hold_ns &&
		    !symbolizer_ask(naming->symbolizer, held->process, held->sample.node))
			return 0;
		r = pass(naming, held);
		naming->first = (naming->first + 1) % NAMING_MAX_HELD;
		naming->n--;
	}
	return min_of(r, 0);
}

static int on_sample(void *ctx, const struct capture_sample *sample)
{
	struct naming *naming = ctx;
	const uint32_t *process = map64_get(&naming->process_of, sample->thread);
	struct held held = {.sample = *sample, .process = process ? *process : 0};
	bool is_ready = symbolizer_ask(naming->symbolizer, held.process, sample->node);
	int r = 0;

	if (!is_ready && naming->is_patient) {
		(void)symbolizer_node(naming->symbolizer, held.process, sample->node);
		is_ready = true;
	}
	if (is_ready && !naming->n)
		return pass(naming, &held);
	if (naming->n == NAMING_MAX_HELD) {
		r = pass(naming, &naming->ring[naming->first]);
		naming->first = (naming->first + 1) % NAMING_MAX_HELD;
		naming->n--;
	}
	held.since_ns = clock_monotonic_ns();
	naming->ring[(naming->first + naming->n++) % NAMING_MAX_HELD] = held;
	return r < 0 ? r : let_go(naming, NAMING_HOLD_NS);
}

/* Wait for the names of all that is held, as long as one sample may. */
static int finish(struct naming *naming)
{
	int64_t until_ns = clock_monotonic_ns() + NAMING_HOLD_NS;

	for (uint32_t i = 0; i < naming->n && clock_monotonic_ns() < until_ns; i++) {
		const struct held *held = &naming->ring[(naming->first + i) % NAMING_MAX_HELD];

		(void)symbolizer_node(naming->symbolizer, held->process, held->sample.node);
	}
	return let_go(naming, 0);
}

/* ---- all else ---- */

static int on_header(void *ctx, const struct capture_header *header)
{
	struct naming *naming = ctx;

	return naming->events->header ? naming->events->header(naming->ctx, header) : 0;
}

static int on_process(void *ctx, const struct capture_process *process)
{
	struct naming *naming = ctx;

	if (!naming->is_patient)
		symbolizer_add_process(naming->symbolizer, process->id, process->pid);
	return naming->events->process ? naming->events->process(naming->ctx, process) : 0;
}

static int on_thread(void *ctx, const struct capture_thread *thread)
{
	struct naming *naming = ctx;

	*map64_put(&naming->process_of, thread->id, NULL) = thread->process;
	return naming->events->thread ? naming->events->thread(naming->ctx, thread) : 0;
}

static int on_stats(void *ctx, const struct capture_stats *stats)
{
	struct naming *naming = ctx;

	return naming->events->stats ? naming->events->stats(naming->ctx, stats) : 0;
}

static int on_local(void *ctx, const struct capture_local *local)
{
	struct naming *naming = ctx;
	int r = finish(naming);

	return r == 0 && naming->events->local ? naming->events->local(naming->ctx, local) : r;
}

static int on_source(void *ctx, const struct capture_source *source)
{
	struct naming *naming = ctx;

	return naming->events->source ? naming->events->source(naming->ctx, source) : 0;
}

static int on_end(void *ctx, const struct capture_end *end)
{
	struct naming *naming = ctx;
	int r = finish(naming);

	return r == 0 && naming->events->end ? naming->events->end(naming->ctx, end) : r;
}

const struct capture_events *naming_events(void)
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

int naming_fd(const struct naming *naming)
{
	return naming->n ? symbolizer_fd(naming->symbolizer) : -1;
}

int naming_pump(struct naming *naming)
{
	symbolizer_pump(naming->symbolizer);
	return let_go(naming, NAMING_HOLD_NS);
}
