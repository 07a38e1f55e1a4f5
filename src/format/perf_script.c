/* SPDX-License-Identifier: Apache-2.0 */
#include "format/perf_script.h"

#include <string.h>

#include "base/cleanup.h"
#include "format/marker.h"
#include "format/perf_script_private.h"
#include "format/stack.h"

#define HEADERLESS_LINES 512 /* lines looked at before a text is refused for having no header */

struct event {
	struct str_id name;
	size_t column;
};

struct reader {
	struct profile *into;
	const struct format_limits *limits;
	const struct perf_script_opts *opts;
	struct stack stack;
	struct event events[PERF_SCRIPT_MAX_EVENTS];
	size_t n_events, samples_column;
	struct perf_header header; /* of the sample that is read */
	bool in_sample, has_frame;
	struct frame frame; /* not pushed yet: a source line may follow */
	uint64_t n_samples;
	int64_t first_ns, last_ns;
};

/* ---- columns ---- */

/* The first part of "cpu-clock:u" or "cpu/cycles/": what is counted, without of whom. */
static bool is_clock(struct perf_text event)
{
	static const char *const clocks[] = {"cpu-clock", "task-clock"};

	for (size_t i = 0; i < array_len(clocks); i++) {
		size_t n = strlen(clocks[i]);

		if (event.len >= n && !memcmp(event.at, clocks[i], n) &&
		    (event.len == n || event.at[n] == ':'))
			return true;
	}
	return false;
}

/* NULL: past the limit. */
static const struct event *event_of(struct reader *reader, struct perf_text text)
{
	struct names *names = reader->into->names;
	struct str_id name = names_str(names, text.at, min_of(text.len, (size_t)256));
	bool clock = is_clock(text);
	int column;

	for (size_t i = 0; i < reader->n_events; i++)
		if (reader->events[i].name.v == name.v)
			return &reader->events[i];
	if (reader->n_events == PERF_SCRIPT_MAX_EVENTS)
		return NULL;
	column = profile_column(reader->into, clock ? "cpu" : names_text(names, name, NULL),
				clock ? "nanoseconds" : "count", NULL);
	if (column < 0)
		return NULL;
	reader->events[reader->n_events] = (struct event){name, (size_t)column};
	return &reader->events[reader->n_events++];
}

/* ---- a sample ---- */

static void push_frame(struct reader *reader)
{
	if (reader->has_frame)
		stack_push(&reader->stack, names_frame(reader->into->names, &reader->frame));
	reader->has_frame = false;
}

/* Whose it is; the name of a process is its first thread's. */
static struct node_id base_of(struct reader *reader, const struct perf_header *header)
{
	struct names *names = reader->into->names;
	struct tree *tree = &reader->into->tree;
	struct node_id node = {0};
	char command[64];

	snprintf(command, sizeof(command), "%.*s", (int)min_of(header->command.len, (size_t)63),
		 header->command.at);
	if (header->pid)
		node = tree_child(tree, node,
				  marker_process(names, header->pid,
						 header->pid == header->tid ? command : NULL));
	return tree_child(tree, node, marker_thread(names, header->tid, command));
}

static void end_sample(struct reader *reader)
{
	const struct perf_header *header = &reader->header;
	struct profile *into = reader->into;
	const struct event *event;
	struct node_id node;

	if (!reader->in_sample)
		return;
	push_frame(reader);
	reader->in_sample = false;
	node = stack_node(&reader->stack, &into->tree, into->names, base_of(reader, header), true);
	event = header->event.len ? event_of(reader, header->event) : NULL;
	if (event && (header->period || !is_clock(header->event)))
		profile_add(into, event->column, node, header->period ? header->period : 1);
	profile_add(into, reader->samples_column, node, 1);
	if (header->time_ns >= 0) {
		if (!reader->n_samples || header->time_ns < reader->first_ns)
			reader->first_ns = header->time_ns;
		reader->last_ns = max_of(reader->last_ns, header->time_ns);
	}
	reader->n_samples++;
}

