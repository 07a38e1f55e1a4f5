/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/gzip.h"
#include "format/pprof.h"
#include "server/sample_types.h"
#include "server/upload_private.h"

/* Room for "/999g" behind the client's identity. */
#define ID_SUFFIX_BYTES 6
/* Earlier than this a time is not a time: profilers that know none send 0 or small numbers. */
#define TIME_LEAST_NS (365ll * 86400 * NS_PER_S)

struct upload *upload_new(struct server *server, const struct caller *caller)
{
	struct upload *upload = calloc(1, sizeof(*upload));

	if (!upload)
		abort();
	upload->server = server;
	upload->caller = caller;
	upload->format_limits = format_limits_server;
	limits_set_format(&server->config.limits, &upload->format_limits);
	upload->names = names_new();
	upload->loan = codec_loan_from(&server->budget);
	upload->last = &upload->first;
	arena_init(&upload->arena);
	pthread_mutex_init(&upload->lock, NULL);
	return upload;
}

static void free_items(struct upload *upload)
{
	while (upload->first) {
		struct item *item = upload->first;

		upload->first = item->next;
		profile_done(&item->profile);
		free(item);
	}
	upload->last = &upload->first;
	upload->n_items = 0;
}

void upload_free(struct upload *upload)
{
	if (!upload)
		return;
	free_items(upload);
	names_free(upload->names);
	codec_loan_return(&upload->loan);
	arena_done(&upload->arena);
	pthread_mutex_destroy(&upload->lock);
	free(upload);
}

void upload_note_body(struct upload *upload, size_t sent_bytes, size_t inflated_bytes)
{
	struct server_counters *counters = &upload->server->counters;

	upload->body_bytes = inflated_bytes ? inflated_bytes : sent_bytes;
	atomic_fetch_add(&counters->upload_bytes, sent_bytes);
	atomic_fetch_add(&counters->inflated_bytes, inflated_bytes);
}

struct codec_loan *upload_loan(struct upload *upload)
{
	return &upload->loan;
}

const struct limits *upload_limits(const struct upload *upload)
{
	return &upload->server->config.limits;
}

const struct format_limits *upload_format_limits(const struct upload *upload)
{
	return &upload->format_limits;
}

struct names *upload_names(struct upload *upload)
{
	return upload->names;
}

struct arena *upload_arena(struct upload *upload)
{
	return &upload->arena;
}

/* ---- decoding ---- */

static void note_service(struct upload *upload, const struct labels *labels)
{
	const char *service = labels_get(labels, LABEL_SERVICE);

	snprintf(upload->service, sizeof(upload->service), "%.*s", UPLOAD_SERVICE_BYTES - 1,
		 service ? service : "");
}

/* What labels.h takes is the most that can be configured. */
static int check_labels(const struct upload *upload, const struct labels *labels, struct err *err)
{
	const struct limits *limits = upload_limits(upload);

	if (labels->n > limits->max_labels)
		return err_because(err, ERR_LIMIT, "max_label_names_per_series", "%zu labels",
				   labels->n);
	for (size_t i = 0; i < labels->n; i++) {
		if (strlen(labels->items[i].name) > limits->max_label_name_bytes)
			return err_because(err, ERR_LIMIT, "label_name_too_long",
					   "label name is too long: %.64s…", labels->items[i].name);
		if (strlen(labels->items[i].value) > limits->max_label_value_bytes)
			return err_because(err, ERR_LIMIT, "label_value_too_long",
					   "value of label %s is too long", labels->items[i].name);
	}
	return 0;
}

static int add_item(struct upload *upload, const struct labels *labels, struct item **ret_item,
		    struct err *err)
{
	struct item *item;
	int r;

	note_service(upload, labels);
	r = check_labels(upload, labels, err);
	if (r < 0)
		return r;
	if (upload->n_items >= upload_limits(upload)->max_profiles)
		return err_because(err, ERR_LIMIT, "profiles_limit",
				   "more than %zu profiles in one request",
				   upload_limits(upload)->max_profiles);
	item = calloc(1, sizeof(*item));
	if (!item)
		abort();
	item->upload = upload;
	item->labels = *labels;
	profile_init(&item->profile, upload->names);
	*upload->last = item;
	upload->last = &item->next;
	upload->n_items++;
	*ret_item = item;
	return 0;
}

