/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/sampler.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"

#define CHORES_NS (250 * NS_PER_MS) /* the keeper wants a beat every 300 ms */
#define AWAKE_PERIOD_NS (50 * NS_PER_US)
#define SERVE_GAP_NS NS_PER_MS
#define RESTS_NS (250 * NS_PER_MS) /* less than a window waits for (agent/window.h) */
#define NAMES_FIRST_NS (300 * NS_PER_MS)
#define NAMES_MOST_NS (10 * NS_PER_S)
#define IDLE_RELEASE_NS (2 * NS_PER_S) /* a thread not paused for this long gets off the leash */
#define SETTLE_WAIT_NS                                                                             \
	(2 * NS_PER_S) /* CPU time waits this long for a sample that finds it running */
#define ONCE_TRIES 200 /* of a dump, until every thread has a true stack */
#define ONCE_GAP_NS (2 * NS_PER_MS)

void sampler_init(struct sampler *sampler, const struct sampler_config *config,
		  uint32_t first_thread_id)
{
	struct tick *tick = &sampler->tick;

	doze_init(&sampler->doze);
	sampler->config = config;
	sampler->before = sampler->stats;
	crew_init(&sampler->crew, sampler->target, first_thread_id);
	if (config->with_native)
		sampler->native = native_new(sampler->target, sampler->names, &sampler->stats);
	if (sampler->native)
		sampler->native->wire = sampler->wire;
	if (config->with_kernel)
		sampler->kernel =
			kernel_new(sampler->target, sampler->names, sampler->tree, config->rate_hz);
	*tick = (struct tick){
		.target = sampler->target,
		.crew = &sampler->crew,
		.pauser = sampler->pauser,
		.tree = sampler->tree,
		.locals = &sampler->locals,
		.native = sampler->native,
		.with_kernel = config->with_kernel,
		.stats = &sampler->stats,
		.native_node = sampler->native_node,
		.is_nonblocking = config->is_nonblocking,
	};
	locals_init(&sampler->locals, config->locals, sampler->target, sampler->names);
	sampler->stream.writer = sampler->writer;
	sampler->stream.locals = &sampler->locals;
	sampler->stream.names = sampler->names;
	sampler->stream.crew = &sampler->crew;
	sampler->stream.python = sampler->target->python;
	sampler->stream.stats = &sampler->stats;
	sampler->sources = (struct sources){
		.names = sampler->names,
		.tree = sampler->tree,
		.writer = sampler->writer,
		.process_id = sampler->stream.process_id,
		.pid = sampler->target->process.id.pid,
	};
}

void sampler_done(struct sampler *sampler)
{
	doze_done(&sampler->doze);
	sources_done(&sampler->sources);
	locals_done(&sampler->locals);
	native_free(sampler->native);
	kernel_free(sampler->kernel);
	tick_done(&sampler->tick);
	crew_done(&sampler->crew);
}

/* ---- statistics ---- */

static void fill_stats(struct sampler *sampler, int64_t now_ns)
{
	const struct pause_stats *pauses = pauser_stats(sampler->pauser);
	struct capture_stats *stats = &sampler->stats;

	stats->time_ns = now_ns - sampler->stream.begun_ns;
	stats->ticks = sampler->before.ticks + sampler->pace.ticks;
	stats->late_ticks = sampler->before.late_ticks + sampler->pace.late;
	stats->missed_ticks = sampler->before.missed_ticks + sampler->pace.missed;
	stats->signals_passed = pauses->signals_passed;
	stats->eintr_repaired = pauses->eintr_repaired;
	stats->pause_total_ns = pauses->held_ns;
	stats->pause_max_ns = pauses->held_max_ns;
	stats->pause_median_ns = histogram_quantile(&sampler->tick.pauses, 50);
	stats->pause_p99_ns = histogram_quantile(&sampler->tick.pauses, 99);
	stats->reader_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	stats->bytes_read = sampler->before.bytes_read + sampler->target->memory->used.bytes;
	stats->read_calls = sampler->before.read_calls + sampler->target->memory->used.calls;
}

static int write_stats(struct sampler *sampler)
{
	fill_stats(sampler, clock_monotonic_ns());
	return capture_write_stats(sampler->writer, &sampler->stats);
}

/* ---- ticks ---- */

