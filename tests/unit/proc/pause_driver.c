/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pauses the threads of a process at a steady rate, as a profiler would, and says what it met.
 * Driven by tests/integration/test_pause.py; prints one line of JSON at its end.
 *
 *	pause_driver PID [--hz N] [--seconds S] [--hold-us N] [--nudge-every N] [--release-every N]
 *	             [--keeper]
 *
 * --hold-us: stay in each pause that long. --nudge-every: nudge in every Nth pause. --release-every:
 * release all idle threads at every Nth tick. --keeper: run as the reader of a keeper. SIGTERM ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/opt.h"
#include "base/vec.h"
#include "proc/memory.h"
#include "proc/pause.h"
#include "proc/process.h"
#include "proc/watchdog.h"

#define THREADS_PER_TICK 8
#define LIST_EVERY_NS (20 * NS_PER_MS)
#define PAUSE_LIMIT_NS (20 * NS_PER_MS)

struct plan {
	int64_t pid, hz, hold_us, nudge_every, release_every;
	int64_t run_ns;
	bool with_keeper;
};

struct driver {
	const struct plan *plan;
	struct pauser *pauser;
	struct heartbeat *beat;
	struct memory *memory;
	struct process_id id;
	struct process_threads threads;
	uint64_t ticks, pauses, unread;
	size_t next;
	int64_t listed_ns;
	bool is_over; /* the target has ended */
};

static volatile sig_atomic_t is_asked_to_end;

static void on_term(int signal)
{
	(void)signal;
	is_asked_to_end = 1;
}

static void busy(int64_t us)
{
	int64_t until = clock_monotonic_ns() + us * NS_PER_US;

	while (clock_monotonic_ns() < until)
		;
}

/* What a reader does in a pause: look at registers and the stack, perhaps let it run a little. */
static void use_pause(struct driver *driver)
{
	const struct plan *plan = driver->plan;
	struct pause_regs regs;
	uint64_t word;

	memory_budget_set(driver->memory, 4, 4096);
	if (pause_regs(driver->pauser, &regs) == 0 &&
	    memory_read_u64(driver->memory, regs.sp & ~7ull, &word) < 0)
		driver->unread++;
	busy(plan->hold_us);
	if (plan->nudge_every && ++driver->pauses % (uint64_t)plan->nudge_every == 0) {
		enum pause_outcome outcome =
			pause_nudge(driver->pauser, clock_monotonic_ns() + PAUSE_LIMIT_NS);

		if (outcome != PAUSE_STOPPED && outcome != PAUSE_STOPPED_ALREADY)
			return;
	}
	pause_resume(driver->pauser);
}

static void tick(struct driver *driver)
{
	pid_t pid = (pid_t)driver->plan->pid;
	int64_t now = clock_monotonic_ns();

	if (now - driver->listed_ns > LIST_EVERY_NS) {
		driver->is_over = !process_is_alive(driver->id) ||
				  process_threads_read(&driver->threads, pid, false, NULL) < 0;
		driver->listed_ns = now;
	}
	for (size_t i = 0; i < min_of(driver->threads.n, (size_t)THREADS_PER_TICK); i++) {
		pid_t tid = driver->threads.items[driver->next++ % driver->threads.n].tid;
		enum pause_outcome outcome =
			pause_thread(driver->pauser, pid, tid, now + PAUSE_LIMIT_NS);

		if (outcome == PAUSE_STOPPED || outcome == PAUSE_STOPPED_ALREADY)
			use_pause(driver);
	}
	if (driver->plan->release_every &&
	    ++driver->ticks % (uint64_t)driver->plan->release_every == 0)
		pauser_release_idle(driver->pauser, 0);
}

static void print_result(const struct driver *driver)
{
	const struct pause_stats *stats = pauser_stats(driver->pauser);

	printf("{");
	for (int i = 0; i < PAUSE_OUTCOMES; i++)
		printf("\"%s\":%llu,", pause_outcome_name((enum pause_outcome)i),
		       (unsigned long long)stats->outcomes[i]);
	printf("\"nudges\":%llu,\"signals_passed\":%llu,\"group_stops\":%llu,"
	       "\"eintr_repaired\":%llu,\"execs\":%llu,\"exits\":%llu,\"late_stops\":%llu,"
	       "\"held_max_us\":%lld,\"unread\":%llu,\"threads\":%zu,\"other_tracer\":%d}\n",
	       (unsigned long long)stats->nudges, (unsigned long long)stats->signals_passed,
	       (unsigned long long)stats->group_stops, (unsigned long long)stats->eintr_repaired,
	       (unsigned long long)stats->execs, (unsigned long long)stats->exits,
	       (unsigned long long)stats->late_stops, (long long)(stats->held_max_ns / NS_PER_US),
	       (unsigned long long)driver->unread, pauser_threads(driver->pauser),
	       (int)pauser_other_tracer(driver->pauser));
	fflush(stdout);
}

