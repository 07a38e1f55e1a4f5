/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a store through its bulk writer, as a server with that load would have.
 *
 *	store_fill DIR SHAPE SERIES STEP_S SECONDS [MAX_GB]
 *
 * SERIES label sets (host=h0, h1 ...; side=even, odd) of the service "shop", a profile every STEP_S seconds of
 * each, over SECONDS that end with the last whole day; MAX_GB: or until the store has that size.  What a profile
 * holds follows from SHAPE, series and time alone, so that whoever checks answers can make it again.
 *
 *	bench	300 of 500 stacks, 1 to 9 samples of each
 *	push	300 samples of 3,000 stacks, by Zipf's law (exponent 1.1): what server_bodies sends
 *	zipf	1,000 samples of 20,000 stacks, by the same law
 *
 * A sample weighs 10 ms and up to 10 % more or less, in nanoseconds: the store keeps whole microseconds.  Prints
 * lines "name value"; `nodes` are different stacks in profiles, of which a sample is one or a part.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/store_bulk.h"

#define DEPTH_MIN 12
#define DEPTH_SPREAD 24
#define DAY_S 86400
#define LOOK_EVERY 64 /* steps: at the size */

struct shape {
	const char *name;
	uint32_t n_stacks, n_samples;
	double exponent; /* 0: each stack is there by chance, see profile_of() */
};

static const struct shape shapes[] = {
	{"bench", 500, 300, 0},
	{"push", 3000, 300, 1.1},
	{"zipf", 20000, 1000, 1.1},
};

struct fill {
	const struct shape *shape;
	struct names *names;
	struct profile pool; /* its tree holds all stacks */
	uint32_t *leaves;    /* the likeliest first */
	uint32_t *alias;     /* Walker's table: one look a draw */
	double *keep;
	uint64_t random;
	/* The profile that is being made: sums by stack, and which are there. */
	int64_t *sums;
	uint32_t *touched, *nodes;
	int64_t *values;
	uint32_t n;
	uint64_t profiles, samples, all_nodes;
};

static double draw(struct fill *fill)
{
	fill->random ^= fill->random << 13;
	fill->random ^= fill->random >> 7;
	fill->random ^= fill->random << 17;
	return (double)(fill->random >> 11) * 0x1p-53;
}

static void seed(struct fill *fill, uint64_t series, uint64_t at)
{
	uint64_t mixed = (series + 1) * 0x9e3779b97f4a7c15u ^ (at + 1) * 0xc2b2ae3d27d4eb4fu;

	mixed = (mixed ^ mixed >> 31) * 0xbf58476d1ce4e5b9u;
	fill->random = (mixed ^ mixed >> 29) | 1;
}

/* Shared callers at the top, then ever more choice. */
static uint32_t make_stack(struct fill *fill)
{
	int depth = DEPTH_MIN + (int)(draw(fill) * DEPTH_SPREAD);
	struct node_id node = {0};

	for (int d = 0; d < depth; d++) {
		int choice = (int)(pow(draw(fill), 3) * (d < 6 ? 3 : 40));
		struct frame frame = {.kind = FRAME_PYTHON, .line = (uint32_t)(10 + choice)};
		char text[64];

		snprintf(text, sizeof(text), "handler_%d_%d", d, choice);
		frame.name = names_cstr(fill->names, text);
		snprintf(text, sizeof(text), "/srv/shop/part%d.py", choice);
		frame.file = names_cstr(fill->names, text);
		node = tree_child(&fill->pool.tree, node, names_frame(fill->names, &frame));
	}
	return node.v;
}

/* Walker's method: two stacks share each slot, and `keep` says where one ends and the other begins. */
static void make_alias(struct fill *fill)
{
	uint32_t n = fill->shape->n_stacks, n_small = 0, n_large = 0;
	uint32_t *small = xcalloc(n, sizeof(*small)), *large = xcalloc(n, sizeof(*large));
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += pow((double)i + 1, -fill->shape->exponent);
	for (uint32_t i = 0; i < n; i++) {
		fill->keep[i] = pow((double)i + 1, -fill->shape->exponent) * n / sum;
		fill->alias[i] = i;
		if (fill->keep[i] < 1)
			small[n_small++] = i;
		else
			large[n_large++] = i;
	}
	while (n_small && n_large) {
		uint32_t less = small[--n_small], more = large[n_large - 1];

		fill->alias[less] = more;
		fill->keep[more] -= 1 - fill->keep[less];
		if (fill->keep[more] < 1)
			small[n_small++] = large[--n_large];
	}
	free(small);
	free(large);
}

