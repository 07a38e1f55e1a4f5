/* SPDX-License-Identifier: Apache-2.0 */
#include "server/scrape_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/opt.h"
#include "base/vec.h"
#include "codec/base64.h"
#include "codec/yaml.h"
#include "store/store.h"

#define CONFIG_DEPTH 8
#define DEFAULT_INTERVAL_NS (15 * NS_PER_S)
#define DEFAULT_TIMEOUT_NS (10 * NS_PER_S)
#define MAX_INTERVAL_NS (86400 * NS_PER_S)
#define MAX_SECONDS 3600
#define SECRET_MAX_BYTES 4096
#define WORD_MAX_BYTES 1024

#define JOB "scrape_configs[]"
#define GROUP JOB ".static_configs[]"
#define PPROF JOB ".profiling_config.pprof_config"

/* What Go's net/http/pprof has. */
static const struct scrape_profile standard_profiles[] = {
	{"process_cpu", "/debug/pprof/profile", -1, false}, /* as long as the interval allows */
	{"memory", "/debug/pprof/heap", 0, false},
	{"goroutine", "/debug/pprof/goroutine", 0, false},
	{"mutex", "/debug/pprof/mutex", 0, false},
	{"block", "/debug/pprof/block", 0, false},
};
#define STANDARD_CPU_SECONDS 10

struct reader {
	struct scrape_config config;
	size_t cap; /* of its targets */
	int64_t interval_ns, timeout_ns;

	/* What is open. */
	struct scrape_job *job;
	size_t job_first, group_first; /* targets */
	struct labels group;	       /* labels of the group */
	const char *username, *password_file, *credentials_file;
	struct scrape_profile *profile;
};

typedef int word_fn(struct reader *reader, const struct json_event *event, struct err *err);

/* ---- values ---- */

static int text_of(struct reader *reader, const struct json_event *event, const char **ret_text,
		   struct err *err)
{
	if ((event->kind != JSON_STRING && event->kind != JSON_NUMBER) || !event->len ||
	    event->len > WORD_MAX_BYTES || memchr(event->text, '\0', event->len))
		return err_set(err, ERR_USAGE, "%s has to be a text", event->path);
	*ret_text = arena_strndup(&reader->config.arena, event->text, event->len);
	return 0;
}

static int duration_of(struct reader *reader, const struct json_event *event, int64_t *ret_ns,
		       struct err *err)
{
	const char *text;
	int64_t ns = 0;
	int r = text_of(reader, event, &text, err);

	if (r == 0)
		r = opt_parse_duration(text, &ns, err);
	if (r == 0 && (ns < NS_PER_S || ns > MAX_INTERVAL_NS))
		r = err_set(err, ERR_USAGE, "it has to be between 1s and 1d");
	if (r < 0)
		return err_prefix(err, r, "%s", event->path);
	*ret_ns = ns;
	return 0;
}

/* ---- words ---- */

static int on_global_interval(struct reader *reader, const struct json_event *event,
			      struct err *err)
{
	return duration_of(reader, event, &reader->interval_ns, err);
}

static int on_global_timeout(struct reader *reader, const struct json_event *event, struct err *err)
{
	return duration_of(reader, event, &reader->timeout_ns, err);
}

static int on_interval(struct reader *reader, const struct json_event *event, struct err *err)
{
	return duration_of(reader, event, &reader->job->interval_ns, err);
}

static int on_timeout(struct reader *reader, const struct json_event *event, struct err *err)
{
	return duration_of(reader, event, &reader->job->timeout_ns, err);
}

static int on_name(struct reader *reader, const struct json_event *event, struct err *err)
{
	return text_of(reader, event, &reader->job->name, err);
}

static int on_tenant(struct reader *reader, const struct json_event *event, struct err *err)
{
	return text_of(reader, event, &reader->job->tenant, err);
}

static int on_scheme(struct reader *reader, const struct json_event *event, struct err *err)
{
	int r = text_of(reader, event, &reader->job->scheme, err);

	if (r == 0 && strcmp(reader->job->scheme, "http") != 0 &&
	    strcmp(reader->job->scheme, "https") != 0)
		r = err_set(err, ERR_USAGE, "scheme is http or https, not '%s'",
			    reader->job->scheme);
	return r;
}

static bool is_path(const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c == 0x7f || *c == '#')
			return false;
	return *text == '/';
}

static int path_of(struct reader *reader, const struct json_event *event, const char **ret_path,
		   struct err *err)
{
	const char *path;
	int r = text_of(reader, event, &path, err);

