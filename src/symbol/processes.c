/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/processes.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"

void processes_init(struct processes *processes)
{
	*processes = (struct processes){0};
	(void)processes_add(processes, 0, 0);
}

void processes_done(struct processes *processes)
{
	for (size_t i = 0; i < processes->n; i++) {
		struct jit_process *process = &processes->items[i];

		jit_code_free(process->code);
		jit_file_done(&process->map);
		jit_file_done(&process->dump);
		map64_done(&process->memo);
	}
	free(processes->items);
	map64_done(&processes->by_id);
}

struct jit_process *processes_get(struct processes *processes, uint32_t id)
{
	const uint32_t *place = map64_get(&processes->by_id, id);

	return &processes->items[place ? *place : 0];
}

struct jit_process *processes_add(struct processes *processes, uint32_t id, pid_t pid)
{
	struct jit_process *process;

	if (processes->n &&
	    (processes_get(processes, id)->id == id || processes->n >= PROCESSES_MAX))
		return processes_get(processes, id);
	*map64_put(&processes->by_id, id, NULL) = (uint32_t)processes->n;
	processes->items = vec_grow(processes->items, &processes->cap, processes->n + 1,
				    sizeof(*processes->items));
	process = &processes->items[processes->n++];
	*process = (struct jit_process){.id = id, .pid = pid, .map.fd = -1, .dump.fd = -1};
	process->dump.is_dump = true;
	return process;
}

/* ---- finding files ---- */

/* The process's number where it lives, which is what its files are called by. */
static long inner_pid(pid_t pid)
{
	char path[64], line[512];
	long inner = pid;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	cleanup_file FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		const char *last;

		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		last = strrchr(line, '\t');
		if (last && strtol(last, NULL, 10) > 0)
			inner = strtol(last, NULL, 10);
	}
	return inner;
}

/* Anybody can write into /tmp: a link, a pipe, or a file of somebody else's is not the process's. */
static int open_owned(const char *path, uid_t owner)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != owner)
		return -1;
	return take_fd(&fd);
}

static int open_of(pid_t pid, const char *form)
{
	char root[64], name[PATH_MAX], path[PATH_MAX + 64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (stat(path, &st) < 0)
		return -1;
	snprintf(name, sizeof(name), "/tmp/%s-%ld.%s", form, inner_pid(pid),
		 *form == 'p' ? "map" : "dump");
	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	snprintf(path, sizeof(path), "%s%s", root, name);
	fd = open_owned(path, st.st_uid);
	/* Without the right to look there, its files may still be ours to see. */
	return fd >= 0 || access(root, R_OK | X_OK) == 0 ? fd : open_owned(name, st.st_uid);
}

static void find_files(struct jit_process *process, int64_t now_ns)
{
	if (!process->pid || now_ns < process->next_find_ns)
		return;
	process->next_find_ns = now_ns + PROCESSES_FIND_NS;
	if (process->map.fd < 0)
		process->map.fd = open_of(process->pid, "perf");
	if (process->dump.fd < 0)
		process->dump.fd = open_of(process->pid, "jit");
}

void jit_process_look(struct jit_process *process)
{
	int64_t now_ns = clock_monotonic_ns();
	bool is_changed;

	if (now_ns < process->next_look_ns)
		return;
	find_files(process, now_ns);
	if (process->map.fd < 0 && process->dump.fd < 0)
		return;
	if (!process->code)
		process->code = jit_code_new();
	is_changed = jit_file_look(&process->map, process->code);
	is_changed |= jit_file_look(&process->dump, process->code);
	if (is_changed)
		map64_reset(&process->memo);
	else
		process->next_look_ns = now_ns + PROCESSES_LOOK_NS;
}
