/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's loop: wait for a reader's end, the front's word, news of processes, or the next look at
 * the page.
 *
 *   1. A slot belongs to one process from its first reader to its last; then it is free again.
 *   2. Once the front has spoken nobody is started any more.
 *   3. The keeper ends when nobody is watched, nor will be: the front sees it by the end of the wire.
 *   4. Who is watched of a tree is decided by proc/family.h; the keeper gives it readers.
 */
#include "proc/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "proc/family.h"
#include "proc/watch_private.h"

#define KEEPER_NICE (-5) /* woken in time beside busy processes; where that is allowed */
#define OVER_LOOK_NS (100 * NS_PER_MS) /* whether a tree is over, once nobody is read */

/* The page that all share; the kernel gives memory to the part that is used. */
struct page {
	struct heartbeat beats[KEEPER_MAX_READERS];
	_Atomic int64_t grace_ns; /* set before the pipe is closed */
	struct keeper_facts facts;
};

enum { OWN_PIPE, OWN_SIGNALS, OWN_EVENTS, OWN_COUNT };

struct keep {
	const struct keeper_config *config;
	struct page *page;
	struct watch *watches; /* in no order */
	size_t n, cap;
	bool is_used[KEEPER_MAX_READERS]; /* slots */
	uint32_t starts;
	int fds[OWN_COUNT];    /* -1: none */
	int64_t stop_by_ns;    /* the front has spoken; kill afterwards; 0: not yet */
	int root_status;       /* of its last reader */
	struct family *family; /* NULL: the root alone */
	int64_t walk_ns;       /* when to walk through the family; INT64_MAX: events tell */
};

/* ---- who is watched ---- */

static uint32_t free_slot(const struct keep *keep)
{
	uint32_t slot = 0;

	while (slot < KEEPER_MAX_READERS && keep->is_used[slot])
		slot++;
	return slot;
}

/* False when there are as many as there may be. */
static bool watch_add(struct keep *keep, struct process_id process)
{
	struct keeper_job job = {
		.process = process,
		.slot = free_slot(keep),
		.is_root = process.pid == keep->config->root.pid,
	};

	if (job.slot == KEEPER_MAX_READERS)
		return false;
	keep->watches = vec_grow(keep->watches, &keep->cap, keep->n + 1, sizeof(*keep->watches));
	watch_init(&keep->watches[keep->n++], keep->config, &keep->page->beats[job.slot], &job);
	keep->is_used[job.slot] = true;
	return true;
}

static enum family_verdict verdict_of(const struct watch *watch)
{
	int status = atomic_load(&watch->beat->exit_status);

	if (WIFEXITED(status) && WEXITSTATUS(status) == KEEPER_EXIT_UNFIT)
		return FAMILY_UNFIT;
	if (WIFEXITED(status) && WEXITSTATUS(status) == KEEPER_EXIT_CHANGED)
		return FAMILY_CHANGED;
	return FAMILY_DONE;
}

static void watch_remove(struct keep *keep, size_t at)
{
	const struct watch *watch = &keep->watches[at];

	if (watch->job.is_root)
		keep->root_status = atomic_load(&watch->beat->exit_status);
	if (keep->family)
		family_left(keep->family, watch->job.process, verdict_of(watch),
			    clock_monotonic_ns());
	keep->is_used[watch->job.slot] = false;
	keep->watches[at] = keep->watches[--keep->n];
}

/* ---- the tree ---- */

static void on_event(void *ctx, const struct process_event *event)
{
	struct keep *keep = ctx;
	int64_t now_ns = clock_monotonic_ns();

	switch (event->kind) {
	case PROCESS_FORKED:
		family_forked(keep->family, event->parent, event->pid, now_ns);
		break;
	case PROCESS_EXECED:
		family_execed(keep->family, event->pid, now_ns);
		break;
	case PROCESS_ENDED:
		family_ended(keep->family, event->pid);
		break;
	}
}

static void hear_events(struct keep *keep)
{
	int r = events_take(keep->config->events, on_event, keep);

	if (r == 0)
		return;
	/* Some were lost: look who is there.  There will be no more: do so from now on. */
	keep->walk_ns = 0;
	if (r != -ENOBUFS)
		keep->fds[OWN_EVENTS] = -1;
}

