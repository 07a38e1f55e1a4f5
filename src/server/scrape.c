/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   1. The thread alone touches the fetcher and when things are due; what others see of an entry is under the lock.
 *   2. An entry is busy from the start of a fetch to the store's answer: it is never fetched twice at a time.
 */
#include "server/scrape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "http/fetcher.h"
#include "server/scrape_private.h"
#include "server/upload.h"

#define IN_FLIGHT_BYTES ((size_t)128 << 20) /* answers of all targets together */
#define MAX_WAIT_NS (NS_PER_S)
#define URL_MAX_BYTES 8192

/* ---- what became of it ---- */

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

/* ---- again ---- */

static int by_place(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a;
	const struct entry *y = *(const struct entry *const *)b;
	int order = strcmp(x->url, y->url);

	order = order ? order : strcmp(x->target->job->name, y->target->job->name);
	return order ? order : strcmp(x->profile->name, y->profile->name);
}

static void inherit(struct entry *entry, const struct entry *from)
{
	entry->health = from->health;
	entry->time_ns = from->time_ns;
	entry->duration_ns = from->duration_ns;
	entry->scrapes = from->scrapes;
	entry->failures = from->failures;
	entry->bytes = from->bytes;
	memcpy(entry->error, from->error, sizeof(entry->error));
}

/* What is known of targets that stay, and the sums since the server's start. */
static void inherit_all(struct scraper *scraper, struct scraper *before)
{
	struct entry **sorted = xcalloc(before->n_entries + 1, sizeof(*sorted));
	struct scraper_stats sums;

	for (size_t i = 0; i < before->n_entries; i++)
		sorted[i] = &before->entries[i];
	qsort(sorted, before->n_entries, sizeof(*sorted), by_place);
	pthread_mutex_lock(&before->lock);
	for (size_t i = 0; i < scraper->n_entries; i++) {
		struct entry *entry = &scraper->entries[i];
		struct entry **found =
			bsearch(&entry, sorted, before->n_entries, sizeof(*sorted), by_place);

		if (found)
			inherit(entry, *found);
	}
	sums = before->stats;
	pthread_mutex_unlock(&before->lock);
	sums.targets = scraper->stats.targets;
	sums.profiles = scraper->stats.profiles;
	scraper->stats = sums;
	free(sorted);
}

int scraper_start(struct server *server, const char *file, struct scraper *before,
		  struct scraper **ret_scraper, struct err *err)
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
		scraper_stop(before);
		if (before)
			inherit_all(scraper, before);
		r = -pthread_create(&scraper->thread, NULL, run, scraper);
		scraper->has_thread = r == 0;
		if (r < 0)
			err_sys(err, r, "cannot start the thread that scrapes");
	}
	if (r < 0) {
		scraper_free(scraper);
		return r;
	}
	scraper->before = before;
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

static void free_one(struct scraper *scraper)
{
	scraper_stop(scraper);
	http_fetcher_free(scraper->fetcher);
	for (size_t i = 0; i < scraper->n_entries; i++)
		free(scraper->entries[i].url);
	free(scraper->entries);
	scrape_config_done(&scraper->config);
	pthread_mutex_destroy(&scraper->lock);
	free(scraper);
}

void scraper_free(struct scraper *scraper)
{
	while (scraper) {
		struct scraper *before = scraper->before;

		free_one(scraper);
		scraper = before;
	}
}
