/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/utf8.h"
#include "proc/drop_rights.h"

#define PROGRAM_POLL_MS 20

/* ---- what the recording itself wants to know of the stream ---- */

static int on_header(void *ctx, const struct capture_header *header)
{
	struct recording *recording = ctx;

	recording->facts.is_nonblocking = header->flags & CAPTURE_NONBLOCKING;
	return 0;
}

static int on_process(void *ctx, const struct capture_process *process)
{
	struct recording_facts *facts = &((struct recording *)ctx)->facts;

	if (facts->pid)
		return 0;
	facts->pid = process->pid;
	utf8_printable(facts->command, sizeof(facts->command), process->command,
		       strlen(process->command));
	utf8_printable(facts->runtime, sizeof(facts->runtime), process->runtime,
		       strlen(process->runtime));
	return 0;
}

static int on_sample(void *ctx, const struct capture_sample *sample)
{
	struct recording *recording = ctx;

	recording->facts.n_samples += 1 + (uint64_t)sample->repeats;
	return 0;
}

static int on_stats(void *ctx, const struct capture_stats *stats)
{
	struct recording *recording = ctx;

	recording->facts.stats = *stats;
	return 0;
}

static int on_end(void *ctx, const struct capture_end *end)
{
	struct recording *recording = ctx;

	recording->facts.has_ended = true;
	recording->facts.code = end->code;
	snprintf(recording->facts.text, sizeof(recording->facts.text), "%s", end->text);
	return 0;
}

static const struct capture_events own_events = {
	.header = on_header,
	.process = on_process,
	.sample = on_sample,
	.stats = on_stats,
	.end = on_end,
};

/* ---- start ---- */

/* Blocked before anything is forked or threaded, so that all inherit it; read from a descriptor. */
static int open_signals(struct err *err)
{
	static const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	for (size_t i = 0; i < array_len(wanted); i++)
		sigaddset(&mask, wanted[i]);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(err, -errno, "cannot receive signals") : fd;
}

static void give_up_rights(void)
{
	unsigned held = drop_rights(true);

	log_debug("rights given up: capabilities %s, new privileges %s, system calls %s, being "
		  "read %s",
		  held & DROPPED_CAPABILITIES ? "yes" : "no",
		  held & DROPPED_NEW_PRIVILEGES ? "yes" : "no", held & DROPPED_CALLS ? "yes" : "no",
		  held & DROPPED_DUMPABLE ? "yes" : "no");
}

/*
 * Where the target's files are, in its own mount namespace: opened now, since it takes rights that the front gives
 * up.  The root of a program that is still to be started is ours.
 */
static void add_root(struct recording *recording)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)recording->config.pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		symbolizer_add_root(recording->symbolizer, fd);
}

/* Without names native frames are addresses, which `convert` can name later: no reason not to record. */
static void start_naming(struct recording *recording, struct names *names, struct tree *tree)
{
	struct symbolizer_config config = {
		.names = names,
		.tree = tree,
		.debug_dirs = recording->debug_dirs,
		.trusts_paths = true,
	};
	struct err err;

	if (!recording->config.with_native || recording->is_nameless)
		return;
	if (symbolizer_new(&config, &recording->symbolizer, &err) < 0) {
		log_warn("native frames stay addresses: %s", err.text);
		return;
	}
	add_root(recording);
	recording->naming = naming_new(recording->symbolizer, sinks_events(), recording->sinks);
}

static void take_file(void *ctx, const char *build_id, const char *path, int fd)
{
	struct recording *recording = ctx;

	symbolizer_add_file(recording->symbolizer, build_id, path, fd);
}

static int start_session(struct recording *recording, struct names *names, struct tree *tree,
			 struct err *err)
{
	const struct capture_events *events = sinks_events();
	void *ctx = recording->sinks;

	start_naming(recording, names, tree);
	if (recording->naming) {
		events = naming_events();
		ctx = recording->naming;
		recording->config.file = take_file;
		recording->config.file_ctx = recording;
	}
	return session_start(&recording->config, names, tree, events, ctx, &recording->session,
			     err);
}

