/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.v1.SettingsService: names and values that Grafana's pages keep for a tenant (collapsed graphs, the number of
 * nodes, favourites).  All of a tenant are one message in one file, as GetSettings answers them.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "server/caller.h"
#include "server/keep.h"
#include "server/service_schema.h"
#include "server/unary.h"

#define FILE_NAME "settings"
#define MOST_SETTINGS 1000
#define MOST_NAME_BYTES 1024
#define MOST_BYTES ((size_t)1 << 20) /* of all of a tenant */

struct setting {
	const char *name, *value;
	int64_t modified_ms;
};

static struct keep_place place_of(const struct unary *call)
{
	return (struct keep_place){caller_of(call->exchange)->tenant, "settings"};
}

static bool read_setting(struct unary *call, struct cursor message, struct setting *out)
{
	struct proto_field field;

	*out = (struct setting){"", "", 0};
	while (proto_next(&message, &field)) {
		if (field.number == 1)
			out->name = unary_text(call, &field);
		else if (field.number == 2)
			out->value = unary_text(call, &field);
		else if (field.number == 3)
			out->modified_ms = (int64_t)field.value;
	}
	return !message.bad;
}

static void put_setting(struct buf *out, const struct setting *setting)
{
	size_t begin = proto_begin(out, 1);

	proto_put_str(out, 1, setting->name);
	proto_put_str(out, 2, setting->value);
	proto_put_int(out, 3, setting->modified_ms);
	proto_end(out, begin);
}

/* What is kept, as a message; nothing when nothing was kept yet. */
static int read_kept(struct unary *call, struct buf *out, struct err *err)
{
	struct keep_place place = place_of(call);
	int r;

	buf_init(out, MOST_BYTES);
	r = keep_read(call->server->keep, &place, FILE_NAME, out, err);
	return r == -ENOENT ? 0 : r;
}

/*
 * What is kept with `setting` in the place of the one of that name (value NULL: without it), by name.  -EEXIST: there is
 * a newer one.
 */
static int replace(struct unary *call, const struct buf *kept, const struct setting *setting,
		   struct buf *out, struct err *err)
{
	struct cursor message = cursor_over(kept->data ? kept->data : "", kept->len);
	bool is_put = !setting->value;
	struct proto_field field;
	struct setting old;
	size_t n = 0;

	while (proto_next(&message, &field)) {
		int order;

		if (field.number != 1 || !read_setting(call, proto_message(&field), &old))
			continue;
		order = strcmp(old.name, setting->name);
		if (order == 0 && old.modified_ms > setting->modified_ms)
			return err_set(err, -EEXIST, "newer update already written");
		if (order >= 0 && !is_put) {
			put_setting(out, setting);
			is_put = true;
		}
		if (order != 0)
			put_setting(out, &old);
		n++;
	}
	if (!is_put)
		put_setting(out, setting);
	if (n > MOST_SETTINGS || out->overflow)
		return err_set(err, ERR_LIMIT,
			       "a tenant may keep %d settings, and %zu bytes of them",
			       MOST_SETTINGS, MOST_BYTES);
	return 0;
}

static int change(struct unary *call, const struct setting *setting, struct err *err)
{
	struct keep_place place = place_of(call);
	struct keep *keep = call->server->keep;
	struct buf kept, changed;
	int r;

	buf_init(&changed, MOST_BYTES);
	keep_lock(keep);
	r = read_kept(call, &kept, err);
	if (r == 0)
		r = replace(call, &kept, setting, &changed, err);
	if (r == 0)
		r = keep_write(keep, &place, FILE_NAME, changed.data ? changed.data : "",
			       changed.len, err);
	keep_unlock(keep);
	buf_done(&kept);
	buf_done(&changed);
	return r;
}

/* ---- calls ---- */

void handle_settings_get(void *ctx, struct http_exchange *exchange)
{
	static const struct unary_method method = {QUERY_SERVICES, &service_schema_nothing,
						   &service_schema_settings};
	struct unary *call = unary_open(ctx, exchange, &method);
	struct err err;
	struct buf kept;
	int r;

	if (!call)
		return;
	r = read_kept(call, &kept, &err);
	buf_put(&call->reply, kept.data, r == 0 ? kept.len : 0);
	buf_done(&kept);
	unary_end(call, r, &err);
}

static int set(struct unary *call, struct err *err)
{
	struct cursor message = call->request;
	struct proto_field field;
	struct setting setting = {0};
	bool has_setting = false;
	int r;

	while (proto_next(&message, &field))
		if (field.number == 1)
			has_setting = read_setting(call, proto_message(&field), &setting);
	if (message.bad)
		return err_set(err, ERR_CORRUPT, "the request is malformed");
	if (!has_setting || !*setting.name)
		return err_set(err, ERR_USAGE, "no setting values provided");
	if (strlen(setting.name) > MOST_NAME_BYTES)
		return err_set(err, ERR_USAGE, "a setting's name may have %d bytes",
			       MOST_NAME_BYTES);
	if (setting.modified_ms <= 0)
		setting.modified_ms = clock_real_ns() / NS_PER_MS;
	r = change(call, &setting, err);
	if (r == 0)
		put_setting(&call->reply, &setting);
	return r;
}

void handle_settings_set(void *ctx, struct http_exchange *exchange)
{
	static const struct unary_method method = {QUERY_SERVICES, &service_schema_set_setting,
						   &service_schema_set_setting};
	struct unary *call = unary_open(ctx, exchange, &method);
	struct err err;

	if (call)
		unary_end(call, set(call, &err), &err);
}

static int drop(struct unary *call, struct err *err)
{
	struct setting setting = {.name = "", .modified_ms = INT64_MAX};
	struct cursor message = call->request;
	struct proto_field field;

	while (proto_next(&message, &field))
		if (field.number == 1)
			setting.name = unary_text(call, &field);
	if (message.bad)
		return err_set(err, ERR_CORRUPT, "the request is malformed");
	if (!*setting.name)
		return err_set(err, ERR_USAGE, "no setting name provided");
	return change(call, &setting, err);
}

void handle_settings_delete(void *ctx, struct http_exchange *exchange)
{
	static const struct unary_method method = {QUERY_SERVICES, &service_schema_delete_setting,
						   &service_schema_nothing};
	struct unary *call = unary_open(ctx, exchange, &method);
	struct err err;

	if (call)
		unary_end(call, drop(call, &err), &err);
}
