/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/truth.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "codec/json.h"

#define FLOOR_ROUNDS 4000
#define FLOOR_QUANTILE 0.999

/* ---- reading ---- */

/* Where in [parent, line, name, file, [lines]] the next value stands. */
enum place { PLACE_PARENT, PLACE_LINE, PLACE_NAME, PLACE_FILE, PLACE_LINES };

struct reading {
	struct truth *truth;
	int place;
};

static const char *copy_text(struct truth *truth, const struct json_event *event, char separator)
{
	const char *text = arena_strndup(&truth->arena, event->text, event->len);
	const char *last = strrchr(text, separator);

	return last ? last + 1 : text;
}

static int take_number(const struct json_event *event, int64_t least, int64_t most,
		       int64_t *ret_value, struct err *err)
{
	int r = json_event_int(event, ret_value);

	if (r < 0 || *ret_value < least || *ret_value > most)
		return err_set(err, ERR_CORRUPT, "the program announced a number that cannot be");
	return 0;
}

static int add_line(struct truth_node *node, const struct json_event *event, struct err *err)
{
	int64_t value;
	int r = take_number(event, 0, INT32_MAX, &value, err);

	if (r < 0)
		return r;
	node->lines =
		vec_grow(node->lines, &node->lines_cap, node->n_lines + 1, sizeof(*node->lines));
	node->lines[node->n_lines++] = (uint32_t)value;
	return 0;
}

static int add_node(struct reading *reading, struct err *err)
{
	struct truth *truth = reading->truth;

	if (truth->n >= TRUTH_MAX_NODES)
		return err_set(err, ERR_LIMIT, "the program announced too many functions");
	truth->nodes = vec_grow(truth->nodes, &truth->cap, truth->n + 1, sizeof(*truth->nodes));
	truth->nodes[truth->n++] = (struct truth_node){
		.parent = -1, .name = "", .file = "", .first_kid = -1, .next_kid = -1};
	reading->place = PLACE_PARENT;
	return 0;
}

static int set_member(struct reading *reading, const struct json_event *event, struct err *err)
{
	struct truth *truth = reading->truth;
	struct truth_node *node = &truth->nodes[truth->n - 1];
	int64_t value;
	int r = 0;

	switch (reading->place++) {
	case PLACE_PARENT:
		r = take_number(event, -1, (int64_t)truth->n - 2, &value, err);
		node->parent = r < 0 ? -1 : (int32_t)value;
		return r;
	case PLACE_LINE:
		r = take_number(event, 0, INT32_MAX, &value, err);
		node->call_line = r < 0 ? 0 : (uint32_t)value;
		return r;
	case PLACE_NAME:
		node->name = copy_text(truth, event, '.');
		return 0;
	case PLACE_FILE:
		node->file = copy_text(truth, event, '/');
		return 0;
	default:
		return 0;
	}
}

static int on_announced(void *ctx, const struct json_event *event, struct err *err)
{
	struct reading *reading = ctx;
	struct truth *truth = reading->truth;
	bool is_text = event->kind == JSON_STRING;

	if (event->kind == JSON_ARRAY_BEGIN && !strcmp(event->path, "nodes[]"))
		return add_node(reading, err);
	if (event->kind != JSON_NUMBER && !is_text)
		return 0;
	if (!strcmp(event->path, "nodes[][]") && truth->n)
		return set_member(reading, event, err);
	if (!strcmp(event->path, "nodes[][][]") && truth->n)
		return add_line(&truth->nodes[truth->n - 1], event, err);
	if (strcmp(event->path, "classes[]") != 0 || !is_text)
		return 0;
	if (truth->n_classes == TRUTH_MAX_CLASSES)
		return err_set(err, ERR_LIMIT, "the program announced too many classes");
	truth->classes[truth->n_classes++] = copy_text(truth, event, '.');
	return 0;
}

/* Parents stand before their children. */
static void link_kids(struct truth *truth)
{
	truth->first_root = -1;
	for (size_t i = truth->n; i-- > 0;) {
		struct truth_node *node = &truth->nodes[i];
		int32_t *first = node->parent < 0 ? &truth->first_root
						  : &truth->nodes[node->parent].first_kid;

		node->next_kid = *first;
		*first = (int32_t)i;
	}
}

int truth_read(struct truth *truth, const char *line, size_t len, struct err *err)
{
	const struct json_limits limits = {.max_bytes = TRUTH_MAX_BYTES, .max_depth = 8};
	struct reading reading = {.truth = truth};
	int r;

	arena_init(&truth->arena);
	r = json_read(line, len, &limits, on_announced, &reading, err);
	if (r < 0)
		return r;
	if (!truth->n)
		return err_set(err, ERR_CORRUPT, "the program announced no functions");
	link_kids(truth);
	truth->ends = xcalloc(truth->n, sizeof(*truth->ends));
	truth->next = xcalloc(truth->n, sizeof(*truth->next));
	return 0;
}

void truth_done(struct truth *truth)
{
	for (size_t i = 0; i < truth->n; i++)
		free(truth->nodes[i].lines);
	free(truth->nodes);
	free(truth->ends);
	free(truth->next);
	arena_done(&truth->arena);
	*truth = (struct truth){0};
}

/* ---- judging ---- */

static const char *behind(const char *text, char separator)
{
	const char *last = strrchr(text, separator);

	return last ? last + 1 : text;
}

