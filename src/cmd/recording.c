/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/recording.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "proc/drop_rights.h"

/* ---- what the recording itself wants to know of the stream ---- */

static int on_header(void *ctx, const struct capture_header *header)
{
	struct recording *recording = ctx;

	recording->facts.is_nonblocking = header->flags & CAPTURE_NONBLOCKING;
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

	if (!(held & DROPPED_CALLS))
		log_debug("this kernel lets the front keep system calls that it does not need");
}

int recording_start(struct recording *recording, char **command, struct names *names,
		    struct tree *tree, struct err *err)
{
	int r;

	recording->signal_fd = open_signals(err);
	if (recording->signal_fd < 0)
		return recording->signal_fd;
	if (command) {
		r = launch_prepare(&recording->launch, command, err);
		if (r < 0)
			return r;
		recording->config.pid = recording->launch.pid;
		recording->config.is_launched = true;
	}
	sinks_add(recording->sinks, &own_events, recording);
	r = session_start(&recording->config, names, tree, sinks_events(), recording->sinks,
			  &recording->session, err);
	if (r < 0)
		return r;
	give_up_rights();
	return command ? launch_go(&recording->launch, err) : 0;
}

/* ---- the loop ---- */

static void take_signals(struct recording *recording)
{
	struct signalfd_siginfo info;

	while (read(recording->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (!recording->facts.is_interrupted)
			session_stop(recording->session);
		recording->facts.is_interrupted = true;
	}
}

int recording_run(struct recording *recording, struct err *err)
{
	int r = 0;

	while (r == 0 && !session_has_ended(recording->session)) {
		struct pollfd fds[SESSION_FDS + 1];

		session_fds(recording->session, fds);
		fds[SESSION_FDS] = (struct pollfd){.fd = recording->signal_fd, .events = POLLIN};
		if (poll(fds, array_len(fds), RECORDING_BEAT_MS) < 0 && errno != EINTR)
			return err_sys(err, -errno, "cannot wait for samples");
		if (fds[SESSION_FDS].revents)
			take_signals(recording);
		r = session_pump(recording->session, err);
		if (recording->on_beat)
			recording->on_beat(recording->beat_ctx, recording);
	}
	session_facts(recording->session, &recording->facts.session);
	return r;
}

void recording_done(struct recording *recording)
{
	session_free(recording->session); /* before the program: nobody traces it while it ends */
	recording->session = NULL;
	if (recording->config.is_launched)
		launch_end(&recording->launch);
	if (recording->signal_fd > 0)
		close(recording->signal_fd);
}
