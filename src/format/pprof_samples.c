/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples with labels into profiles: a series for each set of labels that we do not know, markers and states for
 * those that we do.  What repeats from one sample to the next is kept: the labels, with what they mean, and the
 * common beginning of the stacks.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "format/marker.h"
#include "format/pprof.h"
#include "format/pprof_private.h"
#include "profile/hash.h"

#define PPROF_MAX_RESERVED_NODES ((size_t)1 << 14)
#define NO_STATE STATE_COUNT

/* A distinct set of unknown labels. */
struct pprof_series {
	uint64_t hash;
	char *text; /* canonical form of the labels */
	struct profile *profile;
	int16_t *columns; /* [type * (STATE_COUNT + 1) + state], index + 1 */
};

void pprof_samples_done(struct pprof_samples *samples)
{
	pprof_frames_done(&samples->frames);
	stack_done(&samples->stack);
	arena_done(&samples->arena);
	free(samples->sample_value);
	free(samples->values);
	for (size_t i = 0; i < samples->n_series; i++) {
		free(samples->series[i].text);
		free(samples->series[i].columns);
	}
	free(samples->series);
	free(samples->paths);
	idtab_done(&samples->path_tab);
}

static bool is_text(struct pprof_samples *samples, uint32_t index, const char *text)
{
	return strcmp(pprof_string_text(&samples->frames, index), text) == 0;
}

/* Of "samples/count" it is 1, of a type in the period's unit the period. */
static int64_t sample_value_of(struct pprof_samples *samples, const struct pprof_tables *tables,
			       const struct pprof_value_type *type)
{
	if (is_text(samples, type->type, "samples") && is_text(samples, type->unit, "count"))
		return 1;
	if (tables->period > 0 && tables->period_type.unit == type->unit)
		return tables->period;
	return 0;
}

void pprof_samples_init(struct pprof_samples *samples, const struct pprof_tables *tables,
			const struct format_limits *limits, struct names *names,
			const struct pprof_split *split)
{
	*samples = (struct pprof_samples){
		.tables = tables, .names = names, .split = split, .seed = hash_seed()};
	arena_init(&samples->arena);
	stack_init(&samples->stack, limits->max_depth);
	pprof_frames_init(&samples->frames, tables, names, &samples->stack);
	samples->values = xcalloc(tables->n_types, sizeof(*samples->values));
	samples->sample_value = xcalloc(tables->n_types, sizeof(*samples->sample_value));
	for (size_t i = 0; i < tables->n_types; i++)
		samples->sample_value[i] = sample_value_of(samples, tables, &tables->types[i]);
}

/* ---- what labels mean ---- */

/* Of one sample, sorted into what we know and what makes a series. */
struct meaning {
	int64_t pid, thread_id;
	const char *process, *thread_name;
	size_t state;
	struct labels unknown;
};

/* A number label, or a text that is a number; what is none becomes text. */
static bool label_number(const struct pprof_label *label, const char *text, int64_t *ret_number)
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

static int take_label(struct pprof_samples *samples, const struct pprof_label *label,
		      struct meaning *meaning, struct err *err)
{
	const char *key = pprof_string_text(&samples->frames, (uint32_t)label->key);
	const char *text = pprof_string_text(&samples->frames, (uint32_t)label->str);
	enum thread_state state;

	if (strcmp(key, PPROF_LABEL_PID) == 0 && label_number(label, text, &meaning->pid))
		return 0;
	if (strcmp(key, PPROF_LABEL_THREAD_ID) == 0 &&
	    label_number(label, text, &meaning->thread_id))
		return 0;
	if (!label->str || !*key || strncmp(key, "__", 2) == 0)
		return 0;
	if (strcmp(key, PPROF_LABEL_PROCESS) == 0)
		meaning->process = text;
	else if (strcmp(key, PPROF_LABEL_THREAD_NAME) == 0)
		meaning->thread_name = text;
	else if (strcmp(key, PPROF_LABEL_STATE) == 0 && thread_state_parse(text, &state) == 0)
		meaning->state = state;
	else
		return labels_set(&meaning->unknown, &samples->arena, key, text, err);
	return 0;
}

