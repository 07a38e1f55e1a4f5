/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limit that any sampler from outside has: how many bare process_vm_readv() calls a second this machine makes
 * on a process that is busy.
 *
 *	read_limit PID SECONDS BYTES...
 *
 * One call has one span for each BYTES, in that process's own stack and heap; prints calls a second.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#define MAX_SPANS 64
#define MAX_BYTES (1u << 20)
#define SPAN_ROOM 16384u /* a span lies at so many bytes from the next: in pages of its own */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Where the process's heap begins; 0 when it has none. */
static uintptr_t find_heap(const char *pid)
{
	char path[64], line[512];
	uintptr_t start = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[heap]"))
			start = (uintptr_t)strtoull(line, NULL, 16);
	if (maps)
		fclose(maps);
	return start;
}

int main(int argc, char **argv)
{
	static char bytes[MAX_BYTES];
	struct iovec remote[MAX_SPANS], local = {.iov_base = bytes};
	size_t n = argc > 3 ? (size_t)argc - 3 : 0;
	uint64_t calls = 0;
	double until, began;
	uintptr_t heap;
	pid_t pid;

	if (n == 0 || n > MAX_SPANS) {
		fprintf(stderr, "usage: read_limit PID SECONDS BYTES...\n");
		return 2;
	}
	pid = (pid_t)strtol(argv[1], NULL, 10);
	heap = find_heap(argv[1]);
	for (size_t i = 0; i < n; i++) {
		remote[i].iov_base = (void *)(heap + i * SPAN_ROOM);
		remote[i].iov_len = strtoul(argv[3 + i], NULL, 10) % SPAN_ROOM;
		local.iov_len += remote[i].iov_len;
	}
	began = seconds();
	until = began + strtod(argv[2], NULL);
	while (seconds() < until) {
		if (process_vm_readv(pid, &local, 1, remote, n, 0) != (ssize_t)local.iov_len) {
			fprintf(stderr, "read_limit: cannot read process %d: %s\n", (int)pid,
				strerror(errno));
			return 1;
		}
		calls++;
	}
	printf("%.0f\n", (double)calls / (seconds() - began));
	return 0;
}
