/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/target.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "proc/core.h"
#include "proc/rights.h"

#define SETTLE_POLL_MS 1

int target_open_mapping(void *ctx, const struct mapping *mapping, struct err *err)
{
	const struct target *target = ctx;

	if (target->core)
		return core_open_file(target->core, mapping, err);
	if (!mapping_is_file(mapping))
		return err_set(err, -ENOENT, "no file is mapped there");
	int fd = maps_open(target->process.id.pid, mapping, NULL);
	if (fd >= 0 || fd == ERR_UNSUPPORTED || fd == ERR_LIMIT)
		return fd;
	return maps_copy(target->memory, &target->maps, mapping, err);
}

static int attach(struct target *target, struct names *names, unsigned wants, struct err *err)
{
	struct python_args args = {
		.memory = target->memory,
		.names = names,
		.maps = &target->maps,
		.pid = target->process.ns_pid,
		.with_columns = wants & TARGET_COLUMNS,
		.with_collector = wants & TARGET_COLLECTOR,
		.with_evals = wants & TARGET_NATIVE,
		.open = target_open_mapping,
		.ctx = target,
	};

	return python_attach(&args, &target->python, err);
}

/* In the order in which a person would want to hear what is wrong. */
static int open_parts(struct target *target, pid_t pid, struct names *names, unsigned wants,
		      struct err *err)
{
	int r = process_load(pid, &target->process, err);

	if (r < 0)
		return r;
	if (target->process.state == 'Z' || target->process.state == 'X')
		return err_set(err, ERR_GONE, "process %d has ended", pid);
	r = rights_check(pid, NULL, err);
	if (r < 0)
		return r;
	r = maps_read(&target->maps, pid, err);
	if (r < 0)
		return err_prefix(err, r, "cannot look into process %d", pid);
	process_command(pid, target->command, sizeof(target->command));
	target->has_own_pids = !process_shares_pid_namespace(pid);
	target->memory = memory_live_new(pid);
	r = attach(target, names, wants, err);
	return r < 0 ? err_prefix(err, r, "process %d (%s)", pid, target->command) : r;
}

int target_open(struct target *target, pid_t pid, struct names *names, unsigned wants,
		struct err *err)
{
	int r;

	*target = (struct target){0};
	maps_init(&target->maps);
	r = open_parts(target, pid, names, wants, err);
	if (r < 0)
		target_done(target);
	return r;
}

void target_done(struct target *target)
{
	python_free(target->python);
	memory_free(target->memory);
	maps_done(&target->maps);
	*target = (struct target){0};
}

bool target_lives_on(const struct target *target)
{
	int64_t deadline_ns = clock_monotonic_ns() + TARGET_SETTLE_NS;
	char exe[TARGET_COMMAND_MAX];

	while (process_is_alive(target->process.id)) {
		/* On its way out it has no executable any more. */
		if (process_exe(target->process.id.pid, exe, sizeof(exe), NULL) >= 0 ||
		    clock_monotonic_ns() > deadline_ns)
			return true;
		(void)poll(NULL, 0, SETTLE_POLL_MS);
	}
	return false;
}
