/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/dump_view.h"
#include "codec/json.h"

static void local_json(const struct dump_local *local, struct json_writer *json)
{
	json_object(json);
	json_member_str(json, "name", local->name);
	json_member_uint(json, "addr", local->address);
	json_member_bool(json, "arg", local->flags & LOCAL_ARGUMENT);
	json_member_bool(json, "shared", local->flags & LOCAL_SHARED);
	json_member_str(json, "repr", local->text);
	json_end(json);
}

static void locals_json(const struct dump_view *view, const struct dump_thread *thread,
			uint32_t frame, struct json_writer *json)
{
	bool is_cut = false;

	json_key(json, "locals");
	if (!view->with_locals) {
		json_null(json);
		return;
	}
	json_array(json);
	for (size_t i = 0; i < thread->n_locals; i++) {
		const struct dump_local *local = &thread->locals[i];

		if (local->frame == frame && !(local->flags & LOCAL_CUT))
			local_json(local, json);
		is_cut |= local->frame == frame && local->flags & LOCAL_CUT;
	}
	json_end(json);
	if (is_cut)
		json_member_bool(json, "locals_cut", true);
}

static void native_json(const struct dump_view *view, const struct frame *frame,
			struct json_writer *json)
{
	json_key(json, "locals");
	json_null(json);
	json_member_bool(json, frame->kind == FRAME_KERNEL ? "is_kernel" : "is_native", true);
	if (frame->build_id.v)
		json_member_str(json, "build_id", dump_view_name(view, frame->build_id));
	if (frame->address)
		json_member_uint(json, "address", frame->address);
}

/* Members of py-spy's, all of them always there, then ours. */
static void frame_json(const struct dump_view *view, const struct dump_thread *thread,
		       const struct frame *frame, uint32_t at, struct json_writer *json)
{
	const char *file = dump_view_name(view, frame->file);

	json_object(json);
	json_member_str(json, "name", dump_view_name(view, frame->name));
	json_member_str(json, "filename", file);
	json_member_str(json, "short_filename",
			view->with_full_files ? NULL : dump_view_file(view, file));
	json_member_str(json, "module",
			frame->module.v ? dump_view_name(view, frame->module) : NULL);
	json_member_uint(json, "line", frame->line);
	if (frame->column)
		json_member_uint(json, "column", frame->column);
	if (frame->qualname.v)
		json_member_str(json, "qualname", dump_view_name(view, frame->qualname));
	if (frame->kind == FRAME_MARKER)
		json_member_bool(json, "is_marker", true);
	else if (frame->kind != FRAME_PYTHON)
		native_json(view, frame, json);
	else
		locals_json(view, thread, at, json);
	json_end(json);
}

static void frames_json(const struct dump_view *view, const struct dump_thread *thread,
			struct json_writer *json)
{
	uint32_t at = 0;

	json_key(json, "frames");
	json_array(json);
	for (uint32_t node = thread->node.v; node; node = view->tree->parent[node]) {
		const struct frame *frame = dump_view_frame(view, node);

		frame_json(view, thread, frame, at, json);
		at += frame->kind == FRAME_PYTHON;
	}
	json_end(json);
}

static int32_t pid_of(const struct dump_view *view, const struct dump_thread *thread)
{
	for (size_t i = 0; i < view->n_processes; i++)
		if (view->processes[i].id == thread->process)
			return view->processes[i].pid;
	return 0;
}

static void thread_json(const struct dump_view *view, const struct dump_thread *thread,
			struct json_writer *json)
{
	bool is_idle = thread_state_is_idle((enum thread_state)thread->state);

	json_object(json);
	json_member_int(json, "pid", pid_of(view, thread));
	json_member_uint(json, "thread_id", thread->ident);
	json_member_str(json, "thread_name", thread->name);
	json_key(json, "os_thread_id");
	if (thread->tid)
		json_int(json, thread->tid);
	else
		json_null(json);
	json_member_bool(json, "active", thread->has_sample && !is_idle);
	json_member_bool(json, "owns_gil", thread->flags & SAMPLE_GIL);
	json_member_bool(json, "waits_for_gil",
			 thread->has_sample && thread->state == STATE_WAITING_GIL);
	json_member_str(json, "state",
			thread->has_sample ? thread_state_name((enum thread_state)thread->state)
					   : "unreadable");
	if (thread->flags & SAMPLE_RECOVERED)
		json_member_bool(json, "native_recovered", true);
	frames_json(view, thread, json);
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
