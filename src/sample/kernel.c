/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/vec.h"
#include "format/frame_kind.h"
#include "proc/cpu_clock.h"
#include "proc/kernel_names.h"
#include "proc/kernel_stack.h"
#include "sample/kernel_sites.h"

/* Looks of the clock between two ticks: enough for a place to have been seen, at 2 us each. */
#define LOOKS_PER_TICK 4
#define LOOK_LEAST_NS NS_PER_MS
#define LOOK_MOST_NS (10 * NS_PER_MS)
#define COST_SAMPLES 16 /* that the mean is taken over */
#define COST_LEAST_NS ((int64_t)NS_PER_US)
#define CLOCK_IDLE_NS (10 * NS_PER_S)

/* What the clock saw of one thread. */
struct watched {
	pid_t tid;
	struct cpu_clock clock;
	int64_t used_ns;
	int64_t cpu_ns;	 /* the thread's, at its last pause */
	int64_t cost_ns; /* mean CPU time between pauses; 0: none so far */
	bool is_new;	 /* the clock has not looked at it yet */
	struct kernel_sites sites;
};

struct kernel {
	struct target *target;
	struct names *symbols_of; /* the profile's table of names */
	struct tree *tree;
	struct kernel_names *functions;	 /* NULL: addresses are hidden */
	struct kernel_function stopping; /* where a thread is that we pause; all zero: unknown */
	struct str_id place;
	int64_t period_ns;
	struct watched **watched;
	size_t n_watched, watched_cap;
	bool has_clock, has_stacks; /* allowed, as far as was tried */
};

struct kernel *kernel_new(struct target *target, struct names *names, struct tree *tree,
			  double rate_hz)
{
	struct kernel *kernel = xcalloc(1, sizeof(*kernel));
	double period_ns = (double)NS_PER_S / (rate_hz * LOOKS_PER_TICK);

	kernel->target = target;
	kernel->symbols_of = names;
	kernel->tree = tree;
	kernel->place = names_cstr(names, FRAME_KERNEL_PLACE);
	kernel->period_ns =
		(int64_t)max_of(min_of(period_ns, (double)LOOK_MOST_NS), (double)LOOK_LEAST_NS);
	kernel->has_clock = kernel->has_stacks = true;
	if (kernel_names_read(&kernel->functions, NULL) < 0)
		kernel->functions = NULL;
	if (kernel->functions &&
	    kernel_names_lookup(kernel->functions, "get_signal", &kernel->stopping) < 0)
		kernel->stopping = (struct kernel_function){0};
	return kernel;
}

static void watched_free(struct watched *watched)
{
	cpu_clock_close(&watched->clock);
	free(watched);
}

void kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return;
	for (size_t i = 0; i < kernel->n_watched; i++)
		watched_free(kernel->watched[i]);
	free(kernel->watched);
	kernel_names_free(kernel->functions);
	free(kernel);
}

/* ---- frames ---- */

static struct node_id add_place(struct kernel *kernel, struct node_id node, const char *name,
				const char *module)
{
	char text[KERNEL_NAME_MAX + 2];
	struct frame frame = {
		.name = names_cstr(kernel->symbols_of, name),
		.module = kernel->place,
		.kind = FRAME_KERNEL,
	};

	if (*module) {
		snprintf(text, sizeof(text), "[%s]", module);
		frame.module = names_cstr(kernel->symbols_of, text);
	}
	return tree_child(kernel->tree, node, names_frame(kernel->symbols_of, &frame));
}

static struct node_id add_address(struct kernel *kernel, struct node_id node, uint64_t addr)
{
	struct kernel_function function;
	char text[32];

	if (kernel->functions && kernel_names_find(kernel->functions, addr, &function) == 0)
		return add_place(kernel, node, function.name, function.module);
	snprintf(text, sizeof(text), "0x%" PRIx64, addr);
	return add_place(kernel, node, text, "");
}

/* Return addresses but for the innermost: a call can be the last thing in its function. */
static struct node_id add_chain(struct kernel *kernel, struct node_id node, const uint64_t *chain,
				uint32_t n)
{
	for (uint32_t i = n; i-- > 0;)
		node = add_address(kernel, node, i == 0 ? chain[i] : chain[i] - 1);
	return node;
}

/* Rule 4. */
static struct node_id add_call(struct kernel *kernel, struct node_id node, int64_t number)
{
	const char *known =
		number >= 0 && number <= INT32_MAX ? thread_syscall_name((int32_t)number) : NULL;
	char text[KERNEL_NAME_MAX];

	if (number < 0)
		return node;
	if (known)
		snprintf(text, sizeof(text), "sys_%s", known);
	else
		snprintf(text, sizeof(text), "sys_%" PRId64, number);
	return add_place(kernel, node, text, "");
}

/* ---- threads that wait ---- */

static struct node_id add_waiting(struct kernel *kernel, struct member *member)
{
	struct kernel_stack stack;
	struct node_id node = member->node;
	struct thread_cpu cpu;
	int r = kernel->has_stacks
			? kernel_stack_read(kernel->target->process.id.pid, member->tid, &stack)
			: -EPERM;

	if (r == -EPERM || r == -EACCES)
		kernel->has_stacks = false;
	if (r < 0)
		return add_call(kernel, node, member->view.number);
	/* It has run since: what was read is of another moment. */
	if (thread_cpu(&member->files, &cpu) < 0 || cpu.slices != member->cpu.slices)
		return add_call(kernel, node, member->view.number);
	for (size_t i = stack.n; i-- > 0;)
		node = add_place(kernel, node, stack.frames[i].name, stack.frames[i].module);
	return node;
}

