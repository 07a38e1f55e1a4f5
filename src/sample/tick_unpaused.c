/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that nobody stopped: asleep since their last stack, or read as they are. */
#include "sample/tick_private.h"

#include "base/clock.h"
#include "base/vec.h"
#include "sample/state.h"

#define RESTLESS_NS NS_PER_S /* see tick_read_restless() */

/* ---- what members do, without their stacks ---- */

/* Ask the kernel what the thread does; it decides whether the next ticks can leave it alone. */
void tick_observe(struct tick *tick, struct member *member, int64_t now_ns)
{
	bool is_gil;

	if (thread_look(&member->files, &member->view) < 0) {
		member->view = (struct thread_view){0};
		member->state = STATE_UNKNOWN;
		member->asleep_since_ns = 0;
		return;
	}
	is_gil = member->view.doing == THREAD_FUTEX &&
		 python_is_gil_futex(tick->target->python, member->view.args[0]);
	member->state = (uint8_t)state_of(member->view.doing, member->has_gil, is_gil);
	member->asleep_since_ns = member->view.doing == THREAD_RUNNING ? 0 : now_ns;
	member->probe_at_ns = now_ns;
}

/* Asleep since its last true stack? */
static bool still_sleeps(const struct tick *tick, struct member *member, int64_t now_ns)
{
	bool is_native = member->python == PYTHON_NO_THREAD && !tick->native;
	int64_t most_ns = is_native ? CREW_PROBE_NATIVE_NS : CREW_PROBE_MAX_NS;
	uint64_t slices = member->cpu.slices;
	int64_t rest_ns;

	if (!member->asleep_since_ns || !member->has_node)
		return false;
	if (now_ns < member->probe_at_ns)
		return true;
	if (thread_cpu(&member->files, &member->cpu) < 0 || member->cpu.slices != slices)
		return false;
	rest_ns = now_ns - member->asleep_since_ns;
	if (is_native)
		rest_ns *= CREW_PROBE_NATIVE_TIMES;
	else
		rest_ns /= CREW_PROBE_SHARE;
	member->probe_at_ns = now_ns + min_of(rest_ns, most_ns);
	return true;
}

void tick_want(struct tick *tick, uint32_t python)
{
	tick->wanted = vec_grow(tick->wanted, &tick->wanted_cap, tick->n_wanted + 1,
				sizeof(*tick->wanted));
	tick->wanted[tick->n_wanted++] = python;
}

void tick_set_native(struct tick *tick, struct member *member)
{
	member->node = tick->native_node;
	member->has_stack = false;
	member->has_node = true;
	member->news = MEMBER_PROVEN;
}

/* ---- their stacks ---- */

/* The same of one that nobody stopped and whose stack was taken: both count, or none. */
static int read_moving_values(struct tick *tick, struct member *member, unsigned flags)
{
	int r = locals_read_waiting(tick->locals, member, flags);

	if (r < 0)
		return r;
	if (r > 0 && tick->locals->marker.v)
		tick_take(tick, member, MEMBER_PROVEN);
	if (r == 0) {
		tick_lose(tick, member, true);
		member->has_node = false;
	}
	return 0;
}

/* It sleeps, and the number of its time slices proves that it did so until it was read: once is enough. */
int tick_read_asleep(struct tick *tick, struct member *member)
{
	uint64_t slices = member->cpu.slices;
	int r = python_read_paused(tick->target->python, member->python, 0);

	r = tick_read_values(tick, member, r);
	if (r < 0)
		return r;
	if (tick->native)
		native_hold_waiting(tick->native, member->tid, &member->view);
	if (thread_cpu(&member->files, &member->cpu) < 0 || member->cpu.slices != slices)
		return 0;
	if (r == PYTHON_COMPLETE)
		tick_take(tick, member, MEMBER_PROVEN);
	else
		tick_lose(tick, member, false);
	return 0;
}

/*
 * A thread that was found in the middle of waking up is met again: it goes in and out of Python often, and
 * dropping it whenever it moves would show less of what it does for a short time.  So for a while it is paused
 * whenever it runs, also without the GIL, and proven by its time slices when it sleeps.
 */
int tick_read_restless(struct tick *tick, struct member *member, int64_t now_ns)
{
	for (int i = 0; i < TICK_MAX_TRIES && member->news == MEMBER_UNKNOWN; i++) {
		int r;

		if (!tick_pauses(tick, now_ns)) /* somebody else has begun to trace it */
			break;
		if (i > 0) {
			if (thread_cpu(&member->files, &member->cpu) < 0)
				break;
			tick_observe(tick, member, now_ns);
		}
		if (member->asleep_since_ns)
			r = tick_read_asleep(tick, member);
		else
			r = tick_read_running(tick, member, 0, now_ns);
		if (r < 0)
			return r;
	}
	if (member->news == MEMBER_UNKNOWN)
		tick_lose(tick, member, true);
	return 0;
}

