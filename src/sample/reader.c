/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/reader.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "format/marker.h"
#include "proc/rights.h"
#include "sample/sampler.h"

#define LAUNCH_PATIENCE_NS (3 * NS_PER_S) /* until a program that we started has become a Python */
#define EXEC_PATIENCE_NS (3 * NS_PER_S)	  /* until the next program of a target has */
#define ATTACH_PATIENCE_NS NS_PER_S	  /* until a Python that is seen has finished starting */
#define OPEN_LIMIT_NS (10 * NS_PER_S) /* to find out what a process is; its files may be large */
#define RETRY_MS 5
#define FLUSH_PATIENCE_NS (5 * NS_PER_S)
#define TIMER_SLACK_NS 1 /* the default of 50 us would make every tick late */
#define NATIVE_MARKER "[no Python]"
#define ANCESTORS_MAX 32 /* that are named; in a deeper tree nobody is */
#define UNSEEN_MARKER "[ended between samples]"

/* Everything that a reader owns. */
struct reader {
	const struct reader_config *config;
	const struct keeper_job *job;
	struct names *names;
	struct tree tree;
	struct capture_writer *writer;
	struct wire wire;
	struct target target;
	struct pauser *pauser;
	int signal_fd;
	int64_t begun_ns;	    /* t = 0 of the stream */
	uint32_t process_id;	    /* the last that was defined */
	uint32_t next_thread_id;    /* not yet defined */
	struct capture_stats stats; /* carried from one program of the target to the next */
};

static int send_block(void *ctx, const void *block, size_t len)
{
	return wire_put(ctx, block, len);
}

static int open_signals(struct err *err)
{
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(err, -errno, "cannot receive signals") : fd;
}

/* Or is about to: a process on its way out has no executable any more, before it is a zombie. */
static bool has_ended(struct process_id id)
{
	struct process process;
	char exe[TARGET_COMMAND_MAX];

	if (process_load(id.pid, &process, NULL) < 0 || process.id.start_ticks != id.start_ticks ||
	    process.state == 'Z' || process.state == 'X')
		return true;
	return !process.is_kernel && process_exe(id.pid, exe, sizeof(exe), NULL) == -ESRCH;
}

static bool is_asked_to_end(const struct reader *reader)
{
	struct pollfd fds[] = {
		{.fd = reader->signal_fd, .events = POLLIN},
		{.fd = reader->wire.fd, .events = 0},
	};

	return poll(fds, array_len(fds), RETRY_MS) > 0;
}

/* What may pass: an interpreter that is being started or replaced. */
static bool may_pass(int code, int64_t waited_ns, int64_t patience_ns)
{
	if (code == ERR_TORN)
		return waited_ns < max_of(patience_ns, ATTACH_PATIENCE_NS);
	if (code == ERR_NOT_PYTHON || code == ERR_GONE)
		return waited_ns < patience_ns;
	return false;
}

/* Nobody shall stand still, nor the keeper lose patience, while there is nothing to pause. */
static void let_go(struct reader *reader, struct heartbeat *beat)
{
	pauser_release_idle(reader->pauser, 0);
	(void)pauser_pump(reader->pauser);
	beat_expect(beat, OPEN_LIMIT_NS);
}

/* The pid may have been given to another process since somebody named it. */
static int is_who_was_meant(struct reader *reader, struct err *err)
{
	if (reader->target.process.id.start_ticks == reader->job->process.start_ticks)
		return 0;
	target_done(&reader->target);
	return err_set(err, ERR_GONE, "process %d has ended", (int)reader->job->process.pid);
}

static int open_target(struct reader *reader, struct heartbeat *beat, int64_t patience_ns,
		       struct err *err)
{
	int64_t began_ns = clock_monotonic_ns();
	int r;

	for (;;) {
		let_go(reader, beat);
		r = target_open(&reader->target, reader->job->process.pid, reader->names,
				reader->config->wants, err);
		if (r == 0)
			return is_who_was_meant(reader, err);
		if (has_ended(reader->job->process))
			return err_set(err, ERR_GONE, "process %d has ended",
				       (int)reader->job->process.pid);
		if (!may_pass(r, clock_monotonic_ns() - began_ns, patience_ns))
			return r;
		if (is_asked_to_end(reader))
			return err_set(err, r, "ended before process %d had become a Python",
				       (int)reader->job->process.pid);
	}
}

/* ---- the stream around the samples ---- */

