/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals on their way into the list of reject.h, and out of it. */
#ifndef SERVER_REJECT_SHOW_H
#define SERVER_REJECT_SHOW_H

#include "server/caller.h"
#include "server/reject.h"
#include "server/server_private.h"

/* An upload that HTTP refused: too large, too slow, no right to. */
void reject_show_note_http(struct server *server, const struct http_exchange *exchange,
			   enum http_refusal refusal);
/*
 * An upload that was let in and then refused.  Appends to `err` what limit it was and how it is changed, which the
 * client is told next.
 */
void reject_show_note(struct server *server, const struct caller *caller, const char *service,
		      struct reject_loss loss, struct err *err);
/* Lines of /metrics. */
void reject_show_metrics(struct server *server, struct buf *out, struct arena *arena);

#endif
