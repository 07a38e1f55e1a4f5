/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a store with profiles of a real shape and measures it: store_bench.py runs it.
 *
 *	store_generate DIR SECONDS STEP SERIES STACKS MODE
 *
 * SERIES label sets of one service, each with a profile of STACKS stacks every STEP seconds over SECONDS,
 * drawn by Zipf's law (exponent 1.1) from four times as many; weights are nanoseconds with jitter, as
 * real-time weights are.  MODE: `batch` (wait for many puts at once) or `single` (wait for each).
 * Prints lines "name value": the cost of putting, bytes per sample on disk and per level, the time of
 * queries before and after the roll-ups, and memory.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "store/sqlite/sqlite_store.h"

#define DEPTH 24
#define POOL_FACTOR 4
#define IN_FLIGHT 64

struct bench {
	struct store *store;
	int64_t seconds, step, n_series, n_stacks;
	bool is_single;
	int64_t from_ns;
	struct names *names;
	struct tree tree;
	struct node_id *pool; /* leaves, the likeliest first */
	double *cumulated;
	uint64_t random;
	pthread_mutex_t lock;
	pthread_cond_t done;
	int64_t in_flight, failed;
};

static double draw(struct bench *bench)
{
	bench->random ^= bench->random << 13;
	bench->random ^= bench->random >> 7;
	bench->random ^= bench->random << 17;
	return (double)(bench->random >> 11) * 0x1p-53;
}

/* Stacks of a service: mostly shared callers, a few hundred functions. */
static void make_pool(struct bench *bench)
{
	size_t n = (size_t)(bench->n_stacks * POOL_FACTOR);
	double sum = 0;

	tree_init(&bench->tree);
	bench->pool = xcalloc(n, sizeof(*bench->pool));
	bench->cumulated = xcalloc(n, sizeof(double));
	for (size_t i = 0; i < n; i++) {
		struct node_id node = {0};
		int depth = DEPTH / 2 + (int)(draw(bench) * DEPTH);

		for (int d = 0; d < depth; d++) {
			char name[64];
			int choice = (int)(pow(draw(bench), 3) * (d < 8 ? 2 : 12));
			struct frame frame = {.kind = FRAME_PYTHON,
					      .line = (uint32_t)(10 + choice)};

			snprintf(name, sizeof(name), "handler_%d_%d", d, choice);
			frame.name = names_cstr(bench->names, name);
			frame.file = names_cstr(bench->names, d < 8 ? "/srv/framework/app.py"
								    : "/srv/shop/orders.py");
			node = tree_child(&bench->tree, node, names_frame(bench->names, &frame));
		}
		bench->pool[i] = node;
		sum += pow((double)i + 1, -1.1);
		bench->cumulated[i] = sum;
	}
}