static int write_header(struct reader *reader, bool is_nonblocking)
{
	char host[HOST_NAME_MAX + 1] = "";
	struct capture_header header = {
		.start_real_ns = clock_real_ns(),
		.start_monotonic_ns = reader->begun_ns,
		.rate_hz = reader->config->rate_hz,
		.flags = (is_nonblocking ? CAPTURE_NONBLOCKING : 0) |
			 (reader->config->with_idle ? CAPTURE_IDLE_INCLUDED : 0) |
			 (reader->config->wants & TARGET_NATIVE ? CAPTURE_NATIVE : 0),
		.command = reader->target.command,
		.host = host,
		.version = PYROMETER_VERSION,
	};

	(void)gethostname(host, sizeof(host) - 1);
	return capture_write_header(reader->writer, &header);
}

static int write_process(struct reader *reader)
{
	char runtime[64];
	struct capture_process process = {
		.id = ++reader->process_id,
		.pid = reader->target.process.id.pid,
		.parent_pid = reader->target.process.parent,
		.start_ticks = (int64_t)reader->target.process.id.start_ticks,
		.command = reader->target.command,
		.runtime = runtime,
	};

	snprintf(runtime, sizeof(runtime), "CPython %s%s", python_version(reader->target.python),
		 python_is_free_threaded(reader->target.python) ? CAPTURE_FREE_THREADED : "");
	return capture_write_process(reader->writer, &process);
}

/* Without a runtime: who it is, for those below it; perhaps no Python itself. */
static int write_ancestor(struct reader *reader, const struct process *process)
{
	char command[TARGET_COMMAND_MAX];
	struct capture_process ancestor = {
		.id = ++reader->process_id,
		.pid = process->id.pid,
		.parent_pid = process->parent,
		.start_ticks = (int64_t)process->id.start_ticks,
		.command = command,
		.runtime = "",
	};

	process_command(process->id.pid, command, sizeof(command));
	return capture_write_process(reader->writer, &ancestor);
}

/* From the root of the tree down to the parent; nobody when that chain is broken (a daemon). */
static int write_ancestors(struct reader *reader)
{
	struct process chain[ANCESTORS_MAX];
	pid_t pid = reader->target.process.parent;
	size_t n = 0;
	int r = 0;

	if (!reader->config->with_tree || reader->job->is_root)
		return 0;
	do {
		if (n == ANCESTORS_MAX || process_load(pid, &chain[n], NULL) < 0)
			return 0;
		pid = chain[n].parent;
	} while (chain[n++].id.pid != reader->config->root);
	while (n-- > 0 && r == 0)
		r = write_ancestor(reader, &chain[n]);
	return r;
}

static int write_end(struct reader *reader, int code, const struct err *err)
{
	struct capture_end end = {
		.time_ns = clock_monotonic_ns() - reader->begun_ns,
		.code = code,
		.exit_status = -1,
		.text = code < 0 ? err->text : "",
	};
	int r = capture_write_end(reader->writer, &end);

	if (r == 0)
		r = capture_flush(reader->writer);
	return r == 0 ? wire_flush(&reader->wire, clock_monotonic_ns() + FLUSH_PATIENCE_NS) : r;
}

/* ---- sampling ---- */

static int64_t end_of_run(const struct reader_config *config, int64_t now_ns)
{
	int64_t none = 0;

	/* The first reader sets it; those that follow keep to it. */
	atomic_compare_exchange_strong(config->first_begun_ns, &none, now_ns);
	return config->duration_ns ? atomic_load(config->first_begun_ns) + config->duration_ns : 0;
}

static struct node_id marker_node(struct reader *reader, const char *name)
{
	return tree_child(&reader->tree, (struct node_id){0}, marker_frame(reader->names, name));
}

static int sample(struct reader *reader, struct heartbeat *beat,
		  const struct sampler_config *config, struct err *err)
{
	struct sampler sampler = {
		.target = &reader->target,
		.names = reader->names,
		.tree = &reader->tree,
		.native_node = marker_node(reader, NATIVE_MARKER),
		.writer = reader->writer,
		.wire = &reader->wire,
		.pauser = reader->pauser,
		.beat = beat,
		.signal_fd = reader->signal_fd,
		.stats = reader->stats,
		.stream =
			{
				.process_id = reader->process_id,
				.unseen_node = marker_node(reader, UNSEEN_MARKER),
				.begun_ns = reader->begun_ns,
			},
	};
	int r;

	sampler_init(&sampler, config, reader->next_thread_id);
	r = sampler_run(&sampler, err);
	reader->next_thread_id = sampler.crew.next_id;
	reader->stats = sampler.stats;
	sampler_done(&sampler);
	return r;
}

