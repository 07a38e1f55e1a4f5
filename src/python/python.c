/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "base/vec.h"
#include "python/python_private.h"

/* How much of a thread state and of a frame has to be read: up to the last field that we use. */
static int measure(struct python *python, struct err *err)
{
	const struct layout *layout = &python->layout;
	const uint16_t state[] = {
		layout->ts_next,	layout->ts_interp,    layout->ts_frame,
		layout->ts_cframe,	layout->ts_thread_id, layout->ts_native_thread_id,
		layout->ts_stack_chunk, layout->ts_state,     layout->ts_base_frame};
	const uint16_t frame[] = {layout->frame_previous, layout->frame_code,
				  layout->frame_instr,	  layout->frame_owner,
				  layout->frame_is_entry, layout->frame_tlbc_index};
	size_t state_bytes = 0, frame_bytes = 0;

	for (size_t i = 0; i < array_len(state); i++)
		if (state[i] != NO_FIELD)
			state_bytes = max_of(state_bytes, state[i] + 8u);
	if (layout->ts_stack_top != NO_FIELD) /* and the limit behind it */
		state_bytes = max_of(state_bytes, layout->ts_stack_top + 16u);
	for (size_t i = 0; i < array_len(frame); i++)
		if (frame[i] != NO_FIELD)
			frame_bytes = max_of(frame_bytes, frame[i] + 8u);
	if (state_bytes > THREAD_STATE_MAX_BYTES || frame_bytes > FRAME_MAX_BYTES)
		return err_set(err, ERR_UNSUPPORTED,
			       "Python %s keeps what we read %zu bytes deep in a thread state",
			       python->version, state_bytes);
	python->state_bytes = (uint16_t)state_bytes;
	python->frame_bytes = (uint16_t)frame_bytes;
	return 0;
}

int python_new(const struct python_args *args, const struct runtime *runtime,
	       struct python **ret_python, struct err *err)
{
	struct python *python = xcalloc(1, sizeof(*python));

	python->memory = args->memory;
	python->names = args->names;
	python->pid = args->pid;
	python->layout = runtime->layout;
	python->runtime = runtime->addr;
	python->old_gil = runtime->gil;
	python->code_counter = runtime->code_counter;
	memcpy(python->version, runtime->version, sizeof(python->version));
	code_cache_init(&python->codes, python->names, &python->layout, &python->stats);
	python->codes.with_columns = args->with_columns;
	python->with_collector = args->with_collector;
	int r = measure(python, err);
	if (r < 0) {
		python_free(python);
		return r;
	}
	*ret_python = python;
	return 0;
}

static void remember_place(struct python *python, const struct runtime *runtime)
{
	char path[PYTHON_MAX_PLACE_BYTES - 32];

	utf8_printable(path, sizeof(path), runtime->file->path, strlen(runtime->file->path));
	snprintf(python->place, sizeof(python->place), "by %s of %s",
		 runtime->is_scanned ? "a search in the memory" : "the symbols", path);
}

int python_attach(const struct python_args *args, struct python **ret_python, struct err *err)
{
	struct runtime runtime = {0};
	int r = runtime_find(args, &runtime, err);

	if (r < 0)
		return r;
	r = python_new(args, &runtime, ret_python, err);
	if (r < 0)
		return r;
	remember_place(*ret_python, &runtime);
	if (args->with_evals)
		evals_find(*ret_python, args, &runtime);
	return 0;
}

void python_free(struct python *python)
{
	if (!python)
		return;
	threads_done(python);
	code_cache_done(&python->codes);
	free(python->roster.threads);
	map64_done(&python->roster.by_ident);
	free(python->proven);
	free(python->extra.windows);
	free(python->extra.bytes);
	free(python->spans);
	free(python->parts);
	free(python->asked);
	free(python->proof_bytes);
	free(python);
}

const char *python_version(const struct python *python)
{
	return python->version;
}

bool python_is_free_threaded(const struct python *python)
{
	return python->layout.is_free_threaded;
}

const char *python_place(const struct python *python)
{
	return python->place;
}

void python_stats(const struct python *python, struct python_stats *ret_stats)
{
	*ret_stats = python->stats;
}