static void profile_describe(const struct pprof_samples *samples, struct profile *profile)
{
	const struct pprof_tables *tables = samples->tables;
	const struct pprof_text *type = &tables->strings[tables->period_type.type];
	const struct pprof_text *unit = &tables->strings[tables->period_type.unit];

	if (profile->n_profiles++)
		return;
	profile->period_type = names_str(samples->names, type->bytes, type->len);
	profile->period_unit = names_str(samples->names, unit->bytes, unit->len);
	profile->period = max_of(tables->period, (int64_t)0);
	profile->start_ns = max_of(tables->time_ns, (int64_t)0);
	profile->duration_ns = max_of(tables->duration_ns, (int64_t)0);
}

static int column_of(struct pprof_samples *samples, struct pprof_series *series, size_t type,
		     size_t state, struct err *err)
{
	int16_t *index = &series->columns[type * (STATE_COUNT + 1) + state];
	const struct pprof_value_type *wanted = &samples->tables->types[type];
	int column;

	if (*index)
		return *index - 1;
	column = profile_column(series->profile, pprof_string_text(&samples->frames, wanted->type),
				pprof_string_text(&samples->frames, wanted->unit),
				state == NO_STATE ? NULL
						  : thread_state_name((enum thread_state)state));
	if (column < 0)
		return err_set(err, column, "the pprof has more than %d sample types and states",
			       PROFILE_MAX_COLUMNS);
	*index = (int16_t)(column + 1);
	return column;
}

static int new_series(struct pprof_samples *samples, const struct labels *labels,
		      struct pprof_series *series, struct err *err)
{
	int r = 0;

	if (samples->n_series > PPROF_MAX_SERIES)
		return err_set(
			err, ERR_LIMIT,
			"the labels of the pprof's samples make more than %d series: label fewer "
			"things",
			PPROF_MAX_SERIES);
	r = samples->split->series(samples->split->ctx, labels, &series->profile, err);
	if (r < 0)
		return r;
	/* Mostly there is one series, and its stacks are a dozen new nodes each. */
	if (samples->n_series == 1)
		tree_reserve(&series->profile->tree,
			     (uint32_t)min_of(samples->tables->n_samples * 16,
					      PPROF_MAX_RESERVED_NODES));
	profile_describe(samples, series->profile);
	series->columns = xcalloc(samples->tables->n_types * (STATE_COUNT + 1), sizeof(int16_t));
	/* Without a sample the types are all that is known: they stay. */
	for (size_t i = 0; r >= 0 && !samples->tables->n_samples && i < samples->tables->n_types;
	     i++)
		r = column_of(samples, series, i, NO_STATE, err);
	return min_of(r, 0);
}

static int find_series(struct pprof_samples *samples, const struct labels *labels,
		       struct pprof_series **ret_series, struct err *err)
{
	cleanup(buf_done) struct buf text = {.ceiling = LABELS_MAX * 8192};
	struct pprof_series *series;
	uint64_t hash;

	labels_format(labels, &text);
	buf_putc(&text, '\0');
	hash = hash_bytes(samples->seed, text.data, text.len);
	for (size_t i = 0; i < samples->n_series; i++) {
		series = &samples->series[i];
		if (series->hash == hash && strcmp(series->text, text.data) == 0) {
			*ret_series = series;
			return 0;
		}
	}
	samples->series = vec_grow(samples->series, &samples->series_cap, samples->n_series + 1,
				   sizeof(*samples->series));
	series = &samples->series[samples->n_series++];
	*series = (struct pprof_series){.hash = hash, .text = xstrdup(text.data)};
	*ret_series = series;
	return new_series(samples, labels, series, err);
}

