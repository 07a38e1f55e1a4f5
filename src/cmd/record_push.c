/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/record_push.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/vec.h"

struct record_push {
	struct agent *agent;
};

/* "k=v" into a label; the name is copied, the value points into the argument. */
static int parse_label(const char *text, struct arena *arena, struct label *ret_label,
		       struct err *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return err_set(err, ERR_USAGE, "--label: '%s' is not of the form name=value", text);
	ret_label->name = arena_strndup(arena, text, (size_t)(equals - text));
	ret_label->value = equals + 1;
	return 0;
}

int record_push_check(const struct record_push_options *options, struct err *err)
{
	struct arena arena;
	struct label label;
	int r = 0;

	if (options->url && !options->service)
		return err_set(err, ERR_USAGE, "--push needs --service NAME");
	if (!options->url && (options->spool || options->labels.n))
		return err_set(err, ERR_USAGE, "--spool and --label go with --push URL");
	arena_init(&arena);
	for (size_t i = 0; i < options->labels.n && r == 0; i++)
		r = parse_label(options->labels.items[i], &arena, &label, err);
	arena_done(&arena);
	return r;
}

static int new_agent(const struct record_push_options *options, struct names *names,
		     struct tree *tree, struct arena *arena, struct agent **ret_agent,
		     struct err *err)
{
	struct label *labels = arena_array(arena, options->labels.n + 1, sizeof(*labels));
	struct agent_opts opts = {
		.url = options->url,
		.service = options->service,
		.labels = labels,
		.n_labels = options->labels.n,
		.spool_dir = options->spool,
		.credentials = {.token_file = options->token_file,
				.token = getenv("PYROMETER_TOKEN"),
				.tenant = options->tenant,
				.ca_file = options->ca_file},
	};

	for (size_t i = 0; i < options->labels.n; i++) {
		int r = parse_label(options->labels.items[i], arena, &labels[i], err);

		if (r < 0)
			return r;
	}
	return agent_new(&opts, names, tree, ret_agent, err);
}

int record_push_start(const struct record_push_options *options, struct sinks *sinks,
		      struct names *names, struct tree *tree, struct record_push **ret_push,
		      struct err *err)
{
	struct agent *agent;
	struct arena arena;
	int r;

	arena_init(&arena);
	r = new_agent(options, names, tree, &arena, &agent, err);
	arena_done(&arena);
	if (r < 0)
		return r;
	*ret_push = xcalloc(1, sizeof(**ret_push));
	(*ret_push)->agent = agent;
	sinks_add(sinks, agent_events(), agent);
	return 0;
}

bool record_push_finish(struct record_push *push)
{
	struct agent_stats stats;
	uint64_t dropped_before;

	if (!push)
		return true;
	agent_stats(push->agent, &stats);
	dropped_before = stats.dropped;
	if (agent_finish(push->agent) < 0)
		log_warn("not everything could be sent in time");
	agent_stats(push->agent, &stats);
	log_info("pushed %" PRIu64 " requests (%" PRIu64 " tries failed, %" PRIu64
		 " refused, %" PRIu64 " dropped, %" PRIu64 " still waiting)",
		 stats.pushed, stats.retries, stats.refused, stats.dropped, stats.waiting);
	return stats.dropped == dropped_before &&
	       (stats.pushed > 0 || stats.refused + stats.dropped == 0);
}

void record_push_free(struct record_push *push)
{
	if (!push)
		return;
	agent_free(push->agent);
	free(push);
}
