/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as process events, into a family whose processes are as odd as they. */
#include "fuzz.h"

#include <stdlib.h>

#include "proc/events.h"
#include "proc/family.h"

#define STEP_NS 5000000ll

struct fuzz {
	struct family *family;
	int64_t now_ns;
};

static int identify(void *ctx, pid_t pid, struct process_id *ret_id)
{
	(void)ctx;
	if (pid % 7 == 0)
		return -1;
	*ret_id = (struct process_id){pid, (uint64_t)pid % 5};
	return 0;
}

static bool is_alive(void *ctx, struct process_id id)
{
	(void)ctx;
	return id.pid % 3 != 0;
}

static int children(void *ctx, pid_t pid, pid_t *pids, size_t cap)
{
	(void)ctx;
	if (cap == 0 || pid % 2)
		return 0;
	pids[0] = pid / 2;
	return 1;
}

static uint64_t of_pid(void *ctx, pid_t pid)
{
	(void)ctx;
	return (uint64_t)pid % 4;
}

static void on_event(void *ctx, const struct process_event *event)
{
	struct fuzz *fuzz = ctx;
	struct process_id process;

	if (event->pid <= 0 || event->parent < 0)
		abort();
	fuzz->now_ns += STEP_NS;
	if (event->kind == PROCESS_FORKED)
		family_forked(fuzz->family, event->parent, event->pid, fuzz->now_ns);
	else if (event->kind == PROCESS_EXECED)
		family_execed(fuzz->family, event->pid, fuzz->now_ns);
	else
		family_ended(fuzz->family, event->pid);
	while (family_next(fuzz->family, fuzz->now_ns, &process))
		family_left(fuzz->family, process, (enum family_verdict)(process.pid % 3),
			    fuzz->now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct family_view view = {identify, is_alive, children, of_pid, of_pid};
	struct process_id root = {29084, 4};
	struct fuzz fuzz = {.family = family_new(root, false, &view, NULL, 0)};
	struct family_facts facts;
	int ack = 0;

	events_parse(data, size, 77, &ack, on_event, &fuzz);
	(void)family_walk(fuzz.family, fuzz.now_ns);
	family_facts(fuzz.family, &facts);
	if (ack > 0 || facts.found < 1 || facts.left_out > facts.found)
		abort();
	family_free(fuzz.family);
	return 0;
}
