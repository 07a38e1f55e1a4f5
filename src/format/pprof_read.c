/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of a pprof file into profiles.  What repeats from one sample to the next is kept: the labels
 * (with the series, markers and state that they mean) and the common beginning of the stacks.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "codec/gzip.h"
#include "codec/proto.h"
#include "format/marker.h"
#include "format/pprof.h"
#include "format/pprof_private.h"
#include "format/stack.h"
#include "profile/hash.h"

#define PPROF_MAX_LABELS_PER_SAMPLE 64
/* Locations times their inlined lines, over the whole file: seconds of work, not minutes. */
#define PPROF_MAX_FRAMES_PUSHED (256u << 20)
#define PPROF_MAX_RESERVED_NODES ((size_t)1 << 14)
#define NO_STATE STATE_COUNT

struct label_ref {
	uint64_t key, str; /* strings; str 0: a number */
	int64_t num;
};

/* A distinct set of unknown labels. */
struct series {
	uint64_t hash;
	char *text; /* canonical form of the labels */
	struct profile *profile;
	int16_t *columns; /* [type * (STATE_COUNT + 1) + state], index + 1 */
};

struct reader {
	struct pprof_tables tables;
	struct names *names;
	const struct pprof_split *split;
	struct stack stack;
	struct arena arena; /* of one look-up of labels */
	uint64_t seed;
	struct pprof_frames frames;
	int64_t *sample_value; /* per type: the value of one sample; 0: it does not tell */

	struct series *series;
	size_t n_series, series_cap;

	/* Of the sample at hand. */
	int64_t *values;
	size_t n_values;
	struct label_ref labels[PPROF_MAX_LABELS_PER_SAMPLE];
	size_t n_labels;

	/* What the labels of the last sample meant. */
	struct label_ref last_labels[PPROF_MAX_LABELS_PER_SAMPLE];
	size_t n_last_labels;
	struct series *at_series; /* NULL: nothing known yet */
	struct node_id at_base;
	size_t at_state; /* or NO_STATE */
};

static void reader_done(struct reader *reader)
{
	pprof_frames_done(&reader->frames);
	pprof_tables_done(&reader->tables);
	stack_done(&reader->stack);
	arena_done(&reader->arena);
	free(reader->sample_value);
	free(reader->values);
	for (size_t i = 0; i < reader->n_series; i++) {
		free(reader->series[i].text);
		free(reader->series[i].columns);
	}
	free(reader->series);
}

/* ---- fields of a sample ---- */

static int read_locations(struct reader *reader, const struct proto_field *field, struct err *err)
{
	struct proto_list list = proto_list(field);
	uint64_t id;

	while (proto_list_next(&list, &id)) {
		uint32_t location = pprof_find_location(&reader->tables, id);

		if (!location)
			return err_set(err, ERR_CORRUPT,
				       "not a valid pprof: a sample names location %" PRIu64
				       ", which is not there",
				       id);
		pprof_push_location(&reader->frames, location - 1);
		if (reader->frames.pushed > PPROF_MAX_FRAMES_PUSHED)
			return err_set(err, ERR_LIMIT,
				       "the stacks of the pprof have more than %u frames",
				       PPROF_MAX_FRAMES_PUSHED);
	}
	return list.bad ? ERR_CORRUPT : 0;
}

static int read_values(struct reader *reader, const struct proto_field *field, struct err *err)
{
	struct proto_list list = proto_list(field);
	uint64_t value;

	while (proto_list_next(&list, &value)) {
		if (reader->n_values == reader->tables.n_types)
			return err_set(
				err, ERR_CORRUPT,
				"not a valid pprof: a sample has more values than there are types");
		if (value > INT64_MAX)
			return err_set(
				err, ERR_CORRUPT,
				"not a valid profile: a sample has the negative value %" PRId64,
				(int64_t)value);
		reader->values[reader->n_values++] = (int64_t)value;
	}
	return list.bad ? ERR_CORRUPT : 0;
}

static int read_label(struct reader *reader, struct cursor message, struct err *err)
{
	struct label_ref label = {0};
	struct proto_field field;

	while (proto_next(&message, &field)) {
		if (field.number == PPROF_LABEL_NUM) {
			label.num = (int64_t)field.value;
			continue;
		}
		if (field.number != PPROF_LABEL_KEY && field.number != PPROF_LABEL_STR &&
		    field.number != PPROF_LABEL_NUM_UNIT)
			continue;
		if (pprof_check_string(&reader->tables, field.value, "a label", err) < 0)
			return ERR_CORRUPT;
		if (field.number == PPROF_LABEL_KEY)
			label.key = field.value;
		else if (field.number == PPROF_LABEL_STR)
			label.str = field.value;
	}
	if (message.bad)
		return ERR_CORRUPT;
	if (reader->n_labels == PPROF_MAX_LABELS_PER_SAMPLE)
		return err_set(err, ERR_LIMIT, "a sample of the pprof has more than %d labels",
			       PPROF_MAX_LABELS_PER_SAMPLE);
	reader->labels[reader->n_labels++] = label;
	return 0;
}

