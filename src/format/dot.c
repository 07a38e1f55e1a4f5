/* SPDX-License-Identifier: Apache-2.0 */
#include "format/dot.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/vec.h"
#include "format/amount.h"
#include "profile/table.h"

#define LEAST_FONT 8
#define FONT_GROWTH 16 /* of the function that took most */
#define MOST_WEIGHT 100

struct arrow {
	uint32_t from, to; /* places among the drawn */
	int64_t value;
	uint32_t on_path; /* how often the walk has passed it on its way down */
	bool is_direct;	  /* at least once */
};

struct graph {
	const struct profile *profile;
	const int64_t *totals; /* by node */
	struct func_row *rows; /* the drawn come first */
	uint32_t n_rows, n_drawn;
	uint32_t *place; /* by function: 1 + place among the drawn, 0: not drawn */
	struct arrow *arrows;
	size_t n_arrows, cap;
	struct map64 by_pair;
	const char *unit;
	int64_t total;
};

/* Values of uploads reach to the end of their range. */
static int64_t sum_of(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? (a < 0 ? INT64_MIN : INT64_MAX) : sum;
}

/* ---- calls ---- */

/* The walk at one node of the tree. */
struct step {
	uint32_t above;	  /* 1 + place of the drawn function last passed, 0: none */
	uint32_t arrow;	  /* 1 + index of the arrow that led here, 0: none */
	bool is_direct;	  /* nothing left out since */
	uint32_t visited; /* children */
};

static uint32_t arrow_of(struct graph *graph, uint32_t from, uint32_t to)
{
	bool is_new;
	uint32_t *index = map64_put(&graph->by_pair, (uint64_t)from << 32 | to, &is_new);

	if (is_new) {
		graph->arrows = vec_grow(graph->arrows, &graph->cap, graph->n_arrows + 1,
					 sizeof(*graph->arrows));
		graph->arrows[graph->n_arrows] = (struct arrow){.from = from, .to = to};
		*index = (uint32_t)graph->n_arrows++;
	}
	return *index;
}

static void enter(struct graph *graph, uint32_t node, const struct step *above, struct step *here)
{
	struct frame_id frame = {graph->profile->tree.frame[node]};
	uint32_t place = graph->place[names_func_of(graph->profile->names, frame).v];
	struct arrow *arrow;

	*here = (struct step){.above = above->above};
	if (!place)
		return;
	here->above = place;
	here->is_direct = true;
	if (!above->above)
		return;
	here->arrow = 1 + arrow_of(graph, above->above - 1, place - 1);
	arrow = &graph->arrows[here->arrow - 1];
	if (!arrow->on_path++)
		arrow->value = sum_of(arrow->value, graph->totals[node]);
	arrow->is_direct |= above->is_direct;
}

static void walk(struct graph *graph, struct arena *arena)
{
	const struct tree *tree = &graph->profile->tree;
	struct step *steps = arena_array(arena, tree->n, sizeof(*steps));
	struct tree_index index;
	uint32_t node = 0;

	tree_index(tree, arena, &index);
	steps[0] = (struct step){0};
	for (;;) {
		struct step *step = &steps[node];
		uint32_t at = index.start[node] + step->visited;

		if (at < index.start[node + 1]) {
			step->visited++;
			node = index.list[at];
			enter(graph, node, step, &steps[node]);
			continue;
		}
		if (step->arrow)
			graph->arrows[step->arrow - 1].on_path--;
		if (!node)
			return;
		node = tree->parent[node];
	}
}

/* ---- text ---- */

/* Inside of quotes: neither a quote nor a backslash of a name means anything, a line break is a space. */
static void put_quoted(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_putc(out, '\\');
		buf_putc(out, (unsigned char)*text < ' ' ? ' ' : *text);
	}
}

static const char *name_of(const struct graph *graph, uint32_t place)
{
	const struct frame *frame = names_func_get(graph->profile->names, graph->rows[place].func);

	return names_text(graph->profile->names, frame->name, NULL);
}

/* From grey to red, the larger the share. */
static void put_colour(struct buf *out, const struct graph *graph, int64_t value, bool is_fill)
{
	double share = fmin(1, (double)value / (double)graph->total);
	int light = is_fill ? 237 : 178, red = light, other;

	other = (int)lround((is_fill ? 213 : 0) * sqrt(share) + light * (1 - sqrt(share)));
	buf_printf(out, "\"#%02x%02x%02x\"", red, other, other);
}

static void put_share(struct buf *out, const struct graph *graph, int64_t value)
{
	amount_put(out, value, graph->unit);
	buf_puts(out, " (");
	amount_put_share(out, value, graph->total);
	buf_puts(out, ")");
}

