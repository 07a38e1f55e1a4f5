/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "proc/procfs_private.h"

/* Inode numbers that the kernel gives the namespaces it starts with (PROC_*_INIT_INO, Linux 3.8). */
#define FIRST_USER_NS_INODE 0xeffffffdu
#define FIRST_PID_NS_INODE 0xeffffffcu

/* ---- small files ---- */

static bool read_file(const char *path, char *text, size_t cap)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && procfs_pread(fd, text, cap) > 0;
}

static int read_number(const char *path)
{
	char text[32];
	const char *at = text;
	int64_t value;

	if (!read_file(path, text, sizeof(text)) || !procfs_take_i64(&at, &value))
		return SURROUNDINGS_UNKNOWN;
	return (int)value;
}

static uint64_t status_field(const char *status, const char *name, int base)
{
	const char *field = procfs_field(status, name);
	uint64_t value = 0;

	if (field)
		(void)procfs_take_u64(&field, base, &value);
	return value;
}

static void read_status(struct surroundings *here)
{
	char status[PROCFS_SMALL_BYTES];

	if (procfs_read(getpid(), 0, "status", status, sizeof(status)) < 0)
		return;
	here->caps = status_field(status, "CapEff", 16);
	here->bounding = status_field(status, "CapBnd", 16);
	here->has_new_privs_forbidden = status_field(status, "NoNewPrivs", 10) != 0;
	here->seccomp = (int)status_field(status, "Seccomp", 10);
}

static bool is_namespace(const char *path, ino_t inode)
{
	struct stat found;

	return stat(path, &found) == 0 && found.st_ino == inode;
}

/* "proc /proc proc rw,…,hidepid=invisible 0 0"; names since Linux 5.8, numbers before. */
static int read_hidepid(void)
{
	char line[1024];
	int level = 0;
	FILE *mounts = fopen("/proc/self/mounts", "re");

	if (!mounts)
		return SURROUNDINGS_UNKNOWN;
	while (fgets(line, sizeof(line), mounts)) {
		const char *option = strstr(line, "hidepid=");

		if (strncmp(line, "proc /proc proc ", 16) != 0 || !option)
			continue;
		option += strlen("hidepid=");
		if (*option == '1' || strncmp(option, "noaccess", 8) == 0)
			level = 1;
		else if (*option != '0' && strncmp(option, "off", 3) != 0)
			level = 2;
	}
	fclose(mounts);
	return level;
}

const char *surroundings_container(pid_t pid)
{
	static const char *const words[] = {"kubepods", "docker", "libpod", "lxc"};
	char groups[PROCFS_SMALL_BYTES];

	if (procfs_read(pid, 0, "cgroup", groups, sizeof(groups)) <= 0)
		return NULL;
	for (size_t i = 0; i < array_len(words); i++)
		if (strstr(groups, words[i]))
			return words[i];
	return NULL;
}

/* Our own; control groups say nothing where they have a namespace of their own. */
static const char *find_container(void)
{
	static const struct {
		const char *path, *name;
	} marks[] = {
		{"/run/.containerenv", "podman"},
		{"/var/run/secrets/kubernetes.io", "kubernetes"},
		{"/.dockerenv", "docker"},
	};

	for (size_t i = 0; i < array_len(marks); i++)
		if (access(marks[i].path, F_OK) == 0)
			return marks[i].name;
	if (getenv("KUBERNETES_SERVICE_HOST"))
		return "kubernetes";
	return surroundings_container(getpid());
}

/* ---- the two calls ---- */

static int try_read(pid_t pid, const char *place)
{
	char into = 0;
	struct iovec local = {&into, 1}, remote = {(void *)(uintptr_t)place, 1};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1 ? 0 : -errno;
}

static int try_trace(pid_t pid)
{
	return ptrace(PTRACE_SEIZE, pid, NULL, 0) == 0 ? 0 : -errno;
}

/* The child does nothing until it is killed; our end frees it as well, by the closed pipe. */
static void try_on_child(struct surroundings *here)
{
	static const char place = 'x';
	int gate[2];
	pid_t child;
	char byte;

	here->read_code = here->trace_code = -EAGAIN;
	if (pipe2(gate, O_CLOEXEC) < 0)
		return;
	child = fork();
	if (child == 0) {
		close(gate[1]);
		_exit(read(gate[0], &byte, 1) != 0);
	}
	close(gate[0]);
	if (child > 0) {
		here->read_code = try_read(child, &place);
		here->trace_code = try_trace(child);
		kill(child, SIGKILL);
		while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
			continue;
	}
	close(gate[1]);
}

void surroundings_read(struct surroundings *ret_surroundings)
{
	struct surroundings here = {
		.uid = geteuid(),
		.yama = read_number("/proc/sys/kernel/yama/ptrace_scope"),
		.hidepid = read_hidepid(),
		.perf_paranoid = read_number("/proc/sys/kernel/perf_event_paranoid"),
		.bpf_forbidden = read_number("/proc/sys/kernel/unprivileged_bpf_disabled"),
		.has_btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0,
		.is_first_user_ns = is_namespace("/proc/self/ns/user", FIRST_USER_NS_INODE),
		.is_first_pid_ns = is_namespace("/proc/self/ns/pid", FIRST_PID_NS_INODE),
		.container = find_container(),
	};
	struct utsname name;

	if (uname(&name) == 0)
		snprintf(here.kernel, sizeof(here.kernel), "%.20s %.48s %.20s", name.sysname,
			 name.release, name.machine);
	read_status(&here);
	try_on_child(&here);
	*ret_surroundings = here;
}
