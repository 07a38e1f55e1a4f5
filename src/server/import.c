/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/opt.h"
#include "codec/proto.h"
#include "format/pprof.h"
#include "profile/hash.h"
#include "server/import_private.h"
#include "server/sample_types.h"

/* Asked for at a time: below what servers allow one query (a day), few enough to go on from after a stop. */
#define SPAN_NS (6 * 3600 * NS_PER_S)
#define MAX_PPROF_BYTES ((size_t)64 << 20)
#define MAX_SELECTOR_BYTES ((size_t)256 << 10)
/* A push is sent when it holds as much. */
#define PUSH_BYTES ((size_t)4 << 20)
#define PUSH_PROFILES 200
#define PUSH_MAX_BYTES (MAX_PPROF_BYTES + PUSH_BYTES + ((size_t)1 << 20))
#define ID_BYTES 37

enum {
	PPROF_SAMPLE = 2,
	PPROF_TIME = 9,
	PPROF_DURATION = 10,
};

struct import {
	const struct import_opts *opts;
	struct import_peer from, to;
	struct import_progress progress;
	int64_t step_ms;
	const char *inner; /* of the query, without its braces */
	size_t inner_len;
	struct buf push;
	size_t n_pushed; /* profiles in it */

	/* The span at hand; its arena holds what was answered. */
	struct arena arena;
	struct import_range span;
};

/* One series of one type. */
struct job {
	const char *type; /* "process_cpu:cpu:nanoseconds:cpu:nanoseconds" */
	const struct labels *labels;
	const char *selector;
	bool is_level;
};

/* ---- what there is ---- */

static bool is_cancelled(const struct import *import)
{
	return import->opts->is_cancelled && *import->opts->is_cancelled;
}

/* The user's selector and the type, as one. */
static void put_selector(const struct import *import, const char *type, struct buf *out)
{
	buf_printf(out, "{__profile_type__=\"%s\"%s%.*s}", type, import->inner_len ? "," : "",
		   (int)import->inner_len, import->inner);
}

/* The labels of one series, and for those that others have, that it has none: else it would match them, too. */
static void put_exact(const struct labels *labels, const struct import_texts *names,
		      struct buf *out)
{
	struct buf text;

	buf_init(&text, MAX_SELECTOR_BYTES);
	labels_format(labels, &text);
	buf_put(out, text.data, text.len - 1); /* all but its final brace */
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->items[i];

		if (strncmp(name, "__", 2) != 0 && !labels_get(labels, name))
			buf_printf(out, "%s\"%s\"=\"\"", out->data[out->len - 1] == '{' ? "" : ",",
				   name);
	}
	buf_putc(out, '}');
	buf_done(&text);
}

static bool is_level(const char *type)
{
	const char *sample = strchr(type, ':');

	return sample && sample_types_is_level(sample + 1);
}

/* ---- one profile ---- */

/* The same for the same series, type and step, in every run: a UUID (version 8, of our own making). */
static void format_id(const struct job *job, struct import_range step, char id[ID_BYTES])
{
	char text[128];
	struct buf key;
	uint64_t high, low;

	buf_init(&key, MAX_SELECTOR_BYTES);
	snprintf(text, sizeof(text), "%" PRId64 "-%" PRId64, step.from_ms, step.until_ms);
	buf_puts(&key, text);
	buf_puts(&key, job->type);
	labels_format(job->labels, &key);
	high = hash_stable(key.data, key.len);
	buf_puts(&key, "low");
	low = hash_stable(key.data, key.len);
	buf_done(&key);
	high = (high & ~0xf000ull) | 0x8000;
	low = (low & UINT64_MAX >> 2) | 1ull << 63;
	snprintf(id, ID_BYTES,
		 "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64, high >> 32,
		 high >> 16 & 0xffff, high & 0xffff, low >> 48, low & 0xffffffffffff);
}

/* Whatever the server says about when: the step is asked for, so it is the step. */
static int set_times(struct buf *pprof, struct import_range step, bool *ret_is_empty,
		     struct err *err)
{
	struct cursor message = cursor_over(pprof->data, pprof->len);
	struct proto_field field;
	struct buf out;
	bool has_samples = false;
	const uint8_t *at = message.at;

