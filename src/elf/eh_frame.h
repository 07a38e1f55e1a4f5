/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .eh_frame and .eh_frame_hdr, read as hostile: which function has which entry, and an entry's rows.
 *
 * A file's entries (FDE) are found by an index that is made from the linker's own sorted table or, where that
 * is missing or damaged, by one walk over the section.  Entries are turned into rows one at a time, when
 * asked for: a library of 100 MB costs 8 bytes a function until somebody stands in one.
 *
 * The parsers take bytes and neither open nor read anything; eh_frame_open() and eh_frame_rows() read
 * through elf.h with the limits below.  One thread uses a struct eh_frame.
 */
#ifndef ELF_EH_FRAME_H
#define ELF_EH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "elf/cfi.h"
#include "elf/elf.h"

#define EH_MAX_FUNCTIONS (2u << 20)	 /* of one file: 16 MB of index */
#define EH_MAX_SECTION_BYTES (96u << 20) /* walked when there is no table; read for it */
#define EH_MAX_ENTRY_BYTES                                                                         \
	(256u << 10)	     /* of one CIE or FDE; CPython's evaluation function has 6 kB */
#define EH_MAX_ROWS 32768    /* of one FDE */
#define EH_MAX_REMEMBERED 16 /* DW_CFA_remember_state inside one another; compilers need 2 */
#define EH_MAX_CIES 64	     /* kept of one file; more are read again */

/* ---- bytes of one entry ---- */

struct eh_entry {
	uint64_t bytes; /* of the whole entry; the next one follows */
	bool is_end;	/* the terminator: nothing follows */
	bool is_cie;
	uint64_t cie_vaddr;  /* of an FDE: the CIE that it belongs to */
	const uint8_t *body; /* behind the id, borrowed */
	size_t body_bytes;
	uint64_t body_vaddr;
};

/*
 * The entry that begins at `bytes`, which is linked at `vaddr`.  `len` may end inside of the body: then
 * body_bytes is what is there of it.  ERR_CORRUPT, ERR_LIMIT.
 */
int eh_entry_parse(const uint8_t *bytes, size_t len, uint64_t vaddr,
		   struct eh_entry *ret_entry) nodiscard;

struct eh_cie {
	uint64_t vaddr;
	uint64_t code_align;
	int64_t data_align;
	uint8_t ra;	  /* the return address's register */
	uint8_t encoding; /* of pointers in its FDEs */
	bool is_signal, has_sizes;
	const uint8_t *program; /* borrowed from the entry */
	size_t program_bytes;
};

int eh_cie_parse(const struct eh_entry *entry, struct eh_cie *ret_cie) nodiscard;

struct eh_fde {
	uint64_t start, end; /* linked addresses */
	const uint8_t *program;
	size_t program_bytes;
	uint64_t program_vaddr;
};

int eh_fde_parse(const struct eh_entry *entry, const struct eh_cie *cie,
		 struct eh_fde *ret_fde) nodiscard;

/* Called for each row, with rising addresses; a negative result ends the walk and is returned. */
typedef int eh_row_fn(void *ctx, uint64_t vaddr, const struct cfi_rule *rule);

/* The rows of one function; the first is at fde->start.  ERR_CORRUPT, ERR_LIMIT; rows before that were given. */
int eh_rows(const struct eh_cie *cie, const struct eh_fde *fde, eh_row_fn *row,
	    void *ctx) nodiscard;

/* ---- the index ---- */

struct eh_index {
	uint64_t base;	  /* addresses are kept as 32 bits above it */
	uint32_t *starts; /* of functions, rising */
	uint32_t *fdes;	  /* their entries */
	size_t n;
};

/* From .eh_frame_hdr: ERR_UNSUPPORTED when it has no sorted table, ERR_CORRUPT when it is not one. */
int eh_index_from_hdr(const uint8_t *bytes, size_t len, uint64_t vaddr, uint64_t base,
		      struct eh_index *ret_index) nodiscard;
/* By a walk over .eh_frame; what comes before a damaged entry counts. */
int eh_index_from_section(const uint8_t *bytes, size_t len, uint64_t vaddr, uint64_t base,
			  struct eh_index *ret_index) nodiscard;
void eh_index_done(struct eh_index *index);
/* Where the hdr says that .eh_frame is. */
int eh_hdr_section(const uint8_t *bytes, size_t len, uint64_t vaddr, uint64_t *ret_vaddr) nodiscard;

/* ---- a file ---- */

struct eh_frame;

/* -ENOENT: the file has no unwind information.  Borrows the ELF file. */
int eh_frame_open(const struct elf *elf, struct eh_frame **ret_frame, struct err *err) nodiscard;
void eh_frame_close(struct eh_frame *frame);

const struct eh_index *eh_frame_index(const struct eh_frame *frame);
/* The entry of the function that may hold `vaddr` (the last that begins at or before it); -ENOENT. */
int eh_frame_find(const struct eh_frame *frame, uint64_t vaddr, size_t *ret_i) nodiscard;
/* Bounds of that function, then its rows. */
int eh_frame_rows(struct eh_frame *frame, size_t i, struct eh_fde *ret_fde, eh_row_fn *row,
		  void *ctx) nodiscard;

#endif
