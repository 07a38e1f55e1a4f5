/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   1. The thread alone touches the fetcher and when things are due; what others see of an entry is under the lock.
 *   2. An entry is busy from the start of a fetch to the store's answer: it is never fetched twice at a time.
 */
#include "server/scrape.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "codec/json.h"
#include "http/fetcher.h"
#include "server/scrape_config.h"
#include "server/upload.h"

#define IN_FLIGHT_BYTES ((size_t)128 << 20) /* answers of all targets together */
#define MAX_WAIT_NS (NS_PER_S)
#define URL_MAX_BYTES 8192

enum health { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

/* One profile of one target. */
struct entry {
	struct scraper *scraper;
	const struct scrape_target *target;
	const struct scrape_profile *profile;
	struct caller caller;
	char *url;
	int64_t due_ns; /* monotonic */
	atomic_bool is_busy;

	/* Under the lock. */
	enum health health;
	int64_t time_ns, duration_ns; /* of the last scrape */
	uint64_t scrapes, failures;
	size_t bytes; /* of the last answer */
	char error[ERR_TEXT_MAX];
};

struct scraper {
	struct server *server;
	struct scrape_config config;
	struct http_fetcher *fetcher;
	struct entry *entries;
	size_t n_entries;
	size_t n_fetching; /* the thread's own */
	pthread_t thread;
	bool has_thread;
	atomic_bool is_stopping;
	pthread_mutex_t lock;
	struct scraper_stats stats;
};

/* ---- what became of it ---- */

static const char *health_name(enum health health)
{
	static const char *const names[] = {
		[HEALTH_UNKNOWN] = "unknown", [HEALTH_UP] = "up", [HEALTH_DOWN] = "down"};

	return names[health];
}

/* Once when it goes, once when it comes back; the profiles of a target that is gone fail together. */
static void say_change(const struct entry *entry, enum health before, enum health after,
		       const char *error)
{
	const struct scrape_target *target = entry->target;

	if (after == HEALTH_DOWN && before != HEALTH_DOWN)
		log_warn("scraping %s of %s (%s) fails: %s", entry->profile->name, target->address,
			 target->job->name, error);
	else if (after == HEALTH_UP && before == HEALTH_DOWN)
		log_info("scraping %s of %s (%s) works again", entry->profile->name,
			 target->address, target->job->name);
}

/* `error` NULL: it was stored. */
static void settle(struct entry *entry, const char *error)
{
	struct scraper *scraper = entry->scraper;
	enum health before, after = error ? HEALTH_DOWN : HEALTH_UP;

	pthread_mutex_lock(&scraper->lock);
	before = entry->health;
	entry->health = after;
	entry->scrapes++;
	entry->failures += error != NULL;
	scraper->stats.scrapes++;
	scraper->stats.failures += error != NULL;
	utf8_printable(entry->error, sizeof(entry->error), error ? error : "",
		       error ? strlen(error) : 0);
	pthread_mutex_unlock(&scraper->lock);
	say_change(entry, before, after, error);
	atomic_store(&entry->is_busy, false);
}

static void on_stored(void *ctx, int code, const char *text)
{
	settle(ctx, code < 0 ? text : NULL);
}

static void store_answer(struct entry *entry, const struct http_fetched *fetched)
{
	struct server *server = entry->scraper->server;
	struct upload *upload = upload_new(server, &entry->caller);
	struct upload_origin origin = {
		.labels = &entry->target->labels,
		.metric = entry->profile->name,
		.may_be_cumulative = entry->profile->seconds == 0,
	};
	struct err err = {0};
	int r;

	upload_note_body(upload, fetched->len, 0);
	r = upload_pprof(upload, fetched->body, fetched->len, &origin, &err);

	if (r == 0) {
		upload_commit(upload, on_stored, entry);
		return;
	}
	upload_refused(upload, &err);
	upload_free(upload);
	settle(entry, err.text);
}

static void note_answer(struct entry *entry, const struct http_fetched *fetched)
{
	struct scraper *scraper = entry->scraper;

	pthread_mutex_lock(&scraper->lock);
	entry->time_ns = clock_real_ns();
	entry->duration_ns = fetched->duration_ns;
	entry->bytes = fetched->len;
	scraper->stats.bytes += fetched->len;
	scraper->stats.seconds += (double)fetched->duration_ns / (double)NS_PER_S;
	pthread_mutex_unlock(&scraper->lock);
}

static void on_fetched(void *ctx, const struct http_fetched *fetched)
{
	struct entry *entry = ctx;
	char text[64];

	entry->scraper->n_fetching--;
	note_answer(entry, fetched);
	if (fetched->failure != HTTP_FETCH_OK) {
		settle(entry, fetched->text);
	} else if (fetched->status != 200) {
		snprintf(text, sizeof(text), "it answered with status %d", fetched->status);
		settle(entry, text);
	} else {
		store_answer(entry, fetched);
	}
}

/* ---- when ---- */

static void start(struct entry *entry)
{
	struct scraper *scraper = entry->scraper;
	const struct scrape_job *job = entry->target->job;
	struct http_fetch fetch = {
		.url = entry->url,
		.authorization = job->authorization,
		.timeout_ns = job->timeout_ns + entry->profile->seconds * NS_PER_S,
		.max_bytes = scraper->server->config.limits.max_body_bytes,
		.done = on_fetched,
		.ctx = entry,
	};
	struct err err = {0};

	atomic_store(&entry->is_busy, true);
	if (http_fetcher_start(scraper->fetcher, &fetch, &err) < 0)
		settle(entry, err.text);
	else
		scraper->n_fetching++;
}

/* Starts what is due; returns how long nothing else is. */
static int64_t start_due(struct scraper *scraper, int64_t now_ns)
{
	int64_t wait_ns = MAX_WAIT_NS;
	uint64_t late = 0;

	for (size_t i = 0; i < scraper->n_entries; i++) {
		struct entry *entry = &scraper->entries[i];
		int64_t interval_ns = entry->target->job->interval_ns;

		if (entry->due_ns <= now_ns) {
			if (!atomic_load(&entry->is_busy) &&
			    scraper->n_fetching < SCRAPE_MAX_AT_ONCE)
				start(entry);
			else
				late++;
			/* On the grid: a machine that slept does not catch up. */
			entry->due_ns += ((now_ns - entry->due_ns) / interval_ns + 1) * interval_ns;
		}
		wait_ns = min_of(wait_ns, entry->due_ns - now_ns);
	}
	if (late) {
		pthread_mutex_lock(&scraper->lock);
		scraper->stats.late += late;
		pthread_mutex_unlock(&scraper->lock);
	}
	return wait_ns;
}

static void *run(void *ctx)
{
	struct scraper *scraper = ctx;

	while (!atomic_load(&scraper->is_stopping)) {
		int64_t wait_ns = start_due(scraper, clock_monotonic_ns());

		http_fetcher_run(scraper->fetcher, wait_ns);
	}
	return NULL;
}

/* ---- starting and stopping ---- */

/* A place in the interval, by chance: targets that were started together are not read together. */
static int64_t first_due(int64_t interval_ns)
{
	uint64_t chance = 0;

	if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
		chance = (uint64_t)clock_monotonic_ns();
	return clock_monotonic_ns() + (int64_t)(chance % (uint64_t)interval_ns);
}

static void entry_init(struct entry *entry, struct scraper *scraper,
		       const struct scrape_target *target, const struct scrape_profile *profile)
{
	char url[URL_MAX_BYTES], seconds[32] = "";

	if (profile->seconds)
		snprintf(seconds, sizeof(seconds), "%cseconds=%lld",
			 strchr(profile->path, '?') ? '&' : '?', (long long)profile->seconds);
	snprintf(url, sizeof(url), "%s://%s%s%s%s", target->job->scheme, target->address,
		 target->job->path_prefix, profile->path, seconds);
	*entry = (struct entry){
		.scraper = scraper,
		.target = target,
		.profile = profile,
		.caller = {.tenant = target->job->tenant, .scopes = SCOPE_INGEST, .token = ""},
		.url = xstrdup(url),
		.due_ns = first_due(target->job->interval_ns),
	};
}

static void add_entries(struct scraper *scraper)
{
	const struct scrape_config *config = &scraper->config;

	scraper->entries = xcalloc(config->n_targets * SCRAPE_MAX_PROFILES, sizeof(struct entry));
	for (size_t i = 0; i < config->n_targets; i++) {
		const struct scrape_target *target = &config->targets[i];

		for (size_t j = 0; j < target->job->n_profiles; j++)
			if (!target->job->profiles[j].is_disabled)
				entry_init(&scraper->entries[scraper->n_entries++], scraper, target,
					   &target->job->profiles[j]);
	}
	scraper->stats.targets = config->n_targets;
	scraper->stats.profiles = scraper->n_entries;
}

int scraper_start(struct server *server, const char *file, struct scraper **ret_scraper,
		  struct err *err)
{
	struct scraper *scraper = xcalloc(1, sizeof(*scraper));
	int r;

