/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flamebearer as the JSON of Pyroscope's first years: what /pyroscope/render answers, and what the service for single
 * files has inside of a text.
 *
 *	struct flamebearer_json out = {.flame = &flame, .profile = profile};
 *	flamebearer_json_begin(&out, buf, arena);	{"version":1,"flamebearer":{…},"metadata":{…}
 *	... members that the caller adds to out.json ...
 *	flamebearer_json_end(&out);			,"heatmap":null}, of a comparison its two totals
 */
#ifndef SERVER_FLAMEBEARER_JSON_H
#define SERVER_FLAMEBEARER_JSON_H

#include "codec/json.h"
#include "server/flamebearer.h"

struct flamebearer_json {
	const struct flamebearer *flame;
	const struct profile *profile; /* whose first column says type and unit */
	struct json_writer json;
};

void flamebearer_json_begin(struct flamebearer_json *out, struct buf *text, struct arena *arena);
void flamebearer_json_end(struct flamebearer_json *out);
/* Without a timeline and groups. */
void flamebearer_json_whole(struct flamebearer_json *out, struct buf *text, struct arena *arena);

#endif
