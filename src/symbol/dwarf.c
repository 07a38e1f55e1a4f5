/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libdw's own ways from an address to a function are not used: dwarf_addrdie() needs .debug_aranges, which
 * clang leaves out, and dwarf_getscopes() reads a whole unit for every address.  Instead:
 *   1. the ranges of all units, sorted, made at the first question;
 *   2. the ranges of all functions of a unit, sorted, made at the first question about the unit;
 *   3. from the function down only into blocks and inlined functions that hold the address.
 */
#include "symbol/dwarf.h"

#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "symbol/dwarf_private.h"

#define UNITS_MAX (1u << 20)
#define RANGES_MAX (8u << 20)
#define NESTING_MAX 64 /* of namespaces and classes above a function, of blocks below it */

struct range {
	uint64_t low, high;
	uint32_t what; /* unit, or function of a unit */
};

struct ranges {
	struct range *items;
	size_t n, cap;
};

struct unit {
	Dwarf_Die die;
	struct ranges functions;
	Dwarf_Die *dies; /* of the functions */
	size_t n_dies, dies_cap;
	Dwarf_Files *files; /* NULL: not looked at, or none */
	bool is_indexed;
};

struct dwarf {
	const struct dwarf_library *library;
	int fd, alt_fd;
	Elf *elf, *alt_elf;
	Dwarf *dw, *alt_dw;
	struct unit *units;
	size_t n_units, units_cap;
	struct ranges unit_ranges;
	bool is_indexed;
};

/* ---- sorted ranges ---- */

static void ranges_add(struct ranges *ranges, uint64_t low, uint64_t high, uint32_t what)
{
	/* What a linker threw away begins at 0. */
	if (low >= high || !low || ranges->n >= RANGES_MAX)
		return;
	ranges->items =
		vec_grow(ranges->items, &ranges->cap, ranges->n + 1, sizeof(*ranges->items));
	ranges->items[ranges->n++] = (struct range){low, high, what};
}

static int compare_ranges(const void *left, const void *right)
{
	const struct range *a = left, *b = right;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	return a->high != b->high ? (a->high > b->high ? -1 : 1) : 0;
}

static void ranges_sort(struct ranges *ranges)
{
	if (ranges->n)
		qsort(ranges->items, ranges->n, sizeof(*ranges->items), compare_ranges);
}

/* The narrowest that holds the address and begins last; NULL. */
static const struct range *ranges_find(const struct ranges *ranges, uint64_t vaddr)
{
	size_t low = 0, high = ranges->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->items[middle].low <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low, looked = 0; i > 0 && looked < NESTING_MAX; i--, looked++)
		if (vaddr < ranges->items[i - 1].high)
			return &ranges->items[i - 1];
	return NULL;
}

static void add_ranges_of(const struct dwarf *dwarf, Dwarf_Die *die, struct ranges *ranges,
			  uint32_t what)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	while (ranges->n < RANGES_MAX &&
	       (at = dwarf->library->dwarf_ranges(die, at, &base, &low, &high)) > 0)
		ranges_add(ranges, low, high, what);
}

/* ---- open ---- */

static int begin(struct dwarf *dwarf, int fd, Elf **ret_elf, Dwarf **ret_dw)
{
	*ret_elf = dwarf->library->elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!*ret_elf)
		return ERR_CORRUPT;
	*ret_dw = dwarf->library->dwarf_begin_elf(*ret_elf, DWARF_C_READ, NULL);
	return *ret_dw ? 0 : -ENODATA;
}

int dwarf_open(const struct dwarf_library *library, int fd, int alt_fd, struct dwarf **ret_dwarf,
	       struct err *err)
{
	struct dwarf *dwarf = xcalloc(1, sizeof(*dwarf));
	int r;

	*dwarf = (struct dwarf){.library = library, .fd = fd, .alt_fd = alt_fd};
	r = begin(dwarf, fd, &dwarf->elf, &dwarf->dw);
	if (r < 0) {
		dwarf_close(dwarf);
		return err_set(err, r, "no debug information");
	}
	if (alt_fd >= 0 && begin(dwarf, alt_fd, &dwarf->alt_elf, &dwarf->alt_dw) == 0)
		library->dwarf_setalt(dwarf->dw, dwarf->alt_dw);
	*ret_dwarf = dwarf;
	return 0;
}

