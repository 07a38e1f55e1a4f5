/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_sleeps SECONDS [quiet]: a thread for each call that returns EINTR when it is disturbed; each computes a
 * little and sleeps a millisecond, again and again, and counts EINTR.  A child sends signals that the
 * process ignores (unless "quiet"): they never wake a thread that nobody traces.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "evil.h"

#define SLEEP_NS 1000000

static int64_t end_ns;
static int epoll_fd, receive_fd, semaphore;

static int nap_epoll(void)
{
	struct epoll_event event;

	return epoll_wait(epoll_fd, &event, 1, 1);
}

static int nap_poll(void)
{
	return poll(NULL, 0, 1);
}

static int nap_select(void)
{
	struct timeval time = {.tv_usec = SLEEP_NS / 1000};

	return select(0, NULL, NULL, NULL, &time);
}

static int nap_nanosleep(void)
{
	struct timespec time = {.tv_nsec = SLEEP_NS};

	return nanosleep(&time, NULL);
}

static int nap_clock(void)
{
	struct timespec time = {.tv_nsec = SLEEP_NS};

	errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
	return errno ? -1 : 0;
}

static int nap_receive(void)
{
	char byte;

	return (int)recv(receive_fd, &byte, 1, 0);
}

static int nap_semaphore(void)
{
	struct timespec time = {.tv_nsec = SLEEP_NS};
	struct sembuf down = {.sem_op = -1};

	return semtimedop(semaphore, &down, 1, &time);
}

static int nap_sigtimedwait(void)
{
	struct timespec time = {.tv_nsec = SLEEP_NS};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigtimedwait(&set, NULL, &time);
}

static struct nap {
	const char *name;
	int (*call)(void);
	pthread_t thread;
	int64_t loops, interrupted;
} naps[] = {
	{.name = "epoll_wait", .call = nap_epoll},
	{.name = "poll", .call = nap_poll},
	{.name = "select", .call = nap_select},
	{.name = "nanosleep", .call = nap_nanosleep},
	{.name = "clock_nanosleep", .call = nap_clock},
	{.name = "recv", .call = nap_receive},
	{.name = "semtimedop", .call = nap_semaphore},
	{.name = "sigtimedwait", .call = nap_sigtimedwait},
};

#define NAPS (sizeof(naps) / sizeof(naps[0]))

static void *sleep_often(void *argument)
{
	struct nap *nap = argument;

	while (now_ns() < end_ns) {
		compute_us(100);
		if (nap->call() < 0 && errno == EINTR)
			nap->interrupted++;
		nap->loops++;
	}
	return NULL;
}

static void prepare(void)
{
	struct timeval timeout = {.tv_usec = SLEEP_NS / 1000};
	sigset_t wanted;
	int pair[2];

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	receive_fd = pair[0];
	setsockopt(receive_fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	semaphore = semget(IPC_PRIVATE, 1, 0600);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR2);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	signal(SIGURG, SIG_IGN);
}

static void send_ignored(pid_t target)
{
	die_with_parent();
	for (;;) {
		kill(target, SIGWINCH); /* ignored by default */
		usleep(2000);
		kill(target, SIGURG); /* ignored by choice */
		usleep(2000);
	}
}

int main(int argc, char **argv)
{
	pid_t target = getpid(), sender;

	end_ns = now_ns() + seconds_arg(argc, argv, 1);
	prepare();
	sender = fork();
	if (sender == 0) {
		if (argc < 3)
			send_ignored(target);
		_exit(0);
	}
	for (size_t i = 0; i < NAPS; i++)
		pthread_create(&naps[i].thread, NULL, sleep_often, &naps[i]);
	for (size_t i = 0; i < NAPS; i++)
		pthread_join(naps[i].thread, NULL);
	kill(sender, SIGKILL);
	waitpid(sender, NULL, 0);
	semctl(semaphore, 0, IPC_RMID);
	printf("{");
	for (size_t i = 0; i < NAPS; i++)
		printf("%s\"%s\":{\"loops\":%lld,\"eintr\":%lld}", i ? "," : "", naps[i].name,
		       (long long)naps[i].loops, (long long)naps[i].interrupted);
	printf("}\n");
	return 0;
}
