/* SPDX-License-Identifier: Apache-2.0 */
/* Samples into profiles: a series for each kind of event and set of labels, a node for each stack in it. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "format/jfr_private.h"
#include "profile/hash.h"

#define DEFAULT_PERIOD_NS (NS_PER_S / 100)
#define EVENT_LABEL "jfr_event"
#define SPAN_NAME_LABEL "span_name"

enum run_state { RUN_OTHER, RUN_RUNNABLE, RUN_SLEEPING };

static const struct jfr_kind kinds[JFR_KIND_COUNT] = {
	[JFR_KIND_CPU] = {"process_cpu", "cpu", "nanoseconds", NULL, NULL, "cpu", "nanoseconds"},
	[JFR_KIND_WALL] = {"wall", "wall", "nanoseconds", NULL, NULL, "wall", "nanoseconds"},
	[JFR_KIND_IN_TLAB] = {"memory", "alloc_in_new_tlab_objects", "count",
			      "alloc_in_new_tlab_bytes", "bytes", "space", "bytes"},
	[JFR_KIND_OUT_TLAB] = {"memory", "alloc_outside_tlab_objects", "count",
			       "alloc_outside_tlab_bytes", "bytes", "space", "bytes"},
	[JFR_KIND_MUTEX] = {"mutex", "contentions", "count", "delay", "nanoseconds", "mutex",
			    "count"},
	[JFR_KIND_BLOCK] = {"block", "contentions", "count", "delay", "nanoseconds", "block",
			    "count"},
	[JFR_KIND_LIVE] = {"memory", "live", "count", NULL, NULL, "objects", "count"},
	[JFR_KIND_ALLOC_SAMPLE] = {"memory", "alloc_sample_objects", "count", "alloc_sample_bytes",
				   "bytes", "space", "bytes"},
	[JFR_KIND_MALLOC] = {"memory", "malloc_objects", "count", "malloc_bytes", "bytes", "", ""},
};

/* ---- series ---- */

static int new_series(struct jfr_reader *reader, const struct labels *labels,
		      struct jfr_series *series, struct err *err)
{
	const struct jfr_kind *kind = &kinds[series->kind];
	struct profile *profile;
	int r, column, sum_column = 0;

	r = reader->split->series(reader->split->ctx, kind, labels, &series->profile, err);
	if (r < 0)
		return r;
	profile = series->profile;
	column = profile_column(profile, kind->type, kind->unit, NULL);
	if (kind->sum_type)
		sum_column = profile_column(profile, kind->sum_type, kind->sum_unit, NULL);
	if (column < 0 || sum_column < 0)
		return err_set(err, ERR_LIMIT, "the recording has too many sample types");
	series->column = (size_t)column;
	series->sum_column = (size_t)sum_column;
	profile->n_profiles++;
	profile->period_type = names_cstr(reader->names, kind->period_type);
	profile->period_unit = names_cstr(reader->names, kind->period_unit);
	return 0;
}

static int find_series(struct jfr_reader *reader, enum jfr_kind_index kind,
		       const struct labels *labels, uint32_t *ret_index, struct err *err)
{
	cleanup(buf_done) struct buf text = {.ceiling = LABELS_MAX * 8192};
	struct jfr_series *series;
	uint64_t hash;

	labels_format(labels, &text);
	buf_putc(&text, '\0');
	hash = hash_bytes(reader->seed, text.data, text.len);
	for (size_t i = 0; i < reader->n_series; i++) {
		series = &reader->series[i];
		*ret_index = (uint32_t)i;
		if (series->hash == hash && series->kind == kind &&
		    strcmp(series->text, text.data) == 0)
			return 0;
	}
	if (reader->n_series == JFR_MAX_SERIES)
		return err_set(
			err, ERR_LIMIT,
			"the labels of the recording's samples make more than %d series: label "
			"fewer things",
			JFR_MAX_SERIES);
	reader->series = vec_grow(reader->series, &reader->series_cap, reader->n_series + 1,
				  sizeof(*reader->series));
	series = &reader->series[reader->n_series];
	*series = (struct jfr_series){.hash = hash, .kind = kind, .text = xstrdup(text.data)};
	*ret_index = (uint32_t)reader->n_series++;
	return new_series(reader, labels, series, err);
}

static uint64_t value_of(const struct jfr_record *record, enum jfr_slot slot)
{
	return jfr_record_has(record, slot) ? record->value[slot] : 0;
}

static int read_labels(struct jfr_reader *reader, const struct jfr_record *record,
		       struct labels *labels, struct err *err)
{
	const struct jfr_contexts *contexts = &reader->contexts;
	int r = jfr_context_labels(contexts, value_of(record, JFR_CONTEXT), &reader->arena, labels,
				   err);

	if (r == 0 && value_of(record, JFR_SPAN_NAME))
		r = labels_set(labels, &reader->arena, SPAN_NAME_LABEL,
			       jfr_context_string(contexts, value_of(record, JFR_SPAN_NAME),
						  &reader->arena),
			       err);
	return r < 0 ? r : labels_set(labels, &reader->arena, EVENT_LABEL, reader->event, err);
}