void dwarf_close(struct dwarf *dwarf)
{
	if (!dwarf)
		return;
	for (size_t i = 0; i < dwarf->n_units; i++) {
		free(dwarf->units[i].functions.items);
		free(dwarf->units[i].dies);
	}
	free(dwarf->units);
	free(dwarf->unit_ranges.items);
	if (dwarf->dw)
		dwarf->library->dwarf_end(dwarf->dw);
	if (dwarf->alt_dw)
		dwarf->library->dwarf_end(dwarf->alt_dw);
	if (dwarf->elf)
		dwarf->library->elf_end(dwarf->elf);
	if (dwarf->alt_elf)
		dwarf->library->elf_end(dwarf->alt_elf);
	cleanup_close_fd(&dwarf->fd);
	cleanup_close_fd(&dwarf->alt_fd);
	free(dwarf);
}

/* ---- units and their functions ---- */

static void index_units(struct dwarf *dwarf)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;

	dwarf->is_indexed = true;
	while (dwarf->n_units < UNITS_MAX &&
	       dwarf->library->dwarf_get_units(dwarf->dw, cu, &cu, NULL, NULL, &die, NULL) == 0) {
		if (dwarf->library->dwarf_tag(&die) != DW_TAG_compile_unit &&
		    dwarf->library->dwarf_tag(&die) != DW_TAG_skeleton_unit)
			continue;
		dwarf->units = vec_grow(dwarf->units, &dwarf->units_cap, dwarf->n_units + 1,
					sizeof(*dwarf->units));
		dwarf->units[dwarf->n_units] = (struct unit){.die = die};
		add_ranges_of(dwarf, &die, &dwarf->unit_ranges, (uint32_t)dwarf->n_units++);
	}
	ranges_sort(&dwarf->unit_ranges);
}

static void add_function(const struct dwarf *dwarf, struct unit *unit, Dwarf_Die *die)
{
	size_t before = unit->functions.n;

	add_ranges_of(dwarf, die, &unit->functions, (uint32_t)unit->n_dies);
	if (unit->functions.n == before)
		return;
	unit->dies = vec_grow(unit->dies, &unit->dies_cap, unit->n_dies + 1, sizeof(*unit->dies));
	unit->dies[unit->n_dies++] = *die;
}

static bool may_hold_functions(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_class_type ||
	       tag == DW_TAG_structure_type || tag == DW_TAG_module || tag == DW_TAG_lexical_block;
}

/* Functions among the children of a DIE, and in the namespaces and classes there. */
static void index_functions(const struct dwarf *dwarf, struct unit *unit, Dwarf_Die *parent,
			    int depth)
{
	Dwarf_Die die;
	int r = dwarf->library->dwarf_child(parent, &die);

	for (; r == 0 && unit->n_dies < RANGES_MAX;
	     r = dwarf->library->dwarf_siblingof(&die, &die)) {
		int tag = dwarf->library->dwarf_tag(&die);

		if (tag == DW_TAG_subprogram)
			add_function(dwarf, unit, &die);
		/* Nested functions and local classes stand in functions. */
		if ((tag == DW_TAG_subprogram || may_hold_functions(tag)) && depth < NESTING_MAX)
			index_functions(dwarf, unit, &die, depth + 1);
	}
}

static struct unit *find_unit(struct dwarf *dwarf, uint64_t vaddr)
{
	const struct range *range;
	struct unit *unit;

	if (!dwarf->is_indexed)
		index_units(dwarf);
	range = ranges_find(&dwarf->unit_ranges, vaddr);
	if (!range)
		return NULL;
	unit = &dwarf->units[range->what];
	if (!unit->is_indexed) {
		unit->is_indexed = true;
		index_functions(dwarf, unit, &unit->die, 0);
		ranges_sort(&unit->functions);
		if (dwarf->library->dwarf_getsrcfiles(&unit->die, &unit->files, NULL) != 0)
			unit->files = NULL;
	}
	return unit;
}

/* ---- one address ---- */

static const char *text_of(const struct dwarf_library *library, Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;

	return library->dwarf_attr_integrate(die, name, &attribute)
		       ? library->dwarf_formstring(&attribute)
		       : NULL;
}

