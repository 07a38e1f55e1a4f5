/* SPDX-License-Identifier: Apache-2.0 */
/* `top --json`: a line per refresh; docs/TERMINAL.md has one by example. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/vec.h"
#include "cmd/top_private.h"
#include "codec/json.h"

#define FUNCTIONS_SHOWN 100

/* What a function had at the last line. */
struct before {
	int64_t self, total;
};

struct top_json {
	struct before *before; /* by function id */
	size_t cap;
	int64_t elapsed_ns;
};

struct top_json *top_json_new(void)
{
	return xcalloc(1, sizeof(struct top_json));
}

void top_json_free(struct top_json *json)
{
	if (!json)
		return;
	free(json->before);
	free(json);
}

static double seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

static const char *text_of(const struct top *top, struct str_id id)
{
	return names_text(top->names, id, NULL);
}

/* Members of where a frame is. */
static void put_frame(const struct top *top, const struct frame *frame, uint32_t line,
		      struct json_writer *out)
{
	json_member_str(out, "function", text_of(top, frame->name));
	json_member_str(out, "file", text_of(top, frame->file));
	json_member_uint(out, "line", line);
}

static void put_function(struct top_json *json, const struct top *top,
			 const struct top_function *row, double interval_ns,
			 struct json_writer *out)
{
	struct before *before;

	json->before =
		vec_grow(json->before, &json->cap, (size_t)row->func.v + 1, sizeof(*json->before));
	before = &json->before[row->func.v];
	json_object(out);
	put_frame(top, names_func_get(top->names, row->func), row->line, out);
	json_member_double(out, "own_s", seconds(row->self));
	json_member_double(out, "total_s", seconds(row->total));
	json_member_double(out, "own_now",
			   interval_ns > 0 ? (double)(row->self - before->self) / interval_ns : 0);
	json_member_double(out, "total_now",
			   interval_ns > 0 ? (double)(row->total - before->total) / interval_ns
					   : 0);
	json_end(out);
	*before = (struct before){row->self, row->total};
}

static void put_functions(struct top_json *json, const struct top *top, struct arena *arena,
			  struct json_writer *out)
{
	int64_t elapsed_ns = timeline_profile(top->timeline)->duration_ns, sum;
	struct top_function *rows;
	size_t n = top_functions(top, FUNCTIONS_SHOWN, arena, &rows, &sum);

	json_member_double(out, "counted_s", seconds(sum));
	json_key(out, "functions");
	json_array(out);
	for (size_t i = 0; i < n; i++)
		put_function(json, top, &rows[i], (double)(elapsed_ns - json->elapsed_ns), out);
	json_end(out);
	json->elapsed_ns = elapsed_ns;
}

static void put_thread(const struct top *top, const struct timeline_row *row,
		       struct json_writer *out)
{
	const struct tree *tree = &timeline_profile(top->timeline)->tree;
	const struct frame *frame =
		names_frame_get(top->names, (struct frame_id){tree->frame[row->node.v]});

	json_object(out);
	json_member_int(out, "pid", row->pid);
	json_member_int(out, "tid", row->tid);
	json_member_str(out, "name", row->name);
	json_member_str(out, "state", thread_state_name((enum thread_state)row->state));
	json_member_double(out, "busy",
			   row->wall_ns > 0 ? (double)row->busy_ns / (double)row->wall_ns : 0);
	json_key(out, "at");
	if (frame->kind == FRAME_MARKER || !row->node.v) {
		json_null(out);
	} else {
		json_object(out);
		put_frame(top, frame, frame->line, out);
		json_end(out);
	}
	json_end(out);
}

static void put_threads(const struct top *top, struct arena *arena, struct json_writer *out)
{
	struct timeline_row *rows;
	size_t n = timeline_rows(top->timeline, TOP_STRIP_CELLS, arena, &rows);

	json_key(out, "threads");
	json_array(out);
	for (size_t i = 0; i < n; i++)
		if (!rows[i].has_ended)
			put_thread(top, &rows[i], out);
	json_end(out);
}

static void put_head(const struct top *top, struct json_writer *out)
{
	const struct capture_facts *facts = timeline_facts(top->timeline);
	const struct capture_stats *stats = &facts->stats;

	json_member_double(out, "time", seconds(clock_real_ns()));
	json_member_double(out, "elapsed_s", seconds(timeline_profile(top->timeline)->duration_ns));
	json_member_int(out, "pid", timeline_pid(top->timeline));
	json_member_str(out, "command", timeline_command(top->timeline));
	json_member_str(out, "runtime", timeline_runtime(top->timeline));
	json_member_double(out, "rate_hz", facts->header.rate_hz);
	json_member_uint(out, "samples", timeline_samples(top->timeline));
	json_member_uint(out, "dropped", stats->dropped);
	json_member_uint(out, "late_ticks", stats->late_ticks);
	json_member_uint(out, "missed_ticks", stats->missed_ticks);
	json_member_double(out, "reader_cpu_s", seconds(stats->reader_cpu_ns));
	json_member_double(out, "paused_s", seconds(stats->pause_total_ns));
	json_member_str(out, "ended", top->ended[0] ? top->ended : NULL);
}

void top_json_put(struct top_json *json, const struct top *top, struct buf *out)
{
	struct json_writer writer;
	struct arena arena;

	arena_init(&arena);
	json_writer_init(&writer, out, 0);
	json_object(&writer);
	put_head(top, &writer);
	put_functions(json, top, &arena, &writer);
	put_threads(top, &arena, &writer);
	json_end(&writer);
	buf_putc(out, '\n');
	arena_done(&arena);
}
