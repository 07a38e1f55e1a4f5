/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: takes profiles in, keeps them, answers questions about any time range, serves the page.
 *
 *	upload ─▶ decode ─▶ store ─▶ acknowledged once on disk	(upload.h)
 *	query  ─▶ merged profile, cached ─▶ view as JSON	(question.h, merged_cache.h)
 *
 * docs/API.md has the interface by example.  Everything belongs to one struct: two servers can live in
 * one process.  server_start() returns when requests are served; signals are the caller's business.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "http/http_server.h"
#include "server/limits.h"
#include "store/store.h"

struct server;

struct server_config {
	const char *const *listen; /* see struct http_config */
	size_t n_listen;
	/* Also listen here, unless it is taken: the ports of OTLP, when nobody asked for others. */
	const char *const *listen_if_free;
	size_t n_if_free;
	const char *const *hosts;
	size_t n_hosts;
	struct limits limits;
	/* Path before every other, where a proxy serves this below its own: "/pyrometer"; "": none. */
	const char *base;
	const char *tls_cert, *tls_key; /* see struct http_config */
	bool has_tenants;		/* X-Scope-OrgID names the tenant */
	struct store_config store;	/* of the embedded store; dir must exist */
	/* Use this store instead (tests); it is still the caller's.  NULL: open the embedded one. */
	struct store *given_store;
	/* What to scrape (scrape_config.h); NULL: nothing. */
	const char *scrape_file;
};

/* Defaults for everything but listen and the data directory. */
void server_config_init(struct server_config *config, const char *dir);

/* Strings and arrays of `config` are borrowed until server_stop(). */
int server_start(const struct server_config *config, struct server **ret_server,
		 struct err *err) nodiscard;
/*
 * Take no new request, finish those under way (5 s at most), write everything to disk, free.  What was
 * acknowledged is on disk whether or not this is called.
 */
void server_stop(struct server *server);

uint16_t server_port(const struct server *server, size_t i);
/* Read the certificate, the tokens and what to scrape again (SIGHUP); what cannot be read stays as it was. */
int server_reload(struct server *server, struct err *err) nodiscard;
/* Is a token needed for everything but /ready? */
bool server_asks_token(const struct server *server);
/* Why the i-th of listen_if_free is not listened on; NULL: it is. */
const char *server_left_out(const struct server *server, size_t i);

#endif
