/* SPDX-License-Identifier: Apache-2.0 */
/*
 * types.v1.StackTraceSelector: which stacks and frames of a profile a client asks for.
 *
 *	1 call_site{1 name} …	stacks that begin with these functions, root first
 *	2 go_pgo{1 keep_locations, 2 aggregate_callees}
 *	3 frame_filter{1 include_function_names, 2 exclude_function_names, 3 include_regexes, 4 exclude_regexes}
 *
 * The third is sent by newer clients.  What of it means what is in profile/narrow.h.
 */
#ifndef SERVER_STACK_FILTER_H
#define SERVER_STACK_FILTER_H

#include "codec/proto.h"
#include "codec/proto_json.h"
#include "profile/narrow.h"

/* Adds to `narrow`, which is the caller's to narrow_done() in any case; texts live in the arena. */
int stack_filter_read(struct cursor message, struct arena *arena, struct narrow *narrow,
		      struct err *err) nodiscard;

extern const struct proto_json_message stack_filter_schema;

#endif
