/* SPDX-License-Identifier: Apache-2.0 */
/* Telling what is damaged: files that are set aside, and blocks of the quarantine. */
#include <string.h>

#include "store/sqlite/store_private.h"

static const char *name_of(const struct sqlite_store *store, const struct block_file *file)
{
	return file->path + strlen(store->dir) + 1;
}

static const char *owner_name(const struct sqlite_store *store, uint32_t owner, struct arena *arena)
{
	const struct series *series = table_get(&store->catalogue.series, owner / 2);
	const struct family *family = table_get(&store->catalogue.families, owner / 2);

	if (owner_is_family(owner))
		return family ? arena_printf(arena, "service %s", family->service->name) : "?";
	return series ? arena_printf(arena, "%s", series->text) : "?";
}

static struct store_damage of_file(const struct sqlite_store *store, const struct block_file *file,
				   struct arena *arena)
{
	return (struct store_damage){
		.file = arena_printf(arena, "%s", name_of(store, file)),
		.level = file->level == LEVEL_SPANS ? "spans" : levels[file->level].name,
		.owner = "",
		.range = file->period,
	};
}

/* The store's lock is held. */
static size_t add_files(const struct sqlite_store *store, const struct tenant *tenant,
			struct arena *arena, struct store_damage *out)
{
	const struct table *files = &store->catalogue.files;
	size_t n = 0;

	for (size_t id = 1; id < files->n && n < STORE_MAX_DAMAGE; id++) {
		const struct block_file *file = files->items[id];

		if (file && file->tenant == tenant && file->state == FILE_DAMAGED)
			out[n++] = of_file(store, file, arena);
	}
	return n;
}

/* Of files that are deleted or set aside by now nothing is told once more. */
static size_t add_blocks(const struct sqlite_store *store, const struct tenant *tenant,
			 const struct damaged_block *blocks, size_t n_blocks, struct arena *arena,
			 struct store_damage *out, size_t n)
{
	for (size_t i = 0; i < n_blocks && n < STORE_MAX_DAMAGE; i++) {
		const struct block_file *file = table_get(&store->catalogue.files, blocks[i].file);

		if (!file || file->tenant != tenant || file->state != FILE_LIVE)
			continue;
		out[n] = of_file(store, file, arena);
		if (blocks[i].len_ns > 0) {
			out[n].owner = owner_name(store, blocks[i].owner, arena);
			out[n].range.from_ns = blocks[i].t_ns;
			out[n].range.until_ns = blocks[i].t_ns + blocks[i].len_ns;
		}
		n++;
	}
	return n;
}

int sqlite_damage(struct store *base, const char *tenant_name, struct arena *arena,
		  struct store_damage **ret_damage, size_t *ret_n, struct err *err)
{
	struct sqlite_store *store = sqlite_store_of(base);
	struct damaged_block *blocks = arena_array(arena, STORE_MAX_DAMAGE, sizeof(*blocks));
	struct store_damage *damage = arena_array(arena, STORE_MAX_DAMAGE, sizeof(*damage));
	size_t n_blocks = quarantine_list(&store->quarantine, blocks), n = 0;
	const struct tenant *tenant;

	(void)err;
	pthread_mutex_lock(&store->lock);
	tenant = catalogue_tenant(&store->catalogue, tenant_name);
	if (tenant)
		n = add_files(store, tenant, arena, damage);
	if (tenant)
		n = add_blocks(store, tenant, blocks, n_blocks, arena, damage, n);
	pthread_mutex_unlock(&store->lock);
	*ret_damage = damage;
	*ret_n = n;
	return 0;
}