static void tell_facts(struct keep *keep)
{
	struct family_facts facts;

	family_facts(keep->family, &facts);
	atomic_store(&keep->page->facts.found, facts.found);
	atomic_store(&keep->page->facts.left_out, facts.left_out);
}

/* Returns when there is something to do again, if there are no news before. */
static int64_t follow_tree(struct keep *keep, int64_t now_ns)
{
	struct process_id process;

	if (!keep->family || keep->stop_by_ns)
		return INT64_MAX;
	if (now_ns >= keep->walk_ns) {
		keep->walk_ns = family_walk(keep->family, now_ns);
		if (keep->fds[OWN_EVENTS] >= 0 || keep->config->is_once)
			keep->walk_ns = INT64_MAX;
	}
	while (family_next(keep->family, now_ns, &process))
		if (!watch_add(keep, process))
			family_put_off(keep->family, process, now_ns);
	tell_facts(keep);
	return min_of(keep->walk_ns, family_due_ns(keep->family));
}

static bool is_over(const struct keep *keep, int64_t now_ns)
{
	if (keep->n > 0)
		return false;
	return !keep->family || keep->stop_by_ns ||
	       family_is_over(keep->family, keep->config->is_once, now_ns);
}

/* ---- the loop ---- */

static void start_due(struct keep *keep, int64_t now_ns)
{
	for (size_t i = 0; i < keep->n && !keep->stop_by_ns; i++) {
		struct watch *watch = &keep->watches[i];

		if (!watch_is_running(watch) && watch->start_ns <= now_ns)
			watch_start(watch, ++keep->starts, keep->fds, array_len(keep->fds));
	}
}

static void reap(struct keep *keep)
{
	for (size_t i = keep->n; i-- > 0;) {
		struct watch *watch = &keep->watches[i];
		bool was_running = watch_is_running(watch);
		int status;

		if (was_running && !watch_has_ended(watch, &status))
			continue;
		if (keep->stop_by_ns || (was_running && watch_is_over(watch, status)))
			watch_remove(keep, i);
	}
}

/* Returns when there is something to do again, if nothing happens before. */
static int64_t look_at_all(struct keep *keep, int64_t now_ns)
{
	int64_t due_ns = INT64_MAX;

	for (size_t i = 0; i < keep->n; i++) {
		struct watch *watch = &keep->watches[i];

		due_ns = min_of(due_ns, watch_is_running(watch) ? now_ns + watch_look(watch)
								: watch->start_ns);
	}
	return keep->stop_by_ns ? min_of(due_ns, max_of(keep->stop_by_ns, now_ns + NS_PER_MS))
				: due_ns;
}

static void signal_all(struct keep *keep, int signal)
{
	for (size_t i = 0; i < keep->n; i++)
		watch_signal(&keep->watches[i], signal);
}

/* The front wants the end: ask, wait, then kill. */
static void hear_front(struct keep *keep)
{
	close(keep->fds[OWN_PIPE]);
	keep->fds[OWN_PIPE] = -1;
	keep->stop_by_ns = clock_monotonic_ns() + atomic_load(&keep->page->grace_ns);
	signal_all(keep, SIGTERM);
}

static void drain_signals(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) > 0)
		continue;
}

static void wait_until(struct keep *keep, int64_t due_ns)
{
	struct timespec timeout = clock_timespec(max_of(due_ns - clock_monotonic_ns(), (int64_t)0));
	struct pollfd fds[] = {
		[OWN_PIPE] = {.fd = keep->fds[OWN_PIPE], .events = POLLIN},
		[OWN_SIGNALS] = {.fd = keep->fds[OWN_SIGNALS], .events = POLLIN},
		[OWN_EVENTS] = {.fd = keep->fds[OWN_EVENTS], .events = POLLIN},
	};

	if (ppoll(fds, array_len(fds), &timeout, NULL) <= 0)
		return;
	if (fds[OWN_SIGNALS].revents)
		drain_signals(keep->fds[OWN_SIGNALS]);
	if (fds[OWN_PIPE].revents)
		hear_front(keep);
	if (fds[OWN_EVENTS].revents && keep->family)
		hear_events(keep);
}

