/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dicts and instance attributes, read without asking Python.
 *
 * In 2.7 a dict is one table of slots.  Later its entries follow its hash indices; they are scanned in order instead of hashed into, since hashes are
 * seeded per process.  Entries are (hash, key, value), or (key, value) when all keys are str (3.11+).  An
 * instance keeps its attributes in a dict or, sharing keys with its class, as bare values: where, differs with
 * every version (enum layout_instance).
 */
#include <errno.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "python/object.h"

#define KEYS_GENERAL 0	     /* enum DictKeysKind of 3.11+ */
#define PRE_HEADER_VALUES 32 /* 3.11 only: in front of the object */
#define MAX_LOG2 40
#define KEYS_AT_ONCE 128u
#define KEY_BYTES 128u /* of a key: its header and 60 characters or more */

struct keys {
	raddr_t entries;
	uint64_t n;
	uint32_t entry_bytes;
	uint32_t key_at, value_at;
};

/* Bytes of one index: dicts of up to 256 slots have small ones. */
static uint64_t index_bytes(uint64_t slots)
{
	return slots <= 0xff ? 1 : slots <= 0xffff ? 2 : slots <= 0xffffffff ? 4 : 8;
}

static int read_keys(struct memory *memory, const struct layout *layout, raddr_t addr,
		     struct keys *ret_keys)
{
	uint8_t head[64];
	struct keys keys = {.entry_bytes = 24, .key_at = 8, .value_at = 16};
	uint64_t indices;
	int r = memory_read(memory, addr, head, layout->keys_indices);

	if (r < 0)
		return r;
	memcpy(&keys.n, head + layout->keys_nentries, sizeof(keys.n));
	if (layout->keys_log2_size != NO_FIELD) {
		uint8_t log2_bytes = head[layout->keys_log2_size + 1]; /* of all indices together */

		if (log2_bytes > MAX_LOG2)
			return ERR_CORRUPT;
		indices = 1ull << log2_bytes;
		if (head[layout->keys_kind] != KEYS_GENERAL) {
			keys.entry_bytes = 16;
			keys.key_at = 0;
			keys.value_at = 8;
		}
	} else {
		uint64_t slots;

		memcpy(&slots, head + layout->keys_size, sizeof(slots));
		if (slots > 1ull << MAX_LOG2)
			return ERR_CORRUPT;
		indices = slots * index_bytes(slots);
	}
	keys.entries = addr + layout->keys_indices + indices;
	*ret_keys = keys;
	return 0;
}

/* The first `max` at most (places, free ones too).  `values`: where they lie when they are apart from the keys (split), else 0. */
static int read_entries(struct memory *memory, const struct keys *keys, raddr_t values,
			uint64_t max, struct dict_entries *ret_entries)
{
	uint64_t n = min_of(keys->n, max);
	cleanup_free uint8_t *entries = xcalloc(n + 1, keys->entry_bytes);
	cleanup_free uint8_t *apart = xcalloc(n + 1, 8);
	int r = n ? memory_read(memory, keys->entries, entries, n * keys->entry_bytes) : 0;

	if (r == 0 && values && n)
		r = memory_read(memory, values, apart, n * 8);
	if (r < 0)
		return r;
	ret_entries->items = xcalloc(n + 1, sizeof(*ret_entries->items));
	ret_entries->n = 0;
	for (uint64_t i = 0; i < n; i++) {
		const uint8_t *entry = entries + i * keys->entry_bytes;
		struct dict_item item;

		memcpy(&item.key, entry + keys->key_at, sizeof(item.key));
		memcpy(&item.value, values ? apart + i * 8 : entry + keys->value_at,
		       sizeof(item.value));
		if (item.key && item.value)
			ret_entries->items[ret_entries->n++] = item;
	}
	return 0;
}

/* 2.7: slots of (hash, key, value), the free ones without a value. */
static int find_table(struct memory *memory, const struct layout *layout, raddr_t dict,
		      struct keys *ret_keys)
{
	struct keys keys = {.entry_bytes = 24, .key_at = 8, .value_at = 16};
	uint64_t mask;
	int r = memory_read_u64(memory, dict + layout->dict_mask, &mask);

	if (r == 0)
		r = memory_read_u64(memory, dict + layout->dict_table, &keys.entries);
	if (r < 0)
		return r;
	if (mask >= 1ull << MAX_LOG2)
		return ERR_LIMIT;
	keys.n = mask + 1;
	*ret_keys = keys;
	return 0;
}

/* Where the entries of a dict are, and their values where these are apart. */
static int find_keys(struct memory *memory, const struct layout *layout, raddr_t dict,
		     struct keys *ret_keys, raddr_t *ret_values)
{
	raddr_t keys_addr, values = 0;

	*ret_values = 0;
	if (layout->dict_table != NO_FIELD)
		return find_table(memory, layout, dict, ret_keys);
	int r = memory_read_u64(memory, dict + layout->dict_keys, &keys_addr);

	if (r == 0)
		r = memory_read_u64(memory, dict + layout->dict_values, &values);
	if (r == 0)
		r = read_keys(memory, layout, keys_addr, ret_keys);
	if (r == 0 && values)
		*ret_values = values + layout->values_data;
	return r;
}

int dict_read(struct memory *memory, const struct layout *layout, raddr_t dict,
	      struct dict_entries *ret_entries)
{
	struct keys keys;
	raddr_t values;
	int r = find_keys(memory, layout, dict, &keys, &values);

