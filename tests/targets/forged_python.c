/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forged_python VERSION WHAT: a process that says that it is a Python (it has a section .PyRuntime, and objects
 * as tests/unit/python/fake_memory.h makes them), and lies.  VERSION is "3.8" to "3.15"; WHAT is a
 * name of forged_objects.c or forged_processes.c.  Prints "ready" when all is in place, and spins as a busy interpreter would.
 */
#include "forged.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/vec.h"

#define RUNTIME_BYTES (512u << 10)
#define PTHREAD_TID 720

/* What the profiler finds; the symbol Py_Version tells it the version, as from 3.11 on. */
static uint8_t runtime[RUNTIME_BYTES] __attribute__((section(".PyRuntime"), aligned(4096))) = {1};
unsigned long Py_Version = 0x030c00f0; /* until main() has set it */
char **forged_argv;

/* ---- making it real ---- */

/* _Py_DebugOffsets as a real interpreter has them: tests/unit/python/goldens. */
static void fill_offsets(const struct layout *layout, uint8_t block[DEBUG_OFFSETS_BYTES])
{
	static const char *const goldens[] = {
		GOLDENS "/offsets-3.13.0.txt",
		GOLDENS "/offsets-3.14.10.txt",
		GOLDENS "/offsets-3.15.2.txt",
	};
	unsigned long long value;
	FILE *file = fopen(goldens[min_of(layout->version - 0x030du, 2u)], "re");

	for (size_t n = 0; file && n < DEBUG_OFFSETS_BYTES && fscanf(file, "%llx", &value) == 1;
	     n += 8)
		memcpy(block + n, &value, 8);
	if (!file)
		abort();
	fclose(file);
}

static void make_honest(struct forge *forge, const struct layout *layout)
{
	static const char *const names[] = {"outer", "middle", "inner"};
	uint64_t ident;

	fake_init(&forge->fake, layout);
	fake_process(&forge->fake, &forge->process);
	for (size_t i = 0; i < array_len(names); i++)
		forge->codes[i] =
			fake_code(&forge->fake, names[i], "forged.py", 10 * ((uint32_t)i + 1));
	forge->leaf = fake_stack(&forge->fake, &forge->process, forge->codes, array_len(names));
	/* Its only thread is our main thread. */
	memcpy(&ident,
	       forge->fake.bytes + (forge->process.thread + layout->ts_thread_id - FAKE_BASE),
	       sizeof(ident));
	fake_put32(&forge->fake, ident + PTHREAD_TID, (uint32_t)getpid());
	if (layout->ts_native_thread_id != NO_FIELD)
		fake_put64(&forge->fake, forge->process.thread + layout->ts_native_thread_id,
			   (uint64_t)getpid());
	if (layout->version >= 0x030d)
		fill_offsets(layout, forge->block);
	Py_Version = (unsigned long)layout->version << 16 | 0xf0;
}

/* The made-up addresses become true, and the runtime goes where the file says it is. */
static void install(const struct forge *forge)
{
	const size_t at = forge->process.runtime - FAKE_BASE;
	const size_t len = min_of((size_t)RUNTIME_BYTES, forge->fake.next - forge->process.runtime);
	void *memory = mmap((void *)(uintptr_t)FAKE_BASE, FAKE_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (memory != (void *)(uintptr_t)FAKE_BASE)
		abort();
	memcpy(memory, forge->fake.bytes, FAKE_BYTES);
	memcpy(runtime, forge->fake.bytes + at, len);
	if (forge->fake.layout->version >= 0x030d)
		memcpy(runtime, forge->block,
		       min_of(sizeof(forge->block),
			      (size_t)forge->fake.layout->rt_interpreters_head));
}

static const struct lie *find_lie(const struct lie *lies, const char *name)
{
	while (lies->name && strcmp(lies->name, name) != 0)
		lies++;
	return lies->name ? lies : NULL;
}

int main(int argc, char **argv)
{
	static struct forge forge;
	const struct layout *layout;
	const struct lie *lie;
	int64_t minor;

	if (argc != 3 || strncmp(argv[1], "3.", 2) != 0 ||
	    opt_parse_int(argv[1] + 2, 0, 99, &minor, NULL) < 0)
		return 2;
	layout = layout_find((uint16_t)(0x0300 + minor));
	lie = find_lie(forged_objects, argv[2]);
	if (!lie)
		lie = find_lie(forged_processes, argv[2]);
	if (!layout || !lie)
		return 2;
	forged_argv = argv;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	make_honest(&forge, layout);
	lie->tell(&forge);
	install(&forge);
	if (forge.after)
		forge.after(&forge);
	puts("ready");
	fflush(stdout);
	for (;;)
		;
}
