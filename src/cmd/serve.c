/* SPDX-License-Identifier: Apache-2.0 */
/* pyrometer serve: the server with its embedded store, until a signal ends it. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/config_file.h"
#include "cmd/data_dir.h"
#include "server/keep_rules.h"
#include "server/server.h"

#define DEFAULT_LISTEN "127.0.0.1:4040"
#define NO_OTLP "none"
/*
 * Answers are made in arrays of a megabyte: memory that every one of them gives back to the kernel and gets again,
 * page by page, was a quarter of what a flame graph costs.  A thread keeps that much at most.
 */
#define KEEP_FREED_BYTES (8 << 20)

/* Where collectors and profilers of OpenTelemetry send to when nobody tells them otherwise: gRPC, HTTP. */
static const char *const otlp_default[] = {"127.0.0.1:4317", "127.0.0.1:4318"};

struct serve_opts {
	const char *config;
	struct opt_list listen;
	struct opt_list otlp;
	struct opt_list hosts;
	const char *data;
	const char *scrape;
	int64_t retention_ns, span_retention_ns;
	struct opt_list keep;
	const char *tls_cert, *tls_key;
	bool has_tenants;
	const char *base;
	struct limits limits;
};

static const struct opt opts[] = {
	{.letter = 'l',
	 .name = "listen",
	 .kind = OPT_LIST,
	 .offset = offsetof(struct serve_opts, listen),
	 .arg = "HOST:PORT",
	 .help = "address to listen on; may be given again (default " DEFAULT_LISTEN ")"},
	{.name = "otlp",
	 .kind = OPT_LIST,
	 .offset = offsetof(struct serve_opts, otlp),
	 .arg = "HOST:PORT",
	 .help = "listen here as well, for what sends OpenTelemetry's profiles, by gRPC or HTTP; "
		 "may be given again; none: nowhere (default, without --listen: ports 4317 and "
		 "4318 of this machine, if they are free)"},
	{.name = "config",
	 .kind = OPT_STR,
	 .offset = offsetof(struct serve_opts, config),
	 .arg = "FILE",
	 .help = "take options from this YAML file (retention: 30d); those given here win"},
	{.letter = 'd',
	 .name = "data",
	 .kind = OPT_STR,
	 .offset = offsetof(struct serve_opts, data),
	 .arg = "DIR",
	 .help = "directory that keeps the profiles; made when missing (default "
		 "~/.local/share/pyrometer, for root /var/lib/pyrometer)",
	 .env = "PYROMETER_DATA"},
	{.name = "scrape",
	 .kind = OPT_STR,
	 .offset = offsetof(struct serve_opts, scrape),
	 .arg = "FILE",
	 .help = "read /debug/pprof of the targets in this YAML file again and again; "
		 "the page /targets shows how that goes; SIGHUP reads the file again"},
	{.name = "retention",
	 .kind = OPT_DURATION,
	 .offset = offsetof(struct serve_opts, retention_ns),
	 .arg = "TIME",
	 .help = "delete what is older, such as 30d (default: full detail for 7 days, sums per "
		 "minute for a month, per hour for a year, per day for ever)",
	 .least = 60e9,
	 .most = 9e18},
	{.name = "keep",
	 .kind = OPT_LIST,
	 .offset = offsetof(struct serve_opts, keep),
	 .arg = "RULE",
	 .help = "[TENANT/]LEVEL=WHAT: keep a level (10s, 1m, 10m, 1h, 1d, or all) for an age "
		 "(10s=14d), up to a size of each tenant's files (all=50GiB: the oldest detail "
		 "goes first), or forever; after --retention, may be given again"},
	{.name = "span-retention",
	 .kind = OPT_DURATION,
	 .offset = offsetof(struct serve_opts, span_retention_ns),
	 .arg = "TIME",
	 .help = "delete older spans, by whole days (default 2d; never kept longer than full "
		 "detail)",
	 .least = 60e9,
	 .most = 9e18},
	{.name = "host",
	 .kind = OPT_LIST,
	 .offset = offsetof(struct serve_opts, hosts),
	 .arg = "NAME",
	 .help = "answer requests for this host name as well; may be given again (localhost and "
		 "addresses are always answered)"},
	{.name = "tls-cert",
	 .kind = OPT_STR,
	 .offset = offsetof(struct serve_opts, tls_cert),
	 .arg = "FILE",
	 .help = "speak HTTPS with this certificate (PEM, with its chain); SIGHUP reads it again"},
	{.name = "tls-key",
	 .kind = OPT_STR,
	 .offset = offsetof(struct serve_opts, tls_key),
	 .arg = "FILE",
	 .help = "key of the certificate (PEM, not encrypted, not readable by everyone)"},
	{.name = "tenants",
	 .kind = OPT_FLAG,
	 .offset = offsetof(struct serve_opts, has_tenants),
	 .help = "keep tenants apart: X-Scope-OrgID of a request, or its token, says whose it is"},
	{.name = "base-path",
	 .kind = OPT_STR,
	 .offset = offsetof(struct serve_opts, base),
	 .arg = "PATH",
	 .help = "path under which a proxy shows this server, such as /pyrometer"},
	LIMIT_OPTIONS(offsetof(struct serve_opts, limits)),
	{0},
};

