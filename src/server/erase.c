/* SPDX-License-Identifier: Apache-2.0 */
/* POST /api/v1/delete and GET /api/v1/jobs: deleting by selector, a job of the store. */
#include "server/question.h"

static const char *const state_names[] = {
	[STORE_JOB_WAITING] = "waiting",
	[STORE_JOB_RUNNING] = "running",
	[STORE_JOB_DONE] = "done",
	[STORE_JOB_FAILED] = "failed",
};

void handle_delete(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	struct question question;
	struct json_writer json;
	uint64_t job = 0;
	struct err err;
	int r = 0;

	if (!question_begin(&question, server, exchange, QUERY_DELETE))
		return;
	/* Nobody deletes everything by leaving something out. */
	if (!question.selector.n)
		r = err_set(&err, ERR_USAGE, "query: say what is to be deleted");
	if (r == 0)
		r = server->store->ops->delete (server->store, &question.store, &job, &err);
	if (r == 0) {
		json = question_json(&question);
		json_object(&json);
		json_member_uint(&json, "job", job);
		json_end(&json);
	}
	question_end(&question, r, &err);
}

static void write_job(struct json_writer *json, const struct store_job *job)
{
	json_object(json);
	json_member_uint(json, "id", job->id);
	json_member_str(json, "state", state_names[job->state]);
	json_member_str(json, "query", job->selector);
	json_member_int(json, "from", job->range.from_ns / 1000000);
	json_member_int(json, "until", job->range.until_ns / 1000000);
	json_member_uint(json, "series", job->n_series);
	json_member_uint(json, "profiles", job->profiles);
	json_member_uint(json, "files_done", job->files_done);
	json_member_uint(json, "files", job->files_all);
	json_member_str(json, "error", job->error);
	json_end(json);
}

static void write_jobs(struct http_exchange *exchange, const struct store_job *jobs, size_t n)
{
	struct json_writer json;

	exchange->response.content_type = "application/json";
	json_writer_init(&json, &exchange->response.body, 0);
	json_object(&json);
	json_key(&json, "jobs");
	json_array(&json);
	for (size_t i = 0; i < n; i++)
		write_job(&json, &jobs[i]);
	json_end(&json);
	json_end(&json);
}

void handle_jobs(void *ctx, struct http_exchange *exchange)
{
	struct server *server = ctx;
	const struct store_query ask =
		question_ask(server, exchange, NULL, (struct store_range){0}, 0);
	struct store_job *jobs;
	struct err err;
	size_t n = 0;
	int r = server->store->ops->jobs(server->store, ask.tenant, &exchange->arena, &jobs, &n,
					 &err);

	if (r < 0)
		http_fail(exchange, 500, "internal", "%s", err.text);
	else
		write_jobs(exchange, jobs, n);
	http_exchange_finish(exchange);
}
