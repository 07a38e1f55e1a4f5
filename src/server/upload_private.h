/* SPDX-License-Identifier: Apache-2.0 */
/* One request's profiles: decoded by upload.c, put into the store by upload_store.c. */
#ifndef SERVER_UPLOAD_PRIVATE_H
#define SERVER_UPLOAD_PRIVATE_H

#include <pthread.h>

#include "format/format.h"
#include "server/reject.h"
#include "server/upload.h"

#define UPLOAD_SERVICE_BYTES 128

/* One profile, decoded; all of an upload share its names. */
struct item {
	struct labels labels;
	struct profile profile;
	bool is_gauge;
	bool is_counter; /* until it is put */
	bool is_part;	 /* other columns of the same samples as another item */
	struct upload *upload;
	const char *metric; /* as in upload_split */
	const void *kind;
	char id[STORE_ID_MAX_BYTES + 1];
	const char *profile_id; /* the request's, whole; in the arena */
	struct item *next;
};

struct upload {
	struct server *server;
	const struct caller *caller;	    /* the exchange's, which outlives this */
	char service[UPLOAD_SERVICE_BYTES]; /* of the last series, for the list of refusals */
	size_t body_bytes;		    /* inflated */
	struct arena arena;		    /* labels, ids: until freed */
	struct names *names;
	struct format_limits format_limits;
	struct codec_loan loan;
	struct item *first, **last;
	size_t n_items;

	/* While committed. */
	upload_done_fn *done;
	void *ctx;
	atomic_size_t left; /* answers of the store to come, and one for upload_commit() itself */
	pthread_mutex_t lock;
	struct err err;		  /* the first error; code 0: none */
	uint64_t refused_samples; /* of the profiles that the store refused */
};

#endif
