/* SPDX-License-Identifier: Apache-2.0 */
/* The unwind information of one file: its index, and entries read when they are asked for. */
#include "elf/eh_frame.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "elf/elf_private.h"

#define ENTRY_FIRST_BYTES 512 /* one read for nearly every entry */
#define HDR_HEAD_BYTES 64     /* what is before the hdr's table is at most 20 */

/* A CIE and the bytes that its program lies in. */
struct kept_cie {
	struct eh_cie cie;
	uint8_t *bytes;
};

/* Room for one entry, used again for the next. */
struct room {
	uint8_t *bytes;
	size_t cap;
};

struct eh_frame {
	const struct elf *elf; /* borrowed */
	struct eh_index index;
	struct kept_cie cies[EH_MAX_CIES];
	size_t n_cies; /* also counts those that are not kept any more: the next place is modulo */
	struct room fde, cie;
};

static int index_from_hdr(struct eh_frame *frame, struct elf_range hdr)
{
	if (hdr.size > 8ull * EH_MAX_FUNCTIONS + HDR_HEAD_BYTES)
		return ERR_LIMIT;
	if (hdr.size > elf_bytes_at(frame->elf, hdr.vaddr))
		return ERR_CORRUPT;
	cleanup_free uint8_t *bytes = xcalloc(hdr.size, 1);
	int r = elf_read_vaddr(frame->elf, hdr.vaddr, bytes, hdr.size);
	if (r < 0)
		return r;
	return eh_index_from_hdr(bytes, hdr.size, hdr.vaddr, elf_base(frame->elf), &frame->index);
}

/* Where .eh_frame is: its section, or where the hdr says, to the end of that segment. */
static int find_section(const struct elf *elf, const struct elf_range *hdr,
			struct elf_range *ret_range)
{
	uint8_t head[HDR_HEAD_BYTES];
	size_t len = min_of(hdr->size, sizeof(head));

	if (elf_section(elf, ".eh_frame", ret_range) == 0 && ret_range->vaddr)
		return 0;
	if (!len || elf_read_vaddr(elf, hdr->vaddr, head, len) < 0)
		return -ENOENT;
	int r = eh_hdr_section(head, len, hdr->vaddr, &ret_range->vaddr);
	if (r < 0)
		return r;
	ret_range->size = elf_bytes_at(elf, ret_range->vaddr);
	return 0;
}

static int index_from_section(struct eh_frame *frame, const struct elf_range *hdr)
{
	struct elf_range section;
	int r = find_section(frame->elf, hdr, &section);

	if (r < 0)
		return r;
	section.size = min_of(section.size, elf_bytes_at(frame->elf, section.vaddr));
	if (section.size > EH_MAX_SECTION_BYTES)
		return ERR_LIMIT;
	cleanup_free uint8_t *bytes = xcalloc(section.size, 1);
	r = elf_read_vaddr(frame->elf, section.vaddr, bytes, section.size);
	if (r < 0)
		return r;
	return eh_index_from_section(bytes, section.size, section.vaddr, elf_base(frame->elf),
				     &frame->index);
}

int eh_frame_open(const struct elf *elf, struct eh_frame **ret_frame, struct err *err)
{
	struct eh_frame *frame = xcalloc(1, sizeof(*frame));
	struct elf_range hdr = {0};

	frame->elf = elf;
	int r = elf_segment(elf, PT_GNU_EH_FRAME, &hdr);
	if (r < 0)
		r = elf_section(elf, ".eh_frame_hdr", &hdr);
	if (r == 0)
		r = index_from_hdr(frame, hdr);
	if (r < 0)
		r = index_from_section(frame, &hdr);
	if (r < 0) {
		eh_frame_close(frame);
		return err_sys(err, r, "no unwind information");
	}
	*ret_frame = frame;
	return 0;
}

