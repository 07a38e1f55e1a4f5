/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "proc/procfs_private.h"

#define STAT_START_FIELD 22 /* proc(5): starttime */
#define STAT_PARENT_FIELD 4
#define STAT_THREADS_FIELD 20
#define PF_KTHREAD 0x00200000 /* of field 9, flags; linux/sched.h */
#define COMMAND_LINE_BYTES 8192

/* Numeric field `number` (4 or later) of the text behind the comm, which begins with field 3. */
static bool stat_field(const char *rest, int number, int64_t *ret_value)
{
	const char *at = rest + 1;

	for (int field = 4; field <= number; field++) {
		if (!procfs_take_i64(&at, ret_value)) {
			/* rsslim and the like fill 64 bits; nobody here asks for those. */
			return false;
		}
	}
	return true;
}

static int stat_load(pid_t pid, char *text, size_t cap, const char **ret_rest)
{
	ssize_t n = procfs_read(pid, 0, "stat", text, cap);

	if (n < 0)
		return (int)n;
	*ret_rest = procfs_stat_rest(text);
	return *ret_rest ? 0 : ERR_CORRUPT;
}

static int no_such(struct err *err, int code, pid_t pid)
{
	if (code == -ESRCH)
		return err_set(err, code, "no process has the id %d", (int)pid);
	return err_sys(err, code, "cannot look at process %d", (int)pid);
}

int process_identify(pid_t pid, struct process_id *ret_id, struct err *err)
{
	char text[PROCFS_SMALL_BYTES];
	const char *rest = "";
	int64_t start;
	int r = stat_load(pid, text, sizeof(text), &rest);

	if (r < 0)
		return no_such(err, r, pid);
	if (!stat_field(rest, STAT_START_FIELD, &start))
		return no_such(err, ERR_CORRUPT, pid);
	*ret_id = (struct process_id){.pid = pid, .start_ticks = (uint64_t)start};
	return 0;
}

bool process_is_alive(struct process_id id)
{
	char text[PROCFS_SMALL_BYTES];
	const char *rest = "";
	int64_t start, threads;

	if (stat_load(id.pid, text, sizeof(text), &rest) < 0 ||
	    !stat_field(rest, STAT_START_FIELD, &start) || (uint64_t)start != id.start_ticks)
		return false;
	if (*rest != 'Z' && *rest != 'X')
		return true;
	/* A main thread that ended before the others leaves a zombie in front of a live process. */
	return stat_field(rest, STAT_THREADS_FIELD, &threads) && threads > 1;
}

/* The last number of "NSpid:\t812\t7": what the process calls itself; or the first of "Uid:…". */
static pid_t last_number(const char *field)
{
	uint64_t value = 0;

	while (field && procfs_take_u64(&field, 10, &value))
		;
	return value <= INT_MAX ? (pid_t)value : 0;
}

static uint64_t first_number(const char *field)
{
	uint64_t value = 0;

	if (field)
		(void)procfs_take_u64(&field, 10, &value);
	return value;
}

static void load_status(pid_t pid, struct process *process)
{
	char text[PROCFS_SMALL_BYTES];

	if (procfs_read(pid, 0, "status", text, sizeof(text)) < 0)
		return;
	process->ns_pid = last_number(procfs_field(text, "NSpid"));
	process->tracer = (pid_t)first_number(procfs_field(text, "TracerPid"));
	process->uid = (uid_t)first_number(procfs_field(text, "Uid"));
	process->gid = (gid_t)first_number(procfs_field(text, "Gid"));
}

int process_load(pid_t pid, struct process *ret_process, struct err *err)
{
	char text[PROCFS_SMALL_BYTES];
	struct process process = {.id.pid = pid};
	int64_t parent, flags, threads, start;
	const char *rest = "", *comm;
	int r = stat_load(pid, text, sizeof(text), &rest);

	if (r < 0)
		return no_such(err, r, pid);
	if (!stat_field(rest, STAT_PARENT_FIELD, &parent) || !stat_field(rest, 9, &flags) ||
	    !stat_field(rest, STAT_THREADS_FIELD, &threads) ||
	    !stat_field(rest, STAT_START_FIELD, &start))
		return no_such(err, ERR_CORRUPT, pid);
	comm = strchr(text, '(') + 1;
	utf8_printable(process.comm, sizeof(process.comm), comm, (size_t)(rest - 2 - comm));
	process.parent = (pid_t)parent;
	process.state = *rest;
	process.is_kernel = flags & PF_KTHREAD;
	process.threads = (uint32_t)threads;
	process.id.start_ticks = (uint64_t)start;
	load_status(pid, &process);
	*ret_process = process;
	return 0;
}

