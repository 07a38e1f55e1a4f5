/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/push.h"
#include "agent/sender.h"
#include "agent/spool.h"
#include "agent/transport.h"
#include "agent/window.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "format/capture_profile.h"
#include "profile/hash.h"

struct agent {
	struct arena arena; /* labels, for the agent's life */
	struct push_source source;
	struct capture_fold *fold; /* knows processes and threads; gets no samples */
	struct window_cutter *cutter;
	struct sender *sender;
	uint64_t windows;
	struct map64 sources_sent; /* hash of file and text */
	bool is_finished;
};

/* ---- windows out ---- */

static int on_window(void *ctx, struct profile *profile)
{
	struct agent *agent = ctx;
	cleanup(buf_done) struct buf body = {.ceiling = PUSH_MAX_BYTES};
	struct err err;

	agent->windows++;
	/* One window that does not fit must not end the recording. */
	if (push_encode(&agent->source, profile, &body, &err) < 0)
		log_warn("%s: this window is dropped", err.text);
	else
		sender_put(agent->sender, SENDER_PUSH, PUSH_PATH, body.data, body.len);
	return 0;
}

/* ---- events in ---- */

static int on_header(void *ctx, const struct capture_header *header)
{
	struct agent *agent = ctx;
	int r = capture_fold_events()->header(agent->fold, header);

	return r < 0 ? r : window_start(agent->cutter, header);
}

static int on_process(void *ctx, const struct capture_process *process)
{
	return capture_fold_events()->process(((struct agent *)ctx)->fold, process);
}

static int on_thread(void *ctx, const struct capture_thread *thread)
{
	return capture_fold_events()->thread(((struct agent *)ctx)->fold, thread);
}

static int on_sample(void *ctx, const struct capture_sample *sample)
{
	return window_sample(((struct agent *)ctx)->cutter, sample);
}

static int on_stats(void *ctx, const struct capture_stats *stats)
{
	return window_reached(((struct agent *)ctx)->cutter, stats->time_ns);
}

static void put_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		bool is_plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
				(*text >= '0' && *text <= '9') || strchr("-._~/", *text);

		if (is_plain)
			buf_putc(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
	}
}

/* Each text of a file once: the server keeps it. */
static int on_source(void *ctx, const struct capture_source *source)
{
	struct agent *agent = ctx;
	cleanup(buf_done) struct buf path = {.ceiling = 16 * NAME_MAX_BYTES};
	uint64_t hash = hash_stable(source->file, strlen(source->file)) ^
			hash_stable(source->text, source->len) * 31;
	bool is_new;

	(void)map64_put(&agent->sources_sent, hash, &is_new);
	if (!is_new)
		return 0;
	buf_puts(&path, "/api/v1/source?service=");
	put_escaped(&path, labels_get(&agent->source.labels, LABEL_SERVICE));
	buf_puts(&path, "&file=");
	put_escaped(&path, source->file);
	sender_put(agent->sender, SENDER_SOURCE, path.data, source->text, source->len);
	return 0;
}

static int on_end(void *ctx, const struct capture_end *end)
{
	return window_reached(((struct agent *)ctx)->cutter, end->time_ns);
}

const struct capture_events *agent_events(void)
{
	static const struct capture_events events = {
		.header = on_header,
		.process = on_process,
		.thread = on_thread,
		.sample = on_sample,
		.stats = on_stats,
		.source = on_source,
		.end = on_end,
	};

	return &events;
}

/* ---- life ---- */

static int set_labels(struct agent *agent, const struct agent_opts *opts, struct err *err)
{
	int r = 0;

	if (!opts->service || !*opts->service)
		return err_set(err, ERR_USAGE,
			       "a profile needs the name of its service: --service NAME");
	for (size_t i = 0; r == 0 && i < opts->n_labels; i++) {
		if (strncmp(opts->labels[i].name, "__", 2) == 0)
			return err_set(err, ERR_USAGE, "label %s: names with __ are reserved",
				       opts->labels[i].name);
		r = labels_set(&agent->source.labels, &agent->arena, opts->labels[i].name,
			       opts->labels[i].value, err);
	}
	if (r < 0)
		return r;
	return labels_set(&agent->source.labels, &agent->arena, LABEL_SERVICE, opts->service, err);
}

static int make_sender(struct agent *agent, const struct agent_opts *opts, uint64_t seed,
		       struct err *err)
{
	struct sender_opts sender_opts = {
		.memory_max_bytes =
			opts->memory_max_bytes ? opts->memory_max_bytes : AGENT_MEMORY_BYTES,
		.seed = seed,
	};
	size_t spool_bytes = opts->spool_max_bytes ? opts->spool_max_bytes : AGENT_SPOOL_BYTES;
	int r;

	if (opts->spool_dir) {
		r = spool_open(opts->spool_dir, spool_bytes, &sender_opts.spool, err);
		if (r < 0)
			return r;
	}
	if (opts->transport) {
		sender_opts.transport = *opts->transport;
	} else {
		r = transport_http_new(opts->url, &opts->credentials, &sender_opts.transport, err);
		if (r < 0) {
			spool_close(sender_opts.spool);
			return r;
		}
	}
	agent->sender = sender_new(&sender_opts);
	return sender_start(agent->sender, err);
}

int agent_new(const struct agent_opts *opts, struct names *names, const struct tree *tree,
	      struct agent **ret_agent, struct err *err)
{
	struct capture_fold_opts fold_opts = {.process_markers = true, .thread_markers = true};
	struct agent *agent = xcalloc(1, sizeof(*agent));
	uint64_t random[2];
	int r;

	arena_init(&agent->arena);
	agent->fold = capture_fold_new(names, tree, &fold_opts);
	agent->cutter = window_cutter_new(names, agent->fold, on_window, agent);
	if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
		r = err_sys(err, -errno, "cannot get random numbers");
		goto fail;
	}
	agent->source.boot = random[0];
	r = set_labels(agent, opts, err);
	if (r == 0)
		r = make_sender(agent, opts, random[1], err);
	if (r < 0)
		goto fail;
	*ret_agent = agent;
	return 0;
fail:
	agent_free(agent);
	return r;
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	sender_free(agent->sender);
	window_cutter_free(agent->cutter);
	capture_fold_free(agent->fold);
	map64_done(&agent->sources_sent);
	arena_done(&agent->arena);
	free(agent);
}

int agent_finish(struct agent *agent)
{
	struct agent_stats stats;
	uint64_t lost;

	if (agent->is_finished)
		return 0;
	agent->is_finished = true;
	if (window_finish(agent->cutter) < 0)
		log_warn("the last window could not be cut");
	lost = sender_finish(agent->sender, clock_monotonic_ns() + AGENT_FINISH_NS);
	agent_stats(agent, &stats);
	if (lost)
		log_warn("%llu requests could not be pushed and are lost: %s",
			 (unsigned long long)lost, stats.last_error);
	else if (stats.waiting)
		log_info("%llu requests wait in the spool for the next run",
			 (unsigned long long)stats.waiting);
	return lost || stats.waiting ? -ETIMEDOUT : 0;
}

void agent_stats(struct agent *agent, struct agent_stats *ret_stats)
{
	sender_stats(agent->sender, ret_stats);
	ret_stats->windows = agent->windows;
}
