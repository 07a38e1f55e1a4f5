/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	GET /api/v1/targets	every profile of every target, and how its last scrape went
 *	GET /targets		the same as a page, what fails first
 */
#include <inttypes.h>
#include <time.h>

#include "base/clock.h"
#include "codec/json.h"
#include "server/plain_page.h"
#include "server/scrape_private.h"
#include "server/server_private.h"

static const char *health_name(enum health health)
{
	static const char *const names[] = {
		[HEALTH_UNKNOWN] = "unknown", [HEALTH_UP] = "up", [HEALTH_DOWN] = "down"};

	return names[health];
}

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
	struct scraper *scraper = atomic_load(&server->scraper);
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

/* ---- the page ---- */

static void put_time(struct buf *out, int64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_PER_S);
	char text[32];
	struct tm tm;

	if (time_ns && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm)))
		buf_puts(out, text);
	else
		buf_puts(out, "not yet");
}

static void put_row(struct buf *out, const struct entry *entry)
{
	buf_puts(out, "<tr><td>");
	buf_puts(out, health_name(entry->health));
	buf_puts(out, "</td><td>");
	plain_page_text(out, entry->target->job->name);
	buf_puts(out, "</td><td>");
	plain_page_text(out, entry->profile->name);
	buf_puts(out, "</td><td>");
	plain_page_text(out, entry->url);
	buf_puts(out, "</td><td>");
	put_time(out, entry->time_ns);
	buf_printf(out,
		   "</td><td class=\"number\">%" PRIu64 "</td><td class=\"number\">%" PRIu64
		   "</td><td class=\"number\">%zu</td><td>",
		   entry->scrapes, entry->failures, entry->bytes);
	plain_page_text(out, entry->error);
	buf_puts(out, "</td></tr>\n");
}

static void put_rows(struct buf *out, struct scraper *scraper)
{
	static const enum health order[] = {HEALTH_DOWN, HEALTH_UNKNOWN, HEALTH_UP};

	buf_puts(out,
		 "<table>\n<thead><tr><th>State</th><th>Job</th><th>Profile</th><th>URL</th>"
		 "<th>Last</th><th>Scrapes</th><th>Failed</th><th>Bytes</th><th>Last error</th>"
		 "</tr></thead>\n<tbody>\n");
	pthread_mutex_lock(&scraper->lock);
	for (size_t pass = 0; pass < array_len(order); pass++)
		for (size_t i = 0; i < scraper->n_entries; i++)
			if (scraper->entries[i].health == order[pass])
				put_row(out, &scraper->entries[i]);
	pthread_mutex_unlock(&scraper->lock);
	buf_puts(out, "</tbody>\n</table>\n");
}

void handle_targets_page(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct scraper *scraper = atomic_load(&server->scraper);
	struct buf *out = &exchange->response.body;
	struct scraper_stats stats;

	plain_page_begin(exchange, server->config.base, "Targets");
	buf_puts(out, "<h1>Targets</h1>\n");
	scraper_stats(scraper, &stats);
	if (!scraper)
		buf_puts(out, "<p>Nothing is scraped: see pyrometer serve --scrape.</p>\n");
	else
		buf_printf(out,
			   "<p>%" PRIu64 " targets, %" PRIu64 " of %" PRIu64 " profiles up.</p>\n",
			   stats.targets, stats.profiles_up, stats.profiles);
	if (scraper)
		put_rows(out, scraper);
	buf_printf(out, "<p><a href=\"%s/status\">Status</a> <a href=\"%s/\">Profiles</a></p>\n",
		   server->config.base, server->config.base);
	plain_page_end(exchange);
	http_exchange_finish(exchange);
}
