/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends the requests of a file (server_bodies.c) to a server, and says how long it took to answer.
 *
 *	server_load HOST PORT FILE CONNECTIONS RATE [ROUNDS]
 *
 * RATE 0: each connection sends its next request when the last was answered.  Else an open loop: request
 * i is due i / RATE seconds after the start whatever became of those before, and its time counts from
 * when it was due, so that a server that stalls is not spared.  Prints lines "name value".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"

#define ANSWER_MAX_BYTES 65536

struct request {
	const char *data;
	uint32_t len;
};

struct load {
	struct sockaddr_in address;
	struct request *requests;
	size_t n, n_all; /* n requests, sent over and over */
	double rate;
	int64_t began_ns;
	int64_t *took_ns;
	atomic_size_t next;
	atomic_size_t refused, failed;
};

static int dial(const struct load *load)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&load->address, sizeof(load->address)) < 0) {
		perror("server_load: connect");
		exit(1);
	}
	return fd;
}

static bool send_all(int fd, const struct request *request)
{
	for (size_t at = 0; at < request->len;) {
		ssize_t n = send(fd, request->data + at, request->len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

/* Status of the next answer, read to its end by its Content-Length; 0 when the connection broke. */
static int read_answer(int fd, char *room)
{
	size_t have = 0;

	for (;;) {
		ssize_t n = recv(fd, room + have, ANSWER_MAX_BYTES - 1 - have, 0);
		const char *end, *length;

		if (n <= 0)
			return 0;
		have += (size_t)n;
		room[have] = 0;
		end = strstr(room, "\r\n\r\n");
		length = strcasestr(room, "\r\ncontent-length:");
		if (end && (!length || length > end))
			return 0;
		if (end && have >= (size_t)(end + 4 - room) + strtoul(length + 17, NULL, 10))
			return (int)strtol(room + 9, NULL, 10);
		if (have == ANSWER_MAX_BYTES - 1)
			return 0;
	}
}

static int64_t wait_until_due(const struct load *load, size_t at)
{
	int64_t due = load->began_ns + (int64_t)((double)at * 1e9 / load->rate);
	struct timespec until = clock_timespec(due);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
	return due;
}

static void *send_some(void *ctx)
{
	struct load *load = ctx;
	cleanup_free char *room = xcalloc(1, ANSWER_MAX_BYTES);
	int fd = dial(load), status;
	size_t at;

	while ((at = atomic_fetch_add(&load->next, 1)) < load->n_all) {
		int64_t from = load->rate > 0 ? wait_until_due(load, at) : clock_monotonic_ns();

		status = send_all(fd, &load->requests[at % load->n]) ? read_answer(fd, room) : 0;
		load->took_ns[at] = clock_monotonic_ns() - from;
		if (status / 100 == 2)
			continue;
		if (status && !atomic_fetch_add(&load->refused, 1))
			fprintf(stderr, "%.300s\n", room);
		if (!status) {
			atomic_fetch_add(&load->failed, 1);
			close(fd);
			fd = dial(load);
		}
	}
	close(fd);
	return NULL;
}

static void read_requests(struct load *load, const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t cap = 0;
	struct stat info;
	const char *data, *at;

	if (fd < 0 || fstat(fd, &info) < 0 || !info.st_size) {
		fprintf(stderr, "server_load: cannot read %s\n", path);
		exit(1);
	}
	data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		abort();
	for (at = data; at < data + info.st_size;) {
		struct request request = {.data = at + 4};

		memcpy(&request.len, at, 4);
		load->requests = vec_grow(load->requests, &cap, load->n + 1, sizeof(request));
		load->requests[load->n++] = request;
		at += 4 + request.len;
	}
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void print(struct load *load)
{
	double seconds = (double)(clock_monotonic_ns() - load->began_ns) / 1e9;
	static const double shares[] = {0.5, 0.9, 0.99, 0.999, 1};

	qsort(load->took_ns, load->n_all, sizeof(int64_t), by_time);
	printf("requests %zu\nrefused %zu\nfailed %zu\nper_s %.0f\n", load->n_all,
	       atomic_load(&load->refused), atomic_load(&load->failed),
	       (double)load->n_all / seconds);
	for (size_t i = 0; i < array_len(shares); i++)
		printf("p%g_ms %.2f\n", shares[i] * 100,
		       (double)load->took_ns[(size_t)((double)(load->n_all - 1) * shares[i])] /
			       1e6);
}

int main(int argc, char **argv)
{
	struct load load = {.address.sin_family = AF_INET};
	pthread_t threads[512];
	size_t n_threads;

	if (argc < 6 || inet_pton(AF_INET, argv[1], &load.address.sin_addr) != 1) {
		fprintf(stderr, "usage: %s HOST PORT FILE CONNECTIONS RATE [ROUNDS]\n", argv[0]);
		return 2;
	}
	load.address.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	read_requests(&load, argv[3]);
	n_threads = min_of(strtoul(argv[4], NULL, 10), array_len(threads));
	load.rate = strtod(argv[5], NULL);
	load.n_all = load.n * (argc > 6 ? strtoul(argv[6], NULL, 10) : 1);
	load.took_ns = xcalloc(load.n_all, sizeof(int64_t));
	load.began_ns = clock_monotonic_ns();
	for (size_t i = 0; i < n_threads; i++)
		if (pthread_create(&threads[i], NULL, send_some, &load) != 0)
			abort();
	for (size_t i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	print(&load);
	free(load.took_ns);
	free(load.requests);
	return atomic_load(&load.failed) ? 1 : 0;
}
