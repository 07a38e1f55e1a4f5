/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes to nodes.  A node's answer is that of its parent and what its own frame turns into, so each is made
 * once: in one table for all processes, or, where JIT code is on the way, in one of the process.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "symbol/asker.h"
#include "symbol/processes.h"
#include "symbol/symfiles.h"

#define PERF_TRAMPOLINE "py::"

struct symbolizer {
	struct symbolizer_config config;
	struct asker asker;
	struct processes processes;
	uint32_t *memo; /* by node: its answer + 1 */
	size_t memo_cap;
	uint32_t *path; /* nodes still to be done, innermost first; TREE_MAX_DEPTH */
};

/*
 * The kernel's own library has no file.  All processes have the same; one of another machine's differs in its
 * build id.
 */
static void add_vdso(struct symbolizer *symbolizer)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
	size_t len = header ? header->e_shoff + (size_t)header->e_shnum * header->e_shentsize : 0;
	cleanup_fd int fd = header ? memfd_create("vdso", MFD_CLOEXEC) : -1;
	char hex[FILES_BUILD_ID_CHARS];

	if (fd < 0 || write(fd, header, len) != (ssize_t)len)
		return;
	symfiles_build_id(fd, hex);
	if (*hex)
		asker_add_file(&symbolizer->asker, hex, "[vdso]", take_fd(&fd));
}

int symbolizer_new(const struct symbolizer_config *config, struct symbolizer **ret_symbolizer,
		   struct err *err)
{
	struct symbolizer *symbolizer = xcalloc(1, sizeof(*symbolizer));
	int r;

	symbolizer->config = *config;
	symbolizer->path = xcalloc(TREE_MAX_DEPTH + 1, sizeof(*symbolizer->path));
	processes_init(&symbolizer->processes);
	r = asker_init(&symbolizer->asker, &symbolizer->config, err);
	if (r < 0) {
		symbolizer_free(symbolizer);
		return r;
	}
	add_vdso(symbolizer);
	*ret_symbolizer = symbolizer;
	return 0;
}

void symbolizer_free(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	asker_done(&symbolizer->asker);
	processes_done(&symbolizer->processes);
	free(symbolizer->memo);
	free(symbolizer->path);
	free(symbolizer);
}

void symbolizer_add_file(struct symbolizer *symbolizer, const char *build_id, const char *path,
			 int fd)
{
	asker_add_file(&symbolizer->asker, build_id, path, fd);
}

void symbolizer_add_root(struct symbolizer *symbolizer, int fd)
{
	asker_add_root(&symbolizer->asker, fd);
}

/* Only where we still may, and where it is another than ours or one that is known. */
static void add_root_of(struct symbolizer *symbolizer, pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		asker_add_root(&symbolizer->asker, fd);
}

void symbolizer_add_process(struct symbolizer *symbolizer, uint32_t process, pid_t pid)
{
	add_root_of(symbolizer, pid);
	(void)processes_add(&symbolizer->processes, process, pid);
}

static int add_jit_file(struct symbolizer *symbolizer, uint32_t id, int fd, bool is_dump,
			struct err *err)
{
	struct jit_process *process = processes_add(&symbolizer->processes, id, 0);
	struct jit_file *file = is_dump ? &process->dump : &process->map;

	if (process->id != id) {
		close(fd);
		return err_set(err, ERR_LIMIT, "names of JIT code for more than %d processes",
			       PROCESSES_MAX);
	}
	jit_file_done(file);
	*file = (struct jit_file){.fd = fd, .is_dump = is_dump};
	process->next_look_ns = 0;
	return 0;
}

int symbolizer_add_perf_map(struct symbolizer *symbolizer, uint32_t process, int fd,
			    struct err *err)
{
	return add_jit_file(symbolizer, process, fd, false, err);
}

int symbolizer_add_jitdump(struct symbolizer *symbolizer, uint32_t process, int fd, struct err *err)
{
	return add_jit_file(symbolizer, process, fd, true, err);
}

/* ---- what is known already ---- */

static bool needs_name(const struct frame *frame)
{
	return frame->kind == FRAME_NATIVE &&
	       (!frame->name.v || (frame->build_id.v && frame->address));
}

