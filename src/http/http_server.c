/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http_server.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/http_private.h"
#include "http/tls_private.h"

#define POLL_NS (5 * NS_PER_MS)
/* After abandoning: time for the last answers to leave. */
#define LAST_WORDS_NS (500 * NS_PER_MS)

const struct http_limits http_limits_default = {
	.max_connections = 512,
	.max_header_bytes = 16u << 10,
	.max_uri_bytes = 8u << 10,
	.max_body_bytes = 16u << 20,
	.max_inflated_bytes = 64u << 20,
	.max_in_flight_bytes = 256u << 20,
	.max_streams = 100,
	.max_queue = 256,
	.min_rate_bytes = 1024,
	.header_ns = 10 * NS_PER_S,
	.request_ns = 60 * NS_PER_S,
	.idle_ns = 75 * NS_PER_S,
	.stop_ns = 5 * NS_PER_S,
};

static int start_lanes(struct http_server *server, struct err *err)
{
	static const struct {
		const char *name;
		unsigned int workers;
	} lanes[HTTP_LANE_COUNT] = {
		[HTTP_LANE_QUICK] = {"http-quick", 1},
		[HTTP_LANE_INGEST] = {"http-ingest", 2},
		[HTTP_LANE_QUERY] = {"http-query", 2},
	};

	for (int i = 0; i < HTTP_LANE_COUNT; i++) {
		unsigned int workers = server->config->workers[i];
		int r = lane_start(&server->lanes[i], lanes[i].name,
				   workers ? workers : lanes[i].workers, server->limits.max_queue,
				   err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int open_listeners(struct http_server *server, struct err *err)
{
	const struct http_config *config = server->config;

	server->checks_host = true;
	for (size_t i = 0; i < config->n_listen; i++) {
		int r = listen_open(server, config->listen[i], err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < min_of(config->n_if_free, HTTP_MAX_IF_FREE); i++)
		if (listen_open(server, config->listen_if_free[i], &server->left_out[i]) == 0)
			server->left_out[i].code = 0;
	server->checks_host |= config->n_hosts > 0;
	return 0;
}

/* All but the acceptor, which lets requests in. */
static int start_parts(struct http_server *server, struct err *err)
{
	int r = open_listeners(server, err);

	if (r == 0)
		r = start_lanes(server, err);
	if (r == 0 && server->config->tls_cert)
		r = tls_relay_start(server, server->config->tls_cert, server->config->tls_key,
				    &server->relay, err);
	if (r == 0)
		r = front_h2_start(server, &server->h2, err);
	if (r == 0)
		r = front_h1_start(server, &server->h1, err);
	return r;
}

static void stop_parts(struct http_server *server)
{
	/* The h1 front's last connections may still hand sockets to the acceptor. */
	front_h1_stop(server->h1);
	tls_relay_free(server->relay); /* which gives sockets to the acceptor, too */
	server->relay = NULL;
	if (!server->acceptor)
		for (size_t i = 0; i < server->n_listen; i++)
			close(server->listen_fd[i]);
	acceptor_free(server->acceptor);
	for (int i = 0; i < HTTP_LANE_COUNT; i++)
		lane_stop(&server->lanes[i]);
	front_h1_free(server->h1);
	front_h2_free(server->h2);
	server->acceptor = NULL;
	server->h1 = NULL;
	server->h2 = NULL;
}

int http_server_start(const struct http_config *config, struct http_server **ret_server,
		      struct err *err)
{
	struct http_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		abort();
	server->config = config;
	server->limits = config->limits;
	r = start_parts(server, err);
	if (r == 0) {
		/* Handlers may ask the server for its numbers as soon as the acceptor runs. */
		*ret_server = server;
		r = acceptor_start(server, &server->acceptor, err);
	}
	if (r < 0) {
		*ret_server = NULL;
		stop_parts(server);
		free(server);
	}
	return r;
}

static void wait_until_idle(struct http_server *server, int64_t deadline_ns)
{
	struct timespec pause = clock_timespec(POLL_NS);

	while ((atomic_load(&server->active) || atomic_load(&server->waking)) &&
	       clock_monotonic_ns() < deadline_ns)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

void http_server_stop(struct http_server *server)
{
	int64_t now_ns = clock_monotonic_ns();

	if (!server->acceptor)
		return;
	atomic_store(&server->is_stopping, true);
	acceptor_stop_listening(server->acceptor);
	front_h2_stop(server->h2);
	wait_until_idle(server, now_ns + server->limits.stop_ns);
	atomic_store(&server->is_abandoning, true);
	front_h1_abandon(server->h1);
	front_h2_abandon(server->h2);
	wait_until_idle(server, clock_monotonic_ns() + LAST_WORDS_NS);
	stop_parts(server);
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	http_server_stop(server);
	free(server);
}

const char *http_server_left_out(const struct http_server *server, size_t i)
{
	return server->left_out[i].code < 0 ? server->left_out[i].text : NULL;
}

uint16_t http_server_port(const struct http_server *server, size_t i)
{
	const struct sockaddr_storage *addr = &server->listen_addr[i];

	if (i >= server->n_listen)
		return 0;
	return ntohs(addr->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)addr)->sin6_port
						 : ((const struct sockaddr_in *)addr)->sin_port);
}

void http_server_stats(const struct http_server *server, struct http_stats *ret_stats)
{
	*ret_stats = (struct http_stats){
		.connections = atomic_load(&server->connections),
		.connections_total = atomic_load(&server->connections_total),
		.in_flight = atomic_load(&server->in_flight),
		.in_flight_bytes = atomic_load(&server->in_flight_bytes),
		.cancelled = atomic_load(&server->cancelled),
	};
	for (size_t i = 0; i < array_len(ret_stats->requests); i++)
		ret_stats->requests[i] = atomic_load(&server->requests[i]);
	for (int i = 0; i < HTTP_REFUSAL_COUNT; i++)
		ret_stats->refused[i] = atomic_load(&server->refused[i]);
}

int http_server_reload_tls(struct http_server *server, struct err *err)
{
	return server->relay ? tls_relay_reload(server->relay, err) : 0;
}
