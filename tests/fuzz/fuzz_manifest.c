/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the list of a backup's files, as they are and with the hash that proves them: names stay below it. */
#include "fuzz.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "profile/hash.h"
#include "store/sqlite/store_backup_private.h"

static void read_as(const void *text, size_t len)
{
	struct manifest manifest = {0};

	if (manifest_read_text(&manifest, text, len) == 0)
		for (size_t i = 0; i < manifest.n; i++) {
			const char *name = manifest.files[i].name;

			if (!*name || *name == '/' || strstr(name, ".."))
				abort();
			if (manifest_find(&manifest, name) == NULL)
				abort();
			if (i && strcmp(manifest.files[i - 1].name, name) >= 0)
				abort();
		}
	else if (manifest.n)
		abort();
	manifest_done(&manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text;

	read_as(data, size);
	buf_init(&text, size + 64);
	buf_put(&text, data, size);
	buf_printf(&text, "end %016" PRIx64 "\n", hash_stable(data, size));
	read_as(text.data, text.len);
	buf_done(&text);
	return 0;
}