/* The series, markers and state of the sample at hand; nothing to do when its labels are the last ones. */
static int settle_labels(struct pprof_samples *samples, struct err *err)
{
	struct meaning meaning = {.state = NO_STATE};
	struct pprof_series *before = samples->at_series;
	size_t bytes = samples->n_labels * sizeof(*samples->labels);
	struct tree *tree;
	int r;

	if (before && samples->n_labels == samples->n_last_labels &&
	    (!bytes || memcmp(samples->labels, samples->last_labels, bytes) == 0))
		return 0;
	samples->at_series = NULL;
	for (size_t i = 0; i < samples->n_labels; i++) {
		r = take_label(samples, &samples->labels[i], &meaning, err);
		if (r < 0)
			return r;
	}
	r = find_series(samples, &meaning.unknown, &samples->at_series, err);
	arena_reset(&samples->arena);
	if (r < 0)
		return r;
	stack_forget(&samples->stack);
	tree = &samples->at_series->profile->tree;
	samples->at_base = (struct node_id){0};
	if (meaning.pid || meaning.process)
		samples->at_base =
			tree_child(tree, samples->at_base,
				   marker_process(samples->names, meaning.pid, meaning.process));
	if (meaning.thread_id || meaning.thread_name)
		samples->at_base = tree_child(
			tree, samples->at_base,
			marker_thread(samples->names, meaning.thread_id, meaning.thread_name));
	samples->at_state = meaning.state;
	memcpy(samples->last_labels, samples->labels, bytes);
	samples->n_last_labels = samples->n_labels;
	return 0;
}

/* ---- the request of a sample ---- */

static bool key_is(const struct pprof_text *key, const char *name)
{
	return key->len == strlen(name) && memcmp(key->bytes, name, key->len) == 0;
}

/*
 * Is that what the label says?  Such labels differ from sample to sample: kept apart, they leave what the others mean
 * as it was.
 */
static bool take_span_label(struct pprof_samples *samples, const struct pprof_label *label)
{
	const struct pprof_text *key = &samples->tables->strings[label->key];
	const struct pprof_text *text = &samples->tables->strings[label->str];
	bool is_legacy = key_is(key, "profile_id");
	int r;

	if (key_is(key, "trace_id"))
		r = trace_id_parse(text->bytes, text->len, &samples->span.trace);
	else if (key_is(key, "span_id"))
		r = span_id_parse(text->bytes, text->len, &samples->span.id);
	else if (is_legacy && !samples->span.id.v)
		r = span_id_parse(text->bytes, text->len, &samples->span.id);
	else
		return is_legacy;
	samples->is_span_spoilt |= r < 0;
	return true;
}

void pprof_sample_span(struct pprof_samples *samples, const struct span *span, bool is_spoilt)
{
	samples->span = *span;
	samples->is_span_spoilt = is_spoilt;
}

/* The sample's values are its span's, too. */
static void add_span(struct pprof_samples *samples, struct profile *profile, struct node_id node)
{
	bool is_none = !samples->span.id.v && trace_id_is_none(&samples->span.trace);
	const int16_t *columns = samples->at_series->columns; /* made by adding the values */
	uint32_t span;

	if (!samples->split->keeps_spans || (is_none && !samples->is_span_spoilt))
		return;
	if (!profile->spans)
		profile->spans = spans_new();
	profile->spans->n_malformed += samples->is_span_spoilt;
	if (is_none)
		return;
	span = spans_index(profile->spans, &samples->span);
	for (size_t i = 0; i < samples->n_values; i++)
		spans_add(profile->spans, span, node,
			  (uint32_t)columns[i * (STATE_COUNT + 1) + samples->at_state] - 1,
			  samples->values[i]);
}

/* ---- a sample ---- */

void pprof_sample_begin(struct pprof_samples *samples)
{
	stack_reset(&samples->stack);
	samples->n_values = samples->n_labels = 0;
	samples->span = (struct span){0};
	samples->is_span_spoilt = false;
}

int pprof_too_many_frames(struct err *err)
{
	return err_set(err, ERR_LIMIT, "the stacks have more than %u frames",
		       PPROF_MAX_FRAMES_PUSHED);
}

int pprof_sample_value(struct pprof_samples *samples, uint64_t value, struct err *err)
{
	if (samples->n_values == samples->tables->n_types)
		return err_set(err, ERR_CORRUPT,
			       "not a valid pprof: a sample has more values than there are types");
	if (value > INT64_MAX)
		return err_set(err, ERR_CORRUPT,
			       "not a valid profile: a sample has the negative value %" PRId64,
			       (int64_t)value);
	samples->values[samples->n_values++] = (int64_t)value;
	return 0;
}

