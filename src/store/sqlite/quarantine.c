/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/quarantine.h"

#include <string.h>

#include "profile/hash.h"

void quarantine_init(struct quarantine *quarantine)
{
	*quarantine = (struct quarantine){0};
	pthread_mutex_init(&quarantine->lock, NULL);
}

void quarantine_done(struct quarantine *quarantine)
{
	map64_done(&quarantine->known);
	pthread_mutex_destroy(&quarantine->lock);
}

void quarantine_note(struct quarantine *quarantine, uint32_t file, const struct block_key *key)
{
	const int64_t name[] = {file, key ? key->owner : 0, key ? key->t_ns : 0,
				key ? key->part : 0};
	bool is_new = false;

	pthread_mutex_lock(&quarantine->lock);
	if (quarantine->known.n < QUARANTINE_MAX)
		*map64_put(&quarantine->known, hash_stable(name, sizeof(name)), &is_new) = file;
	if (is_new && quarantine->n < STORE_MAX_DAMAGE)
		quarantine->list[quarantine->n++] =
			(struct damaged_block){file, key ? (uint32_t)key->owner : 0,
					       key ? key->t_ns : 0, key ? key->len_ns : 0};
	pthread_mutex_unlock(&quarantine->lock);
}

size_t quarantine_list(struct quarantine *quarantine, struct damaged_block *out)
{
	size_t n;

	pthread_mutex_lock(&quarantine->lock);
	n = quarantine->n;
	memcpy(out, quarantine->list, n * sizeof(*out));
	pthread_mutex_unlock(&quarantine->lock);
	return n;
}

uint64_t quarantine_count(struct quarantine *quarantine)
{
	uint64_t n;

	pthread_mutex_lock(&quarantine->lock);
	n = quarantine->known.n;
	pthread_mutex_unlock(&quarantine->lock);
	return n;
}
