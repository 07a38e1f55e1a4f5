/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/dump_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/vec.h"
#include "codec/json.h"

#define TEXT_MAX (4 * NAME_MAX_BYTES)

void dump_view_init(struct dump_view *view, struct names *names, struct tree *tree)
{
	*view = (struct dump_view){.names = names, .tree = tree};
	arena_init(&view->arena);
}

void dump_view_done(struct dump_view *view)
{
	arena_done(&view->arena);
	free(view->threads);
	*view = (struct dump_view){0};
}

/* ---- events ---- */

static const char *keep(struct dump_view *view, const char *text)
{
	return arena_strndup(&view->arena, text, strlen(text));
}

static int on_process(void *ctx, const struct capture_process *process)
{
	struct dump_view *view = ctx;

	view->pid = process->pid;
	view->command = keep(view, process->command);
	view->runtime = keep(view, process->runtime);
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
	}
	ours->id = thread->id;
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

const struct capture_events *dump_view_events(void)
{
	static const struct capture_events events = {
		.process = on_process,
		.thread = on_thread,
		.sample = on_sample,
	};

	return &events;
}

/* ---- text ---- */

static void put_printable(struct buf *out, const char *text)
{
	char clean[TEXT_MAX];

	buf_put(out, clean, utf8_printable(clean, sizeof(clean), text, strlen(text)));
}

static const char *state_words(const struct dump_thread *thread)
{
	if (!thread->has_sample)
		return "could not be read";
	switch ((enum thread_state)thread->state) {
	case STATE_RUNNING_GIL:
		return "active+gil";
	case STATE_RUNNING:
		return "active";
	case STATE_WAITING_GIL:
		return "idle, waiting for the GIL";
	case STATE_WAITING_LOCK:
		return "idle, waiting for a lock";
	case STATE_WAITING_IO:
		return "idle, waiting for I/O";
	case STATE_SLEEPING:
		return "idle";
	case STATE_STOPPED:
		return "stopped";
	default:
		return "unknown";
	}
}

/* Library files from the package on, others by their base name; JSON has the whole path. */
static const char *short_file(const char *path)
{
	static const char *const roots[] = {"/site-packages/", "/dist-packages/"};
	const char *found = strstr(path, "/lib/python"), *slash = strrchr(path, '/');

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

static const struct frame *frame_of(const struct dump_view *view, uint32_t node)
{
	return names_frame_get(view->names, (struct frame_id){view->tree->frame[node]});
}

static const char *text_of(const struct dump_view *view, struct str_id id)
{
	return names_text(view->names, id, NULL);
}

static void put_frame(const struct dump_view *view, const struct frame *frame, struct buf *out)
{
	const char *file = text_of(view, frame->file);

	buf_puts(out, "    ");
	put_printable(out, text_of(view, frame->name));
	if (*file) {
		buf_puts(out, " (");
		put_printable(out, short_file(file));
		if (frame->line)
			buf_printf(out, ":%" PRIu32, frame->line);
		buf_putc(out, ')');
	}
	buf_putc(out, '\n');
}

static void put_thread(const struct dump_view *view, const struct dump_thread *thread,
		       struct buf *out)
{
	bool has_gil = thread->flags & SAMPLE_GIL && thread->state != STATE_RUNNING_GIL;

	buf_printf(out, "Thread %" PRId32 " (%s%s)", thread->tid, state_words(thread),
		   has_gil ? ", holds the GIL" : "");
	if (*thread->name) {
		buf_puts(out, ": \"");
		put_printable(out, thread->name);
		buf_putc(out, '"');
	}
	buf_putc(out, '\n');
	for (uint32_t node = thread->node.v; node; node = view->tree->parent[node])
		put_frame(view, frame_of(view, node), out);
}

void dump_view_text(const struct dump_view *view, struct buf *out)
{
	buf_printf(out, "Process %" PRId32 ": ", view->pid);
	put_printable(out, view->command ? view->command : "");
	buf_putc(out, '\n');
	/* "CPython 3.11.2" is shown as py-spy shows it */
	buf_puts(out, "Python v");
	put_printable(out,
		      view->runtime ? view->runtime + strcspn(view->runtime, "0123456789") : "");
	buf_puts(out, "\n\n");
	for (size_t i = 0; i < view->n; i++)
		put_thread(view, &view->threads[i], out);
}

/* ---- JSON ---- */

static void frame_json(const struct dump_view *view, const struct frame *frame,
		       struct json_writer *json)
{
	json_object(json);
	json_member_str(json, "name", text_of(view, frame->name));
	if (frame->qualname.v)
		json_member_str(json, "qualname", text_of(view, frame->qualname));
	json_member_str(json, "filename", text_of(view, frame->file));
	json_member_str(json, "short_filename", short_file(text_of(view, frame->file)));
	json_member_uint(json, "line", frame->line);
	json_end(json);
}

static void thread_json(const struct dump_view *view, const struct dump_thread *thread,
			struct json_writer *json)
{
	bool is_idle = thread_state_is_idle((enum thread_state)thread->state);

	json_object(json);
	json_member_int(json, "pid", view->pid);
	json_member_uint(json, "thread_id", thread->ident);
	json_member_int(json, "os_thread_id", thread->tid);
	json_member_str(json, "thread_name", thread->name);
	json_member_bool(json, "active", thread->has_sample && !is_idle);
	json_member_bool(json, "owns_gil", thread->flags & SAMPLE_GIL);
	json_member_str(json, "state",
			thread->has_sample ? thread_state_name((enum thread_state)thread->state)
					   : "unreadable");
	json_key(json, "frames");
	json_array(json);
	for (uint32_t node = thread->node.v; node; node = view->tree->parent[node])
		frame_json(view, frame_of(view, node), json);
	json_end(json);
	json_end(json);
}

void dump_view_json(const struct dump_view *view, struct buf *out)
{
	struct json_writer json;

	json_writer_init(&json, out, 0);
	json_array(&json);
	for (size_t i = 0; i < view->n; i++)
		thread_json(view, &view->threads[i], &json);
	json_end(&json);
	buf_putc(out, '\n');
}