static int status_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void begin(struct keep *keep)
{
	const struct keeper_config *config = keep->config;

	if (!config->with_tree) {
		(void)watch_add(keep, config->root);
		return;
	}
	keep->family = family_new(config->root, config->is_new, family_live_view(), NULL,
				  clock_monotonic_ns());
}

static int keeper_main(struct keep *keep)
{
	int64_t now_ns = clock_monotonic_ns(), tree_ns;

	begin(keep);
	while (!is_over(keep, now_ns)) {
		tree_ns = follow_tree(keep, now_ns);
		if (keep->stop_by_ns && now_ns > keep->stop_by_ns)
			signal_all(keep, SIGKILL);
		start_due(keep, now_ns);
		if (keep->n == 0)
			tree_ns = min_of(tree_ns, now_ns + OVER_LOOK_NS);
		wait_until(keep, min_of(tree_ns, look_at_all(keep, now_ns)));
		reap(keep);
		now_ns = clock_monotonic_ns();
	}
	return status_code(keep->root_status);
}

/* ---- from the front to the keeper ---- */

static int pid_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
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

/* That a reader has ended, from a descriptor: one for all, however many they are. */
static int open_child_signals(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The keeper's life; never returns. */
static void keeper_run(const struct keeper_config *config, struct page *page, int pipe_fd,
		       pid_t front)
{
	struct keep keep = {
		.config = config,
		.page = page,
		.fds = {[OWN_PIPE] = pipe_fd,
			[OWN_EVENTS] = config->events ? events_fd(config->events) : -1},
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != front)
		_exit(KEEPER_EXIT_FAILED);
	setsid();
	plain_signals();
	keep.fds[OWN_SIGNALS] = open_child_signals();
	(void)setpriority(PRIO_PROCESS, 0, KEEPER_NICE);
	_exit(keeper_main(&keep));
}

static int fail_start(struct keeper *keeper, int code, const char *what, struct err *err)
{
	keeper_done(keeper);
	return err_sys(err, code, "%s", what);
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
	keeper->beat = page->beats;
	keeper->facts = &page->facts;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_start(keeper, -errno, "cannot make a pipe to the keeper", err);
	keeper->pid = fork();
	if (keeper->pid == 0) {
		close(ends[1]);
		keeper_run(config, page, ends[0], front);
	}
	close(ends[0]);
	keeper->pipe_fd = ends[1];
	if (keeper->pid < 0)
		return fail_start(keeper, -errno, "cannot start the keeper", err);
	keeper->pid_fd = pid_open(keeper->pid);
	return 0;
}

static struct page *page_of(const struct keeper *keeper)
{
	return container_of(keeper->beat, struct page, beats);
}

void keeper_stop(struct keeper *keeper, int64_t grace_ns)
{
	if (keeper->pipe_fd < 0)
		return;
	atomic_store(&page_of(keeper)->grace_ns, grace_ns);
	close(keeper->pipe_fd);
	keeper->pipe_fd = -1;
}

/* The readers die with their keeper. */
static void keeper_kill(struct keeper *keeper)
{
	(void)kill(keeper->pid, SIGKILL); /* our child, not waited for: the pid is its own */
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
		int64_t left_ns = deadline_ns - clock_monotonic_ns();
		struct timespec timeout =
			clock_timespec(min_of(max_of(left_ns, (int64_t)0), WATCH_LOOK_NS));

		if (left_ns <= 0) {
			keeper_kill(keeper);
			return -ETIMEDOUT;
		}
		ppoll(&fd, 1, &timeout, NULL);
	}
	keeper->pid = 0;
	return WIFSIGNALED(status) ? -EOWNERDEAD : status_code(status);
}

uint32_t keeper_kills(const struct keeper *keeper)
{
	uint32_t kills = 0;

	for (size_t i = 0; i < KEEPER_MAX_READERS; i++)
		kills += atomic_load(&keeper->beat[i].kills);
	return kills;
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
	munmap(page_of(keeper), sizeof(struct page));
	*keeper = (struct keeper){.pid_fd = -1, .pipe_fd = -1};
}
