/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/selftest_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "cmd/caller.h"
#include "cmd/command.h"
#include "cmd/selftest_programs.h"
#include "proc/drop_rights.h"

#define LINE_WAIT_NS (30 * NS_PER_S) /* for a program to learn what is possible; 1 s as a rule */
#define SAID_MAX_BYTES (64u << 10)
#define PATH_MAX_BYTES 512
#define MAX_DEPTH 512 /* frames that are judged; no program is as deep */

/* A child of ours and what it prints. */
struct child {
	pid_t pid;
	int fd;
};

struct run {
	const struct selftest_case *which;
	struct child target;
	struct buf line;
	struct truth truth;
	struct names *names;
	struct tree tree;
	struct selftest_result result;
	uint64_t counts[TRUTH_MAX_CLASSES];
};

/* ---- children ---- */

static void become(int out_fd, int said_fd, bool is_target, char *const *argv)
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
	    dup2(said_fd, STDERR_FILENO) < 0 || (is_target && drop_to_sudo_user(NULL) < 0))
		_exit(EXIT_FAILURE);
	if (is_target)
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* giving up rights has cleared it */
	/* Where Yama lets parents trace only, the recording is a sister; fails where there is no Yama. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	execvp(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Its stdout comes through ret_child->fd, its stderr goes to said_fd. */
static int start(char *const *argv, int said_fd, bool is_target, struct child *ret_child,
		 struct err *err)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, -errno, "starting %s", argv[0]);
	pid = fork();
	if (pid == 0)
		become(ends[1], said_fd, is_target, argv);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return err_sys(err, -errno, "starting %s", argv[0]);
	}
	*ret_child = (struct child){pid, ends[0]};
	return 0;
}