static const struct opt_command options = {
	.name = "serve",
	.summary = "take profiles, keep them, show them in the browser",
	.usage = "serve [--listen HOST:PORT] [--data DIR]",
	.about =
		"Whoever can reach the address can read and write profiles until there is a token\n"
		"(pyrometer token create), so the default listens on this machine only.\n\n"
		"examples:\n"
		"  pyrometer serve\n"
		"  pyrometer serve --listen 127.0.0.1:4040 --data /srv/profiles --retention 90d\n",
	.opts = opts,
};

/* ---- serving ---- */

/* One limit for every level: none keeps longer. */
static void limit_retention(struct store_config *config, int64_t retention_ns)
{
	for (size_t i = 0; retention_ns && i < STORE_LEVELS; i++)
		if (!config->retention.age_ns[i] || config->retention.age_ns[i] > retention_ns)
			config->retention.age_ns[i] = retention_ns;
}

static int set_rules(const struct serve_opts *given, struct keep_rules *rules,
		     struct store_config *config, struct err *err)
{
	int r = 0;

	rules->standard = config->retention;
	for (size_t i = 0; i < given->keep.n && r == 0; i++)
		r = keep_rules_add(rules, given->keep.items[i], err);
	if (r < 0)
		return err_prefix(err, r, "--keep");
	config->retention = rules->standard;
	config->tenants = rules->tenants;
	config->n_tenants = rules->n_tenants;
	return 0;
}

static void announce(const struct server *server, const struct server_config *config)
{
	for (size_t i = 0; i < config->n_listen; i++) {
		const char *listen = config->listen[i];
		const char *colon = strrchr(listen, ':');
		bool is_any =
			strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0;
		bool is_loopback = true;

		printf("pyrometer: serving http%s://%.*s:%u (data in %s)\n",
		       config->tls_cert ? "s" : "", is_any ? 9 : (int)(colon - listen),
		       is_any ? "localhost" : listen, server_port(server, i), config->store.dir);
		if (http_listen_is_loopback(listen, &is_loopback, NULL) == 0 && !is_loopback &&
		    !server_asks_token(server))
			log_warn("%s can be reached from other machines, and no token is asked for "
				 "(see pyrometer token --help)",
				 listen);
	}
	fflush(stdout);
}

/* Certificate, tokens and what is scraped; says how it went. */
static void reload(struct server *server)
{
	struct err err;

	if (server_reload(server, &err) < 0)
		log_error("%s: goes on with what it has", err.text);
	else
		log_info("certificate, tokens and what is scraped are read again");
}

/*
 * SIGTERM, SIGINT, or a SIGHUP that finds nothing to read again (a terminal that was closed); a second one, while
 * stopping, ends the program at once.
 */
static void wait_for_signal(const sigset_t *signals, struct server *server,
			    const struct server_config *config)
{
	int number;

	for (;;) {
		if (sigwait(signals, &number) != 0)
			continue;
		if (number != SIGHUP ||
		    (!config->tls_cert && !config->scrape_file && !server_asks_token(server)))
			break;
		reload(server);
	}
	log_info("%s: finishing what is under way", sigdescr_np(number));
	sigprocmask(SIG_UNBLOCK, signals, NULL);
}

static void announce_otlp(const struct server *server, const struct server_config *config)
{
	for (size_t i = 0; i < config->n_if_free; i++) {
		const char *why = server_left_out(server, i);

		if (why)
			log_warn("collectors of OpenTelemetry cannot send here: %s (--otlp "
				 "HOST:PORT takes them elsewhere, --otlp none nowhere)",
				 why);
	}
}

