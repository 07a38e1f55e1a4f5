/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording, chunk by chunk.  Each is gone through twice: for its settings, which say what its samples mean and may
 * stand behind them, then for its samples.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "format/jfr_private.h"
#include "profile/hash.h"

#define STEPS_PER_BYTE 64u
#define MIN_STEPS (16u << 20)
#define MAX_STEPS (512u << 20) /* seconds of work, not minutes */

static void chunk_done(struct jfr_reader *reader)
{
	jfr_chunk_done(&reader->chunk);
	jfr_frames_done(&reader->frames);
	map64_done(&reader->states);
	map64_done(&reader->nodes);
}

static void reader_done(struct jfr_reader *reader)
{
	chunk_done(reader);
	jfr_samples_done(reader);
	jfr_contexts_done(&reader->contexts);
	stack_done(&reader->stack);
	arena_done(&reader->arena);
	buf_done(&reader->text);
}

int jfr_malformed(struct err *err)
{
	return err_set(err, ERR_CORRUPT, "not a valid JFR recording: an event is malformed");
}

/* ---- settings ---- */

const char *jfr_record_text(struct jfr_reader *reader, const struct jfr_record *record,
			    enum jfr_slot slot)
{
	buf_reset(&reader->text);
	jfr_field_text(&reader->chunk, record, slot, &reader->text);
	return reader->text.len ? reader->text.data : "";
}

/* "10000000" (async-profiler's nanoseconds) or "20 ms" (the JDK's); 0: neither. */
static int64_t parse_period(const char *text)
{
	static const struct {
		const char *unit;
		int64_t ns;
	} units[] = {{"", 1}, {" ns", 1}, {" us", NS_PER_US}, {" ms", NS_PER_MS}, {" s", NS_PER_S}};
	char *end;
	long long n = strtoll(text, &end, 10);

	if (n <= 0 || end == text)
		return 0;
	for (size_t i = 0; i < array_len(units); i++)
		if (strcmp(end, units[i].unit) == 0)
			return n <= 3600 * NS_PER_S / units[i].ns ? n * units[i].ns : 0;
	return 0;
}

static void take_setting(struct jfr_reader *reader, const struct jfr_record *record)
{
	const struct jfr_type *type = jfr_type_by_id(&reader->chunk.types, record->value[JFR_ID]);
	bool is_execution = type && type->known == JFR_EXECUTION;
	bool is_wall = type && type->known == JFR_WALL_CLOCK;
	const char *name = jfr_record_text(reader, record, JFR_NAME);
	bool is_event = strcmp(name, "event") == 0;
	bool is_period =
		(is_execution && (strcmp(name, "interval") == 0 || strcmp(name, "period") == 0)) ||
		(is_wall && strcmp(name, "wall") == 0);
	const char *value;

	if (!is_event && !is_period)
		return;
	value = jfr_record_text(reader, record, JFR_VALUE);
	if (is_event && strlen(value) < sizeof(reader->event))
		snprintf(reader->event, sizeof(reader->event), "%s", value);
	else if (is_period)
		*(is_wall ? &reader->wall_period_ns : &reader->period_ns) = parse_period(value);
}

static int read_settings(struct jfr_reader *reader, struct err *err)
{
	const struct jfr_type *type = jfr_type_known(&reader->chunk.types, JFR_SETTING);
	const uint8_t *at = NULL;
	struct jfr_event event;
	struct jfr_record record;
	int r;

	while ((r = jfr_chunk_next(&reader->chunk, &at, &event, err)) == 1) {
		if (!type || event.type_id != type->id)
			continue;
		if (!jfr_event_read(&reader->chunk, &event, type, &record))
			return jfr_malformed(err);
		if (jfr_record_has(&record, JFR_ID))
			take_setting(reader, &record);
	}
	return r;
}

/* ---- chunks ---- */

