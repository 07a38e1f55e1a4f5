/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause_bench HZ HOGS COUNT MODE [shared]: pause a spinning thread COUNT times, HZ times a second, beside
 * HOGS busy processes, and read 6 KB in each pause, as a reader does.  MODE "plain" is the baseline:
 * INTERRUPT, a blocking waitpid, CONT, without state check, signals or deadline.  "shared": both on one CPU.
 * One line of JSON, in us: from call to stop, from stop to going on, the gap that the target itself saw
 * around the pause, and what of it is not waiting in the queue for a CPU that others have.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/opt.h"
#include "base/vec.h"
#include "proc/memory.h"
#include "proc/pause.h"
#include "proc/thread.h"

#define READ_BYTES 6144
#define MAX_HOGS 16
#define MAX_GAPS 1000000
#define GAP_NS 3000 /* shorter ones are interrupts of the clock */
#define LIMIT_NS (200 * NS_PER_MS)

struct gap {
	int64_t begin_ns, length_ns;
	int64_t queue_ns; /* of it, ready to run but not on a CPU */
};

struct shared {
	volatile int64_t n;
	struct gap gaps[MAX_GAPS];
};

struct times {
	double *us;
	size_t n;
};

struct bench {
	int64_t hz, hogs, count;
	bool is_plain, is_shared;
	struct shared *shared;
	pid_t target, hog[MAX_HOGS];
	struct pauser *pauser;
	struct memory *memory;
	struct times stop, hold, seen, net;
	struct gap *pauses; /* from the call to going on */
};

static void spin(struct shared *shared)
{
	int64_t last = clock_monotonic_ns();
	struct thread_cpu before = {0}, cpu = {0};
	struct thread thread;

	thread_init(&thread, getpid(), getpid());
	if (thread_cpu(&thread, &before) < 0)
		abort();
	for (;;) {
		int64_t now = clock_monotonic_ns();

		if (now - last <= GAP_NS || shared->n >= MAX_GAPS) {
			last = now;
			continue;
		}
		/* All waiting since the last gap was in this one. */
		if (thread_cpu(&thread, &cpu) < 0)
			abort();
		shared->gaps[shared->n] =
			(struct gap){last, now - last, cpu.queue_ns - before.queue_ns};
		shared->n++;
		before = cpu;
		last = clock_monotonic_ns();
	}
}

static pid_t start(struct shared *shared)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (shared)
		spin(shared);
	for (;;)
		;
}

static void read_some(struct bench *bench)
{
	static char into[READ_BYTES];

	memory_budget_set(bench->memory, 1, READ_BYTES);
	if (memory_read(bench->memory, (raddr_t)(uintptr_t)bench->shared, into, READ_BYTES) < 0)
		abort();
}

static bool stop_plainly(struct bench *bench)
{
	int status;

	return ptrace(PTRACE_INTERRUPT, bench->target, 0, 0) == 0 &&
	       waitpid(bench->target, &status, __WALL) == bench->target;
}

static bool stop(struct bench *bench)
{
	if (bench->is_plain)
		return stop_plainly(bench);
	return pause_thread(bench->pauser, bench->target, bench->target,
			    clock_monotonic_ns() + LIMIT_NS) == PAUSE_STOPPED;
}

static void go_on(struct bench *bench)
{
	if (bench->is_plain)
		ptrace(PTRACE_CONT, bench->target, 0, 0);
	else
		pause_resume(bench->pauser);
}

static double us_between(int64_t from, int64_t to)
{
	return (double)(to - from) / NS_PER_US;
}

static void pause_once(struct bench *bench)
{
	int64_t called = clock_monotonic_ns(), stopped, held = 0;

	if (!bench->is_plain)
		held = pauser_stats(bench->pauser)->held_ns;
	if (!stop(bench))
		return;
	stopped = clock_monotonic_ns();
	read_some(bench);
	go_on(bench);
	/* What a pauser does after it has let go is no part of the pause. */
	held = bench->is_plain ? clock_monotonic_ns() - stopped
			       : pauser_stats(bench->pauser)->held_ns - held;
	bench->pauses[bench->stop.n] =
		(struct gap){.begin_ns = called, .length_ns = stopped + held - called};
	bench->stop.us[bench->stop.n++] = us_between(called, stopped);
	bench->hold.us[bench->hold.n++] = us_between(0, held);
}

