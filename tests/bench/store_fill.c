/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a store through its bulk writer, as a server with that load would have.
 *
 *	store_fill DIR SHAPE SERIES STEP_S SECONDS [MAX_GB]
 *
 * SERIES label sets (host=h0, h1 ...; side=even, odd) of the service "shop", a profile every STEP_S seconds of
 * each, over SECONDS that end with the last whole day; MAX_GB: or until the store has that size.  SHAPE: fill.h.
 * Prints lines "name value"; `nodes` are different stacks in profiles, of which a sample is one or a part.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/vec.h"
#include "fill.h"
#include "store/sqlite/store_bulk.h"

#define DAY_S 86400
#define LOOK_EVERY 64 /* steps: at the size */

/* ---- the store ---- */

static struct bulk_series *make_series(struct fill *fill, struct store_bulk *bulk, int64_t number)
{
	struct store_profile like = {.tenant = STORE_TENANT_DEFAULT, .profile = &fill->pool};
	struct bulk_series *series = NULL;
	struct labels labels;
	struct arena arena;
	struct err err;
	char text[160];

	snprintf(text, sizeof(text),
		 "{__name__=\"process_cpu\",host=\"h%lld\",service_name=\"shop\",side=\"%s\"}",
		 (long long)number, number % 2 ? "odd" : "even");
	arena_init(&arena);
	like.labels = &labels;
	if (labels_parse(text, &arena, &labels, &err) < 0 ||
	    store_bulk_series(bulk, &like, &series, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	arena_done(&arena);
	return series;
}

struct extent {
	int64_t first_s, until_s, step_s, max_bytes;
	int64_t last_s; /* where the newest profile ends */
};

static struct bulk_profile make_profile(struct fill *fill, int64_t series, int64_t at_s)
{
	struct bulk_profile profile = {.nodes = fill->nodes, .values[0] = fill->values};
	uint64_t before = fill->samples;

	fill_seed(fill, (uint64_t)series, (uint64_t)at_s);
	fill_profile(fill);
	profile.n_nodes = fill->n;
	profile.n_samples = (int64_t)(fill->samples - before);
	return profile;
}

static int put_all(struct fill *fill, struct store_bulk *bulk, struct bulk_series **series,
		   int64_t n_series, struct extent *extent, struct err *err)
{
	int64_t steps = 0;
	int r = 0;

	extent->last_s = extent->first_s;
	for (int64_t at = extent->first_s; at < extent->until_s && r == 0; at += extent->step_s) {
		for (int64_t i = 0; i < n_series && r == 0; i++) {
			struct bulk_profile profile = make_profile(fill, i, at);

			profile.start_ns = fill_start_ns(at, extent->step_s, i, n_series);
			profile.duration_ns = extent->step_s * NS_PER_S;
			r = store_bulk_put(bulk, series[i], &profile, err);
		}
		extent->last_s = at + extent->step_s;
		if (extent->max_bytes && ++steps % LOOK_EVERY == 0 &&
		    store_bulk_bytes(bulk) >= extent->max_bytes)
			break;
	}
	return r;
}

static int run(struct fill *fill, const char *dir, int64_t n_series, struct extent *extent,
	       struct err *err)
{
	struct bulk_series **series = xcalloc((size_t)n_series, sizeof(*series));
	struct store_config config;
	struct store_bulk *bulk;
	int r, closed;

	store_config_init(&config, dir);
	config.retention = (struct store_retention){0};
	config.max_series = (uint32_t)n_series + 1;
	r = store_bulk_open(&config, &bulk, err);
	if (r == 0) {
		for (int64_t i = 0; i < n_series; i++)
			series[i] = make_series(fill, bulk, i);
		r = put_all(fill, bulk, series, n_series, extent, err);
		closed = store_bulk_close(bulk, r == 0 ? err : NULL);
		r = r < 0 ? r : closed;
	}
	free(series);
	return r;
}

static void print(const struct fill *fill, const struct extent *extent)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	printf("first_s %lld\nlast_s %lld\nprofiles %llu\nsamples %llu\nnodes %llu\n",
	       (long long)extent->first_s, (long long)extent->last_s,
	       (unsigned long long)fill->profiles, (unsigned long long)fill->samples,
	       (unsigned long long)fill->all_nodes);
	printf("cpu_s %.2f\nrss_mb %.0f\n", (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9,
	       (double)used.ru_maxrss / 1e3);
}

int main(int argc, char **argv)
{
	const struct shape *shape = argc > 2 ? fill_shape(argv[2]) : NULL;
	struct extent extent = {0};
	struct fill fill;
	struct err err;
	int r;

	if (argc < 6 || !shape) {
		fprintf(stderr,
			"usage: %s DIR bench|push|zipf|tail SERIES STEP_S SECONDS [MAX_GB]\n",
			argv[0]);
		return 2;
	}
	extent.step_s = strtoll(argv[4], NULL, 10);
	extent.until_s = clock_real_ns() / NS_PER_S / DAY_S * DAY_S;
	extent.first_s = extent.until_s - strtoll(argv[5], NULL, 10);
	extent.max_bytes = argc > 6 ? (int64_t)(strtod(argv[6], NULL) * 1e9) : 0;
	fill_init(&fill, shape);
	r = run(&fill, argv[1], strtoll(argv[3], NULL, 10), &extent, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	else
		print(&fill, &extent);
	fill_done(&fill);
	return r < 0;
}