	buf_init(&out, MAX_PPROF_BYTES);
	while (proto_next(&message, &field)) {
		has_samples |= field.number == PPROF_SAMPLE;
		if (field.number != PPROF_TIME && field.number != PPROF_DURATION)
			buf_put(&out, at, (size_t)(message.at - at));
		at = message.at;
	}
	proto_put_int(&out, PPROF_TIME, step.from_ms * NS_PER_MS);
	proto_put_int(&out, PPROF_DURATION, (step.until_ms - step.from_ms) * NS_PER_MS);
	buf_done(pprof);
	*pprof = out;
	if (message.bad)
		return err_set(err, ERR_CORRUPT, "the answer is not a profile");
	*ret_is_empty = !has_samples;
	return out.overflow ? err_set(err, ERR_LIMIT, "a profile is too large") : 0;
}

/* The sum of several levels becomes their mean: `mean` is what the server says it is. */
static int divide_levels(struct buf *pprof, double mean, struct err *err)
{
	struct pprof_write_opts opts = {0};
	struct names *names = names_new();
	struct profile profile;
	int64_t n = 1;
	int r;

	profile_init(&profile, names);
	r = pprof_read(pprof->data, pprof->len, &format_limits_server, &profile, err);
	if (r == 0 && profile.n_columns && mean > 0)
		n = max_of((int64_t)llround((double)profile_sum(&profile, 0) / mean), (int64_t)1);
	if (r == 0 && n > 1) {
		for (uint32_t node = 0; node < profile.tree.n && node < profile.columns[0].cap;
		     node++)
			profile.columns[0].values[node] /= n;
		buf_reset(pprof);
		r = pprof_write_profile(&profile, &opts, pprof, err);
	}
	profile_done(&profile);
	names_free(names);
	return r;
}

/* ---- pushing ---- */

static void put_label(struct buf *out, const char *name, const char *value, size_t len)
{
	size_t begin = proto_begin(out, 1);

	proto_put_str(out, 1, name);
	proto_put_bytes(out, 2, value, len);
	proto_end(out, begin);
}

static int flush(struct import *import, struct err *err)
{
	int r = 0;

	if (import->n_pushed)
		r = import_push(&import->to, &import->push, err);
	if (r < 0)
		return err_prefix(err, r, "%s", "the server that is imported to");
	import->progress.profiles += import->n_pushed;
	import->progress.bytes += import->push.len;
	import->n_pushed = 0;
	buf_reset(&import->push);
	return 0;
}

static int add_profile(struct import *import, const struct job *job, struct import_range step,
		       const struct buf *pprof, struct err *err)
{
	size_t series = proto_begin(&import->push, 1), sample;
	char id[ID_BYTES];

	put_label(&import->push, LABEL_METRIC, job->type, strcspn(job->type, ":"));
	put_label(&import->push, "__delta__", "false", 5);
	for (size_t i = 0; i < job->labels->n; i++)
		put_label(&import->push, job->labels->items[i].name, job->labels->items[i].value,
			  strlen(job->labels->items[i].value));
	sample = proto_begin(&import->push, 2);
	format_id(job, step, id);
	proto_put_bytes(&import->push, 1, pprof->data, pprof->len);
	proto_put_str(&import->push, 2, id);
	proto_end(&import->push, sample);
	proto_end(&import->push, series);
	import->n_pushed++;
	if (import->push.overflow)
		return err_set(err, ERR_LIMIT, "a profile is too large to push");
	if (import->n_pushed < PUSH_PROFILES && import->push.len < PUSH_BYTES)
		return 0;
	return flush(import, err);
}

/* ---- steps, series, types, spans ---- */

static int import_step(struct import *import, const struct job *job, int64_t from_ms, double mean,
		       struct err *err)
{
	struct import_range step = {from_ms, from_ms + import->step_ms};
	struct buf pprof;
	bool is_empty = true;
	int r;

	buf_init(&pprof, MAX_PPROF_BYTES);
	r = import_profile(&import->from, step, job->type, job->selector, &pprof, err);
	if (r == 0)
		r = set_times(&pprof, step, &is_empty, err);
	if (r == 0 && !is_empty && job->is_level)
		r = divide_levels(&pprof, mean, err);
	if (r == 0 && !is_empty)
		r = add_profile(import, job, step, &pprof, err);
	buf_done(&pprof);
	if (r != ERR_LIMIT)
		return r;
	import->progress.skipped++;
	return 0;
}

