/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/postmortem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "format/marker.h"
#include "proc/core.h"
#include "sample/native.h"

#define PROCESS_ID 1
#define NATIVE_MARKER "[no Python]"

/* From core to events, through the stream that a live reader would send. */
struct postmortem {
	const struct postmortem_config *config;
	struct core *core;
	struct target target; /* its memory and Python only */
	struct names *names;  /* of the stream's writing side */
	struct tree tree;
	struct locals locals;
	struct native *native; /* NULL: not wanted */
	struct capture_stats stats;
	struct capture_writer *writer;
	struct capture_reader *reader;
	struct err *err;
	uint32_t next_id;
};

static int feed(void *ctx, const void *block, size_t len)
{
	struct postmortem *dead = ctx;

	return capture_feed(dead->reader, block, len, dead->err);
}

static int attach(struct postmortem *dead, struct err *err)
{
	struct python_args args = {
		.memory = core_memory(dead->core),
		.names = dead->names,
		.maps = core_maps(dead->core),
		.pid = core_pid(dead->core),
		.with_columns = true,
		.with_collector = true,
		.with_evals = dead->config->with_native,
		.open = core_open_file,
		.ctx = dead->core,
	};
	int r = python_attach(&args, &dead->target.python, err);

	dead->target.core = dead->core;
	dead->target.maps = *args.maps;
	dead->target.memory = args.memory;
	if (r == 0 && dead->config->with_native)
		dead->native = native_new(&dead->target, dead->names, &dead->stats);
	return r < 0 ? err_prefix(err, r, "%s (%s)", dead->config->path, core_command(dead->core))
		     : r;
}

static int write_start(struct postmortem *dead)
{
	char runtime[64];
	struct capture_header header = {.rate_hz = 1, .command = core_command(dead->core)};
	struct capture_process process = {
		.id = PROCESS_ID,
		.pid = core_pid(dead->core),
		.command = core_command(dead->core),
		.runtime = runtime,
	};
	int r;

	header.host = header.version = "";
	snprintf(runtime, sizeof(runtime), "CPython %s", python_version(dead->target.python));
	r = capture_write_header(dead->writer, &header);
	return r < 0 ? r : capture_write_process(dead->writer, &process);
}

static int write_sample(struct postmortem *dead, const struct member *member, bool has_gil)
{
	struct capture_sample sample = {
		.thread = member->id,
		.node = member->node,
		.state = STATE_STOPPED,
		.flags = has_gil ? SAMPLE_GIL : 0,
	};
	int r = capture_write_sample(dead->writer, &sample);

	return r < 0 ? r : locals_write(&dead->locals, member, dead->writer);
}

/* Where among the core's threads; false: Python thinks that it is there, and the kernel did not. */
static bool hold_native(struct postmortem *dead, pid_t tid)
{
	struct pause_regs regs;
	size_t n;
	const pid_t *tids = core_threads(dead->core, &n);

	native_forget(dead->native);
	for (size_t i = 0; i < n; i++)
		if (tids[i] == tid && core_regs(dead->core, i, &regs) == 0) {
			native_hold_still(dead->native, &regs);
			return true;
		}
	return false;
}

/* `stack` NULL: of a thread without Python.  The frames that are true. */
static struct node_id find_node(struct postmortem *dead, pid_t tid,
				const struct python_stack *stack)
{
	const struct merged *merged = NULL;

	if (dead->native && hold_native(dead, tid))
		merged = native_take(dead->native, stack && stack->n ? stack : NULL);
	if (merged && merged->n)
		return tree_stack(&dead->tree, merged->frames, merged->n);
	if (stack && stack->n)
		return tree_stack(&dead->tree, stack->frames, stack->n);
	return tree_child(&dead->tree, (struct node_id){0},
			  marker_frame(dead->names, NATIVE_MARKER));
}

