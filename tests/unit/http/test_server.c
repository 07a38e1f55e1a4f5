/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "http_fixture.h"

#define HOST "Host: 127.0.0.1\r\n"
#define ANSWER_MAX ((size_t)32 << 20)

struct world {
	struct fixture fixture;
	struct buf answer;
};

static int world_set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	fixture_prepare(&world->fixture);
	fixture_start(&world->fixture);
	buf_init(&world->answer, ANSWER_MAX);
	*state = world;
	return 0;
}

static int world_tear_down(void **state)
{
	struct world *world = *state;

	fixture_stop(&world->fixture);
	buf_done(&world->answer);
	free(world);
	return 0;
}

static bool answer_has(const struct world *world, const char *text)
{
	return world->answer.data && strstr(world->answer.data, text);
}

static void get_is_answered_with_security_headers(void **state)
{
	struct world *world = *state;

	assert_int_equal(
		client_ask(&world->fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n", &world->answer),
		200);
	assert_true(answer_has(world, "\r\n\r\nhello"));
	assert_true(answer_has(world, "Content-Security-Policy: default-src 'none'; script-src"));
	assert_true(answer_has(world, "X-Content-Type-Options: nosniff"));
	assert_true(answer_has(world, "Cache-Control: no-store"));
	assert_true(answer_has(world, "Server-Timing: app;dur="));
}

static void head_is_get_without_a_body(void **state)
{
	struct world *world = *state;
	int fd = client_connect(&world->fixture);

	client_sends(fd, "HEAD /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	client_read_all(fd, &world->answer, 5000);
	close(fd);
	assert_true(answer_has(world, "HTTP/1.1 200"));
	assert_true(answer_has(world, "Content-Length: 5\r\n"));
	assert_false(answer_has(world, "hello"));
}

static void one_connection_serves_many_requests_in_order(void **state)
{
	struct world *world = *state;
	int fd = client_connect(&world->fixture);
	size_t n = 0;

	for (int i = 0; i < 50; i++)
		client_sends(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n"
				 "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc");
	client_sends(fd, "GET /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	client_read_all(fd, &world->answer, 5000);
	close(fd);
	for (const char *at = world->answer.data; at && (at = strstr(at, "HTTP/1.1 200")); at++)
		n++;
	assert_int_equal(n, 101);
}

static void body_arrives_whole_with_length_and_in_chunks(void **state)
{
	struct world *world = *state;
	size_t len = (size_t)3 << 20;
	char *body = malloc(len);
	char head[128];
	int fd = client_connect(&world->fixture);

	for (size_t i = 0; i < len; i++)
		body[i] = (char)('a' + i % 23);
	snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
		 len);
	client_sends(fd, head);
	client_send(fd, body, len);
	assert_int_equal(client_read_answer(fd, &world->answer), 200);
	assert_memory_equal(world->answer.data + world->answer.len - len, body, len);
	buf_reset(&world->answer);
	client_sends(fd, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t i = 0; i < len; i += 65536) {
		snprintf(head, sizeof(head), "%x\r\n", 65536);
		client_sends(fd, head);
		client_send(fd, body + i, 65536);
		client_sends(fd, "\r\n");
	}
	client_sends(fd, "0\r\n\r\n");
	assert_int_equal(client_read_answer(fd, &world->answer), 200);
	assert_memory_equal(world->answer.data + world->answer.len - len, body, len);
	close(fd);
	free(body);
}

static void handler_may_finish_later_from_another_thread(void **state)
{
	struct world *world = *state;
	int fd[16];

	for (size_t i = 0; i < array_len(fd); i++) {
		fd[i] = client_connect(&world->fixture);
		client_sends(fd[i], "GET /later HTTP/1.1\r\n" HOST "\r\n");
	}
	for (size_t i = 0; i < array_len(fd); i++) {
		buf_reset(&world->answer);
		assert_int_equal(client_read_answer(fd[i], &world->answer), 200);
		assert_true(answer_has(world, "\r\n\r\nlater"));
		close(fd[i]);
	}
}

static void trailers_follow_a_chunked_body(void **state)
{
	struct world *world = *state;

	assert_int_equal(client_ask(&world->fixture,
				    "POST /grpc HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nping",
				    &world->answer),
			 200);
	assert_true(answer_has(world, "Trailer: Grpc-Status"));
	assert_true(answer_has(world, "ping"));
	assert_true(answer_has(world, "\r\n0\r\nGrpc-Status: 0\r\n\r\n"));
}

static void large_answer_is_gzipped_for_who_accepts_it(void **state)
{
	struct world *world = *state;

	assert_int_equal(
		client_ask(&world->fixture, "GET /big HTTP/1.1\r\n" HOST "\r\n", &world->answer),
		200);
	assert_true(world->answer.len > FIXTURE_BIG_BYTES);
	assert_true(answer_has(world, "Vary: Accept-Encoding"));
	buf_reset(&world->answer);
	assert_int_equal(client_ask(&world->fixture,
				    "GET /big HTTP/1.1\r\n" HOST
				    "Accept-Encoding: br, gzip\r\n\r\n",
				    &world->answer),
			 200);
	assert_true(world->answer.len < FIXTURE_BIG_BYTES / 10);
	assert_true(answer_has(world, "Content-Encoding: gzip"));
	buf_reset(&world->answer);
	assert_int_equal(client_ask(&world->fixture,
				    "GET /big HTTP/1.1\r\n" HOST
				    "Accept-Encoding: gzip;q=0\r\n\r\n",
				    &world->answer),
			 200);
	assert_true(world->answer.len > FIXTURE_BIG_BYTES);
}

static void headers_and_target_at_both_their_limits_are_taken(void **state)
{
	struct world *world = *state;
	cleanup(buf_done) struct buf request;
	char filler[8000];

	buf_init(&request, 1 << 16);
	memset(filler, 'a', sizeof(filler));
	buf_printf(&request, "GET /hello?x=%.8000s HTTP/1.1\r\n" HOST, filler);
	for (int i = 0; i < 98; i++)
		buf_printf(&request, "x-h%03d: %.150s\r\n", i, filler);
	buf_puts(&request, "\r\n");
	for (int again = 0; again < 2; again++)
		assert_int_equal(client_ask(&world->fixture, request.data, &world->answer), 200);
}

static void wait_for_cancelled(const struct fixture *fixture, uint64_t n)
{
	struct http_stats stats;

	for (int i = 0; i < 1000; i++) {
		struct timespec pause = clock_timespec(10 * NS_PER_MS);

		http_server_stats(fixture->server, &stats);
		if (stats.cancelled == n && stats.in_flight == 0)
			return;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	fail_msg("%zu cancelled, %zu in flight", (size_t)stats.cancelled, (size_t)stats.in_flight);
}

static void wait_for_in_flight(const struct fixture *fixture, uint64_t n)
{
	struct http_stats stats;

	for (int i = 0; i < 1000; i++) {
		struct timespec pause = clock_timespec(10 * NS_PER_MS);

		http_server_stats(fixture->server, &stats);
		if (stats.in_flight == n)
			return;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	fail_msg("%zu in flight", (size_t)stats.in_flight);
}

static void client_that_leaves_cancels_its_request(void **state)
{
	struct world *world = *state;
	int fd = client_connect(&world->fixture);

	client_sends(fd, "GET /hang HTTP/1.1\r\n" HOST "\r\n");
	wait_for_in_flight(&world->fixture, 1);
	close(fd);
	wait_for_cancelled(&world->fixture, 1);
}

static void client_that_leaves_its_upload_cancels_it(void **state)
{
	struct world *world = *state;
	int fd = client_connect(&world->fixture);

	client_sends(fd, "POST /hang-upload HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
	wait_for_in_flight(&world->fixture, 1);
	close(fd);
	wait_for_cancelled(&world->fixture, 1);
}

static void slow_lane_does_not_hold_up_another(void **state)
{
	struct world *world = *state;
	int fd[8];

	for (size_t i = 0; i < array_len(fd); i++) {
		fd[i] = client_connect(&world->fixture);
		client_sends(fd[i], "GET /hang HTTP/1.1\r\n" HOST "\r\n");
	}
	wait_for_in_flight(&world->fixture, 8);
	assert_int_equal(
		client_ask(&world->fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n", &world->answer),
		200);
	for (size_t i = 0; i < array_len(fd); i++)
		close(fd[i]);
	wait_for_cancelled(&world->fixture, 8);
}

static void full_lane_says_503_and_when_to_come_back(void **state)
{
	struct fixture fixture;
	struct buf answer;
	int fd[3];

	(void)state;
	fixture_prepare(&fixture);
	fixture.config.limits.max_queue = 1;
	fixture.config.workers[HTTP_LANE_QUERY] = 1;
	fixture_start(&fixture);
	buf_init(&answer, ANSWER_MAX);
	for (uint64_t i = 0; i < 2; i++) {
		fd[i] = client_connect(&fixture);
		client_sends(fd[i], "GET /hang HTTP/1.1\r\n" HOST "\r\n");
		wait_for_in_flight(&fixture, i + 1);
		/* The worker takes the first out of the queue. */
		usleep(50000);
	}
	assert_int_equal(client_ask(&fixture, "GET /hang HTTP/1.1\r\n" HOST "\r\n", &answer), 503);
	assert_non_null(strstr(answer.data, "Retry-After: 1"));
	assert_non_null(strstr(answer.data, "\"error\":\"busy\""));
	close(fd[0]);
	close(fd[1]);
	fixture_stop(&fixture);
	buf_done(&answer);
}

static void stop_finishes_what_is_under_way_and_tells_the_rest(void **state)
{
	struct fixture fixture;
	struct buf answer;
	int hanging, waiting;
	int64_t start_ns;

	(void)state;
	fixture_prepare(&fixture);
	fixture.config.limits.stop_ns = 300 * NS_PER_MS;
	fixture_start(&fixture);
	buf_init(&answer, ANSWER_MAX);
	waiting = client_connect(&fixture);
	hanging = client_connect(&fixture);
	client_sends(waiting, "GET /later HTTP/1.1\r\n" HOST "\r\n");
	client_sends(hanging, "GET /hang HTTP/1.1\r\n" HOST "\r\n");
	wait_for_in_flight(&fixture, 2);
	start_ns = clock_monotonic_ns();
	fixture_stop(&fixture);
	assert_in_range(clock_monotonic_ns() - start_ns, 250 * NS_PER_MS, 5 * NS_PER_S);
	assert_int_equal(client_read_answer(waiting, &answer), 200);
	buf_reset(&answer);
	assert_int_equal(client_read_answer(hanging, &answer), 503);
	close(waiting);
	close(hanging);
	buf_done(&answer);
}

static void connections_past_the_limit_are_told_so(void **state)
{
	struct fixture fixture;
	struct buf answer;
	int fd[4];

	(void)state;
	fixture_prepare(&fixture);
	fixture.config.limits.max_connections = 4;
	fixture_start(&fixture);
	buf_init(&answer, ANSWER_MAX);
	for (size_t i = 0; i < array_len(fd); i++) {
		fd[i] = client_connect(&fixture);
		client_sends(fd[i], "GET /hello HTTP/1.1\r\n" HOST "\r\n");
		assert_int_equal(client_read_answer(fd[i], &answer), 200);
		buf_reset(&answer);
	}
	assert_int_equal(client_ask(&fixture, "", &answer), 503);
	assert_non_null(strstr(answer.data, "too_many_connections"));
	for (size_t i = 0; i < array_len(fd); i++)
		close(fd[i]);
	usleep(100000);
	buf_reset(&answer);
	assert_int_equal(client_ask(&fixture, "GET /hello HTTP/1.1\r\n" HOST "\r\n", &answer), 200);
	fixture_stop(&fixture);
	buf_done(&answer);
}

/* A port that is taken is no reason not to serve, if it was only wished for. */
static void wished_for_address_that_is_taken_is_left_out(void **state)
{
	struct fixture first, second;
	char taken[32];
	const char *wishes[] = {taken, "127.0.0.1:0"};

	(void)state;
	fixture_prepare(&first);
	fixture_start(&first);
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", first.port);
	fixture_prepare(&second);
	second.config.listen_if_free = wishes;
	second.config.n_if_free = array_len(wishes);
	fixture_start(&second);
	assert_non_null(strstr(http_server_left_out(second.server, 0), "is in use"));
	assert_null(http_server_left_out(second.server, 1));
	assert_int_not_equal(http_server_port(second.server, 1), 0);
	fixture_stop(&second);
	fixture_stop(&first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define in_world(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)
		in_world(get_is_answered_with_security_headers),
		in_world(head_is_get_without_a_body),
		in_world(one_connection_serves_many_requests_in_order),
		in_world(body_arrives_whole_with_length_and_in_chunks),
		in_world(handler_may_finish_later_from_another_thread),
		in_world(trailers_follow_a_chunked_body),
		in_world(large_answer_is_gzipped_for_who_accepts_it),
		in_world(headers_and_target_at_both_their_limits_are_taken),
		in_world(client_that_leaves_cancels_its_request),
		in_world(client_that_leaves_its_upload_cancels_it),
		in_world(slow_lane_does_not_hold_up_another),
		cmocka_unit_test(full_lane_says_503_and_when_to_come_back),
		cmocka_unit_test(stop_finishes_what_is_under_way_and_tells_the_rest),
		cmocka_unit_test(connections_past_the_limit_are_told_so),
		cmocka_unit_test(wished_for_address_that_is_taken_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