void eh_frame_close(struct eh_frame *frame)
{
	if (!frame)
		return;
	for (size_t i = 0; i < EH_MAX_CIES; i++)
		free(frame->cies[i].bytes);
	eh_index_done(&frame->index);
	free(frame->fde.bytes);
	free(frame->cie.bytes);
	free(frame);
}

const struct eh_index *eh_frame_index(const struct eh_frame *frame)
{
	return &frame->index;
}

int eh_frame_find(const struct eh_frame *frame, uint64_t vaddr, size_t *ret_i)
{
	const struct eh_index *index = &frame->index;
	size_t low = 0, high = index->n;
	uint64_t at = vaddr - index->base;

	if (vaddr < index->base)
		return -ENOENT;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->starts[middle] <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return -ENOENT;
	*ret_i = low - 1;
	return 0;
}

/* The whole entry: one read, or two when it is long. */
static int read_entry(const struct eh_frame *frame, struct room *room, uint64_t vaddr,
		      struct eh_entry *ret_entry)
{
	uint64_t there = elf_bytes_at(frame->elf, vaddr);
	size_t len = (size_t)min_of(there, (uint64_t)ENTRY_FIRST_BYTES);

	room->bytes = vec_grow(room->bytes, &room->cap, ENTRY_FIRST_BYTES, 1);
	int r = elf_read_vaddr(frame->elf, vaddr, room->bytes, len);
	if (r < 0)
		return r;
	r = eh_entry_parse(room->bytes, len, vaddr, ret_entry);
	if (r < 0 || ret_entry->bytes <= len)
		return r;
	if (ret_entry->bytes > there)
		return ERR_CORRUPT;
	len = (size_t)ret_entry->bytes; /* at most EH_MAX_ENTRY_BYTES and a head: it was parsed */
	room->bytes = vec_grow(room->bytes, &room->cap, len, 1);
	r = elf_read_vaddr(frame->elf, vaddr, room->bytes, len);
	return r < 0 ? r : eh_entry_parse(room->bytes, len, vaddr, ret_entry);
}

static int find_cie(struct eh_frame *frame, uint64_t vaddr, const struct eh_cie **ret_cie)
{
	struct eh_entry entry;
	struct eh_cie cie;
	size_t n = min_of(frame->n_cies, (size_t)EH_MAX_CIES);

	for (size_t i = 0; i < n; i++)
		if (frame->cies[i].cie.vaddr == vaddr) {
			*ret_cie = &frame->cies[i].cie;
			return 0;
		}
	int r = read_entry(frame, &frame->cie, vaddr, &entry);
	if (r == 0)
		r = eh_cie_parse(&entry, &cie);
	if (r < 0)
		return r;
	struct kept_cie *kept = &frame->cies[frame->n_cies++ % EH_MAX_CIES];
	free(kept->bytes);
	kept->bytes = xcalloc(cie.program_bytes, 1);
	memcpy(kept->bytes, cie.program, cie.program_bytes);
	cie.program = kept->bytes;
	cie.vaddr = vaddr;
	kept->cie = cie;
	*ret_cie = &kept->cie;
	return 0;
}

int eh_frame_rows(struct eh_frame *frame, size_t i, struct eh_fde *ret_fde, eh_row_fn *row,
		  void *ctx)
{
	uint64_t vaddr = frame->index.base + frame->index.fdes[i];
	const struct eh_cie *cie = NULL;
	struct eh_entry entry;

	int r = read_entry(frame, &frame->fde, vaddr, &entry);
	if (r == 0 && (entry.is_cie || entry.is_end))
		r = ERR_CORRUPT;
	if (r == 0)
		r = find_cie(frame, entry.cie_vaddr, &cie);
	if (r == 0)
		r = eh_fde_parse(&entry, cie, ret_fde);
	if (r < 0)
		return r;
	if (ret_fde->start != frame->index.base + frame->index.starts[i])
		return ERR_CORRUPT; /* the linker's table speaks of another function */
	return eh_rows(cie, ret_fde, row, ctx);
}
