/* SPDX-License-Identifier: Apache-2.0 */
/* What the family sees of live processes: /proc. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/compiler.h"
#include "proc/family.h"
#include "proc/maps.h"

/* FNV-1a over numbers: a signature needs no secret, since a collision costs its own process only. */
#define MIX_START 0xcbf29ce484222325u
#define MIX_FACTOR 0x100000001b3u

static uint64_t mix(uint64_t hash, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		hash = (hash ^ (value >> (8 * i) & 0xff)) * MIX_FACTOR;
	return hash;
}

static int identify(void *ctx, pid_t pid, struct process_id *ret_id)
{
	(void)ctx;
	return process_identify(pid, ret_id, NULL);
}

static bool is_alive(void *ctx, struct process_id id)
{
	(void)ctx;
	return process_is_alive(id);
}

static int children(void *ctx, pid_t pid, pid_t *pids, size_t cap)
{
	int n = process_children(pid, pids, cap, NULL);

	(void)ctx;
	return n < 0 ? n : (int)min_of((size_t)n, cap);
}

static uint64_t program(void *ctx, pid_t pid)
{
	char path[32];
	struct stat file;

	(void)ctx;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &file) < 0)
		return 0;
	return mix(mix(MIX_START, file.st_dev), file.st_ino);
}

/* Files that are mapped to be executed; the order is that of addresses, so it is left out. */
static uint64_t signature(void *ctx, pid_t pid)
{
	struct maps maps;
	uint64_t sum = 0;

	(void)ctx;
	maps_init(&maps);
	if (maps_read(&maps, pid, NULL) == 0)
		for (size_t i = 0; i < maps.n; i++) {
			const struct mapping *file = &maps.items[i];
			uint64_t dev = (uint64_t)file->dev_major << 32 | file->dev_minor;

			if (file->inode && file->perms & MAPPING_EXEC)
				sum += mix(mix(mix(MIX_START, dev), file->inode), file->offset);
		}
	maps_done(&maps);
	return sum;
}

const struct family_view *family_live_view(void)
{
	static const struct family_view view = {
		.identify = identify,
		.is_alive = is_alive,
		.children = children,
		.program = program,
		.signature = signature,
	};

	return &view;
}
