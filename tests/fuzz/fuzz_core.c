/* SPDX-License-Identifier: Apache-2.0 */
/* A core file of any bytes: its memory, its mappings, its threads and their registers. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "proc/core.h"

#define MAX_MAPPINGS 64

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct core *core;
	struct pause_regs regs;
	uint64_t word;
	size_t n;

	if (fd < 0)
		return 0;
	if (write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return 0;
	}
	if (core_open(fd, &core, NULL) < 0)
		return 0;
	const struct maps *maps = core_maps(core);
	memory_budget_set(core_memory(core), 1000, 1 << 20);
	for (size_t i = 0; i < maps->n && i < MAX_MAPPINGS; i++) {
		(void)!memory_read_u64(core_memory(core), maps->items[i].start, &word);
		(void)!memory_read_u64(core_memory(core), maps->items[i].end - 4, &word);
		close_if_open(core_open_file(core, &maps->items[i], NULL));
	}
	(void)core_threads(core, &n);
	for (size_t i = 0; i <= n; i++)
		(void)!core_regs(core, i, &regs);
	core_free(core);
	return 0;
}