	if (r == 0 && keys.n > DICT_MAX_ENTRIES)
		return ERR_LIMIT;
	return r < 0 ? r : read_entries(memory, &keys, values, keys.n, ret_entries);
}

int dict_read_head(struct memory *memory, const struct layout *layout, raddr_t dict, uint64_t max,
		   struct dict_entries *ret_entries)
{
	struct keys keys;
	raddr_t values;
	int r = find_keys(memory, layout, dict, &keys, &values);

	return r < 0 ? r : read_entries(memory, &keys, values, max, ret_entries);
}

void dict_entries_done(struct dict_entries *entries)
{
	free(entries->items);
}

/* ---- by name ---- */

/* Short ASCII names only: header and characters of many keys come with one read. */
static int find_among(struct memory *memory, const struct layout *layout,
		      const struct dict_item *items, size_t n, const char *name, raddr_t *ret_value)
{
	uint8_t bytes[KEYS_AT_ONCE][KEY_BYTES];
	struct mem_span spans[KEYS_AT_ONCE];
	size_t len = strlen(name);

	if (layout->str_ascii_data + len > KEY_BYTES)
		return ERR_USAGE;
	for (size_t i = 0; i < n; i++)
		spans[i] = (struct mem_span){.addr = items[i].key,
					     .into = bytes[i],
					     .len = layout->str_ascii_data + len};
	int r = memory_readv(memory, spans, n);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		uint64_t length;

		memcpy(&length, bytes[i] + layout->str_length, sizeof(length));
		/* A key that ends before that many bytes at the end of its mapping is another. */
		if (!spans[i].ok || length != len ||
		    memcmp(bytes[i] + layout->str_ascii_data, name, len) != 0)
			continue;
		*ret_value = items[i].value;
		return 0;
	}
	return r < 0 ? r : -ENOENT;
}

static int find_entry(struct memory *memory, const struct layout *layout,
		      const struct dict_entries *entries, const char *name, raddr_t *ret_value)
{
	int r = -ENOENT;

	for (size_t at = 0; r == -ENOENT && at < entries->n; at += KEYS_AT_ONCE)
		r = find_among(memory, layout, entries->items + at,
			       min_of(entries->n - at, KEYS_AT_ONCE), name, ret_value);
	return r;
}

int dict_find(struct memory *memory, const struct layout *layout, raddr_t dict, const char *key,
	      raddr_t *ret_value)
{
	cleanup(dict_entries_done) struct dict_entries entries = {0};
	int r = dict_read(memory, layout, dict, &entries);

	return r < 0 ? r : find_entry(memory, layout, &entries, key, ret_value);
}

/* ---- attributes ---- */

struct attributes {
	raddr_t dict;	/* or: */
	raddr_t values; /* beside the class's shared keys */
};

static int locate_inline(struct memory *memory, const struct layout *layout, raddr_t object,
			 raddr_t type, struct attributes *attributes)
{
	uint64_t size;
	int r = memory_read_u64(memory, object - layout->object_dict_before, &attributes->dict);

	if (r < 0 || attributes->dict)
		return r;
	r = memory_read_u64(memory, type + layout->type_basicsize, &size);
	attributes->values = object + size + layout->values_data;
	return r;
}

static int locate(struct memory *memory, const struct layout *layout, raddr_t object, raddr_t type,
		  struct attributes *attributes)
{
	raddr_t word;
	int64_t offset;
	int r;

	switch (layout->instance) {
	case INSTANCE_VALUES_OR_DICT:
		r = memory_read_u64(memory, object - PRE_HEADER_VALUES, &attributes->values);
		return r < 0 || attributes->values
			       ? r
			       : memory_read_u64(memory, object - layout->object_dict_before,
						 &attributes->dict);
	case INSTANCE_TAGGED:
		r = memory_read_u64(memory, object - layout->object_dict_before, &word);
		if (r == 0 && word & 1)
			attributes->values = word + 1; /* stored as the address before it */
		else if (r == 0)
			attributes->dict = word;
		return r;
	case INSTANCE_INLINE:
		return locate_inline(memory, layout, object, type, attributes);
	default:
		r = memory_read(memory, type + layout->type_dictoffset, &offset, sizeof(offset));
		if (r < 0)
			return r;
		if (offset == 0 && layout->instance_dict != NO_FIELD)
			offset = layout->instance_dict;
		if (offset <= 0 || offset > UINT16_MAX)
			return ERR_CORRUPT;
		return memory_read_u64(memory, object + (uint64_t)offset, &attributes->dict);
	}
}

int object_attribute(struct memory *memory, const struct layout *layout, raddr_t object,
		     const char *name, raddr_t *ret_value)
{
	cleanup(dict_entries_done) struct dict_entries entries = {0};
	struct attributes attributes = {0};
	struct keys keys;
	raddr_t type, shared;
	int r = memory_read_u64(memory, object + layout->object_type, &type);

	if (r == 0)
		r = locate(memory, layout, object, type, &attributes);
	if (r < 0)
		return r;
	if (!attributes.values)
		return attributes.dict ? dict_find(memory, layout, attributes.dict, name, ret_value)
				       : -ENOENT;
	r = memory_read_u64(memory, type + layout->type_cached_keys, &shared);
	if (r == 0)
		r = read_keys(memory, layout, shared, &keys);
	if (r == 0 && keys.n > DICT_MAX_ENTRIES)
		r = ERR_LIMIT;
	if (r == 0)
		r = read_entries(memory, &keys, attributes.values, keys.n, &entries);
	return r < 0 ? r : find_entry(memory, layout, &entries, name, ret_value);
}
