/* SPDX-License-Identifier: Apache-2.0 */
/* The values of containers: as many of their items as the limits allow. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/object.h"
#include "python/value.h"

#define ITEMS_AT_ONCE 64	 /* pointers of a container per read */
#define SET_MAX_SLOTS (1u << 16) /* looked through for items */

static int put_item(struct value_reader *reader, raddr_t object, uint64_t i)
{
	if (i > 0)
		value_text(reader, ", ", 2);
	if (i >= reader->limits.max_items)
		value_cut(reader);
	return reader->is_full ? 0 : value_object(reader, object);
}

/* Pointers to objects that lie behind one another. */
static int put_items(struct value_reader *reader, raddr_t items, uint64_t n)
{
	raddr_t some[ITEMS_AT_ONCE];

	for (uint64_t i = 0; i < n && !reader->is_full; i++) {
		size_t at = i % ITEMS_AT_ONCE;
		int r = at ? 0
			   : memory_read(reader->memory, items + i * 8, some,
					 (size_t)min_of(n - i, (uint64_t)ITEMS_AT_ONCE) * 8);
		if (r == 0)
			r = put_item(reader, some[at], i);
		if (r < 0)
			return r;
	}
	return 0;
}

int value_list(struct value_reader *reader, raddr_t object)
{
	const struct layout *layout = reader->layout;
	uint64_t n;
	raddr_t items;
	int r = memory_read_u64(reader->memory, object + layout->object_bytes, &n);

	if (r == 0)
		r = memory_read_u64(reader->memory, object + layout->list_items, &items);
	if (r < 0)
		return r;
	value_text(reader, "[", 1);
	r = put_items(reader, items, n);
	value_close(reader, "]");
	return r;
}

int value_tuple(struct value_reader *reader, raddr_t object)
{
	uint64_t n;
	int r = memory_read_u64(reader->memory, object + reader->layout->object_bytes, &n);

	if (r < 0)
		return r;
	value_text(reader, "(", 1);
	r = put_items(reader, object + reader->layout->tuple_items, n);
	value_close(reader, n == 1 && !reader->is_full ? ",)" : ")");
	return r;
}

int value_dict(struct value_reader *reader, raddr_t object)
{
	cleanup(dict_entries_done) struct dict_entries entries = {0};
	int r = dict_read_head(reader->memory, reader->layout, object, reader->limits.max_items + 1,
			       &entries);

	if (r < 0)
		return r;
	value_text(reader, "{", 1);
	for (size_t i = 0; r == 0 && i < entries.n && !reader->is_full; i++) {
		r = put_item(reader, entries.items[i].key, i);
		value_text(reader, ": ", 2);
		if (r == 0 && !reader->is_full)
			r = value_object(reader, entries.items[i].value);
	}
	value_close(reader, "}");
	return r;
}

/* Free slots have no key, and from 3.x on those that were freed have the hash -1, which no object has. */
static int put_slots(struct value_reader *reader, raddr_t table, uint64_t n_slots)
{
	const struct layout *layout = reader->layout;
	raddr_t slots[2 * ITEMS_AT_ONCE];
	uint64_t n = 0;

	for (uint64_t i = 0; i < n_slots && !reader->is_full; i++) {
		const raddr_t *slot = &slots[2 * (i % ITEMS_AT_ONCE)];
		int r = i % ITEMS_AT_ONCE
				? 0
				: memory_read(reader->memory, table + i * 16, slots,
					      (size_t)min_of(n_slots - i, (uint64_t)ITEMS_AT_ONCE) *
						      16);
		raddr_t key = layout->set_key_at ? slot[1] : slot[0];

		if (r == 0 && key && slot[layout->set_key_at ? 0 : 1] != UINT64_MAX)
			r = put_item(reader, key, n++);
		if (r < 0)
			return r;
	}
	return 0;
}

int value_set(struct value_reader *reader, raddr_t object, bool is_frozen)
{
	const struct layout *layout = reader->layout;
	const char *empty = is_frozen ? "frozenset()" : "set()";
	uint64_t used, mask;
	raddr_t table;
	int r = memory_read_u64(reader->memory, object + layout->set_used, &used);

	if (r == 0)
		r = memory_read_u64(reader->memory, object + layout->set_mask, &mask);
	if (r == 0)
		r = memory_read_u64(reader->memory, object + layout->set_table, &table);
	if (r < 0)
		return r;
	if (!used) {
		value_text(reader, empty, strlen(empty));
		return 0;
	}
	value_printf(reader, "%s{", is_frozen ? "frozenset(" : "");
	r = put_slots(reader, table, min_of(mask, (uint64_t)SET_MAX_SLOTS - 1) + 1);
	if (mask >= SET_MAX_SLOTS)
		value_cut(reader);
	value_close(reader, is_frozen ? "})" : "}");
	return r;
}

/* Start, stop and step are ints like any other; a step of 1 is left out. */
int value_range(struct value_reader *reader, raddr_t object)
{
	raddr_t parts[3];
	int r = memory_read(reader->memory, object + reader->layout->object_bytes, parts,
			    sizeof(parts));
	size_t before;

	if (r < 0)
		return r;
	value_text(reader, "range(", 6);
	for (size_t i = 0; r == 0 && i < 3; i++) {
		before = reader->out->len;
		r = put_item(reader, parts[i], i);
		if (r == 0 && i == 2 && reader->out->len - before == 3 &&
		    memcmp(reader->out->data + before, ", 1", 3) == 0)
			reader->out->len = before;
	}
	value_close(reader, ")");
	return r;
}

int value_xrange(struct value_reader *reader, raddr_t object)
{
	int64_t parts[3]; /* start, step, length */
	int r = memory_read(reader->memory, object + reader->layout->object_bytes, parts,
			    sizeof(parts));

	if (r == 0)
		value_printf(
			reader, "xrange(%" PRId64 ", %" PRId64 ", %" PRId64 ")", parts[0],
			(int64_t)((uint64_t)parts[0] + (uint64_t)parts[1] * (uint64_t)parts[2]),
			parts[1]);
	return r;
}
