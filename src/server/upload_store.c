/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads on their way into the store, and what is lost of those that are refused. */
#include "codec/budget.h"
#include "server/delta.h"
#include "server/reject_show.h"
#include "server/upload_private.h"

/* ---- refusals ---- */

static bool has_value(const struct profile *profile, struct node_id node)
{
	for (size_t c = 0; c < profile->n_columns; c++)
		if (profile_value(profile, c, node))
			return true;
	return false;
}

/* What the profile says was counted, else its stacks. */
static uint64_t samples_of(const struct item *item)
{
	uint64_t n = 0;

	if (item->is_part)
		return 0;
	if (item->profile.n_samples > 0)
		return (uint64_t)item->profile.n_samples;
	for (uint32_t node = 0; node < item->profile.tree.n; node++)
		n += has_value(&item->profile, (struct node_id){node});
	return n;
}

static uint64_t all_samples(const struct upload *upload)
{
	uint64_t n = 0;

	for (const struct item *item = upload->first; item; item = item->next)
		n += samples_of(item);
	return n;
}

static void note_refusal(struct upload *upload, struct reject_loss loss, struct err *err)
{
	struct server *server = upload->server;

	atomic_fetch_add(&server->counters.refused[upload_answer_of(err->code)->refusal], 1);
	reject_show_note(server, upload->caller, upload->service, loss, err);
}

void upload_refused(struct upload *upload, struct err *err)
{
	struct reject_loss loss = {all_samples(upload) + 1, upload->body_bytes};

	note_refusal(upload, loss, err);
}

void upload_refused_profile(struct upload *upload, struct err *err)
{
	note_refusal(upload, (struct reject_loss){.samples = 1}, err);
}

void upload_unread(struct server *server, const struct http_exchange *exchange, struct err *err)
{
	struct reject_loss loss = {1, exchange->request.body_len};

	atomic_fetch_add(&server->counters.refused[upload_answer_of(err->code)->refusal], 1);
	reject_show_note(server, caller_of(exchange), "", loss, err);
}

/* The body's bytes are divided over its samples. */
static struct reject_loss loss_of(const struct upload *upload)
{
	uint64_t all = all_samples(upload), lost = upload->refused_samples;
	double share = all ? (double)lost / (double)all : 1;

	return (struct reject_loss){max_of(lost, (uint64_t)1),
				    (uint64_t)(share * (double)upload->body_bytes)};
}

/* ---- storing ---- */

static void note_error(struct upload *upload, const struct item *item, const struct err *err)
{
	uint64_t samples = samples_of(item);

	pthread_mutex_lock(&upload->lock);
	if (!upload->err.code)
		upload->err = *err;
	upload->refused_samples += samples;
	pthread_mutex_unlock(&upload->lock);
}

static void count_down(struct upload *upload)
{
	if (atomic_fetch_sub(&upload->left, 1) != 1)
		return;
	if (upload->err.code)
		note_refusal(upload, loss_of(upload), &upload->err);
	else
		atomic_fetch_add(&upload->server->counters.uploads, 1);
	upload->done(upload->ctx, upload->err.code, upload->err.text);
	upload_free(upload);
}

/* `err->code` is the store's answer, 0 when all is well. */
static void on_put(struct item *item, const struct err *err)
{
	struct upload *upload = item->upload;
	struct server_counters *counters = &upload->server->counters;

	if (err->code == ERR_DUPLICATE)
		atomic_fetch_add(&counters->duplicates, 1);
	else if (err->code < 0)
		note_error(upload, item, err);
	else
		atomic_fetch_add(&counters->profiles, 1);
	if (err->code < 0 && err->code != ERR_DUPLICATE && item->is_counter)
		delta_undo(upload->server->delta, upload->caller->tenant, &item->labels,
			   &item->profile);
	count_down(upload);
}

static void on_stored(void *ctx, int code, const char *text)
{
	struct err err = {0};

	if (code < 0)
		err_set(&err, code, "%s", text ? text : err_name(code));
	on_put(ctx, &err);
}

static void put(struct upload *upload, struct item *item)
{
	struct store *store = upload->server->store;
	struct store_profile profile = {
		.tenant = upload->caller->tenant,
		.id = item->id[0] ? item->id : NULL,
		.profile_id = item->profile_id,
		.labels = &item->labels,
		.profile = &item->profile,
		.is_gauge = item->is_gauge,
	};
	struct err err;
	int r;

	if (item->is_counter && !delta_take(upload->server->delta, upload->caller->tenant,
					    &item->labels, &item->profile))
		return;
	atomic_fetch_add(&upload->left, 1);
	r = store->ops->put(store, &profile, on_stored, item, &err);
	if (r == ERR_LIMIT)
		err.code = UPLOAD_ERR_SERIES; /* what is left of limits by then */
	if (r < 0)
		on_put(item, &err);
}

void upload_commit(struct upload *upload, upload_done_fn *done, void *ctx)
{
	upload->done = done;
	upload->ctx = ctx;
	atomic_store(&upload->left, 1);
	for (struct item *item = upload->first; item; item = item->next)
		put(upload, item);
	count_down(upload);
}
