/* SPDX-License-Identifier: Apache-2.0 */
/* pyrometer serve: the server with its embedded store, until a signal ends it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/command.h"
#include "server/server.h"

#define DEFAULT_LISTEN "127.0.0.1:4040"
#define NO_OTLP "none"
#define DIR_MODE 0700
#define PATH_MAX_BYTES 4096

/* Where collectors and profilers of OpenTelemetry send to when nobody tells them otherwise: gRPC, HTTP. */
static const char *const otlp_default[] = {"127.0.0.1:4317", "127.0.0.1:4318"};

struct serve_opts {
	struct opt_list listen;
	struct opt_list otlp;
	struct opt_list hosts;
	const char *data;
	const char *scrape;
	int64_t retention_ns;
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
		 "/api/v1/targets shows how that goes"},
	{.name = "retention",
	 .kind = OPT_DURATION,
	 .offset = offsetof(struct serve_opts, retention_ns),
	 .arg = "TIME",
	 .help = "delete what is older, such as 30d (default: full detail for 7 days, sums per "
		 "minute for a month, per hour for a year, per day for ever)",
	 .least = 60e9,
	 .most = 9e18},
	{.name = "host",
	 .kind = OPT_LIST,
	 .offset = offsetof(struct serve_opts, hosts),
	 .arg = "NAME",
	 .help = "answer requests for this host name as well; may be given again (localhost and "
		 "addresses are always answered)"},
	LIMIT_OPTIONS(offsetof(struct serve_opts, limits)),
	{0},
};

static const struct opt_command options = {
	.name = "serve",
	.summary = "take profiles, keep them, show them in the browser",
	.usage = "serve [--listen HOST:PORT] [--data DIR]",
	.about = "Whoever can reach the address can read and write profiles: there is no login "
		 "yet, so\n"
		 "the default listens on this machine only.\n\n"
		 "examples:\n"
		 "  pyrometer serve\n"
		 "  pyrometer serve --listen 127.0.0.1:4040 --data /srv/profiles --retention 90d\n",
	.opts = opts,
};

/* ---- the data directory ---- */

static int default_dir(char out[PATH_MAX_BYTES], struct err *err)
{
	const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		snprintf(out, PATH_MAX_BYTES, "/var/lib/pyrometer");
	else if (xdg && *xdg == '/')
		snprintf(out, PATH_MAX_BYTES, "%s/pyrometer", xdg);
	else if (home && *home == '/')
		snprintf(out, PATH_MAX_BYTES, "%s/.local/share/pyrometer", home);
	else
		return err_set(err, ERR_USAGE, "HOME is not set: name a directory with --data DIR");
	return 0;
}

/* mkdir -p, the last part for the owner only. */
static int make_dir(const char *path, struct err *err)
{
	char part[PATH_MAX_BYTES];
	struct stat info;

	if (!*path)
		return err_set(err, ERR_USAGE, "the name of the data directory is empty");
	if ((size_t)snprintf(part, sizeof(part), "%s", path) >= sizeof(part))
		return err_set(err, ERR_USAGE, "the path of the data directory is too long");
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return err_sys(err, -errno, "cannot make the directory %s", part);
		*slash = '/';
	}
	if (mkdir(path, DIR_MODE) < 0 && errno != EEXIST)
		return err_sys(err, -errno, "cannot make the data directory %s", path);
	if (stat(path, &info) < 0 || !S_ISDIR(info.st_mode))
		return err_set(err, -ENOTDIR, "%s is not a directory; name another with --data DIR",
			       path);
	if (access(path, R_OK | W_OK | X_OK) < 0)
		return err_sys(err, -errno, "cannot write to the data directory %s", path);
	return 0;
}

/* ---- serving ---- */

/* One limit for every level: none keeps longer. */
static void limit_retention(struct store_config *config, int64_t retention_ns)
{
	for (size_t i = 0; retention_ns && i < STORE_LEVELS; i++)
		if (!config->retention.age_ns[i] || config->retention.age_ns[i] > retention_ns)
			config->retention.age_ns[i] = retention_ns;
}

static void announce(const struct server *server, const struct server_config *config)
{
	for (size_t i = 0; i < config->n_listen; i++) {
		const char *listen = config->listen[i];
		const char *colon = strrchr(listen, ':');
		bool is_any =
			strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0;
		bool is_loopback = true;

		printf("pyrometer: serving http://%.*s:%u (data in %s)\n",
		       is_any ? 9 : (int)(colon - listen), is_any ? "localhost" : listen,
		       server_port(server, i), config->store.dir);
		if (http_listen_is_loopback(listen, &is_loopback, NULL) == 0 && !is_loopback)
			log_warn("%s can be reached from other machines, and there is no login",
				 listen);
	}
	fflush(stdout);
}

/* SIGTERM, SIGINT or SIGHUP; a second one, while stopping, ends the program at once. */
static void wait_for_signal(const sigset_t *signals)
{
	int number;

	while (sigwait(signals, &number) != 0)
		;
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
	r = make_dir(config->store.dir, err);
	if (r == 0)
		r = server_start(config, &server, err);
	if (r < 0)
		return r;
	announce(server, config);
	announce_otlp(server, config);
	wait_for_signal(&signals);
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

static int run(int argc, char **argv)
{
	struct serve_opts given = {0};
	struct server_config config;
	char dir[PATH_MAX_BYTES];
	struct err err;
	int r;

	limits_init(&given.limits);
	r = command_parse(&command_serve, argc, argv, &given);

	if (r <= 0)
		return r < 0 ? EXIT_CODE_USAGE : EXIT_CODE_OK;
	if (r < argc) {
		log_error("serve takes no argument '%s' (see pyrometer serve --help)", argv[r]);
		return EXIT_CODE_USAGE;
	}
	r = given.data ? 0 : default_dir(dir, &err);
	if (r == 0) {
		server_config_init(&config, given.data ? given.data : dir);
		r = set_listeners(&given, &config, &err);
	}
	if (r == 0) {
		config.limits = given.limits;
		config.scrape_file = given.scrape;
		config.hosts = given.hosts.items;
		config.n_hosts = given.hosts.n;
		limit_retention(&config.store, given.retention_ns);
		r = serve(&config, &err);
	}
	return r < 0 ? command_fail(&err) : EXIT_CODE_OK;
}

const struct command command_serve = {.options = &options, .run = run};
