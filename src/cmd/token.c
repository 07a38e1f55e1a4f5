/* SPDX-License-Identifier: Apache-2.0 */
/* pyrometer token: make, list and revoke the tokens of a data directory; a running server follows within a second. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/data_dir.h"
#include "server/token.h"

#define LIST_MAX_BYTES ((size_t)1 << 20)

struct token_opts {
	const char *data;
	const char *scope;
	const char *tenant;
	const char *name;
	int64_t expires_ns;
};

static const char *const scopes[] = {"ingest", "query", "admin", "ingest,query", NULL};

static const struct opt opts[] = {
	{.letter = 'd',
	 .name = "data",
	 .kind = OPT_STR,
	 .offset = offsetof(struct token_opts, data),
	 .arg = "DIR",
	 .help = "data directory of the server (default ~/.local/share/pyrometer, for root "
		 "/var/lib/pyrometer)",
	 .env = "PYROMETER_DATA"},
	{.name = "scope",
	 .kind = OPT_STR,
	 .offset = offsetof(struct token_opts, scope),
	 .arg = "SCOPES",
	 .help = "create: what it may do: ingest, query, admin, or several with commas",
	 .choices = scopes},
	{.name = "tenant",
	 .kind = OPT_STR,
	 .offset = offsetof(struct token_opts, tenant),
	 .arg = "NAME",
	 .help = "create: the only tenant it is for (default: any)"},
	{.name = "name",
	 .kind = OPT_STR,
	 .offset = offsetof(struct token_opts, name),
	 .arg = "TEXT",
	 .help = "create: a note on whose it is, for the list"},
	{.name = "expires",
	 .kind = OPT_DURATION,
	 .offset = offsetof(struct token_opts, expires_ns),
	 .arg = "TIME",
	 .help = "create: how long it is valid, such as 90d (default: until it is revoked)",
	 .least = 1e9,
	 .most = 9e18},
	{0},
};

static const char *const actions[] = {"create", "list", "revoke", NULL};

static const struct opt_command options = {
	.name = "token",
	.summary = "make, list and revoke what clients of the server sign in with",
	.usage = "token create --scope SCOPES | token list | token revoke ID...",
	.about = "With its first token a server starts to ask for tokens, at once and from then "
		 "on.\n"
		 "A token is shown once; only its hash is kept. Clients send it as Authorization:\n"
		 "Bearer, or as the password of basic authentication.\n\n"
		 "examples:\n"
		 "  pyrometer token create --scope ingest --name agents > agent.token\n"
		 "  pyrometer token create --scope query,ingest --tenant shop --expires 90d\n"
		 "  pyrometer token revoke 3f9c2a1b\n",
	.opts = opts,
	.operand = "ACTION",
	.operand_choices = actions,
};

static int create(const char *dir, const struct token_opts *given, struct err *err)
{
	struct token model = {0};
	char text[TOKEN_TEXT_LEN + 1];
	int r;

	if (!given->scope)
		return err_set(err, ERR_USAGE,
			       "say what it may do: --scope ingest, query or admin");
	r = token_scopes_parse(given->scope, &model.scopes, err);
	if (r < 0)
		return r;
	if (given->name && strlen(given->name) > TOKEN_NAME_MAX_BYTES)
		return err_set(err, ERR_USAGE, "--name is longer than %d bytes",
			       TOKEN_NAME_MAX_BYTES);
	if (given->tenant && strlen(given->tenant) > TENANT_MAX_BYTES)
		return err_set(err, ERR_USAGE, "--tenant is longer than %d bytes",
			       TENANT_MAX_BYTES);
	snprintf(model.name, sizeof(model.name), "%s", given->name ? given->name : "");
	snprintf(model.tenant, sizeof(model.tenant), "%s",
		 given->tenant ? given->tenant : TENANT_ANY);
	if (given->expires_ns)
		model.expires_s = (clock_real_ns() + given->expires_ns) / NS_PER_S;
	r = data_dir_make(dir, err);
	if (r == 0)
		r = token_create(dir, &model, text, err);
	if (r < 0)
		return r;
	printf("%s\n", text);
	fflush(stdout);
	log_info("token %s: keep it, it is not shown again", model.id);
	return 0;
}

static void put_day(struct buf *out, int64_t seconds, const char *never)
{
	time_t time = (time_t)seconds;
	struct tm tm;
	char day[16];

	if (seconds)
		strftime(day, sizeof(day), "%Y-%m-%d", gmtime_r(&time, &tm));
	buf_printf(out, "%-12s", seconds ? day : never);
}

static int list(const char *dir, struct err *err)
{
	int64_t now_s = clock_real_ns() / NS_PER_S;
	struct token_list tokens = {0};
	char scope[32];
	struct buf out;
	int r = token_list_load(dir, &tokens, err);

	if (r < 0)
		return r;
	buf_init(&out, LIST_MAX_BYTES);
	buf_printf(&out, "%-10s%-20s%-16s%-12s%-12s%s\n", "ID", "SCOPES", "TENANT", "CREATED",
		   "EXPIRES", "NAME");
	for (size_t i = 0; i < tokens.n; i++) {
		const struct token *token = &tokens.items[i];

		token_scopes_text(token->scopes, scope);
		buf_printf(&out, "%-10s%-20s%-16s", token->id, scope, token->tenant);
		put_day(&out, token->created_s, "");
		put_day(&out, token->expires_s, "never");
		buf_printf(&out, "%s%s\n", token->name,
			   token->expires_s && token->expires_s <= now_s ? " (expired)" : "");
	}
	r = command_print(&out);
	buf_done(&out);
	token_list_done(&tokens);
	return r;
}

static int revoke(const char *dir, int n, char **ids, struct err *err)
{
	int r = n ? 0
		  : err_set(err, ERR_USAGE,
			    "which one? pyrometer token revoke ID (see token list)");

	for (int i = 0; r == 0 && i < n; i++)
		r = token_revoke(dir, ids[i], err);
	return r;
}

static int act(const char *dir, const struct token_opts *given, int n, char **operands,
	       struct err *err)
{
	if (n == 1 && strcmp(operands[0], "create") == 0)
		return create(dir, given, err);
	if (n == 1 && strcmp(operands[0], "list") == 0)
		return list(dir, err);
	if (n && strcmp(operands[0], "revoke") == 0)
		return revoke(dir, n - 1, operands + 1, err);
	return err_set(err, ERR_USAGE,
		       "token create, list or revoke? (see pyrometer token --help)");
}

static int run(int argc, char **argv)
{
	struct token_opts given = {0};
	char dir[DATA_DIR_BYTES];
	struct err err;
	int first = command_parse(&command_token, argc, argv, &given), r;

	if (first <= 0)
		return first < 0 ? EXIT_CODE_USAGE : EXIT_CODE_OK;
	r = given.data ? 0 : data_dir_default(dir, &err);
	if (r == 0)
		r = act(given.data ? given.data : dir, &given, argc - first, argv + first, &err);
	return r < 0 ? command_fail(&err) : r;
}

const struct command command_token = {.options = &options, .run = run};