static int series_of(struct jfr_reader *reader, enum jfr_kind_index kind,
		     const struct jfr_record *record, uint32_t *ret_index, struct err *err)
{
	uint64_t ids[] = {value_of(record, JFR_CONTEXT), value_of(record, JFR_SPAN_NAME)};
	uint64_t key = hash_bytes(reader->seed, ids, sizeof(ids));
	uint32_t *known = map64_put(&reader->series_of[kind], key, NULL);
	struct labels labels = {0};
	int r;

	if (*known) {
		*ret_index = *known - 1;
		return 0;
	}
	r = read_labels(reader, record, &labels, err);
	if (r == 0)
		r = find_series(reader, kind, &labels, ret_index, err);
	arena_reset(&reader->arena);
	if (r == 0)
		*known = *ret_index + 1;
	return r;
}

/* ---- samples ---- */

/* The same stack comes again and again: its node is remembered per series. */
static int node_of(struct jfr_reader *reader, uint32_t series, uint64_t trace,
		   struct node_id *ret_node, struct err *err)
{
	const uint32_t *place = map64_get(&reader->chunk.pools[JFR_TRACE], trace);
	uint64_t key = (uint64_t)series << 32 | (place ? *place : 0);
	bool is_new;
	uint32_t *node = map64_put(&reader->nodes, key, &is_new);
	int r = 0;

	if (is_new) {
		stack_reset(&reader->stack);
		/* Trees alternate with the series. */
		stack_forget(&reader->stack);
		r = jfr_push_trace(&reader->frames, &reader->chunk, trace, &reader->stack, err);
		if (r == 0)
			*node = stack_node(&reader->stack, &reader->series[series].profile->tree,
					   reader->names, (struct node_id){0}, true)
					.v;
	}
	*ret_node = (struct node_id){*node};
	return r;
}

struct sample {
	enum jfr_kind_index kind;
	uint64_t count, sum;
	uint64_t n; /* samples that it stands for */
};

static int64_t clamped(uint64_t value)
{
	return (int64_t)min_of(value, (uint64_t)INT64_MAX);
}

static struct span span_of(const struct jfr_record *record)
{
	struct span span = {.id = {value_of(record, JFR_SPAN)}};
	uint64_t half[] = {value_of(record, JFR_TRACE_HIGH), value_of(record, JFR_TRACE_LOW)};

	for (size_t i = 0; i < TRACE_ID_BYTES; i++)
		span.trace.bytes[i] = (uint8_t)(half[i / 8] >> (56 - i % 8 * 8));
	return span;
}

/* The sample's values are its span's, too. */
static void add_span(const struct jfr_series *series, struct node_id node,
		     const struct jfr_record *record, const struct sample *sample)
{
	struct span span = span_of(record);
	struct profile *profile = series->profile;
	uint32_t index;

	if (!span.id.v && trace_id_is_none(&span.trace))
		return;
	if (!profile->spans)
		profile->spans = spans_new();
	index = spans_index(profile->spans, &span);
	spans_add(profile->spans, index, node, (uint32_t)series->column, clamped(sample->count));
	if (kinds[series->kind].sum_type)
		spans_add(profile->spans, index, node, (uint32_t)series->sum_column,
			  clamped(sample->sum));
}

static int add_sample(struct jfr_reader *reader, const struct jfr_record *record,
		      const struct sample *sample, struct err *err)
{
	struct jfr_series *series;
	struct node_id node = {0};
	uint32_t index;
	int r;

	if (reader->n_samples++ == reader->limits->max_samples)
		return err_set(err, ERR_LIMIT, "the recording has more than %u samples",
			       reader->limits->max_samples);
	r = series_of(reader, sample->kind, record, &index, err);
	if (r == 0)
		r = node_of(reader, index, value_of(record, JFR_STACK_TRACE), &node, err);
	if (r < 0)
		return r;
	series = &reader->series[index];
	profile_add(series->profile, series->column, node, clamped(sample->count));
	if (kinds[sample->kind].sum_type)
		profile_add(series->profile, series->sum_column, node, clamped(sample->sum));
	series->profile->n_samples +=
		min_of(clamped(sample->n), INT64_MAX - series->profile->n_samples);
	if (reader->split->keeps_spans)
		add_span(series, node, record, sample);
	return 0;
}

static enum run_state find_state(struct jfr_reader *reader, uint64_t id)
{
	struct jfr_record record;
	const char *name;

	if (!jfr_constant(&reader->chunk, JFR_THREAD_STATE, id, &record))
		return RUN_OTHER;
	name = jfr_record_text(reader, &record, JFR_NAME);
	return strcmp(name, "STATE_SLEEPING") == 0   ? RUN_SLEEPING
	       : strcmp(name, "STATE_RUNNABLE") == 0 ? RUN_RUNNABLE
						     : RUN_OTHER;
}