/*
 * Sample to the end, across execs: a server that replaces itself by a new version of itself is a new
 * process of the stream under the same pid.
 */
static int sample_all(struct reader *reader, struct heartbeat *beat, bool is_nonblocking,
		      enum keeper_exit *ret_exit, struct err *err)
{
	struct sampler_config config = {
		.rate_hz = reader->config->rate_hz,
		.end_ns = end_of_run(reader->config, reader->begun_ns),
		.is_nonblocking = is_nonblocking,
		.is_once = reader->config->is_once,
		.with_native = reader->config->wants & TARGET_NATIVE,
		.with_kernel = reader->config->wants & TARGET_KERNEL,
		.locals = &reader->config->locals,
		/* A file that got the last reader killed (a filesystem of the target's own) is not
		 * touched again. */
		.with_sources = reader->config->with_sources && reader->job->attempt == 1,
	};
	int r = write_ancestors(reader);

	if (r == 0)
		r = write_process(reader);

	while (r == 0) {
		r = sample(reader, beat, &config, err);
		if (r != ERR_GONE || !target_lives_on(&reader->target))
			return r;
		if (reader->config->with_tree) {
			*ret_exit = KEEPER_EXIT_CHANGED; /* the keeper knows when to come back */
			return r;
		}
		target_done(&reader->target);
		r = open_target(reader, beat, EXEC_PATIENCE_NS, err);
		if (r < 0)
			return r == ERR_GONE ? r : err_prefix(err, r, "it became another program");
		r = write_process(reader);
	}
	return r;
}

/* In a tree the keeper is patient; it sees when the next program is there. */
static int64_t patience_ns(const struct reader_config *config)
{
	return config->is_launched && !config->with_tree ? LAUNCH_PATIENCE_NS : 0;
}

static int open_all(struct reader *reader, struct heartbeat *beat, struct err *err)
{
	reader->signal_fd = open_signals(err);
	if (reader->signal_fd < 0)
		return reader->signal_fd;
	reader->pauser = pauser_new(beat, err);
	if (!reader->pauser)
		return -EIO;
	return open_target(reader, beat, patience_ns(reader->config), err);
}

/* Most processes of a tree may be shells and tools: no word about those, nor about what is over. */
static bool is_no_news(const struct reader *reader, int code, enum keeper_exit *ret_exit)
{
	if (!reader->config->with_tree ||
	    (code != ERR_NOT_PYTHON && code != ERR_TORN && code != ERR_GONE && code != -ESRCH))
		return false;
	*ret_exit = code == ERR_NOT_PYTHON ? KEEPER_EXIT_UNFIT
		    : code == ERR_TORN	   ? KEEPER_EXIT_CHANGED
					   : KEEPER_EXIT_DONE;
	return true;
}

/* Attach, sample, say how it ended. */
static enum keeper_exit live(struct reader *reader, struct heartbeat *beat)
{
	enum keeper_exit code = KEEPER_EXIT_DONE;
	struct err err = {0};
	int r = open_all(reader, beat, &err), w;
	bool is_nonblocking = reader->config->is_nonblocking;

	if (is_no_news(reader, r, &code))
		return code;
	reader->begun_ns = clock_monotonic_ns();
	w = write_header(reader, is_nonblocking);
	if (r == 0 && w == 0)
		r = sample_all(reader, beat, is_nonblocking, &code, &err);
	return r == -EPIPE || write_end(reader, r, &err) < 0 ? KEEPER_EXIT_FAILED : code;
}

static void reader_done(struct reader *reader)
{
	pauser_free(reader->pauser); /* first of all: the target is free */
	target_done(&reader->target);
	capture_writer_free(reader->writer);
	wire_done(&reader->wire);
	tree_done(&reader->tree);
	names_free(reader->names);
	if (reader->signal_fd >= 0)
		close(reader->signal_fd);
}

int reader_run(void *ctx, struct heartbeat *beat, const struct keeper_job *job)
{
	const struct reader_config *config = ctx;
	struct reader reader = {
		.config = config,
		.job = job,
		.names = names_new(),
		.signal_fd = -1,
		.next_thread_id = 1,
	};
	enum keeper_exit code;

	prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
	prctl(PR_SET_NAME, "pyrometer-read", 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	tree_init(&reader.tree);
	wire_init(&reader.wire, config->wire_fd, (struct wire_stream){job->slot, job->start});
	reader.writer =
		capture_writer_new(reader.names, &reader.tree, false, send_block, &reader.wire);
	code = live(&reader, beat);
	beat_rest(beat);
	reader_done(&reader);
	return code;
}
