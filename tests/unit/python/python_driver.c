/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the stacks of a process, for the integration tests of src/python:
 *
 *	python_driver dump PID			all threads, once
 *	python_driver sample PID HZ SECONDS	of one thread that runs Python (the GIL's holder), paused, as collapsed lines, at random intervals
 *	python_driver nopause PID HZ SECONDS	the same without pausing: what proves itself only
 *	python_driver record PID FILE		dump, and write the memory that it took as a snapshot; "runtime" and
 *						"pid" lines tell what a replay must know
 *
 * Counts go to stderr as "name value" lines at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "proc/maps.h"
#include "proc/pause.h"
#include "proc/process.h"
#include "python/python_private.h"

#define MAX_STEPS 300
#define PAUSE_LIMIT_NS (20 * NS_PER_MS)
#define MAX_WAITING 512

struct driver {
	pid_t pid;
	struct maps maps;
	struct memory *live, *memory;
	struct names *names;
	struct python *python;
	struct pauser *pauser;
	struct runtime runtime; /* when recording */
	uint64_t ticks, complete, incomplete, stepped, steps, not_holder, torn, over_budget,
		not_paused, steps_max;
	int64_t pause_ns, pause_max_ns;
};

static int open_mapping(void *ctx, const struct mapping *mapping, struct err *err)
{
	const struct driver *driver = ctx;

	return maps_open(driver->pid, mapping, err);
}

static int attach(struct driver *driver, pid_t pid, bool is_recording, struct err *err)
{
	driver->pid = pid;
	maps_init(&driver->maps);
	int r = maps_read(&driver->maps, pid, err);
	if (r < 0)
		return r;
	driver->live = memory_live_new(pid);
	driver->memory = driver->live;
	driver->names = names_new();
	struct python_args args = {
		.memory = driver->memory,
		.names = driver->names,
		.maps = &driver->maps,
		.pid = pid,
		.open = open_mapping,
		.ctx = driver,
	};
	if (!is_recording)
		return python_attach(&args, &driver->python, err);
	/* The search reads megabytes that a replay has no use for. */
	r = runtime_find(&args, &driver->runtime, err);
	args.memory = driver->memory = memory_recorder_new(driver->live);
	return r < 0 ? r : python_new(&args, &driver->runtime, &driver->python, err);
}

static void detach(struct driver *driver)
{
	pauser_free(driver->pauser);
	python_free(driver->python);
	names_free(driver->names);
	if (driver->memory != driver->live)
		memory_free(driver->memory);
	memory_free(driver->live);
	maps_done(&driver->maps);
}

static void print_frames(const struct driver *driver, const struct python_stack *stack,
			 const char *between)
{
	for (size_t i = 0; i < stack->n; i++) {
		const struct frame *frame = names_frame_get(driver->names, stack->frames[i]);
		const char *file = names_text(driver->names, frame->file, NULL);
		const char *slash = strrchr(file, '/');
		struct str_id name = frame->qualname.v ? frame->qualname : frame->name;

		printf("%s%s (%s:%u)", i ? between : "", names_text(driver->names, name, NULL),
		       slash ? slash + 1 : file, frame->line);
	}
}

/* ---- dump ---- */

static enum pause_outcome pause_it(struct driver *driver, pid_t tid)
{
	return pause_thread(driver->pauser, driver->pid, tid,
			    clock_monotonic_ns() + PAUSE_LIMIT_NS);
}

static bool is_held(enum pause_outcome outcome)
{
	return outcome == PAUSE_STOPPED || outcome == PAUSE_STOPPED_ALREADY;
}

/* Reads a thread that is paused, nudging it on while it stands inside a push or pop. */
static int read_held(struct driver *driver, uint32_t thread, unsigned flags)
{
	int steps = 0;
	int r = python_read_paused(driver->python, thread, flags);

	while (r == PYTHON_INCOMPLETE && steps < MAX_STEPS) {
		steps++;
		if (!is_held(pause_nudge(driver->pauser, clock_monotonic_ns() + PAUSE_LIMIT_NS)))
			return PYTHON_TORN;
		r = python_read_paused(driver->python, thread, flags);
	}
	driver->stepped += steps > 0;
	driver->steps += (uint64_t)steps;
	driver->steps_max = max_of(driver->steps_max, (uint64_t)steps);
	pause_resume(driver->pauser);
	return r;
}

/* One thread for a dump: paused if it runs, else as it is. */
static int read_any(struct driver *driver, const struct python_thread *thread, uint32_t i)
{
	uint8_t outcome = PYTHON_TORN;

	if (thread->tid && is_held(pause_it(driver, thread->tid)))
		return read_held(driver, i, 0);
	int r = python_read_waiting(driver->python, &i, 1, PYTHON_ANY, &outcome);
	return r < 0 ? r : outcome;
}

static void print_thread(struct driver *driver, const struct python_thread *thread, uint32_t i)
{
	struct str_id name = python_thread_name(driver->python, i, false);
	struct python_stack stack = {0};
	int r = PYTHON_TORN;

	for (int tries = 0; tries < 50 && r != PYTHON_COMPLETE; tries++)
		r = read_any(driver, thread, i);
	printf("thread %d ident %" PRIu64 " gil %d outcome %d name %s\n", thread->tid,
	       thread->ident, thread->holds_gil, r, names_text(driver->names, name, NULL));
	if (r != PYTHON_COMPLETE)
		return;
	python_stack(driver->python, i, &stack);
	if (!stack.n)
		return;
	print_frames(driver, &stack, "\n");
	printf("\n");
}

static int look_patiently(struct driver *driver, struct python_look *look)
{
	int r = ERR_TORN;

	for (int tries = 0; tries < 50 && r == ERR_TORN; tries++)
		r = python_look(driver->python, look);
	return r;
}

static int dump(struct driver *driver)
{
	struct python_look look;
	int r = look_patiently(driver, &look);

	if (r < 0)
		return r;
	printf("version %s\n", python_version(driver->python));
	for (uint32_t i = 0; i < look.n; i++)
		print_thread(driver, &look.threads[i], i);
	return 0;
}

/* ---- sample ---- */

static void count(struct driver *driver, int outcome)
{
	uint64_t *const counters[] = {
		[PYTHON_COMPLETE] = &driver->complete,
		[PYTHON_INCOMPLETE] = &driver->incomplete,
		[PYTHON_NOT_RUNNING] = &driver->not_holder,
		[PYTHON_TORN] = &driver->torn,
		[PYTHON_OVER_BUDGET] = &driver->over_budget,
	};

	++*counters[outcome];
}

static int sample_running(struct driver *driver, uint32_t running, pid_t tid, bool is_pausing)
{
	uint8_t outcome = PYTHON_TORN;
	int r;

	if (!is_pausing) {
		r = python_read_waiting(driver->python, &running, 1, PYTHON_ANY, &outcome);
		return r < 0 ? r : outcome;
	}
	if (!is_held(pause_it(driver, tid))) {
		driver->not_paused++;
		return -EAGAIN;
	}
	int64_t start = clock_monotonic_ns();
	r = read_held(driver, running, PYTHON_NEEDS_RUNNING);
	int64_t took = clock_monotonic_ns() - start;
	driver->pause_ns += took;
	driver->pause_max_ns = max_of(driver->pause_max_ns, took);
	return r;
}

static int tick(struct driver *driver, bool is_pausing)
{
	struct python_look look;
	struct python_stack stack;
	int r = python_look(driver->python, &look);

	driver->ticks++;
	if (r == ERR_TORN) {
		driver->torn++;
		return 0;
	}
	if (r < 0 || look.n_running == 0)
		return r;
	uint32_t running = 0;
	while (!look.threads[running].runs_python)
		running++;
	r = sample_running(driver, running, look.threads[running].tid, is_pausing);
	if (r == -EAGAIN)
		return 0;
	if (r < 0)
		return r;
	count(driver, r);
	if (r != PYTHON_COMPLETE)
		return 0;
	python_stack(driver->python, running, &stack);
	print_frames(driver, &stack, ";");
	printf(" 1\n");
	return 0;
}

static void wait_until(struct driver *driver, int64_t deadline)
{
	for (int64_t left; (left = deadline - clock_monotonic_ns()) > 0;) {
		struct timespec timeout = clock_timespec(left);
		struct pollfd fd = {.fd = pauser_fd(driver->pauser), .events = POLLIN};

		if (ppoll(&fd, 1, &timeout, NULL) > 0)
			pauser_pump(driver->pauser);
	}
}

static int sample(struct driver *driver, double hz, double seconds, bool is_pausing)
{
	int64_t next = clock_monotonic_ns(), end = next + (int64_t)(seconds * 1e9);
	int r = 0;

	srand48(1);
	while (r >= 0 && next < end) {
		next += (int64_t)(-log(1 - drand48()) / hz * 1e9);
		wait_until(driver, next);
		r = tick(driver, is_pausing);
	}
	return r;
}

static void report(const struct driver *driver)
{
	struct python_stats stats;

	python_stats(driver->python, &stats);
	fprintf(stderr,
		"ticks %" PRIu64 "\ncomplete %" PRIu64 "\nincomplete %" PRIu64 "\nstepped %" PRIu64
		"\nsteps %" PRIu64 "\nnot_holder %" PRIu64 "\ntorn %" PRIu64
		"\nover_budget %" PRIu64 "\nnot_paused %" PRIu64 "\n",
		driver->ticks, driver->complete, driver->incomplete, driver->stepped, driver->steps,
		driver->not_holder, driver->torn, driver->over_budget, driver->not_paused);
	fprintf(stderr,
		"steps_max %" PRIu64 "\nbroken_base %" PRIu64 "\nbroken_cframe %" PRIu64
		"\nbroken_popped %" PRIu64 "\nbroken_frame %" PRIu64 "\nbroken_cycle %" PRIu64 "\n"
		"codes_decoded %" PRIu64 "\ncodes_reused %" PRIu64 "\ncycles %" PRIu64
		"\nbad_chains %" PRIu64 "\nread_calls %u\npause_ns %" PRId64
		"\npause_max_ns %" PRId64 "\n",
		driver->steps_max, stats.breaks[PYTHON_BREAK_BASE],
		stats.breaks[PYTHON_BREAK_CFRAME], stats.breaks[PYTHON_BREAK_POPPED],
		stats.breaks[PYTHON_BREAK_FRAME], stats.breaks[PYTHON_BREAK_CYCLE],
		stats.codes_decoded, stats.codes_reused, stats.cycles, stats.bad_chains,
		driver->live->used.calls, driver->pause_ns, driver->pause_max_ns);
}

/* ---- main ---- */

static int record(struct driver *driver, const char *path)
{
	struct err err = {0};
	uint8_t block[DEBUG_OFFSETS_BYTES];

	printf("runtime %" PRIx64 "\npid %d\n", driver->runtime.addr, driver->pid);
	memory_budget_set(driver->memory, 1, sizeof(block));
	int r = memory_read(driver->memory, driver->runtime.addr, block, sizeof(block));
	if (r == 0)
		r = dump(driver);
	if (r < 0)
		return r;
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = memory_recorder_write(driver->memory, fd, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	return r;
}

static int run(struct driver *driver, int argc, char **argv)
{
	struct err err = {0};
	const char *what = argv[1];
	int r = attach(driver, (pid_t)strtol(argv[2], NULL, 10), !strcmp(what, "record"), &err);

	if (r == 0) {
		driver->pauser = pauser_new(NULL, &err);
		r = driver->pauser ? 0 : err.code;
	}
	if (r < 0) {
		fprintf(stderr, "error %d %s\n", r, err.text);
		return 1;
	}
	if (!strcmp(what, "dump"))
		r = dump(driver);
	else if (!strcmp(what, "record") && argc > 3)
		r = record(driver, argv[3]);
	else if (argc > 4)
		r = sample(driver, strtod(argv[3], NULL), strtod(argv[4], NULL),
			   !strcmp(what, "sample"));
	report(driver);
	if (r < 0)
		fprintf(stderr, "error %d %s\n", r, err_name(r));
	return r < 0;
}

int main(int argc, char **argv)
{
	struct driver driver = {0};
	sigset_t child;

	if (argc < 3) {
		fprintf(stderr, "usage: python_driver dump|sample|nopause|record PID ...\n");
		return 2;
	}
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	int r = run(&driver, argc, argv);
	detach(&driver);
	return r;
}
