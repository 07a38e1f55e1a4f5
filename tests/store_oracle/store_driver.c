/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store behind stdin and stdout: one JSON object a line in, one out, for test_store_oracle.py.
 *
 *	{"do":"open","dir":D,"now":NS,"max_nodes":N,"max_series":N,"retention":[5 of NS]}
 *		"sizes":[5 of bytes], "total":BYTES for retention; "of":TENANT: only that tenant's
 *	{"do":"delete","tenant":T,"selector":S,"from":NS,"until":NS}	{"do":"jobs","tenant":T}
 *	{"do":"clock","now":NS}	{"do":"settle"}	{"do":"stats"}	{"do":"close"}
 *	{"do":"put","tenant":T,"id":I,"labels":L,"period":"cpu:nanoseconds","start":NS,"duration":NS,
 *	 "gauge":0,"columns":["cpu:nanoseconds:state"],"stacks":["a;b"],"values":[1, ...]}
 *	{"do":"wait"}		the codes of all puts since the last wait, in their order
 *	{"do":"merge"|"timeline"|"series","tenant":T,"selector":S,"from":NS,"until":NS,
 *	 "step":NS,"group_by":[...]}
 * Spans (driver_spans.h): a put may have "spans":["SPAN TRACE", ...], one for each stack; merge and exemplars
 *	{"do":"exemplars", ..., "step":1 for spans, 0 for profiles} take "profile_ids", "span_ids", "trace_ids".
 *
 * A put's line answers what put() said at once: {"code":0}.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "codec/json.h"
#include "driver_request.h"
#include "driver_spans.h"
#include "store/sqlite/sqlite_store.h"

#define MAX_ANSWER_BYTES ((size_t)64 << 20)

struct driver {
	struct store *store;
	struct store_clock clock;
	int64_t now_ns;
	pthread_mutex_t lock;
	pthread_cond_t done;
	int *codes; /* of puts since the last wait; 1: not known yet */
	size_t n_codes, codes_cap, n_done;
	struct store_tenant_retention own;
	char tenant[64];
};

/* ---- the store ---- */

static int64_t test_now(void *ctx)
{
	return __atomic_load_n(&((struct driver *)ctx)->now_ns, __ATOMIC_SEQ_CST);
}

/* The retention of the request: for all tenants, or for one. */
static void set_retention(struct driver *driver, const struct request *request,
			  struct store_config *config)
{
	struct store_retention *retention = &config->retention;

	if (request->of) {
		snprintf(driver->tenant, sizeof(driver->tenant), "%s", request->of);
		driver->own = (struct store_tenant_retention){.tenant = driver->tenant};
		config->tenants = &driver->own;
		config->n_tenants = 1;
		*retention = (struct store_retention){0};
		retention = &driver->own.retention;
	}
	memcpy(retention->age_ns, request->retention, sizeof(retention->age_ns));
	memcpy(retention->max_bytes, request->sizes, sizeof(retention->max_bytes));
	retention->max_total_bytes = request->total;
}

static int do_open(struct driver *driver, const struct request *request, struct err *err)
{
	struct store_config config;

	driver->clock = (struct store_clock){test_now, driver};
	store_config_init(&config, request->dir);
	set_retention(driver, request, &config);
	config.clock = request->now ? &driver->clock : NULL;
	if (request->max_nodes)
		config.max_stack_nodes = (uint32_t)request->max_nodes;
	if (request->max_series)
		config.max_series = (uint32_t)request->max_series;
	driver->now_ns = request->now;
	return sqlite_store_open(&config, &driver->store, err);
}

struct ack {
	struct driver *driver;
	size_t at;
};

static void on_done(void *ctx, int code, const char *text)
{
	struct ack *ack = ctx;
	struct driver *driver = ack->driver;

	(void)text;
	pthread_mutex_lock(&driver->lock);
	driver->codes[ack->at] = code;
	driver->n_done++;
	pthread_cond_signal(&driver->done);
	pthread_mutex_unlock(&driver->lock);
	free(ack);
}

/* "a:b:c" -> parts, cut in place. */
static void cut(char *text, char **parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *colon = text ? strchr(text, ':') : NULL;

		parts[i] = text ? text : (char *)"";
		if (colon)
			*colon = 0;
		text = colon ? colon + 1 : NULL;
	}
}

static struct node_id add_stack(struct profile *profile, char *text)
{
	struct node_id node = {0};
	char *rest = text;