static void take_frame(struct reader *reader, const struct perf_frame *frame)
{
	const struct perf_header *header = &reader->header;
	bool is_unknown = frame->symbol.len == 9 && !memcmp(frame->symbol.at, "[unknown]", 9);
	const char *name = NULL;

	push_frame(reader);
	if (is_unknown && reader->opts->find)
		name = reader->opts->find(reader->opts->ctx, header->pid, frame->address);
	reader->frame = perf_frame_of(reader->into->names, frame, name);
	reader->has_frame = true;
}

static void take_line(struct reader *reader, struct perf_text line)
{
	struct perf_frame frame;
	struct perf_header header;
	struct perf_text file;
	uint32_t number;

	if (reader->in_sample && perf_take_frame(line, &frame)) {
		take_frame(reader, &frame);
	} else if (perf_take_header(line, &header)) {
		end_sample(reader);
		stack_reset(&reader->stack);
		reader->header = header;
		reader->in_sample = true;
		if (header.rest.len && perf_take_frame(header.rest, &frame))
			take_frame(reader, &frame);
	} else if (reader->in_sample && reader->has_frame && !reader->frame.line &&
		   perf_take_place(line, &file, &number)) {
		reader->frame.file = names_str(reader->into->names, file.at,
					       min_of(file.len, (size_t)PERF_TEXT_MAX));
		reader->frame.line = number;
	}
}

/* ---- the text ---- */

bool perf_script_is_header(const char *line, size_t len)
{
	struct perf_header header;

	return perf_take_header((struct perf_text){line, len}, &header) && header.time_ns >= 0 &&
	       header.event.len;
}

static bool is_empty(struct perf_text line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!strchr(" \t\r", line.at[i]) || !line.at[i])
			return false;
	return true;
}

static int read_all(struct reader *reader, const char *text, const char *end, struct err *err)
{
	uint64_t lines = 0;

	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		struct perf_text line = {text, (size_t)((stop ? stop : end) - text)};

		if (is_empty(line))
			end_sample(reader);
		else if (*line.at != '#')
			take_line(reader, line);
		if (reader->n_samples > reader->limits->max_samples)
			return err_because(err, ERR_LIMIT, "samples_limit",
					   "more than %u samples: send shorter ranges",
					   reader->limits->max_samples);
		if (++lines > HEADERLESS_LINES && !reader->n_samples && !reader->in_sample)
			break;
		text = stop ? stop + 1 : end;
	}
	end_sample(reader);
	return 0;
}

static void reader_done(struct reader *reader)
{
	stack_done(&reader->stack);
}

int perf_script_read_with(const void *data, size_t len, const struct format_limits *limits,
			  const struct perf_script_opts *opts, struct profile *into,
			  struct err *err)
{
	cleanup(reader_done) struct reader reader = {.into = into, .limits = limits, .opts = opts};
	int column, r;

	if (len > limits->max_inflated_bytes)
		return err_set(err, ERR_LIMIT, "the text has %zu bytes, the limit is %zu", len,
			       limits->max_inflated_bytes);
	column = profile_column(into, "samples", "count", NULL);
	if (column < 0)
		return err_set(err, column, "the profile has too many columns already");
	reader.samples_column = (size_t)column;
	stack_init(&reader.stack, limits->max_depth);
	r = read_all(&reader, data, (const char *)data + len, err);
	if (r < 0)
		return r;
	if (!reader.n_samples)
		return err_set(
			err, ERR_CORRUPT,
			"no samples: not what `perf script` prints (with its default fields)");
	into->n_samples += (int64_t)reader.n_samples;
	into->n_profiles += 1;
	into->duration_ns += reader.last_ns - reader.first_ns;
	return 0;
}

int perf_script_read(const void *data, size_t len, const struct format_limits *limits,
		     struct profile *into, struct err *err)
{
	struct perf_script_opts opts = {0};

	return perf_script_read_with(data, len, limits, &opts, into, err);
}