/* Children among `first` and its siblings that a frame may be, appended to next[n]; the new n. */
static size_t follow(struct truth *truth, int32_t first, const struct truth_frame *frame,
		     const uint32_t *called_from, size_t n)
{
	for (int32_t at = first; at >= 0; at = truth->nodes[at].next_kid) {
		const struct truth_node *node = &truth->nodes[at];

		if (called_from && node->call_line && node->call_line != *called_from)
			continue;
		if (!strcmp(node->name, frame->name) && !strcmp(node->file, frame->file))
			truth->next[n++] = at;
	}
	return n;
}

static bool has_line(const struct truth_node *node, uint32_t line)
{
	for (size_t i = 0; i < node->n_lines; i++)
		if (node->lines[i] == line)
			return true;
	return false;
}

/* Nodes that the stack may end at are left in ends[]; their number. */
static size_t walk(struct truth *truth, const struct truth_frame *frames, size_t n, bool with_lines)
{
	uint32_t called_from = 0;
	size_t n_ends = 0;

	for (size_t i = 0; i < n && (i == 0 || n_ends); i++) {
		const struct truth_frame frame = {behind(frames[i].name, '.'),
						  behind(frames[i].file, '/'), frames[i].line};
		const uint32_t *line = with_lines ? &called_from : NULL;
		size_t n_next = 0;
		int32_t *spare = truth->ends;

		if (i == 0)
			n_next = follow(truth, truth->first_root, &frame, line, 0);
		for (size_t k = 0; i > 0 && k < n_ends; k++)
			n_next = follow(truth, truth->nodes[truth->ends[k]].first_kid, &frame, line,
					n_next);
		truth->ends = truth->next;
		truth->next = spare;
		n_ends = n_next;
		called_from = frame.line;
	}
	return n_ends;
}

enum truth_verdict truth_judge(struct truth *truth, const struct truth_frame *frames, size_t n,
			       size_t *ret_class)
{
	size_t n_ends;

	*ret_class = truth->n_classes;
	for (size_t i = 0; i < n && *ret_class == truth->n_classes; i++)
		for (size_t k = 0; k < truth->n_classes && *ret_class == truth->n_classes; k++)
			if (!strcmp(behind(frames[i].name, '.'), truth->classes[k]))
				*ret_class = k;
	if (!n || !walk(truth, frames, n, false))
		return TRUTH_IMPOSSIBLE;
	n_ends = walk(truth, frames, n, true);
	for (size_t i = 0; i < n_ends; i++)
		if (has_line(&truth->nodes[truth->ends[i]], frames[n - 1].line))
			return TRUTH_POSSIBLE;
	return TRUTH_WRONG_LINE;
}

/* ---- times ---- */

struct seconds_reading {
	const struct truth *truth;
	double *seconds;
};

static int on_seconds(void *ctx, const struct json_event *event, struct err *err)
{
	struct seconds_reading *reading = ctx;

	for (size_t i = 0; event->kind == JSON_NUMBER && i < reading->truth->n_classes; i++)
		if (!strcmp(event->path, reading->truth->classes[i]) &&
		    json_event_double(event, &reading->seconds[i]) < 0)
			return err_set(err, ERR_CORRUPT, "the program told a time that is none");
	return 0;
}

int truth_read_seconds(const struct truth *truth, const char *line, size_t len,
		       double ret_seconds[TRUTH_MAX_CLASSES], struct err *err)
{
	const struct json_limits limits = {.max_bytes = TRUTH_MAX_BYTES, .max_depth = 4};
	double seconds[TRUTH_MAX_CLASSES] = {0};
	struct seconds_reading reading = {truth, seconds};
	int r = json_read(line, len, &limits, on_seconds, &reading, err);

	if (r == 0)
		memcpy(ret_seconds, seconds, sizeof(seconds));
	return r;
}

static double sum_of(const double *values, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += values[i];
	return sum;
}

double truth_distance(const uint64_t *counts, const double *seconds, size_t n)
{
	double spent = sum_of(seconds, n), off = 0;
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += counts[i];
	if (!total || spent <= 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		off += fabs((double)counts[i] / (double)total - seconds[i] / spent);
	return off / 2;
}

static double draw_normal(uint16_t state[3])
{
	return sqrt(-2 * log(1 - erand48(state))) * cos(2 * M_PI * erand48(state));
}

/* A multinomial as a chain of binomials, each near enough a Gaussian. */
static double draw_distance(uint64_t n_samples, const double *seconds, size_t n, uint16_t state[3])
{
	double total = (double)n_samples, left = total, rest = 1, off = 0;
	double spent = sum_of(seconds, n);

	for (size_t i = 0; i < n; i++) {
		double share = seconds[i] / spent;
		double part = rest > 0 ? min_of(1.0, share / rest) : 0;
		double noise = draw_normal(state) * sqrt(left * part * (1 - part));
		double count = max_of(0.0, min_of(left, round(left * part + noise)));

		off += fabs(count / total - share);
		left -= count;
		rest -= share;
	}
	return off / 2;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

double truth_floor(uint64_t n_samples, const double *seconds, size_t n)
{
	uint16_t state[3] = {1, 2, 3};
	double *found, floor;

	if (!n_samples || sum_of(seconds, n) <= 0)
		return 0;
	found = xcalloc(FLOOR_ROUNDS, sizeof(*found));
	for (size_t i = 0; i < FLOOR_ROUNDS; i++)
		found[i] = draw_distance(n_samples, seconds, n, state);
	qsort(found, FLOOR_ROUNDS, sizeof(*found), by_value);
	floor = found[(size_t)(FLOOR_ROUNDS * FLOOR_QUANTILE)];
	free(found);
	return floor;
}
