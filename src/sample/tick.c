/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/tick.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/vec.h"
#include "sample/state.h"

#define RESTLESS_NS NS_PER_S /* see read_restless() */
/* Rule 5: 1, 2, 4 … 1,024 ms. */
#define FAULTS_BORNE 10
#define AVOID_FIRST_NS NS_PER_MS
#define AVOID_DOUBLINGS 10
#define RETRY_PAUSE_NS NS_PER_S /* how long to leave a target alone that somebody else traces */
/* After this long it is no other profiler that pauses it, now and then, but one who keeps it. */
#define REFUSED_NS (100 * NS_PER_MS)

void tick_done(struct tick *tick)
{
	free(tick->wanted);
	free(tick->outcomes);
	*tick = (struct tick){0};
}

static bool pauses(const struct tick *tick, int64_t now_ns)
{
	return !tick->is_nonblocking && now_ns >= tick->nonblocking_until_ns;
}

/* ---- what is wrong with a thread's memory ---- */

static void count_fault(struct tick *tick, const struct member *member)
{
	static const enum capture_fault of[PYTHON_FAULTS] = {
		[PYTHON_CYCLE] = CAPTURE_FAULT_CYCLE,
		[PYTHON_WILD_FRAME] = CAPTURE_FAULT_WILD_FRAME,
		[PYTHON_NO_BASE] = CAPTURE_FAULT_NO_BASE,
		[PYTHON_BAD_CODE] = CAPTURE_FAULT_BAD_CODE,
		[PYTHON_TOO_MUCH] = CAPTURE_FAULT_TOO_MUCH,
	};

	if (member->fault == PYTHON_SOUND)
		return;
	tick->stats->errors++;
	tick->stats->faults[of[member->fault]]++;
}

/* Rule 5. */
static void note_fault(struct tick *tick, struct member *member)
{
	member->fault = (uint8_t)python_fault(tick->target->python, member->python);
	count_fault(tick, member);
	if (member->fault == PYTHON_SOUND)
		member->n_faults = 0;
	else if (member->n_faults < FAULTS_BORNE + AVOID_DOUBLINGS)
		member->n_faults++;
	if (member->n_faults >= FAULTS_BORNE)
		member->avoided_until_ns = clock_monotonic_ns() +
					   (AVOID_FIRST_NS << (member->n_faults - FAULTS_BORNE));
}

static bool is_avoided(struct tick *tick, struct member *member, int64_t now_ns)
{
	if (now_ns >= member->avoided_until_ns)
		return false;
	member->news = MEMBER_LOST;
	tick->stats->dropped++;
	count_fault(tick, member);
	return true;
}

/* ---- what members do, without their stacks ---- */

/* Ask the kernel what the thread does; it decides whether the next ticks can leave it alone. */
static void observe(struct tick *tick, struct member *member, int64_t now_ns)
{
	struct thread_view view;
	bool is_gil;

	if (thread_look(&member->files, &view) < 0) {
		member->state = STATE_UNKNOWN;
		member->asleep_since_ns = 0;
		return;
	}
	is_gil = view.doing == THREAD_FUTEX &&
		 python_is_gil_futex(tick->target->python, view.args[0]);
	member->state = (uint8_t)state_of(view.doing, member->has_gil, is_gil);
	member->asleep_since_ns = view.doing == THREAD_RUNNING ? 0 : now_ns;
	member->probe_at_ns = now_ns;
}

/* Asleep since its last true stack? */
static bool still_sleeps(struct member *member, int64_t now_ns)
{
	bool is_native = member->python == PYTHON_NO_THREAD;
	int64_t most_ns = is_native ? CREW_PROBE_NATIVE_NS : CREW_PROBE_MAX_NS;
	uint64_t slices = member->cpu.slices;
	int64_t rest_ns;

	if (!member->asleep_since_ns || !member->has_node)
		return false;
	if (now_ns < member->probe_at_ns)
		return true;
	if (thread_cpu(&member->files, &member->cpu) < 0 || member->cpu.slices != slices)
		return false;
	rest_ns = (now_ns - member->asleep_since_ns) /
		  (is_native ? CREW_PROBE_NATIVE_SHARE : CREW_PROBE_SHARE);
	member->probe_at_ns = now_ns + min_of(rest_ns, most_ns);
	return true;
}

