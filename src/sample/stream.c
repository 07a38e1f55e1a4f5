/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/stream.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"

/* Less than this is the grain of the kernel's books, not a thread's time. */
#define REST_LEAST_NS (50 * NS_PER_US)
#define NATIVE_ASKS 2 /* for the name of a thread that Python does not know */

void stream_begin(struct stream *stream)
{
	/* After the members' own readings: a total that is too high makes the rest smaller. */
	if (process_cpu(stream->crew->pid, &stream->ledger.base_ns) < 0)
		stream->ledger.base_ns = INT64_MAX; /* it has just ended: there will be no rest */
}

/* ---- definitions ---- */

static struct str_id current_name(struct stream *stream, const struct member *member, bool is_fresh)
{
	struct str_id name = {0};
	char comm[THREAD_COMM_MAX];

	if (member->python != PYTHON_NO_THREAD)
		name = python_thread_name(stream->python, member->python, is_fresh);
	if (name.v != 0)
		return name;
	thread_comm(&member->files, comm);
	return names_cstr(stream->names, comm);
}

static int define(struct stream *stream, struct member *member, struct str_id name)
{
	struct capture_thread thread = {
		.id = member->id,
		.process = stream->process_id,
		.tid = member->tid,
		.python_ident = member->ident,
		.name = names_text(stream->names, name, NULL),
	};

	member->name = name;
	member->is_defined = true;
	return capture_write_thread(stream->writer, &thread);
}

/* Threads of C get their name soon after they start, if ever; each question opens a file. */
static bool is_settled(const struct member *member)
{
	return member->python == PYTHON_NO_THREAD &&
	       member->n_asked >= (member->was_there ? 1 : NATIVE_ASKS);
}