int recording_start(struct recording *recording, char **command, struct names *names,
		    struct tree *tree, struct err *err)
{
	int r;

	recording->signal_fd = open_signals(err);
	if (recording->signal_fd < 0)
		return recording->signal_fd;
	if (command) {
		r = launch_prepare(&recording->launch, command, recording->streams, err);
		if (r < 0)
			return r;
		recording->config.pid = recording->launch.pid;
		recording->config.is_launched = true;
	}
	sinks_add(recording->sinks, &own_events, recording);
	r = start_session(recording, names, tree, err);
	if (r < 0)
		return r;
	log_debug("process %d is sampled, its results go to process %d", (int)recording->config.pid,
		  (int)getpid());
	give_up_rights();
	return command ? launch_go(&recording->launch, err) : 0;
}

/* ---- the loop ---- */

/* What a terminal sends goes to its whole foreground group: the program has it already. */
static void pass_on(const struct launch *launch, const struct signalfd_siginfo *info)
{
	if (launch->pid > 0 && info->ssi_code != SI_KERNEL)
		kill(launch->pid, (int)info->ssi_signo);
}

/* Returns how many came. */
static int take_signals(struct recording *recording)
{
	struct signalfd_siginfo info;
	int n = 0;

	while (read(recording->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (!recording->facts.is_interrupted) {
			session_stop(recording->session);
			pass_on(&recording->launch, &info);
		}
		recording->facts.is_interrupted = true;
		n++;
	}
	return n;
}

void recording_stop(struct recording *recording)
{
	session_stop(recording->session);
}

bool recording_await_program(struct recording *recording)
{
	struct pollfd fds = {.fd = recording->signal_fd, .events = POLLIN};

	session_free(recording->session); /* nobody traces it while it ends */
	recording->session = NULL;
	while (!launch_has_ended(&recording->launch)) {
		(void)poll(&fds, 1, PROGRAM_POLL_MS);
		if (fds.revents && take_signals(recording) > 0)
			return false;
	}
	return true;
}

void recording_fds(const struct recording *recording, struct pollfd fds[RECORDING_FDS])
{
	session_fds(recording->session, fds);
	fds[SESSION_FDS] = (struct pollfd){.fd = recording->signal_fd, .events = POLLIN};
	fds[SESSION_FDS + 1] = (struct pollfd){
		.fd = recording->naming ? naming_fd(recording->naming) : -1, .events = POLLIN};
}

int recording_step(struct recording *recording, struct err *err)
{
	int r;

	take_signals(recording);
	r = session_pump(recording->session, err);
	if (r == 0 && recording->naming)
		r = naming_pump(recording->naming);
	return r;
}

bool recording_has_ended(const struct recording *recording)
{
	return session_has_ended(recording->session);
}

void recording_conclude(struct recording *recording)
{
	session_facts(recording->session, &recording->facts.session);
}

int recording_wait(struct recording *recording, int ms, struct err *err)
{
	struct pollfd fds[RECORDING_FDS];

	recording_fds(recording, fds);
	if (poll(fds, array_len(fds), ms) < 0 && errno != EINTR)
		return err_sys(err, -errno, "cannot wait for samples");
	return recording_step(recording, err);
}

int recording_run(struct recording *recording, struct err *err)
{
	int r = 0;

	while (r == 0 && !recording_has_ended(recording)) {
		r = recording_wait(recording, RECORDING_BEAT_MS, err);
		if (recording->on_beat)
			recording->on_beat(recording->beat_ctx, recording);
	}
	recording_conclude(recording);
	return r;
}

void recording_done(struct recording *recording)
{
	session_free(recording->session); /* before the program: nobody traces it while it ends */
	recording->session = NULL;
	naming_free(recording->naming);
	symbolizer_free(recording->symbolizer);
	if (recording->config.is_launched)
		launch_done(&recording->launch);
	if (recording->signal_fd > 0)
		close(recording->signal_fd);
}