static uint64_t number_of(const struct dwarf_library *library, Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (!library->dwarf_attr_integrate(die, name, &attribute) ||
	    library->dwarf_formudata(&attribute, &value) != 0)
		return 0;
	return value;
}

static uint32_t line_of(const struct dwarf_library *library, Dwarf_Die *die, unsigned name)
{
	uint64_t line = number_of(library, die, name);

	return line <= INT32_MAX ? (uint32_t)line : 0;
}

static void describe(const struct dwarf *dwarf, Dwarf_Die *die, struct dwarf_frame *frame)
{
	frame->name = text_of(dwarf->library, die, DW_AT_linkage_name);
	if (!frame->name)
		frame->name = text_of(dwarf->library, die, DW_AT_MIPS_linkage_name);
	if (!frame->name)
		frame->name = text_of(dwarf->library, die, DW_AT_name);
	frame->first_line = line_of(dwarf->library, die, DW_AT_decl_line);
}

static bool is_inlined(int tag)
{
	return tag == DW_TAG_inlined_subroutine;
}

/* The child that holds the address: an inlined function, or a block in which one may be. */
static bool find_child(const struct dwarf_library *library, Dwarf_Die *parent, uint64_t vaddr,
		       Dwarf_Die *ret_die)
{
	Dwarf_Die die;
	int r = library->dwarf_child(parent, &die);

	for (; r == 0; r = library->dwarf_siblingof(&die, &die)) {
		int tag = library->dwarf_tag(&die);

		if ((is_inlined(tag) || tag == DW_TAG_lexical_block) &&
		    library->dwarf_haspc(&die, vaddr) == 1) {
			*ret_die = die;
			return true;
		}
	}
	return false;
}

/* Inlined functions from the outermost on; returns how many. */
static int find_inlined(const struct dwarf_library *library, Dwarf_Die *function, uint64_t vaddr,
			Dwarf_Die dies[DWARF_MAX_INLINED])
{
	Dwarf_Die at = *function;
	int n = 0;

	for (int depth = 0; depth < 2 * NESTING_MAX && n < DWARF_MAX_INLINED; depth++) {
		if (!find_child(library, &at, vaddr, &at))
			break;
		if (is_inlined(library->dwarf_tag(&at)))
			dies[n++] = at;
	}
	return n;
}

static const char *call_file(const struct dwarf *dwarf, const struct unit *unit, Dwarf_Die *die)
{
	uint64_t index = number_of(dwarf->library, die, DW_AT_call_file);

	return unit->files && index ? dwarf->library->dwarf_filesrc(unit->files, index, NULL, NULL)
				    : NULL;
}

static void set_place(const struct dwarf *dwarf, struct unit *unit, uint64_t vaddr,
		      struct dwarf_frame *frame)
{
	Dwarf_Line *line = dwarf->library->dwarf_getsrc_die(&unit->die, vaddr);
	int number = 0;

	if (!line)
		return;
	frame->file = dwarf->library->dwarf_linesrc(line, NULL, NULL);
	if (dwarf->library->dwarf_lineno(line, &number) == 0 && number > 0)
		frame->line = (uint32_t)number;
}

int dwarf_find(struct dwarf *dwarf, uint64_t vaddr, struct dwarf_frame *frames, int max)
{
	Dwarf_Die inlined[DWARF_MAX_INLINED];
	struct unit *unit = find_unit(dwarf, vaddr);
	const struct range *range = unit ? ranges_find(&unit->functions, vaddr) : NULL;
	int n = 0, n_inlined;

	if (!unit || max < 1)
		return 0;
	struct dwarf_frame place = {0};

	set_place(dwarf, unit, vaddr, &place);
	if (!range) { /* assembler code: a line at most */
		frames[0] = place;
		return place.line > 0;
	}
	n_inlined = find_inlined(dwarf->library, &unit->dies[range->what], vaddr, inlined);
	for (int i = n_inlined - 1; i >= 0 && n < max - 1; i--) {
		frames[n] = place;
		describe(dwarf, &inlined[i], &frames[n++]);
		place = (struct dwarf_frame){
			.file = call_file(dwarf, unit, &inlined[i]),
			.line = line_of(dwarf->library, &inlined[i], DW_AT_call_line),
		};
	}
	frames[n] = place;
	describe(dwarf, &unit->dies[range->what], &frames[n++]);
	return n;
}
