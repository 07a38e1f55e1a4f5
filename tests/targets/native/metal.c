/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes of C.  Built several times: with and without frame pointers, with frame pointers alone (no tables), stripped,
 * and with its debug information in a file of its own.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "metal.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

METAL_SHAPE long metal_work(long n)
{
	volatile unsigned long sum = 1;

	if (n < 0)
		return usleep((useconds_t)-n) + 1;
	for (long i = 0; i < n; i++)
		sum = sum * 2862933555777941757u + 3037000493u;
	return (long)(sum & 1);
}

METAL_SHAPE long metal_call(metal_callback callback, long n)
{
	return METAL_BOTTOM(callback, n) + 1;
}

/* ---- depth ---- */

static METAL_SHAPE long metal_deep_down(long depth, metal_callback callback, long n)
{
	volatile char frame[96]; /* as much as a function of the real world has */

	frame[depth % 96] = 1;
	return (depth > 1 ? metal_deep_down(depth - 1, callback, n) : METAL_BOTTOM(callback, n)) +
	       frame[depth % 96];
}

METAL_SHAPE long metal_deep(metal_callback callback, long n)
{
	return metal_deep_down(METAL_DEPTH, callback, n) + 1;
}

static METAL_SHAPE long metal_sixty_down(long depth, metal_callback callback, long n)
{
	volatile char frame[96];

	frame[depth % 96] = 1;
	return (depth > 1 ? metal_sixty_down(depth - 1, callback, n) : METAL_BOTTOM(callback, n)) +
	       frame[depth % 96];
}

METAL_SHAPE long metal_sixty(metal_callback callback, long n)
{
	return metal_sixty_down(METAL_SIXTY, callback, n) + 1;
}

/* ---- a jump instead of a call: the first is never on a stack but as its innermost frame ---- */

METAL_SHAPE long metal_tail_second(metal_callback callback, long n)
{
	return METAL_BOTTOM(callback, n) + 1;
}

METAL_SHAPE long metal_tail_first(metal_callback callback, long n)
{
	return metal_tail_second(callback, n | 1);
}

/* ---- frames whose size nobody knows ---- */

METAL_SHAPE long metal_aligned(metal_callback callback, long n)
{
	volatile char vector[128] __attribute__((aligned(64)));

	vector[n & 127] = 1;
	return METAL_BOTTOM(callback, n) + vector[n & 127];
}

METAL_SHAPE long metal_variable(metal_callback callback, long n)
{
	volatile char array[(n & 255) + 16];

	array[n & 15] = 1;
	return METAL_BOTTOM(callback, n) + array[n & 15];
}

/* Both, and arguments on the stack: the frame is found through a register that was saved (DRAP). */
static METAL_SHAPE long metal_all_down(long a, long b, long c, long d, long e, long f,
				       metal_callback callback, long n)
{
	volatile char vector[64] __attribute__((aligned(64)));
	volatile char array[(n & 255) + 16];

	vector[n & 63] = (char)(a + b + c);
	array[n & 15] = (char)(d + e + f);
	return METAL_BOTTOM(callback, n) + vector[n & 63] + array[n & 15];
}

METAL_SHAPE long metal_all(metal_callback callback, long n)
{
	return metal_all_down(1, 2, 3, 4, 5, 6, callback, n) + 1;
}

/* ---- functions inside of functions ---- */

static inline __attribute__((always_inline)) long metal_inline_inner(metal_callback callback, long n)
{
	return METAL_BOTTOM(callback, n) + 3;
}

static inline __attribute__((always_inline)) long metal_inline_middle(metal_callback callback, long n)
{
	return metal_inline_inner(callback, n) * 3;
}

METAL_SHAPE long metal_inline(metal_callback callback, long n)
{
	return metal_inline_middle(callback, n) + 1;
}

/* ---- what never returns stands at the end: the return address lies in the next function ---- */

static __thread jmp_buf metal_home;
static __thread volatile long metal_result;

static __attribute__((noreturn)) METAL_SHAPE void metal_never(metal_callback callback, long n)
{
	metal_result = METAL_BOTTOM(callback, n);
	longjmp(metal_home, 1);
}

static __attribute__((noreturn)) METAL_SHAPE void metal_last(metal_callback callback, long n)
{
	metal_never(callback, n);
}

METAL_SHAPE long metal_jump(metal_callback callback, long n)
{
	if (setjmp(metal_home) == 0)
		metal_last(callback, n);
	return metal_result + 1;
}

/* ---- signals ---- */

static __thread metal_callback metal_signal_callback;
static __thread long metal_signal_n;
static __thread volatile sig_atomic_t metal_has_run;

static METAL_SHAPE void metal_on_signal(int number)
{
	metal_has_run += (sig_atomic_t)METAL_BOTTOM(metal_signal_callback, metal_signal_n) + number;
}

static void metal_handle(int number, int flags)
{
	struct sigaction action = {.sa_handler = metal_on_signal, .sa_flags = flags};

	sigaction(number, &action, NULL);
}

/* One that the thread sends itself, so that it comes in a known place. */
METAL_SHAPE long metal_raise(metal_callback callback, long n)
{
	metal_signal_callback = callback;
	metal_signal_n = n;
	metal_handle(SIGUSR2, SA_RESTART);
	return raise(SIGUSR2) + 1;
}

/* One that comes at any instruction, to this thread. */
METAL_SHAPE long metal_alarm(metal_callback callback, long n)
{
	const struct itimerspec soon = {.it_value = {.tv_nsec = 200000}};
	struct sigevent event = {.sigev_signo = SIGALRM, .sigev_notify = SIGEV_THREAD_ID};
	timer_t timer;
	long sum = 0;

	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);

	metal_signal_callback = callback;
	metal_signal_n = n;
	metal_has_run = 0;
	metal_handle(SIGALRM, SA_RESTART);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
		return -1;
	timer_settime(timer, 0, &soon, NULL);
	while (!metal_has_run)
		sum += metal_work(10);
	timer_delete(timer);
	return sum;
}

/* One that has a stack of its own. */
METAL_SHAPE long metal_elsewhere(metal_callback callback, long n)
{
	static char memory[256 << 10];
	const stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};
	long result;

	metal_signal_callback = callback;
	metal_signal_n = n;
	sigaltstack(&stack, NULL);
	metal_handle(SIGUSR2, SA_RESTART | SA_ONSTACK);
	result = raise(SIGUSR2);
	sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
	return result + 1;
}

/* ---- waits ---- */

/* While the child sleeps the parent stands still inside vfork(), whose return address is in a register. */
METAL_SHAPE long metal_vfork(metal_callback callback, long n)
{
	const useconds_t nap_us = (useconds_t)(n < 0 ? -n : 1000);
	pid_t child = vfork();
	int status;

	(void)callback;
	if (child == 0) {
		usleep(nap_us);
		_exit(0);
	}
	return waitpid(child, &status, 0) + 1;
}

METAL_SHAPE long metal_mutex(metal_callback callback, long n)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	(void)callback;
	pthread_mutex_lock(&mutex); /* the second thread never gets it, nor does the first ever give it back */
	for (;;)
		metal_work(n);
}