/* Labels that would make a series of every request, or that are ours. */
static bool is_dropped_label(const char *name)
{
	static const char *const spans[] = {"profile_id", "span_id", "trace_id", LABEL_SERVICE};

	for (size_t i = 0; i < array_len(spans); i++)
		if (strcmp(name, spans[i]) == 0)
			return true;
	return strncmp(name, "__", 2) == 0;
}

static bool labels_equal(const struct labels *a, const struct labels *b)
{
	for (size_t i = 0; a->n == b->n && i < a->n; i++)
		if (strcmp(a->items[i].name, b->items[i].name) != 0 ||
		    strcmp(a->items[i].value, b->items[i].value) != 0)
			return false;
	return a->n == b->n;
}

int upload_split_series(void *ctx, const struct labels *labels, struct profile **ret_profile,
			struct err *err)
{
	struct upload_split *splitting = ctx;
	struct labels all = *splitting->origin->labels;
	struct item *item;
	int r = 0;

	for (size_t i = 0; r == 0 && i < labels->n; i++)
		if (!is_dropped_label(labels->items[i].name))
			r = labels_set(&all, &splitting->upload->arena, labels->items[i].name,
				       labels->items[i].value, err);
	if (r < 0)
		return r;
	/* Sets that differ only in what was dropped are one series. */
	for (item = *splitting->first; item; item = item->next)
		if (item->kind == splitting->kind && labels_equal(&item->labels, &all))
			break;
	if (!item)
		r = add_item(splitting->upload, &all, &item, err);
	if (r < 0)
		return r;
	item->kind = splitting->kind;
	item->metric = splitting->metric;
	*ret_profile = &item->profile;
	return 0;
}

/* Is it said when it began, and nowhere how long it is? */
static bool is_moment(const struct profile *profile, const struct upload_origin *origin)
{
	return profile->duration_ns <= 0 && profile->start_ns >= TIME_LEAST_NS &&
	       !(origin->from_ns && origin->until_ns > origin->from_ns);
}

static void set_times(struct profile *profile, const struct upload_origin *origin)
{
	if (profile->duration_ns <= 0)
		profile->duration_ns = origin->until_ns > origin->from_ns && origin->from_ns
					       ? origin->until_ns - origin->from_ns
					       : UPLOAD_DEFAULT_DURATION_NS;
	if (profile->start_ns >= TIME_LEAST_NS)
		return;
	profile->start_ns =
		origin->from_ns ? origin->from_ns : clock_real_ns() - profile->duration_ns;
}

static int set_id(struct upload *upload, struct item *item, const char *id, size_t index,
		  struct err *err)
{
	int len;

	if (!id || !*id)
		return 0;
	if (strlen(id) > STORE_ID_MAX_BYTES - ID_SUFFIX_BYTES)
		return err_set(err, ERR_USAGE, "the ID of a profile is longer than %d bytes",
			       STORE_ID_MAX_BYTES - ID_SUFFIX_BYTES);
	item->profile_id = arena_strndup(&upload->arena, id, strlen(id));
	if (index)
		len = snprintf(item->id, sizeof(item->id), "%s/%zu", id, index);
	else
		len = snprintf(item->id, sizeof(item->id), "%s", id);
	assert(len < (int)sizeof(item->id)); /* index < UPLOAD_MAX_PROFILES */
	return 0;
}

static int set_metric(struct upload *upload, struct item *item, const struct upload_origin *origin,
		      struct err *err)
{
	const char *metric = item->metric ? item->metric : origin->metric;

	if (origin->counts)
		metric = sample_types_name_counts(&item->profile, origin->counts);
	else if (!metric)
		metric = sample_types_metric(&item->profile, origin->types);
	return labels_set(&item->labels, &upload->arena, LABEL_METRIC, metric, err);
}

/* The columns become an item of their own, told apart by the suffix of its id, unless they are all that there is. */
static int split_off(struct upload *upload, struct item *item, uint64_t columns, char suffix,
		     struct item **ret_part, struct err *err)
{
	struct profile rest;
	struct item *part;
	int r;

	*ret_part = item;
	if (sample_types_are_all(&item->profile, columns))
		return 0;
	r = add_item(upload, &item->labels, &part, err);
	if (r < 0)
		return r;
	part->is_part = true;
	part->profile_id = item->profile_id;
	if (item->id[0])
		snprintf(part->id, sizeof(part->id), "%.*s%c", (int)sizeof(part->id) - 2, item->id,
			 suffix);
	sample_types_take(&item->profile, columns, &part->profile);
	profile_init(&rest, upload->names);
	sample_types_take(&item->profile, ~columns, &rest);
	profile_done(&item->profile);
	item->profile = rest;
	*ret_part = part;
	return 0;
}

