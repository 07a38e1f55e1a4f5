/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS in front of both front ends: one thread that ends it, and hands plain bytes on through a socket pair.
 *
 *	client ══TLS══ wire │ relay │ inner ── outer ── acceptor ── front_h1 or front_h2
 *
 * So that everything behind it (the look at the first bytes, timeouts, answers sent past libmicrohttpd, a client's leaving)
 * is the same with TLS and without.  TLS 1.2 or newer; ALPN offers h2 and http/1.1, and what the client sends then decides
 * as on a plain port.
 *
 *   1. Connections belong to the relay's thread; `lock` guards their list for tls_relay_wire(), and the inbox.
 *   2. A connection counts in server->connections; until the handshake is done the relay uncounts it, later whoever
 *      has `outer`.
 *   3. Bytes are read only when there is room to keep them: one record each way, so a connection costs 48 KiB.
 *   4. When one side ends, what it sent before still reaches the other.
 *   5. A certificate lives as long as the sessions that began with it.
 */
#ifndef HTTP_TLS_PRIVATE_H
#define HTTP_TLS_PRIVATE_H

#include "http/http_private.h"

struct tls_relay;

/* Loads certificate and key; fails with what is wrong with them. */
int tls_relay_start(struct http_server *server, const char *cert, const char *key,
		    struct tls_relay **ret_relay, struct err *err) nodiscard;
/* What is under way may still be sent for a moment.  NULL is fine. */
void tls_relay_free(struct tls_relay *relay);
/* Read the files again; on failure the certificate stays that it was. */
int tls_relay_reload(struct tls_relay *relay, struct err *err) nodiscard;
/* A new connection, whose first byte is that of TLS; takes the descriptor. */
void tls_relay_add(struct tls_relay *relay, int fd);
/* The socket to the client behind a front end's descriptor; `fd` itself without TLS (relay NULL). */
int tls_relay_wire(struct tls_relay *relay, int fd);

#endif
