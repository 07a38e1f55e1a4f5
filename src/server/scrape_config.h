/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to scrape: a YAML file (or JSON, which is YAML) with the words that users of Prometheus and Parca know.
 *
 *	global: {scrape_interval: 15s, scrape_timeout: 10s}
 *	scrape_configs:
 *	  - job_name: shop
 *	    scrape_interval: 30s
 *	    scheme: http
 *	    authorization: {credentials_file: /etc/shop.token}	or basic_auth: {username: …, password_file: …}
 *	    tenant: shop					(where the server has tenants)
 *	    static_configs:
 *	      - targets: ["10.0.0.5:6060", "10.0.0.6:6060"]
 *	        labels: {env: prod}
 *	    profiling_config:
 *	      path_prefix: /internal
 *	      pprof_config:
 *	        process_cpu: {seconds: 10}
 *	        block: {enabled: false}
 *	        fgprof: {path: /debug/fgprof, seconds: 10}
 *
 * Of every target process_cpu, memory, goroutine, mutex and block are read unless they are disabled; any other name
 * is a profile of the user's own, with its path.  `seconds` is how long the target is to measure; a profile
 * without is read at once, and what it counts since the program's start becomes differences (delta.h).
 * The series get the labels of the target, service_name (the job's name unless a label says so) and instance (the
 * address).  A word that is not known is an error that names its line.
 */
#ifndef SERVER_SCRAPE_CONFIG_H
#define SERVER_SCRAPE_CONFIG_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "profile/labels.h"

#define SCRAPE_MAX_TARGETS 1000
#define SCRAPE_MAX_PROFILES 16 /* of one target */
#define SCRAPE_CONFIG_MAX_BYTES (1u << 20)

struct scrape_profile {
	const char *name; /* __name__ of its series */
	const char *path;
	int64_t seconds; /* 0: it is there at once */
	bool is_disabled;
};

struct scrape_job {
	const char *name, *scheme, *path_prefix, *tenant;
	const char *authorization; /* the header's value; NULL: none */
	int64_t interval_ns, timeout_ns;
	struct scrape_profile profiles[SCRAPE_MAX_PROFILES];
	size_t n_profiles;
};

struct scrape_target {
	const struct scrape_job *job;
	const char *address;
	struct labels labels; /* all but __name__ */
};

struct scrape_config {
	struct arena arena; /* of everything below */
	struct scrape_target *targets;
	size_t n_targets;
};

/* ERR_USAGE with the line; nothing is to be released then. */
int scrape_config_read(const void *data, size_t len, struct scrape_config *ret_config,
		       struct err *err) nodiscard;
int scrape_config_load(const char *path, struct scrape_config *ret_config,
		       struct err *err) nodiscard;
void scrape_config_done(struct scrape_config *config); /* all-zero is fine */

#endif