/*
 * A thread may get its name just after it was first seen, and be renamed at any time.  Asking costs a walk
 * through the target's modules where `threading` is not loaded (400 reads, measured), so it is asked soon
 * after threads joined, then ever more seldom.
 */
static int name_threads(struct sampler *sampler, int64_t now_ns)
{
	if (sampler->crew.next_id != sampler->named_until_id) {
		sampler->named_until_id = sampler->crew.next_id;
		sampler->names_gap_ns = NAMES_FIRST_NS;
		sampler->names_due_ns = now_ns + NAMES_FIRST_NS;
	}
	if (now_ns < sampler->names_due_ns)
		return 0;
	sampler->names_gap_ns = min_of(2 * sampler->names_gap_ns, NAMES_MOST_NS);
	sampler->names_due_ns = now_ns + sampler->names_gap_ns;
	return stream_threads(&sampler->stream, true);
}

/* Nobody is known to be there. */
static void lose_all(struct sampler *sampler)
{
	sampler->stats.faults[CAPTURE_FAULT_LISTS]++;
	sampler->stats.errors++;
	sampler->stats.dropped++;
}

static int one_tick(struct sampler *sampler, bool is_late)
{
	unsigned flags = is_late ? STREAM_LATE : 0;
	int64_t now_ns;
	int r = tick_run(&sampler->tick, &now_ns);

	if (r == ERR_TORN) {
		lose_all(sampler);
		return 0;
	}
	if (r < 0)
		return r;
	if (sampler->is_stopped || sampler->tick.is_stopped)
		flags |= STREAM_STOPPED;
	/* A last tick that comes late stands for the end that was asked for: wall weights add up to it. */
	if (sampler->config->end_ns)
		now_ns = min_of(now_ns, sampler->config->end_ns);
	sampler->stream.spacing_ns = sampler->pace.spacing_ns;
	if (sampler->kernel)
		kernel_tick(sampler->kernel, &sampler->crew, now_ns);
	r = stream_samples(&sampler->stream, now_ns, flags);
	return r < 0 ? r : name_threads(sampler, now_ns);
}

static bool has_all_stacks(const struct crew *crew)
{
	for (size_t i = 0; i < crew->n; i++)
		if (!crew->members[i].has_node || crew->members[i].n_unfinished)
			return false;
	return true;
}

/* `dump`: look again until every thread has a true stack, then write each once. */
static int run_once(struct sampler *sampler)
{
	int64_t now_ns;
	int r = 0;

	for (int i = 0; i < ONCE_TRIES; i++) {
		r = tick_run(&sampler->tick, &now_ns);
		sampler->pace.ticks++;
		beat_now(sampler->beat);
		if (r < 0 && r != ERR_TORN)
			return r;
		if (r == ERR_TORN)
			lose_all(sampler);
		if (r == 0 && has_all_stacks(&sampler->crew))
			break;
		(void)poll(NULL, 0, (int)(ONCE_GAP_NS / NS_PER_MS));
		(void)pauser_pump(sampler->pauser);
	}
	if (sampler->kernel)
		kernel_tick(sampler->kernel, &sampler->crew, clock_monotonic_ns());
	for (size_t i = 0; i < sampler->crew.n; i++)
		if (sampler->crew.members[i].has_node &&
		    sampler->crew.members[i].news == MEMBER_LOST)
			sampler->crew.members[i].news =
				MEMBER_SAME; /* of the last tick that got it */
	return stream_samples(&sampler->stream, clock_monotonic_ns(),
			      sampler->tick.is_stopped ? STREAM_STOPPED : 0);
}

/* ---- chores ---- */

/* A stopped process does not run, so nothing tells but its state; its main thread speaks for all. */
static void look_for_stop(struct sampler *sampler)
{
	struct crew *crew = &sampler->crew;
	int letter = crew->n ? thread_letter(&crew->members[0].files) : 0;

	sampler->is_stopped = letter == 'T';
}