static int read_thread(struct postmortem *dead, struct member *member, pid_t tid)
{
	struct python_stack stack;
	int r = python_read_paused(dead->target.python, member->python, 0);

	if (r != PYTHON_COMPLETE)
		return r;
	if (locals_are_wanted(&dead->locals))
		r = locals_read(&dead->locals, member);
	python_stack(dead->target.python, member->python, &stack);
	member->node = find_node(dead, tid, &stack);
	return r;
}

static int write_thread(struct postmortem *dead, const struct python_look *look, uint32_t i)
{
	const struct python_thread *known = &look->threads[i];
	struct member member = {.id = dead->next_id++, .python = i};
	struct str_id name = python_thread_name(dead->target.python, i, false);
	struct capture_thread thread = {
		.id = member.id,
		.process = PROCESS_ID,
		.tid = known->tid,
		.python_ident = known->ident,
		.name = names_text(dead->names, name, NULL),
	};
	int r = capture_write_thread(dead->writer, &thread);

	if (r < 0)
		return r;
	r = read_thread(dead, &member, known->tid);
	if (r != PYTHON_COMPLETE)
		return min_of(r, 0);
	return write_sample(dead, &member, known->holds_gil);
}

static bool is_known(const struct python_look *look, pid_t tid)
{
	for (uint32_t i = 0; i < look->n; i++)
		if (look->threads[i].tid == tid)
			return true;
	return false;
}

/* Threads that Python knows nothing of. */
static int write_native(struct postmortem *dead, pid_t tid)
{
	struct member member = {.id = dead->next_id++};
	struct capture_thread thread = {
		.id = member.id, .process = PROCESS_ID, .tid = tid, .name = ""};
	int r = capture_write_thread(dead->writer, &thread);

	member.node = find_node(dead, tid, NULL);
	return r < 0 ? r : write_sample(dead, &member, false);
}

static int write_threads(struct postmortem *dead, struct err *err)
{
	struct python_look look;
	size_t n;
	const pid_t *tids = core_threads(dead->core, &n);
	int r = python_look(dead->target.python, &look);

	if (r < 0)
		return err_sys(err, r, "cannot read the threads of %s", dead->config->path);
	for (uint32_t i = 0; r == 0 && i < look.n; i++)
		r = write_thread(dead, &look, i);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (!is_known(&look, tids[i]))
			r = write_native(dead, tids[i]);
	return r < 0 ? err_sys(err, r, "cannot read the threads of %s", dead->config->path) : r;
}

static int open_core(struct postmortem *dead, struct err *err)
{
	int fd = open(dead->config->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r;

	if (fd < 0)
		return err_sys(err, -errno, "cannot read %s", dead->config->path);
	r = core_open(fd, &dead->core, err);
	return r < 0 ? err_prefix(err, r, "%s", dead->config->path) : r;
}

static void postmortem_done(struct postmortem *dead)
{
	locals_done(&dead->locals);
	native_free(dead->native);
	python_free(dead->target.python);
	core_free(dead->core);
	capture_writer_free(dead->writer);
	capture_reader_free(dead->reader);
	tree_done(&dead->tree);
	names_free(dead->names);
}

int postmortem_read(const struct postmortem_config *config, struct names *names, struct tree *tree,
		    const struct capture_events *events, void *ctx, struct err *err)
{
	struct postmortem dead = {.config = config, .names = names_new(), .err = err, .next_id = 1};
	int r;

	tree_init(&dead.tree);
	dead.reader = capture_reader_new(names, tree, events, ctx);
	dead.writer = capture_writer_new(dead.names, &dead.tree, false, feed, &dead);
	locals_init(&dead.locals, &config->locals, &dead.target, dead.names);
	r = open_core(&dead, err);
	if (r == 0)
		r = attach(&dead, err);
	if (r == 0)
		r = write_start(&dead);
	if (r == 0)
		r = write_threads(&dead, err);
	if (r == 0)
		r = capture_flush(dead.writer);
	postmortem_done(&dead);
	return r;
}
