/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "proc/drop_rights.h"
#include "symbol/dwarf.h"
#include "symbol/protocol.h"
#include "symbol/worker.h"

#define OUR_FD 3 /* all above are closed */

/* ---- in the nursery ---- */

static void end_child(pid_t *child)
{
	if (*child <= 0)
		return;
	kill(*child, SIGKILL);
	while (waitpid(*child, NULL, 0) < 0 && errno == EINTR)
		continue;
	*child = 0;
}

static pid_t start_worker(int fd, const struct dwarf_library *library)
{
	pid_t nursery = getpid(), child = fork();

	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != nursery)
		_exit(1);
	close(OUR_FD);
	worker_lock_down();
	worker_run(fd, library);
	_exit(0);
}

/*
 * Only the socket stays, as OUR_FD, and what is written to when something is reported: whoever reads our output must
 * not wait for us.
 */
static void keep_only(int fd)
{
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = STDIN_FILENO; i <= STDOUT_FILENO && nowhere >= 0 && fd != i; i++)
		dup2(nowhere, i);
	if (fd != OUR_FD)
		dup2(fd, OUR_FD);
	if (close_range(OUR_FD + 1, ~0u, 0) < 0)
		for (int i = OUR_FD + 1; i < 1024; i++)
			close(i);
}

static void ignore_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
	sigset_t none;

	/* It goes when its front does; a terminal's signals are the front's to answer. */
	for (size_t i = 0; i < array_len(ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void nursery_run(bool without_dwarf)
{
	struct dwarf_library *library = NULL;
	int fds[PROTOCOL_MAX_FDS];
	pid_t worker = 0;
	char byte = 0;

	ignore_signals();
	prctl(PR_SET_NAME, "pyro-symbols");
	if (!without_dwarf && dwarf_load(&library, NULL) == 0)
		byte = 1;
	drop_rights(false);
	if (protocol_send(OUR_FD, &byte, 1, NULL, 0) < 0)
		return;
	while (protocol_receive(OUR_FD, &byte, 1, fds, true) > 0) {
		end_child(&worker);
		if (fds[0] >= 0)
			worker = start_worker(fds[0], library);
		for (size_t i = 0; i < array_len(fds); i++)
			cleanup_close_fd(&fds[i]);
	}
	end_child(&worker);
}

/* ---- in the front ---- */

int nursery_start(struct nursery *nursery, bool without_dwarf, struct err *err)
{
	int pair[2], fds[PROTOCOL_MAX_FDS];
	char byte;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, -errno, "cannot make a socket for names");
	nursery->pid = fork();
	if (nursery->pid == 0) {
		keep_only(pair[1]);
		nursery_run(without_dwarf);
		_exit(0);
	}
	close(pair[1]);
	nursery->control = pair[0];
	if (nursery->pid < 0)
		return err_sys(err, -errno, "cannot start a process for names");
	if (protocol_receive(nursery->control, &byte, 1, fds, true) != 1)
		return err_set(err, -EPIPE, "the process for names ended at once");
	return byte;
}

void nursery_stop(struct nursery *nursery)
{
	if (nursery->pid <= 0)
		return;
	/* The closed socket would tell it, were there no other processes that have inherited our end. */
	close(nursery->control);
	kill(nursery->pid, SIGKILL);
	while (waitpid(nursery->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	*nursery = (struct nursery){0};
}

int nursery_new_worker(struct nursery *nursery, int *ret_fd)
{
	int pair[2], size = 4 * PROTOCOL_MAX_BYTES, r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r = protocol_send(nursery->control, "s", 1, &pair[1], 1);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	*ret_fd = pair[0];
	return 0;
}

void nursery_end_worker(struct nursery *nursery)
{
	/* When it has ended itself, so has its worker. */
	(void)!protocol_send(nursery->control, "e", 1, NULL, 0);
}
