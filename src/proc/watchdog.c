/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's loop: wait for the reader's end, the front's word, or the next look at the page.
 *
 * A look that finds the same pause or the same heartbeat as the one before, and finds it too old,
 * kills.  The look before is needed since the clock runs on while a whole machine is frozen (a laptop's
 * lid, a paused virtual machine): its first look afterwards would find an age of hours in a healthy
 * reader.
 */
#include "proc/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"

#define LOOK_NS (20 * NS_PER_MS)
#define LOOK_IN_PAUSE_NS (5 * NS_PER_MS) /* while a pause is seen going on */
#define RETRY_FIRST_NS (50 * NS_PER_MS)
#define RETRY_MOST_NS (5 * NS_PER_S)
#define RETRY_FROM 128
#define MAX_STARTS 5
#define HEALTHY_NS (10 * NS_PER_S) /* a reader that lived this long starts the count anew */
#define KEEPER_NICE (-5)	   /* woken in time beside busy processes; where that is allowed */

/* The page that all three share. */
struct page {
	struct heartbeat beat;
	_Atomic int64_t grace_ns; /* set before the pipe is closed */
};

struct watch {
	const struct keeper_config *config;
	struct page *page;
	pid_t reader;
	int reader_fd; /* pidfd, -1 when the kernel has none */
	int pipe_fd;
	int64_t started_ns;
	int64_t seen_pause_ns, seen_beat_ns; /* of the look before */
	uint32_t quick_deaths;
	bool is_killed_by_us;
};

/* ---- the reader's side ---- */

void beat_now(struct heartbeat *beat)
{
	atomic_store_explicit(&beat->beat_ns, clock_monotonic_ns(), memory_order_relaxed);
}

void beat_rest(struct heartbeat *beat)
{
	atomic_store_explicit(&beat->beat_ns, 0, memory_order_relaxed);
}

void beat_pause_began(struct heartbeat *beat, int64_t now_ns)
{
	atomic_store_explicit(&beat->pause_began_ns, now_ns, memory_order_relaxed);
}

void beat_pause_ended(struct heartbeat *beat)
{
	atomic_store_explicit(&beat->pause_began_ns, 0, memory_order_relaxed);
}

/* ---- the keeper ---- */

static int pid_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int pidfd_kill(int fd, pid_t pid, int signal)
{
	if (fd >= 0)
		return (int)syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0);
	return kill(pid, signal);
}

/* Die when `parent` does, and at once when it already has. */
static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

