/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a list of targets to scrape: within its bounds and whole, or refused in one line. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "server/scrape_config.h"

static void check(const struct scrape_target *target)
{
	const struct scrape_job *job = target->job;

	if (!job || !job->name || !*target->address || job->interval_ns <= 0 ||
	    job->timeout_ns <= 0 || job->n_profiles > SCRAPE_MAX_PROFILES ||
	    target->labels.n > LABELS_MAX)
		abort();
	if (strcmp(job->scheme, "http") != 0 && strcmp(job->scheme, "https") != 0)
		abort();
	for (size_t i = 0; i < job->n_profiles; i++)
		if (job->profiles[i].seconds < 0 || !job->profiles[i].path ||
		    !job->profiles[i].name)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scrape_config config = {0};
	struct err err = {0};

	if (scrape_config_read(data, size, &config, &err) == 0) {
		if (config.n_targets > SCRAPE_MAX_TARGETS)
			abort();
		for (size_t i = 0; i < config.n_targets; i++)
			check(&config.targets[i]);
		scrape_config_done(&config);
	} else if (!err.text[0] || strchr(err.text, '\n')) {
		abort();
	}
	return 0;
}