int process_exe(pid_t pid, char *dst, size_t cap, struct err *err)
{
	static const char deleted[] = " (deleted)";
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, path, sizeof(path));
	if (n < 0)
		return no_such(err, errno == ENOENT ? -ESRCH : -errno, pid);
	if (n > (ssize_t)strlen(deleted) &&
	    !memcmp(path + n - strlen(deleted), deleted, strlen(deleted)))
		n -= (ssize_t)strlen(deleted);
	return (int)utf8_printable(dst, cap, path, (size_t)n);
}

/* ---- what to call it ---- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* The next NUL-terminated argument, or NULL at the end. */
static const char *next_argument(const char *argument, const char *end)
{
	const char *next = argument + strlen(argument) + 1;

	return next < end ? next : NULL;
}

/* Options of an interpreter that take the following word as their value. */
static bool takes_value(const char *option)
{
	return !strcmp(option, "-W") || !strcmp(option, "-X") || !strcmp(option, "-Q") ||
	       !strcmp(option, "--check-hash-based-pycs");
}

/* The script, "-m module" or "-c" of an interpreter's command line; "" when it names none. */
static void script_of(const char *argument, const char *end, char *dst, size_t cap)
{
	dst[0] = 0;
	while ((argument = next_argument(argument, end))) {
		if (argument[0] != '-') {
			snprintf(dst, cap, " %s", base_name(argument));
			return;
		}
		if (!strcmp(argument, "-c") || !strcmp(argument, "-")) {
			snprintf(dst, cap, " %s", argument);
			return;
		}
		if (!strcmp(argument, "-m")) {
			const char *module = next_argument(argument, end);

			snprintf(dst, cap, " -m %s", module ? module : "");
			return;
		}
		if (takes_value(argument))
			argument = next_argument(argument, end);
		if (!argument)
			return;
	}
}

static bool is_interpreter(const char *name)
{
	static const char *const known[] = {"python", "pypy", "ipython", "uwsgi"};

	for (size_t i = 0; i < array_len(known); i++)
		if (!strncmp(name, known[i], strlen(known[i])))
			return true;
	return false;
}

void process_command(pid_t pid, char *dst, size_t cap)
{
	char line[COMMAND_LINE_BYTES], script[512], text[1024];
	ssize_t len = procfs_read(pid, 0, "cmdline", line, sizeof(line));
	struct process process;
	const char *name;

	if (len <= 0 || !line[0]) {
		int n = process_load(pid, &process, NULL) < 0
				? snprintf(text, sizeof(text), "[%d]", (int)pid)
				: snprintf(text, sizeof(text), "[%s]", process.comm);

		utf8_printable(dst, cap, text, (size_t)n);
		return;
	}
	name = base_name(line);
	script[0] = 0;
	if (is_interpreter(name))
		script_of(line, line + len, script, sizeof(script));
	/* A process can write what it likes over argv[0]; a title with blanks ends at the first. */
	snprintf(text, sizeof(text), "%.*s%s", (int)strcspn(name, " "), name, script);
	utf8_printable(dst, cap, text, strlen(text));
}

int process_cpu(pid_t pid, int64_t *ret_ns)
{
	struct timespec used;
	clockid_t clock;

	/* The clock of a foreign process: exact, and one system call; /proc counts in 10 ms. */
	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
		return -ESRCH;
	*ret_ns = used.tv_sec * NS_PER_S + used.tv_nsec;
	return 0;
}

pid_t process_tracer(pid_t tid)
{
	char text[PROCFS_SMALL_BYTES];

	if (procfs_read(tid, 0, "status", text, sizeof(text)) < 0)
		return 0;
	return (pid_t)first_number(procfs_field(text, "TracerPid"));
}

