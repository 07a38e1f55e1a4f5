/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store that store_fill filled must answer, by brute force: every profile is made again, and divided by the
 * one formula of store/spread.h.  Knows no levels, blocks or files.
 *
 *	store_sums SHAPE SERIES STEP_S FIRST_S SECONDS < QUESTIONS
 *
 * A question is a line "SIDE FROM_NS STEP_NS STEPS": SIDE all, odd or even; STEPS 0: the self values of each function
 * in [FROM, FROM + STEP), else the sum in each of so many steps.  Of each one line of "name=value" or of values, in
 * nanoseconds.
 *
 * Of a profile's value [a, b) holds F(b) - F(a), so that an answer is the difference of two moments: what all profiles
 * had come to at its ends.  They are made once, in the order in which they begin.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/vec.h"
#include "fill.h"
#include "store/spread.h"

enum { EVEN, ODD, SIDES };

struct question {
	char side[8];
	int64_t from_ns, step_ns, steps;
};

/* A moment that somebody asks about. */
struct moment {
	int64_t at_ns;
	size_t question;
	int64_t number;	  /* of its step's beginning */
	int64_t *by_func; /* of flame graphs */
	int64_t sum;
};

/* A profile that may not be over yet. */
struct recent {
	int64_t start_ns, total;
	uint32_t *funcs;
	int64_t *values;
	uint32_t n;
	size_t cap, values_cap;
	int side;
};

struct sums {
	struct fill fill;
	int64_t n_series, step_s;
	struct question *questions;
	size_t n_questions, questions_cap;
	struct moment *moments;
	size_t n_moments, moments_cap, n_told;
	struct recent *recent; /* a ring: the last profile of each series */
	uint32_t n_funcs;
	int64_t *by_func[SIDES], total[SIDES]; /* of all profiles that began */
	int64_t *by_node;
};

/* ---- questions ---- */

static int by_time(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	return (x->at_ns > y->at_ns) - (x->at_ns < y->at_ns);
}

