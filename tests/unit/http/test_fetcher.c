/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/clock.h"
#include "http/fetcher.h"
#include "http_fixture.h"

#define MAX_BYTES ((size_t)1 << 20)

struct world {
	struct fixture fixture;
	struct http_fetcher *fetcher;
	char url[64];
};

/* What one fetch came to. */
struct outcome {
	size_t n_done;
	enum http_fetch_failure failure;
	int status;
	char body[64];
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	fixture_prepare(&world->fixture);
	fixture_start(&world->fixture);
	assert_int_equal(http_fetcher_new(MAX_BYTES, &world->fetcher, NULL), 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	http_fetcher_free(world->fetcher);
	fixture_stop(&world->fixture);
	free(world);
	return 0;
}

static void on_done(void *ctx, const struct http_fetched *fetched)
{
	struct outcome *outcome = ctx;

	outcome->n_done++;
	outcome->failure = fetched->failure;
	outcome->status = fetched->status;
	snprintf(outcome->body, sizeof(outcome->body), "%.*s", (int)min_of(fetched->len, 60ul),
		 (const char *)fetched->body);
	assert_true(fetched->failure == HTTP_FETCH_OK || *fetched->text);
}

static void start(struct world *world, unsigned int port, const char *path, size_t max_bytes,
		  struct outcome *outcome)
{
	struct http_fetch fetch = {.url = world->url,
				   .timeout_ns = NS_PER_S,
				   .max_bytes = max_bytes,
				   .done = on_done,
				   .ctx = outcome};

	*outcome = (struct outcome){0};
	snprintf(world->url, sizeof(world->url), "http://127.0.0.1:%u%s", port, path);
	assert_int_equal(http_fetcher_start(world->fetcher, &fetch, NULL), 0);
}

static void run_until_done(struct world *world, const struct outcome *outcomes, size_t n)
{
	int64_t deadline_ns = clock_monotonic_ns() + 20 * NS_PER_S;
	size_t done = 0;

	while (done < n && clock_monotonic_ns() < deadline_ns) {
		http_fetcher_run(world->fetcher, NS_PER_S / 10);
		done = 0;
		for (size_t i = 0; i < n; i++)
			done += outcomes[i].n_done;
	}
	assert_int_equal(done, n);
}

static void what_comes_and_what_does_not_is_told_apart(void **state)
{
	struct world *world = *state;
	struct outcome outcomes[5];

	start(world, world->fixture.port, "/hello", MAX_BYTES, &outcomes[0]);
	start(world, world->fixture.port, "/nothing", MAX_BYTES, &outcomes[1]);
	start(world, world->fixture.port, "/hang", MAX_BYTES, &outcomes[2]);
	start(world, world->fixture.port, "/hello", 3, &outcomes[3]);
	start(world, 1, "/hello", MAX_BYTES, &outcomes[4]);
	run_until_done(world, outcomes, array_len(outcomes));
	assert_int_equal(outcomes[0].failure, HTTP_FETCH_OK);
	assert_int_equal(outcomes[0].status, 200);
	assert_string_equal(outcomes[0].body, "hello");
	assert_int_equal(outcomes[1].failure, HTTP_FETCH_OK);
	assert_int_equal(outcomes[1].status, 404);
	assert_int_equal(outcomes[2].failure, HTTP_FETCH_TIMEOUT);
	assert_int_equal(outcomes[3].failure, HTTP_FETCH_TOO_LARGE);
	assert_int_equal(outcomes[4].failure, HTTP_FETCH_UNREACHABLE);
}

static void many_run_beside_each_other(void **state)
{
	struct world *world = *state;
	struct outcome outcomes[100];

	for (size_t i = 0; i < array_len(outcomes); i++)
		start(world, world->fixture.port, "/hello", MAX_BYTES, &outcomes[i]);
	run_until_done(world, outcomes, array_len(outcomes));
	for (size_t i = 0; i < array_len(outcomes); i++)
		assert_string_equal(outcomes[i].body, "hello");
}

/* What is still under way when a fetcher goes is given up, and nobody is told. */
static void free_gives_up_what_is_under_way(void **state)
{
	struct world *world = *state;
	struct outcome outcome;

	start(world, world->fixture.port, "/hang", MAX_BYTES, &outcome);
	http_fetcher_run(world->fetcher, NS_PER_S / 20);
	http_fetcher_free(world->fetcher);
	world->fetcher = NULL;
	assert_int_equal(outcome.n_done, 0);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		test(what_comes_and_what_does_not_is_told_apart),
		test(many_run_beside_each_other),
		test(free_gives_up_what_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
