/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses to listen on, and the host names requests may come for. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/opt.h"
#include "http/http_private.h"

#define LISTEN_BACKLOG 511
#define HOST_MAX_BYTES 255

/* "host:port" or "[v6]:port" into its parts. */
static int split(const char *listen, char host[HOST_MAX_BYTES + 1], const char **ret_port,
		 struct err *err)
{
	const char *colon = strrchr(listen, ':');
	size_t len = colon ? (size_t)(colon - listen) : 0;
	int64_t port;

	if (!colon || !len || len > HOST_MAX_BYTES ||
	    opt_parse_int(colon + 1, 0, 65535, &port, NULL) < 0)
		return err_set(err, ERR_USAGE,
			       "'%s' is not HOST:PORT (such as 127.0.0.1:4040 or [::]:4040)",
			       listen);
	if (listen[0] == '[' && listen[len - 1] == ']') {
		listen++;
		len -= 2;
	} else if (memchr(listen, ':', len)) {
		return err_set(err, ERR_USAGE, "'%s': write an IPv6 address as [ADDRESS]:PORT",
			       listen);
	}
	memcpy(host, listen, len);
	host[len] = '\0';
	*ret_port = colon + 1;
	return 0;
}

static int resolve(const char *listen, struct addrinfo **ret_list, struct err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	char host[HOST_MAX_BYTES + 1];
	const char *port = NULL;
	int r = split(listen, host, &port, err);

	if (r < 0)
		return r;
	r = getaddrinfo(host, port, &hints, ret_list);
	if (r)
		return err_set(err, ERR_USAGE, "'%s' is not an address of this machine: %s", host,
			       gai_strerror(r));
	return 0;
}

void peer_of(int fd, char out[HTTP_PEER_BYTES])
{
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof(addr);
	const void *bytes = &((struct sockaddr_in *)&addr)->sin_addr;

	out[0] = '\0';
	if (getpeername(fd, (struct sockaddr *)&addr, &len) < 0)
		return;
	if (addr.ss_family == AF_INET6)
		bytes = &((struct sockaddr_in6 *)&addr)->sin6_addr;
	else if (addr.ss_family != AF_INET)
		return;
	if (!inet_ntop(addr.ss_family, bytes, out, HTTP_PEER_BYTES))
		out[0] = '\0';
}

static bool addr_is_loopback(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)addr;

		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	}
	return addr->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

int http_listen_is_loopback(const char *listen, bool *ret_is_loopback, struct err *err)
{
	struct addrinfo *list;
	bool all = true;
	int r = resolve(listen, &list, err);

	if (r < 0)
		return r;
	for (struct addrinfo *at = list; at; at = at->ai_next)
		all &= addr_is_loopback(at->ai_addr);
	freeaddrinfo(list);
	*ret_is_loopback = all;
	return 0;
}

static int bind_error(int code, const char *listen, struct err *err)
{
	switch (code) {
	case EADDRINUSE:
		return err_set(
			err, -code,
			"cannot listen on %s: the port is in use by another program; end that or "
			"choose another port",
			listen);
	case EACCES:
		return err_set(
			err, -code,
			"cannot listen on %s: ports below 1024 need CAP_NET_BIND_SERVICE; choose "
			"another port",
			listen);
	default:
		return err_sys(err, -code, "cannot listen on %s", listen);
	}
}

static int open_one(struct http_server *server, const struct addrinfo *at, const char *listen_text,
		    struct err *err)
{
	cleanup_fd int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(server->listen_addr[0]);
	int on = 1;

	if (fd < 0)
		return err_sys(err, -errno, "cannot open a socket for %s", listen_text);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return bind_error(errno, listen_text, err);
	getsockname(fd, (struct sockaddr *)&server->listen_addr[server->n_listen], &len);
	server->checks_host &= addr_is_loopback(at->ai_addr);
	server->listen_fd[server->n_listen++] = take_fd(&fd);
	return 0;
}

int listen_open(struct http_server *server, const char *listen, struct err *err)
{
	struct addrinfo *list;
	int r = resolve(listen, &list, err);

	if (r < 0)
		return r;
	for (struct addrinfo *at = list; at && r == 0; at = at->ai_next) {
		if (server->n_listen == HTTP_MAX_LISTEN)
			r = err_set(err, ERR_LIMIT, "more than %d addresses to listen on",
				    HTTP_MAX_LISTEN);
		else
			r = open_one(server, at, listen, err);
		/* A name with an IPv4 and an IPv6 address, on a machine that has only one of them.
		 */
		if (r == -EADDRNOTAVAIL && at->ai_next)
			r = 0;
		/* With port 0 a second address would get another port. */
		if (r == 0 && server->n_listen && strrchr(listen, ':')[1] == '0')
			break;
	}
	freeaddrinfo(list);
	return r;
}

/* The name without its port; the length. */
static size_t host_name(const char *host, const char **ret_name)
{
	const char *end;

	if (host[0] == '[') {
		end = strchr(host, ']');
		*ret_name = host + 1;
		return end ? (size_t)(end - host - 1) : 0;
	}
	*ret_name = host;
	return strcspn(host, ":");
}

bool host_is_well_formed(const char *host)
{
	const char *name, *port;
	size_t len = host_name(host, &name);
	int64_t value;

	if (!len || len > HOST_MAX_BYTES)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-._", name[i]) &&
		    !(host[0] == '[' && strchr(":%", name[i])))
			return false;
	port = name + len + (host[0] == '[');
	if (!*port)
		return true;
	return *port == ':' && opt_parse_int(port + 1, 0, 65535, &value, NULL) == 0;
}

/*
 * Addresses and localhost are always allowed: a foreign page can only make a browser come here
 * through a name that its owner controls.
 */
static bool is_address(const char *name, size_t len)
{
	char text[INET6_ADDRSTRLEN + 1];
	struct in6_addr any;

	if ((len == 9 && strncasecmp(name, "localhost", 9) == 0) ||
	    (len == 10 && strncasecmp(name, "localhost.", 10) == 0))
		return true;
	if (len >= sizeof(text))
		return false;
	memcpy(text, name, len);
	text[len] = '\0';
	return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

bool host_is_allowed(const struct http_server *server, const char *host)
{
	const struct http_config *config = server->config;
	const char *name;
	size_t len = host_name(host, &name);

	if (!server->checks_host || is_address(name, len))
		return true;
	for (size_t i = 0; i < config->n_hosts; i++)
		if (strlen(config->hosts[i]) == len &&
		    strncasecmp(config->hosts[i], name, len) == 0)
			return true;
	return false;
}
