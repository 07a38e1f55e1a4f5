/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for addresses: build id and address to function, file, line and inlined callers.
 *
 * Whoever reads live processes knows addresses only; names are looked up here, by the front, which has no
 * rights, with the help of a process that has none at all:
 *
 *   front: struct symbolizer ──(socket pair: requests, descriptors)──▶ worker: ELF, DWARF, demangling
 *          memo, deadlines      ◀──(bounded answers)──────────────────         no files, no network, rlimits
 *
 *   1. A worker opens nothing: it gets descriptors.  When it dies, grows too large or gives no sign for long, a
 *	new one is started; of the file that it was busy with only the symbol tables are read from then on, and
 *	the second time nothing.
 *   2. Nobody waits for an answer longer than SYMBOL_FIRST_NS when its file is looked into the first time,
 *	SYMBOL_NEXT_NS afterwards.  What comes later is used later.
 *   3. What stays unknown is named "libfoo.so+0x1234" and keeps build id and address, so that `convert`
 *	can ask again where the files are.  What is known has neither: equal functions of two builds compare.
 *   4. Frames that have names already, of Python, markers and the kernel, pass as they are.
 *   5. JIT code (perf-PID.map, jit-PID.dump) belongs to a process: its names are read in the front, by own
 *	bounded parsers, and read again as the files grow; later entries override.
 *
 *	symbolizer_new(&config, &symbolizer, err);	before any other thread exists: forks
 *	symbolizer_add_process(symbolizer, 1, pid);	for JIT code
 *	symbolizer_add_file(...);			for files that the front cannot open by their path
 *	node = symbolizer_node(symbolizer, 1, node);	waits, up to a deadline
 *
 * or without waiting: symbolizer_ask() each node, poll symbolizer_fd(), symbolizer_pump(), and
 * symbolizer_node() when nothing is missing (src/sample/naming.h does so for a stream of samples).
 *
 * One thread owns a symbolizer.  A node that was asked for before costs one look-up.
 */
#ifndef SYMBOL_SYMBOL_H
#define SYMBOL_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "profile/names.h"
#include "profile/tree.h"

#define SYMBOL_FIRST_NS (2000 * 1000000ll)
#define SYMBOL_NEXT_NS (200 * 1000000ll)

struct symbolizer;

struct symbolizer_config {
	struct names
		*names; /* borrowed, with the tree: of the nodes that are asked for and given */
	struct tree *tree;
	/* Where separate debug files lie, divided by colons; NULL: /usr/lib/debug. */
	const char *debug_dirs;
	/*
	 * Files without a build id are opened by the path of their frames, too: right while the processes
	 * run on this machine, wrong for what was recorded elsewhere.
	 */
	bool trusts_paths;
	/* Symbol tables only: no DWARF, so no lines and no inlined functions. */
	bool without_dwarf;
	int64_t patience_ns; /* how long a worker may give no sign before it is killed; 0: 10 s */
};

/*
 * Starts the process that starts workers; call it before any other thread exists.  It gives up all rights
 * by itself, whatever the caller has.  Fails when no process can be started.
 */
int symbolizer_new(const struct symbolizer_config *config, struct symbolizer **ret_symbolizer,
		   struct err *err) nodiscard;
void symbolizer_free(struct symbolizer *symbolizer); /* ends its processes, too */

/*
 * The file of frames with that build id (hex; "" for none: then of that path).  Takes the descriptor, which
 * is read with pread() only.  Without this, frames with a build id are looked for at their path and below
 * the debug directories, and a file counts only if its own build id is the same.
 */
void symbolizer_add_file(struct symbolizer *symbolizer, const char *build_id, const char *path,
			 int fd);

/*
 * A folder that is the root for the processes (a descriptor, taken): their files are looked for below it, before our
 * own root.  Open /proc/PID/root while one has the right to; afterwards it needs none.  Those of processes that are
 * added are known already where they may be opened then.
 */
void symbolizer_add_root(struct symbolizer *symbolizer, int fd);

/*
 * A process whose JIT code has names in files.  `process` is the caller's number for it (capture_process.id;
 * 0 is "no process").  Looks for /tmp/perf-PID.map and /tmp/jit-PID.dump as the process sees them where
 * /proc/PID/root may be opened, else in our own /tmp, each only when its owner is the process's.
 */
void symbolizer_add_process(struct symbolizer *symbolizer, uint32_t process, pid_t pid);
/* Such a file by descriptor (taken), which somebody with rights has opened, or a person has named. */
int symbolizer_add_perf_map(struct symbolizer *symbolizer, uint32_t process, int fd,
			    struct err *err) nodiscard;
int symbolizer_add_jitdump(struct symbolizer *symbolizer, uint32_t process, int fd,
			   struct err *err) nodiscard;

/*
 * The node whose frames have names, files, lines, and their inlined callers as frames of their own, outermost
 * first; the node itself when there is nothing to look up.  Waits for what is missing, see 2.  Frames of
 * CPython's perf trampoline ("py::f:file.py", `-X perf`) are left out: the Python frame is in the stack.
 */
struct node_id symbolizer_node(struct symbolizer *symbolizer, uint32_t process,
			       struct node_id node);

/* As far as is known by now, without waiting: what is not known is asked for, and has no name yet. */
struct node_id symbolizer_node_now(struct symbolizer *symbolizer, uint32_t process,
				   struct node_id node);

/*
 * Ask for what is missing of a node, without waiting.  True: nothing is (or will not come any more), so that
 * symbolizer_node() does not wait.  Ask again after symbolizer_pump().
 */
bool symbolizer_ask(struct symbolizer *symbolizer, uint32_t process, struct node_id node);
/* Readable when answers have come; -1 when nothing is on its way. */
int symbolizer_fd(const struct symbolizer *symbolizer);
/* Take in the answers that are there and see to deadlines; never waits. */
void symbolizer_pump(struct symbolizer *symbolizer);

struct symbolizer_facts {
	uint64_t asked, found;	/* addresses */
	uint32_t files;		/* that names were asked of */
	uint32_t bad_files;	/* that killed or stalled a worker, or are damaged */
	uint32_t missing_files; /* not found, or of another build */
	uint32_t restarts;	/* of workers */
	uint64_t late;		/* answers that missed their deadline */
	bool has_dwarf;		/* lines and inlined functions can be had */
};
void symbolizer_facts(const struct symbolizer *symbolizer, struct symbolizer_facts *ret_facts);

#endif