static void put_node(struct buf *out, const struct graph *graph, uint32_t place, int64_t most_self)
{
	const struct func_row *row = &graph->rows[place];
	double grown = most_self > 0 ? sqrt((double)row->self / (double)most_self) : 0;

	buf_printf(out, "N%u [label=\"", place + 1);
	put_quoted(out, name_of(graph, place));
	buf_puts(out, "\\n");
	if (row->self)
		put_share(out, graph, row->self);
	else
		buf_puts(out, "0");
	if (row->self != row->total) {
		buf_puts(out, row->self ? "\\nof " : " of ");
		put_share(out, graph, row->total);
	}
	buf_printf(out, "\" id=\"node%u\" fontsize=%d shape=box tooltip=\"", place + 1,
		   LEAST_FONT + (int)ceil(FONT_GROWTH * grown));
	put_quoted(out, name_of(graph, place));
	buf_puts(out, " (");
	amount_put(out, row->total, graph->unit);
	buf_puts(out, ")\" color=");
	put_colour(out, graph, row->total, false);
	buf_puts(out, " fillcolor=");
	put_colour(out, graph, row->total, true);
	buf_puts(out, "]\n");
}

static void put_arrow(struct buf *out, const struct graph *graph, const struct arrow *arrow)
{
	double share = (double)arrow->value / (double)graph->total;

	buf_printf(out, "N%u -> N%u [label=\" ", arrow->from + 1, arrow->to + 1);
	amount_put(out, arrow->value, graph->unit);
	buf_printf(out, "\" weight=%d penwidth=%d color=", 1 + (int)(share * (MOST_WEIGHT - 1)),
		   1 + (int)(share * 4));
	put_colour(out, graph, arrow->value, false);
	if (!arrow->is_direct)
		buf_puts(out, " style=\"dotted\"");
	buf_puts(out, " tooltip=\"");
	put_quoted(out, name_of(graph, arrow->from));
	buf_puts(out, " -> ");
	put_quoted(out, name_of(graph, arrow->to));
	buf_puts(out, " (");
	amount_put(out, arrow->value, graph->unit);
	buf_puts(out, ")\"]\n");
}

static void put_legend(struct buf *out, const struct graph *graph, const struct dot_opts *opts)
{
	const struct profile *profile = graph->profile;
	const struct profile_column *column = &profile->columns[opts->column];
	int64_t shown = 0;

	for (uint32_t i = 0; i < graph->n_drawn; i++)
		shown = sum_of(shown, graph->rows[i].self);
	buf_puts(out, "digraph \"");
	put_quoted(out, opts->title);
	buf_puts(out, "\" {\nnode [style=filled fillcolor=\"#f8f8f8\"]\nsubgraph cluster_L { \"");
	put_quoted(out, opts->title);
	buf_puts(out, "\" [shape=box fontsize=16 label=\"");
	put_quoted(out, opts->title);
	buf_puts(out, "\\lType: ");
	put_quoted(out, names_text(profile->names, column->type.type, NULL));
	buf_puts(out, "\\lShowing functions accounting for ");
	put_share(out, graph, shown);
	buf_puts(out, " of ");
	amount_put(out, graph->total, graph->unit);
	if (graph->n_drawn < graph->n_rows)
		buf_printf(out, "\\lShowing %u functions out of %u", graph->n_drawn, graph->n_rows);
	buf_puts(out, "\\l\"] }\n");
}

static int compare_arrows(const void *left, const void *right)
{
	const struct arrow *a = left, *b = right;

	if (a->value != b->value)
		return a->value > b->value ? -1 : 1;
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return (a->to > b->to) - (a->to < b->to);
}

static void put_graph(struct buf *out, const struct graph *graph, const struct dot_opts *opts)
{
	int64_t most_self = 0;

	for (uint32_t i = 0; i < graph->n_drawn; i++)
		most_self = max_of(most_self, graph->rows[i].self);
	put_legend(out, graph, opts);
	for (uint32_t i = 0; i < graph->n_drawn; i++)
		put_node(out, graph, i, most_self);
	if (graph->n_arrows)
		qsort(graph->arrows, graph->n_arrows, sizeof(*graph->arrows), compare_arrows);
	for (size_t i = 0; i < graph->n_arrows; i++)
		if (graph->arrows[i].value)
			put_arrow(out, graph, &graph->arrows[i]);
	buf_puts(out, "}\n");
}

void dot_write(const struct profile *profile, const struct dot_opts *opts, struct buf *out)
{
	cleanup(arena_done) struct arena arena = {0};
	struct graph graph = {.profile = profile};
	uint32_t most = opts->max_nodes ? opts->max_nodes : DOT_DEFAULT_NODES;

	graph.n_rows =
		(uint32_t)func_table(profile, opts->column, FUNC_BY_TOTAL, &arena, &graph.rows);
	graph.n_drawn = min_of(graph.n_rows, most);
	graph.totals = profile_totals(profile, opts->column, &arena);
	graph.total = graph.totals[0];
	if (graph.total > 0) {
		graph.unit =
			names_text(profile->names, profile->columns[opts->column].type.unit, NULL);
		graph.place =
			arena_array(&arena, names_func_count(profile->names), sizeof(*graph.place));
		for (uint32_t i = 0; i < graph.n_drawn; i++)
			graph.place[graph.rows[i].func.v] = i + 1;
		walk(&graph, &arena);
		put_graph(out, &graph, opts);
	}
	map64_done(&graph.by_pair);
	free(graph.arrows);
}
