/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile_bench NODES DEPTH FUNCS: how long each pass over a large tree takes, as JSON lines for
 * profile_bench.py.  The baseline is one backward pass over an array of that many values, which no
 * computation of totals can do without.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "format/view.h"
#include "profile/flame.h"
#include "profile/table.h"

#define REPEATS 3 /* the fastest counts: the others met somebody else on the CPU */

struct bench {
	struct names *names;
	struct profile profile;
	struct profile other; /* same names, merged into and grouped */
	uint32_t n_nodes, depth, n_funcs;
	int64_t sink; /* keeps results alive */
};

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Functions of 3 lines each; every 16th has a name that search finds. */
static struct frame_id bench_frame(struct bench *bench, uint64_t *seed)
{
	uint32_t func = (uint32_t)(next_random(seed) % bench->n_funcs);
	char name[32], file[32];
	struct frame frame = {.kind = FRAME_PYTHON, .line = (uint32_t)(next_random(seed) % 3 + 1)};

	snprintf(name, sizeof(name), "%s_%u", func % 16 ? "function" : "needle", func);
	snprintf(file, sizeof(file), "/srv/file_%u.py", func / 10);
	frame.name = names_cstr(bench->names, name);
	frame.file = names_cstr(bench->names, file);
	return names_frame(bench->names, &frame);
}

/* Chains of full depth, each of which branches off an earlier one somewhere. */
static void tree_build(struct bench *bench)
{
	uint64_t seed = 4711;

	while (bench->profile.tree.n < bench->n_nodes) {
		struct node_id node = {(uint32_t)(next_random(&seed) % bench->profile.tree.n)};

		while (bench->profile.tree.depth[node.v] < bench->depth &&
		       bench->profile.tree.n < bench->n_nodes) {
			node = tree_child(&bench->profile.tree, node, bench_frame(bench, &seed));
			profile_add(&bench->profile, 0, node, (int64_t)(next_random(&seed) % 1000));
		}
	}
}

static void run_baseline(struct bench *bench, struct arena *arena)
{
	int64_t *values = arena_array(arena, bench->profile.tree.n, sizeof(*values));

	memcpy(values, bench->profile.columns[0].values, bench->profile.tree.n * sizeof(*values));
	for (uint32_t i = bench->profile.tree.n; i-- > 1;)
		values[i - 1] += values[i];
	bench->sink += values[0];
}

static void run_totals(struct bench *bench, struct arena *arena)
{
	bench->sink += profile_totals(&bench->profile, 0, arena)[0];
}

static void run_table(struct bench *bench, struct arena *arena)
{
	struct func_row *rows;

	bench->sink += (int64_t)func_table(&bench->profile, 0, FUNC_BY_SELF, arena, &rows);
}

static void run_search(struct bench *bench, struct arena *arena)
{
	struct search_result found;
	struct err err;

	if (profile_search(&bench->profile, 0, "needle", arena, &found, &err) < 0)
		abort();
	bench->sink += found.matched;
}

static void run_flame(struct bench *bench, struct arena *arena)
{
	struct flame_opts opts = {0};
	struct flame flame;

	flame_layout(&bench->profile, &opts, arena, &flame);
	bench->sink += flame.n;
}

static void run_flame_all(struct bench *bench, struct arena *arena)
{
	struct flame_opts opts = {.max_nodes = FLAME_MAX_NODES};
	struct flame flame;

	flame_layout(&bench->profile, &opts, arena, &flame);
	bench->sink += flame.n;
}

static void run_lines(struct bench *bench, struct arena *arena)
{
	struct func_id func =
		names_func_of(bench->names, (struct frame_id){bench->profile.tree.frame[1]});
	struct edge_row *edges;
	struct line_row *lines;

	bench->sink += (int64_t)line_table(&bench->profile, 0, func, arena, &lines);
	bench->sink += (int64_t)func_callers(&bench->profile, 0, func, arena, &edges);
	bench->sink += (int64_t)func_callees(&bench->profile, 0, func, arena, &edges);
}

/* The whole answer of /api/v1/view, as text. */
static void run_view(struct bench *bench, struct arena *arena)
{
	struct view_request request = {.group = GROUP_FUNCTION, .search = "needle"};
	struct view_facts facts = {0};
	struct buf out;
	struct err err;

	(void)arena;
	buf_init(&out, (size_t)1 << 30);
	if (view_write(&bench->profile, &request, &facts, &out, &err) < 0)
		abort();
	bench->sink += (int64_t)out.len;
	buf_done(&out);
}

static void other_renew(struct bench *bench)
{
	profile_done(&bench->other);
	profile_init(&bench->other, bench->names);
}

static void run_group(struct bench *bench, struct arena *arena)
{
	(void)arena;
	other_renew(bench);
	profile_group(&bench->profile, GROUP_FUNCTION, &bench->other);
	bench->sink += bench->other.tree.n;
}

static void run_merge_new(struct bench *bench, struct arena *arena)
{
	(void)arena;
	other_renew(bench);
	if (profile_merge(&bench->other, &bench->profile) < 0)
		abort();
}

/* As most merges are: every path is there already. */
static void run_merge_again(struct bench *bench, struct arena *arena)
{
	(void)arena;
	if (profile_merge(&bench->other, &bench->profile) < 0)
		abort();
}

static void measure(struct bench *bench, const char *name,
		    void (*run)(struct bench *bench, struct arena *arena))
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < REPEATS; i++) {
		int64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		struct arena arena;

		arena_init(&arena);
		run(bench, &arena);
		arena_done(&arena);
		best = min_of(best, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start);
	}
	printf("{\"name\":\"%s\",\"ms\":%.3f}\n", name, (double)best / 1e6);
}

int main(int argc, char **argv)
{
	struct bench bench = {.names = names_new()};
	int64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (argc != 4) {
		fprintf(stderr, "usage: profile_bench NODES DEPTH FUNCS\n");
		return 2;
	}
	bench.n_nodes = (uint32_t)strtoul(argv[1], NULL, 10);
	bench.depth = (uint32_t)strtoul(argv[2], NULL, 10);
	bench.n_funcs = (uint32_t)strtoul(argv[3], NULL, 10);
	profile_init(&bench.profile, bench.names);
	profile_init(&bench.other, bench.names);
	if (profile_column(&bench.profile, "cpu", "nanoseconds", NULL) < 0 || !bench.n_funcs)
		return 1;
	tree_build(&bench);
	printf("{\"name\":\"build\",\"ms\":%.3f}\n",
	       (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / 1e6);
	measure(&bench, "baseline", run_baseline);
	measure(&bench, "totals", run_totals);
	measure(&bench, "function table", run_table);
	measure(&bench, "search", run_search);
	measure(&bench, "flame, 8192 boxes", run_flame);
	measure(&bench, "flame, all boxes", run_flame_all);
	measure(&bench, "lines, callers, callees", run_lines);
	measure(&bench, "group by function", run_group);
	measure(&bench, "merge, all new", run_merge_new);
	measure(&bench, "merge, all there", run_merge_again);
	measure(&bench, "view as JSON, with search", run_view);
	profile_done(&bench.other);
	profile_done(&bench.profile);
	names_free(bench.names);
	return bench.sink == 42; /* never; but the compiler cannot know */
}