static void want(struct tick *tick, uint32_t python)
{
	tick->wanted = vec_grow(tick->wanted, &tick->wanted_cap, tick->n_wanted + 1,
				sizeof(*tick->wanted));
	tick->wanted[tick->n_wanted++] = python;
}

static void set_native(struct tick *tick, struct member *member)
{
	member->node = tick->native_node;
	member->has_stack = false;
	member->has_node = true;
	member->news = MEMBER_PROVEN;
}

/* ---- stacks ---- */

/* Callers mostly are what they were: their nodes need not be looked up again. */
static struct node_id find_node(struct tree *tree, struct node_path *path, size_t n_same,
				const struct python_stack *stack)
{
	struct node_id node = {0};

	path->n = min_of(path->n, n_same);
	if (path->n)
		node = path->nodes[path->n - 1];
	path->nodes = vec_grow(path->nodes, &path->cap, stack->n, sizeof(*path->nodes));
	while (path->n < stack->n) {
		if (!tree_try_child(tree, node, stack->frames[path->n], &node))
			break; /* the tree is full */
		path->nodes[path->n++] = node;
	}
	return node;
}

static void take_stack(struct tick *tick, struct member *member, enum member_news news)
{
	struct python_stack stack;

	python_stack(tick->target->python, member->python, &stack);
	if (stack.n == 0)
		member->node = tick->native_node;
	else if (tick->locals->marker.v)
		member->node = locals_stack(tick->locals, tick->tree, &stack);
	else if (!stack.is_same || !member->has_stack)
		member->node = find_node(tick->tree, &member->path,
					 member->has_stack ? stack.n_same : 0, &stack);
	/* A node with values is not that of the next stack, which may have others. */
	member->has_stack = stack.n > 0 && !tick->locals->marker.v;
	tick->locals->marker = (struct frame_id){0};
	member->has_node = true;
	member->n_faults = 0;
	member->news = (uint8_t)news;
}

static void lose(struct tick *tick, struct member *member, bool is_torn)
{
	note_fault(tick, member);
	member->news = MEMBER_LOST;
	member->asleep_since_ns = 0; /* so that the next tick reads it whatever it does */
	tick->stats->dropped++;
	tick->stats->torn += is_torn;
}

/* The values that go with the stack of a thread that does not move, if it came out whole. */
static int read_values(struct tick *tick, const struct member *member, int outcome)
{
	if (outcome != PYTHON_COMPLETE || !locals_are_wanted(tick->locals))
		return outcome;
	int r = locals_read(tick->locals, member);
	return r < 0 ? r : PYTHON_COMPLETE;
}

/* The same of one that nobody stopped and whose stack was taken: both count, or none. */
static int read_moving_values(struct tick *tick, struct member *member, unsigned flags)
{
	int r = locals_read_waiting(tick->locals, member, flags);

	if (r < 0)
		return r;
	if (r > 0 && tick->locals->marker.v)
		take_stack(tick, member, MEMBER_PROVEN);
	if (r == 0) {
		lose(tick, member, true);
		member->has_node = false;
	}
	return 0;
}

static enum thread_state running_state(const struct member *member)
{
	return member->has_gil ? STATE_RUNNING_GIL : STATE_RUNNING;
}

