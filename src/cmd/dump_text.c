/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"
#include "cmd/dump_view.h"

#define TEXT_MAX (4 * NAME_MAX_BYTES)
#define RULE "--------------------------------------------------------------------------------"

static void put_printable(struct buf *out, const char *text)
{
	char clean[TEXT_MAX];

	buf_put(out, clean, utf8_printable(clean, sizeof(clean), text, strlen(text)));
}

static void put_styled(const struct dump_view *view, enum tui_style style, const char *text,
		       struct buf *out)
{
	style_begin(out, style, view->term.colours);
	put_printable(out, text);
	style_end(out, style, view->term.colours);
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

static void put_frame(const struct dump_view *view, const struct frame *frame, struct buf *out)
{
	const char *file = dump_view_name(view, frame->file);

	if (!*file)
		file = dump_view_name(view, frame->module);
	buf_puts(out, "    ");
	put_styled(view, style_of_frame(view->names, frame), dump_view_name(view, frame->name),
		   out);
	if (*file) {
		buf_puts(out, " (");
		put_printable(out, dump_view_file(view, file));
		if (frame->line)
			buf_printf(out, ":%" PRIu32, frame->line);
		buf_putc(out, ')');
	}
	buf_putc(out, '\n');
}

static void put_local(const struct dump_local *local, struct buf *out)
{
	if (local->flags & LOCAL_CUT) {
		buf_puts(out, "            \xe2\x80\xa6\n");
		return;
	}
	buf_puts(out, "            ");
	put_printable(out, local->name);
	buf_puts(out, ": ");
	put_printable(out, local->text);
	buf_putc(out, '\n');
}

/* Of one frame: the arguments, then the others, each under its title. */
static void put_locals(const struct dump_thread *thread, uint32_t frame, struct buf *out)
{
	bool has_title[2] = {false, false};

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < thread->n_locals; i++) {
			const struct dump_local *local = &thread->locals[i];
			bool is_other = !(local->flags & LOCAL_ARGUMENT);

			if (local->frame != frame || is_other != pass)
				continue;
			if (!has_title[pass])
				buf_printf(out, "        %s:\n", is_other ? "Locals" : "Arguments");
			has_title[pass] = true;
			put_local(local, out);
		}
}

static void put_stack(const struct dump_view *view, const struct dump_thread *thread,
		      struct buf *out)
{
	uint32_t at = 0;

	for (uint32_t node = thread->node.v; node; node = view->tree->parent[node]) {
		const struct frame *frame = dump_view_frame(view, node);

		put_frame(view, frame, out);
		if (frame->kind == FRAME_PYTHON)
			put_locals(thread, at++, out);
	}
}

static void put_thread(const struct dump_view *view, const struct dump_thread *thread,
		       struct buf *out)
{
	bool has_gil = thread->flags & SAMPLE_GIL && thread->state != STATE_RUNNING_GIL;
	enum tui_style style =
		thread->has_sample ? style_of_state((enum thread_state)thread->state) : STYLE_WARN;

	if (thread->tid)
		buf_printf(out, "Thread %" PRId32, thread->tid);
	else
		buf_printf(out, "Thread 0x%" PRIX64, thread->ident);
	buf_puts(out, " (");
	put_styled(view, style, state_words(thread), out);
	if (has_gil)
		put_styled(view, STYLE_STATE_RUNNING_GIL, ", holds the GIL", out);
	if (thread->flags & SAMPLE_RECOVERED)
		buf_puts(out, ", native frames found by searching");
	buf_putc(out, ')');
	if (*thread->name) {
		buf_puts(out, ": \"");
		put_printable(out, thread->name);
		buf_putc(out, '"');
	}
	buf_putc(out, '\n');
	put_stack(view, thread, out);
}

static const struct dump_process *find_pid(const struct dump_view *view, int32_t pid)
{
	for (size_t i = 0; i < view->n_processes; i++)
		if (view->processes[i].pid == pid)
			return &view->processes[i];
	return NULL;
}

static void put_head(const struct dump_view *view, const struct dump_process *process,
		     struct buf *out)
{
	const struct dump_process *parent = find_pid(view, process->parent_pid);

	buf_printf(out, "Process %" PRId32 ": ", process->pid);
	put_styled(view, STYLE_TITLE, process->command, out);
	/* "CPython 3.11.2" is shown as py-spy shows it */
	buf_puts(out, "\nPython v");
	put_printable(out, process->runtime + strcspn(process->runtime, "0123456789"));
	buf_putc(out, '\n');
	if (parent) {
		buf_printf(out, "Parent Process %" PRId32 ": ", parent->pid);
		put_printable(out, parent->command);
		buf_putc(out, '\n');
	}
}

/* Who has it, and how many want it: the line is left out where nobody is known to do either. */
static void put_gil(const struct dump_view *view, const struct dump_process *process,
		    struct buf *out)
{
	const struct dump_thread *holder = NULL;
	size_t waiting = 0;

	for (size_t i = 0; i < view->n; i++) {
		const struct dump_thread *thread = &view->threads[i];

		if (thread->process != process->id || !thread->has_sample)
			continue;
		if (thread->flags & SAMPLE_GIL)
			holder = thread;
		waiting += thread->state == STATE_WAITING_GIL;
	}
	if (!holder && !waiting)
		return;
	buf_puts(out, "GIL: ");
	if (holder)
		buf_printf(out, "held by thread %" PRId32, holder->tid);
	else
		buf_puts(out, "free");
	if (waiting)
		buf_printf(out, ", %zu thread%s for it", waiting,
			   waiting == 1 ? " waits" : "s wait");
	buf_putc(out, '\n');
}

void dump_view_text(const struct dump_view *view, struct buf *out)
{
	bool is_first = true;

	for (size_t p = 0; p < view->n_processes; p++) {
		const struct dump_process *process = &view->processes[p];

		if (!*process->runtime)
			continue; /* a shell between Pythons: named as a parent only */
		if (!is_first)
			buf_puts(out, "\n" RULE "\n");
		is_first = false;
		put_head(view, process, out);
		put_gil(view, process, out);
		buf_putc(out, '\n');
		for (size_t i = 0; i < view->n; i++)
			if (view->threads[i].process == process->id)
				put_thread(view, &view->threads[i], out);
	}
}