static int by_question(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	if (x->question != y->question)
		return x->question < y->question ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static void read_questions(struct sums *sums)
{
	struct question question;
	long long from, step, steps;

	while (scanf("%7s %lld %lld %lld", question.side, &from, &step, &steps) == 4) {
		question.from_ns = from;
		question.step_ns = step;
		question.steps = steps;
		sums->questions = vec_grow(sums->questions, &sums->questions_cap,
					   sums->n_questions + 1, sizeof(question));
		for (int64_t i = 0; i <= max_of(question.steps, (int64_t)1); i++) {
			sums->moments = vec_grow(sums->moments, &sums->moments_cap,
						 sums->n_moments + 1, sizeof(*sums->moments));
			sums->moments[sums->n_moments++] = (struct moment){
				.at_ns = from + i * step,
				.question = sums->n_questions,
				.number = i,
			};
		}
		sums->questions[sums->n_questions++] = question;
	}
	if (sums->n_moments)
		qsort(sums->moments, sums->n_moments, sizeof(*sums->moments), by_time);
}

/* ---- moments ---- */

static bool is_asked(const struct question *question, int side)
{
	return strcmp(question->side, side == ODD ? "odd" : "even") == 0 ||
	       strcmp(question->side, "all") == 0;
}

/* What had not come yet of the profiles that had begun. */
static void take_back(const struct sums *sums, struct moment *moment)
{
	const struct question *question = &sums->questions[moment->question];
	int64_t length = sums->step_s * NS_PER_S;

	for (int64_t i = 0; i < sums->n_series; i++) {
		const struct recent *recent = &sums->recent[i];
		int64_t elapsed = moment->at_ns - recent->start_ns;

		if (!recent->n || elapsed >= length || !is_asked(question, recent->side))
			continue;
		moment->sum -= recent->total - spread_until(recent->total, elapsed, length);
		for (uint32_t k = 0; moment->by_func && k < recent->n; k++)
			moment->by_func[recent->funcs[k]] -=
				recent->values[k] -
				spread_until(recent->values[k], elapsed, length);
	}
}

static void tell_moments(struct sums *sums, int64_t until_ns)
{
	for (; sums->n_told < sums->n_moments && sums->moments[sums->n_told].at_ns <= until_ns;
	     sums->n_told++) {
		struct moment *moment = &sums->moments[sums->n_told];
		const struct question *question = &sums->questions[moment->question];

		if (!question->steps)
			moment->by_func = xcalloc(sums->n_funcs, sizeof(int64_t));
		for (int side = 0; side < SIDES; side++) {
			if (!is_asked(question, side))
				continue;
			moment->sum += sums->total[side];
			for (uint32_t f = 0; moment->by_func && f < sums->n_funcs; f++)
				moment->by_func[f] += sums->by_func[side][f];
		}
		take_back(sums, moment);
	}
}

/* ---- profiles ---- */

static void add_profile(struct sums *sums, int64_t series, int64_t start_ns)
{
	const struct fill *fill = &sums->fill;
	struct recent *recent = &sums->recent[series];

	recent->funcs = vec_grow(recent->funcs, &recent->cap, fill->n + 1, sizeof(uint32_t));
	recent->values =
		vec_grow(recent->values, &recent->values_cap, fill->n + 1, sizeof(int64_t));
	recent->start_ns = start_ns;
	recent->side = series % 2 ? ODD : EVEN;
	recent->n = 0;
	recent->total = 0;
	for (uint32_t i = 0; i < fill->n; i++)
		sums->by_node[fill->nodes[i]] += fill->values[i] / 1000;
	for (uint32_t i = 0; i < fill->n; i++) {
		int64_t value = sums->by_node[fill->nodes[i]];
		struct frame_id leaf = {fill->pool.tree.frame[fill->nodes[i]]};
		uint32_t func = names_func_of(fill->names, leaf).v;

		if (!value)
			continue; /* counted with the first of its node */
		sums->by_node[fill->nodes[i]] = 0;
		recent->funcs[recent->n] = func;
		recent->values[recent->n++] = value;
		recent->total += value;
		sums->by_func[recent->side][func] += value;
	}
	sums->total[recent->side] += recent->total;
}

static void make_all(struct sums *sums, int64_t first_s, int64_t seconds)
{
	for (int64_t at = first_s; at < first_s + seconds; at += sums->step_s)
		for (int64_t i = 0; i < sums->n_series; i++) {
			int64_t start = fill_start_ns(at, sums->step_s, i, sums->n_series);

			tell_moments(sums, start);
			if (sums->n_told == sums->n_moments)
				return;
			fill_seed(&sums->fill, (uint64_t)i, (uint64_t)at);
			fill_profile(&sums->fill);
			add_profile(sums, i, start);
		}
	tell_moments(sums, INT64_MAX);
}

/* ---- answers ---- */

static void print_funcs(const struct sums *sums, const struct moment *moment)
{
	for (uint32_t f = 0; f < sums->n_funcs; f++) {
		int64_t value = moment[1].by_func[f] - moment[0].by_func[f];
		const struct frame *frame = names_func_get(sums->fill.names, (struct func_id){f});

		if (value)
			printf("%s=%lld ", names_text(sums->fill.names, frame->name, NULL),
			       (long long)value * 1000);
	}
}

static void print_all(struct sums *sums)
{
	if (sums->n_moments)
		qsort(sums->moments, sums->n_moments, sizeof(*sums->moments), by_question);
	for (size_t i = 0; i + 1 < sums->n_moments; i++) {
		const struct moment *moment = &sums->moments[i];
		bool is_last = moment[1].question != moment->question;

		if (is_last)
			printf("\n");
		else if (moment->by_func)
			print_funcs(sums, moment);
		else
			printf("%lld ", (long long)(moment[1].sum - moment->sum) * 1000);
	}
	printf("\n");
}

static void sums_init(struct sums *sums, const struct shape *shape, int64_t n_series,
		      int64_t step_s)
{
	*sums = (struct sums){.n_series = n_series, .step_s = step_s};
	fill_init(&sums->fill, shape);
	sums->recent = xcalloc((size_t)n_series, sizeof(*sums->recent));
	sums->n_funcs = names_func_count(sums->fill.names);
	for (int side = 0; side < SIDES; side++)
		sums->by_func[side] = xcalloc(sums->n_funcs, sizeof(int64_t));
	sums->by_node = xcalloc(sums->fill.pool.tree.n, sizeof(int64_t));
}

static void sums_done(struct sums *sums)
{
	for (int64_t i = 0; i < sums->n_series; i++) {
		free(sums->recent[i].funcs);
		free(sums->recent[i].values);
	}
	for (size_t i = 0; i < sums->n_moments; i++)
		free(sums->moments[i].by_func);
	for (int side = 0; side < SIDES; side++)
		free(sums->by_func[side]);
	free(sums->by_node);
	free(sums->recent);
	free(sums->moments);
	free(sums->questions);
	fill_done(&sums->fill);
}

int main(int argc, char **argv)
{
	const struct shape *shape = argc == 6 ? fill_shape(argv[1]) : NULL;
	struct sums sums;

	if (!shape) {
		fprintf(stderr, "usage: %s bench|push|zipf|tail SERIES STEP_S FIRST_S SECONDS\n",
			argv[0]);
		return 2;
	}
	sums_init(&sums, shape, strtoll(argv[2], NULL, 10), strtoll(argv[3], NULL, 10));
	read_questions(&sums);
	make_all(&sums, strtoll(argv[4], NULL, 10), strtoll(argv[5], NULL, 10));
	print_all(&sums);
	sums_done(&sums);
	return 0;
}
