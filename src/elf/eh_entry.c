/* SPDX-License-Identifier: Apache-2.0 */
/* The entries of .eh_frame: lengths, CIEs and FDEs. */
#include "elf/eh_cursor_private.h"
#include "elf/eh_frame.h"

enum {
	EH_PE_ABSPTR = 0x00,
	EH_PE_ULEB = 0x01,
	EH_PE_UDATA2 = 0x02,
	EH_PE_UDATA4 = 0x03,
	EH_PE_UDATA8 = 0x04,
	EH_PE_SIGNED = 0x08,
	EH_PE_SLEB = 0x09,
	EH_PE_SDATA2 = 0x0a,
	EH_PE_SDATA4 = 0x0b,
	EH_PE_SDATA8 = 0x0c,
	EH_PE_PCREL = 0x10,
	EH_PE_DATAREL = 0x30,
	EH_PE_BASE = 0x70,
	EH_PE_INDIRECT = 0x80,
};

static uint64_t pointer_value(struct eh_cursor *cursor, uint8_t format)
{
	switch (format) {
	case EH_PE_ABSPTR:
	case EH_PE_UDATA8:
	case EH_PE_SIGNED:
	case EH_PE_SDATA8:
		return eh_fixed(cursor, 8);
	case EH_PE_ULEB:
		return eh_uleb(cursor);
	case EH_PE_SLEB:
		return (uint64_t)eh_sleb(cursor);
	case EH_PE_UDATA2:
		return eh_fixed(cursor, 2);
	case EH_PE_UDATA4:
		return eh_fixed(cursor, 4);
	case EH_PE_SDATA2:
		return (uint64_t)(int64_t)(int16_t)eh_fixed(cursor, 2);
	case EH_PE_SDATA4:
		return (uint64_t)(int64_t)(int32_t)eh_fixed(cursor, 4);
	default:
		cursor->bad = true;
		return 0;
	}
}

uint64_t eh_pointer(struct eh_cursor *cursor, uint8_t encoding, uint64_t data_base)
{
	uint64_t place = cursor->vaddr;
	uint64_t value = pointer_value(cursor, encoding & 0x0f);

	switch (encoding & EH_PE_BASE) {
	case EH_PE_ABSPTR:
		break;
	case EH_PE_PCREL:
		value += place;
		break;
	case EH_PE_DATAREL:
		value += data_base;
		cursor->bad |= !data_base;
		break;
	default:
		cursor->bad = true;
	}
	cursor->bad |= (encoding & EH_PE_INDIRECT) != 0;
	return value;
}

int eh_entry_parse(const uint8_t *bytes, size_t len, uint64_t vaddr, struct eh_entry *ret_entry)
{
	struct eh_cursor cursor = {.at = bytes, .end = bytes + len, .vaddr = vaddr};
	uint64_t size = eh_fixed(&cursor, 4);
	uint64_t head = 4;

	if (size == 0xffffffff) {
		size = eh_fixed(&cursor, 8);
		head = 12;
	}
	if (cursor.bad)
		return ERR_CORRUPT;
	*ret_entry = (struct eh_entry){.bytes = head + size, .is_end = size == 0};
	if (!size)
		return 0;
	if (size > EH_MAX_ENTRY_BYTES)
		return ERR_LIMIT;
	/* The distance to the CIE has 4 bytes in .eh_frame, whatever the length has. */
	uint64_t id_vaddr = cursor.vaddr;
	uint64_t id = eh_fixed(&cursor, 4);
	if (cursor.bad || size < 4)
		return ERR_CORRUPT;
	ret_entry->is_cie = id == 0;
	ret_entry->cie_vaddr = id_vaddr - id;
	ret_entry->body = cursor.at;
	ret_entry->body_vaddr = cursor.vaddr;
	ret_entry->body_bytes = size - 4 < eh_left(&cursor) ? (size_t)(size - 4) : eh_left(&cursor);
	return 0;
}

/* What the letters after 'z' announce. */
static void take_augmentation(struct eh_cursor *cursor, const char *letters, struct eh_cie *cie)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'L':
			(void)eh_byte(cursor);
			break;
		case 'R':
			cie->encoding = eh_byte(cursor);
			break;
		case 'P': {
			/* The personality routine is nobody's business here, but for its length. */
			uint8_t encoding = eh_byte(cursor);
			bool was_bad = cursor->bad;

			(void)eh_pointer(cursor, encoding, 1);
			cursor->bad = was_bad;
			break;
		}
		case 'S':
			cie->is_signal = true;
			break;
		case 'B': /* aarch64: return addresses are signed with the B key */
			break;
		default: /* its data is skipped by the size that 'z' gave */
			return;
		}
	}
}

int eh_cie_parse(const struct eh_entry *entry, struct eh_cie *ret_cie)
{
	struct eh_cursor cursor = {.at = entry->body,
				   .end = entry->body + entry->body_bytes,
				   .vaddr = entry->body_vaddr};
	struct eh_cie cie = {.encoding = EH_PE_ABSPTR};

	if (!entry->is_cie)
		return ERR_CORRUPT;
	uint8_t version = eh_byte(&cursor);
	const char *letters = (const char *)cursor.at;
	if ((version != 1 && version != 3) || !memchr(letters, 0, eh_left(&cursor)))
		return ERR_CORRUPT;
	(void)eh_take(&cursor, strlen(letters) + 1);
	cie.code_align = eh_uleb(&cursor);
	cie.data_align = eh_sleb(&cursor);
	uint64_t ra = version == 1 ? eh_byte(&cursor) : eh_uleb(&cursor);
	if (cursor.bad || ra >= CFI_REGS || !cie.code_align || cie.code_align > 256)
		return ERR_CORRUPT;
	cie.ra = (uint8_t)ra;
	if (letters[0] == 'z') {
		struct eh_cursor data = cursor;
		uint64_t size = eh_uleb(&data);

		cursor = data;
		if (!eh_take(&cursor, size))
			return ERR_CORRUPT;
		data.end = cursor.at;
		cie.has_sizes = true;
		take_augmentation(&data, letters + 1, &cie);
		cursor.bad |= data.bad;
	} else if (letters[0]) {
		return ERR_UNSUPPORTED; /* "eh", of gcc 2 */
	}
	cie.program = cursor.at;
	cie.program_bytes = eh_left(&cursor);
	*ret_cie = cie;
	return cursor.bad ? ERR_CORRUPT : 0;
}

int eh_fde_parse(const struct eh_entry *entry, const struct eh_cie *cie, struct eh_fde *ret_fde)
{
	struct eh_cursor cursor = {.at = entry->body,
				   .end = entry->body + entry->body_bytes,
				   .vaddr = entry->body_vaddr};

	if (entry->is_cie || entry->is_end)
		return ERR_CORRUPT;
	uint64_t start = eh_pointer(&cursor, cie->encoding, 0);
	uint64_t size = eh_pointer(&cursor, cie->encoding & 0x0f, 0);
	if (cie->has_sizes)
		(void)eh_take(&cursor, eh_uleb(&cursor));
	/* A size in 4 signed bytes is none below 0: nothing is that long. */
	if (cursor.bad || size > UINT32_MAX || start + size < start)
		return ERR_CORRUPT;
	*ret_fde = (struct eh_fde){.start = start,
				   .end = start + size,
				   .program = cursor.at,
				   .program_bytes = eh_left(&cursor),
				   .program_vaddr = cursor.vaddr};
	return 0;
}