int stream_threads(struct stream *stream, bool is_fresh)
{
	for (size_t i = 0; i < stream->crew->n; i++) {
		struct member *member = &stream->crew->members[i];
		struct str_id name;
		int r;

		if (member->is_defined && !is_fresh)
			continue;
		if (is_settled(member))
			continue;
		if (member->n_asked < NATIVE_ASKS)
			member->n_asked++;
		name = current_name(stream, member, is_fresh);
		if (member->is_defined && name.v == member->name.v)
			continue;
		r = define(stream, member, name);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- samples ---- */

static uint8_t sample_flags(const struct member *member, unsigned flags)
{
	unsigned out = flags & STREAM_LATE ? SAMPLE_LATE : 0;

	if (member->has_gil)
		out |= SAMPLE_GIL;
	if (member->news == MEMBER_PAUSED)
		out |= SAMPLE_PAUSED;
	if (member->was_stepped)
		out |= SAMPLE_STEPPED;
	if (member->is_recovered)
		out |= SAMPLE_RECOVERED;
	return (uint8_t)out;
}

static void count(struct stream *stream, const struct member *member)
{
	stream->stats->samples++;
	stream->stats->paused += member->news == MEMBER_PAUSED;
	stream->stats->proven += member->news == MEMBER_PROVEN || member->news == MEMBER_SAME;
	stream->stats->stepped += member->was_stepped;
}

/* Invariant 2 of account.h.  A state that is not known may well be running. */
static int64_t take_cpu(const struct stream *stream, struct member *member, const struct held *what)
{
	bool is_running = member->state == STATE_RUNNING || member->state == STATE_RUNNING_GIL ||
			  member->state == STATE_UNKNOWN;

	if (!is_running || member->news == MEMBER_SAME)
		return 0;
	member->ran_node = what->node;
	member->paid_ns = what->now_ns;
	return account_take_cpu(&member->account, member->cpu.cpu_ns, stream->spacing_ns);
}

/* ---- ticks that a member slept through ---- */

static int write_rest(struct stream *stream, uint32_t thread, struct rest *rest,
		      struct account *account)
{
	struct capture_sample sample = {
		.thread = thread, .node = rest->node, .state = rest->state, .flags = rest->flags};

	if (!rest->n_ticks)
		return 0;
	sample.time_ns = rest->until_ns - stream->begun_ns;
	sample.wall_ns = account_take_wall(account, rest->until_ns);
	sample.repeats = rest->n_ticks - 1;
	*rest = (struct rest){0};
	return capture_write_sample(stream->writer, &sample);
}

static int end_rest(struct stream *stream, struct member *member)
{
	return write_rest(stream, member->id, &member->rest, &member->account);
}

static void drop_held(struct stream *stream, struct member *member)
{
	stream->stats->dropped += member->n_held;
	stream->stats->torn += member->n_held;
	member->n_held = 0;
}

int stream_rests(struct stream *stream)
{
	int r = 0;

	for (size_t i = 0; i < stream->crew->n && r == 0; i++)
		r = end_rest(stream, &stream->crew->members[i]);
	for (size_t i = 0; i < stream->crew->n; i++) /* they would come behind what is later */
		drop_held(stream, &stream->crew->members[i]);
	return r;
}

static bool sleeps_on(const struct member *member, unsigned flags)
{
	return member->news == MEMBER_SAME && !(flags & STREAM_STOPPED) &&
	       member->rest.n_ticks < CAPTURE_MAX_REPEATS;
}

/* Before the first sample of a tick, so that the stream stays in the order of time. */
static int end_rests(struct stream *stream, unsigned flags)
{
	int r = 0;

	for (size_t i = 0; i < stream->crew->n && r == 0; i++)
		if (!sleeps_on(&stream->crew->members[i], flags))
			r = end_rest(stream, &stream->crew->members[i]);
	return r;
}

static void sleep_on(struct member *member, uint32_t n_ticks, int64_t until_ns)
{
	member->rest.n_ticks += n_ticks;
	member->rest.until_ns = until_ns;
	member->rest.node = member_node(member);
	member->rest.state = member->state;
	member->rest.flags = member->is_recovered ? SAMPLE_RECOVERED : 0;
}

void stream_slept(struct stream *stream, uint32_t n_ticks, int64_t until_ns)
{
	for (size_t i = 0; i < stream->crew->n; i++) {
		struct member *member = &stream->crew->members[i];

		if (member->news != MEMBER_SAME)
			continue; /* it has just been listed */
		stream->stats->samples += n_ticks;
		stream->stats->proven += n_ticks;
		sleep_on(member, n_ticks, until_ns);
	}
}

/* ---- samples that are not proven yet ---- */

static void hold(struct member *member, int64_t now_ns, unsigned flags)
{
	assert(member->n_held < PYTHON_MAX_HELD);
	member->held[member->n_held++] = (struct held){
		.now_ns = now_ns,
		.node = member_node(member),
		.state = member->state,
		.flags = sample_flags(member, flags),
	};
}

static int write_sample(struct stream *stream, struct member *member, const struct held *what)
{
	struct capture_sample sample = {
		.time_ns = what->now_ns - stream->begun_ns,
		.thread = member->id,
		.node = what->node,
		.state = what->state,
		.flags = what->flags,
		.wall_ns = account_take_wall(&member->account, what->now_ns),
		.cpu_ns = take_cpu(stream, member, what),
	};

	stream->ledger.given_ns += sample.cpu_ns;
	return capture_write_sample(stream->writer, &sample);
}

/* Before all else of a tick: they are older. */
static int settle_held(struct stream *stream, struct member *member)
{
	int r = 0;

	if (!member->n_held || member->news == MEMBER_HELD)
		return 0;
	if (member->python == PYTHON_NO_THREAD ||
	    !python_proves_held(stream->python, member->python)) {
		drop_held(stream, member);
		return 0;
	}
	stream->stats->samples += member->n_held;
	stream->stats->proven += member->n_held;
	for (size_t i = 0; i < member->n_held && r == 0; i++)
		r = write_sample(stream, member, &member->held[i]);
	member->n_held = 0;
	return r;
}

/* ---- a tick ---- */

static int write_member(struct stream *stream, struct member *member, int64_t now_ns,
			unsigned flags)
{
	struct held sample = {
		.now_ns = now_ns,
		.node = member_node(member),
		.state = flags & STREAM_STOPPED ? STATE_STOPPED : member->state,
		.flags = sample_flags(member, flags),
	};
	int r;

	count(stream, member);
	if (sleeps_on(member, flags)) {
		sleep_on(member, 1, now_ns);
		return 0;
	}
	r = write_sample(stream, member, &sample);
	if (r == 0 && stream->locals)
		r = locals_write(stream->locals, member, stream->writer);
	return r;
}

int stream_samples(struct stream *stream, int64_t now_ns, unsigned flags)
{
	int r = stream_threads(stream, false);

	for (size_t i = 0; i < stream->crew->n && r == 0; i++)
		r = settle_held(stream, &stream->crew->members[i]);
	if (r == 0)
		r = end_rests(stream, flags);
	for (size_t i = 0; i < stream->crew->n && r == 0; i++) {
		struct member *member = &stream->crew->members[i];

		if (member->news == MEMBER_UNKNOWN || member->news == MEMBER_LOST)
			continue;
		if (member->news == MEMBER_HELD)
			hold(member, now_ns, flags);
		else
			r = write_member(stream, member, now_ns, flags);
	}
	return r;
}

/* ---- what the dead left behind ---- */

static int give(struct stream *stream, int64_t now_ns, uint32_t thread, struct node_id node,
		int64_t wall_ns, int64_t cpu_ns)
{
	struct capture_sample sample = {
		.time_ns = now_ns - stream->begun_ns,
		.thread = thread,
		.node = node,
		.state = STATE_RUNNING,
		.wall_ns = wall_ns,
		.cpu_ns = cpu_ns,
	};

	stream->ledger.given_ns += cpu_ns;
	return capture_write_sample(stream->writer, &sample);
}

int stream_settle(struct stream *stream, int64_t now_ns, int64_t wait_ns)
{
	int r = 0;

	for (size_t i = 0; i < stream->crew->n && r == 0; i++) {
		struct member *member = &stream->crew->members[i];
		int64_t cpu_ns;

		if (!member->is_defined || !member->has_node || now_ns - member->paid_ns < wait_ns)
			continue;
		cpu_ns = account_take_cpu(&member->account, member->cpu.cpu_ns, 0);
		member->paid_ns = now_ns;
		if (cpu_ns > 0)
			r = give(stream, now_ns, member->id,
				 member->ran_node.v ? member->ran_node : member_node(member), 0,
				 cpu_ns);
	}
	return r;
}

static int give_unseen(struct stream *stream, int64_t now_ns, int64_t cpu_ns)
{
	struct capture_thread thread = {
		.id = stream->unseen_id,
		.process = stream->process_id,
		.name = STREAM_UNSEEN_NAME,
	};

	if (stream->unseen_id == 0) {
		int r;

		thread.id = stream->unseen_id = stream->crew->next_id++;
		r = capture_write_thread(stream->writer, &thread);
		if (r < 0)
			return r;
	}
	return give(stream, now_ns, stream->unseen_id, stream->unseen_node, 0, cpu_ns);
}

/* Split by the time that each went unwatched: the best guess there is.  The last takes the rest. */
static int give_departed(struct stream *stream, int64_t now_ns, int64_t rest_ns)
{
	const struct crew *crew = stream->crew;
	double unwatched = 0, share = (double)rest_ns;
	int r = 0;

	for (size_t i = 0; i < crew->n_departed; i++)
		unwatched += (double)(now_ns - crew->departed[i].account.wall_ns);
	for (size_t i = 0; i < crew->n_departed && r == 0; i++) {
		const struct departed *departed = &crew->departed[i];
		bool is_last = i + 1 == crew->n_departed;
		int64_t cpu_ns = rest_ns;

		if (!is_last && unwatched > 0)
			cpu_ns = (int64_t)(share * (double)(now_ns - departed->account.wall_ns) /
					   unwatched);
		cpu_ns = min_of(cpu_ns, rest_ns);
		rest_ns -= cpu_ns;
		if (departed->is_defined)
			r = give(stream, now_ns, departed->id, departed->node, 0, cpu_ns);
		else
			r = give_unseen(stream, now_ns, cpu_ns);
	}
	return r;
}

int stream_departed(struct stream *stream, int64_t now_ns)
{
	int64_t total_ns, rest_ns;
	int r = 0;

	for (size_t i = 0; i < stream->crew->n_departed && r == 0; i++) {
		struct departed *departed = &stream->crew->departed[i];

		if (departed->is_defined)
			r = write_rest(stream, departed->id, &departed->rest, &departed->account);
	}
	if (r < 0)
		return r;
	if (process_cpu(stream->crew->pid, &total_ns) < 0)
		return 0; /* it ended: stream_last() follows */
	rest_ns = ledger_rest(&stream->ledger, total_ns, crew_owed(stream->crew, false));
	if (rest_ns >= REST_LEAST_NS) /* seldom */
		rest_ns = ledger_rest(&stream->ledger, total_ns, crew_owed(stream->crew, true));
	if (rest_ns >= REST_LEAST_NS)
		r = stream->crew->n_departed ? give_departed(stream, now_ns, rest_ns)
					     : give_unseen(stream, now_ns, rest_ns);
	crew_forget_departed(stream->crew);
	return r;
}

static size_t count_runners(const struct crew *crew)
{
	size_t n = 0;

	for (size_t i = 0; i < crew->n; i++)
		n += crew->members[i].is_defined && !crew->members[i].asleep_since_ns;
	return n;
}

int stream_last(struct stream *stream, int64_t now_ns, int64_t total_ns)
{
	int64_t rest_ns = total_ns < 0 ? 0 : ledger_rest(&stream->ledger, total_ns, 0);
	size_t runners = count_runners(stream->crew);
	int r = 0;

	for (size_t i = 0; i < stream->crew->n && r == 0 && rest_ns > 0; i++) {
		struct member *member = &stream->crew->members[i];
		bool is_runner = member->is_defined && !member->asleep_since_ns;
		int64_t cpu_ns;

		if (!is_runner || !member->has_node)
			continue;
		cpu_ns = rest_ns / (int64_t)runners--;
		rest_ns -= cpu_ns;
		r = give(stream, now_ns, member->id, member->node, 0, cpu_ns);
	}
	return r == 0 && rest_ns >= REST_LEAST_NS ? give_unseen(stream, now_ns, rest_ns) : r;
}
