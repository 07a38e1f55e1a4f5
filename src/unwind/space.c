/* SPDX-License-Identifier: Apache-2.0 */
/* What a process has mapped to run, and the table of each file of it, loaded when needed. */
#include <errno.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "unwind/unwind_private.h"

#define VDSO_MAX_BYTES (64u << 10)

struct unwind_space *unwind_space_new(const struct unwind_args *args)
{
	struct unwind_space *space = xcalloc(1, sizeof(*space));

	space->args = *args;
	return space;
}

static void module_unload(struct unwind_space *space, struct module *module)
{
	if (module->state != MODULE_LOADED)
		return;
	space->index_bytes -= module->table.frame ? eh_frame_index(module->table.frame)->n * 8 : 0;
	space->n_open--;
	table_done(&module->table);
	module->state = MODULE_NEW;
}

void unwind_space_free(struct unwind_space *space)
{
	if (!space)
		return;
	for (size_t i = 0; i < space->n_modules; i++) {
		module_unload(space, space->modules[i]);
		free((char *)space->modules[i]->mapping.path);
		free(space->modules[i]);
	}
	free(space->modules);
	map64_done(&space->module_ids);
	free(space->ranges);
	rows_done(&space->rows);
	free(space);
}

/* ---- modules ---- */

static enum unwind_kind kind_of(const struct mapping *mapping)
{
	if (mapping_is_file(mapping))
		return UNWIND_FILE;
	return strcmp(mapping->path, "[vdso]") == 0 ? UNWIND_VDSO : UNWIND_ANONYMOUS;
}

static uint64_t dev_of(const struct mapping *mapping)
{
	return (uint64_t)mapping->dev_major << 32 | mapping->dev_minor;
}

/* All code without a file is one module: its addresses are what names it. */
static uint64_t identity_of(const struct mapping *mapping, enum unwind_kind kind)
{
	uint64_t hash = kind;

	if (kind == UNWIND_ANONYMOUS)
		return hash;
	hash = (hash ^ (mapping->start - mapping->offset)) * 0x9e3779b97f4a7c15ull;
	hash = (hash ^ hash >> 32 ^ mapping->inode) * 0x9e3779b97f4a7c15ull;
	return (hash ^ hash >> 32 ^ dev_of(mapping)) * 0x9e3779b97f4a7c15ull;
}

static bool is_same(const struct module *module, const struct mapping *mapping,
		    enum unwind_kind kind)
{
	const struct mapping *own = &module->mapping;

	if (module->public.kind != kind)
		return false;
	return kind == UNWIND_ANONYMOUS ||
	       (own->start - own->offset == mapping->start - mapping->offset &&
		own->inode == mapping->inode && module->public.dev == dev_of(mapping) &&
		strcmp(own->path, mapping->path) == 0);
}

static struct module *module_new(const struct mapping *mapping, enum unwind_kind kind)
{
	struct module *module = xcalloc(1, sizeof(*module));

	module->mapping = *mapping;
	module->mapping.path = xstrdup(kind == UNWIND_ANONYMOUS ? "[anonymous]" : mapping->path);
	module->public = (struct unwind_module){.kind = kind,
						.path = module->mapping.path,
						.bias = mapping->start - mapping->offset,
						.dev = dev_of(mapping),
						.inode = mapping->inode};
	if (kind == UNWIND_ANONYMOUS) {
		module->public.bias = 0;
		module->state = MODULE_FAILED; /* there is nothing to load */
	}
	return module;
}

static uint32_t module_of(struct unwind_space *space, const struct mapping *mapping)
{
	enum unwind_kind kind = kind_of(mapping);
	bool is_new;
	uint32_t *id = map64_put(&space->module_ids, identity_of(mapping, kind), &is_new);

	if (!is_new && *id != UNWIND_NO_MODULE && is_same(space->modules[*id], mapping, kind)) {
		struct module *module = space->modules[*id];
		const char *path = module->mapping.path;

		module->mapping = *mapping; /* what was mapped then may be gone */
		module->mapping.path = path;
		return *id;
	}
	*id = UNWIND_NO_MODULE;
	if (space->n_modules == SPACE_MAX_MODULES)
		return UNWIND_NO_MODULE;
	*id = (uint32_t)space->n_modules;
	space->modules = vec_grow(space->modules, &space->modules_cap, space->n_modules + 1,
				  sizeof(*space->modules));
	space->modules[space->n_modules++] = module_new(mapping, kind);
	return *id;
}

void unwind_space_update(struct unwind_space *space, const struct maps *maps)
{
	space->n_ranges = 0;
	for (size_t i = 0; i < maps->n; i++) {
		const struct mapping *mapping = &maps->items[i];

		if (!(mapping->perms & MAPPING_EXEC))
			continue;
		space->ranges = vec_grow(space->ranges, &space->ranges_cap, space->n_ranges + 1,
					 sizeof(*space->ranges));
		space->ranges[space->n_ranges++] =
			(struct range){.start = mapping->start,
				       .end = mapping->end,
				       .module = module_of(space, mapping)};
	}
	memset(space->answers, 0, sizeof(space->answers));
	memset(space->calls, 0, sizeof(space->calls));
}

size_t unwind_modules(const struct unwind_space *space)
{
	return space->n_modules;
}

const struct unwind_module *unwind_module(const struct unwind_space *space, uint32_t i)
{
	return &space->modules[i]->public;
}