/* Code that may have been made at run time: its names are its process's. */
static bool is_jit(const struct frame *frame)
{
	return needs_name(frame) && !frame->build_id.v;
}

/* The answer for a node, if it was made; *ret_is_jit: in the process's table. */
static bool recall(const struct symbolizer *symbolizer, const struct jit_process *process,
		   uint32_t node, uint32_t *ret_answer, bool *ret_is_jit)
{
	const uint32_t *kept;

	if (node == 0 || (node < symbolizer->memo_cap && symbolizer->memo[node])) {
		*ret_answer = node ? symbolizer->memo[node] - 1 : 0;
		return true;
	}
	kept = map64_get(&process->memo, node);
	if (!kept)
		return false;
	*ret_answer = *kept;
	*ret_is_jit = true;
	return true;
}

static void remember(struct symbolizer *symbolizer, struct jit_process *process, uint32_t node,
		     uint32_t answer, bool with_jit)
{
	if (with_jit) {
		*map64_put(&process->memo, node, NULL) = answer;
		return;
	}
	symbolizer->memo = vec_grow(symbolizer->memo, &symbolizer->memo_cap, (size_t)node + 1,
				    sizeof(*symbolizer->memo));
	symbolizer->memo[node] = answer + 1;
}

/* ---- one frame ---- */

static struct node_id child(struct symbolizer *symbolizer, struct node_id parent,
			    struct frame_id frame)
{
	return tree_child(symbolizer->config.tree, parent, frame);
}

/* "libfoo.so+0x1234", with all that is needed to ask again. */
static struct node_id unknown_child(struct symbolizer *symbolizer, struct node_id parent,
				    const struct frame *from)
{
	struct names *names = symbolizer->config.names;
	const char *path = names_text(names, from->module, NULL), *slash = strrchr(path, '/');
	char text[NAME_MAX_BYTES];
	struct frame frame = *from;

	snprintf(text, sizeof(text), "%s+0x%llx", slash ? slash + 1 : path,
		 (unsigned long long)from->address);
	frame.name = names_cstr(names, text);
	return child(symbolizer, parent, names_frame(names, &frame));
}

static bool find_jit(struct symbolizer *symbolizer, struct jit_process *process,
		     const struct frame *from, struct node_id parent, struct node_id *ret_node)
{
	struct names *names = symbolizer->config.names;
	struct frame frame = {.module = from->module, .kind = FRAME_NATIVE};
	struct jit_found found;

	if (!process->code || !jit_code_find(process->code, from->address, &found))
		return false;
	*ret_node = parent;
	if (strncmp(found.name, PERF_TRAMPOLINE, strlen(PERF_TRAMPOLINE)) == 0)
		return true;
	frame.name = names_cstr(names, found.name);
	frame.file = names_cstr(names, found.file);
	frame.line = found.line;
	*ret_node = child(symbolizer, parent, names_frame(names, &frame));
	return true;
}

/* What a frame becomes below `parent`; *ret_is_open: more may be known later. */
static struct node_id extend(struct symbolizer *symbolizer, struct jit_process *process,
			     struct node_id parent, struct frame_id id, bool *ret_is_open)
{
	/* Copied: making frames moves them. */
	const struct frame frame = *names_frame_get(symbolizer->config.names, id);
	const struct frame_id *frames;
	struct node_id node;
	uint32_t n;

	if (!needs_name(&frame))
		return child(symbolizer, parent, id);
	if (is_jit(&frame) && find_jit(symbolizer, process, &frame, parent, &node))
		return node;
	switch (asker_frame(&symbolizer->asker, id)) {
	case ASKER_KNOWN:
		frames = asker_result(&symbolizer->asker, id, &n);
		for (uint32_t i = 0; i < n; i++)
			parent = child(symbolizer, parent, frames[i]);
		return parent;
	case ASKER_WAITING:
		*ret_is_open = true;
		break;
	default:
		break;
	}
	return unknown_child(symbolizer, parent, &frame);
}

/* ---- whole nodes ---- */

