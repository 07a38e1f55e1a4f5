/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_exec N [BORN]: becomes itself again N times, by execve from a thread that is not the main one,
 * while two other threads compute; each life checks that it still has its first id.
 */
#include <pthread.h>

#include "evil.h"

static int left;
static pid_t born;
static char *self;

static void *compute(void *argument)
{
	for (;;)
		compute_us(1000);
	return argument;
}

static void *reborn(void *argument)
{
	char count[16], id[16];

	(void)argument;
	compute_us(5000);
	snprintf(count, sizeof(count), "%d", left - 1);
	snprintf(id, sizeof(id), "%d", (int)born);
	execl(self, self, count, id, NULL);
	abort();
}

int main(int argc, char **argv)
{
	pthread_t thread;

	self = argv[0];
	left = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
	born = argc > 2 ? (pid_t)strtol(argv[2], NULL, 10) : getpid();
	if (born != getpid())
		return 1;
	if (left <= 0) {
		printf("{\"done\":true}\n");
		return 0;
	}
	pthread_create(&thread, NULL, compute, NULL);
	pthread_create(&thread, NULL, reborn, NULL);
	for (;;)
		compute_us(1000);
}
