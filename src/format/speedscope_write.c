/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/json.h"
#include "format/frame_kind.h"
#include "format/speedscope.h"
#include "format/speedscope_private.h"

#define TITLE_MAX (NAME_MAX_BYTES + 64)

/* Frames numbered from 0 in the order of first use: [number] = frame id. */
struct writer {
	const struct format_output *output;
	const struct profile *profile;
	struct json_writer json;
	struct map64 numbers; /* frame id -> number + 1 */
	uint32_t *frames;
	size_t n_frames, frames_cap;
	bool is_cpu; /* of timed samples: which weight */
	bool counts_entries;
	bool has_processes; /* threads of more than one */
};

static void writer_done(struct writer *writer)
{
	map64_done(&writer->numbers);
	free(writer->frames);
}

static uint32_t frame_number(struct writer *writer, uint32_t frame)
{
	bool is_new;
	uint32_t *place = map64_put(&writer->numbers, frame, &is_new);

	if (is_new) {
		writer->frames = vec_grow(writer->frames, &writer->frames_cap, writer->n_frames + 1,
					  sizeof(*writer->frames));
		writer->frames[writer->n_frames++] = frame;
		*place = (uint32_t)writer->n_frames;
	}
	return *place - 1;
}

static void put_stack(struct writer *writer, struct node_id node)
{
	struct frame_id path[TREE_MAX_DEPTH];
	size_t n = tree_path(&writer->profile->tree, node, path, TREE_MAX_DEPTH);

	json_array(&writer->json);
	for (size_t i = 0; i < n; i++)
		json_uint(&writer->json, frame_number(writer, path[i].v));
	json_end(&writer->json);
}

static const char *unit_of(const struct writer *writer)
{
	const struct sample_type *type = &writer->profile->columns[writer->output->column].type;
	const char *unit = names_text(writer->profile->names, type->unit, NULL);

	if (writer->counts_entries)
		return "none";
	for (size_t i = 0; i < array_len(speedscope_units); i++)
		if (strcmp(speedscope_units[i].name, unit) == 0)
			return unit;
	return "none";
}

static void begin_profile(struct writer *writer, const char *name, int64_t total)
{
	const struct sample_type *type = &writer->profile->columns[writer->output->column].type;

	json_object(&writer->json);
	json_member_str(&writer->json, "type", "sampled");
	json_member_str(&writer->json, "name", name);
	json_member_str(&writer->json, "unit", unit_of(writer));
	json_member_str(&writer->json, "valueType",
			writer->counts_entries
				? "samples"
				: names_text(writer->profile->names, type->type, NULL));
	json_member_int(&writer->json, "startValue", 0);
	json_member_int(&writer->json, "endValue", total);
}

/* ---- one entry per stack ---- */

static void put_merged(struct writer *writer)
{
	const struct profile *profile = writer->profile;
	size_t column = writer->output->column;

	begin_profile(writer, writer->output->title ? writer->output->title : "profile",
		      profile_sum(profile, column));
	json_key(&writer->json, "samples");
	json_array(&writer->json);
	for (uint32_t node = 0; node < profile->tree.n; node++)
		if (profile_value(profile, column, (struct node_id){node}) > 0)
			put_stack(writer, (struct node_id){node});
	json_end(&writer->json);
	json_key(&writer->json, "weights");
	json_array(&writer->json);
	for (uint32_t node = 0; node < profile->tree.n; node++) {
		int64_t value = profile_value(profile, column, (struct node_id){node});

		if (value > 0)
			json_int(&writer->json, value);
	}
	json_end(&writer->json);
	json_end(&writer->json);
}

/* ---- one entry per sample, a profile per thread ---- */

static int64_t weight_of(const struct writer *writer, const struct timed_sample *sample)
{
	if (writer->counts_entries)
		return 1;
	return writer->is_cpu ? sample->cpu_ns : sample->wall_ns;
}

/* Samples of each thread in a row, in time order: [start[thread], start[thread + 1]) of `order`. */
struct by_thread {
	size_t *start;
	uint32_t *order;
};

static void by_thread_done(struct by_thread *by_thread)
{
	free(by_thread->start);
	free(by_thread->order);
}

static void sort_by_thread(const struct timed *timed, struct by_thread *by_thread)
{
	size_t *next;

	by_thread->start = xcalloc(timed->n_threads + 2, sizeof(*by_thread->start));
	by_thread->order = xcalloc(timed->n_samples, sizeof(*by_thread->order));
	for (size_t i = 0; i < timed->n_samples; i++)
		by_thread->start[timed->samples[i].thread + 2]++;
	for (size_t i = 2; i < timed->n_threads + 2; i++)
		by_thread->start[i] += by_thread->start[i - 1];
	/* start[t + 1] runs from where thread t begins to where it ends. */
	next = by_thread->start + 1;
	for (size_t i = 0; i < timed->n_samples; i++)
		by_thread->order[next[timed->samples[i].thread]++] = (uint32_t)i;
}

