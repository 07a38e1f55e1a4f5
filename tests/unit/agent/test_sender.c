/* SPDX-License-Identifier: Apache-2.0 */
/* The sender without a thread: a clock made of numbers and a server made of answers. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/push.h"
#include "agent/sender.h"
#include "base/clock.h"
#include "base/log.h"

struct server {
	int code;   /* negative: no answer */
	int status; /* of every answer */
	int64_t retry_after_ns;
	int tries;
	char got[64]; /* bodies that were taken, in order */
};

static int server_send(void *ctx, const struct agent_request *request,
		       struct agent_answer *ret_answer, struct err *err)
{
	struct server *server = ctx;

	server->tries++;
	if (server->code < 0)
		return err_set(err, server->code, "connection refused");
	*ret_answer = (struct agent_answer){
		.status = server->status,
		.retry_after_ns = server->retry_after_ns,
		.text = "because",
	};
	if (server->status == 200) {
		size_t len = strlen(server->got);

		assert_true(len + request->body_len < sizeof(server->got));
		memcpy(server->got + len, request->body, request->body_len);
	}
	return 0;
}

static struct sender *sender_to(struct server *server, struct spool *spool, size_t memory)
{
	struct sender_opts opts = {
		.transport = {.send = server_send, .ctx = server},
		.spool = spool,
		.memory_max_bytes = memory,
		.seed = 1,
	};

	log_set_level(LOG_ERROR_LEVEL);
	return sender_new(&opts);
}

static void put(struct sender *sender, const char *text)
{
	sender_put(sender, SENDER_PUSH, PUSH_PATH, text, strlen(text));
}

static struct agent_stats stats_of(struct sender *sender)
{
	struct agent_stats stats;

	sender_stats(sender, &stats);
	return stats;
}

static void sender_sends_in_order(void **state)
{
	struct server server = {.status = 200};
	struct sender *sender = sender_to(&server, NULL, 1000);

	(void)state;
	put(sender, "a");
	put(sender, "b");
	assert_int_equal(sender_step(sender, 10), 10);
	assert_int_equal(sender_step(sender, 10), 10);
	assert_true(sender_step(sender, 10) == SENDER_IDLE);
	assert_string_equal(server.got, "ab");
	assert_int_equal(stats_of(sender).pushed, 2);
	sender_free(sender);
}

static void sender_tries_again_with_growing_jittered_pauses(void **state)
{
	static const int later[] = {-ECONNREFUSED, 429, 502, 503, 504};

	(void)state;
	for (size_t i = 0; i < array_len(later); i++) {
		struct server server = {.code = min_of(later[i], 0), .status = later[i]};
		struct sender *sender = sender_to(&server, NULL, 1000);
		int64_t now_ns = NS_PER_S, pause_ns = SENDER_FIRST_PAUSE_NS;

		put(sender, "a");
		for (int tries = 1; tries < 12; tries++) {
			int64_t next_ns = sender_step(sender, now_ns);

			assert_int_equal(server.tries, tries);
			assert_in_range(next_ns - now_ns, pause_ns / 2, pause_ns);
			/* Not before it is time. */
			assert_int_equal(sender_step(sender, next_ns - 1), next_ns);
			assert_int_equal(server.tries, tries);
			now_ns = next_ns;
			pause_ns = min_of(pause_ns * 2, SENDER_MAX_PAUSE_NS);
		}
		assert_true(stats_of(sender).is_away);
		server.code = 0;
		server.status = 200;
		assert_int_equal(sender_step(sender, now_ns), now_ns);
		assert_string_equal(server.got, "a");
		assert_false(stats_of(sender).is_away);
		sender_free(sender);
	}
}

static void sender_waits_as_long_as_the_server_says(void **state)
{
	struct server server = {.status = 429, .retry_after_ns = 120 * NS_PER_S};
	struct sender *sender = sender_to(&server, NULL, 1000);

	(void)state;
	put(sender, "a");
	assert_int_equal(sender_step(sender, 0), 120 * NS_PER_S);
	sender_free(sender);
}

static void sender_drops_what_is_refused_for_good(void **state)
{
	static const int refused[] = {400, 401, 403, 404, 413, 415, 422, 301, 500, 501};

	(void)state;
	for (size_t i = 0; i < array_len(refused); i++) {
		struct server server = {.status = refused[i]};
		struct sender *sender = sender_to(&server, NULL, 1000);

		put(sender, "poison");
		put(sender, "b");
		assert_int_equal(sender_step(sender, 5), 5);
		assert_non_null(strstr(stats_of(sender).last_error, "because"));
		server.status = 200;
		assert_int_equal(sender_step(sender, 5), 5);
		assert_string_equal(server.got, "b");
		assert_int_equal(stats_of(sender).refused, 1);
		assert_int_equal(server.tries, 2);
		sender_free(sender);
	}
}