	if (r == 0 && !is_path(path))
		r = err_set(err, ERR_USAGE, "%s: '%s' does not begin with / or holds a space",
			    event->path, path);
	if (r == 0)
		*ret_path = path;
	return r;
}

static int on_prefix(struct reader *reader, const struct json_event *event, struct err *err)
{
	return path_of(reader, event, &reader->job->path_prefix, err);
}

static int on_username(struct reader *reader, const struct json_event *event, struct err *err)
{
	return text_of(reader, event, &reader->username, err);
}

static int on_password(struct reader *reader, const struct json_event *event, struct err *err)
{
	return text_of(reader, event, &reader->password_file, err);
}

static int on_credentials(struct reader *reader, const struct json_event *event, struct err *err)
{
	return text_of(reader, event, &reader->credentials_file, err);
}

static int on_target(struct reader *reader, const struct json_event *event, struct err *err)
{
	struct scrape_config *config = &reader->config;
	struct scrape_target *target;
	const char *address = NULL;
	int r = text_of(reader, event, &address, err);

	if (r < 0)
		return r;
	if (strpbrk(address, "/?#@ \t\r\n") || !strchr(address, ':'))
		return err_set(err, ERR_USAGE, "'%s' is not HOST:PORT", address);
	if (config->n_targets == SCRAPE_MAX_TARGETS)
		return err_set(err, ERR_LIMIT, "more than %d targets", SCRAPE_MAX_TARGETS);
	config->targets = vec_grow(config->targets, &reader->cap, config->n_targets + 1,
				   sizeof(*config->targets));
	target = &config->targets[config->n_targets++];
	*target = (struct scrape_target){.job = reader->job, .address = address};
	return 0;
}

static int on_label(struct reader *reader, const struct json_event *event, struct err *err)
{
	const char *name = strrchr(event->path, '.') + 1, *value = NULL;
	int r = text_of(reader, event, &value, err);

	if (r < 0)
		return r;
	if (strcmp(name, "?") == 0 || strncmp(name, "__", 2) == 0)
		return err_set(err, ERR_USAGE, "labels: a name here has no dots and no leading __");
	return labels_set(&reader->group, &reader->config.arena, name, value, err);
}

static int on_enabled(struct reader *reader, const struct json_event *event, struct err *err)
{
	if (event->kind != JSON_BOOL)
		return err_set(err, ERR_USAGE, "enabled is true or false");
	reader->profile->is_disabled = !event->truth;
	return 0;
}

static int on_path(struct reader *reader, const struct json_event *event, struct err *err)
{
	return path_of(reader, event, &reader->profile->path, err);
}

static int on_seconds(struct reader *reader, const struct json_event *event, struct err *err)
{
	int64_t seconds;

	if (event->kind != JSON_NUMBER || json_event_int(event, &seconds) < 0 || seconds < 0 ||
	    seconds > MAX_SECONDS)
		return err_set(err, ERR_USAGE, "seconds is a number from 0 to %d", MAX_SECONDS);
	reader->profile->seconds = seconds;
	return 0;
}

/* ---- objects ---- */

static void begin_job(struct reader *reader)
{
	reader->job = arena_alloc(&reader->config.arena, sizeof(*reader->job));
	reader->job->scheme = "http";
	reader->job->path_prefix = "";
	reader->job->tenant = STORE_TENANT_DEFAULT;
	memcpy(reader->job->profiles, standard_profiles, sizeof(standard_profiles));
	reader->job->n_profiles = array_len(standard_profiles);
	reader->job_first = reader->config.n_targets;
	reader->username = reader->password_file = reader->credentials_file = NULL;
}

static int begin_profile(struct reader *reader, const char *name, struct err *err)
{
	struct scrape_job *job = reader->job;

	for (size_t i = 0; i < job->n_profiles; i++)
		if (strcmp(job->profiles[i].name, name) == 0) {
			reader->profile = &job->profiles[i];
			return 0;
		}
	if (strcmp(name, "?") == 0)
		return err_set(err, ERR_USAGE, "the name of a profile has no dots");
	if (job->n_profiles == SCRAPE_MAX_PROFILES)
		return err_set(err, ERR_LIMIT, "more than %d profiles of one target",
			       SCRAPE_MAX_PROFILES);
	reader->profile = &job->profiles[job->n_profiles++];
	*reader->profile = (struct scrape_profile){
		.name = arena_strndup(&reader->config.arena, name, strlen(name))};
	return 0;
}

