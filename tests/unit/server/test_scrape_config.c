/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/clock.h"
#include "server/scrape_config.h"

static void read_config(const char *text, struct scrape_config *config)
{
	struct err err;

	if (scrape_config_read(text, strlen(text), config, &err) < 0)
		fail_msg("%s", err.text);
}

static const struct scrape_profile *find(const struct scrape_job *job, const char *name)
{
	for (size_t i = 0; i < job->n_profiles; i++)
		if (strcmp(job->profiles[i].name, name) == 0)
			return &job->profiles[i];
	return NULL;
}

static void a_job_has_what_go_has_by_default(void **state)
{
	struct scrape_config config;
	const struct scrape_job *job;

	(void)state;
	read_config("scrape_configs: [{job_name: a, static_configs: [{targets: ['h:1']}]}]",
		    &config);
	assert_int_equal(config.n_targets, 1);
	job = config.targets[0].job;
	assert_int_equal(job->interval_ns, 15 * NS_PER_S);
	assert_int_equal(job->timeout_ns, 10 * NS_PER_S);
	assert_string_equal(job->scheme, "http");
	assert_int_equal(job->n_profiles, 5);
	assert_int_equal(find(job, "process_cpu")->seconds, 10);
	assert_int_equal(find(job, "memory")->seconds, 0);
	assert_string_equal(labels_get(&config.targets[0].labels, "service_name"), "a");
	assert_string_equal(labels_get(&config.targets[0].labels, "instance"), "h:1");
	scrape_config_done(&config);
}

/* Whatever the order of words: labels behind targets, the name of the job last. */
static void words_come_in_any_order(void **state)
{
	struct scrape_config config;

	(void)state;
	read_config("scrape_configs:\n"
		    "  - static_configs:\n"
		    "      - targets: [a:1, b:2]\n"
		    "        labels: {env: x}\n"
		    "      - targets: [c:3]\n"
		    "        labels: {service_name: own, instance: me}\n"
		    "    profiling_config:\n"
		    "      pprof_config:\n"
		    "        block: {enabled: false}\n"
		    "        own: {seconds: 2, path: /own?x=1}\n"
		    "    scrape_interval: 5s\n"
		    "    job_name: last\n"
		    "global: {scrape_interval: 30s, scrape_timeout: 3s}\n",
		    &config);
	assert_int_equal(config.n_targets, 3);
	assert_string_equal(labels_get(&config.targets[1].labels, "env"), "x");
	assert_string_equal(labels_get(&config.targets[1].labels, "service_name"), "last");
	assert_null(labels_get(&config.targets[2].labels, "env"));
	assert_string_equal(labels_get(&config.targets[2].labels, "service_name"), "own");
	assert_string_equal(labels_get(&config.targets[2].labels, "instance"), "me");
	assert_int_equal(config.targets[0].job->interval_ns, 5 * NS_PER_S);
	assert_int_equal(find(config.targets[0].job, "process_cpu")->seconds, 4);
	assert_true(find(config.targets[0].job, "block")->is_disabled);
	assert_int_equal(find(config.targets[0].job, "own")->seconds, 2);
	scrape_config_done(&config);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"scrape_configs: 3", "'scrape_configs' is not known, or of the wrong kind"},
		{"scrape_configs: [{job_name: {}}]", "job_name has to be a text"},
		{"scrape_configs: [{job_name: a, scheme: gopher}]", "not 'gopher'"},
		{"scrape_configs: [{job_name: a, scrape_interval: 0.1s}]", "between 1s and 1d"},
		{"scrape_configs: [{job_name: a, static_configs: [{targets: [x]}]}]", "HOST:PORT"},
		{"scrape_configs: [{job_name: a, static_configs: [{labels: {a.b: c}}]}]",
		 "no dots"},
		{"scrape_configs: [{job_name: a, static_configs: [{labels: {__x: c}}]}]",
		 "no leading __"},
		{"scrape_configs: [{job_name: a, basic_auth: {username: u}}]", "password_file"},
		{"scrape_configs: [{job_name: a, profiling_config: {path_prefix: x}}]",
		 "begin with /"},
		{"scrape_configs: [{job_name: a, scrape_interval: 5s, profiling_config: "
		 "{pprof_config: "
		 "{process_cpu: {seconds: 9}}}}]",
		 "longer than the interval"},
		{"scrape_configs: [{job_name: a, profiling_config: {pprof_config: {own: {delta: "
		 "true}}}}]",
		 "own.delta' is not known"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct scrape_config config;
		struct err err = {0};

		assert_true(scrape_config_read(cases[i].text, strlen(cases[i].text), &config,
					       &err) < 0);
		if (!strstr(err.text, cases[i].want) || !strstr(err.text, "line 1"))
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_has_what_go_has_by_default),
		cmocka_unit_test(words_come_in_any_order),
		cmocka_unit_test(what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