/* ---- threads that were paused ---- */

static struct watched *find_watched(struct kernel *kernel, pid_t tid)
{
	for (size_t i = 0; i < kernel->n_watched; i++)
		if (kernel->watched[i]->tid == tid)
			return kernel->watched[i];
	return NULL;
}

static void forget_watched(struct kernel *kernel, size_t i)
{
	watched_free(kernel->watched[i]);
	kernel->watched[i] = kernel->watched[--kernel->n_watched];
}

static void forget_idle(struct kernel *kernel, int64_t now_ns)
{
	for (size_t i = kernel->n_watched; i-- > 0;)
		if (now_ns - kernel->watched[i]->used_ns > CLOCK_IDLE_NS)
			forget_watched(kernel, i);
}

static struct watched *watch(struct kernel *kernel, pid_t tid)
{
	struct watched *watched;
	struct cpu_clock clock;
	int r;

	if (!kernel->has_clock || kernel->n_watched >= KERNEL_MAX_CLOCKS)
		return NULL;
	r = cpu_clock_open(&clock, tid, kernel->period_ns, NULL);
	if (r == -EPERM)
		kernel->has_clock = false;
	if (r < 0)
		return NULL;
	watched = xcalloc(1, sizeof(*watched));
	watched->tid = tid;
	watched->is_new = true;
	watched->clock = clock;
	kernel->watched = vec_grow(kernel->watched, &kernel->watched_cap, kernel->n_watched + 1,
				   sizeof(*kernel->watched));
	kernel->watched[kernel->n_watched++] = watched;
	return watched;
}

/* Ways into the kernel that nothing in the program asked for, our own interrupts among them. */
static bool is_interrupt(const struct kernel *kernel, const struct cpu_clock_reading *look)
{
	static const char *const entries[] = {"asm_sysvec_", "asm_common_interrupt", "el0t_64_irq"};
	struct kernel_function entry;

	if (!kernel->functions || look->n_kernel == 0 ||
	    kernel_names_find(kernel->functions, look->kernel[look->n_kernel - 1], &entry) < 0)
		return false;
	for (size_t i = 0; i < array_len(entries); i++)
		if (strncmp(entry.name, entries[i], strlen(entries[i])) == 0)
			return true;
	return false;
}

/* Rule 3. */
static bool is_ours(const struct kernel *kernel, const struct cpu_clock_reading *look)
{
	for (uint32_t i = 0; i < look->n_kernel; i++)
		if (look->kernel[i] >= kernel->stopping.start &&
		    look->kernel[i] < kernel->stopping.end)
			return true;
	return false;
}

static void take_look(const struct kernel *kernel, struct watched *watched,
		      const struct cpu_clock_reading *look)
{
	watched->is_new = false;
	if (!is_ours(kernel, look) && !is_interrupt(kernel, look))
		kernel_sites_owe(&watched->sites, look, kernel->period_ns);
}

static void take_looks(const struct kernel *kernel, struct watched *watched)
{
	struct cpu_clock_reading look;

	while (cpu_clock_read(&watched->clock, &look))
		take_look(kernel, watched, &look);
}

/*
 * Samples count the same, however much the thread ran between two of them: on a crowded machine that is nothing or
 * several ticks.  So each costs the mean.
 */
static int64_t cost_of_sample(struct watched *watched, int64_t cpu_ns)
{
	int64_t since_ns = max_of(cpu_ns - watched->cpu_ns, (int64_t)0);

	watched->cpu_ns = cpu_ns;
	if (watched->is_new)
		return 1; /* all that it ever used */
	if (!watched->cost_ns)
		watched->cost_ns = max_of(since_ns, COST_LEAST_NS);
	watched->cost_ns += (since_ns - watched->cost_ns) / COST_SAMPLES;
	watched->cost_ns = max_of(watched->cost_ns, COST_LEAST_NS);
	return watched->cost_ns;
}

static struct node_id add_paused(struct kernel *kernel, struct member *member, int64_t now_ns)
{
	struct watched *watched = find_watched(kernel, member->tid);
	const struct cpu_clock_reading *look;
	int64_t cost_ns;

	if (!watched)
		watched = watch(kernel, member->tid);
	if (!watched)
		return add_call(kernel, member->node, member->stop.call);
	cost_ns = cost_of_sample(watched, member->cpu.cpu_ns);
	watched->used_ns = now_ns;
	take_looks(kernel, watched);
	if (watched->is_new)
		return add_call(kernel, member->node, member->stop.call);
	look = kernel_sites_pay(&watched->sites, member->stop.pc, cost_ns);
	return look ? add_chain(kernel, member->node, look->kernel, look->n_kernel) : member->node;
}

void kernel_tick(struct kernel *kernel, struct crew *crew, int64_t now_ns)
{
	for (size_t i = 0; i < crew->n; i++) {
		struct member *member = &crew->members[i];

		if (member->news == MEMBER_SAME || member->news == MEMBER_LOST ||
		    member->news == MEMBER_UNKNOWN)
			continue;
		if (member->asleep_since_ns)
			member->kernel_node = add_waiting(kernel, member);
		else if (member->news == MEMBER_PAUSED && member->stop.is_known)
			member->kernel_node = add_paused(kernel, member, now_ns);
		else
			member->kernel_node = member->node;
	}
	forget_idle(kernel, now_ns);
}