static int end_group(struct reader *reader, struct err *err)
{
	struct scrape_config *config = &reader->config;
	int r = 0;

	for (size_t i = reader->group_first; r == 0 && i < config->n_targets; i++) {
		struct scrape_target *target = &config->targets[i];

		target->labels = reader->group;
		if (!labels_get(&target->labels, "instance"))
			r = labels_set(&target->labels, &config->arena, "instance", target->address,
				       err);
	}
	return r;
}

/* A secret from its file, without the line's end. */
static int read_secret(const char *path, char secret[SECRET_MAX_BYTES], struct err *err)
{
	cleanup_file FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		return err_sys(err, -errno, "cannot read %s", path);
	len = fread(secret, 1, SECRET_MAX_BYTES - 1, file);
	secret[len] = '\0';
	secret[strcspn(secret, "\r\n")] = '\0';
	if (!*secret)
		return err_set(err, ERR_USAGE, "%s is empty", path);
	return 0;
}

static int set_authorization(struct reader *reader, struct err *err)
{
	struct arena *arena = &reader->config.arena;
	char secret[SECRET_MAX_BYTES], pair[SECRET_MAX_BYTES + WORD_MAX_BYTES + 2];
	struct buf encoded;
	int r;

	if (reader->credentials_file) {
		r = read_secret(reader->credentials_file, secret, err);
		if (r == 0)
			reader->job->authorization = arena_printf(arena, "Bearer %s", secret);
		return r;
	}
	if (!reader->username && !reader->password_file)
		return 0;
	if (!reader->username || !reader->password_file)
		return err_set(err, ERR_USAGE, "basic_auth has a username and a password_file");
	r = read_secret(reader->password_file, secret, err);
	if (r < 0)
		return r;
	buf_init(&encoded, 2 * sizeof(pair));
	base64_encode(pair, (size_t)snprintf(pair, sizeof(pair), "%s:%s", reader->username, secret),
		      &encoded);
	reader->job->authorization = arena_printf(arena, "Basic %s", encoded.data);
	buf_done(&encoded);
	return 0;
}

static int check_profiles(struct scrape_job *job, struct err *err)
{
	for (size_t i = 0; i < job->n_profiles; i++) {
		struct scrape_profile *profile = &job->profiles[i];

		if (!profile->path)
			return err_set(err, ERR_USAGE, "the profile %s has no path", profile->name);
		if (profile->seconds < 0)
			profile->seconds = max_of(min_of((int64_t)STANDARD_CPU_SECONDS,
							 job->interval_ns / NS_PER_S - 1),
						  (int64_t)1);
		if (!profile->is_disabled && profile->seconds * NS_PER_S > job->interval_ns)
			return err_set(err, ERR_USAGE,
				       "the profile %s takes %lld seconds, which is longer than "
				       "the interval of the job",
				       profile->name, (long long)profile->seconds);
	}
	return 0;
}

static int end_job(struct reader *reader, struct err *err)
{
	struct scrape_config *config = &reader->config;
	struct scrape_job *job = reader->job;
	int r;

	if (!job->name)
		return err_set(err, ERR_USAGE, "a job has no job_name");
	if (!job->interval_ns)
		job->interval_ns = reader->interval_ns ? reader->interval_ns : DEFAULT_INTERVAL_NS;
	if (!job->timeout_ns)
		job->timeout_ns = reader->timeout_ns ? reader->timeout_ns : DEFAULT_TIMEOUT_NS;
	r = set_authorization(reader, err);
	if (r == 0)
		r = check_profiles(job, err);
	for (size_t i = reader->job_first; r == 0 && i < config->n_targets; i++) {
		struct labels *labels = &config->targets[i].labels;

		if (!labels_get(labels, LABEL_SERVICE))
			r = labels_set(labels, &config->arena, LABEL_SERVICE, job->name, err);
	}
	reader->job = NULL;
	return r < 0 ? err_prefix(err, r, "%s", job->name ? job->name : "job") : 0;
}

/* ---- the document ---- */

static const struct {
	const char *path;
	word_fn *read; /* NULL: an object or a list that may stand there */
} words[] = {
	{"", NULL},
	{"global", NULL},
	{"global.scrape_interval", on_global_interval},
	{"global.scrape_timeout", on_global_timeout},
	{"scrape_configs", NULL},
	{JOB, NULL},
	{JOB ".job_name", on_name},
	{JOB ".scrape_interval", on_interval},
	{JOB ".scrape_timeout", on_timeout},
	{JOB ".scheme", on_scheme},
	{JOB ".tenant", on_tenant},
	{JOB ".authorization", NULL},
	{JOB ".authorization.credentials_file", on_credentials},
	{JOB ".basic_auth", NULL},
	{JOB ".basic_auth.username", on_username},
	{JOB ".basic_auth.password_file", on_password},
	{JOB ".static_configs", NULL},
	{GROUP, NULL},
	{GROUP ".targets", NULL},
	{GROUP ".targets[]", on_target},
	{GROUP ".labels", NULL},
	{JOB ".profiling_config", NULL},
	{JOB ".profiling_config.path_prefix", on_prefix},
	{PPROF, NULL},
};