	for (char *name; (name = strsep(&rest, ";")) && *name;) {
		struct frame frame = {.name = names_cstr(profile->names, name),
				      .kind = FRAME_PYTHON};

		node = tree_child(&profile->tree, node, names_frame(profile->names, &frame));
	}
	return node;
}

static void fill_profile(struct profile *profile, struct request *request)
{
	char *period[2];
	size_t at = 0;

	cut(request->period, period, 2);
	profile->period_type = names_cstr(profile->names, period[0]);
	profile->period_unit = names_cstr(profile->names, period[1]);
	profile->start_ns = request->start;
	profile->duration_ns = request->duration;
	profile->n_profiles = 1;
	profile->n_samples = request->n_samples;
	for (size_t c = 0; c < request->columns.n; c++) {
		char *parts[3];

		cut(request->columns.texts[c], parts, 3);
		if (profile_column(profile, parts[0], parts[1], parts[2]) < 0)
			abort();
	}
	for (size_t i = 0; i < request->stacks.n; i++) {
		struct node_id node = add_stack(profile, request->stacks.texts[i]);

		for (size_t c = 0; c < request->columns.n && at < request->n_values; c++)
			profile_add(profile, c, node, request->values[at++]);
		if (i < request->spans.n)
			driver_add_span(profile, request->spans.texts[i], node,
					&request->values[at - request->columns.n],
					request->columns.n);
	}
}

static int do_put(struct driver *driver, struct request *request, struct err *err)
{
	cleanup(arena_done) struct arena arena;
	struct names *names = names_new();
	struct labels labels = {.n = 0};
	struct profile profile;
	struct store_profile put = {.tenant = request->tenant ? request->tenant : "t",
				    .id = request->id,
				    .labels = &labels,
				    .profile = &profile,
				    .is_gauge = request->gauge};
	struct ack *ack = xcalloc(1, sizeof(*ack));
	int r;

	arena_init(&arena);
	profile_init(&profile, names);
	fill_profile(&profile, request);
	pthread_mutex_lock(&driver->lock);
	driver->codes =
		vec_grow(driver->codes, &driver->codes_cap, driver->n_codes + 1, sizeof(int));
	*ack = (struct ack){driver, driver->n_codes};
	driver->codes[driver->n_codes++] = 1;
	pthread_mutex_unlock(&driver->lock);
	r = labels_parse(request->labels, &arena, &labels, err);
	if (r == 0)
		r = driver->store->ops->put(driver->store, &put, on_done, ack, err);
	if (r < 0)
		on_done(ack, r, "");
	profile_done(&profile);
	names_free(names);
	return r;
}

static void do_wait(struct driver *driver, struct json_writer *json)
{
	pthread_mutex_lock(&driver->lock);
	while (driver->n_done < driver->n_codes)
		pthread_cond_wait(&driver->done, &driver->lock);
	json_key(json, "codes");
	json_array(json);
	for (size_t i = 0; i < driver->n_codes; i++)
		json_int(json, driver->codes[i]);
	json_end(json);
	driver->n_codes = driver->n_done = 0;
	pthread_mutex_unlock(&driver->lock);
}

/* ---- answers ---- */

static void write_stack(struct json_writer *json, const struct profile *profile, uint32_t node)
{
	cleanup(buf_done) struct buf text = {0};
	struct frame_id frames[256];
	size_t n = tree_path(&profile->tree, (struct node_id){node}, frames, 256);

	buf_init(&text, MAX_ANSWER_BYTES);
	for (size_t i = 0; i < n; i++) {
		const struct frame *frame = names_frame_get(profile->names, frames[i]);

		buf_puts(&text, i ? ";" : "");
		buf_puts(&text, names_text(profile->names, frame->name, NULL));
	}
	json_key(json, text.data ? text.data : "");
}

static void write_columns(struct json_writer *json, const struct profile *profile)
{
	json_key(json, "columns");
	json_object(json);
	for (size_t c = 0; c < profile->n_columns; c++) {
		json_key(json, names_text(profile->names, profile->columns[c].type.state, NULL));
		json_object(json);
		for (uint32_t node = 0; node < profile->tree.n; node++) {
			int64_t value = profile_value(profile, c, (struct node_id){node});

			if (!value)
				continue;
			write_stack(json, profile, node);
			json_int(json, value);
		}
		json_end(json);
	}
	json_end(json);
}

static int do_merge(struct driver *driver, const struct store_query *query,
		    struct json_writer *json, struct err *err)
{
	struct store_merged merged;
	int64_t began = clock_monotonic_ns();
	int r = driver->store->ops->merge(driver->store, query, &merged, err);