static void plain_signals(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGPIPE};
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (size_t i = 0; i < array_len(ends); i++)
		sigaction(ends[i], &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Starting again can fail for want of memory or processes: that counts as a quick death. */
static void reader_start(struct watch *watch)
{
	struct heartbeat *beat = &watch->page->beat;
	uint32_t start = atomic_fetch_add(&beat->starts, 1) + 1;
	pid_t keeper = getpid();

	atomic_store(&beat->beat_ns, 0);
	atomic_store(&beat->pause_began_ns, 0);
	watch->is_killed_by_us = false;
	watch->started_ns = clock_monotonic_ns();
	watch->reader = fork();
	if (watch->reader == 0) {
		die_with(keeper);
		close(watch->pipe_fd);
		plain_signals();
		_exit(watch->config->reader(watch->config->ctx, beat, start));
	}
	watch->reader_fd = watch->reader > 0 ? pid_open(watch->reader) : -1;
	atomic_store(&beat->reader_pid, max_of(watch->reader, 0));
}

/* The reader's status when it has ended. */
static bool reader_reap(struct watch *watch, int *ret_status)
{
	if (watch->reader < 0) {
		*ret_status = RETRY_FROM
			      << 8; /* fork failed: as an exit code that is tried again */
	} else if (waitpid(watch->reader, ret_status, WNOHANG) != watch->reader) {
		return false;
	}
	if (watch->reader_fd >= 0)
		close(watch->reader_fd);
	watch->reader_fd = -1;
	watch->reader = 0;
	atomic_store(&watch->page->beat.reader_pid, 0);
	atomic_store(&watch->page->beat.beat_ns, 0);
	atomic_store(&watch->page->beat.pause_began_ns, 0);
	atomic_store(&watch->page->beat.exit_status, *ret_status);
	return true;
}

static void reader_kill(struct watch *watch)
{
	watch->is_killed_by_us = true;
	atomic_fetch_add(&watch->page->beat.kills, 1);
	(void)pidfd_kill(watch->reader_fd, watch->reader, SIGKILL);
}

static bool is_stuck(int64_t value_ns, int64_t *seen_ns, int64_t now_ns, int64_t limit_ns)
{
	bool is_same = value_ns && value_ns == *seen_ns;

	*seen_ns = value_ns;
	return is_same && now_ns - value_ns > limit_ns;
}

/* Returns how long until the next look. */
static int64_t look(struct watch *watch)
{
	const struct keeper_config *config = watch->config;
	struct heartbeat *beat = &watch->page->beat;
	int64_t pause_limit =
		config->pause_limit_ns ? config->pause_limit_ns : KEEPER_PAUSE_LIMIT_NS;
	int64_t beat_limit = config->beat_limit_ns ? config->beat_limit_ns : KEEPER_BEAT_LIMIT_NS;
	int64_t now = clock_monotonic_ns();
	bool is_pause_stuck = is_stuck(atomic_load(&beat->pause_began_ns), &watch->seen_pause_ns,
				       now, pause_limit);
	bool is_beat_stuck =
		is_stuck(atomic_load(&beat->beat_ns), &watch->seen_beat_ns, now, beat_limit);

	if ((is_pause_stuck || is_beat_stuck) && !watch->is_killed_by_us)
		reader_kill(watch);
	return watch->seen_pause_ns ? LOOK_IN_PAUSE_NS : LOOK_NS;
}

/* Wait for the front to close its pipe (true), the reader to end, or some time to pass. */
static bool wait_for_word(const struct watch *watch, int64_t ns)
{
	struct timespec timeout = clock_timespec(ns);
	struct pollfd fds[] = {{.fd = watch->pipe_fd, .events = POLLIN},
			       {.fd = watch->reader_fd, .events = POLLIN}};

	return ppoll(fds, array_len(fds), &timeout, NULL) > 0 && fds[0].revents;
}

/* The front wants the end: ask, wait, then kill.  Returns the reader's status. */
static int reader_stop(struct watch *watch)
{
	int64_t deadline = clock_monotonic_ns() + atomic_load(&watch->page->grace_ns);
	int status;

	(void)pidfd_kill(watch->reader_fd, watch->reader, SIGTERM);
	while (!reader_reap(watch, &status)) {
		struct pollfd fd = {.fd = watch->reader_fd, .events = POLLIN};
		struct timespec timeout = clock_timespec(look(watch));

		if (clock_monotonic_ns() > deadline)
			(void)pidfd_kill(watch->reader_fd, watch->reader, SIGKILL);
		ppoll(&fd, 1, &timeout, NULL);
	}
	return status;
}

static bool is_final(const struct watch *watch, int status)
{
	int retry_from = watch->config->retry_from ? watch->config->retry_from : RETRY_FROM;
	uint32_t max_starts = watch->config->max_starts ? watch->config->max_starts : MAX_STARTS;

	if (WIFEXITED(status) && WEXITSTATUS(status) < retry_from)
		return true;
	return watch->quick_deaths >= max_starts;
}

/* Account for a death; returns how long to wait before the next start. */
static int64_t mourn(struct watch *watch)
{
	int64_t wait_ns = RETRY_FIRST_NS;

	if (!watch->is_killed_by_us)
		atomic_fetch_add(&watch->page->beat.deaths, 1);
	if (clock_monotonic_ns() - watch->started_ns > HEALTHY_NS)
		watch->quick_deaths = 0;
	for (uint32_t i = 0; i < watch->quick_deaths && wait_ns < RETRY_MOST_NS; i++)
		wait_ns *= 2;
	watch->quick_deaths++;
	return min_of(wait_ns, RETRY_MOST_NS);
}

static int status_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int keeper_main(struct watch *watch)
{
	int status;

	reader_start(watch);
	for (;;) {
		int64_t wait_ns;

		if (wait_for_word(watch, look(watch)))
			return status_code(reader_stop(watch));
		if (!reader_reap(watch, &status))
			continue;
		wait_ns = mourn(watch);
		if (is_final(watch, status) || wait_for_word(watch, wait_ns))
			return status_code(status);
		reader_start(watch);
	}
}

/* ---- the front's side ---- */

/* The keeper's life; never returns. */
static void keeper_run(const struct keeper_config *config, struct page *page, int pipe_fd,
		       pid_t front)
{
	struct watch watch = {.config = config, .page = page, .pipe_fd = pipe_fd, .reader_fd = -1};

	die_with(front);
	setsid();
	plain_signals();
	(void)setpriority(PRIO_PROCESS, 0, KEEPER_NICE);
	_exit(keeper_main(&watch));
}

int keeper_start(struct keeper *keeper, const struct keeper_config *config, struct err *err)
{
	pid_t front = getpid();
	struct page *page;
	int ends[2];

	*keeper = (struct keeper){.pid_fd = -1, .pipe_fd = -1};
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return err_sys(err, -errno, "cannot share a page with the keeper");
	keeper->beat = &page->beat;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		int r = err_sys(err, -errno, "cannot make a pipe to the keeper");

		keeper_done(keeper);
		return r;
	}
	keeper->pid = fork();
	if (keeper->pid == 0) {
		close(ends[1]);
		keeper_run(config, page, ends[0], front);
	}
	close(ends[0]);
	keeper->pipe_fd = ends[1];
	if (keeper->pid < 0) {
		int r = err_sys(err, -errno, "cannot start the keeper");

		keeper_done(keeper);
		return r;
	}
	keeper->pid_fd = pid_open(keeper->pid);
	return 0;
}

