/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/v1/timeline: sums per step, one line per group of labels. */
#include <string.h>

#include "base/clock.h"
#include "server/question.h"

#define MAX_POINTS 600 /* when the step is ours to choose */
#define MAX_STEP_MS (366 * 86400000ll)
#define MAX_GROUP_BY 8

/* Steps that people and roll-ups both like. */
static const int64_t steps_ms[] = {
	1000,	  2000,	    5000,     10000,	15000,	   30000,   60000,
	120000,	  300000,   600000,   1200000,	1800000,   3600000, 7200000,
	10800000, 21600000, 43200000, 86400000, 604800000,
};

static int64_t choose_step(int64_t range_ms)
{
	for (size_t i = 0; i < array_len(steps_ms); i++)
		if (range_ms / steps_ms[i] <= MAX_POINTS)
			return steps_ms[i];
	return (range_ms / MAX_POINTS / 86400000 + 1) * 86400000;
}

struct timeline {
	struct question question;
	int64_t from_ms, step_ms;
	const char *group_by[MAX_GROUP_BY];
	size_t n_group_by;
	struct store_series *series;
	size_t n_series;
	struct store_line *lines;
	size_t n_lines;
	bool is_gauge;
	int64_t scale; /* values are divided by it */
};

static int read_step(struct timeline *timeline, struct err *err)
{
	struct question *question = &timeline->question;
	int64_t range_ms = question->until_ms - question->from_ms, step_ms;
	int r = question_int(question, "step", 0, MAX_STEP_MS, 0, &step_ms, err);

	if (r < 0)
		return r;
	if (!step_ms)
		step_ms = choose_step(range_ms);
	if (range_ms / step_ms >= STORE_MAX_STEPS)
		return err_set(err, ERR_USAGE, "step: the range has more than %d steps of %lld ms",
			       STORE_MAX_STEPS, (long long)step_ms);
	timeline->step_ms = step_ms;
	/* Whole steps since 1970 are the borders of blocks: cheap, and pictures do not shiver. */
	timeline->from_ms = question->from_ms / step_ms * step_ms;
	question->store.range.from_ns = timeline->from_ms * NS_PER_MS;
	return 0;
}

static int ask(struct timeline *timeline, struct err *err)
{
	struct question *question = &timeline->question;
	struct store *store = question->server->store;
	struct arena *arena = &question->exchange->arena;
	int r = store->ops->series(store, &question->store, arena, &timeline->series,
				   &timeline->n_series, err);

	if (r < 0)
		return r;
	return store->ops->timeline(store, &question->store, timeline->step_ms * NS_PER_MS,
				    timeline->group_by, timeline->n_group_by, arena,
				    &timeline->lines, &timeline->n_lines, err);
}

/* ---- the answer ---- */

typedef int64_t point_number(const struct store_point *point);

static int64_t point_covered(const struct store_point *point)
{
	return point->covered_ns / NS_PER_MS;
}

static int64_t point_wall(const struct store_point *point)
{
	return point->wall_ns / NS_PER_MS;
}

static int64_t point_profiles(const struct store_point *point)
{
	return point->n_profiles;
}

static void write_numbers(struct json_writer *json, const char *key, const struct store_line *line,
			  point_number *number)
{
	json_key(json, key);
	json_array(json);
	for (size_t i = 0; i < line->n; i++)
		json_int(json, number(&line->points[i]));
	json_end(json);
}

static int64_t find_scale(const struct timeline *timeline)
{
	int64_t most = 0;

	for (size_t i = 0; i < timeline->n_lines; i++)
		for (size_t k = 0; k < timeline->lines[i].n; k++)
			most = max_of(most, question_point(&timeline->lines[i].points[k],
							   timeline->is_gauge));
	return question_scale(most);
}

static void write_values(struct json_writer *json, const struct timeline *timeline,
			 const struct store_line *line)
{
	json_key(json, "values");
	json_array(json);
	for (size_t i = 0; i < line->n; i++) {
		const struct store_point *point = &line->points[i];

		if (!point->covered_ns)
			json_null(json);
		else
			json_int(json, question_point(point, timeline->is_gauge) / timeline->scale);
	}
	json_end(json);
}

static void write_line(struct json_writer *json, const struct timeline *timeline,
		       const struct store_line *line)
{
	json_object(json);
	json_key(json, "labels");
	json_object(json);
	for (size_t i = 0; i < line->group.n; i++)
		json_member_str(json, line->group.items[i].name, line->group.items[i].value);
	json_end(json);
	write_values(json, timeline, line);
	write_numbers(json, "covered", line, point_covered);
	write_numbers(json, "wall", line, point_wall);
	write_numbers(json, "profiles", line, point_profiles);
	json_end(json);
}

/* Right edge of what is known. */
static int64_t last_ms(const struct timeline *timeline)
{
	int64_t last_ns = 0;

	for (size_t i = 0; i < timeline->n_series; i++)
		last_ns = max_of(last_ns, timeline->series[i].last_ns);
	return last_ns / NS_PER_MS;
}

static void write_timeline(struct timeline *timeline)
{
	struct question *question = &timeline->question;
	const struct store_series *first = timeline->n_series ? timeline->series : NULL;
	struct json_writer json = question_json(question);

	timeline->is_gauge = first && first->is_gauge;
	timeline->scale = find_scale(timeline);
	json_object(&json);
	json_member_int(&json, "from", timeline->from_ms);
	json_member_int(&json, "step", timeline->step_ms);
	json_member_str(
		&json, "unit",
		question_unit_of(&question->exchange->arena, first ? first->profile_type : ""));
	json_member_int(&json, "scale", timeline->scale);
	json_member_bool(&json, "is_gauge", timeline->is_gauge);
	json_key(&json, "lines");
	json_array(&json);
	for (size_t i = 0; i < timeline->n_lines; i++)
		write_line(&json, timeline, &timeline->lines[i]);
	json_end(&json);
	json_member_int(&json, "last", last_ms(timeline));
	json_end(&json);
}

void handle_timeline(void *ctx, struct http_exchange *exchange)
{
	struct timeline timeline = {0};
	struct err err;
	int r;

	if (!question_begin(&timeline.question, ctx, exchange, QUERY_TIMELINE))
		return;
	r = read_step(&timeline, &err);
	if (r == 0)
		r = question_list(&timeline.question, "group_by", MAX_GROUP_BY, timeline.group_by,
				  &timeline.n_group_by, &err);
	if (r == 0)
		r = ask(&timeline, &err);
	if (r == 0)
		write_timeline(&timeline);
	question_end(&timeline.question, r, &err);
}
