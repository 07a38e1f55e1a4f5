/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/crew.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

void crew_init(struct crew *crew, const struct target *target, uint32_t first_id)
{
	*crew = (struct crew){
		.process = target->process.id,
		.pid = target->process.id.pid,
		.has_own_pids = target->has_own_pids,
		.next_id = first_id,
	};
}

static void member_done(struct member *member)
{
	thread_done(&member->files);
	free(member->path.nodes);
}

void crew_done(struct crew *crew)
{
	for (size_t i = 0; i < crew->n; i++)
		member_done(&crew->members[i]);
	process_threads_done(&crew->list);
	free(crew->members);
	free(crew->of_python);
	free(crew->departed);
	*crew = (struct crew){0};
}

/* Among the first n members. */
static struct member *find_among(const struct crew *crew, size_t n, pid_t tid)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (crew->members[middle].tid == tid)
			return &crew->members[middle];
		if (crew->members[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static struct member *find_tid(const struct crew *crew, pid_t tid)
{
	return find_among(crew, crew->n, tid);
}

static void depart(struct crew *crew, const struct member *member)
{
	crew->departed = vec_grow(crew->departed, &crew->departed_cap, crew->n_departed + 1,
				  sizeof(*crew->departed));
	crew->departed[crew->n_departed++] = (struct departed){
		.id = member->id,
		.is_defined = member->is_defined && member->has_node,
		.node = member->node,
		.state = member->state,
		.rest = member->rest,
		.account = member->account,
	};
}

/* Keep those that are listed, in order. */
static void drop_ended(struct crew *crew)
{
	size_t kept = 0;

	for (size_t i = 0; i < crew->n; i++) {
		struct member *member = &crew->members[i];

		if (member->is_listed) {
			crew->members[kept++] = *member;
			continue;
		}
		depart(crew, member);
		member_done(member);
	}
	crew->n = kept;
}

static void join(struct crew *crew, const struct process_thread *thread, int64_t wall_from_ns,
		 bool is_first_list)
{
	struct member *member;

	crew->members = vec_grow(crew->members, &crew->cap, crew->n + 1, sizeof(*crew->members));
	member = &crew->members[crew->n++];
	*member = (struct member){
		.tid = thread->tid,
		.ns_tid = thread->ns_tid ? thread->ns_tid : thread->tid,
		.id = crew->next_id++,
		.python = PYTHON_NO_THREAD,
		.account = {.wall_ns = wall_from_ns},
		.is_listed = true,
		.was_there = is_first_list,
	};
	thread_init(&member->files, crew->pid, thread->tid);
	if (is_first_list && thread_cpu(&member->files, &member->cpu) == 0)
		member->account.cpu_ns = member->cpu.cpu_ns;
}

static int by_tid(const void *a, const void *b)
{
	const struct member *left = a, *right = b;

	return left->tid < right->tid ? -1 : left->tid > right->tid;
}

/*
 * A tid that the kernel gave out again between two lists is another thread: its files say so, since
 * the descriptors name the old one.
 */
static bool is_still_there(struct member *member)
{
	struct thread_cpu cpu;

	return thread_cpu(&member->files, &cpu) == 0;
}

int crew_list(struct crew *crew, int64_t wall_from_ns, struct err *err)
{
	bool is_first_list = !crew->has_list;
	size_t n_old;
	int r = process_threads_read(&crew->list, crew->pid, crew->has_own_pids, err);

	/*
	 * A pid that was given out again may read like the process that had it: the same program, not
	 * randomised, has its runtime at the same address.  Threads of that one do not join.
	 */
	if (r == 0 && !process_is_alive(crew->process))
		r = err_set(err, -ESRCH, "process %d has ended", (int)crew->pid);

	if (r < 0)
		return r;
	for (size_t i = 0; i < crew->n; i++) {
		struct member *member = &crew->members[i];

		member->python = PYTHON_NO_THREAD;
		member->is_listed =
			process_threads_has(&crew->list, member->tid) && is_still_there(member);
	}
	crew->has_list = true;
	drop_ended(crew);
	n_old = crew->n;
	for (size_t i = 0; i < crew->list.n; i++) {
		if (!find_among(crew, n_old, crew->list.items[i].tid))
			join(crew, &crew->list.items[i], wall_from_ns, is_first_list);
	}
	if (crew->n > n_old)
		qsort(crew->members, crew->n, sizeof(*crew->members), by_tid);
	crew->has_unbound = true; /* until the next crew_bind() */
	return 0;
}

int crew_refresh(struct crew *crew, int64_t now_ns, int64_t wall_from_ns, struct err *err)
{
	bool is_as_listed = process_thread_count(crew->pid) == (int)crew->list.n;
	int64_t gap_ns = CREW_LIST_GAP_NS + (int64_t)crew->n * CREW_LIST_GAP_THREAD_NS;

	if (is_as_listed && now_ns - crew->listed_ns < gap_ns && process_is_alive(crew->process))
		return 0;
	crew->listed_ns = now_ns;
	return crew_list(crew, wall_from_ns, err);
}

static struct member *find_python_tid(const struct crew *crew, pid_t ns_tid)
{
	if (crew->has_own_pids)
		return find_tid(crew, process_threads_find_ns(&crew->list, ns_tid));
	return find_tid(crew, ns_tid);
}

/* Lists of interpreters and threads have the newest first, so of equals the first one stays. */
static bool is_rather(const struct python_thread *thread, const struct python_thread *than)
{
	if (thread->holds_gil != than->holds_gil)
		return thread->holds_gil;
	if (thread->is_inherited != than->is_inherited)
		return than->is_inherited;
	return thread->has_frames && !than->has_frames;
}

static void bind(struct crew *crew, struct member *member, const struct python_look *look,
		 uint32_t index)
{
	if (member->python != PYTHON_NO_THREAD) {
		crew->is_contested = true;
		if (!is_rather(&look->threads[index], &look->threads[member->python]))
			return;
		crew->of_python[member->python] = UINT32_MAX;
	}
	member->python = index;
	crew->of_python[index] = (uint32_t)(member - crew->members);
}

/* What was known of its stack was that of another Python thread. */
static void note_binding(struct member *member, const struct python_look *look)
{
	if (member->python == PYTHON_NO_THREAD)
		return;
	const struct python_thread *thread = &look->threads[member->python];

	member->ident = thread->ident;
	if (member->tstate == thread->tstate)
		return;
	member->tstate = thread->tstate;
	member->asleep_since_ns = 0;
	member->has_stack = false;
}

void crew_bind(struct crew *crew, const struct python_look *look)
{
	for (size_t i = 0; i < crew->n; i++)
		crew->members[i].python = PYTHON_NO_THREAD;
	crew->has_unbound = crew->is_contested = false;
	crew->of_python =
		vec_grow(crew->of_python, &crew->of_python_cap, look->n, sizeof(*crew->of_python));
	for (uint32_t i = 0; i < look->n; i++) {
		struct member *member =
			look->threads[i].tid ? find_python_tid(crew, look->threads[i].tid) : NULL;

		crew->of_python[i] = UINT32_MAX;
		if (member)
			bind(crew, member, look, i);
		else if (!look->threads[i].tid)
			crew->has_unbound = true;
	}
	for (size_t i = 0; i < crew->n; i++)
		note_binding(&crew->members[i], look);
}

bool crew_misses(const struct crew *crew, const struct python_look *look)
{
	for (uint32_t i = 0; i < look->n; i++)
		if (look->threads[i].tid && !find_python_tid(crew, look->threads[i].tid))
			return true;
	return false;
}

struct member *crew_of_python(struct crew *crew, uint32_t index)
{
	if (index >= crew->of_python_cap || crew->of_python[index] == UINT32_MAX)
		return NULL;
	return &crew->members[crew->of_python[index]];
}

int64_t crew_owed(struct crew *crew, bool is_exact)
{
	int64_t owed_ns = 0;

	for (size_t i = 0; i < crew->n; i++) {
		struct member *member = &crew->members[i];
		struct thread_cpu cpu = member->cpu;
		bool is_known = !is_exact && member->asleep_since_ns;

		if (is_known || thread_cpu(&member->files, &cpu) == 0)
			owed_ns += max_of(cpu.cpu_ns - member->account.cpu_ns, (int64_t)0);
	}
	return owed_ns;
}

void crew_forget_departed(struct crew *crew)
{
	crew->n_departed = 0;
}
