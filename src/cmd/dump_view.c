/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/dump_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

void dump_view_init(struct dump_view *view, struct names *names, struct tree *tree)
{
	*view = (struct dump_view){.names = names, .tree = tree};
	arena_init(&view->arena);
}

void dump_view_done(struct dump_view *view)
{
	for (size_t i = 0; i < view->n; i++)
		free(view->threads[i].locals);
	arena_done(&view->arena);
	free(view->threads);
	free(view->processes);
	*view = (struct dump_view){0};
}

/* ---- events ---- */

static const char *keep(struct dump_view *view, const char *text)
{
	return arena_strndup(&view->arena, text, strlen(text));
}

/* The place of a process; one that was named as an ancestor is defined again by its own reader. */
static struct dump_process *process_place(struct dump_view *view, uint32_t id)
{
	for (size_t i = 0; i < view->n_processes; i++)
		if (view->processes[i].id == id)
			return &view->processes[i];
	view->processes = vec_grow(view->processes, &view->processes_cap, view->n_processes + 1,
				   sizeof(*view->processes));
	return &view->processes[view->n_processes++];
}

static int on_process(void *ctx, const struct capture_process *process)
{
	struct dump_view *view = ctx;

	*process_place(view, process->id) = (struct dump_process){
		.id = process->id,
		.pid = process->pid,
		.parent_pid = process->parent_pid,
		.command = keep(view, process->command),
		.runtime = keep(view, process->runtime),
	};
	return 0;
}

static struct dump_thread *find(struct dump_view *view, uint32_t id)
{
	for (size_t i = 0; i < view->n; i++)
		if (view->threads[i].id == id)
			return &view->threads[i];
	return NULL;
}

static int on_thread(void *ctx, const struct capture_thread *thread)
{
	struct dump_view *view = ctx;
	struct dump_thread *ours = find(view, thread->id);

	if (!ours) {
		view->threads =
			vec_grow(view->threads, &view->cap, view->n + 1, sizeof(*view->threads));
		ours = &view->threads[view->n++];
		*ours = (struct dump_thread){0};
	}
	ours->id = thread->id;
	ours->process = thread->process;
	ours->tid = thread->tid;
	ours->ident = thread->python_ident;
	ours->name = keep(view, thread->name);
	return 0;
}

static int on_sample(void *ctx, const struct capture_sample *sample)
{
	struct dump_thread *thread = find(ctx, sample->thread);

	if (!thread)
		return ERR_CORRUPT;
	thread->has_sample = true;
	thread->node = sample->node;
	thread->state = sample->state;
	thread->flags = sample->flags;
	return 0;
}

static int on_local(void *ctx, const struct capture_local *local)
{
	struct dump_view *view = ctx;
	struct dump_thread *thread = find(view, local->thread);

	if (!thread)
		return ERR_CORRUPT;
	thread->locals = vec_grow(thread->locals, &thread->locals_cap, thread->n_locals + 1,
				  sizeof(*thread->locals));
	thread->locals[thread->n_locals++] = (struct dump_local){
		.frame = local->frame,
		.address = local->address,
		.flags = local->flags,
		.name = keep(view, local->name),
		.text = keep(view, local->text),
	};
	return 0;
}

const struct capture_events *dump_view_events(void)
{
	static const struct capture_events events = {
		.process = on_process,
		.thread = on_thread,
		.sample = on_sample,
		.local = on_local,
	};

	return &events;
}

/* ---- what both outputs ask ---- */

const struct frame *dump_view_frame(const struct dump_view *view, uint32_t node)
{
	return names_frame_get(view->names, (struct frame_id){view->tree->frame[node]});
}

bool dump_view_is_whole(const struct dump_view *view)
{
	for (size_t i = 0; i < view->n; i++)
		if (!view->threads[i].has_sample)
			return false;
	return view->n > 0;
}

const char *dump_view_name(const struct dump_view *view, struct str_id id)
{
	return names_text(view->names, id, NULL);
}

/* Library files from the package on, others by their base name; JSON has the whole path. */
const char *dump_view_file(const struct dump_view *view, const char *path)
{
	static const char *const roots[] = {"/site-packages/", "/dist-packages/"};
	const char *found = strstr(path, "/lib/python"), *slash = strrchr(path, '/');

	if (view->with_full_files)
		return path;
	for (size_t i = 0; i < array_len(roots); i++) {
		const char *root = strstr(path, roots[i]);

		if (root)
			return root + strlen(roots[i]);
	}
	if (found)
		found = strchr(found + strlen("/lib/"), '/');
	if (found)
		return found + 1;
	return slash && slash[1] ? slash + 1 : path;
}
