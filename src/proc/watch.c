/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "proc/watch_private.h"

#define RETRY_FIRST_NS (50 * NS_PER_MS)
#define RETRY_MOST_NS (5 * NS_PER_S)
#define RETRY_FROM 128
#define MAX_STARTS 5
#define HEALTHY_NS (10 * NS_PER_S) /* a reader that lived this long starts the count anew */

/* ---- the reader's side ---- */

void beat_now(struct heartbeat *beat)
{
	atomic_store_explicit(&beat->beat_ns, clock_monotonic_ns(), memory_order_relaxed);
}

void beat_expect(struct heartbeat *beat, int64_t ns)
{
	int64_t beat_ns = clock_monotonic_ns() + max_of(ns - KEEPER_BEAT_LIMIT_NS, (int64_t)0);

	atomic_store_explicit(&beat->beat_ns, beat_ns, memory_order_relaxed);
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

/* ---- the keeper's side ---- */

void watch_init(struct watch *watch, const struct keeper_config *config, struct heartbeat *beat,
		const struct keeper_job *job)
{
	*watch = (struct watch){.config = config, .beat = beat, .job = *job};
	watch->job.attempt = 0;
}

static void forget_beats(struct watch *watch)
{
	atomic_store(&watch->beat->beat_ns, 0);
	atomic_store(&watch->beat->pause_began_ns, 0);
}

/* The new process: dies with the keeper, has the default signals and nothing that is the keeper's. */
static void run_reader(struct watch *watch, pid_t keeper, const int *own_fds, size_t n_own_fds)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(KEEPER_EXIT_FAILED);
	for (size_t i = 0; i < n_own_fds; i++)
		if (own_fds[i] >= 0)
			close(own_fds[i]);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(watch->config->reader(watch->config->ctx, watch->beat, &watch->job));
}

/* Starting can fail for want of memory or processes: that counts as a quick death. */
void watch_start(struct watch *watch, uint32_t start, const int *own_fds, size_t n_own_fds)
{
	pid_t keeper = getpid();

	forget_beats(watch);
	atomic_fetch_add(&watch->beat->starts, 1);
	watch->is_killed_by_us = false;
	watch->start_ns = clock_monotonic_ns();
	watch->job.start = start;
	watch->job.attempt++;
	watch->reader = fork();
	if (watch->reader == 0)
		run_reader(watch, keeper, own_fds, n_own_fds);
	atomic_store(&watch->beat->reader_pid, max_of(watch->reader, 0));
}

bool watch_has_ended(struct watch *watch, int *ret_status)
{
	if (watch->reader < 0) /* as an exit code that is tried again */
		*ret_status = RETRY_FROM << 8;
	else if (waitpid(watch->reader, ret_status, WNOHANG) != watch->reader)
		return false;
	watch->reader = 0;
	forget_beats(watch);
	atomic_store(&watch->beat->reader_pid, 0);
	atomic_store(&watch->beat->exit_status, *ret_status);
	return true;
}

static bool is_own_exit(const struct watch *watch, int status)
{
	int retry_from = watch->config->retry_from ? watch->config->retry_from : RETRY_FROM;

	return WIFEXITED(status) && WEXITSTATUS(status) < retry_from;
}

/* Account for a death; returns how long to wait before the next start. */
static int64_t mourn(struct watch *watch)
{
	int64_t wait_ns = RETRY_FIRST_NS;

	if (!watch->is_killed_by_us)
		atomic_fetch_add(&watch->beat->deaths, 1);
	if (clock_monotonic_ns() - watch->start_ns > HEALTHY_NS)
		watch->quick_deaths = 0;
	for (uint32_t i = 0; i < watch->quick_deaths && wait_ns < RETRY_MOST_NS; i++)
		wait_ns *= 2;
	watch->quick_deaths++;
	return min_of(wait_ns, RETRY_MOST_NS);
}

bool watch_is_over(struct watch *watch, int status)
{
	uint32_t max_starts = watch->config->max_starts ? watch->config->max_starts : MAX_STARTS;

	if (is_own_exit(watch, status))
		return true;
	watch->start_ns = mourn(watch) + clock_monotonic_ns();
	return watch->quick_deaths >= max_starts;
}

static bool is_stuck(int64_t value_ns, int64_t *seen_ns, int64_t now_ns, int64_t limit_ns)
{
	bool is_same = value_ns && value_ns == *seen_ns;

	*seen_ns = value_ns;
	return is_same && now_ns - value_ns > limit_ns;
}

int64_t watch_look(struct watch *watch)
{
	const struct keeper_config *config = watch->config;
	int64_t pause_limit_ns =
		config->pause_limit_ns ? config->pause_limit_ns : KEEPER_PAUSE_LIMIT_NS;
	int64_t beat_limit_ns =
		config->beat_limit_ns ? config->beat_limit_ns : KEEPER_BEAT_LIMIT_NS;
	int64_t now_ns = clock_monotonic_ns();
	bool is_pause_stuck = is_stuck(atomic_load(&watch->beat->pause_began_ns),
				       &watch->seen_pause_ns, now_ns, pause_limit_ns);
	bool is_beat_stuck = is_stuck(atomic_load(&watch->beat->beat_ns), &watch->seen_beat_ns,
				      now_ns, beat_limit_ns);

	if ((is_pause_stuck || is_beat_stuck) && !watch->is_killed_by_us) {
		watch->is_killed_by_us = true;
		atomic_fetch_add(&watch->beat->kills, 1);
		watch_signal(watch, SIGKILL);
	}
	if (watch->seen_pause_ns)
		return WATCH_LOOK_IN_PAUSE_NS;
	return min_of(WATCH_LOOK_NS, min_of(pause_limit_ns, beat_limit_ns) * 3 / 4);
}

/* Its pid is ours until we wait for it: it cannot be anybody else's. */
void watch_signal(struct watch *watch, int signal)
{
	if (watch->reader > 0)
		(void)kill(watch->reader, signal);
}