/* Fills path with the nodes that have no answer yet; returns how many, and where they begin. */
static size_t collect(struct symbolizer *symbolizer, const struct jit_process *process,
		      struct node_id node, uint32_t *ret_answer, bool *ret_is_jit)
{
	const struct tree *tree = symbolizer->config.tree;
	size_t n = 0;

	for (uint32_t at = node.v;
	     !recall(symbolizer, process, at, ret_answer, ret_is_jit) && n <= TREE_MAX_DEPTH;
	     at = tree->parent[at])
		symbolizer->path[n++] = at;
	return n;
}

static struct node_id translate(struct symbolizer *symbolizer, struct jit_process *process,
				struct node_id node)
{
	const struct tree *tree = symbolizer->config.tree;
	struct node_id answer = {0};
	bool with_jit = false, is_open = false;
	size_t n = collect(symbolizer, process, node, &answer.v, &with_jit);

	while (n-- > 0) {
		uint32_t at = symbolizer->path[n];
		struct frame_id frame = {tree->frame[at]};

		with_jit |= is_jit(names_frame_get(symbolizer->config.names, frame));
		answer = extend(symbolizer, process, answer, frame, &is_open);
		if (!is_open)
			remember(symbolizer, process, at, answer.v, with_jit);
	}
	return answer;
}

/* Ask for all that is new of a node; returns whether something waits, and the longest that it may. */
static bool ask_all(struct symbolizer *symbolizer, struct jit_process *process, struct node_id node,
		    int64_t *ret_wait_ns)
{
	bool is_waiting = false, ignored = false;
	struct node_id answer;
	size_t n = collect(symbolizer, process, node, &answer.v, &ignored);

	while (n-- > 0) {
		struct frame_id id = {symbolizer->config.tree->frame[symbolizer->path[n]]};
		const struct frame *frame = names_frame_get(symbolizer->config.names, id);
		struct jit_found found;

		if (!needs_name(frame) || (is_jit(frame) && process->code &&
					   jit_code_find(process->code, frame->address, &found)))
			continue;
		if (asker_frame(&symbolizer->asker, id) != ASKER_WAITING)
			continue;
		is_waiting = true;
		if (asker_is_first(&symbolizer->asker, id))
			*ret_wait_ns = SYMBOL_FIRST_NS;
	}
	return is_waiting;
}

bool symbolizer_ask(struct symbolizer *symbolizer, uint32_t process, struct node_id node)
{
	struct jit_process *owner = processes_get(&symbolizer->processes, process);
	int64_t wait_ns = SYMBOL_NEXT_NS;

	jit_process_look(owner);
	if (!ask_all(symbolizer, owner, node, &wait_ns))
		return true;
	asker_pump(&symbolizer->asker);
	return !ask_all(symbolizer, owner, node, &wait_ns);
}

struct node_id symbolizer_node(struct symbolizer *symbolizer, uint32_t process, struct node_id node)
{
	struct jit_process *owner = processes_get(&symbolizer->processes, process);
	int64_t wait_ns = SYMBOL_NEXT_NS, now_ns, until_ns = 0;

	jit_process_look(owner);
	while (ask_all(symbolizer, owner, node, &wait_ns)) {
		now_ns = clock_monotonic_ns();
		if (!until_ns)
			until_ns = now_ns + wait_ns;
		if (now_ns >= until_ns) {
			symbolizer->asker.facts.late++;
			break;
		}
		asker_wait(&symbolizer->asker, until_ns - now_ns);
	}
	return translate(symbolizer, owner, node);
}

struct node_id symbolizer_node_now(struct symbolizer *symbolizer, uint32_t process,
				   struct node_id node)
{
	struct jit_process *owner = processes_get(&symbolizer->processes, process);

	jit_process_look(owner);
	return translate(symbolizer, owner, node);
}

int symbolizer_fd(const struct symbolizer *symbolizer)
{
	return asker_is_busy(&symbolizer->asker) ? symbolizer->asker.worker : -1;
}

void symbolizer_pump(struct symbolizer *symbolizer)
{
	asker_pump(&symbolizer->asker);
}

void symbolizer_facts(const struct symbolizer *symbolizer, struct symbolizer_facts *ret_facts)
{
	*ret_facts = symbolizer->asker.facts;
}