static int do_chores(struct sampler *sampler, int64_t now_ns)
{
	int r;

	sampler->chores_due_ns = now_ns + CHORES_NS;
	look_for_stop(sampler);
	r = now_ns >= sampler->rests_due_ns ? stream_rests(&sampler->stream) : 0;
	if (now_ns >= sampler->rests_due_ns)
		sampler->rests_due_ns = now_ns + RESTS_NS;
	if (r == 0)
		r = crew_refresh(&sampler->crew, now_ns, sampler->tick.last_ns, NULL);
	if (r < 0)
		return r;
	r = stream_departed(&sampler->stream, now_ns);
	if (r == 0)
		r = stream_settle(&sampler->stream, now_ns, SETTLE_WAIT_NS);
	if (r == 0 && sampler->config->with_sources)
		r = sources_send_next(&sampler->sources);
	if (r >= 0)
		r = write_stats(sampler);
	if (r == 0)
		r = capture_flush(sampler->writer);
	pauser_release_idle(sampler->pauser, IDLE_RELEASE_NS);
	return r;
}

/* ---- the loop ---- */

static void take_signal(struct sampler *sampler)
{
	struct signalfd_siginfo info;

	if (read(sampler->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		sampler->has_to_end = true;
}

/*
 * At high rates ticks follow each other faster than a sleep takes: then the time between them is waited for
 * here, and others are served every SERVE_GAP_NS.  Never while threads of the target are on the leash, whose
 * signals wait for us.
 */
static bool waits_awake(struct sampler *sampler, int64_t until_ns)
{
	if (sampler->pace.period_ns > AWAKE_PERIOD_NS || until_ns > sampler->serve_due_ns ||
	    pauser_threads(sampler->pauser) > 0)
		return false;
	while (clock_monotonic_ns() < until_ns)
		continue;
	return true;
}

/*
 * With nobody on the leash and nothing to send there is only SIGTERM to wait for (dozing, who stirs): a quarter of what waiting for
 * three descriptors costs.  That the front is gone is noticed by the next block.
 */
static bool waits_alone(struct sampler *sampler, int64_t until_ns)
{
	int64_t left_ns = until_ns - clock_monotonic_ns();
	struct timespec timeout = clock_timespec(max_of(left_ns, (int64_t)0));
	sigset_t signals;
	int got;

	if (pauser_threads(sampler->pauser) > 0 || wire_waiting(sampler->wire) > 0)
		return false;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	if (sampler->doze.state == DOZE_DOZING)
		sigaddset(&signals, SIGIO);
	sampler->serve_due_ns = until_ns + SERVE_GAP_NS;
	got = sigtimedwait(&signals, NULL, &timeout);
	if (got == SIGTERM)
		sampler->has_to_end = true;
	else if (got == SIGIO)
		doze_wake(&sampler->doze);
	return true;
}

/* Sleep until `until_ns`, serving whatever comes before. */
static int serve(struct sampler *sampler, int64_t until_ns)
{
	if (waits_awake(sampler, until_ns) || waits_alone(sampler, until_ns))
		return 0;
	struct pollfd fds[] = {
		{.fd = pauser_fd(sampler->pauser), .events = POLLIN},
		{.fd = sampler->signal_fd, .events = POLLIN},
		{.fd = sampler->wire->fd,
		 .events = wire_waiting(sampler->wire) > 0 ? POLLOUT : 0}, /* hang-up always */
	};
	int64_t left_ns = until_ns - clock_monotonic_ns();
	struct timespec timeout = clock_timespec(max_of(left_ns, (int64_t)0));
	int n = ppoll(fds, array_len(fds), &timeout, NULL);

	sampler->serve_due_ns = until_ns + SERVE_GAP_NS;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[0].revents)
		(void)pauser_pump(sampler->pauser);
	if (fds[1].revents)
		take_signal(sampler);
	if (fds[2].revents & (POLLHUP | POLLERR))
		return -EPIPE;
	return fds[2].revents & POLLOUT ? wire_send(sampler->wire) : 0;
}

static bool is_over(const struct sampler *sampler, int64_t now_ns)
{
	return sampler->has_to_end ||
	       (sampler->config->end_ns && now_ns >= sampler->config->end_ns);
}

static int64_t next_due(const struct sampler *sampler)
{
	int64_t due_ns = sampler->chores_due_ns;

	if (sampler->doze.state != DOZE_DOZING)
		due_ns = min_of(due_ns, sampler->pace.due_ns);

	return sampler->config->end_ns ? min_of(due_ns, sampler->config->end_ns) : due_ns;
}

/* So that the weights reach to the end, and names do that came after they were asked for last. */
static int last_tick(struct sampler *sampler)
{
	int r = one_tick(sampler, false);

	return r == 0 ? stream_threads(&sampler->stream, true) : r;
}

static void sleep_through(struct sampler *sampler, int64_t now_ns)
{
	int64_t last_ns;
	uint32_t n = pace_skip(&sampler->pace, now_ns, &last_ns);

	if (n > 0)
		stream_slept(&sampler->stream, n, last_ns);
}

static bool may_doze(const struct sampler *sampler)
{
	return !sampler->is_stopped && pauser_threads(sampler->pauser) == 0 &&
	       wire_waiting(sampler->wire) == 0;
}

static int loop(struct sampler *sampler)
{
	for (;;) {
		bool was_dozing = sampler->doze.state == DOZE_DOZING;
		int r = serve(sampler, next_due(sampler));
		int64_t now_ns = clock_monotonic_ns();

		if (r < 0)
			return r;
		if (was_dozing)
			sleep_through(sampler, now_ns);
		if (is_over(sampler, now_ns))
			return last_tick(sampler);
		if (now_ns >= sampler->pace.due_ns) {
			bool is_late = pace_tick(&sampler->pace, now_ns);

			if (wire_waiting(sampler->wire) < WIRE_QUEUE_BUSY_BYTES)
				r = one_tick(sampler, is_late);
			else
				sampler->pace.missed++;
			doze_after_tick(&sampler->doze, &sampler->crew, now_ns, may_doze(sampler));
		}
		if (r == 0 && now_ns >= sampler->chores_due_ns)
			r = do_chores(sampler, now_ns);
		if (now_ns < sampler->chores_due_ns && was_dozing)
			doze_look_up(&sampler->doze);
		if (r < 0)
			return r;
		beat_now(sampler->beat);
	}
}

static bool means_gone(int code)
{
	return code == ERR_GONE || code == -ESRCH;
}

/* The target is no more what it was: give its last CPU time out, and find words for it. */
static int explain_end(struct sampler *sampler, int code, struct err *err)
{
	int pid = sampler->target->process.id.pid;
	int64_t total_ns;

	if (code == -EPERM)
		return err_set(err, code, "process %d may not be read any more", pid);
	if (!means_gone(code))
		return err_sys(err, code, "sampling process %d", pid);
	if (target_lives_on(sampler->target))
		return err_set(err, ERR_GONE, "process %d became another program", pid);
	if (process_cpu(pid, &total_ns) < 0)
		total_ns = -1;
	code = stream_rests(&sampler->stream);
	if (code == 0)
		code = stream_settle(&sampler->stream, clock_monotonic_ns(), 0);
	if (code == 0)
		code = stream_last(&sampler->stream, clock_monotonic_ns(), total_ns);
	if (code < 0)
		return err_sys(err, code, "sending the last samples of process %d", pid);
	return err_set(err, ERR_GONE, "process %d has ended", pid);
}

static int begin(struct sampler *sampler, struct err *err)
{
	int64_t now_ns = clock_monotonic_ns();
	bool is_first = sampler->before.ticks == 0;
	int r;

	if (is_first) /* t = 0 was just now; wall weights begin there */
		now_ns = sampler->stream.begun_ns;
	r = crew_list(&sampler->crew, now_ns, err);

	if (r < 0)
		return r;
	stream_begin(&sampler->stream);
	sampler->tick.last_ns = now_ns;
	sampler->chores_due_ns = now_ns + CHORES_NS;
	pace_init(&sampler->pace, sampler->config->rate_hz, now_ns,
		  (uint64_t)now_ns ^ (uint64_t)getpid());
	return 0;
}

int sampler_run(struct sampler *sampler, struct err *err)
{
	int r = begin(sampler, err);

	if (r < 0)
		return r;
	r = sampler->config->is_once ? run_once(sampler) : loop(sampler);
	if (r == 0)
		r = stream_rests(&sampler->stream);
	if (r == 0)
		r = stream_departed(&sampler->stream, clock_monotonic_ns());
	if (r == 0)
		r = stream_settle(&sampler->stream, clock_monotonic_ns(), 0);
	if (r < 0)
		r = explain_end(sampler, r, err);
	if (r != -EPIPE)
		(void)write_stats(sampler);
	return r;
}
