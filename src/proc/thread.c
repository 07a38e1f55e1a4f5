/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/utf8.h"
#include "proc/procfs_private.h"

/* What a thread waits for while it sleeps in a call.  Calls that never sleep long are not listed.
 */
static const struct call {
	int32_t number;
	enum thread_doing doing;
	const char *name;
} calls[] = {
	{SYS_futex, THREAD_FUTEX, "futex"},
#ifdef SYS_futex_waitv
	{SYS_futex_waitv, THREAD_FUTEX, "futex_waitv"},
#endif
#ifdef SYS_poll
	{SYS_poll, THREAD_POLL, "poll"},
	{SYS_select, THREAD_POLL, "select"},
	{SYS_epoll_wait, THREAD_POLL, "epoll_wait"},
	{SYS_pause, THREAD_NAP, "pause"},
#endif
	{SYS_ppoll, THREAD_POLL, "ppoll"},
	{SYS_pselect6, THREAD_POLL, "pselect6"},
	{SYS_epoll_pwait, THREAD_POLL, "epoll_pwait"},
#ifdef SYS_epoll_pwait2
	{SYS_epoll_pwait2, THREAD_POLL, "epoll_pwait2"},
#endif
	{SYS_nanosleep, THREAD_NAP, "nanosleep"},
	{SYS_clock_nanosleep, THREAD_NAP, "clock_nanosleep"},
	{SYS_rt_sigsuspend, THREAD_NAP, "rt_sigsuspend"},
	{SYS_rt_sigtimedwait, THREAD_NAP, "rt_sigtimedwait"},
	{SYS_restart_syscall, THREAD_NAP, "restart_syscall"},
	{SYS_wait4, THREAD_CHILD, "wait4"},
	{SYS_waitid, THREAD_CHILD, "waitid"},
	{SYS_read, THREAD_IO, "read"},
	{SYS_write, THREAD_IO, "write"},
	{SYS_readv, THREAD_IO, "readv"},
	{SYS_writev, THREAD_IO, "writev"},
	{SYS_pread64, THREAD_IO, "pread64"},
	{SYS_pwrite64, THREAD_IO, "pwrite64"},
	{SYS_preadv, THREAD_IO, "preadv"},
	{SYS_pwritev, THREAD_IO, "pwritev"},
	{SYS_preadv2, THREAD_IO, "preadv2"},
	{SYS_pwritev2, THREAD_IO, "pwritev2"},
	{SYS_recvfrom, THREAD_IO, "recvfrom"},
	{SYS_recvmsg, THREAD_IO, "recvmsg"},
	{SYS_recvmmsg, THREAD_IO, "recvmmsg"},
	{SYS_sendto, THREAD_IO, "sendto"},
	{SYS_sendmsg, THREAD_IO, "sendmsg"},
	{SYS_sendmmsg, THREAD_IO, "sendmmsg"},
	{SYS_sendfile, THREAD_IO, "sendfile"},
	{SYS_splice, THREAD_IO, "splice"},
	{SYS_copy_file_range, THREAD_IO, "copy_file_range"},
	{SYS_accept, THREAD_IO, "accept"},
	{SYS_accept4, THREAD_IO, "accept4"},
	{SYS_connect, THREAD_IO, "connect"},
	{SYS_openat, THREAD_IO, "openat"},
	{SYS_close, THREAD_IO, "close"},
	{SYS_newfstatat, THREAD_IO, "newfstatat"},
	{SYS_statx, THREAD_IO, "statx"},
	{SYS_getdents64, THREAD_IO, "getdents64"},
	{SYS_unlinkat, THREAD_IO, "unlinkat"},
	{SYS_fsync, THREAD_IO, "fsync"},
	{SYS_fdatasync, THREAD_IO, "fdatasync"},
	{SYS_sync_file_range, THREAD_IO, "sync_file_range"},
	{SYS_flock, THREAD_IO, "flock"},
	{SYS_fcntl, THREAD_IO, "fcntl"},
	{SYS_ioctl, THREAD_IO, "ioctl"},
	{SYS_io_getevents, THREAD_IO, "io_getevents"},
	{SYS_io_uring_enter, THREAD_IO, "io_uring_enter"},
	{SYS_msgrcv, THREAD_IO, "msgrcv"},
	{SYS_msgsnd, THREAD_IO, "msgsnd"},
	{SYS_semtimedop, THREAD_IO, "semtimedop"},
	{SYS_semop, THREAD_IO, "semop"},
	{SYS_mq_timedreceive, THREAD_IO, "mq_timedreceive"},
	{SYS_mq_timedsend, THREAD_IO, "mq_timedsend"},
};