static void sender_drops_the_oldest_when_memory_is_full(void **state)
{
	struct server server = {.code = -ECONNREFUSED};
	struct sender *sender = sender_to(&server, NULL, 200);
	char text[2] = "a";

	(void)state;
	for (; text[0] < 'a' + 20; text[0]++)
		put(sender, text);
	assert_in_range(stats_of(sender).dropped, 1, 19);
	assert_int_equal(stats_of(sender).dropped + stats_of(sender).waiting, 20);
	server = (struct server){.status = 200};
	while (sender_step(sender, 0) != SENDER_IDLE)
		;
	assert_int_equal(server.got[strlen(server.got) - 1], 'a' + 19);
	sender_free(sender);
}

static void sender_keeps_on_disk_what_waits_and_its_order(void **state)
{
	struct server server = {.code = -ECONNREFUSED};
	char dir[] = "/tmp/sender-test-XXXXXX", command[80];
	struct spool *spool = NULL;
	struct sender *sender;
	int64_t now_ns;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(spool_open(dir, 1u << 20, &spool, NULL), 0);
	sender = sender_to(&server, spool, 1000);
	put(sender, "a");
	put(sender, "b");
	now_ns = sender_step(sender, 0);
	put(sender, "c");
	assert_int_equal(stats_of(sender).waiting, 3);
	/* The program ends without the server: nothing is lost. */
	assert_int_equal(sender_finish(sender, 0), 0);
	sender_free(sender);

	server = (struct server){.status = 200};
	assert_int_equal(spool_open(dir, 1u << 20, &spool, NULL), 0);
	sender = sender_to(&server, spool, 1000);
	put(sender, "d");
	while (sender_step(sender, now_ns) != SENDER_IDLE)
		;
	assert_string_equal(server.got, "abcd");
	sender_free(sender);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void sender_thread_flushes_at_the_end(void **state)
{
	struct server server = {.status = 200};
	struct sender *sender = sender_to(&server, NULL, 1000);

	(void)state;
	assert_int_equal(sender_start(sender, NULL), 0);
	for (int i = 0; i < 20; i++)
		put(sender, "x");
	assert_int_equal(sender_finish(sender, clock_monotonic_ns() + 60 * NS_PER_S), 0);
	assert_int_equal(strlen(server.got), 20);
	sender_free(sender);
}

static void sender_thread_gives_up_in_time_when_the_server_is_away(void **state)
{
	struct server server = {.code = -ECONNREFUSED};
	struct sender *sender = sender_to(&server, NULL, 1000);
	int64_t start_ns = clock_monotonic_ns();

	(void)state;
	assert_int_equal(sender_start(sender, NULL), 0);
	put(sender, "x");
	assert_int_equal(sender_finish(sender, start_ns + NS_PER_S / 2), 1);
	assert_true(clock_monotonic_ns() - start_ns >= NS_PER_S / 2);
	assert_int_equal(stats_of(sender).dropped, 1);
	sender_free(sender);
}

static void push_ids_are_uuids_that_tell_run_and_sequence_apart(void **state)
{
	char a[PUSH_ID_BYTES], b[PUSH_ID_BYTES], c[PUSH_ID_BYTES];

	(void)state;
	push_format_id(0x0123456789abcdefull, 1, a);
	push_format_id(0x0123456789abcdefull, 2, b);
	push_format_id(0x0123456789abcdf0ull, 1, c);
	assert_string_equal(a, "01234567-89ab-8def-8000-000000000001");
	assert_string_equal(b, "01234567-89ab-8def-8000-000000000002");
	assert_string_equal(c, "01234567-89ab-8df0-8000-000000000001");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sender_sends_in_order),
		cmocka_unit_test(sender_tries_again_with_growing_jittered_pauses),
		cmocka_unit_test(sender_waits_as_long_as_the_server_says),
		cmocka_unit_test(sender_drops_what_is_refused_for_good),
		cmocka_unit_test(sender_drops_the_oldest_when_memory_is_full),
		cmocka_unit_test(sender_keeps_on_disk_what_waits_and_its_order),
		cmocka_unit_test(sender_thread_flushes_at_the_end),
		cmocka_unit_test(sender_thread_gives_up_in_time_when_the_server_is_away),
		cmocka_unit_test(push_ids_are_uuids_that_tell_run_and_sequence_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
