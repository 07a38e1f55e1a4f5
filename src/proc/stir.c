/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/stir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

/* Of time on a CPU, not of switches: those are counted when a thread leaves its CPU, which may be long after. */
static int open_event(pid_t tid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.sample_period = STIR_NS,
		.disabled = 1,
		.wakeup_events = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

/* Once: the event is off again after that, so that a busy thread pays for one interrupt only. */
static int arm(int fd)
{
	struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = gettid()};

	if (fcntl(fd, F_SETOWN_EX, &owner) < 0 ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC) < 0 ||
	    ioctl(fd, PERF_EVENT_IOC_REFRESH, 1) < 0)
		return -errno;
	return 0;
}

int stir_watch(struct stir *stir, pid_t tid)
{
	int fd, r;

	if (stir->n == STIR_MAX_THREADS)
		return ERR_LIMIT;
	fd = open_event(tid);
	if (fd < 0)
		return fd;
	r = arm(fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	stir->fds[stir->n++] = fd;
	return 0;
}

void stir_end(struct stir *stir)
{
	struct timespec none = {0};
	sigset_t io;

	if (!stir->n)
		return;
	while (stir->n > 0)
		close(stir->fds[--stir->n]);
	sigemptyset(&io);
	sigaddset(&io, SIGIO);
	(void)sigtimedwait(&io, NULL, &none);
}