/*
 * The account is read before the state and the stack: if it is the same next time, the thread slept
 * through all three.
 */
int tick_probe(struct tick *tick, const struct python_look *look, struct member *member,
	       int64_t now_ns)
{
	const struct python_thread *thread =
		member->python == PYTHON_NO_THREAD ? NULL : &look->threads[member->python];

	member->has_gil = thread && thread->holds_gil;
	member->runs_python = thread && thread->runs_python;
	if (!member->runs_python && still_sleeps(tick, member, now_ns)) {
		member->news = MEMBER_SAME;
		return 0;
	}
	if (tick_avoids(tick, member, now_ns))
		return 0;
	if (thread_cpu(&member->files, &member->cpu) < 0) {
		member->news = MEMBER_LOST; /* it has just ended: the next list will say so */
		return 0;
	}
	tick_observe(tick, member, now_ns);
	if (tick->native)
		return tick_probe_native(tick, member, now_ns);
	/* While another thread holds the GIL it is most likely to stay as it is. */
	if (thread && now_ns < member->restless_until_ns && tick_pauses(tick, now_ns) &&
	    look->holder == PYTHON_NO_THREAD)
		return tick_read_restless(tick, member, now_ns);
	if (thread) /* without frames, too: a look can catch a thread that is changing its chain */
		tick_want(tick, member->python);
	else if (!thread && tick->crew->has_unbound)
		member->news = MEMBER_LOST; /* it may be one that Python has not told the id of */
	else
		tick_set_native(tick, member);
	return 0;
}

/*
 * While we pause those that run Python, one that does so in either of its two readings does not count: which
 * of them happen to be equal twice depends on what they run.  One that sleeps meanwhile is read alone.
 */
int tick_read_unpaused(struct tick *tick, uint32_t *wanted, size_t n, unsigned flags,
		       bool is_pausing)
{
	int r;

	if (n == 0)
		return 0;
	tick->outcomes = vec_grow(tick->outcomes, &tick->outcomes_cap, n, 1);
	r = python_read_waiting(tick->target->python, wanted, n, flags, tick->outcomes);
	if (r < 0)
		return r;
	/* Stacks first: they have to be taken before anything else is read. */
	if (tick->native)
		native_forget(tick->native);
	for (size_t i = 0; i < n; i++) {
		struct member *member = crew_of_python(tick->crew, wanted[i]);

		if (member && tick->outcomes[i] == PYTHON_COMPLETE)
			tick_take(tick, member, MEMBER_PROVEN);
		else if (member && tick->outcomes[i] == PYTHON_HELD)
			tick_take(tick, member, MEMBER_HELD);
		else if (member && (tick->outcomes[i] != PYTHON_TORN || !is_pausing))
			tick_lose(tick, member, tick->outcomes[i] == PYTHON_TORN);
	}
	for (size_t i = 0; i < n && locals_are_wanted(tick->locals); i++) {
		struct member *member = crew_of_python(tick->crew, wanted[i]);

		if (!member || tick->outcomes[i] != PYTHON_COMPLETE)
			continue;
		r = read_moving_values(tick, member, flags);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n; i++) {
		struct member *member = crew_of_python(tick->crew, wanted[i]);

		if (!member || member->news != MEMBER_UNKNOWN)
			continue;
		member->restless_until_ns = tick->last_ns + RESTLESS_NS;
		r = tick_read_restless(tick, member, tick->last_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

int tick_read_wanted(struct tick *tick, bool is_pausing)
{
	size_t n = 0;

	if (!is_pausing)
		return tick_read_unpaused(tick, tick->wanted, tick->n_wanted, PYTHON_ANY, false);
	for (size_t i = 0; i < tick->n_wanted; i++) {
		struct member *member = crew_of_python(tick->crew, tick->wanted[i]);
		int r = 0;

		if (member && member->runs_python && member->asleep_since_ns)
			r = tick_read_unpaused(tick, &tick->wanted[i], 1, PYTHON_ANY, true);
		else
			tick->wanted[n++] = tick->wanted[i];
		if (r < 0)
			return r;
	}
	return tick_read_unpaused(tick, tick->wanted, n, 0, true);
}
