/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that run Python: paused, read, let go on. */
#include "sample/tick_private.h"

#include "base/clock.h"

/* Who runs on a CPU stops within this time: by then one that has not stopped waits for one. */
#define STOPS_WITHIN_NS NS_PER_MS
#define RETRY_PAUSE_NS NS_PER_S /* how long to leave a target alone that somebody else traces */
/* After this long it is no other profiler that pauses it, now and then, but one who keeps it. */
#define REFUSED_NS (100 * NS_PER_MS)

static enum thread_state running_state(const struct member *member)
{
	return member->has_gil ? STATE_RUNNING_GIL : STATE_RUNNING;
}

/* Read the thread that stands still; nudge it on while it stands inside a push or pop. */
static int read_stopped(struct tick *tick, struct member *member, unsigned flags,
			int64_t deadline_ns, bool *ret_is_stopped)
{
	int nudges = 0, r;

	*ret_is_stopped = true;
	r = tick_read_held(tick, member, flags);
	while (r == PYTHON_INCOMPLETE && nudges++ < TICK_MAX_NUDGES &&
	       clock_monotonic_ns() < deadline_ns) {
		enum pause_outcome outcome = pause_nudge(tick->pauser, deadline_ns);

		if (outcome != PAUSE_STOPPED && outcome != PAUSE_STOPPED_ALREADY) {
			*ret_is_stopped = false;
			return PYTHON_TORN;
		}
		r = tick_read_held(tick, member, flags);
	}
	member->was_stepped = nudges > 0 && r == PYTHON_COMPLETE;
	return r;
}

/*
 * Interrupted, but not stopped within STOPS_WITHIN_NS: on a crowded machine it waits for a CPU.  Until it gets one
 * nothing of it moves, and the number of its time slices proves that it got none from before the interrupt until
 * after the read: as true as a pause.  0: it got one, so that it can be paused now, or has no GIL any more.
 */
static int read_queued(struct tick *tick, struct member *member, unsigned flags, uint64_t slices)
{
	int r = python_read_paused(tick->target->python, member->python, flags);
	bool has_moved;

	r = tick_read_values(tick, member, r);
	if (r < 0)
		return r;
	has_moved = thread_cpu(&member->files, &member->cpu) < 0 || member->cpu.slices != slices;
	member->asleep_since_ns = 0;
	member->state = running_state(member);
	if (has_moved || r == PYTHON_NOT_RUNNING)
		return 0;
	if (r == PYTHON_COMPLETE)
		tick_take(tick, member, MEMBER_PROVEN);
	else
		tick_lose(tick, member, false);
	return 1;
}

static void note_refusal(struct tick *tick, int64_t now_ns)
{
	if (!tick->refused_since_ns)
		tick->refused_since_ns = now_ns;
	if (now_ns - tick->refused_since_ns > REFUSED_NS)
		tick->nonblocking_until_ns = now_ns + RETRY_PAUSE_NS;
}

int tick_read_running(struct tick *tick, struct member *member, unsigned flags, int64_t now_ns)
{
	/* Of the many that a build without a GIL may run, the first can use up the tick's time. */
	int64_t deadline_ns =
		max_of(now_ns + TICK_PAUSE_WAIT_NS, clock_monotonic_ns() + STOPS_WITHIN_NS);
	enum pause_outcome outcome;
	bool is_stopped;
	int64_t held_ns;
	uint64_t slices;
	int r;

	if (tick->native)
		native_forget(tick->native);
	if (tick_avoids(tick, member, now_ns))
		return 1;
	if (thread_cpu(&member->files, &member->cpu) < 0) {
		member->news = MEMBER_LOST;
		return 1;
	}
	slices = member->cpu.slices;
	outcome = pause_thread(tick->pauser, tick->crew->pid, member->tid, deadline_ns);
	if (outcome != PAUSE_TRACED && outcome != PAUSE_DENIED)
		tick->refused_since_ns = 0;
	switch (outcome) {
	case PAUSE_STOPPED_ALREADY:
		tick->is_stopped = true;
		/* fall through */
	case PAUSE_STOPPED:
		held_ns = pauser_stats(tick->pauser)->held_ns;
		r = read_stopped(tick, member, flags, deadline_ns, &is_stopped);
		r = tick_read_values(tick, member, r);
		if (is_stopped)
			pause_resume(tick->pauser);
		histogram_add(&tick->pauses, pauser_stats(tick->pauser)->held_ns - held_ns);
		break;
	case PAUSE_ASLEEP: /* in the middle of Python: tick_probe() reads it as it is */
		return 1;
	case PAUSE_TRACED:
	case PAUSE_DENIED:
		note_refusal(tick, now_ns);
		return 0;
	case PAUSE_GONE:
		member->news = MEMBER_LOST;
		return 1;
	default:
		return read_queued(tick, member, flags, slices);
	}
	if (r < 0)
		return r;
	/*
	 * The scheduler's account is fresh only now that the thread has stood still.  Its file knows one that
	 * ended, and whose id and memory are another's since: nothing of that is told of this one.
	 */
	if (thread_cpu(&member->files, &member->cpu) < 0) {
		member->news = MEMBER_LOST;
		return 1;
	}
	member->asleep_since_ns = 0;
	member->state = running_state(member);
	if (r == PYTHON_COMPLETE)
		tick_take(tick, member, MEMBER_PAUSED);
	else if (r != PYTHON_NOT_RUNNING)
		tick_lose(tick, member, true);
	return r != PYTHON_NOT_RUNNING;
}

int tick_read_all_running(struct tick *tick, const struct python_look *look, int64_t now_ns)
{
	int done = 1;

	for (uint32_t i = 0; i < look->n; i++) {
		struct member *member =
			look->threads[i].runs_python ? crew_of_python(tick->crew, i) : NULL;
		int r;

		if (!member || member->news != MEMBER_UNKNOWN)
			continue;
		member->has_gil = look->threads[i].holds_gil;
		member->runs_python = true;
		r = tick_read_running(tick, member, PYTHON_NEEDS_RUNNING, now_ns);
		if (r < 0)
			return r;
		done = done && r;
	}
	return done;
}
