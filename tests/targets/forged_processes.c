/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that change while they are read, or show what is not so. */
#include "forged.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- memory that changes ---- */

static void *start(void *(*life)(void *), struct forge *forge)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, life, forge) != 0)
		abort();
	return NULL;
}

static void *unmap_and_map(void *argument)
{
	const struct forge *forge = argument;
	uint8_t *page = (uint8_t *)(uintptr_t)(forge->leaf & ~(PAGE - 1));
	static uint8_t copy[PAGE];

	memcpy(copy, page, PAGE);
	for (;;) {
		munmap(page, PAGE);
		usleep(300);
		if (mmap(page, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			abort();
		memcpy(page, copy, PAGE);
		usleep(300);
	}
	return NULL;
}

static void start_vanishing(struct forge *forge)
{
	start(unmap_and_map, forge);
}

/* The innermost frame on a page that nothing else lies on. */
static void set_apart(struct forge *forge)
{
	const struct layout *layout = forge->fake.layout;
	raddr_t page = (fake_alloc(&forge->fake, 3 * PAGE) + PAGE - 1) & ~(PAGE - 1), previous;

	memcpy(&previous, forge->fake.bytes + (forge->leaf + layout->frame_previous - FAKE_BASE),
	       sizeof(previous));
	forge->leaf = fake_frame(&forge->fake, &forge->process, page, forge->codes[2], previous, 0);
	fake_current(&forge->fake, &forge->process, forge->leaf);
}

static void page_that_vanishes(struct forge *forge)
{
	set_apart(forge);
	forge->after = start_vanishing;
}

static void *relink(void *argument)
{
	const struct forge *forge = argument;
	volatile uint64_t *previous =
		(uint64_t *)(uintptr_t)(forge->leaf + forge->fake.layout->frame_previous);
	uint64_t honest = *previous;

	for (uint64_t i = 0;; i++)
		*previous = i % 3 == 0 ? honest : i % 3 == 1 ? NOWHERE + i * 8 : forge->leaf;
	return NULL;
}

static void start_relinking(struct forge *forge)
{
	start(relink, forge);
}

static void frames_that_change(struct forge *forge)
{
	forge->after = start_relinking;
}

static void *go(void *argument)
{
	(void)argument;
	usleep(700000);
	_exit(0);
}

static void start_ending(struct forge *forge)
{
	start(go, forge);
}

static void process_that_ends(struct forge *forge)
{
	forge->after = start_ending;
}

static void *exec_again(void *argument)
{
	(void)argument;
	usleep(120000);
	execv("/proc/self/exe", forged_argv);
	abort();
}

static void start_exec(struct forge *forge)
{
	start(exec_again, forge);
}

static void process_that_execs(struct forge *forge)
{
	forge->after = start_exec;
}

/* A page whose content nobody ever provides: whoever reads it sleeps in the kernel. */
static void never_provide(struct forge *forge)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register area = {
		.range = {.start = forge->leaf & ~(PAGE - 1), .len = PAGE},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (fd < 0) {
		printf("cannot: %s\n", strerror(errno));
		exit(0);
	}
	if (ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &area) < 0 ||
	    madvise((void *)(uintptr_t)area.range.start, PAGE, MADV_DONTNEED) < 0)
		abort();
}

static void page_that_never_comes(struct forge *forge)
{
	set_apart(forge);
	forge->after = never_provide;
}

/* ---- what /proc shows ---- */

static void overwrite_title(struct forge *forge)
{
	(void)forge;
	prctl(PR_SET_NAME, ") R 1 (\n\x1b[31m");
	memset(forged_argv[0], '\x1b', strlen(forged_argv[0]));
}

static void title_hostile(struct forge *forge)
{
	forge->after = overwrite_title;
}

/* A file whose name looks like the end of a line of /proc/PID/maps and the beginning of another. */
static void map_hostile_names(struct forge *forge)
{
	static const char *const names[] = {
		"/tmp/forged\n00400000-00500000 r-xp 00000000 00:00 1 libpython3.12.so",
		"/tmp/libpython3.12.so (deleted)", "/tmp/libpython \x1b[31m\\012.so"};

	(void)forge;
	for (size_t i = 0; i < array_len(names); i++) {
		int fd = open(names[i], O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0 || ftruncate(fd, 8192) < 0 ||
		    mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED)
			abort();
		unlink(names[i]);
		close(fd);
	}
}

static void names_of_files_hostile(struct forge *forge)
{
	forge->after = map_hostile_names;
}

static void map_very_often(struct forge *forge)
{
	const size_t pages = 50000;
	uint8_t *area = mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)forge;
	for (size_t i = 0; i < pages; i += 2)
		if (mprotect(area + i * PAGE, PAGE, PROT_READ) < 0)
			break;
}

static void mappings_without_end(struct forge *forge)
{
	forge->after = map_very_often;
}

static void *stop_often(void *argument)
{
	(void)argument;
	for (;;) {
		pid_t pid = getpid(), child = fork();

		if (child == 0) {
			usleep(2000);
			kill(pid, SIGCONT);
			_exit(0);
		}
		kill(pid, SIGSTOP);
		usleep(3000);
	}
	return NULL;
}

static void start_stopping(struct forge *forge)
{
	signal(SIGCHLD, SIG_IGN);
	start(stop_often, forge);
}

static void process_that_stops_itself(struct forge *forge)
{
	forge->after = start_stopping;
}

static void honest(struct forge *forge)
{
	(void)forge;
}

const struct lie forged_processes[] = {
	{"honest", honest},
	{"page-that-vanishes", page_that_vanishes},
	{"frames-that-change", frames_that_change},
	{"process-that-ends", process_that_ends},
	{"process-that-execs", process_that_execs},
	{"page-that-never-comes", page_that_never_comes},
	{"title-hostile", title_hostile},
	{"names-of-files-hostile", names_of_files_hostile},
	{"mappings-without-end", mappings_without_end},
	{"process-that-stops-itself", process_that_stops_itself},
	{NULL, NULL},
};