void keeper_stop(struct keeper *keeper, int64_t grace_ns)
{
	struct page *page = container_of(keeper->beat, struct page, beat);

	if (keeper->pipe_fd < 0)
		return;
	atomic_store(&page->grace_ns, grace_ns);
	close(keeper->pipe_fd);
	keeper->pipe_fd = -1;
}

/* The reader dies with its keeper. */
static void keeper_kill(struct keeper *keeper)
{
	(void)pidfd_kill(keeper->pid_fd, keeper->pid, SIGKILL);
	(void)waitpid(keeper->pid, NULL, 0);
	keeper->pid = 0;
}

int keeper_wait(struct keeper *keeper, int64_t deadline_ns)
{
	int status;

	if (keeper->pid <= 0)
		return -ESRCH;
	while (waitpid(keeper->pid, &status, WNOHANG) == 0) {
		struct pollfd fd = {.fd = keeper->pid_fd, .events = POLLIN};
		int64_t left = deadline_ns - clock_monotonic_ns();
		struct timespec timeout = clock_timespec(min_of(max_of(left, 0), LOOK_NS));

		if (left <= 0) {
			keeper_kill(keeper);
			return -ETIMEDOUT;
		}
		ppoll(&fd, 1, &timeout, NULL);
	}
	keeper->pid = 0;
	return WIFSIGNALED(status) ? -EOWNERDEAD : status_code(status);
}

void keeper_done(struct keeper *keeper)
{
	if (!keeper->beat)
		return;
	if (keeper->pid > 0)
		keeper_kill(keeper);
	if (keeper->pid_fd >= 0)
		close(keeper->pid_fd);
	if (keeper->pipe_fd >= 0)
		close(keeper->pipe_fd);
	munmap(container_of(keeper->beat, struct page, beat), sizeof(struct page));
	*keeper = (struct keeper){.pid_fd = -1, .pipe_fd = -1};
}