	if (r < 0)
		return r;
	json_member_int(json, "took", clock_monotonic_ns() - began);
	write_columns(json, merged.profile);
	json_member_int(json, "covered", merged.covered_ns);
	json_member_int(json, "wall", merged.wall_covered_ns);
	json_member_int(json, "profiles", merged.n_profiles);
	json_member_int(json, "samples", merged.profile->n_samples);
	json_member_int(json, "period", merged.profile->period);
	json_member_int(json, "series", merged.n_series);
	json_member_int(json, "blocks", merged.n_blocks);
	json_member_bool(json, "partial", merged.is_partial);
	json_key(json, "missing");
	json_array(json);
	for (size_t i = 0; i < merged.n_missing; i++) {
		json_int(json, merged.missing[i].from_ns);
		json_int(json, merged.missing[i].until_ns);
	}
	json_end(json);
	store_merged_done(&merged);
	return 0;
}

static void write_labels(struct json_writer *json, const char *key, const struct labels *labels)
{
	cleanup(buf_done) struct buf text = {0};

	buf_init(&text, MAX_ANSWER_BYTES);
	labels_format(labels, &text);
	json_member_str(json, key, text.data);
}

static int do_timeline(struct driver *driver, const struct request *request,
		       const struct store_query *query, struct arena *arena,
		       struct json_writer *json, struct err *err)
{
	struct store_line *lines;
	size_t n;
	int r = driver->store->ops->timeline(driver->store, query, request->step,
					     (const char *const *)request->group_by.texts,
					     request->group_by.n, arena, &lines, &n, err);

	if (r < 0)
		return r;
	json_key(json, "lines");
	json_array(json);
	for (size_t i = 0; i < n; i++) {
		json_object(json);
		write_labels(json, "group", &lines[i].group);
		json_key(json, "points");
		json_array(json);
		for (size_t p = 0; p < lines[i].n; p++) {
			const struct store_point *point = &lines[i].points[p];

			json_array(json);
			json_int(json, point->time_ns);
			json_int(json, point->value);
			json_int(json, point->covered_ns);
			json_int(json, point->wall_ns);
			json_int(json, point->n_profiles);
			json_end(json);
		}
		json_end(json);
		json_end(json);
	}
	json_end(json);
	return 0;
}

static int do_series(struct driver *driver, const struct store_query *query, struct arena *arena,
		     struct json_writer *json, struct err *err)
{
	struct store_series *series;
	size_t n;
	int r = driver->store->ops->series(driver->store, query, arena, &series, &n, err);

	if (r < 0)
		return r;
	json_key(json, "list");
	json_array(json);
	for (size_t i = 0; i < n; i++) {
		json_object(json);
		write_labels(json, "labels", &series[i].labels);
		json_member_str(json, "type", series[i].profile_type);
		json_member_int(json, "first", series[i].first_ns);
		json_member_int(json, "last", series[i].last_ns);
		json_end(json);
	}
	json_end(json);
	return 0;
}

static void do_stats(struct driver *driver, struct json_writer *json)
{
	struct sqlite_store_counters counters;
	struct store_stats stats;

	driver->store->ops->stats(driver->store, &stats);
	sqlite_store_counters(driver->store, &counters);
	json_member_uint(json, "puts", stats.puts);
	json_member_uint(json, "duplicates", stats.duplicates);
	json_member_uint(json, "commits", stats.commits);
	json_member_uint(json, "blocks", stats.blocks);
	json_member_uint(json, "bytes", stats.bytes_on_disk);
	json_member_uint(json, "series", stats.series);
	json_member_uint(json, "nodes", stats.stack_nodes);
	json_member_bool(json, "full", stats.is_full);
	json_member_uint(json, "rolled", counters.rolled_windows);
	json_member_uint(json, "dirty", counters.dirty_windows);
	json_member_uint(json, "deleted_files", counters.deleted_files);
	json_member_uint(json, "quarantined", counters.quarantined_files);
	json_member_uint(json, "over_limit", counters.over_limit_stacks);
}

static int do_delete(struct driver *driver, const struct store_query *query,
		     struct json_writer *json, struct err *err)
{
	uint64_t id = 0;
	int r = driver->store->ops->delete (driver->store, query, &id, err);

	json_member_uint(json, "job", id);
	return r;
}

static int do_jobs(struct driver *driver, const struct request *request, struct json_writer *json,
		   struct err *err)
{
	cleanup(arena_done) struct arena arena;
	struct store_job *jobs;
	size_t n = 0;
	int r;