static int read_sample_fields(struct reader *reader, struct cursor message, struct err *err)
{
	struct proto_field field;
	int r = 0;

	stack_reset(&reader->stack);
	reader->n_values = reader->n_labels = 0;
	while (r == 0 && proto_next(&message, &field)) {
		if (field.number == SAMPLE_LOCATION_ID)
			r = read_locations(reader, &field, err);
		else if (field.number == SAMPLE_VALUE)
			r = read_values(reader, &field, err);
		else if (field.number == SAMPLE_LABEL)
			r = read_label(reader, proto_message(&field), err);
	}
	if (r == 0 && message.bad)
		r = ERR_CORRUPT;
	if (r == 0 && reader->n_values != reader->tables.n_types)
		return err_set(err, ERR_CORRUPT,
			       "not a valid pprof: a sample has %zu values for %zu types",
			       reader->n_values, reader->tables.n_types);
	if (r == ERR_CORRUPT && err && !err->code)
		return err_set(err, r, "not a valid pprof: a sample is malformed or cut off");
	return r;
}

/* ---- what labels mean ---- */

/* Of one sample, sorted into what we know and what makes a series. */
struct meaning {
	int64_t pid, thread_id;
	const char *process, *thread_name;
	size_t state;
	struct labels unknown;
};

static bool is_request_label(const char *key)
{
	static const char *const keys[] = {"span_id", "trace_id", "profile_id"};

	for (size_t i = 0; i < array_len(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

/* A number label, or a text that is a number; what is none becomes text. */
static bool label_number(const struct label_ref *label, const char *text, int64_t *ret_number)
{
	char *end;
	long long number;

	if (!label->str) {
		*ret_number = label->num;
		return true;
	}
	if (*text < '1' || *text > '9')
		return false;
	number = strtoll(text, &end, 10);
	if (*end || number == INT64_MAX)
		return false;
	*ret_number = number;
	return true;
}

static int take_label(struct reader *reader, const struct label_ref *label, struct meaning *meaning,
		      struct err *err)
{
	const char *key = pprof_string_text(&reader->frames, (uint32_t)label->key);
	const char *text = pprof_string_text(&reader->frames, (uint32_t)label->str);
	enum thread_state state;

	if (strcmp(key, PPROF_LABEL_PID) == 0 && label_number(label, text, &meaning->pid))
		return 0;
	if (strcmp(key, PPROF_LABEL_THREAD_ID) == 0 &&
	    label_number(label, text, &meaning->thread_id))
		return 0;
	if (!label->str || !*key || strncmp(key, "__", 2) == 0 || is_request_label(key))
		return 0;
	if (strcmp(key, PPROF_LABEL_PROCESS) == 0)
		meaning->process = text;
	else if (strcmp(key, PPROF_LABEL_THREAD_NAME) == 0)
		meaning->thread_name = text;
	else if (strcmp(key, PPROF_LABEL_STATE) == 0 && thread_state_parse(text, &state) == 0)
		meaning->state = state;
	else
		return labels_set(&meaning->unknown, &reader->arena, key, text, err);
	return 0;
}

static void profile_describe(const struct reader *reader, struct profile *profile)
{
	const struct pprof_tables *tables = &reader->tables;
	const struct pprof_text *type = &tables->strings[tables->period_type.type];
	const struct pprof_text *unit = &tables->strings[tables->period_type.unit];

	if (profile->n_profiles++)
		return;
	profile->period_type = names_str(reader->names, type->bytes, type->len);
	profile->period_unit = names_str(reader->names, unit->bytes, unit->len);
	profile->period = max_of(tables->period, (int64_t)0);
	profile->start_ns = max_of(tables->time_ns, (int64_t)0);
	profile->duration_ns = max_of(tables->duration_ns, (int64_t)0);
}

static int column_of(struct reader *reader, struct series *series, size_t type, size_t state,
		     struct err *err)
{
	int16_t *index = &series->columns[type * (STATE_COUNT + 1) + state];
	const struct pprof_value_type *wanted = &reader->tables.types[type];
	int column;

	if (*index)
		return *index - 1;
	column = profile_column(series->profile, pprof_string_text(&reader->frames, wanted->type),
				pprof_string_text(&reader->frames, wanted->unit),
				state == NO_STATE ? NULL
						  : thread_state_name((enum thread_state)state));
	if (column < 0)
		return err_set(err, column, "the pprof has more than %d sample types and states",
			       PROFILE_MAX_COLUMNS);
	*index = (int16_t)(column + 1);
	return column;
}

static int new_series(struct reader *reader, const struct labels *labels, struct series *series,
		      struct err *err)
{
	int r = 0;

	if (reader->n_series > PPROF_MAX_SERIES)
		return err_set(
			err, ERR_LIMIT,
			"the labels of the pprof's samples make more than %d series: label fewer "
			"things",
			PPROF_MAX_SERIES);
	r = reader->split->series(reader->split->ctx, labels, &series->profile, err);
	if (r < 0)
		return r;
	/* Mostly there is one series, and its stacks are a dozen new nodes each. */
	if (reader->n_series == 1)
		tree_reserve(&series->profile->tree, (uint32_t)min_of(reader->tables.n_samples * 16,
								      PPROF_MAX_RESERVED_NODES));
	profile_describe(reader, series->profile);
	series->columns = xcalloc(reader->tables.n_types * (STATE_COUNT + 1), sizeof(int16_t));
	/* Without a sample the types are all that is known: they stay. */
	for (size_t i = 0; r >= 0 && !reader->tables.n_samples && i < reader->tables.n_types; i++)
		r = column_of(reader, series, i, NO_STATE, err);
	return min_of(r, 0);
}

static int find_series(struct reader *reader, const struct labels *labels,
		       struct series **ret_series, struct err *err)
{
	cleanup(buf_done) struct buf text = {.ceiling = LABELS_MAX * 8192};
	struct series *series;
	uint64_t hash;

	labels_format(labels, &text);
	buf_putc(&text, '\0');
	hash = hash_bytes(reader->seed, text.data, text.len);
	for (size_t i = 0; i < reader->n_series; i++) {
		series = &reader->series[i];
		if (series->hash == hash && strcmp(series->text, text.data) == 0) {
			*ret_series = series;
			return 0;
		}
	}
	reader->series = vec_grow(reader->series, &reader->series_cap, reader->n_series + 1,
				  sizeof(*reader->series));
	series = &reader->series[reader->n_series++];
	*series = (struct series){.hash = hash, .text = xstrdup(text.data)};
	*ret_series = series;
	return new_series(reader, labels, series, err);
}

/* The series, markers and state of the sample at hand; nothing to do when its labels are the last ones. */
static int settle_labels(struct reader *reader, struct err *err)
{
	struct meaning meaning = {.state = NO_STATE};
	struct series *before = reader->at_series;
	size_t bytes = reader->n_labels * sizeof(*reader->labels);
	struct tree *tree;
	int r;

	if (before && reader->n_labels == reader->n_last_labels &&
	    (!bytes || memcmp(reader->labels, reader->last_labels, bytes) == 0))
		return 0;
	reader->at_series = NULL;
	for (size_t i = 0; i < reader->n_labels; i++) {
		r = take_label(reader, &reader->labels[i], &meaning, err);
		if (r < 0)
			return r;
	}
	r = find_series(reader, &meaning.unknown, &reader->at_series, err);
	arena_reset(&reader->arena);
	if (r < 0)
		return r;
	stack_forget(&reader->stack);
	tree = &reader->at_series->profile->tree;
	reader->at_base = (struct node_id){0};
	if (meaning.pid || meaning.process)
		reader->at_base =
			tree_child(tree, reader->at_base,
				   marker_process(reader->names, meaning.pid, meaning.process));
	if (meaning.thread_id || meaning.thread_name)
		reader->at_base = tree_child(
			tree, reader->at_base,
			marker_thread(reader->names, meaning.thread_id, meaning.thread_name));
	reader->at_state = meaning.state;
	memcpy(reader->last_labels, reader->labels, bytes);
	reader->n_last_labels = reader->n_labels;
	return 0;
}

/* ---- samples ---- */

/* Stacks are added up before they are sent: an entry stands for as many samples as its value says. */
static int64_t count_samples(const struct reader *reader)
{
	for (size_t i = 0; i < reader->n_values; i++)
		if (reader->sample_value[i] > 0)
			return max_of(reader->values[i] / reader->sample_value[i], (int64_t)1);
	return 1;
}

static int add_sample(struct reader *reader, struct err *err)
{
	struct profile *profile = reader->at_series->profile;
	struct node_id node =
		stack_node(&reader->stack, &profile->tree, reader->names, reader->at_base, true);
	int64_t n_samples = count_samples(reader);

	for (size_t i = 0; i < reader->n_values; i++) {
		int column = column_of(reader, reader->at_series, i, reader->at_state, err);

		if (column < 0)
			return column;
		profile_add(profile, (size_t)column, node, reader->values[i]);
	}
	profile->n_samples += min_of(n_samples, INT64_MAX - profile->n_samples);
	return 0;
}

static int read_samples(struct reader *reader, struct err *err)
{
	int r = 0;

	if (err)
		err->code = 0;
	if (!reader->tables.n_samples)
		r = settle_labels(reader, err);
	for (size_t i = 0; r == 0 && i < reader->tables.n_samples; i++) {
		r = read_sample_fields(reader, reader->tables.samples[i], err);
		if (r == 0)
			r = settle_labels(reader, err);
		if (r == 0)
			r = add_sample(reader, err);
	}
	return r;
}

static bool is_text(struct reader *reader, uint32_t index, const char *text)
{
	return strcmp(pprof_string_text(&reader->frames, index), text) == 0;
}

/* Of "samples/count" it is 1, of a type in the period's unit the period. */
static int64_t sample_value_of(struct reader *reader, const struct pprof_tables *tables,
			       const struct pprof_value_type *type)
{
	if (is_text(reader, type->type, "samples") && is_text(reader, type->unit, "count"))
		return 1;
	if (tables->period > 0 && tables->period_type.unit == type->unit)
		return tables->period;
	return 0;
}

static void prepare(struct reader *reader, const struct format_limits *limits)
{
	const struct pprof_tables *tables = &reader->tables;

	stack_init(&reader->stack, limits->max_depth);
	pprof_frames_init(&reader->frames, tables, reader->names, &reader->stack);
	reader->values = xcalloc(tables->n_types, sizeof(*reader->values));
	reader->sample_value = xcalloc(tables->n_types, sizeof(*reader->sample_value));
	for (size_t i = 0; i < tables->n_types; i++)
		reader->sample_value[i] = sample_value_of(reader, tables, &tables->types[i]);
}

static int read_raw(const void *data, size_t len, const struct format_limits *limits,
		    struct names *names, const struct pprof_split *split, struct err *err)
{
	cleanup(reader_done) struct reader reader = {
		.names = names, .split = split, .seed = hash_seed()};
	int r = pprof_tables_read(&reader.tables, data, len, limits, err);

	if (r < 0)
		return r;
	arena_init(&reader.arena);
	prepare(&reader, limits);
	return read_samples(&reader, err);
}

/* Bodies that people send by mistake, by how they begin. */
static int refuse_other_formats(const void *data, size_t len, struct err *err)
{
	static const struct {
		const char *begin, *what;
	} others[] = {
		{"{", "JSON"},
		{"[", "JSON"},
		{"<", "HTML or XML"},
		{"\x7f"
		 "ELF",
		 "a program (ELF)"},
		{"heap profile:", "a legacy heap profile (text)"},
		{"goroutine profile:", "a legacy goroutine profile (text)"},
		{"threadcreate profile:", "a legacy thread profile (text)"},
		{"--- ", "a legacy contention profile (text)"},
		{"%warn", "a legacy profile (text)"},
		{"\xef\xbb\xbf", "text with a byte order mark"},
	};

	if (!len)
		return err_set(err, ERR_CORRUPT, "the pprof body is empty");
	for (size_t i = 0; i < array_len(others); i++) {
		size_t n = strlen(others[i].begin);

		if (len >= n && memcmp(data, others[i].begin, n) == 0)
			return err_set(
				err, ERR_UNSUPPORTED,
				"this is %s, not a pprof: send profile.proto, gzipped or not",
				others[i].what);
	}
	return 0;
}

int pprof_read_split(const void *data, size_t len, const struct format_limits *limits,
		     struct names *names, const struct pprof_split *split, struct err *err)
{
	struct codec_limits codec_limits = codec_limits_of(limits->max_inflated_bytes);
	cleanup(buf_done) struct buf raw = {0};
	int r = refuse_other_formats(data, len, err);

	if (r < 0)
		return r;
	if (gzip_is_gzip(data, len)) {
		buf_init(&raw, limits->max_inflated_bytes);
		r = gzip_decompress(data, len, &codec_limits, split->loan, &raw, err);
		if (r == 0)
			r = refuse_other_formats(raw.data, raw.len, err);
		return r < 0 ? r : read_raw(raw.data, raw.len, limits, names, split, err);
	}
	if (len > limits->max_inflated_bytes)
		return err_set(err, ERR_LIMIT, "the pprof has %zu bytes, the limit is %zu", len,
			       limits->max_inflated_bytes);
	return read_raw(data, len, limits, names, split, err);
}

static int same_profile(void *ctx, const struct labels *labels, struct profile **ret_profile,
			struct err *err)
{
	(void)labels;
	(void)err;
	*ret_profile = ctx;
	return 0;
}

int pprof_read(const void *data, size_t len, const struct format_limits *limits,
	       struct profile *into, struct err *err)
{
	struct pprof_split split = {.series = same_profile, .ctx = into};
	int64_t n_profiles = into->n_profiles;
	int r = pprof_read_split(data, len, limits, into->names, &split, err);

	/* One file, however many sets of labels it has. */
	into->n_profiles = n_profiles + (r == 0);
	return r;
}