/* Read the thread that stands still; nudge it on while it stands inside a push or pop. */
static int read_stopped(struct tick *tick, struct member *member, unsigned flags,
			int64_t deadline_ns, bool *ret_is_stopped)
{
	int64_t give_up_ns = clock_monotonic_ns() + TICK_NUDGE_NS;
	int nudges = 0, r;

	*ret_is_stopped = true;
	r = python_read_paused(tick->target->python, member->python, flags);
	while (r == PYTHON_INCOMPLETE && nudges++ < TICK_MAX_NUDGES &&
	       clock_monotonic_ns() < give_up_ns) {
		enum pause_outcome outcome = pause_nudge(tick->pauser, deadline_ns);

		if (outcome != PAUSE_STOPPED && outcome != PAUSE_STOPPED_ALREADY) {
			*ret_is_stopped = false;
			return PYTHON_TORN;
		}
		r = python_read_paused(tick->target->python, member->python, flags);
	}
	member->was_stepped = nudges > 0 && r == PYTHON_COMPLETE;
	return r;
}

/*
 * Interrupted, but not stopped in time: on a crowded machine it waits for a CPU.  Until it gets one nothing
 * of it moves, and the number of its time slices proves that it got none from before the interrupt until
 * after the read: as true as a pause.
 */
static int read_queued(struct tick *tick, struct member *member, unsigned flags, uint64_t slices)
{
	int r = python_read_paused(tick->target->python, member->python, flags);
	bool has_moved;

	r = read_values(tick, member, r);
	if (r < 0)
		return r;
	has_moved = thread_cpu(&member->files, &member->cpu) < 0 || member->cpu.slices != slices;
	member->asleep_since_ns = 0;
	member->state = running_state(member);
	if (r == PYTHON_COMPLETE && !has_moved)
		take_stack(tick, member, MEMBER_PROVEN);
	else
		lose(tick, member, has_moved);
	return 1;
}

static void note_refusal(struct tick *tick, int64_t now_ns)
{
	if (!tick->refused_since_ns)
		tick->refused_since_ns = now_ns;
	if (now_ns - tick->refused_since_ns > REFUSED_NS)
		tick->nonblocking_until_ns = now_ns + RETRY_PAUSE_NS;
}

/*
 * Pause a thread that runs Python and read it.  1: it is done with, whatever came of it; 0: it does not run
 * Python any more; negative: the process is gone.
 */
static int read_running(struct tick *tick, struct member *member, unsigned flags, int64_t now_ns)
{
	int64_t deadline_ns = now_ns + TICK_PAUSE_WAIT_NS;
	enum pause_outcome outcome;
	bool is_stopped;
	int64_t held_ns;
	uint64_t slices;
	int r;

	if (is_avoided(tick, member, now_ns))
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
		r = read_values(tick, member, r);
		if (is_stopped)
			pause_resume(tick->pauser);
		histogram_add(&tick->pauses, pauser_stats(tick->pauser)->held_ns - held_ns);
		break;
	case PAUSE_ASLEEP: /* in the middle of Python: probe() reads it as it is */
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
		take_stack(tick, member, MEMBER_PAUSED);
	else if (r != PYTHON_NOT_RUNNING)
		lose(tick, member, true);
	return r != PYTHON_NOT_RUNNING;
}

/* All of them: one per interpreter with a GIL, any number without.  0: the picture has changed, look again. */
static int read_all_running(struct tick *tick, const struct python_look *look, int64_t now_ns)
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
		r = read_running(tick, member, PYTHON_NEEDS_RUNNING, now_ns);
		if (r < 0)
			return r;
		done = done && r;
	}
	return done;
}

/* ---- threads that nobody stopped ---- */

/* It sleeps, and the number of its time slices proves that it did so until it was read: once is enough. */
static int read_asleep(struct tick *tick, struct member *member)
{
	uint64_t slices = member->cpu.slices;
	int r = python_read_paused(tick->target->python, member->python, 0);

	r = read_values(tick, member, r);
	if (r < 0)
		return r;
	if (thread_cpu(&member->files, &member->cpu) < 0 || member->cpu.slices != slices)
		return 0;
	if (r == PYTHON_COMPLETE)
		take_stack(tick, member, MEMBER_PROVEN);
	else
		lose(tick, member, false);
	return 0;
}