static void loop(struct driver *driver)
{
	int64_t end = clock_monotonic_ns() + driver->plan->run_ns;
	struct timespec gap = clock_timespec(NS_PER_S / driver->plan->hz);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct itimerspec every = {.it_interval = gap, .it_value = gap};
	struct pollfd fds[] = {{.fd = timer, .events = POLLIN},
			       {.fd = pauser_fd(driver->pauser), .events = POLLIN}};
	uint64_t expired;

	timerfd_settime(timer, 0, &every, NULL);
	while (!is_asked_to_end && !driver->is_over && clock_monotonic_ns() < end) {
		if (poll(fds, 2, 100) < 0 && errno != EINTR)
			break;
		pauser_pump(driver->pauser);
		if (driver->beat)
			beat_now(driver->beat);
		if (read(timer, &expired, sizeof(expired)) == sizeof(expired))
			tick(driver);
	}
	close(timer);
}

static int drive(const struct plan *plan, struct heartbeat *beat)
{
	struct sigaction action = {.sa_handler = on_term};
	struct driver driver = {.plan = plan, .beat = beat};
	struct err err;

	sigaction(SIGTERM, &action, NULL);
	if (process_identify((pid_t)plan->pid, &driver.id, &err) >= 0)
		driver.pauser = pauser_new(beat, &err);
	if (!driver.pauser) {
		fprintf(stderr, "pause_driver: %s\n", err.text);
		return 1;
	}
	driver.memory = memory_live_new((pid_t)plan->pid);
	loop(&driver);
	print_result(&driver);
	process_threads_done(&driver.threads);
	memory_free(driver.memory);
	pauser_free(driver.pauser);
	return 0;
}

static int reader(void *ctx, struct heartbeat *beat, const struct keeper_job *job)
{
	(void)job;
	return drive(ctx, beat);
}

/* Says who the reader is at each start, so that a test can stop it. */
static int drive_kept(struct plan *plan)
{
	const struct keeper_config config = {.reader = reader, .ctx = plan, .max_starts = 100};
	struct sigaction action = {.sa_handler = on_term};
	struct keeper keeper;
	struct err err;
	int32_t said = 0;
	int code = -ETIMEDOUT;

	if (keeper_start(&keeper, &config, &err) < 0) {
		fprintf(stderr, "pause_driver: %s\n", err.text);
		return 1;
	}
	sigaction(SIGTERM, &action, NULL);
	printf("keeper %d\n", (int)keeper.pid);
	while (!is_asked_to_end && kill(keeper.pid, 0) == 0) {
		int32_t now = keeper.beat->reader_pid;
		struct pollfd end = {.fd = keeper.pid_fd, .events = POLLIN};

		if (now != said && now)
			printf("reader %d\n", now);
		said = now;
		fflush(stdout);
		if (poll(&end, 1, 5) > 0)
			break;
	}
	keeper_stop(&keeper, NS_PER_S);
	code = keeper_wait(&keeper, clock_monotonic_ns() + 5 * NS_PER_S);
	printf("{\"code\":%d,\"starts\":%u,\"kills\":%u,\"deaths\":%u}\n", code,
	       keeper.beat->starts, keeper.beat->kills, keeper.beat->deaths);
	keeper_done(&keeper);
	return code < 0 ? 1 : code;
}

static const struct opt opts[] = {
	{.name = "hz", .kind = OPT_INT, .offset = offsetof(struct plan, hz), .arg = "N"},
	{.name = "seconds",
	 .kind = OPT_DURATION,
	 .offset = offsetof(struct plan, run_ns),
	 .arg = "S"},
	{.name = "hold-us", .kind = OPT_INT, .offset = offsetof(struct plan, hold_us), .arg = "N"},
	{.name = "nudge-every",
	 .kind = OPT_INT,
	 .offset = offsetof(struct plan, nudge_every),
	 .arg = "N"},
	{.name = "release-every",
	 .kind = OPT_INT,
	 .offset = offsetof(struct plan, release_every),
	 .arg = "N"},
	{.name = "keeper", .kind = OPT_FLAG, .offset = offsetof(struct plan, with_keeper)},
	{.name = NULL},
};

int main(int argc, char **argv)
{
	const struct opt_command command = {
		.name = "pause_driver", .usage = "pause_driver PID", .opts = opts};
	struct plan plan = {.hz = 1000, .run_ns = 3600 * NS_PER_S};
	struct err err = {0};
	int at = opt_parse(&command, argc, argv, &plan, &err);

	if (at <= 0 || at >= argc || opt_parse_int(argv[at], 1, INT32_MAX, &plan.pid, &err) < 0) {
		fprintf(stderr, "pause_driver: %s\n", err.text);
		return 2;
	}
	return plan.with_keeper ? drive_kept(&plan) : drive(&plan, NULL);
}
