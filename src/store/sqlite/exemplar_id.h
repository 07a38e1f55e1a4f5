/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a profile is called: UUIDs as their 16 bytes, other names as they are, and for those without one a UUID made
 * out of their block's sum, which needs no byte on disk and stays the same.
 *
 *	in a block's head, behind all else: varint (length * 2 + is_uuid), bytes; nothing where there is no name
 */
#ifndef STORE_SQLITE_EXEMPLAR_ID_H
#define STORE_SQLITE_EXEMPLAR_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/store.h"

#define EXEMPLAR_ID_TEXT_BYTES (STORE_ID_MAX_BYTES + 1)

/* Borrows its bytes; len 0: none. */
struct exemplar_id {
	const uint8_t *bytes;
	uint8_t len;
	bool is_uuid;
};

struct exemplar_id_room {
	uint8_t bytes[STORE_ID_MAX_BYTES];
};

/* Of a text that is NULL, too long or no UTF-8 there is none. */
struct exemplar_id exemplar_id_parse(const char *text, struct exemplar_id_room *room);
/* Of a block without a name, by its sum. */
struct exemplar_id exemplar_id_made(uint64_t block_sum, struct exemplar_id_room *room);
bool exemplar_id_equal(const struct exemplar_id *a, const struct exemplar_id *b);
/* UUIDs in lower case, with dashes. */
void exemplar_id_format(const struct exemplar_id *id, char out[EXEMPLAR_ID_TEXT_BYTES]);

void exemplar_id_write(const struct exemplar_id *id, struct buf *head);
/* What is left of a head; borrows from it.  A cursor that turns bad: ERR_CORRUPT. */
struct exemplar_id exemplar_id_read(struct cursor *head);

#endif
