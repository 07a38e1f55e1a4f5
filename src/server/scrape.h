/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scraper: reads /debug/pprof of the targets in a file (scrape_config.h), as Prometheus reads metrics.
 *
 * One thread of its own fetches everything (http/fetcher.h) and hands what came to the same door as uploads
 * (upload.h), so that requests never wait for a target and every limit of uploads holds.  Each profile of each target
 * has its place in the interval, by chance at first, so that a thousand targets are not read in the same second.  A
 * target that takes long has one request open, never two.  That a target is gone or back is logged
 * once; /api/v1/targets and /metrics (pyrometer_scrape_…) have every failure.
 */
#ifndef SERVER_SCRAPE_H
#define SERVER_SCRAPE_H

#include <stdint.h>

#include "base/err.h"
#include "http/http_server.h"

#define SCRAPE_MAX_AT_ONCE 256

struct server;
struct scraper;

/*
 * `before`: the one that it replaces (NULL: none), which is stopped, goes on being looked at by whoever does, and is
 * freed with the new one.  When the file cannot be used it runs on.
 */
int scraper_start(struct server *server, const char *file, struct scraper *before,
		  struct scraper **ret_scraper, struct err *err) nodiscard;
/* Gives up what is under way; returns when the thread has ended.  NULL is fine. */
void scraper_stop(struct scraper *scraper);
/* After the store's last answer. */
void scraper_free(struct scraper *scraper);

struct scraper_stats {
	uint64_t targets, profiles, profiles_up;
	uint64_t scrapes, failures, bytes,
		late;	/* late: left out, since the one before still ran */
	double seconds; /* that scrapes took, in all */
};
void scraper_stats(struct scraper *scraper, struct scraper_stats *ret_stats);

http_handler_fn handle_targets;	     /* GET /api/v1/targets */
http_handler_fn handle_targets_page; /* GET /targets */

#endif
