/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "proc/drop_rights.h"

#define END_PATIENCE_NS (2 * NS_PER_S) /* between SIGTERM and SIGKILL */
#define END_POLL_MS 10

/* What we ignore or block is ours alone; a program expects the defaults. */
static void reset_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Standard input is empty then: nobody would see what is asked. */
static void redirect(int captured_fd, bool only_terminals)
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (only_terminals && !isatty(fd))
			continue;
		if (dup2(fd == STDIN_FILENO ? null_fd : captured_fd, fd) < 0)
			_exit(EXIT_FAILURE);
	}
}

static void child(int gate_fd, int failure_fd, int captured_fd, bool only_terminals, char **argv)
{
	char byte;
	int code;

	prctl(PR_SET_PTRACER, getppid(), 0, 0,
	      0); /* fails where there is no Yama: nothing to allow */
	reset_signals();
	if (read(gate_fd, &byte, 1) != 1)
		_exit(EXIT_FAILURE); /* the profiler gave up before it began */
	if (captured_fd >= 0)
		redirect(captured_fd, only_terminals);
	code = drop_to_sudo_user(NULL);
	if (code >= 0) {
		execvp(argv[0], argv);
		code = -errno;
	}
	if (write(failure_fd, &code, sizeof(code)) < 0)
		_exit(EXIT_FAILURE);
	_exit(EXIT_FAILURE);
}

static int open_captured(struct err *err)
{
	const char *dir = getenv("TMPDIR");
	int fd;

	if (!dir || *dir != '/')
		dir = "/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_APPEND, S_IRUSR | S_IWUSR);
	return fd < 0 ? err_sys(err, -errno, "cannot keep what the program prints in %s", dir) : fd;
}

/* The pipes between us and the child that waits; on failure none is open. */
static int open_pipes(int gate[2], int failure[2])
{
	if (pipe2(gate, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(failure, O_CLOEXEC) == 0)
		return 0;
	close(gate[0]);
	close(gate[1]);
	return -errno;
}

int launch_prepare(struct launch *launch, char **argv, enum launch_streams streams, struct err *err)
{
	int gate[2], failure[2], r;

	*launch = (struct launch){
		.gate_fd = -1, .failure_fd = -1, .captured_fd = -1, .program = argv[0]};
	if (streams != LAUNCH_SHARE) {
		launch->captured_fd = open_captured(err);
		if (launch->captured_fd < 0)
			return launch->captured_fd;
	}
	r = open_pipes(gate, failure);
	if (r < 0)
		return err_sys(err, r, "cannot start %s", argv[0]);
	launch->pid = fork();
	if (launch->pid == 0) {
		close(gate[1]);
		close(failure[0]);
		child(gate[0], failure[1], launch->captured_fd, streams == LAUNCH_CAPTURE_TERMINAL,
		      argv);
	}
	close(gate[0]);
	close(failure[1]);
	launch->gate_fd = gate[1];
	launch->failure_fd = failure[0];
	if (launch->pid < 0) {
		launch->pid = 0;
		return err_sys(err, -EAGAIN, "cannot start %s", argv[0]);
	}
	return 0;
}

void launch_print_captured(const struct launch *launch)
{
	char bytes[4096];
	off_t at = 0;
	ssize_t n;

	if (launch->captured_fd <= STDERR_FILENO) /* none, or nothing was launched at all */
		return;
	while ((n = pread(launch->captured_fd, bytes, sizeof(bytes), at)) > 0) {
		if (write(STDERR_FILENO, bytes, (size_t)n) < n)
			return; /* nowhere left to say it */
		at += n;
	}
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int launch_go(struct launch *launch, struct err *err)
{
	int code = 0;
	ssize_t n;

	if (write(launch->gate_fd, "", 1) != 1)
		return err_sys(err, -errno, "cannot start %s", launch->program);
	close_fd(&launch->gate_fd);
	do {
		n = read(launch->failure_fd, &code, sizeof(code));
	} while (n < 0 && errno == EINTR);
	close_fd(&launch->failure_fd);
	if (n == 0)
		return 0;
	launch_end(launch);
	return err_sys(err, n == sizeof(code) && code < 0 ? code : -EIO, "cannot run '%s'",
		       launch->program);
}

bool launch_has_ended(struct launch *launch)
{
	if (launch->pid > 0 && waitpid(launch->pid, &launch->status, WNOHANG) == launch->pid)
		launch->pid = 0;
	return launch->pid == 0;
}

bool launch_ends_soon(struct launch *launch)
{
	int64_t deadline_ns = clock_monotonic_ns() + END_PATIENCE_NS;

	while (!launch_has_ended(launch) && clock_monotonic_ns() < deadline_ns)
		(void)poll(NULL, 0, END_POLL_MS);
	return launch->pid == 0;
}

void launch_end(struct launch *launch)
{
	close_fd(&launch->gate_fd);
	close_fd(&launch->failure_fd);
	if (launch->pid == 0 || launch_has_ended(launch))
		return;
	kill(launch->pid, SIGTERM);
	if (!launch_ends_soon(launch) && kill(launch->pid, SIGKILL) == 0)
		while (waitpid(launch->pid, &launch->status, 0) < 0 && errno == EINTR)
			continue;
	launch->pid = 0;
}

void launch_done(struct launch *launch)
{
	launch_end(launch);
	close_fd(&launch->captured_fd);
}

int launch_exit_code(const struct launch *launch)
{
	return WIFSIGNALED(launch->status) ? 128 + WTERMSIG(launch->status)
					   : WEXITSTATUS(launch->status);
}
