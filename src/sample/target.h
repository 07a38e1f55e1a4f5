/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that is sampled: found, allowed, understood.
 *
 * Brings proc's files, maps and memory together with python's knowledge.  Belongs to the reader
 * process; everything learnt here comes from a hostile process.
 */
#ifndef SAMPLE_TARGET_H
#define SAMPLE_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "proc/maps.h"
#include "proc/memory.h"
#include "proc/process.h"
#include "profile/names.h"
#include "python/python.h"

#define TARGET_COMMAND_MAX 512

struct target {
	struct process process; /* as it was when it was opened */
	bool has_own_pids;	/* another PID namespace than ours: thread ids must be translated */
	char command[TARGET_COMMAND_MAX];
	struct maps maps;
	struct memory *memory;
	struct python *python;
	struct core *
		core; /* of one that has ended: maps and memory are the core's, borrowed; else NULL */
};

enum {
	TARGET_COLUMNS = 1,   /* frames have columns */
	TARGET_COLLECTOR = 2, /* "[GC]" while garbage is collected */
	TARGET_NATIVE = 4,    /* native frames */
	TARGET_KERNEL = 8,    /* the kernel's, below them */
};

/*
 * Open a live process.  Errors are those of process_load(), rights_check() and python_attach():
 * -ESRCH, -EPERM with the missing right, ERR_NOT_PYTHON, ERR_UNSUPPORTED.  ERR_TORN and ERR_NOT_PYTHON
 * may pass when the process has just been started.  `wants` is of TARGET_*; `names` is borrowed until target_done().
 */
int target_open(struct target *target, pid_t pid, struct names *names, unsigned wants,
		struct err *err) nodiscard;
void target_done(struct target *target); /* all-zero is fine */

/* The file behind a mapping, for python_args.open and unwind_args.open; `ctx` is the target. */
int target_open_mapping(void *ctx, const struct mapping *mapping, struct err *err) nodiscard;

/*
 * A process whose memory cannot be read any more has ended or become another program; for a moment nobody
 * can tell which.  Waits until it is clear, at most TARGET_SETTLE_NS.  True: it lives on.
 */
bool target_lives_on(const struct target *target);
#define TARGET_SETTLE_NS (500 * 1000000ll)

#endif