	arena_init(&arena);
	r = driver->store->ops->jobs(driver->store, request->tenant ? request->tenant : "t", &arena,
				     &jobs, &n, err);
	json_key(json, "jobs");
	json_array(json);
	for (size_t i = 0; i < n; i++) {
		json_object(json);
		json_member_uint(json, "id", jobs[i].id);
		json_member_int(json, "state", jobs[i].state);
		json_member_str(json, "selector", jobs[i].selector);
		json_member_uint(json, "series", jobs[i].n_series);
		json_member_uint(json, "profiles", jobs[i].profiles);
		json_member_uint(json, "files_done", jobs[i].files_done);
		json_member_uint(json, "files_all", jobs[i].files_all);
		json_member_str(json, "error", jobs[i].error);
		json_end(json);
	}
	json_end(json);
	return r;
}

static int do_query(struct driver *driver, const struct request *request, struct json_writer *json,
		    struct err *err)
{
	cleanup(arena_done) struct arena arena;
	struct selector selector;
	struct store_query query = {.tenant = request->tenant ? request->tenant : "t",
				    .selector = &selector,
				    .range = {request->from, request->until}};
	int r;

	arena_init(&arena);
	r = selector_parse(request->selector ? request->selector : "{}", &arena, &selector, err);
	if (r < 0)
		return r;
	query.pick = driver_pick(request->profile_ids.texts, request->profile_ids.n,
				 request->span_ids.texts, request->span_ids.n,
				 request->trace_ids.texts, request->trace_ids.n, &arena);
	if (strcmp(request->what, "exemplars") == 0)
		r = driver_exemplars(driver->store, &query, request->step != 0, json, err);
	else if (strcmp(request->what, "merge") == 0)
		r = do_merge(driver, &query, json, err);
	else if (strcmp(request->what, "delete") == 0)
		r = do_delete(driver, &query, json, err);
	else if (strcmp(request->what, "timeline") == 0)
		r = do_timeline(driver, request, &query, &arena, json, err);
	else
		r = do_series(driver, &query, &arena, json, err);
	selector_done(&selector);
	return r;
}

static int serve(struct driver *driver, struct request *request, struct json_writer *json,
		 struct err *err)
{
	const char *what = request->what ? request->what : "";

	if (strcmp(what, "open") == 0)
		return do_open(driver, request, err);
	if (!driver->store)
		return err_set(err, ERR_USAGE, "open a store first");
	if (strcmp(what, "put") == 0)
		return do_put(driver, request, err);
	if (strcmp(what, "merge") == 0 || strcmp(what, "timeline") == 0 ||
	    strcmp(what, "exemplars") == 0 || strcmp(what, "series") == 0 ||
	    strcmp(what, "delete") == 0)
		return do_query(driver, request, json, err);
	if (strcmp(what, "jobs") == 0)
		return do_jobs(driver, request, json, err);
	if (strcmp(what, "wait") == 0)
		do_wait(driver, json);
	else if (strcmp(what, "settle") == 0)
		sqlite_store_settle(driver->store);
	else if (strcmp(what, "stats") == 0)
		do_stats(driver, json);
	else if (strcmp(what, "clock") == 0)
		__atomic_store_n(&driver->now_ns, request->now, __ATOMIC_SEQ_CST);
	else if (strcmp(what, "close") == 0)
		driver->store->ops->close(driver->store), driver->store = NULL;
	else
		return err_set(err, ERR_USAGE, "what is %s?", what);
	return 0;
}

static void answer_line(struct driver *driver, const char *line, size_t len)
{
	cleanup(buf_done) struct buf out = {0};
	struct request request = {0};
	struct json_writer json;
	struct err err = {0};
	int r;

	buf_init(&out, MAX_ANSWER_BYTES);
	json_writer_init(&json, &out, 0);
	json_object(&json);
	r = request_read(&request, line, len, &err);
	if (r == 0)
		r = serve(driver, &request, &json, &err);
	json_member_int(&json, "code", r < 0 ? r : 0);
	if (r < 0)
		json_member_str(&json, "error", err.text);
	json_end(&json);
	buf_putc(&out, '\n');
	fwrite(out.data, 1, out.len, stdout);
	fflush(stdout);
	request_done(&request);
}

int main(void)
{
	struct driver driver = {.lock = PTHREAD_MUTEX_INITIALIZER,
				.done = PTHREAD_COND_INITIALIZER};
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	while ((len = getline(&line, &cap, stdin)) > 0)
		answer_line(&driver, line, (size_t)len);
	free(line);
	if (driver.store)
		driver.store->ops->close(driver.store);
	free(driver.codes);
	return 0;
}
