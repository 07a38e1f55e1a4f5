/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file that somebody looks at by itself (adhoc.c): its id, its bytes in any format that we can read, and one of its
 * sample types as a profile.
 *
 * An id is a ULID, '-' and the cleaned name: a good name for keep.h, and in the order of the uploads.
 */
#ifndef SERVER_ADHOC_FILE_H
#define SERVER_ADHOC_FILE_H

#include "profile/profile.h"
#include "server/server_private.h"

#define ADHOC_ID_NAME 27 /* where the name begins in an id */

struct adhoc {
	const char *id, *type; /* type: wished for, "" the first */
	int64_t max_nodes;
	struct buf bytes;
	struct names *names;
	struct profile profile; /* all of it */
	struct profile shown;	/* its one column: the wished type, states united */
};

void adhoc_init(struct adhoc *adhoc, size_t most_bytes);
void adhoc_done(struct adhoc *adhoc);
/* From `bytes` into `profile` and `shown`; ERR_CORRUPT, ERR_LIMIT, ERR_USAGE for a type that it has not. */
int adhoc_decode(struct adhoc *adhoc, struct server *server, struct err *err) nodiscard;

/* Sample types by column; those of one type (a file may tell states apart) follow the first of them. */
const char *adhoc_type(const struct adhoc *adhoc, size_t column);
bool adhoc_type_is_first(const struct adhoc *adhoc, size_t column);

/* In the arena. */
int adhoc_id_make(struct arena *arena, int64_t now_ms, const char *name, const char **ret_id,
		  struct err *err) nodiscard;
/* When it was made, in milliseconds; -1: it is none. */
int64_t adhoc_id_time(const char *id);
const char *adhoc_name_clean(struct arena *arena, const char *name);

#endif
