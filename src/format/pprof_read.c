/* SPDX-License-Identifier: Apache-2.0 */
/* A pprof file's samples, field by field, and what else may be sent in its place. */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/gzip.h"
#include "codec/proto.h"
#include "format/pprof.h"
#include "format/pprof_private.h"

/* ---- fields of a sample ---- */

static int read_locations(struct pprof_samples *samples, const struct proto_field *field,
			  struct err *err)
{
	struct proto_list list = proto_list(field);
	uint64_t id;

	while (proto_list_next(&list, &id)) {
		uint32_t location = pprof_ids_find(&samples->tables->location_ids, id);
		int r;

		if (!location)
			return err_set(err, ERR_CORRUPT,
				       "not a valid pprof: a sample names location %" PRIu64
				       ", which is not there",
				       id);
		r = pprof_sample_location(samples, location - 1, err);
		if (r < 0)
			return r;
	}
	return list.bad ? ERR_CORRUPT : 0;
}

static int read_values(struct pprof_samples *samples, const struct proto_field *field,
		       struct err *err)
{
	struct proto_list list = proto_list(field);
	uint64_t value;

	while (proto_list_next(&list, &value)) {
		int r = pprof_sample_value(samples, value, err);

		if (r < 0)
			return r;
	}
	return list.bad ? ERR_CORRUPT : 0;
}

static int read_label(struct pprof_samples *samples, struct cursor message, struct err *err)
{
	struct pprof_label label = {0};
	struct proto_field field;

	while (proto_next(&message, &field)) {
		if (field.number == PPROF_LABEL_NUM) {
			label.num = (int64_t)field.value;
			continue;
		}
		if (field.number != PPROF_LABEL_KEY && field.number != PPROF_LABEL_STR &&
		    field.number != PPROF_LABEL_NUM_UNIT)
			continue;
		if (pprof_check_string(samples->tables, field.value, "a label", err) < 0)
			return ERR_CORRUPT;
		if (field.number == PPROF_LABEL_KEY)
			label.key = field.value;
		else if (field.number == PPROF_LABEL_STR)
			label.str = field.value;
	}
	return message.bad ? ERR_CORRUPT : pprof_sample_label(samples, &label, err);
}

static int malformed_sample(int r, struct err *err)
{
	if (r == ERR_CORRUPT && err && !err->code)
		return err_set(err, r, "not a valid pprof: a sample is malformed or cut off");
	return r;
}

/* All but the locations when they are one packed list, as they mostly are: that is *ret_path then. */
static int read_fields(struct pprof_samples *samples, struct cursor message,
		       struct proto_field *ret_path, struct err *err)
{
	struct proto_field field, path = {0};
	int r = 0;

	while (r == 0 && proto_next(&message, &field)) {
		if (field.number == SAMPLE_VALUE) {
			r = read_values(samples, &field, err);
		} else if (field.number == SAMPLE_LABEL) {
			r = read_label(samples, proto_message(&field), err);
		} else if (field.number == SAMPLE_LOCATION_ID && field.bytes && !path.bytes &&
			   !samples->stack.n) {
			path = field;
		} else if (field.number == SAMPLE_LOCATION_ID) {
			if (path.bytes)
				r = read_locations(samples, &path, err);
			path.bytes = NULL;
			if (r == 0)
				r = read_locations(samples, &field, err);
		}
	}
	*ret_path = path;
	return r == 0 && message.bad ? ERR_CORRUPT : r;
}

static int read_sample(struct pprof_samples *samples, struct cursor message, struct err *err)
{
	struct proto_field path;
	struct node_id node;
	int r;

	pprof_sample_begin(samples);
	r = read_fields(samples, message, &path, err);
	if (r == 0 && samples->n_values != samples->tables->n_types)
		return err_set(err, ERR_CORRUPT,
			       "not a valid pprof: a sample has %zu values for %zu types",
			       samples->n_values, samples->tables->n_types);
	if (r < 0)
		return malformed_sample(r, err);
	if (!path.bytes)
		return pprof_sample_add(samples, err);
	r = pprof_sample_settle(samples, err);
	if (r < 0)
		return r;
	if (!pprof_sample_find(samples, path.bytes, path.len, &node)) {
		r = read_locations(samples, &path, err);
		if (r < 0)
			return malformed_sample(r, err);
		node = pprof_sample_learn(samples, path.bytes, path.len);
	}
	return pprof_sample_add_at(samples, node, err);
}

/* ---- the whole ---- */

static int read_raw(const void *data, size_t len, const struct format_limits *limits,
		    struct names *names, const struct pprof_split *split, struct err *err)
{
	cleanup(pprof_tables_done) struct pprof_tables tables = {0};
	cleanup(pprof_samples_done) struct pprof_samples samples = {0};
	int r = pprof_tables_read(&tables, data, len, limits, err);

	if (r < 0)
		return r;
	if (err)
		err->code = 0;
	pprof_samples_init(&samples, &tables, limits, names, split);
	if (!tables.n_samples)
		return pprof_samples_none(&samples, err);
	for (size_t i = 0; r == 0 && i < tables.n_samples; i++)
		r = read_sample(&samples, tables.samples[i], err);
	return r;
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
		return err_because(err, ERR_LIMIT, "profile_size_limit",
				   "the pprof has %zu bytes, the limit is %zu", len,
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