uint32_t unwind_module_at(const struct unwind_space *space, raddr_t addr)
{
	size_t low = 0, high = space->n_ranges;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (space->ranges[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || addr >= space->ranges[low - 1].end)
		return UNWIND_NO_MODULE;
	return space->ranges[low - 1].module;
}

/* ---- loading ---- */

/* The kernel's own library has no file: its pages become one. */
static int copy_vdso(struct memory *memory, const struct mapping *mapping)
{
	uint64_t len = mapping->end - mapping->start;

	if (!memory || len > VDSO_MAX_BYTES)
		return ERR_UNSUPPORTED;
	cleanup_free uint8_t *bytes = xcalloc(len, 1);
	int r = memory_read(memory, mapping->start, bytes, len);
	if (r < 0)
		return r;
	cleanup_fd int fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pwrite(fd, bytes, len, 0) != (ssize_t)len)
		return -EIO;
	return take_fd(&fd);
}

static int open_module(const struct unwind_space *space, const struct module *module)
{
	if (module->public.kind == UNWIND_VDSO)
		return copy_vdso(space->args.memory, &module->mapping);
	if (!space->args.open)
		return ERR_UNSUPPORTED;
	return space->args.open(space->args.ctx, &module->mapping, NULL);
}

static void build_id_text(const struct elf *elf, char into[UNWIND_BUILD_ID_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t id[ELF_BUILD_ID_MAX];
	int len = elf_build_id(elf, id);

	for (int i = 0; i < len; i++) {
		into[2 * i] = digits[id[i] >> 4];
		into[2 * i + 1] = digits[id[i] & 15];
	}
	into[len > 0 ? 2 * len : 0] = 0;
}

/* Files and indexes that were not needed for the longest time make room. */
static void make_room(struct unwind_space *space)
{
	while (space->n_open >= SPACE_MAX_OPEN || space->index_bytes > SPACE_MAX_INDEX_BYTES) {
		struct module *oldest = NULL;

		for (size_t i = 0; i < space->n_modules; i++) {
			struct module *module = space->modules[i];

			if (module->state == MODULE_LOADED &&
			    (!oldest || module->used < oldest->used))
				oldest = module;
		}
		if (!oldest)
			return;
		module_unload(space, oldest);
	}
}

static int load(struct unwind_space *space, struct module *module)
{
	struct elf *elf;
	uint64_t vaddr;
	int fd = open_module(space, module);

	if (fd < 0)
		return fd;
	int r = elf_open(fd, &elf, NULL);
	if (r < 0)
		return r;
	r = elf_vaddr(elf, module->mapping.offset, &vaddr);
	if (r < 0) {
		elf_close(elf);
		return r;
	}
	module->public.bias = module->mapping.start - vaddr;
	build_id_text(elf, module->public.build_id);
	table_init(&module->table, elf);
	module->public.is_loaded = true;
	module->public.has_table = module->table.frame != NULL;
	return 0;
}

bool space_load(struct unwind_space *space, struct module *module)
{
	module->used = space->runs;
	if (module->state != MODULE_NEW)
		return module->state == MODULE_LOADED;
	if (!space->left_loads)
		return false;
	space->left_loads--;
	make_room(space);
	if (load(space, module) < 0) {
		module->state = MODULE_FAILED;
		return false;
	}
	module->state = MODULE_LOADED;
	space->n_open++;
	space->index_bytes += module->table.frame ? eh_frame_index(module->table.frame)->n * 8 : 0;
	return true;
}

/* ---- questions ---- */

const struct function *space_function(struct unwind_space *space, uint32_t module, uint64_t address)
{
	const struct function *function;

	if (module == UNWIND_NO_MODULE || !space_load(space, space->modules[module]))
		return NULL;
	struct module *it = space->modules[module];
	if (!space->left_decoded)
		return NULL;
	int r = table_function(&it->table, &space->rows, address - it->public.bias, &function);
	if (r < 0)
		return NULL;
	space->left_decoded -= r > 0;
	return function;
}

static uint32_t find_rule(struct unwind_space *space, uint32_t module, uint64_t address)
{
	const struct function *function = space_function(space, module, address);

	if (!function)
		return RULE_NONE;
	struct module *it = space->modules[module];
	return rows_rule(&space->rows, &it->table, function, address - it->public.bias);
}

const struct cfi_rule *space_rule(struct unwind_space *space, uint32_t module, uint64_t address,
				  bool *ret_is_bad)
{
	struct answer *answer =
		&space->answers[(address * 0x9e3779b97f4a7c15ull) >> 32 & (SPACE_ANSWERS - 1)];

	if (answer->address != address || answer->module != module) {
		uint32_t rule = find_rule(space, module, address);

		*ret_is_bad = rule == RULE_BAD;
		if (rule >= RULE_BAD) /* may be because of a budget: asked again */
			return NULL;
		*answer = (struct answer){.address = address, .module = module, .rule = rule};
	}
	*ret_is_bad = false;
	return &space->rows.rules[answer->rule];
}

bool space_code(struct unwind_space *space, uint32_t module, uint64_t address, void *into,
		size_t len)
{
	if (module == UNWIND_NO_MODULE)
		return false;
	struct module *it = space->modules[module];
	if (space_load(space, it))
		return elf_read_vaddr(it->table.elf, address - it->public.bias, into, len) == 0;
	return space->args.memory && memory_read(space->args.memory, address, into, len) == 0;
}

int unwind_function(struct unwind_space *space, raddr_t addr, raddr_t *ret_start, raddr_t *ret_end)
{
	uint32_t module = unwind_module_at(space, addr);

	space->left_loads = RUN_MAX_LOADS;
	space->left_decoded = RUN_MAX_DECODED;
	const struct function *function = space_function(space, module, addr);
	if (!function)
		return -ENOENT;
	const struct module *it = space->modules[module];
	*ret_start = it->public.bias + it->table.base + function->start;
	*ret_end = it->public.bias + it->table.base + function->end;
	return 0;
}