int pprof_sample_label(struct pprof_samples *samples, const struct pprof_label *label,
		       struct err *err)
{
	if (take_span_label(samples, label))
		return 0;
	if (samples->n_labels == PPROF_MAX_LABELS_PER_SAMPLE)
		return err_set(err, ERR_LIMIT, "a sample has more than %d labels",
			       PPROF_MAX_LABELS_PER_SAMPLE);
	samples->labels[samples->n_labels++] = *label;
	return 0;
}

/* Stacks are added up before they are sent: an entry stands for as many samples as its value says. */
static int64_t count_samples(const struct pprof_samples *samples)
{
	for (size_t i = 0; i < samples->n_values; i++)
		if (samples->sample_value[i] > 0)
			return max_of(samples->values[i] / samples->sample_value[i], (int64_t)1);
	return 1;
}

int pprof_sample_settle(struct pprof_samples *samples, struct err *err)
{
	return settle_labels(samples, err);
}

int pprof_sample_add_at(struct pprof_samples *samples, struct node_id node, struct err *err)
{
	struct profile *profile = samples->at_series->profile;
	int64_t n_samples = count_samples(samples);

	for (size_t i = 0; i < samples->n_values; i++) {
		int column = column_of(samples, samples->at_series, i, samples->at_state, err);

		if (column < 0)
			return column;
		profile_add(profile, (size_t)column, node, samples->values[i]);
	}
	add_span(samples, profile, node);
	profile->n_samples += min_of(n_samples, INT64_MAX - profile->n_samples);
	return 0;
}

static struct node_id node_of_stack(struct pprof_samples *samples)
{
	return stack_node(&samples->stack, &samples->at_series->profile->tree, samples->names,
			  samples->at_base, true);
}

int pprof_sample_add(struct pprof_samples *samples, struct err *err)
{
	int r = settle_labels(samples, err);

	return r < 0 ? r : pprof_sample_add_at(samples, node_of_stack(samples), err);
}

/* ---- stacks that come again ---- */

/* Of one series, below one base. */
struct pprof_path {
	const void *bytes;
	size_t len;
	size_t series;
	struct node_id base, node;
};

static struct pprof_path path_at_hand(const struct pprof_samples *samples, const void *bytes,
				      size_t len)
{
	return (struct pprof_path){.bytes = bytes,
				   .len = len,
				   .series = (size_t)(samples->at_series - samples->series),
				   .base = samples->at_base};
}

static uint64_t path_hash(const struct pprof_samples *samples, const struct pprof_path *path)
{
	return hash_bytes(samples->seed, path->bytes, path->len) ^
	       hash_pair(samples->seed, (uint32_t)path->series, path->base.v);
}

static bool path_equal(const void *things, uint32_t id, const void *key)
{
	const struct pprof_path *mine = &((const struct pprof_samples *)things)->paths[id];
	const struct pprof_path *other = key;

	return mine->len == other->len && mine->series == other->series &&
	       mine->base.v == other->base.v && memcmp(mine->bytes, other->bytes, mine->len) == 0;
}

bool pprof_sample_find(struct pprof_samples *samples, const void *bytes, size_t len,
		       struct node_id *ret_node)
{
	struct pprof_path path = path_at_hand(samples, bytes, len);
	uint32_t id = idtab_find(&samples->path_tab, path_hash(samples, &path), path_equal, samples,
				 &path);

	if (id != UINT32_MAX)
		*ret_node = samples->paths[id].node;
	return id != UINT32_MAX;
}

struct node_id pprof_sample_learn(struct pprof_samples *samples, const void *bytes, size_t len)
{
	struct pprof_path path = path_at_hand(samples, bytes, len);

	path.node = node_of_stack(samples);
	samples->paths = vec_grow_raw(samples->paths, &samples->paths_cap, samples->n_paths + 1,
				      sizeof(*samples->paths));
	idtab_add(&samples->path_tab, path_hash(samples, &path), (uint32_t)samples->n_paths);
	samples->paths[samples->n_paths++] = path;
	return path.node;
}

int pprof_samples_none(struct pprof_samples *samples, struct err *err)
{
	samples->n_labels = 0;
	return settle_labels(samples, err);
}