/* Its exit code, 128 + signal when it was killed. */
static int finish(struct child *child)
{
	int status = 0;

	if (child->pid <= 0)
		return 0;
	close(child->fd);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	child->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The last line that was written to a file. */
static void last_line(int fd, char *text, size_t cap)
{
	char said[SAID_MAX_BYTES];
	ssize_t n = pread(fd, said, sizeof(said) - 1, 0);
	char *line;

	while (n > 0 && said[n - 1] == '\n')
		n--;
	said[n > 0 ? n : 0] = 0;
	line = strrchr(said, '\n');
	line = line ? line + 1 : said;
	if (!strncmp(line, "pyrometer: error: ", strlen("pyrometer: error: ")))
		line += strlen("pyrometer: error: ");
	snprintf(text, cap, "%.*s", (int)cap - 1, *line ? line : "it gave no reason");
}

static int said_file(struct err *err)
{
	int fd = memfd_create("pyrometer-selftest", MFD_CLOEXEC);

	return fd >= 0 ? fd : err_sys(err, -errno, "keeping what a program says");
}

/* ---- the program ---- */

static int write_text(const char *folder, const char *name, const char *text, struct err *err)
{
	char path[PATH_MAX_BYTES];
	cleanup_fd int fd = -1;
	size_t len = strlen(text);

	snprintf(path, sizeof(path), "%s/%s.py", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len ||
	    fchown(fd, caller_uid(), caller_gid()) < 0)
		return err_sys(err, fd < 0 || errno ? -errno : -EIO, "writing %s", path);
	return 0;
}

static void remove_text(const char *folder, const char *name)
{
	char path[PATH_MAX_BYTES];

	snprintf(path, sizeof(path), "%s/%s.py", folder, name);
	unlink(path);
}

/* One line of the program, without its end.  ERR_NOT_PYTHON when it ended instead. */
static int read_line(struct run *run, struct err *err)
{
	int64_t deadline_ns = clock_monotonic_ns() + LINE_WAIT_NS;

	buf_reset(&run->line);
	while (!run->line.len || run->line.data[run->line.len - 1] != '\n') {
		struct pollfd fd = {.fd = run->target.fd, .events = POLLIN};
		int64_t left_ns = deadline_ns - clock_monotonic_ns();
		char piece[4096];
		ssize_t n;

		if (left_ns <= 0)
			return err_set(err, -ETIMEDOUT, "the program %s does not begin",
				       run->which->program);
		if (poll(&fd, 1, (int)(left_ns / NS_PER_MS) + 1) <= 0)
			continue;
		n = read(run->target.fd, piece, sizeof(piece));
		if (n == 0)
			return ERR_NOT_PYTHON;
		if (n > 0)
			buf_put(&run->line, piece, (size_t)n);
		if (run->line.overflow)
			return err_set(err, ERR_LIMIT, "the program %s says too much",
				       run->which->program);
	}
	return 0;
}

static int announce(struct run *run, const char *folder, struct err *err)
{
	char path[PATH_MAX_BYTES], reason[ERR_TEXT_MAX];
	cleanup_fd int said_fd = said_file(err);
	char *argv[] = {(char *)(uintptr_t)run->which->python, (char *)(uintptr_t) "-B",
			(char *)(uintptr_t) "-u", path, NULL};
	int r;

	snprintf(path, sizeof(path), "%s/truth_%s.py", folder, run->which->program);
	if (said_fd < 0)
		return said_fd;
	r = start(argv, said_fd, true, &run->target, err);
	if (r == 0)
		r = read_line(run, err);
	if (r == 0)
		return truth_read(&run->truth, run->line.data, run->line.len, err);
	if (r != ERR_NOT_PYTHON)
		return r;
	if (finish(&run->target) == 127)
		return err_set(err, ERR_NOT_PYTHON,
			       "there is no %s here: give an interpreter with --python",
			       run->which->python);
	last_line(said_fd, reason, sizeof(reason));
	return err_set(err, ERR_NOT_PYTHON, "%s does not run the program %s: %s",
		       run->which->python, run->which->program, reason);
}

static int start_target(struct run *run, struct err *err)
{
	const char *tmp = getenv("TMPDIR");
	char folder[PATH_MAX_BYTES / 2], program[SELFTEST_NAME_MAX];
	int r;

	snprintf(folder, sizeof(folder), "%s/pyrometer-selftest-XXXXXX",
		 tmp && *tmp ? tmp : "/tmp");
	snprintf(program, sizeof(program), "truth_%s", run->which->program);
	if (!mkdtemp(folder))
		return err_sys(err, -errno, "making a folder %s", folder);
	r = chown(folder, caller_uid(), caller_gid()) < 0 ? err_sys(err, -errno, "%s", folder) : 0;
	if (r == 0)
		r = write_text(folder, "truth", selftest_truth, err);
	if (r == 0)
		r = write_text(folder, program, run->which->text, err);
	if (r == 0)
		r = announce(run, folder, err);
	remove_text(folder, "truth");
	remove_text(folder, program);
	rmdir(folder);
	return r;
}

/* Seconds of each class so far, by the program's own clock. */
static int ask_seconds(struct run *run, double ret_seconds[TRUTH_MAX_CLASSES], struct err *err)
{
	int r;

	if (!run->truth.n_classes)
		return 0;
	if (kill(run->target.pid, SIGUSR1) < 0)
		return err_sys(err, -errno, "asking the program for its times");
	r = read_line(run, err);
	if (r == ERR_NOT_PYTHON)
		return err_set(err, ERR_GONE, "the program %s ended", run->which->program);
	return r < 0 ? r
		     : truth_read_seconds(&run->truth, run->line.data, run->line.len, ret_seconds,
					  err);
}

/* ---- the recording ---- */

static int on_process(void *ctx, const struct capture_process *process)
{
	struct run *run = ctx;

	snprintf(run->result.runtime, sizeof(run->result.runtime), "%s", process->runtime);
	return 0;
}

static int on_stats(void *ctx, const struct capture_stats *stats)
{
	struct run *run = ctx;

	run->result.stats = *stats;
	return 0;
}

static void keep_example(struct run *run, const struct truth_frame *frames, size_t n)
{
	char *text = run->result.example;
	size_t at = 0;

	for (size_t i = n > 4 ? n - 4 : 0; !*text || (i < n && at < SELFTEST_EXAMPLE_MAX); i++) {
		if (i >= n)
			break;
		at += (size_t)snprintf(text + at, SELFTEST_EXAMPLE_MAX - at, "%s%s:%" PRIu32,
				       at ? " > " : "", frames[i].name, frames[i].line);
	}
}

static int on_sample(void *ctx, const struct capture_sample *sample)
{
	struct run *run = ctx;
	struct frame_id ids[MAX_DEPTH];
	struct truth_frame frames[MAX_DEPTH];
	size_t depth = tree_path(&run->tree, sample->node, ids, MAX_DEPTH), n = 0, class;
	enum truth_verdict verdict;

	for (size_t i = 0; i < depth && i < MAX_DEPTH; i++) {
		const struct frame *frame = names_frame_get(run->names, ids[i]);

		if (frame->kind !=
		    FRAME_PYTHON) /* that of the garbage collector, which may run anywhere */
			continue;
		frames[n++] = (struct truth_frame){names_text(run->names, frame->name, NULL),
						   names_text(run->names, frame->file, NULL),
						   frame->line};
	}
	verdict = truth_judge(&run->truth, frames, n, &class);
	run->result.samples++;
	run->result.impossible += verdict == TRUTH_IMPOSSIBLE;
	run->result.wrong_lines += verdict == TRUTH_WRONG_LINE;
	if (class < run->truth.n_classes)
		run->counts[class]++;
	if (verdict != TRUTH_POSSIBLE && !*run->result.example)
		keep_example(run, frames, n);
	return 0;
}

static int read_capture(struct run *run, int fd, struct err *err)
{
	static const struct capture_events events = {
		.process = on_process, .sample = on_sample, .stats = on_stats};
	struct capture_reader *reader = capture_reader_new(run->names, &run->tree, &events, run);
	char piece[65536];
	ssize_t n;
	int r = 0;

	while (r >= 0 && (n = read(fd, piece, sizeof(piece))) != 0) {
		if (n > 0)
			r = capture_feed(reader, piece, (size_t)n, err);
		else if (errno != EINTR)
			r = err_sys(err, -errno, "reading the recording");
	}
	capture_reader_free(reader);
	return r < 0 ? r : 0;
}

/* The code that an exit code stands for: the reverse of exit_code_of(). */
static int code_of(int exit_code)
{
	switch (exit_code) {
	case EXIT_CODE_PERMISSION:
		return -EPERM;
	case EXIT_CODE_GONE:
		return ERR_GONE;
	case EXIT_CODE_UNSUPPORTED:
		return ERR_UNSUPPORTED;
	default:
		return -ECHILD;
	}
}

static int record(struct run *run, struct err *err)
{
	char pid[16], rate[32], seconds[32], reason[ERR_TEXT_MAX];
	cleanup_fd int said_fd = said_file(err);
	char *argv[] = {(char *)(uintptr_t) "/proc/self/exe",
			(char *)(uintptr_t) "record",
			(char *)(uintptr_t) "-p",
			pid,
			(char *)(uintptr_t) "-r",
			rate,
			(char *)(uintptr_t) "-d",
			seconds,
			(char *)(uintptr_t) "-f",
			(char *)(uintptr_t) "pyro",
			(char *)(uintptr_t) "-o",
			(char *)(uintptr_t) "-",
			run->which->is_nonblocking ? (char *)(uintptr_t) "--nonblocking" : NULL,
			NULL};
	struct child recorder;
	int r, exit_code;

	if (said_fd < 0)
		return said_fd;
	snprintf(pid, sizeof(pid), "%d", (int)run->target.pid);
	snprintf(rate, sizeof(rate), "%.0f", run->which->rate_hz);
	snprintf(seconds, sizeof(seconds), "%.3f", run->which->seconds);
	r = start(argv, said_fd, false, &recorder, err);
	if (r < 0)
		return r;
	r = read_capture(run, recorder.fd, err);
	exit_code = finish(&recorder);
	if (r < 0 || exit_code == 0)
		return r;
	last_line(said_fd, reason, sizeof(reason));
	return err_set(err, code_of(exit_code), "%s", reason);
}

static int run_all(struct run *run, struct err *err)
{
	double before[TRUTH_MAX_CLASSES] = {0}, spent[TRUTH_MAX_CLASSES] = {0};
	struct selftest_result *result = &run->result;
	uint64_t n_samples = 0;
	int r = start_target(run, err);

	if (r == 0)
		r = ask_seconds(run, before, err);
	if (r == 0)
		r = record(run, err);
	if (r == 0)
		r = ask_seconds(run, spent, err);
	if (r < 0 || run->truth.n_classes < 2)
		return r;
	for (size_t i = 0; i < run->truth.n_classes; i++) {
		spent[i] -= before[i];
		n_samples += run->counts[i];
	}
	result->has_distance = n_samples > 0;
	result->distance = truth_distance(run->counts, spent, run->truth.n_classes);
	result->floor = truth_floor(n_samples, spent, run->truth.n_classes);
	return 0;
}

int selftest_run(const struct selftest_case *which, struct selftest_result *ret_result,
		 struct err *err)
{
	struct run *run = xcalloc(1, sizeof(*run));
	int r;

	run->which = which;
	run->names = names_new();
	tree_init(&run->tree);
	buf_init(&run->line, TRUTH_MAX_BYTES);
	r = run_all(run, err);
	if (run->target.pid > 0)
		kill(run->target.pid, SIGKILL);
	finish(&run->target);
	if (r == 0)
		*ret_result = run->result;
	truth_done(&run->truth);
	buf_done(&run->line);
	tree_done(&run->tree);
	names_free(run->names);
	free(run);
	return r;
}
