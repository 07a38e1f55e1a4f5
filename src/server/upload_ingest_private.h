/* SPDX-License-Identifier: Apache-2.0 */
/* One request to /ingest: its parameters are read in upload_ingest.c, its body in upload_ingest_body.c. */
#ifndef SERVER_UPLOAD_INGEST_PRIVATE_H
#define SERVER_UPLOAD_INGEST_PRIVATE_H

#include "server/upload.h"

#define UNKNOWN_SPY "unknown" /* of clients that do not say who they are */

struct ingest {
	struct server *server;
	struct http_exchange *exchange;
	struct upload *upload;
	struct labels
		labels; /* of the series; the application's name comes last, see ingest_service() */
	char *app;
	struct upload_origin origin;
	const uint8_t *body; /* after Content-Encoding */
	size_t len;
	struct buf inflated;
	bool is_read; /* all parameters are understood: what fails from here on is the body */

	/* sample_type_config while it is read */
	struct upload_type *type;
	size_t n_types;
};

/* NULL: missing or empty. */
const char *ingest_param(const struct ingest *ingest, const char *name);
/* The application's name becomes a label; formats that cut their type off it do so before. */
int ingest_service(struct ingest *ingest, struct err *err) nodiscard;

/* The body into profiles of the upload, by `format`, Content-Type, or what it looks like. */
int ingest_read_body(struct ingest *ingest, struct err *err) nodiscard;

#endif