static void note_time(struct jfr_reader *reader)
{
	const struct jfr_chunk *chunk = &reader->chunk;
	int64_t since_first;

	if (!reader->start_ns)
		reader->start_ns = chunk->start_ns;
	since_first = chunk->start_ns - reader->start_ns;
	if (since_first >= 0 && chunk->duration_ns <= INT64_MAX - since_first)
		reader->duration_ns = max_of(reader->duration_ns, since_first + chunk->duration_ns);
}

static int read_samples(struct jfr_reader *reader, struct err *err)
{
	const uint8_t *at = NULL;
	struct jfr_event event;
	int r;

	while ((r = jfr_chunk_next(&reader->chunk, &at, &event, err)) == 1) {
		r = jfr_on_event(reader, &event, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int read_chunk(struct jfr_reader *reader, const uint8_t *data, size_t len, struct err *err)
{
	int r;

	chunk_done(reader);
	reader->states = reader->nodes = (struct map64){0};
	jfr_frames_init(&reader->frames, reader->names, &reader->pushed);
	r = jfr_chunk_open(&reader->chunk, data, len, &reader->steps, err);
	if (r < 0)
		return r;
	note_time(reader);
	r = read_settings(reader, err);
	return r < 0 ? r : read_samples(reader, err);
}

static int read_chunks(struct jfr_reader *reader, const uint8_t *data, size_t len, struct err *err)
{
	const uint8_t *end = data + len;
	size_t n = 0;
	int r = len ? 0 : err_set(err, ERR_CORRUPT, "the recording is empty");

	while (r == 0 && data < end) {
		if (n++ == JFR_MAX_CHUNKS)
			return err_set(err, ERR_LIMIT, "the recording has more than %d chunks",
				       JFR_MAX_CHUNKS);
		r = read_chunk(reader, data, (size_t)(end - data), err);
		data = reader->chunk.end;
	}
	return r;
}

static void describe(struct jfr_reader *reader)
{
	const struct jfr_opts *opts = reader->opts;

	for (size_t i = 0; i < reader->n_series; i++) {
		struct profile *profile = reader->series[i].profile;

		profile->start_ns = opts->start_ns ? opts->start_ns : reader->start_ns;
		profile->duration_ns = opts->duration_ns ? opts->duration_ns : reader->duration_ns;
	}
}

int jfr_read_split(const void *data, size_t len, const struct jfr_opts *opts,
		   const struct format_limits *limits, struct names *names,
		   const struct jfr_split *split, struct err *err)
{
	cleanup(reader_done) struct jfr_reader reader = {
		.opts = opts,
		.limits = limits,
		.split = split,
		.names = names,
		.seed = hash_seed(),
		.steps = min_of((uint64_t)len * STEPS_PER_BYTE + MIN_STEPS, (uint64_t)MAX_STEPS),
	};
	int r = 0;

	if (len > limits->max_inflated_bytes)
		return err_set(err, ERR_LIMIT, "the recording has %zu bytes, the limit is %zu", len,
			       limits->max_inflated_bytes);
	arena_init(&reader.arena);
	buf_init(&reader.text, 4 * JFR_TEXT_MAX_BYTES);
	stack_init(&reader.stack, limits->max_depth);
	if (opts->snapshot)
		r = jfr_contexts_read(&reader.contexts, opts->snapshot, opts->snapshot_len, err);
	if (r == 0)
		r = read_chunks(&reader, data, len, err);
	if (r == 0)
		describe(&reader);
	return r;
}

static int same_profile(void *ctx, const struct jfr_kind *kind, const struct labels *labels,
			struct profile **ret_profile, struct err *err)
{
	(void)kind;
	(void)labels;
	(void)err;
	*ret_profile = ctx;
	return 0;
}

int jfr_read(const void *data, size_t len, const struct format_limits *limits, struct profile *into,
	     struct err *err)
{
	struct jfr_split split = {.series = same_profile, .ctx = into};
	struct jfr_opts opts = {0};
	int64_t n_profiles = into->n_profiles;
	int r = jfr_read_split(data, len, &opts, limits, into->names, &split, err);

	/* One file, however many kinds of events it has. */
	into->n_profiles = n_profiles + (r == 0);
	return r;
}