static void count_spoilt_spans(struct upload *upload, const struct item *item)
{
	const struct spans *spans = item->profile.spans;

	if (spans && spans->n_malformed)
		atomic_fetch_add(&upload->server->counters.spoilt_spans, spans->n_malformed);
}

/* Levels, counters and flows apart.  What covers a duration is a difference, whatever it counts (delta.h). */
static int split_kinds(struct upload *upload, struct item *item, const struct upload_origin *origin,
		       bool has_duration, struct err *err)
{
	const char *metric = labels_get(&item->labels, LABEL_METRIC);
	bool is_all = origin->is_gauge || (origin->counts && origin->counts->is_gauge);
	uint64_t columns = sample_types_gauges(&item->profile, origin->types, is_all);
	struct item *part;
	int r = 0;

	if (columns) {
		r = split_off(upload, item, columns, 'g', &part, err);
		if (r < 0)
			return r;
		part->is_gauge = true;
		if (part == item)
			return 0;
	}
	columns = sample_types_counters(&item->profile, metric, origin->types,
					origin->may_be_cumulative && !has_duration);
	if (columns) {
		r = split_off(upload, item, columns, 'c', &part, err);
		if (r == 0)
			part->is_counter = true;
	}
	return r;
}

void upload_split_begin(struct upload_split *split, struct upload *upload,
			const struct upload_origin *origin)
{
	note_service(upload, origin->labels);
	*split = (struct upload_split){.upload = upload,
				       .origin = origin,
				       .first = upload->last,
				       .n_before = upload->n_items};
}

int upload_split_end(struct upload_split *split, struct err *err)
{
	const struct upload_origin *origin = split->origin;
	size_t n = split->upload->n_items - split->n_before, index = 0;
	int r = 0;

	/* split_kinds() appends: only the n first are as read. */
	for (struct item *item = *split->first; r == 0 && index < n; item = item->next, index++) {
		bool has_duration = item->profile.duration_ns > 0;
		bool is_short = is_moment(&item->profile, origin);

		count_spoilt_spans(split->upload, item);
		sample_types_tidy(&item->profile, origin->has_dashes ? ":-" : ":");
		set_times(&item->profile, origin);
		r = set_metric(split->upload, item, origin, err);
		if (r == 0)
			r = set_id(split->upload, item, origin->id, index, err);
		if (r == 0)
			r = split_kinds(split->upload, item, origin, has_duration, err);
		if (is_short && !item->is_gauge)
			item->profile.duration_ns = UPLOAD_MOMENT_NS;
	}
	return r;
}

void upload_split_drop(struct upload_split *split)
{
	struct item *item = *split->first;

	while (item) {
		struct item *next = item->next;

		profile_done(&item->profile);
		free(item);
		item = next;
	}
	*split->first = NULL;
	split->upload->last = split->first;
	split->upload->n_items = split->n_before;
}

int upload_pprof(struct upload *upload, const void *data, size_t len,
		 const struct upload_origin *origin, struct err *err)
{
	struct upload_split splitting;
	struct pprof_split split = {
		.series = upload_split_series,
		.ctx = &splitting,
		.loan = &upload->loan,
		.keeps_spans = true,
	};
	int r;

	if (!len)
		return err_set(err, ERR_CORRUPT, "the profile is empty");
	upload_split_begin(&splitting, upload, origin);
	r = pprof_read_split(data, len, upload_format_limits(upload), upload->names, &split, err);
	return r < 0 ? r : upload_split_end(&splitting, err);
}

int upload_inflate(struct upload *upload, const void **data, size_t *len, struct buf *out,
		   struct err *err)
{
	size_t max_bytes = upload->server->config.limits.max_inflated_bytes;
	struct codec_limits limits = codec_limits_of(max_bytes);
	int r;

	if (!gzip_is_gzip(*data, *len))
		return 0;
	buf_init(out, max_bytes);
	r = gzip_decompress(*data, *len, &limits, &upload->loan, out, err);
	*data = out->data;
	*len = out->len;
	return r;
}
