/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_spin FILE: computes for ever, and keeps in FILE (three 64-bit numbers, mapped) how often it went
 * round, the longest time in ns that it was kept from it, and how many stretches were longer than 1 ms.
 * Whoever writes 0 over a number starts it anew.
 */
#include <fcntl.h>

#include "evil.h"

struct face {
	volatile uint64_t rounds;
	volatile uint64_t longest_gap_ns;
	volatile uint64_t long_gaps;
};

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	struct face *face;
	int64_t last = now_ns();

	if (fd < 0 || ftruncate(fd, sizeof(*face)) < 0)
		return 2;
	face = mmap(NULL, sizeof(*face), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (face == MAP_FAILED)
		return 2;
	for (;;) {
		int64_t now = now_ns();
		uint64_t gap = (uint64_t)(now - last);

		if (gap > face->longest_gap_ns)
			face->longest_gap_ns = gap;
		face->long_gaps += gap > 1000000;
		face->rounds++;
		last = now;
	}
}