static int serve(const struct server_config *config, struct err *err)
{
	struct server *server;
	sigset_t signals;
	int r;

	/* Before any thread starts, so that none of them takes the signal. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	umask(0077);
	mallopt(M_MMAP_THRESHOLD, KEEP_FREED_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEEP_FREED_BYTES);
	r = data_dir_make(config->store.dir, err);
	if (r == 0)
		r = server_start(config, &server, err);
	if (r == -EADDRINUSE)
		r = err_suffix(err, r, " with --listen or --otlp");
	if (r < 0)
		return r;
	announce(server, config);
	announce_otlp(server, config);
	wait_for_signal(&signals, server, config);
	server_stop(server);
	return 0;
}

/* Asked for: listened on, or the start fails.  The default: where it is free. */
static int set_listeners(struct serve_opts *given, struct server_config *config, struct err *err)
{
	bool is_default = !given->listen.n;

	if (is_default)
		given->listen.items[given->listen.n++] = DEFAULT_LISTEN;
	if (given->otlp.n == 1 && strcmp(given->otlp.items[0], NO_OTLP) == 0) {
		given->otlp.n = 0;
	} else if (!given->otlp.n && is_default) {
		config->listen_if_free = otlp_default;
		config->n_if_free = array_len(otlp_default);
	}
	for (size_t i = 0; i < given->otlp.n; i++) {
		if (given->listen.n == OPT_LIST_MAX)
			return err_set(err, ERR_USAGE, "too many addresses to listen on");
		given->listen.items[given->listen.n++] = given->otlp.items[i];
	}
	config->listen = given->listen.items;
	config->n_listen = given->listen.n;
	return 0;
}

/* The command line, over what the file says that it may name; as command_parse(). */
static int parse(int argc, char **argv, struct arena *arena, struct serve_opts *given)
{
	struct serve_opts here = {.base = ""};
	struct err err;
	int r;

	*given = (struct serve_opts){.base = ""};
	limits_init(&here.limits);
	limits_init(&given->limits);
	r = command_parse(&command_serve, argc, argv, &here);
	if (r <= 0 || !here.config) {
		*given = here;
		return r;
	}
	if (config_file_read(here.config, opts, arena, given, &err) < 0) {
		log_error("%s", err.text);
		return ERR_USAGE;
	}
	opt_replace_lists(opts, &here, given);
	return command_parse(&command_serve, argc, argv, given);
}

static int run(int argc, char **argv)
{
	cleanup(arena_done) struct arena arena;
	struct serve_opts given;
	struct keep_rules rules = {0};
	struct server_config config;
	char dir[DATA_DIR_BYTES];
	struct err err;
	int r;

	arena_init(&arena);
	r = parse(argc, argv, &arena, &given);
	if (r <= 0)
		return r < 0 ? EXIT_CODE_USAGE : EXIT_CODE_OK;
	if (r < argc) {
		log_error("serve takes no argument '%s' (see pyrometer serve --help)", argv[r]);
		return EXIT_CODE_USAGE;
	}
	r = given.data ? 0 : data_dir_default(dir, &err);
	if (r == 0) {
		server_config_init(&config, given.data ? given.data : dir);
		r = set_listeners(&given, &config, &err);
	}
	if (r == 0 && !given.tls_cert != !given.tls_key)
		r = err_set(&err, ERR_USAGE, "--tls-cert and --tls-key go together");
	if (r == 0) {
		config.limits = given.limits;
		config.scrape_file = given.scrape;
		config.has_tenants = given.has_tenants;
		config.tls_cert = given.tls_cert;
		config.tls_key = given.tls_key;
		config.base = given.base;
		config.hosts = given.hosts.items;
		config.n_hosts = given.hosts.n;
		limit_retention(&config.store, given.retention_ns);
		if (given.span_retention_ns)
			config.store.retention.span_age_ns = given.span_retention_ns;
		r = set_rules(&given, &rules, &config.store, &err);
	}
	if (r == 0)
		r = serve(&config, &err);
	keep_rules_done(&rules);
	return r < 0 ? command_fail(&err) : EXIT_CODE_OK;
}

const struct command command_serve = {.options = &options, .run = run};
