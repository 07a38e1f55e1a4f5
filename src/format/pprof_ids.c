/* SPDX-License-Identifier: Apache-2.0 */
/* Ids that a pprof file chose, and where what they name lies in its table. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "format/pprof_private.h"

/* An array by id has at most so many places for each entry; larger ids go into a hash table. */
#define PLACES_PER_ENTRY 4

void pprof_ids_done(struct pprof_ids *ids)
{
	free(ids->places);
	map64_done(&ids->map);
	*ids = (struct pprof_ids){0};
}

/* Entries begin with their id. */
static uint64_t id_of(const void *entries, size_t entry_bytes, size_t i)
{
	uint64_t id;

	memcpy(&id, (const char *)entries + i * entry_bytes, sizeof(id));
	return id;
}

static uint32_t *place_of(struct pprof_ids *ids, uint64_t id)
{
	return id < ids->n_places ? &ids->places[id] : map64_put(&ids->map, id, NULL);
}

int pprof_ids_init(struct pprof_ids *ids, const void *entries, size_t n, size_t entry_bytes,
		   struct err *err)
{
	bool is_counted = true;
	uint64_t last = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t id = id_of(entries, entry_bytes, i);

		if (!id)
			return err_set(err, ERR_CORRUPT, "one has id 0");
		is_counted = is_counted && id == i + 1;
		last = max_of(last, id);
	}
	*ids = (struct pprof_ids){.n_counted = is_counted ? n : 0};
	if (is_counted)
		return 0;
	ids->n_places = min_of(last, (uint64_t)n * PLACES_PER_ENTRY) + 1;
	ids->places = xcalloc(ids->n_places, sizeof(*ids->places));
	for (size_t i = 0; i < n; i++) {
		uint64_t id = id_of(entries, entry_bytes, i);
		uint32_t *place = place_of(ids, id);

		if (*place)
			return err_set(err, ERR_CORRUPT, "two have id %" PRIu64, id);
		*place = (uint32_t)i + 1;
	}
	return 0;
}

uint32_t pprof_ids_find_sparse(const struct pprof_ids *ids, uint64_t id)
{
	const uint32_t *place = map64_get(&ids->map, id);

	return place ? *place : 0;
}