static double value_at(const struct import_points *points, int64_t end_ms)
{
	for (size_t i = 0; i < points->n; i++)
		if (points->items[i].end_ms == end_ms)
			return points->items[i].value;
	return 0;
}

/*
 * A point stands at the right edge of its step.  Pyroscope counts a profile at the very edge to the step before, a range
 * of its own to the step behind: so the step behind a point is asked for as well.
 */
static int import_points(struct import *import, const struct job *job,
			 const struct import_points *sums, const struct import_points *means,
			 struct err *err)
{
	int64_t next_ms = import->span.from_ms;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sums->n; i++)
		for (int64_t k = -1; r == 0 && k <= 0; k++) {
			int64_t from_ms = sums->items[i].end_ms + k * import->step_ms;

			if (from_ms < next_ms || from_ms >= import->span.until_ms ||
			    (k == 0 && import->from.ends_before))
				continue;
			if (is_cancelled(import))
				return err_set(err, -ECANCELED, "stopped");
			next_ms = from_ms + import->step_ms;
			r = import_step(import, job, from_ms,
					value_at(means, from_ms + import->step_ms), err);
		}
	return r;
}

static int import_job(struct import *import, const struct job *job, struct err *err)
{
	struct import_points sums = {0}, means = {0};
	int r = import_steps(&import->from, import->span, job->type, job->selector, import->step_ms,
			     false, &import->arena, &sums, err);

	if (r == 0 && job->is_level)
		r = import_steps(&import->from, import->span, job->type, job->selector,
				 import->step_ms, true, &import->arena, &means, err);
	if (r == 0)
		r = import_points(import, job, &sums, &means, err);
	import->progress.series++;
	return r;
}

static int import_type(struct import *import, const char *type, struct err *err)
{
	struct import_series_list list = {0};
	struct import_texts names = {0};
	struct buf selector, exact;
	int r;

	buf_init(&selector, MAX_SELECTOR_BYTES);
	buf_init(&exact, MAX_SELECTOR_BYTES);
	put_selector(import, type, &selector);
	r = import_names(&import->from, import->span, selector.data, &import->arena, &names, err);
	if (r == 0)
		r = import_list_series(&import->from, import->span, selector.data, &names,
				       &import->arena, &list, err);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		buf_reset(&exact);
		put_exact(&list.items[i].labels, &names, &exact);
		r = import_job(
			import,
			&(struct job){type, &list.items[i].labels, exact.data, is_level(type)},
			err);
	}
	buf_done(&selector);
	buf_done(&exact);
	return r < 0 ? err_prefix(err, r, "%s", type) : 0;
}

static int import_span(struct import *import, struct err *err)
{
	struct import_texts types = {0};
	int r = import_types(&import->from, import->span, &import->arena, &types, err);

	for (size_t i = 0; r == 0 && i < types.n; i++)
		r = import_type(import, types.items[i], err);
	return r == 0 ? flush(import, err) : r;
}

/* ---- where it goes on ---- */

/* The file says up to when all is done, in ms, and of which step: with another one all ids differ. */
static int read_state(struct import *import, struct err *err)
{
	const char *path = import->opts->state_file;
	cleanup_file FILE *file = path ? fopen(path, "re") : NULL;
	int64_t done_ms, step_ms;

	if (!path || (!file && errno == ENOENT))
		return 0;
	if (!file)
		return err_sys(err, -errno, "cannot read %s", path);
	if (fscanf(file, "until %" SCNd64 " step %" SCNd64, &done_ms, &step_ms) != 2)
		return err_set(err, ERR_CORRUPT, "%s is not the state of an import: remove it",
			       path);
	if (step_ms != import->step_ms)
		return err_set(err, ERR_USAGE,
			       "%s is of an import with --step %gs: use that step, or another file",
			       path, (double)step_ms / 1e3);
	import->span.from_ms = max_of(import->span.from_ms, done_ms);
	return 0;
}