/*
 * A thread that was found in the middle of waking up is met again: it goes in and out of Python often, and
 * dropping it whenever it moves would show less of what it does for a short time.  So for a while it is paused
 * whenever it runs, also without the GIL, and proven by its time slices when it sleeps.
 */
static int read_restless(struct tick *tick, struct member *member, int64_t now_ns)
{
	for (int i = 0; i < TICK_MAX_TRIES && member->news == MEMBER_UNKNOWN; i++) {
		int r;

		if (!pauses(tick, now_ns)) /* somebody else has begun to trace it */
			break;
		if (i > 0) {
			if (thread_cpu(&member->files, &member->cpu) < 0)
				break;
			observe(tick, member, now_ns);
		}
		if (member->asleep_since_ns)
			r = read_asleep(tick, member);
		else
			r = read_running(tick, member, 0, now_ns);
		if (r < 0)
			return r;
	}
	if (member->news == MEMBER_UNKNOWN)
		lose(tick, member, true);
	return 0;
}

/*
 * The account is read before the state and the stack: if it is the same next time, the thread slept
 * through all three.
 */
static int probe(struct tick *tick, const struct python_look *look, struct member *member,
		 int64_t now_ns)
{
	const struct python_thread *thread =
		member->python == PYTHON_NO_THREAD ? NULL : &look->threads[member->python];

	member->has_gil = thread && thread->holds_gil;
	member->runs_python = thread && thread->runs_python;
	if (!member->runs_python && still_sleeps(member, now_ns)) {
		member->news = MEMBER_SAME;
		return 0;
	}
	if (is_avoided(tick, member, now_ns))
		return 0;
	if (thread_cpu(&member->files, &member->cpu) < 0) {
		member->news = MEMBER_LOST; /* it has just ended: the next list will say so */
		return 0;
	}
	observe(tick, member, now_ns);
	/* While another thread holds the GIL it is most likely to stay as it is. */
	if (thread && now_ns < member->restless_until_ns && pauses(tick, now_ns) &&
	    look->holder == PYTHON_NO_THREAD)
		return read_restless(tick, member, now_ns);
	if (thread) /* without frames, too: a look can catch a thread that is changing its chain */
		want(tick, member->python);
	else if (!thread && tick->crew->has_unbound)
		member->news = MEMBER_LOST; /* it may be one that Python has not told the id of */
	else
		set_native(tick, member);
	return 0;
}

/*
 * While we pause those that run Python, one that does so in either of its two readings does not count: which
 * of them happen to be equal twice depends on what they run.  One that sleeps meanwhile is read alone.
 */
