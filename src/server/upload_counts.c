/* SPDX-License-Identifier: Apache-2.0 */
/* Formats whose numbers are counts of something that only the request knows: text, tries, trees; and two that may say. */
#include <string.h>

#include "base/cleanup.h"
#include "format/collapsed.h"
#include "format/perf_script.h"
#include "format/preorder.h"
#include "format/speedscope.h"
#include "server/upload.h"

/* ---- speedscope ---- */

static int on_speedscope(void *ctx, const struct labels *labels, const char *unit,
			 struct profile **ret_profile, struct err *err)
{
	struct upload_split *split = ctx;
	struct names *names = upload_names(split->upload);

	/* Profiles of one name and unlike units are not one profile; interned texts have one place. */
	split->kind = names_text(names, names_cstr(names, unit), NULL);
	return upload_split_series(split, labels, ret_profile, err);
}

/* Times are what the application's name says ("app.cpu"), else CPU, or wall time of several threads, as Pyroscope has it. */
static int read_speedscope(struct upload_split *splitting, const void *data, size_t len,
			   struct err *err)
{
	const struct upload_unit *counts = splitting->origin->counts;
	bool is_time = counts->is_said && strcmp(counts->unit, "nanoseconds") == 0;
	struct speedscope_opts opts = {.single_type = is_time ? counts->type : "cpu",
				       .several_type = is_time ? counts->type : "wall"};
	struct speedscope_split split = {.series = on_speedscope, .ctx = splitting};

	return speedscope_read_split(data, len, &opts, upload_format_limits(splitting->upload),
				     upload_names(splitting->upload), &split, err);
}

/* ---- one profile ---- */

static int read_one(enum upload_kind kind, const void *data, size_t len,
		    const struct format_limits *limits, struct profile *into, struct err *err)
{
	struct collapsed_opts opts = {.is_bare = kind == UPLOAD_LINES};
	struct collapsed_result result;

	switch (kind) {
	case UPLOAD_TRIE:
		return preorder_read_trie(data, len, limits, into, err);
	case UPLOAD_TREE:
		return preorder_read_tree(data, len, limits, into, err);
	case UPLOAD_PERF:
		return perf_script_read(data, len, limits, into, err);
	case UPLOAD_SPEEDSCOPE:
	case UPLOAD_GROUPS:
	case UPLOAD_LINES:
		break;
	}
	return collapsed_read_lines(data, len, limits, &opts, into, &result, err);
}

static int read_series(struct upload_split *splitting, enum upload_kind kind, const void *data,
		       size_t len, struct err *err)
{
	static const struct labels none = {0};
	struct profile *profile;
	int r;

	if (kind == UPLOAD_SPEEDSCOPE)
		return read_speedscope(splitting, data, len, err);
	r = upload_split_series(splitting, &none, &profile, err);
	return r < 0 ? r
		     : read_one(kind, data, len, upload_format_limits(splitting->upload), profile,
				err);
}

int upload_counts(struct upload *upload, enum upload_kind kind, const void *data, size_t len,
		  const struct upload_origin *origin, struct err *err)
{
	cleanup(buf_done) struct buf inflated = {0};
	struct upload_split splitting;
	int r = upload_inflate(upload, &data, &len, &inflated, err);

	if (r < 0)
		return r;
	upload_split_begin(&splitting, upload, origin);
	r = read_series(&splitting, kind, data, len, err);
	return r < 0 ? r : upload_split_end(&splitting, err);
}