/* As py-spy calls it: the process is named where there are several. */
static void thread_title(const struct writer *writer, const struct timed_thread *thread,
			 char title[TITLE_MAX])
{
	int len = 0;

	if (writer->has_processes)
		len = snprintf(title, TITLE_MAX, "Process %d ", thread->pid);
	snprintf(title + len, TITLE_MAX - (size_t)len, "Thread %d \"%s\"", thread->tid,
		 thread->name);
}

static bool has_processes(const struct timed *timed)
{
	for (size_t i = 1; timed && i < timed->n_threads; i++)
		if (timed->threads[i].pid != timed->threads[0].pid)
			return true;
	return false;
}

static void put_thread(struct writer *writer, const struct by_thread *by_thread, size_t thread)
{
	const struct timed *timed = writer->output->timed;
	size_t from = by_thread->start[thread], until = by_thread->start[thread + 1];
	char title[TITLE_MAX];
	int64_t total = 0;

	if (from == until)
		return;
	for (size_t i = from; i < until; i++)
		total += weight_of(writer, &timed->samples[by_thread->order[i]]);
	thread_title(writer, &timed->threads[thread], title);
	begin_profile(writer, title, total);
	json_key(&writer->json, "samples");
	json_array(&writer->json);
	for (size_t i = from; i < until; i++)
		put_stack(writer, timed->samples[by_thread->order[i]].node);
	json_end(&writer->json);
	json_key(&writer->json, "weights");
	json_array(&writer->json);
	for (size_t i = from; i < until; i++)
		json_int(&writer->json, weight_of(writer, &timed->samples[by_thread->order[i]]));
	json_end(&writer->json);
	json_end(&writer->json);
}

static void put_timed(struct writer *writer)
{
	const struct timed *timed = writer->output->timed;
	cleanup(by_thread_done) struct by_thread by_thread = {0};

	sort_by_thread(timed, &by_thread);
	for (size_t thread = 0; thread < timed->n_threads; thread++)
		put_thread(writer, &by_thread, thread);
}

/* ---- the whole ---- */

/* All four members, null where nothing is known: readers of py-spy's files rely on them. */
static void put_frame(struct writer *writer, const struct frame *frame)
{
	const struct names *names = writer->profile->names;
	const char *place = frame_place(names, frame);
	bool has_line = frame->line && frame->file.v;

	json_object(&writer->json);
	json_member_str(&writer->json, "name", names_text(names, frame->name, NULL));
	json_member_str(&writer->json, "file", *place ? place : NULL);
	json_key(&writer->json, "line");
	if (has_line)
		json_uint(&writer->json, frame->line);
	else
		json_null(&writer->json);
	json_key(&writer->json, "col");
	if (has_line && frame->column)
		json_uint(&writer->json, frame->column);
	else
		json_null(&writer->json);
	json_end(&writer->json);
}

static void put_frames(struct writer *writer)
{
	const struct names *names = writer->profile->names;

	json_key(&writer->json, "shared");
	json_object(&writer->json);
	json_key(&writer->json, "frames");
	json_array(&writer->json);
	for (size_t i = 0; i < writer->n_frames; i++)
		put_frame(writer, names_frame_get(names, (struct frame_id){writer->frames[i]}));
	json_end(&writer->json);
	json_end(&writer->json);
}

int speedscope_write(const struct format_output *output, struct buf *out, struct err *err)
{
	const struct profile *profile = output->profile;
	cleanup(writer_done) struct writer writer = {.output = output, .profile = profile};
	const struct sample_type *type = &profile->columns[output->column].type;

	if (output->column >= profile->n_columns)
		return err_set(err, ERR_USAGE, "the profile is empty: there is no value to write");
	writer.is_cpu = strcmp(names_text(profile->names, type->type, NULL), "cpu") == 0;
	writer.counts_entries = output->timed && output->count_entries;
	writer.has_processes = has_processes(output->timed);
	json_writer_init(&writer.json, out, 0);
	json_object(&writer.json);
	json_member_str(&writer.json, "$schema", SPEEDSCOPE_SCHEMA);
	json_member_str(&writer.json, "exporter", "pyrometer");
	json_member_str(&writer.json, "name", output->title ? output->title : "profile");
	json_member_int(&writer.json, "activeProfileIndex", 0);
	json_key(&writer.json, "profiles");
	json_array(&writer.json);
	if (output->timed)
		put_timed(&writer);
	else
		put_merged(&writer);
	json_end(&writer.json);
	put_frames(&writer);
	json_end(&writer.json);
	if (out->overflow)
		return err_set(err, ERR_LIMIT,
			       "the speedscope output is over its limit of %zu bytes",
			       out->ceiling);
	return 0;
}