static int read_unpaused(struct tick *tick, uint32_t *wanted, size_t n, unsigned flags,
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
	for (size_t i = 0; i < n; i++) {
		struct member *member = crew_of_python(tick->crew, wanted[i]);

		if (member && tick->outcomes[i] == PYTHON_COMPLETE)
			take_stack(tick, member, MEMBER_PROVEN);
		else if (member && (tick->outcomes[i] != PYTHON_TORN || !is_pausing))
			lose(tick, member, tick->outcomes[i] == PYTHON_TORN);
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
		r = read_restless(tick, member, tick->last_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_wanted(struct tick *tick, bool is_pausing)
{
	size_t n = 0;

	if (!is_pausing)
		return read_unpaused(tick, tick->wanted, tick->n_wanted, PYTHON_ANY, false);
	for (size_t i = 0; i < tick->n_wanted; i++) {
		struct member *member = crew_of_python(tick->crew, tick->wanted[i]);
		int r = 0;

		if (member && member->runs_python && member->asleep_since_ns)
			r = read_unpaused(tick, &tick->wanted[i], 1, PYTHON_ANY, true);
		else
			tick->wanted[n++] = tick->wanted[i];
		if (r < 0)
			return r;
	}
	return read_unpaused(tick, tick->wanted, n, 0, true);
}

/* ---- the tick ---- */

static int look_and_bind(struct tick *tick, struct python_look *look)
{
	int r = python_look(tick->target->python, look);

	if (r < 0)
		return r;
	if (look->is_list_changed || tick->crew->has_unbound || tick->crew->is_contested) {
		if (crew_misses(tick->crew, look)) {
			r = crew_list(tick->crew, tick->last_ns, NULL);
			if (r < 0)
				return r;
		}
		crew_bind(tick->crew, look);
	}
	/* Noted at once: the next look of this tick compares with this one. */
	for (uint32_t i = 0; i < look->n; i++) {
		struct member *member =
			look->threads[i].is_changed ? crew_of_python(tick->crew, i) : NULL;

		if (member)
			member->asleep_since_ns = 0;
	}
	return 0;
}

static int pause_running(struct tick *tick, struct python_look *look, int64_t *now_ns)
{
	for (int i = 0; i < TICK_MAX_TRIES && pauses(tick, *now_ns); i++) {
		int r;

		if (i > 0) {
			r = look_and_bind(tick, look);
			if (r < 0)
				return r;
		}
		if (look->n_running == 0)
			return 0;
		r = read_all_running(tick, look, *now_ns);
		*now_ns = clock_monotonic_ns();
		if (r != 0)
			return r;
	}
	return 0;
}

/* Of those that the last look wanted to be read: who sleeps has been. */
static void keep_wanting_the_awake(struct tick *tick)
{
	size_t n = 0;

	for (size_t i = 0; i < tick->n_wanted; i++) {
		const struct member *member = crew_of_python(tick->crew, tick->wanted[i]);

		if (member && member->news == MEMBER_LOST)
			tick->wanted[n++] = tick->wanted[i];
	}
	tick->n_wanted = n;
}

/* A tick between looks: tick.h. */
static int run_glance(struct tick *tick, int64_t now_ns)
{
	for (size_t i = 0; i < tick->crew->n; i++) {
		struct member *member = &tick->crew->members[i];

		if (member->asleep_since_ns && member->has_node)
			member->news = MEMBER_SAME;
		else if (member->python != PYTHON_NO_THREAD)
			member->news = MEMBER_LOST; /* until it is read */
	}
	keep_wanting_the_awake(tick);
	tick->last_ns = now_ns;
	return read_unpaused(tick, tick->wanted, tick->n_wanted, PYTHON_ANY, false);
}

int tick_run(struct tick *tick, int64_t *ret_now_ns)
{
	int64_t now_ns = clock_monotonic_ns();
	struct python_look look;
	int r;

	if (now_ns < tick->look_due_ns && !tick->crew->has_unbound) {
		*ret_now_ns = now_ns;
		return run_glance(tick, now_ns);
	}
	tick->n_wanted = 0;
	tick->is_stopped = false;
	for (size_t i = 0; i < tick->crew->n; i++) {
		tick->crew->members[i].news = MEMBER_UNKNOWN;
		tick->crew->members[i].was_stepped = false;
	}
	r = look_and_bind(tick, &look);
	if (r < 0)
		return r;
	tick->stats->left_out = look.n_over_limit;
	r = pause_running(tick, &look, &now_ns);
	if (r < 0)
		return r;
	tick->stats->traced += !tick->is_nonblocking && !pauses(tick, now_ns);
	/* Those that still want a pause here lost the race TICK_MAX_TRIES times: read as they are. */
	for (size_t i = 0; i < tick->crew->n; i++)
		if (tick->crew->members[i].news == MEMBER_UNKNOWN) {
			r = probe(tick, &look, &tick->crew->members[i], now_ns);
			if (r < 0)
				return r;
		}
	tick->last_ns = *ret_now_ns = now_ns;
	if (!pauses(tick, now_ns))
		tick->look_due_ns = now_ns + TICK_LOOK_GAP_NS;
	return read_wanted(tick, pauses(tick, now_ns));
}
