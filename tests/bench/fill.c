/* SPDX-License-Identifier: Apache-2.0 */
#include "fill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/vec.h"

#define DEPTH_MIN 12
#define DEPTH_SPREAD 24

static const struct shape shapes[] = {
	{"bench", 500, 300, 0},
	{"push", 3000, 300, 1.1},
	{"zipf", 20000, 1000, 1.1},
	{"tail", 20000, 200, 1.1},
};

const struct shape *fill_shape(const char *name)
{
	for (size_t i = 0; i < array_len(shapes); i++)
		if (strcmp(shapes[i].name, name) == 0)
			return &shapes[i];
	return NULL;
}

static double draw(struct fill *fill)
{
	fill->random ^= fill->random << 13;
	fill->random ^= fill->random >> 7;
	fill->random ^= fill->random << 17;
	return (double)(fill->random >> 11) * 0x1p-53;
}

void fill_seed(struct fill *fill, uint64_t series, uint64_t at)
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

void fill_init(struct fill *fill, const struct shape *shape)
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

void fill_done(struct fill *fill)
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
	fill->sums[stack] += (int64_t)(1e4 * (0.9 + 0.2 * draw(fill))) * NS_PER_US;
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

void fill_profile(struct fill *fill)
{
	fill->n = 0;
	draw_samples(fill);
	for (uint32_t i = 0; i < fill->n; i++) {
		fill->nodes[i] = fill->leaves[fill->touched[i]];
		fill->values[i] = fill->sums[fill->touched[i]];
		fill->sums[fill->touched[i]] = 0;
	}
	fill->all_nodes += fill->n;
	fill->profiles++;
}

int64_t fill_start_ns(int64_t at_s, int64_t step_s, int64_t series, int64_t n_series)
{
	return at_s * NS_PER_S + series * step_s * NS_PER_S / n_series;
}
