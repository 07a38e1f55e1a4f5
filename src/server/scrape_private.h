/* SPDX-License-Identifier: Apache-2.0 */
/* What scraping (scrape.c) and showing how it goes (scrape_show.c) share. */
#ifndef SERVER_SCRAPE_PRIVATE_H
#define SERVER_SCRAPE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/caller.h"
#include "server/scrape.h"
#include "server/scrape_config.h"

enum health { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

/* One profile of one target. */
struct entry {
	struct scraper *scraper;
	const struct scrape_target *target;
	const struct scrape_profile *profile;
	struct caller caller;
	char *url;
	int64_t due_ns; /* monotonic */
	atomic_bool is_busy;

	/* Under the lock. */
	enum health health;
	int64_t time_ns, duration_ns; /* of the last scrape */
	uint64_t scrapes, failures;
	size_t bytes; /* of the last answer */
	char error[ERR_TEXT_MAX];
};

struct scraper {
	struct server *server;
	struct scrape_config config;
	struct http_fetcher *fetcher;
	struct entry *entries;
	size_t n_entries;
	size_t n_fetching; /* the thread's own */
	pthread_t thread;
	bool has_thread;
	atomic_bool is_stopping;
	pthread_mutex_t lock;
	struct scraper_stats stats;
	struct scraper
		*before; /* what it replaced: stopped, and kept for whoever looks at it still */
};

#endif