static void fill_init(struct fill *fill, const struct shape *shape)
{
	uint32_t n = shape->n_stacks;

	*fill = (struct fill){.shape = shape, .random = 88172645463325252u};
	fill->names = names_new();
	profile_init(&fill->pool, fill->names);
	if (profile_column(&fill->pool, "cpu", "nanoseconds", "") < 0)
		abort();
	fill->pool.period_type = names_cstr(fill->names, "cpu");
	fill->pool.period_unit = names_cstr(fill->names, "nanoseconds");
	fill->pool.period = 10 * NS_PER_MS;
	fill->leaves = xcalloc(n, sizeof(*fill->leaves));
	fill->alias = xcalloc(n, sizeof(*fill->alias));
	fill->keep = xcalloc(n, sizeof(*fill->keep));
	fill->sums = xcalloc(n, sizeof(*fill->sums));
	fill->touched = xcalloc(n, sizeof(*fill->touched));
	fill->nodes = xcalloc(n, sizeof(*fill->nodes));
	fill->values = xcalloc(n, sizeof(*fill->values));
	for (uint32_t i = 0; i < n; i++)
		fill->leaves[i] = make_stack(fill);
	make_alias(fill);
}

static void fill_done(struct fill *fill)
{
	profile_done(&fill->pool);
	names_free(fill->names);
	free(fill->leaves);
	free(fill->alias);
	free(fill->keep);
	free(fill->sums);
	free(fill->touched);
	free(fill->nodes);
	free(fill->values);
}

/* ---- one profile ---- */

static void add_sample(struct fill *fill, uint32_t stack)
{
	if (!fill->sums[stack])
		fill->touched[fill->n++] = stack;
	fill->sums[stack] += (int64_t)(1e7 * (0.9 + 0.2 * draw(fill)));
	fill->samples++;
}

static void draw_samples(struct fill *fill)
{
	const struct shape *shape = fill->shape;

	for (uint32_t i = 0; i < shape->n_samples && shape->exponent > 0; i++) {
		double at = draw(fill) * shape->n_stacks;
		uint32_t slot = (uint32_t)at;

		add_sample(fill, at - slot < fill->keep[slot] ? slot : fill->alias[slot]);
	}
	for (uint32_t i = 0; i < shape->n_stacks && shape->exponent <= 0; i++) {
		if (draw(fill) * shape->n_stacks >= shape->n_samples)
			continue;
		for (int n = 1 + (int)(draw(fill) * 9); n > 0; n--)
			add_sample(fill, i);
	}
}

/* Two stacks may be one node: the second is added to the first. */
static void profile_of(struct fill *fill, struct bulk_profile *out)
{
	uint64_t before = fill->samples;

	fill->n = 0;
	draw_samples(fill);
	for (uint32_t i = 0; i < fill->n; i++) {
		fill->nodes[i] = fill->leaves[fill->touched[i]];
		fill->values[i] = fill->sums[fill->touched[i]];
		fill->sums[fill->touched[i]] = 0;
	}
	out->nodes = fill->nodes;
	out->values[0] = fill->values;
	out->n_nodes = fill->n;
	out->n_samples = (int64_t)(fill->samples - before);
	fill->all_nodes += fill->n;
	fill->profiles++;
}

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
};

static int put_all(struct fill *fill, struct store_bulk *bulk, struct bulk_series **series,
		   int64_t n_series, const struct extent *extent, struct err *err)
{
	struct bulk_profile profile = {.duration_ns = extent->step_s * NS_PER_S};
	int64_t steps = 0;
	int r = 0;

	for (int64_t at = extent->first_s; at < extent->until_s && r == 0; at += extent->step_s) {
		for (int64_t i = 0; i < n_series && r == 0; i++) {
			/* No two series begin their profiles at the same moment. */
			profile.start_ns = at * NS_PER_S + i * extent->step_s * NS_PER_S / n_series;
			seed(fill, (uint64_t)i, (uint64_t)at);
			profile_of(fill, &profile);
			r = store_bulk_put(bulk, series[i], &profile, err);
		}
		if (extent->max_bytes && ++steps % LOOK_EVERY == 0 &&
		    store_bulk_bytes(bulk) >= extent->max_bytes)
			break;
	}
	return r;
}

static int run(struct fill *fill, const char *dir, int64_t n_series, const struct extent *extent,
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
	printf("first_s %lld\nprofiles %llu\nsamples %llu\nnodes %llu\n",
	       (long long)extent->first_s, (unsigned long long)fill->profiles,
	       (unsigned long long)fill->samples, (unsigned long long)fill->all_nodes);
	printf("cpu_s %.2f\nrss_mb %.0f\n", (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9,
	       (double)used.ru_maxrss / 1e3);
}

static const struct shape *find_shape(const char *name)
{
	for (size_t i = 0; i < array_len(shapes); i++)
		if (strcmp(shapes[i].name, name) == 0)
			return &shapes[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct shape *shape = argc > 2 ? find_shape(argv[2]) : NULL;
	struct extent extent = {0};
	struct fill fill;
	struct err err;
	int r;

	if (argc < 6 || !shape) {
		fprintf(stderr, "usage: %s DIR bench|push|zipf SERIES STEP_S SECONDS [MAX_GB]\n",
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
