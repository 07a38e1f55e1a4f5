/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/urgency_private.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

#define SHORT_SLICE_NS (100 * NS_PER_US) /* the least that the kernel takes */
#define PRIORITY 1		   /* the lowest of the real-time ones: above all that have none */
#define COMPUTE_MAX_US (80 * 1000) /* at that priority, without sleeping once */

/* As the kernel has it (linux/sched/types.h, which clashes with sched.h). */
struct sched_attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

static long set(const struct sched_attributes *attributes)
{
	return syscall(SYS_sched_setattr, 0, attributes, 0);
}

/* Children of ours (there are none) would not inherit it. */
static long raise_now(void)
{
	const struct sched_attributes attributes = {
		.size = sizeof(attributes),
		.policy = SCHED_RR,
		.flags = 1, /* SCHED_FLAG_RESET_ON_FORK */
		.priority = PRIORITY,
	};

	return set(&attributes);
}

void urgency_lower(const struct urgency *urgency)
{
	const struct sched_attributes attributes = {
		.size = sizeof(attributes),
		.policy = SCHED_OTHER,
		.nice = urgency->nice,
		.runtime_ns = SHORT_SLICE_NS,
	};

	if (urgency->is_possible)
		(void)set(&attributes);
}

void urgency_raise(const struct urgency *urgency)
{
	if (urgency->is_possible)
		(void)raise_now();
}

static void limit_computing(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_RTTIME, &limit) < 0)
		return;
	if (limit.rlim_cur > COMPUTE_MAX_US)
		limit.rlim_cur = COMPUTE_MAX_US;
	(void)setrlimit(RLIMIT_RTTIME, &limit);
}

void urgency_init(struct urgency *urgency)
{
	struct sched_attributes attributes = {.size = sizeof(attributes)};

	*urgency = (struct urgency){0};
	/* Whoever gave us another policy than the usual one knows why. */
	if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) < 0 ||
	    attributes.policy != SCHED_OTHER)
		return;
	attributes.runtime_ns = SHORT_SLICE_NS;
	(void)set(&attributes);
	urgency->nice = attributes.nice;
	limit_computing();
	urgency->is_possible = raise_now() == 0;
	urgency_lower(urgency);
}
