/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server with its clock turned: what it does at midnight need not wait for one.
 *
 *	server_host DIR SECONDS		SECONDS: what its clock is ahead by
 *
 * Prints the URL that it listens on, as `pyrometer serve` does, and ends by SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "server/server.h"

static int64_t turned_now_ns(void *ctx)
{
	return clock_real_ns() + *(const int64_t *)ctx;
}

int main(int argc, char **argv)
{
	static const char *const listen[] = {"127.0.0.1:0"};
	int64_t ahead_ns = argc == 3 ? strtoll(argv[2], NULL, 10) * NS_PER_S : 0;
	const struct store_clock clock = {turned_now_ns, &ahead_ns};
	struct server_config config;
	struct server *server;
	struct err err;
	sigset_t signals;
	int number;

	if (argc != 3) {
		fprintf(stderr, "usage: %s DIR SECONDS\n", argv[0]);
		return 2;
	}
	(void)mkdir(argv[1], 0700); /* server_start() says what is wrong with it */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	server_config_init(&config, argv[1]);
	config.listen = listen;
	config.n_listen = 1;
	config.store.clock = &clock;
	if (server_start(&config, &server, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	printf("serving http://127.0.0.1:%u\n", server_port(server, 0));
	fflush(stdout);
	sigwait(&signals, &number);
	server_stop(server);
	return 0;
}