bool process_shares_pid_namespace(pid_t pid)
{
	char path[64];
	struct stat ours, theirs;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	if (stat("/proc/self/ns/pid", &ours) < 0 || stat(path, &theirs) < 0)
		return false;
	return ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

/* ---- lists ---- */

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static DIR *open_tasks(pid_t pid)
{
	cleanup_fd int fd = procfs_open(pid, 0, "task", O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)take_fd(&fd);
	return dir;
}

int process_thread_count(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	if (stat(path, &st) < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return (int)st.st_nlink - 2; /* a link for each, beside the folder's own two */
}

static pid_t entry_number(const struct dirent *entry)
{
	const char *at = entry->d_name;
	uint64_t value;

	if (!procfs_take_u64(&at, 10, &value) || *at || value > INT_MAX)
		return 0;
	return (pid_t)value;
}

void process_threads_done(struct process_threads *threads)
{
	free(threads->items);
	*threads = (struct process_threads){0};
}

static const struct process_thread *find_thread(const struct process_thread *items, size_t n,
						pid_t tid)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (items[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && items[low].tid == tid ? &items[low] : NULL;
}

static int compare_tid(const void *a, const void *b)
{
	const struct process_thread *left = a, *right = b;

	return left->tid < right->tid ? -1 : left->tid > right->tid;
}

static pid_t read_ns_tid(pid_t pid, pid_t tid)
{
	char text[PROCFS_SMALL_BYTES];

	if (procfs_read(pid, tid, "status", text, sizeof(text)) < 0)
		return 0;
	return last_number(procfs_field(text, "NSpid"));
}

int process_threads_read(struct process_threads *threads, pid_t pid, bool with_ns, struct err *err)
{
	cleanup(close_dir) DIR *dir = open_tasks(pid);
	struct process_threads fresh = {0};
	const struct dirent *entry;

	if (!dir)
		return no_such(err, errno == ENOENT ? -ESRCH : -errno, pid);
	while ((entry = readdir(dir)) && fresh.n < PROCESS_MAX_THREADS) {
		struct process_thread thread = {.tid = entry_number(entry)};
		const struct process_thread *known;

		if (!thread.tid)
			continue;
		known = find_thread(threads->items, threads->n, thread.tid);
		if (known)
			thread.ns_tid = known->ns_tid;
		if (with_ns && !thread.ns_tid)
			thread.ns_tid = read_ns_tid(pid, thread.tid);
		fresh.items = vec_grow(fresh.items, &fresh.cap, fresh.n + 1, sizeof(thread));
		fresh.items[fresh.n++] = thread;
	}
	if (!fresh.n)
		return no_such(err, -ESRCH, pid);
	qsort(fresh.items, fresh.n, sizeof(fresh.items[0]), compare_tid);
	free(threads->items);
	*threads = fresh;
	return 0;
}

pid_t process_threads_find_ns(const struct process_threads *threads, pid_t ns_tid)
{
	for (size_t i = 0; i < threads->n; i++)
		if (threads->items[i].ns_tid == ns_tid)
			return threads->items[i].tid;
	return 0;
}

bool process_threads_has(const struct process_threads *threads, pid_t tid)
{
	return find_thread(threads->items, threads->n, tid) != NULL;
}

/* Children of one thread, where the kernel lists them (CONFIG_PROC_CHILDREN). */
static int add_children(pid_t pid, pid_t tid, pid_t *pids, size_t cap, size_t *n)
{
	static const size_t text_bytes = 12 * (size_t)PROCESS_MAX_CHILDREN;
	cleanup_free char *text = xcalloc(1, text_bytes);
	cleanup_fd int fd = procfs_open(pid, tid, "children", O_RDONLY);
	const char *at = text;
	size_t len = 0;
	uint64_t child;
	ssize_t got;

	if (fd < 0)
		return fd;
	while (len + 1 < text_bytes && (got = read(fd, text + len, text_bytes - 1 - len)) > 0)
		len += (size_t)got;
	while (procfs_take_u64(&at, 10, &child) && *n < PROCESS_MAX_CHILDREN) {
		if (*n < cap)
			pids[*n] = (pid_t)child;
		(*n)++;
	}
	return 0;
}

int process_children(pid_t pid, pid_t *pids, size_t cap, struct err *err)
{
	struct process_threads threads = {0};
	size_t n = 0;
	int r = process_threads_read(&threads, pid, false, err);

	for (size_t i = 0; r >= 0 && i < threads.n; i++) {
		r = add_children(pid, threads.items[i].tid, pids, cap, &n);
		/* A thread that ended since hands its children to another. */
		if (r == -ESRCH && threads.n > 1)
			r = 0;
		if (r < 0)
			r = err_sys(err, r, "cannot list the children of process %d", (int)pid);
	}
	process_threads_done(&threads);
	return r < 0 ? r : (int)n;
}
