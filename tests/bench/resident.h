/* SPDX-License-Identifier: Apache-2.0 */
/* Memory in use now.  (The maximum that getrusage() tells begins with the parent's.) */
#ifndef TESTS_BENCH_RESIDENT_H
#define TESTS_BENCH_RESIDENT_H

#include <stdio.h>

#include "base/cleanup.h"

static inline long resident_kb(void)
{
	cleanup_file FILE *file = fopen("/proc/self/statm", "re");
	long total, resident;

	if (!file || fscanf(file, "%ld %ld", &total, &resident) != 2)
		return -1;
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

#endif