static size_t pick(struct bench *bench)
{
	size_t low = 0, high = (size_t)(bench->n_stacks * POOL_FACTOR) - 1;
	double at = draw(bench) * bench->cumulated[high];

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (bench->cumulated[mid] < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Samples until so many different stacks were seen; the tree is copied node by node. */
static void fill(struct bench *bench, struct profile *profile)
{
	cleanup_free uint8_t *is_seen =
		xcalloc((size_t)(bench->n_stacks * POOL_FACTOR), sizeof(*is_seen));
	int64_t distinct = 0, samples = 0;

	for (; distinct < bench->n_stacks && samples < bench->n_stacks * 40; samples++) {
		size_t at = pick(bench);
		struct frame_id path[DEPTH * 2];
		size_t n = tree_path(&bench->tree, bench->pool[at], path, DEPTH * 2);

		distinct += !is_seen[at];
		is_seen[at] = 1;
		profile_add(profile, 0, tree_stack(&profile->tree, path, n),
			    (int64_t)(1e7 * (0.9 + 0.2 * draw(bench))));
	}
	profile->n_samples = samples;
}

static void on_done(void *ctx, int code, const char *text)
{
	struct bench *bench = ctx;

	pthread_mutex_lock(&bench->lock);
	if (code < 0 && !bench->failed++)
		fprintf(stderr, "a put failed: %s\n", text);
	bench->in_flight--;
	pthread_cond_signal(&bench->done);
	pthread_mutex_unlock(&bench->lock);
}

static void put(struct bench *bench, struct profile *profile, int64_t series)
{
	cleanup(arena_done) struct arena arena;
	struct labels labels = {.n = 0};
	struct store_profile fields = {.tenant = "bench", .labels = &labels, .profile = profile};
	struct err err;
	char text[128];
	int r;

	arena_init(&arena);
	snprintf(text, sizeof(text),
		 "{__name__=\"process_cpu\",host=\"h%d\",service_name=\"shop\"}", (int)series);
	r = labels_parse(text, &arena, &labels, &err);
	pthread_mutex_lock(&bench->lock);
	while (bench->in_flight >= (bench->is_single ? 1 : IN_FLIGHT))
		pthread_cond_wait(&bench->done, &bench->lock);
	bench->in_flight++;
	pthread_mutex_unlock(&bench->lock);
	if (r == 0)
		r = bench->store->ops->put(bench->store, &fields, on_done, bench, &err);
	if (r < 0)
		on_done(bench, r, err.text);
}

static double cpu_s(void)
{
	return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
}

static double rss_mb(void)
{
	cleanup_file FILE *file = fopen("/proc/self/statm", "re");
	long pages = 0, resident = 0;

	if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2)
		return 0;
	return (double)resident * 4096 / 1e6;
}

/* Profiles are made ahead of the clock: 50 of them, put again and again with other times. */
#define N_PROFILES 50

static void put_all(struct bench *bench)
{
	struct profile profiles[N_PROFILES];
	double cpu, real;
	int64_t n = 0, n_stacks = 0;

	for (int i = 0; i < N_PROFILES; i++) {
		profile_init(&profiles[i], bench->names);
		if (profile_column(&profiles[i], "cpu", "nanoseconds", "") < 0)
			abort();
		profiles[i].period_type = names_cstr(bench->names, "cpu");
		profiles[i].period_unit = names_cstr(bench->names, "nanoseconds");
		profiles[i].duration_ns = bench->step * NS_PER_S;
		fill(bench, &profiles[i]);
		for (uint32_t node = 0; node < profiles[i].tree.n; node++)
			n_stacks += profile_value(&profiles[i], 0, (struct node_id){node}) != 0;
	}
	cpu = cpu_s();
	real = (double)clock_monotonic_ns();
	for (int64_t at = 0; at < bench->seconds; at += bench->step)
		for (int64_t series = 0; series < bench->n_series; series++, n++) {
			struct profile *profile = &profiles[(n * 17 + series) % N_PROFILES];

			profile->start_ns = bench->from_ns + at * NS_PER_S;
			put(bench, profile, series);
		}
	pthread_mutex_lock(&bench->lock);
	while (bench->in_flight)
		pthread_cond_wait(&bench->done, &bench->lock);
	pthread_mutex_unlock(&bench->lock);
	printf("profiles %lld\nstacks_per_profile %.0f\n", (long long)n,
	       (double)n_stacks / N_PROFILES);
	printf("puts_per_cpu_s %.0f\n", (double)n / (cpu_s() - cpu));
	printf("puts_per_s %.0f\n", (double)n * 1e9 / ((double)clock_monotonic_ns() - real));
	printf("failed %lld\n", (long long)bench->failed);
	for (int i = 0; i < N_PROFILES; i++)
		profile_done(&profiles[i]);
}

/* Best of five, as a warm server answers. */
static void time_merge(struct bench *bench, const char *name, const char *selector_text,
		       struct store_range range)
{
	cleanup(arena_done) struct arena arena;
	struct selector selector;
	struct store_query query = {.tenant = "bench", .selector = &selector, .range = range};
	struct err err;
	int64_t best = INT64_MAX;
	uint32_t n_blocks = 0;

	arena_init(&arena);
	if (selector_parse(selector_text, &arena, &selector, &err) < 0)
		abort();
	for (int i = 0; i < 5; i++) {
		struct store_merged merged;
		int64_t began = clock_monotonic_ns();

		if (bench->store->ops->merge(bench->store, &query, &merged, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			exit(1);
		}
		best = min_of(best, clock_monotonic_ns() - began);
		n_blocks = merged.n_blocks;
		store_merged_done(&merged);
	}
	printf("%s_ms %.2f\n%s_blocks %u\n", name, (double)best / 1e6, name, n_blocks);
	selector_done(&selector);
}

static void time_timeline(struct bench *bench, const char *name, struct store_range range,
			  int64_t step_ns)
{
	cleanup(arena_done) struct arena arena;
	struct selector selector;
	struct store_query query = {.tenant = "bench", .selector = &selector, .range = range};
	struct store_line *lines;
	struct err err;
	int64_t began;
	size_t n;

	arena_init(&arena);
	if (selector_parse("{service_name=\"shop\"}", &arena, &selector, &err) < 0)
		abort();
	began = clock_monotonic_ns();
	if (bench->store->ops->timeline(bench->store, &query, step_ns, NULL, 0, &arena, &lines, &n,
					&err) < 0)
		exit(1);
	printf("%s_ms %.2f\n", name, (double)(clock_monotonic_ns() - began) / 1e6);
	selector_done(&selector);
}

static void time_queries(struct bench *bench, const char *when)
{
	int64_t from = bench->from_ns, until = from + bench->seconds * NS_PER_S;
	const struct store_range whole = {from, until};
	/* Ends that fit no window. */
	const struct store_range odd = {from + 12345678901, until - 9876543210};
	char name[64];

	snprintf(name, sizeof(name), "%s_merge_all", when);
	time_merge(bench, name, "{service_name=\"shop\"}", whole);
	snprintf(name, sizeof(name), "%s_merge_all_odd", when);
	time_merge(bench, name, "{service_name=\"shop\"}", odd);
	if (bench->n_series > 1) {
		snprintf(name, sizeof(name), "%s_merge_half", when);
		time_merge(bench, name, "{service_name=\"shop\",host=~\".*[02468]\"}", whole);
	}
	snprintf(name, sizeof(name), "%s_timeline", when);
	time_timeline(bench, name, whole,
		      bench->seconds * NS_PER_S / 600 / 60000000000 * 60000000000 + 60000000000);
}

static void print_sizes(struct bench *bench, int64_t samples)
{
	struct store_stats stats;

	bench->store->ops->stats(bench->store, &stats);
	printf("commits %llu\nblocks %llu\nstack_nodes %llu\n", (unsigned long long)stats.commits,
	       (unsigned long long)stats.blocks, (unsigned long long)stats.stack_nodes);
	printf("bytes_per_stack %.2f\n", (double)stats.bytes_on_disk / (double)samples);
}

int main(int argc, char **argv)
{
	struct bench bench = {.random = 88172645463325252u,
			      .lock = PTHREAD_MUTEX_INITIALIZER,
			      .done = PTHREAD_COND_INITIALIZER};
	struct store_config config;
	struct err err;
	int64_t samples;
	double cpu;

	if (argc != 7) {
		fprintf(stderr, "usage: %s DIR SECONDS STEP SERIES STACKS batch|single\n", argv[0]);
		return 2;
	}
	store_config_init(&config, argv[1]);
	config.retention = (struct store_retention){0};
	bench.seconds = strtoll(argv[2], NULL, 10);
	bench.step = strtoll(argv[3], NULL, 10);
	bench.n_series = strtoll(argv[4], NULL, 10);
	bench.n_stacks = strtoll(argv[5], NULL, 10);
	bench.is_single = strcmp(argv[6], "single") == 0;
	bench.names = names_new();
	/* Whole days back, so that all windows are over. */
	bench.from_ns = clock_real_ns() / (86400 * NS_PER_S) * (86400 * NS_PER_S) -
			(bench.seconds + 86399) / 86400 * 86400 * NS_PER_S;
	if (sqlite_store_open(&config, &bench.store, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	make_pool(&bench);
	put_all(&bench);
	samples = bench.seconds / bench.step * bench.n_series * bench.n_stacks;
	time_queries(&bench, "fine");
	print_sizes(&bench, samples);
	cpu = cpu_s();
	sqlite_store_settle(bench.store);
	printf("rollup_cpu_us_per_profile %.0f\n",
	       (cpu_s() - cpu) * 1e6 / (double)(samples / bench.n_stacks));
	print_sizes(&bench, samples);
	time_queries(&bench, "rolled");
	printf("rss_mb %.0f\n", rss_mb());
	bench.store->ops->close(bench.store);
	tree_done(&bench.tree);
	names_free(bench.names);
	free(bench.pool);
	free(bench.cumulated);
	return bench.failed ? 1 : 0;
}
