/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tick with native frames: everything that may have run is read alone, with its registers, since a native stack
 * that is not of the same moment as the Python stack is none.
 */
#include "sample/tick_private.h"

#include "base/clock.h"

#define UNFINISHED_BORNE 20 /* then it is as it is, until the thread runs again */

/* For the kernel's part of the sample (sample/kernel.h). */
static void note_stop(struct tick *tick, struct member *member)
{
	struct pause_regs regs;

	if (!tick->with_kernel)
		return;
	member->stop.is_known = pause_regs(tick->pauser, &regs) == 0;
	if (member->stop.is_known)
		member->stop =
			(struct member_stop){.is_known = true, .pc = regs.pc, .call = regs.syscall};
}

int tick_read_held(struct tick *tick, struct member *member, unsigned flags)
{
	struct python *python = tick->target->python;
	struct mem_span span;
	int r;

	note_stop(tick, member);
	if (!tick->native)
		return python_read_paused(python, member->python, flags);
	if (native_aim(tick->native, tick->pauser, &span)) {
		r = python_read_paused_with(python, member->python, flags, &span);
		native_hold(tick->native, &span);
		return r;
	}
	r = python_read_paused(python, member->python, flags);
	/* One that its user had stopped already has registers for /proc only. */
	if (thread_look(&member->files, &member->view) == 0)
		native_hold_waiting(tick->native, member->tid, &member->view);
	return r;
}

/* ---- nodes ---- */

/* A thread that sleeps is not read again; but where its stack may be more soon it is, some times. */
static void note_taken(struct tick *tick, struct member *member)
{
	member->is_recovered = tick->native->was_recovered;
	if (!tick->native->was_unfinished || member->n_unfinished >= UNFINISHED_BORNE) {
		member->n_unfinished = 0;
		return;
	}
	member->n_unfinished++;
	member->asleep_since_ns = 0;
}

struct node_id tick_native_node(struct tick *tick, struct member *member,
				const struct python_stack *stack)
{
	const struct merged *merged = native_take(tick->native, stack);
	struct python_stack shown = *stack;

	note_taken(tick, member);
	if (merged->n > 0) {
		shown.frames = merged->frames;
		shown.n = merged->n;
	}
	if (tick->locals->marker.v)
		return locals_stack(tick->locals, tick->tree, &shown);
	return shown.n ? tree_stack(tick->tree, shown.frames, shown.n) : tick->native_node;
}

static void take_alone(struct tick *tick, struct member *member, enum member_news news)
{
	const struct merged *merged = native_take(tick->native, NULL);

	tick_set_native(tick, member);
	member->news = (uint8_t)news;
	note_taken(tick, member);
	if (merged->n > 0)
		member->node = tree_stack(tick->tree, merged->frames, merged->n);
}

/* ---- threads without Python ---- */

/* False when it woke up meanwhile: what is held is of no moment. */
static bool read_alone_asleep(struct tick *tick, struct member *member)
{
	uint64_t slices = member->cpu.slices;

	native_hold_waiting(tick->native, member->tid, &member->view);
	if (thread_cpu(&member->files, &member->cpu) < 0 || member->cpu.slices != slices) {
		native_forget(tick->native);
		return false;
	}
	take_alone(tick, member, MEMBER_PROVEN);
	return true;
}

/* Of the thread that the pauser holds; one that its user had stopped has registers for /proc only. */
static void hold_alone(struct tick *tick, struct member *member)
{
	struct mem_span span;

	if (native_aim(tick->native, tick->pauser, &span)) {
		memory_budget_set(tick->target->memory, 1, NATIVE_MAX_COPY);
		if (memory_readv(tick->target->memory, &span, 1) < 0)
			span.ok = false;
		native_hold(tick->native, &span);
	} else if (thread_look(&member->files, &member->view) == 0) {
		native_hold_waiting(tick->native, member->tid, &member->view);
	}
}

/* False when it did not stand still: it has gone to sleep, or is somebody else's. */
static bool read_alone_running(struct tick *tick, struct member *member)
{
	int64_t deadline_ns = clock_monotonic_ns() + TICK_PAUSE_WAIT_NS, held_ns;
	enum pause_outcome outcome =
		pause_thread(tick->pauser, tick->crew->pid, member->tid, deadline_ns);

	if (outcome != PAUSE_STOPPED && outcome != PAUSE_STOPPED_ALREADY)
		return false;
	held_ns = pauser_stats(tick->pauser)->held_ns;
	note_stop(tick, member);
	hold_alone(tick, member);
	pause_resume(tick->pauser);
	histogram_add(&tick->pauses, pauser_stats(tick->pauser)->held_ns - held_ns);
	/* Its account is fresh only now. */
	if (thread_cpu(&member->files, &member->cpu) < 0)
		member->news = MEMBER_LOST;
	else
		take_alone(tick, member, MEMBER_PAUSED);
	return true;
}

static void read_alone(struct tick *tick, struct member *member, int64_t now_ns)
{
	for (int i = 0; i < TICK_MAX_TRIES; i++) {
		bool is_read;

		if (i > 0) {
			if (thread_cpu(&member->files, &member->cpu) < 0)
				break;
			tick_observe(tick, member, now_ns);
		}
		native_forget(tick->native);
		if (member->asleep_since_ns)
			is_read = read_alone_asleep(tick, member);
		else if (tick_pauses(tick, now_ns))
			is_read = read_alone_running(tick, member);
		else
			break;
		if (is_read)
			return;
	}
	native_forget(tick->native);
	take_alone(tick, member, MEMBER_PROVEN);
}

/* ---- all that are not known to run Python ---- */

/* Without pauses only those that sleep have registers; the others are read as they are, and Python's alone. */
static int read_unpaused(struct tick *tick, struct member *member)
{
	int r = member->asleep_since_ns ? tick_read_asleep(tick, member) : 0;

	if (r == 0 && member->news == MEMBER_UNKNOWN)
		tick_want(tick, member->python);
	return r;
}

int tick_probe_native(struct tick *tick, struct member *member, int64_t now_ns)
{
	if (member->python != PYTHON_NO_THREAD && tick_pauses(tick, now_ns))
		return tick_read_restless(tick, member, now_ns);
	if (member->python != PYTHON_NO_THREAD)
		return read_unpaused(tick, member);
	if (tick->crew->has_unbound)
		member->news = MEMBER_LOST; /* it may be one that Python has not told the id of */
	else
		read_alone(tick, member, now_ns);
	return 0;
}
