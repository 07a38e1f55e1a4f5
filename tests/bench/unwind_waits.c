/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwinds every waiting thread of a process from what /proc says of it, without touching it:
 *
 *	unwind_waits [-p] PID	a line per thread: tid, outcome, frames, how many of them were recovered;
 *				-p adds the frames (address, flags, module, address in the file)
 *	unwind_waits -r N PID	the first pass, then N more: nanoseconds per stack and per 60 frames, and memory
 *
 * tests/bench/unwind.py and the integration tests read its lines.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "proc/maps.h"
#include "proc/thread.h"
#include "resident.h"
#include "unwind/unwind.h"

#define MAX_FRAMES 256
#define MAX_THREADS 512
#define STACK_BYTES (64u << 10)

struct waiting {
	pid_t tid;
	struct unwind_regs regs;
	uint8_t *bytes;
	size_t len;
};

static int open_file(void *ctx, const struct mapping *mapping, struct err *err)
{
	return maps_open(*(const pid_t *)ctx, mapping, err);
}

/*
 * Its stack as far as it goes, at most STACK_BYTES.  From glibc 2.42 on a guard page is part of the mapping
 * (MADV_GUARD_INSTALL) and mappings of neighbouring stacks are one: the end of the mapping is not that
 * of the stack, so it is read by pages.
 */
static size_t read_stack(struct memory *memory, raddr_t sp, uint8_t *into)
{
	size_t len = 0;

	memory_budget_set(memory, UINT32_MAX, UINT64_MAX);
	while (len < STACK_BYTES) {
		size_t take = min_of(4096 - ((sp + len) & 4095), STACK_BYTES - len);

		if (memory_read(memory, sp + len, into + len, take) < 0)
			break;
		len += take;
	}
	return len;
}

static bool look(pid_t pid, pid_t tid, struct memory *memory, struct waiting *ret_waiting)
{
	struct thread thread;
	struct thread_view view;

	thread_init(&thread, pid, tid);
	int r = thread_look(&thread, &view);
	thread_done(&thread);
	if (r < 0 || !view.sp)
		return false;
	*ret_waiting = (struct waiting){.tid = tid, .bytes = malloc(STACK_BYTES)};
	unwind_regs_set(&ret_waiting->regs, UNWIND_SP, view.sp);
	unwind_regs_set(&ret_waiting->regs, UNWIND_PC, view.pc);
	ret_waiting->len = read_stack(memory, view.sp, ret_waiting->bytes);
	return true;
}

static size_t look_at_all(pid_t pid, struct memory *memory, struct waiting *waiting)
{
	char path[64];
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *dir = opendir(path);
	if (!dir)
		return 0;
	for (struct dirent *entry; n < MAX_THREADS && (entry = readdir(dir));)
		if (entry->d_name[0] != '.' &&
		    look(pid, (pid_t)strtol(entry->d_name, NULL, 10), memory, &waiting[n]))
			n++;
	closedir(dir);
	return n;
}

static size_t run(struct unwind_space *space, const struct waiting *waiting,
		  struct unwind_frame *frames, enum unwind_outcome *ret_outcome)
{
	struct unwind_stack stack = {
		.sp = waiting->regs.r[UNWIND_SP], .bytes = waiting->bytes, .len = waiting->len};

	return unwind_run(space, &waiting->regs, &stack, frames, MAX_FRAMES, ret_outcome);
}

static void print_frames(const struct unwind_space *space, const struct unwind_frame *frames,
			 size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct unwind_module *module =
			frames[i].module == UNWIND_NO_MODULE
				? NULL
				: unwind_module(space, frames[i].module);

		printf("  %#" PRIx64 " %s%s%s%s %s %#" PRIx64 "\n", frames[i].pc,
		       frames[i].flags & UNWIND_FRAME_EXACT ? "e" : "-",
		       frames[i].flags & UNWIND_FRAME_SIGNAL ? "s" : "-",
		       frames[i].flags & UNWIND_FRAME_RECOVERED ? "r" : "-",
		       frames[i].flags & UNWIND_FRAME_BASE ? "b" : "-", module ? module->path : "?",
		       unwind_frame_address(&frames[i]) - (module ? module->bias : 0));
	}
}

static void print_thread(struct unwind_space *space, const struct waiting *waiting,
			 bool with_frames)
{
	struct unwind_frame frames[MAX_FRAMES];
	enum unwind_outcome outcome;
	size_t n = run(space, waiting, frames, &outcome), recovered = 0;

	for (size_t i = 0; i < n; i++)
		recovered += (frames[i].flags & UNWIND_FRAME_RECOVERED) != 0;
	printf("%d %zu %zu %s\n", waiting->tid, n, recovered, unwind_outcome_name(outcome));
	if (with_frames)
		print_frames(space, frames, n);
}

static size_t run_all(struct unwind_space *space, const struct waiting *waiting, size_t n)
{
	struct unwind_frame frames[MAX_FRAMES];
	enum unwind_outcome outcome;
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += run(space, &waiting[i], frames, &outcome);
	return total;
}

static void measure(struct unwind_space *space, const struct waiting *waiting, size_t n,
		    long rounds)
{
	int64_t start = clock_monotonic_ns();
	size_t frames = run_all(space, waiting, n);
	int64_t first = clock_monotonic_ns() - start;

	start = clock_monotonic_ns();
	for (long i = 0; i < rounds; i++)
		(void)run_all(space, waiting, n);
	double each = (double)(clock_monotonic_ns() - start) / (double)rounds;
	printf("threads %zu frames %zu first_us %.0f stack_ns %.0f per_60_frames_us %.2f modules "
	       "%zu "
	       "rss_kb %ld\n",
	       n, frames, (double)first / 1e3, each / (double)n, each / (double)frames * 60 / 1e3,
	       unwind_modules(space), resident_kb());
}

int main(int argc, char **argv)
{
	bool with_frames = false;
	long rounds = 0;
	struct err err;

	for (int option; (option = getopt(argc, argv, "pr:")) != -1;) {
		with_frames |= option == 'p';
		if (option == 'r')
			rounds = strtol(optarg, NULL, 10);
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "usage: %s [-p] [-r ROUNDS] PID\n", argv[0]);
		return 2;
	}
	pid_t pid = (pid_t)strtol(argv[optind], NULL, 10);
	struct maps maps;
	maps_init(&maps);
	if (maps_read(&maps, pid, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	struct memory *memory = memory_live_new(pid);
	struct unwind_args args = {.open = open_file, .ctx = &pid, .memory = memory};
	static struct waiting waiting[MAX_THREADS];
	size_t n = look_at_all(pid, memory, waiting);
	struct unwind_space *space = unwind_space_new(&args);

	unwind_space_update(space, &maps);
	if (rounds > 0 && n)
		measure(space, waiting, n, rounds);
	else
		for (size_t i = 0; i < n; i++)
			print_thread(space, &waiting[i], with_frames);
	for (size_t i = 0; i < n; i++)
		free(waiting[i].bytes);
	unwind_space_free(space);
	memory_free(memory);
	maps_done(&maps);
	return 0;
}
