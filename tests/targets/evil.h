/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that are hard to pause.  Each measures itself what a pause could break, and prints it as one
 * line of JSON at its end; tests/integration/test_pause.py compares. */
#ifndef TESTS_TARGETS_EVIL_H
#define TESTS_TARGETS_EVIL_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static inline int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static inline void compute_us(int64_t us)
{
	int64_t until = now_ns() + us * 1000;

	while (now_ns() < until)
		;
}

static inline int64_t seconds_arg(int argc, char **argv, int at)
{
	return (int64_t)((argc > at ? strtod(argv[at], NULL) : 1.0) * 1e9);
}

/* Zeroed memory that children share. */
static inline void *shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return memory;
}

/* No helper outlives a target that a test kills. */
static inline void die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

#endif