static enum run_state state_of(struct jfr_reader *reader, const struct jfr_record *record)
{
	uint32_t *state;
	bool is_new;

	if (!jfr_record_has(record, JFR_STATE))
		return RUN_OTHER;
	state = map64_put(&reader->states, record->value[JFR_STATE], &is_new);
	if (is_new)
		*state = find_state(reader, record->value[JFR_STATE]);
	return (enum run_state) * state;
}

/* Samples times their period. */
static int add_time(struct jfr_reader *reader, const struct jfr_record *record,
		    enum jfr_kind_index kind, uint64_t n, struct err *err)
{
	int64_t of_file = kind == JFR_KIND_WALL && reader->wall_period_ns ? reader->wall_period_ns
									  : reader->period_ns;
	int64_t period = reader->opts->period_ns ? reader->opts->period_ns : of_file;
	struct sample sample = {.kind = kind, .n = n};

	if (!period)
		period = DEFAULT_PERIOD_NS;
	if (__builtin_mul_overflow(n, (uint64_t)period, &sample.count))
		sample.count = INT64_MAX;
	return add_sample(reader, record, &sample, err);
}

static int on_execution(struct jfr_reader *reader, const struct jfr_record *record, struct err *err)
{
	int r = 0;

	if (state_of(reader, record) != RUN_SLEEPING)
		r = add_time(reader, record, JFR_KIND_CPU, 1, err);
	if (r == 0 && strcmp(reader->event, "wall") == 0)
		r = add_time(reader, record, JFR_KIND_WALL, 1, err);
	return r;
}

static int on_wall_clock(struct jfr_reader *reader, const struct jfr_record *record,
			 struct err *err)
{
	uint64_t n = jfr_record_has(record, JFR_SAMPLES) ? record->value[JFR_SAMPLES] : 1;
	int r = 0;

	if (state_of(reader, record) == RUN_RUNNABLE && strcmp(reader->event, "wall") == 0)
		r = add_time(reader, record, JFR_KIND_CPU, n, err);
	return r < 0 ? r : add_time(reader, record, JFR_KIND_WALL, n, err);
}

static uint64_t nanoseconds(const struct jfr_reader *reader, uint64_t ticks)
{
	unsigned __int128 ns = (unsigned __int128)ticks * NS_PER_S / reader->chunk.ticks_hz;

	return ns > INT64_MAX ? INT64_MAX : (uint64_t)ns;
}

static int on_counted(struct jfr_reader *reader, const struct jfr_record *record,
		      enum jfr_known known, struct err *err)
{
	static const struct {
		enum jfr_kind_index kind;
		enum jfr_slot slot; /* of what is summed */
	} table[JFR_KNOWN_COUNT] = {
		[JFR_IN_TLAB] = {JFR_KIND_IN_TLAB, JFR_TLAB_SIZE},
		[JFR_OUT_TLAB] = {JFR_KIND_OUT_TLAB, JFR_ALLOCATION_SIZE},
		[JFR_ALLOC_SAMPLE] = {JFR_KIND_ALLOC_SAMPLE, JFR_WEIGHT},
		[JFR_MONITOR] = {JFR_KIND_MUTEX, JFR_DURATION},
		[JFR_PARK] = {JFR_KIND_BLOCK, JFR_DURATION},
		[JFR_LIVE] = {JFR_KIND_LIVE, JFR_NO_SLOT},
		[JFR_MALLOC] = {JFR_KIND_MALLOC, JFR_SIZE},
	};
	enum jfr_slot slot = table[known].slot;
	struct sample sample = {.kind = table[known].kind, .count = 1, .n = 1};

	if (slot != JFR_NO_SLOT && jfr_record_has(record, slot))
		sample.sum = slot == JFR_DURATION ? nanoseconds(reader, record->value[slot])
						  : record->value[slot];
	return add_sample(reader, record, &sample, err);
}

int jfr_on_event(struct jfr_reader *reader, const struct jfr_event *event, struct err *err)
{
	const struct jfr_type *type = jfr_type_by_id(&reader->chunk.types, event->type_id);
	struct jfr_record record;

	if (!type || type->known < JFR_EXECUTION)
		return 0;
	if (!jfr_event_read(&reader->chunk, event, type, &record))
		return jfr_malformed(err);
	if (type->known == JFR_EXECUTION)
		return on_execution(reader, &record, err);
	if (type->known == JFR_WALL_CLOCK)
		return on_wall_clock(reader, &record, err);
	return on_counted(reader, &record, (enum jfr_known)type->known, err);
}

void jfr_samples_done(struct jfr_reader *reader)
{
	for (size_t i = 0; i < JFR_KIND_COUNT; i++)
		map64_done(&reader->series_of[i]);
	for (size_t i = 0; i < reader->n_series; i++)
		free(reader->series[i].text);
	free(reader->series);
}
