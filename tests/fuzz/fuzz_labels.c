/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a label set, a selector and the name parameter of /ingest. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "profile/labels.h"

/* The text of a label set reads back as the same set. */
static void check_round_trip(const struct labels *labels, struct arena *arena)
{
	struct labels again;
	struct buf text, twice;

	buf_init(&text, (size_t)1 << 24);
	buf_init(&twice, (size_t)1 << 24);
	labels_format(labels, &text);
	if (labels_parse(text.data, arena, &again, NULL) < 0)
		abort();
	labels_format(&again, &twice);
	if (strcmp(text.data, twice.data) != 0)
		abort();
	buf_done(&text);
	buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct labels labels = {0};
	struct selector selector;
	struct arena arena;
	struct err err;
	char *text, *app;

	arena_init(&arena);
	text = arena_strndup(&arena, (const char *)data, size);
	if (labels_parse_app_name(text, &arena, &app, &labels, &err) == 0)
		check_round_trip(&labels, &arena);
	if (labels_parse(text, &arena, &labels, &err) == 0)
		check_round_trip(&labels, &arena);
	if (selector_parse(text, &arena, &selector, &err) == 0) {
		(void)selector_match(&selector, &labels);
		selector_done(&selector);
	}
	arena_done(&arena);
	return 0;
}
