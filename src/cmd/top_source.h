/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of source files, by the names that frames have.
 *
 * A reader sends them while it samples (session_config.with_sources), from where the target sees them; some
 * captures hold them.  What did not come so is read from this machine's disk when it is asked for, as the
 * caller's user, if that is allowed: of a capture only, whose files most likely are here.
 */
#ifndef CMD_TOP_SOURCE_H
#define CMD_TOP_SOURCE_H

#include "base/map.h"
#include "format/capture.h"

#define TOP_SOURCES_MAX_BYTES ((size_t)64 << 20) /* of all files; what comes then is not kept */

struct top_source {
	char *text; /* NULL: cannot be had */
	size_t len;
};

struct top_sources {
	struct names *names; /* borrowed */
	struct map64 places; /* str id of the file -> place */
	struct top_source *all;
	size_t n, cap, bytes;
	bool reads_disk;
};

void top_sources_init(struct top_sources *sources, struct names *names, bool reads_disk);
void top_sources_done(struct top_sources *sources); /* all-zero is fine */

/* For sinks_add(), with the sources as ctx. */
const struct capture_events *top_sources_events(void);
/* A tui_source_fn, with the sources as ctx. */
const char *top_sources_text(void *ctx, const char *file, size_t *ret_len, const char **ret_why);

#endif
