/* SPDX-License-Identifier: Apache-2.0 */
/* JFR: every kind of events of a recording is a profile of its own, split by the agent's labels. */
#include "base/cleanup.h"
#include "format/jfr.h"
#include "server/upload.h"

static int on_series(void *ctx, const struct jfr_kind *kind, const struct labels *labels,
		     struct profile **ret_profile, struct err *err)
{
	struct upload_split *split = ctx;

	split->kind = kind;
	split->metric = kind->metric;
	return upload_split_series(split, labels, ret_profile, err);
}

static struct jfr_opts opts_of(const struct upload_jfr *jfr, const struct upload_origin *origin)
{
	struct jfr_opts opts = {.period_ns = jfr->period_ns};

	if (!origin->from_ns || origin->until_ns <= origin->from_ns)
		return opts;
	opts.start_ns = origin->from_ns;
	opts.duration_ns = origin->until_ns - origin->from_ns;
	return opts;
}

int upload_jfr(struct upload *upload, const struct upload_jfr *jfr,
	       const struct upload_origin *origin, struct err *err)
{
	cleanup(buf_done) struct buf recording = {0}, snapshot = {0};
	struct upload_split splitting;
	struct jfr_split split = {.series = on_series, .ctx = &splitting, .keeps_spans = true};
	struct jfr_opts opts = opts_of(jfr, origin);
	const void *data = jfr->data;
	size_t len = jfr->len;
	int r = upload_inflate(upload, &data, &len, &recording, err);

	opts.snapshot = jfr->labels;
	opts.snapshot_len = jfr->labels_len;
	if (r == 0 && opts.snapshot)
		r = upload_inflate(upload, &opts.snapshot, &opts.snapshot_len, &snapshot, err);
	if (r < 0)
		return r;
	upload_split_begin(&splitting, upload, origin);
	r = jfr_read_split(data, len, &opts, upload_format_limits(upload), upload_names(upload),
			   &split, err);
	return r < 0 ? r : upload_split_end(&splitting, err);
}