static const struct {
	const char *name;
	word_fn *read;
} profile_words[] = {{"enabled", on_enabled}, {"path", on_path}, {"seconds", on_seconds}};

static int unknown(const struct json_event *event, struct err *err)
{
	return err_set(err, ERR_USAGE, "'%s' is not known, or of the wrong kind", event->path);
}

/* Below pprof_config: "NAME", "NAME.path". */
static int on_pprof(struct reader *reader, const struct json_event *event, struct err *err)
{
	const char *name = event->path + strlen(PPROF) + 1, *dot = strchr(name, '.');

	if (!dot) {
		if (event->kind == JSON_OBJECT_BEGIN)
			return begin_profile(reader, name, err);
		return event->kind == JSON_OBJECT_END ? 0 : unknown(event, err);
	}
	for (size_t i = 0; i < array_len(profile_words); i++)
		if (strcmp(dot + 1, profile_words[i].name) == 0)
			return profile_words[i].read(reader, event, err);
	return unknown(event, err);
}

static int on_object(struct reader *reader, const struct json_event *event, struct err *err)
{
	bool begins = event->kind == JSON_OBJECT_BEGIN, ends = event->kind == JSON_OBJECT_END;

	if (strcmp(event->path, JOB) == 0) {
		if (begins)
			begin_job(reader);
		return ends ? end_job(reader, err) : 0;
	}
	if (strcmp(event->path, GROUP) == 0 && begins) {
		reader->group = (struct labels){0};
		reader->group_first = reader->config.n_targets;
	} else if (strcmp(event->path, GROUP) == 0 && ends) {
		return end_group(reader, err);
	}
	return 0;
}

static bool is_scalar(const struct json_event *event)
{
	return event->kind == JSON_STRING || event->kind == JSON_NUMBER || event->kind == JSON_BOOL;
}

static int on_event(void *ctx, const struct json_event *event, struct err *err)
{
	static const char labels[] = GROUP ".labels.";
	struct reader *reader = ctx;

	if (strncmp(event->path, PPROF ".", strlen(PPROF) + 1) == 0)
		return on_pprof(reader, event, err);
	if (strncmp(event->path, labels, strlen(labels)) == 0)
		return on_label(reader, event, err);
	for (size_t i = 0; i < array_len(words); i++) {
		if (strcmp(event->path, words[i].path) != 0)
			continue;
		if (words[i].read)
			return words[i].read(reader, event, err);
		/* "static_configs:" with nothing behind it is as good as leaving it out. */
		return is_scalar(event) ? unknown(event, err) : on_object(reader, event, err);
	}
	return unknown(event, err);
}

int scrape_config_read(const void *data, size_t len, struct scrape_config *ret_config,
		       struct err *err)
{
	struct json_limits limits = {.max_bytes = SCRAPE_CONFIG_MAX_BYTES,
				     .max_depth = CONFIG_DEPTH};
	struct reader reader = {0};
	int r;

	arena_init(&reader.config.arena);
	r = yaml_read(data, len, &limits, on_event, &reader, err);
	if (r == 0 && !reader.config.n_targets)
		r = err_set(err, ERR_USAGE, "it names no target (scrape_configs, static_configs)");
	if (r < 0) {
		scrape_config_done(&reader.config);
		return r;
	}
	*ret_config = reader.config;
	return 0;
}

int scrape_config_load(const char *path, struct scrape_config *ret_config, struct err *err)
{
	cleanup_file FILE *file = fopen(path, "re");
	cleanup_free char *data = NULL;
	size_t len;
	int r;

	if (!file)
		return err_sys(err, -errno, "cannot read %s", path);
	data = xcalloc(1, SCRAPE_CONFIG_MAX_BYTES + 1);
	len = fread(data, 1, SCRAPE_CONFIG_MAX_BYTES + 1, file);
	if (ferror(file))
		return err_sys(err, -EIO, "cannot read %s", path);
	r = scrape_config_read(data, len, ret_config, err);
	return r < 0 ? err_prefix(err, r, "%s", path) : 0;
}

void scrape_config_done(struct scrape_config *config)
{
	free(config->targets);
	arena_done(&config->arena);
	*config = (struct scrape_config){0};
}
