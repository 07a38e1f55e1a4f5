/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_signals SECONDS: computes while it gets every kind of signal, and counts what its handlers see.
 *
 * A 1 kHz timer (SIGALRM; expirations that merged are in si_overrun), numbered real-time signals from
 * a child (order), and its own int3 traps.  Nothing may be lost, doubled, reordered or robbed of its
 * siginfo.
 */
#include <errno.h>
#include <sys/wait.h>

#include "evil.h"

#define TIMER_NS 1000000
#define SEND_EVERY_US 1000

struct shared {
	volatile int is_over;
	volatile int64_t sent;
};

static volatile int64_t timer_fired, got, traps;
static volatile int64_t order_errors, info_errors;
static pid_t sender;

static void on_alarm(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	if (info->si_code != SI_TIMER)
		info_errors++;
	else
		timer_fired += 1 + info->si_overrun;
}

static void on_queued(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	if (info->si_code != SI_QUEUE || info->si_pid != sender)
		info_errors++;
	if (info->si_value.sival_int != got)
		order_errors++;
	got++;
}

static void on_trap(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	if (info->si_code != SI_KERNEL && info->si_code != TRAP_BRKPT)
		info_errors++;
	traps++;
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};

	sigaction(number, &action, NULL);
}

static void send_numbered(struct shared *shared, pid_t target)
{
	die_with_parent();
	while (!shared->is_over) {
		union sigval value = {.sival_int = (int)shared->sent};

		if (sigqueue(target, SIGRTMIN + 1, value) == 0)
			shared->sent++;
		usleep(SEND_EVERY_US);
	}
	_exit(0);
}

static timer_t start_timer(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	struct itimerspec every = {.it_interval = {.tv_nsec = TIMER_NS},
				   .it_value = {.tv_nsec = TIMER_NS}};
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
		abort();
	timer_settime(timer, 0, &every, NULL);
	return timer;
}

int main(int argc, char **argv)
{
	struct shared *shared = shared_memory(sizeof(*shared));
	int64_t begin, end = now_ns() + seconds_arg(argc, argv, 1), made_traps = 0, expected;
	struct itimerspec off = {0};
	sigset_t queued;
	pid_t target = getpid();
	timer_t timer;

	handle(SIGALRM, on_alarm);
	handle(SIGRTMIN + 1, on_queued);
	handle(SIGTRAP, on_trap);
	sigemptyset(&queued);
	sigaddset(&queued, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &queued, NULL); /* until we know the sender's id */
	sender = fork();
	if (sender == 0)
		send_numbered(shared, target);
	sigprocmask(SIG_UNBLOCK, &queued, NULL);
	begin = now_ns();
	timer = start_timer();
	while (now_ns() < end) {
		compute_us(300);
		__asm__ volatile("int3");
		made_traps++;
	}
	expected = (now_ns() - begin) / TIMER_NS;
	timer_settime(timer, 0, &off, NULL);
	shared->is_over = 1;
	while (waitpid(sender, NULL, 0) < 0 && errno == EINTR)
		;
	compute_us(20000);
	printf("{\"timer_expected\":%lld,\"timer_fired\":%lld,\"sent\":%lld,\"got\":%lld,"
	       "\"order_errors\":%lld,\"info_errors\":%lld,\"made_traps\":%lld,\"traps\":%lld}\n",
	       (long long)expected, (long long)timer_fired, (long long)shared->sent, (long long)got,
	       (long long)order_errors, (long long)info_errors, (long long)made_traps,
	       (long long)traps);
	return 0;
}