/* Written beside it and renamed, so that it is whole or the one before. */
static int write_state(const struct import *import, int64_t done_ms, struct err *err)
{
	const char *path = import->opts->state_file;
	char beside[4096];
	FILE *file;
	bool is_written;

	if (!path)
		return 0;
	if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >= sizeof(beside))
		return err_set(err, ERR_USAGE, "the name of the state file is too long");
	file = fopen(beside, "we");
	if (!file)
		return err_sys(err, -errno, "cannot write %s", beside);
	fprintf(file, "until %" PRId64 " step %" PRId64 "\n", done_ms, import->step_ms);
	is_written = fflush(file) == 0 && fsync(fileno(file)) == 0;
	if (fclose(file) != 0 || !is_written || rename(beside, path) < 0)
		return err_sys(err, -errno, "cannot write %s", path);
	return 0;
}

static void report(struct import *import, int64_t done_ms)
{
	import->progress.done_until_ns = done_ms * NS_PER_MS;
	if (import->opts->progress)
		import->opts->progress(import->opts->ctx, &import->progress);
}

static int import_spans(struct import *import, int64_t until_ms, struct err *err)
{
	int64_t span_ms = max_of(SPAN_NS / NS_PER_MS / import->step_ms, 1ll) * import->step_ms;
	int64_t from_ms = import->span.from_ms;
	int r = 0;

	report(import, from_ms);
	for (; r == 0 && from_ms < until_ms; from_ms = import->span.until_ms) {
		import->span = (struct import_range){from_ms, min_of(from_ms + span_ms, until_ms)};
		arena_reset(&import->arena);
		r = import_span(import, err);
		if (r == 0)
			r = write_state(import, import->span.until_ms, err);
		if (r == 0)
			report(import, import->span.until_ms);
	}
	return r;
}

static int check_query(struct import *import, struct err *err)
{
	const char *query = import->opts->query ? import->opts->query : "{}";
	const char *begin = strchr(query, '{'), *end = strrchr(query, '}');
	struct selector selector;
	struct arena arena;
	int r;

	arena_init(&arena);
	r = selector_parse(query, &arena, &selector, err);
	if (r == 0)
		selector_done(&selector);
	arena_done(&arena);
	if (r < 0)
		return err_prefix(err, r, "--query");
	if (begin != query || !end)
		return err_set(err, ERR_USAGE, "--query: write it as {label=\"value\"}");
	import->inner = begin + 1;
	import->inner_len = (size_t)(end - begin - 1);
	return 0;
}

/* Whole steps: ranges of other runs meet at the same borders. */
static int set_range(struct import *import, int64_t *ret_until_ms, struct err *err)
{
	const struct import_opts *opts = import->opts;
	int64_t newest_ns = min_of(opts->until_ns, clock_real_ns() - IMPORT_SETTLE_NS);

	import->step_ms = (opts->step_ns ? opts->step_ns : IMPORT_DEFAULT_STEP_NS) / NS_PER_MS;
	import->span.from_ms = opts->from_ns / NS_PER_MS / import->step_ms * import->step_ms;
	*ret_until_ms = newest_ns / NS_PER_MS / import->step_ms * import->step_ms;
	import->progress.from_ns = import->span.from_ms * NS_PER_MS;
	import->progress.until_ns = *ret_until_ms * NS_PER_MS;
	if (import->span.from_ms >= *ret_until_ms)
		return err_set(err, ERR_USAGE, "the range holds no whole step that is over");
	return read_state(import, err);
}

int import_run(const struct import_opts *opts, struct import_progress *ret_progress,
	       struct err *err)
{
	struct import import = {.opts = opts};
	int64_t until_ms = 0;
	int r;

	arena_init(&import.arena);
	buf_init(&import.push, PUSH_MAX_BYTES);
	r = check_query(&import, err);
	if (r == 0)
		r = set_range(&import, &until_ms, err);
	if (r == 0)
		r = import_peer_open(&import.from, &opts->from, opts->is_cancelled, err);
	if (r == 0)
		r = import_peer_open(&import.to, &opts->to, opts->is_cancelled, err);
	if (r == 0)
		r = import_peer_probe(&import.from, err);
	if (r == 0)
		r = import_spans(&import, until_ms, err);
	import_peer_close(&import.from);
	import_peer_close(&import.to);
	buf_done(&import.push);
	arena_done(&import.arena);
	*ret_progress = import.progress;
	return r;
}
