/* SPDX-License-Identifier: Apache-2.0 */
/* pyrometer import: what another Pyroscope or Pyrometer holds, into a server. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cmd/command.h"
#include "server/import.h"

#define DEFAULT_TO "http://127.0.0.1:4040"
#define TOKEN_MAX_BYTES 4096

struct given {
	const char *from, *to, *query, *state;
	const char *from_tenant, *to_tenant, *from_token_file, *to_token_file;
	int64_t since_ns, until_ns, step_ns;
};

static const struct opt opts[] = {
	{.name = "from",
	 .kind = OPT_STR,
	 .offset = offsetof(struct given, from),
	 .arg = "URL",
	 .help = "the server to read, such as http://pyroscope:4040"},
	{.name = "to",
	 .kind = OPT_STR,
	 .offset = offsetof(struct given, to),
	 .arg = "URL",
	 .help = "the server that takes it (default " DEFAULT_TO ")"},
	{.name = "since",
	 .kind = OPT_DURATION,
	 .offset = offsetof(struct given, since_ns),
	 .arg = "TIME",
	 .help = "from how long ago on, such as 30d",
	 .least = 1e9,
	 .most = 9e18},
	{.name = "until",
	 .kind = OPT_DURATION,
	 .offset = offsetof(struct given, until_ns),
	 .arg = "TIME",
	 .help = "up to how long ago (default: what is over by two minutes)",
	 .least = 0,
	 .most = 9e18},
	{.name = "step",
	 .kind = OPT_DURATION,
	 .offset = offsetof(struct given, step_ns),
	 .arg = "TIME",
	 .help = "length of one imported profile (default 1m); the same for every run, else "
		 "what is imported again counts again",
	 .least = 1e9,
	 .most = 86400e9},
	{.name = "query",
	 .kind = OPT_STR,
	 .offset = offsetof(struct given, query),
	 .arg = "SELECTOR",
	 .help = "only series with these labels, such as '{service_name=\"shop\"}'"},
	{.name = "state",
	 .kind = OPT_STR,
	 .offset = offsetof(struct given, state),
	 .arg = "FILE",
	 .help = "remember there how far it came, and go on from there"},
	{.name = "from-tenant",
	 .kind = OPT_STR,
	 .offset = offsetof(struct given, from_tenant),
	 .arg = "NAME",
	 .help = "tenant to read (X-Scope-OrgID)"},
	{.name = "to-tenant",
	 .kind = OPT_STR,
	 .offset = offsetof(struct given, to_tenant),
	 .arg = "NAME",
	 .help = "tenant that takes it"},
	{.name = "from-token-file",
	 .kind = OPT_STR,
	 .offset = offsetof(struct given, from_token_file),
	 .arg = "FILE",
	 .help = "a file with the token to read with"},
	{.name = "to-token-file",
	 .kind = OPT_STR,
	 .offset = offsetof(struct given, to_token_file),
	 .arg = "FILE",
	 .help = "a file with the token to write with"},
	{0},
};

static const struct opt_command options = {
	.name = "import",
	.summary = "copy what another Pyroscope or Pyrometer holds into a server",
	.usage = "import --from URL --since TIME [--to URL] [--query SELECTOR] [--state FILE]",
	.about = "It asks for every series, step by step, and pushes what comes. An import that is "
		 "run again, or\n"
		 "twice, counts once.\n\n"
		 "examples:\n"
		 "  pyrometer import --from http://pyroscope:4040 --since 7d\n"
		 "  pyrometer import --from http://old:4040 --since 30d --query "
		 "'{service_name=\"shop\"}' --state shop.state\n",
	.opts = opts,
};

/* The import looks at it between two requests. */
static volatile bool is_asked_to_stop;

static void on_signal(int number)
{
	(void)number;
	is_asked_to_stop = true;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void day_text(int64_t ns, char text[32])
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm parts;

	gmtime_r(&seconds, &parts);
	strftime(text, 32, "%Y-%m-%d %H:%M", &parts);
}

static void on_progress(void *ctx, const struct import_progress *progress)
{
	int64_t all_ns = progress->until_ns - progress->from_ns;
	char until[32];

	(void)ctx;
	day_text(progress->done_until_ns, until);
	log_info("%3.0f %%, up to %s UTC: %" PRIu64 " profiles, %.1f MB",
		 100.0 * (double)(progress->done_until_ns - progress->from_ns) / (double)all_ns,
		 until, progress->profiles, (double)progress->bytes / 1e6);
}

/* NULL without a file. */
static int read_token(const char *path, char token[TOKEN_MAX_BYTES], const char **ret_token,
		      struct err *err)
{
	cleanup_file FILE *file = path ? fopen(path, "re") : NULL;
	size_t len;

	if (!path)
		return 0;
	if (!file)
		return err_sys(err, -errno, "cannot read %s", path);
	len = fread(token, 1, TOKEN_MAX_BYTES - 1, file);
	token[len] = '\0';
	token[strcspn(token, "\r\n")] = '\0';
	*ret_token = token;
	return *token ? 0 : err_set(err, ERR_USAGE, "%s is empty", path);
}

static int import(const struct given *given, struct import_progress *progress, struct err *err)
{
	char from_token[TOKEN_MAX_BYTES], to_token[TOKEN_MAX_BYTES];
	int64_t now_ns = clock_real_ns();
	struct import_opts import_opts = {
		.from = {.url = given->from, .tenant = given->from_tenant},
		.to = {.url = given->to ? given->to : DEFAULT_TO, .tenant = given->to_tenant},
		.query = given->query,
		.from_ns = now_ns - given->since_ns,
		.until_ns = now_ns - given->until_ns,
		.step_ns = given->step_ns,
		.state_file = given->state,
		.is_cancelled = &is_asked_to_stop,
		.progress = on_progress,
	};
	int r;

	if (!given->from || !given->since_ns)
		return err_set(err, ERR_USAGE, "import needs --from URL and --since TIME");
	r = read_token(given->from_token_file, from_token, &import_opts.from.token, err);
	if (r == 0)
		r = read_token(given->to_token_file, to_token, &import_opts.to.token, err);
	if (r < 0)
		return r;
	catch_signals();
	return import_run(&import_opts, progress, err);
}

static int run(int argc, char **argv)
{
	struct given given = {0};
	struct import_progress progress = {0};
	struct err err;
	int r = command_parse(&command_import, argc, argv, &given);

	if (r <= 0)
		return r < 0 ? EXIT_CODE_USAGE : EXIT_CODE_OK;
	if (r < argc) {
		log_error("import takes no argument '%s' (see pyrometer import --help)", argv[r]);
		return EXIT_CODE_USAGE;
	}
	r = import(&given, &progress, &err);
	if (progress.skipped)
		log_warn("%" PRIu64 " profiles were too large for one answer and are missing; a "
			 "shorter --step makes them smaller",
			 progress.skipped);
	if (r < 0)
		return command_fail(&err);
	return progress.skipped ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

const struct command command_import = {.options = &options, .run = run};
