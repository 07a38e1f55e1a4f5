/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines as the values of Authorization, Cookie, X-Scope-OrgID and Origin: nobody is let in who does not show the one
 * token there is, and who is asks as tenants whose names are good.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/sha256.h"
#include "server/access.h"
#include "server/token.h"

#define TEXT "pyro_00c0ffee_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static struct access *access_of_process;
static char dir[] = "/tmp/fuzz_access.XXXXXX";

static void clean(void)
{
	char path[64];

	access_free(access_of_process);
	snprintf(path, sizeof(path), "%s/" TOKEN_FILE, dir);
	unlink(path);
	rmdir(dir);
}

/* A directory with one token for every tenant, whose text is known. */
static struct access *guarded(void)
{
	struct access_config config = {
		.dir = dir, .base = "", .has_tenants = true, .max_failures = SIZE_MAX};
	uint8_t hash[SHA256_BYTES];
	char path[64];
	FILE *file;

	if (access_of_process)
		return access_of_process;
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/" TOKEN_FILE, dir);
	umask(077);
	file = fopen(path, "we");
	if (!file)
		abort();
	sha256(TEXT, TOKEN_TEXT_LEN, hash);
	fprintf(file, "00c0ffee query * ");
	for (size_t i = 0; i < sizeof(hash); i++)
		fprintf(file, "%02x", hash[i]);
	fprintf(file, " 1 0 fuzz\n");
	fclose(file);
	if (access_new(&config, &access_of_process, NULL) < 0)
		abort();
	atexit(clean);
	return access_of_process;
}

static void check_tenants(const char *tenants)
{
	while (tenants) {
		size_t len = strcspn(tenants, "|");

		if (!tenant_is_valid(tenants, len) || (len == 1 && *tenants == '*'))
			abort();
		tenants = tenants[len] ? tenants + len + 1 : NULL;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"authorization", "cookie", "x-scope-orgid", "origin"};
	static const struct http_route route = {.path = "/", .access = SCOPE_QUERY};
	struct http_pair headers[array_len(names)];
	struct http_exchange exchange = {.request = {.headers = headers, .path = "/"},
					 .peer = "192.0.2.1"};
	bool is_in;

	arena_init(&exchange.arena);
	buf_init(&exchange.response.body, 4096);
	for (size_t i = 0, at = 0; i < array_len(names) && at < size; i++) {
		size_t len = 0;

		while (at + len < size && data[at + len] != '\n')
			len++;
		headers[exchange.request.n_headers++] = (struct http_pair){
			names[i], arena_strndup(&exchange.arena, (const char *)data + at, len)};
		at += len + 1;
	}
	is_in = access_admit(guarded(), &exchange, &route);
	if (is_in && (!exchange.request.n_headers || (!strstr(headers[0].value, TEXT) &&
						      strncasecmp(headers[0].value, "basic ", 6))))
		abort();
	if (is_in)
		check_tenants(((const struct caller *)exchange.caller)->tenant);
	else if (exchange.response.status < 400)
		abort();
	buf_done(&exchange.response.body);
	arena_done(&exchange.arena);
	return 0;
}
