/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind information of any bytes: as a section that is walked and whose functions are decoded, as the
 * linker's table before it, and as a whole file.  What comes out must keep the promises that the unwinder builds on.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/eh_frame.h"

#define SECTION_VADDR 0x2000
#define HDR_VADDR 0x1000
#define FUNCTIONS_MAX 200 /* of a file, so that a run is short */

static void demand(bool is_kept)
{
	if (!is_kept)
		abort();
}

struct seen {
	uint64_t last;
	uint32_t n;
};

static int take_row(void *ctx, uint64_t vaddr, const struct cfi_rule *rule)
{
	struct seen *seen = ctx;

	demand(!seen->n || vaddr > seen->last);
	demand(rule->n <= CFI_REGS && rule->reg < CFI_REGS && rule->ra < CFI_REGS);
	for (uint8_t i = 0; i < rule->n; i++) {
		demand(rule->items[i].reg < CFI_REGS && rule->items[i].base < CFI_REGS);
		demand(!i || rule->items[i].reg > rule->items[i - 1].reg);
		demand(rule->items[i].how != CFI_SAME && rule->items[i].how <= CFI_BAD);
	}
	seen->last = vaddr;
	seen->n++;
	return 0;
}

static void try_index(const struct eh_index *index)
{
	demand(index->n > 0);
	for (size_t i = 1; i < index->n; i++)
		demand(index->starts[i] >= index->starts[i - 1]);
}

static void try_section(const uint8_t *data, size_t size)
{
	struct eh_entry cie_entry, entry;
	struct eh_cie cie;
	struct eh_fde fde;
	struct eh_index index;
	struct seen seen = {0};

	if (eh_index_from_section(data, size, SECTION_VADDR, 0, &index) == 0) {
		try_index(&index);
		eh_index_done(&index);
	}
	if (eh_index_from_hdr(data, size, HDR_VADDR, 0, &index) == 0) {
		try_index(&index);
		eh_index_done(&index);
	}
	/* The first entry as a CIE, the second as its FDE: programs, without the luck of matching pointers. */
	if (eh_entry_parse(data, size, SECTION_VADDR, &cie_entry) < 0 || cie_entry.is_end ||
	    cie_entry.bytes > size || eh_cie_parse(&cie_entry, &cie) < 0 ||
	    eh_entry_parse(data + cie_entry.bytes, size - cie_entry.bytes,
			   SECTION_VADDR + cie_entry.bytes, &entry) < 0 ||
	    eh_fde_parse(&entry, &cie, &fde) < 0)
		return;
	(void)!eh_rows(&cie, &fde, take_row, &seen);
}

static void try_file(const uint8_t *data, size_t size)
{
	struct eh_frame *frame;
	struct elf *elf;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return;
	}
	if (elf_open(fd, &elf, NULL) < 0)
		return;
	if (eh_frame_open(elf, &frame, NULL) == 0) {
		for (size_t i = 0; i < eh_frame_index(frame)->n && i < FUNCTIONS_MAX; i++) {
			struct seen seen = {0};
			struct eh_fde fde;

			(void)!eh_frame_rows(frame, i, &fde, take_row, &seen);
		}
		eh_frame_close(frame);
	}
	elf_close(elf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_section(data, size);
	try_file(data, size);
	return 0;
}