/* The longest gap of the target that overlaps a pause is what it saw of it. */
static void match_gaps(struct bench *bench)
{
	int64_t at = 0;

	for (size_t i = 0; i < bench->stop.n; i++) {
		const struct gap *pause = &bench->pauses[i];
		const struct gap *longest = NULL;

		while (at < bench->shared->n &&
		       bench->shared->gaps[at].begin_ns + bench->shared->gaps[at].length_ns <
			       pause->begin_ns)
			at++;
		for (int64_t k = at;
		     k < bench->shared->n &&
		     bench->shared->gaps[k].begin_ns < pause->begin_ns + pause->length_ns;
		     k++)
			if (!longest || bench->shared->gaps[k].length_ns > longest->length_ns)
				longest = &bench->shared->gaps[k];
		if (!longest)
			continue;
		bench->seen.us[bench->seen.n++] = us_between(0, longest->length_ns);
		bench->net.us[bench->net.n++] = us_between(longest->queue_ns, longest->length_ns);
	}
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static void print_times(const char *name, struct times *times)
{
	qsort(times->us, times->n, sizeof(double), compare);
	if (!times->n)
		return;
	printf(",\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, times->us[times->n / 2],
	       times->us[times->n * 99 / 100], times->us[times->n - 1]);
}

static void run(struct bench *bench)
{
	int64_t next = clock_monotonic_ns();

	for (int64_t i = 0; i < bench->count; i++) {
		struct timespec until = clock_timespec(next += NS_PER_S / bench->hz);

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		next = max_of(next, clock_monotonic_ns() - NS_PER_S / bench->hz);
		pause_once(bench);
	}
	usleep(20000);
	match_gaps(bench);
}

/* All on the last CPU, and so are the children made after this. */
static void share_cpu(void)
{
	cpu_set_t cpus, last;

	CPU_ZERO(&last);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		abort();
	for (int i = CPU_SETSIZE - 1; CPU_COUNT(&last) == 0 && i >= 0; i--)
		if (CPU_ISSET(i, &cpus))
			CPU_SET(i, &last);
	if (sched_setaffinity(0, sizeof(last), &last) < 0)
		abort();
}

static void prepare(struct bench *bench)
{
	const size_t n = (size_t)bench->count;

	bench->shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bench->shared == MAP_FAILED)
		abort();
	bench->stop.us = xcalloc(n, sizeof(double));
	bench->hold.us = xcalloc(n, sizeof(double));
	bench->seen.us = xcalloc(n, sizeof(double));
	bench->net.us = xcalloc(n, sizeof(double));
	bench->pauses = xcalloc(n, sizeof(struct gap));
	if (bench->is_shared)
		share_cpu();
	for (int64_t i = 0; i < bench->hogs; i++)
		bench->hog[i] = start(NULL);
	bench->target = start(bench->shared);
	bench->memory = memory_live_new(bench->target);
	usleep(100000);
	if (bench->is_plain)
		ptrace(PTRACE_SEIZE, bench->target, 0, 0);
	else
		bench->pauser = pauser_new(NULL, NULL);
}

static void end(struct bench *bench)
{
	pauser_free(bench->pauser);
	memory_free(bench->memory);
	kill(bench->target, SIGKILL);
	waitpid(bench->target, NULL, 0);
	for (int64_t i = 0; i < bench->hogs; i++) {
		kill(bench->hog[i], SIGKILL);
		waitpid(bench->hog[i], NULL, 0);
	}
	free(bench->stop.us);
	free(bench->hold.us);
	free(bench->seen.us);
	free(bench->net.us);
	free(bench->pauses);
}

int main(int argc, char **argv)
{
	struct bench bench = {0};

	if (argc < 5 || opt_parse_int(argv[1], 1, 100000, &bench.hz, NULL) < 0 ||
	    opt_parse_int(argv[2], 0, MAX_HOGS, &bench.hogs, NULL) < 0 ||
	    opt_parse_int(argv[3], 1, 100000, &bench.count, NULL) < 0)
		return 2;
	bench.is_plain = !strcmp(argv[4], "plain");
	bench.is_shared = argc > 5 && !strcmp(argv[5], "shared");
	prepare(&bench);
	run(&bench);
	printf("{\"pauses\":%zu,\"matched\":%zu", bench.stop.n, bench.seen.n);
	print_times("stop", &bench.stop);
	print_times("hold", &bench.hold);
	print_times("seen", &bench.seen);
	print_times("net", &bench.net);
	printf("}\n");
	end(&bench);
	return 0;
}
