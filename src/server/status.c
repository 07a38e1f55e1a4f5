/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	GET /api/v1/status	{"version","started","disk","queue","oldest","newest","damage":[{"file","level","owner","from","until"}],
 *				 "damaged_blocks","damaged_files","repair"}
 *	GET /status		the same as a page, with links to the other pages
 *
 * Damage is the tenant's own; the counts are of the whole store.
 */
#include <inttypes.h>
#include <time.h>

#include "base/clock.h"
#include "codec/json.h"
#include "server/caller.h"
#include "server/plain_page.h"
#include "server/server_private.h"

#define REPAIR "stop the server, then: pyrometer fsck DIR --repair"

struct status {
	struct store_stats stats;
	struct store_damage *damage;
	size_t n_damage;
	const char *disk;
};

static int look(struct server *server, struct http_exchange *exchange, struct status *out,
		struct err *err)
{
	const struct store_ops *ops = server->store->ops;

	*out = (struct status){0};
	ops->stats(server->store, &out->stats);
	out->disk = out->stats.is_failed ? "failed" : out->stats.is_full ? "full" : "ok";
	return ops->damage(server->store, caller_of(exchange)->tenant, &exchange->arena,
			   &out->damage, &out->n_damage, err);
}

static void fail(struct http_exchange *exchange, const struct err *err)
{
	http_fail(exchange, 500, "internal", "%s", err->text);
	http_exchange_finish(exchange);
}

/* ---- JSON ---- */

static void write_damage(struct json_writer *json, const struct store_damage *damage)
{
	json_object(json);
	json_member_str(json, "file", damage->file);
	json_member_str(json, "level", damage->level);
	json_member_str(json, "owner", damage->owner);
	json_member_int(json, "from", damage->range.from_ns / NS_PER_MS);
	json_member_int(json, "until", damage->range.until_ns / NS_PER_MS);
	json_end(json);
}

void handle_status(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct json_writer json;
	struct status status;
	struct err err;

	if (look(server, exchange, &status, &err) < 0) {
		fail(exchange, &err);
		return;
	}
	exchange->response.content_type = "application/json";
	json_writer_init(&json, &exchange->response.body, JSON_ESCAPE_MARKUP);
	json_object(&json);
	json_member_str(&json, "version", PYROMETER_VERSION);
	json_member_int(&json, "started", server->start_ns / NS_PER_MS);
	json_member_str(&json, "disk", status.disk);
	json_member_uint(&json, "queue", status.stats.queue_depth);
	json_member_int(&json, "oldest", status.stats.oldest_ns / NS_PER_MS);
	json_member_int(&json, "newest", status.stats.newest_ns / NS_PER_MS);
	json_member_uint(&json, "damaged_blocks", status.stats.damaged_blocks);
	json_member_uint(&json, "damaged_files", status.stats.damaged_files);
	json_key(&json, "damage");
	json_array(&json);
	for (size_t i = 0; i < status.n_damage; i++)
		write_damage(&json, &status.damage[i]);
	json_end(&json);
	json_member_str(&json, "repair", status.n_damage ? REPAIR : "");
	json_end(&json);
	http_exchange_finish(exchange);
}

/* ---- the page ---- */

static void put_time(struct buf *out, int64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_PER_S);
	char text[32];
	struct tm tm;

	if (strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm)))
		buf_puts(out, text);
}

static void put_row(struct buf *out, const struct store_damage *damage)
{
	buf_puts(out, "<tr><td>");
	put_time(out, damage->range.from_ns);
	buf_puts(out, "</td><td>");
	put_time(out, damage->range.until_ns);
	buf_printf(out, "</td><td>%s</td><td>", damage->level);
	plain_page_text(out, *damage->owner ? damage->owner : "all of the file");
	buf_puts(out, "</td><td>");
	plain_page_text(out, damage->file);
	buf_puts(out, "</td></tr>\n");
}

static void put_damage(struct buf *out, const struct status *status)
{
	if (!status->n_damage) {
		buf_puts(out, "<p>Nothing that was read since the start is damaged.</p>\n");
		return;
	}
	buf_puts(out,
		 "<h2>Damaged</h2>\n<p>Answers leave these out, and say so. To repair what can "
		 "be: " REPAIR ".</p>\n<table>\n<thead><tr><th>From</th><th>Until</th>"
		 "<th>Level</th><th>Of</th><th>File</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < status->n_damage; i++)
		put_row(out, &status->damage[i]);
	buf_puts(out, "</tbody>\n</table>\n");
}

static const char *disk_text(const struct status *status)
{
	if (status->stats.is_failed)
		return "The disk failed: queries are answered, nothing is taken until a restart.";
	if (status->stats.is_full)
		return "The disk is full: queries are answered, profiles are refused until there "
		       "is "
		       "room.";
	return "Profiles are taken.";
}

void handle_status_page(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct buf *out = &exchange->response.body;
	const char *base = server->config.base;
	struct status status;
	struct err err;

	if (look(server, exchange, &status, &err) < 0) {
		fail(exchange, &err);
		return;
	}
	plain_page_begin(exchange, base, "Status");
	buf_printf(out, "<h1>Status</h1>\n<p>Pyrometer %s, since ", PYROMETER_VERSION);
	put_time(out, server->start_ns);
	buf_printf(out, ". %s</p>\n", disk_text(&status));
	put_damage(out, &status);
	buf_printf(out,
		   "<p><a href=\"%s/targets\">Targets</a> <a href=\"%s/rejections\">Rejections</a> "
		   "<a href=\"%s/\">Profiles</a></p>\n",
		   base, base, base);
	plain_page_end(exchange);
	http_exchange_finish(exchange);
}