void thread_init(struct thread *thread, pid_t pid, pid_t tid)
{
	*thread = (struct thread){
		.pid = pid, .tid = tid, .schedstat_fd = -1, .syscall_fd = -1, .stat_fd = -1};
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void thread_done(struct thread *thread)
{
	close_fd(&thread->schedstat_fd);
	close_fd(&thread->syscall_fd);
	close_fd(&thread->stat_fd);
}

/* One pread of a file that stays open. */
static ssize_t ask(const struct thread *thread, int *fd, const char *name, char *text, size_t cap)
{
	ssize_t n;

	if (*fd < 0) {
		int fresh = procfs_open(thread->pid, thread->tid, name, O_RDONLY);

		if (fresh < 0)
			return fresh;
		*fd = fresh;
	}
	do
		n = pread(*fd, text, cap - 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	text[n] = 0;
	return n ? n : -ESRCH;
}

int thread_cpu(struct thread *thread, struct thread_cpu *ret_cpu)
{
	char text[96];
	const char *at = text;
	uint64_t cpu, queue, slices;
	ssize_t n = ask(thread, &thread->schedstat_fd, "schedstat", text, sizeof(text));

	if (n < 0)
		return (int)n;
	if (!procfs_take_u64(&at, 10, &cpu) || !procfs_take_u64(&at, 10, &queue) ||
	    !procfs_take_u64(&at, 10, &slices) || cpu > INT64_MAX || queue > INT64_MAX)
		return ERR_UNSUPPORTED;
	*ret_cpu = (struct thread_cpu){
		.cpu_ns = (int64_t)cpu, .queue_ns = (int64_t)queue, .slices = slices};
	return 0;
}

static const struct call *find_call(int32_t number)
{
	for (size_t i = 0; i < array_len(calls); i++)
		if (calls[i].number == number)
			return &calls[i];
	return NULL;
}

const char *thread_syscall_name(int32_t number)
{
	const struct call *call = find_call(number);

	return call ? call->name : NULL;
}

/* A wait for any of no descriptors is a nap: time.sleep() up to 3.10 is such a select(). */
static bool is_empty_poll(const struct thread_view *view)
{
	switch (view->number) {
#ifdef SYS_poll
	case SYS_poll:
#endif
	case SYS_ppoll:
		return view->args[1] == 0;
#ifdef SYS_select
	case SYS_select:
#endif
	case SYS_pselect6:
		return view->args[0] == 0;
	default:
		return false;
	}
}

/* "202 0x7f… 0x80 … SP PC", "-1 SP PC", "running". */
static int parse_view(const char *at, struct thread_view *view)
{
	const struct call *call;
	int64_t number;

	if (!strncmp(at, "running", strlen("running"))) {
		view->number = -1;
		view->doing = THREAD_RUNNING;
		return 0;
	}
	if (!procfs_take_i64(&at, &number) || number < -1 || number > INT32_MAX)
		return ERR_UNSUPPORTED;
	view->number = (int32_t)number;
	for (size_t i = 0; number >= 0 && i < array_len(view->args); i++)
		if (!procfs_take_u64(&at, 16, &view->args[i]))
			return ERR_UNSUPPORTED;
	if (!procfs_take_u64(&at, 16, &view->sp) || !procfs_take_u64(&at, 16, &view->pc))
		return ERR_UNSUPPORTED;
	call = find_call(view->number);
	view->doing = number < 0 ? THREAD_BLOCKED : call ? call->doing : THREAD_UNKNOWN;
	if (is_empty_poll(view))
		view->doing = THREAD_NAP;
	return 0;
}

int thread_look(struct thread *thread, struct thread_view *ret_view)
{
	char text[256];
	struct thread_view view = {0};
	ssize_t n = ask(thread, &thread->syscall_fd, "syscall", text, sizeof(text));
	int r = n < 0 ? (int)n : parse_view(text, &view);

	if (r < 0)
		return r;
	*ret_view = view;
	return 0;
}

int thread_letter(struct thread *thread)
{
	char text[PROCFS_SMALL_BYTES];
	const char *rest;
	ssize_t n = ask(thread, &thread->stat_fd, "stat", text, sizeof(text));

	if (n < 0)
		return (int)n;
	rest = procfs_stat_rest(text);
	return rest ? *rest : ERR_CORRUPT;
}

void thread_comm(const struct thread *thread, char dst[THREAD_COMM_MAX])
{
	char text[64];
	ssize_t n = procfs_read(thread->pid, thread->tid, "comm", text, sizeof(text));

	if (n > 0 && text[n - 1] == '\n')
		n--;
	utf8_printable(dst, THREAD_COMM_MAX, text, n > 0 ? (size_t)n : 0);
}
