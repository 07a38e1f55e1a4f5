/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a store that store_fill filled, as its server would, with seeded ranges that fit no window.
 *
 *	store_ask DIR SPAN COUNT SEED all|half|lines
 *
 * COUNT ranges of about SPAN seconds: flame graphs of the whole service, of the half of its series with an even
 * host, or a timeline by host in steps of a 1,000th.  Nothing is kept from one to the next.  Prints lines "name value".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/sqlite_store.h"

struct ask {
	struct store *store;
	struct store_query query;
	bool is_timeline;
	uint64_t random;
	int64_t *took, *used;
	uint64_t blocks, nodes;
};

static int64_t draw(struct ask *ask, int64_t below)
{
	ask->random ^= ask->random << 13;
	ask->random ^= ask->random >> 7;
	ask->random ^= ask->random << 17;
	return (int64_t)(ask->random >> 2) % max_of(below, 1l);
}

static int ask_timeline(struct ask *ask, struct err *err)
{
	static const char *const group_by[] = {"host"};
	int64_t length = ask->query.range.until_ns - ask->query.range.from_ns;
	cleanup(arena_done) struct arena arena;
	struct store_line *lines;
	size_t n;

	arena_init(&arena);
	return ask->store->ops->timeline(ask->store, &ask->query, max_of(length / 1000, NS_PER_S),
					 group_by, 1, &arena, &lines, &n, err);
}

static int ask_merged(struct ask *ask, struct err *err)
{
	struct store_merged merged;
	int r = ask->store->ops->merge(ask->store, &ask->query, &merged, err);

	if (r < 0)
		return r;
	ask->blocks += merged.n_blocks;
	ask->nodes += merged.profile->tree.n;
	store_merged_done(&merged);
	return 0;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int ask_all(struct ask *ask, struct store_range data, int64_t span_ns, int n,
		   struct err *err)
{
	int64_t room = data.until_ns - data.from_ns - span_ns;

	for (int i = 0; i < n; i++) {
		int64_t began, cpu, at = data.from_ns + draw(ask, room);
		int r;

		ask->query.range = (struct store_range){at, at + span_ns - draw(ask, NS_PER_S)};
		began = clock_monotonic_ns();
		cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		r = ask->is_timeline ? ask_timeline(ask, err) : ask_merged(ask, err);
		if (r < 0)
			return r;
		ask->used[i] = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
		ask->took[i] = clock_monotonic_ns() - began;
	}
	qsort(ask->took, (size_t)n, sizeof(*ask->took), by_size);
	qsort(ask->used, (size_t)n, sizeof(*ask->used), by_size);
	printf("cpu_p50_ms %.2f\ncpu_p99_ms %.2f\n", (double)ask->used[n / 2] / 1e6,
	       (double)ask->used[n * 99 / 100] / 1e6);
	printf("p50_ms %.2f\np99_ms %.2f\nblocks %.0f\nnodes %.0f\n",
	       (double)ask->took[n / 2] / 1e6, (double)ask->took[n * 99 / 100] / 1e6,
	       (double)ask->blocks / n, (double)ask->nodes / n);
	return 0;
}

/* First and last moment of what there is. */
static int find_range(struct ask *ask, struct store_range *ret_range, struct err *err)
{
	cleanup(arena_done) struct arena arena;
	struct store_series *series;
	size_t n;
	int r;

	arena_init(&arena);
	ask->query.range = (struct store_range){0, INT64_MAX};
	r = ask->store->ops->series(ask->store, &ask->query, &arena, &series, &n, err);
	if (r == 0 && !n)
		return err_set(err, -ENOENT, "nothing matches");
	*ret_range = (struct store_range){INT64_MAX, 0};
	for (size_t i = 0; r == 0 && i < n; i++) {
		ret_range->from_ns = min_of(ret_range->from_ns, series[i].first_ns);
		ret_range->until_ns = max_of(ret_range->until_ns, series[i].last_ns);
	}
	return r;
}

int main(int argc, char **argv)
{
	cleanup(arena_done) struct arena arena;
	struct selector selector;
	struct ask ask = {.query = {.tenant = STORE_TENANT_DEFAULT, .selector = &selector}};
	struct store_config config;
	struct store_range data = {0, 0};
	struct err err;
	int n, r;

	if (argc != 6) {
		fprintf(stderr, "usage: %s DIR SPAN COUNT SEED all|half|lines\n", argv[0]);
		return 2;
	}
	arena_init(&arena);
	store_config_init(&config, argv[1]);
	config.retention = (struct store_retention){0};
	n = (int)strtol(argv[3], NULL, 10);
	ask.random = 88172645463325252u ^ strtoull(argv[4], NULL, 10) << 20;
	ask.is_timeline = strcmp(argv[5], "lines") == 0;
	ask.took = xcalloc((size_t)n + 1, sizeof(*ask.took));
	ask.used = xcalloc((size_t)n + 1, sizeof(*ask.used));
	r = selector_parse(strcmp(argv[5], "half") == 0 ? "{service_name=\"shop\",side=\"even\"}"
							: "{service_name=\"shop\"}",
			   &arena, &selector, &err);
	if (r == 0)
		r = sqlite_store_open(&config, &ask.store, &err);
	if (r == 0)
		r = find_range(&ask, &data, &err);
	if (r == 0)
		r = ask_all(&ask, data, strtoll(argv[2], NULL, 10) * NS_PER_S, n, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	if (ask.store)
		ask.store->ops->close(ask.store);
	selector_done(&selector);
	free(ask.took);
	free(ask.used);
	return r < 0;
}