	scraper->server = server;
	pthread_mutex_init(&scraper->lock, NULL);
	r = scrape_config_load(file, &scraper->config, err);
	if (r == 0)
		r = http_fetcher_new(IN_FLIGHT_BYTES, &scraper->fetcher, err);
	if (r == 0) {
		add_entries(scraper);
		r = -pthread_create(&scraper->thread, NULL, run, scraper);
		scraper->has_thread = r == 0;
		if (r < 0)
			err_sys(err, r, "cannot start the thread that scrapes");
	}
	if (r < 0) {
		scraper_free(scraper);
		return r;
	}
	*ret_scraper = scraper;
	return 0;
}

void scraper_stop(struct scraper *scraper)
{
	if (!scraper || !scraper->has_thread)
		return;
	atomic_store(&scraper->is_stopping, true);
	http_fetcher_wake(scraper->fetcher);
	pthread_join(scraper->thread, NULL);
	scraper->has_thread = false;
}

void scraper_free(struct scraper *scraper)
{
	if (!scraper)
		return;
	scraper_stop(scraper);
	http_fetcher_free(scraper->fetcher);
	for (size_t i = 0; i < scraper->n_entries; i++)
		free(scraper->entries[i].url);
	free(scraper->entries);
	scrape_config_done(&scraper->config);
	pthread_mutex_destroy(&scraper->lock);
	free(scraper);
}

/* ---- what others see ---- */

void scraper_stats(struct scraper *scraper, struct scraper_stats *ret_stats)
{
	*ret_stats = (struct scraper_stats){0};
	if (!scraper)
		return;
	pthread_mutex_lock(&scraper->lock);
	*ret_stats = scraper->stats;
	for (size_t i = 0; i < scraper->n_entries; i++)
		ret_stats->profiles_up += scraper->entries[i].health == HEALTH_UP;
	pthread_mutex_unlock(&scraper->lock);
}

static void write_labels(struct json_writer *json, const struct labels *labels)
{
	json_key(json, "labels");
	json_object(json);
	for (size_t i = 0; i < labels->n; i++)
		json_member_str(json, labels->items[i].name, labels->items[i].value);
	json_end(json);
}

static void write_entry(struct json_writer *json, const struct entry *entry)
{
	const struct scrape_job *job = entry->target->job;

	json_object(json);
	json_member_str(json, "job", job->name);
	json_member_str(json, "profile", entry->profile->name);
	json_member_str(json, "url", entry->url);
	write_labels(json, &entry->target->labels);
	json_member_str(json, "health", health_name(entry->health));
	json_member_str(json, "error", entry->error);
	json_member_int(json, "interval", job->interval_ns / NS_PER_MS);
	json_member_int(json, "last", entry->time_ns / NS_PER_MS);
	json_member_int(json, "duration", entry->duration_ns / NS_PER_MS);
	json_member_uint(json, "bytes", entry->bytes);
	json_member_uint(json, "scrapes", entry->scrapes);
	json_member_uint(json, "failures", entry->failures);
	json_end(json);
}

void handle_targets(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct scraper *scraper = server->scraper;
	struct json_writer json;

	exchange->response.content_type = "application/json";
	json_writer_init(&json, &exchange->response.body, JSON_ESCAPE_MARKUP);
	json_object(&json);
	json_key(&json, "targets");
	json_array(&json);
	if (scraper) {
		pthread_mutex_lock(&scraper->lock);
		for (size_t i = 0; i < scraper->n_entries; i++)
			write_entry(&json, &scraper->entries[i]);
		pthread_mutex_unlock(&scraper->lock);
	}
	json_end(&json);
	json_end(&json);
	http_exchange_finish(exchange);
}
