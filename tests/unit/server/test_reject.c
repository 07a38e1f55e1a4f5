/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "server/reject.h"

struct fixture {
	struct rejects *rejects;
	struct arena arena;
	int64_t now_ns;
};

static int begin(void **state)
{
	static struct fixture f;

	f = (struct fixture){.rejects = rejects_new()};
	arena_init(&f.arena);
	*state = &f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	rejects_free(f->rejects);
	arena_done(&f->arena);
	return 0;
}

static void note(struct fixture *f, const char *tenant, const char *service, const char *reason,
		 const char *text)
{
	rejects_note(f->rejects, &(struct reject){.tenant = tenant,
						  .service = service,
						  .reason = reason,
						  .text = text,
						  .count = 1,
						  .last_ns = ++f->now_ns});
}

static void the_same_is_counted_and_its_last_text_kept(void **state)
{
	struct fixture *f = *state;
	struct reject *list;

	note(f, "t", "shop", "samples_limit", "first");
	note(f, "t", "cart", "samples_limit", "other");
	note(f, "t", "shop", "samples_limit", "last");
	assert_int_equal(rejects_list(f->rejects, "t", &f->arena, &list), 2);
	assert_string_equal(list[0].service, "shop"); /* the latest first */
	assert_string_equal(list[0].text, "last");
	assert_int_equal(list[0].count, 2);
	assert_int_equal(list[0].last_ns, 3);
	assert_string_equal(list[1].service, "cart");
}

static void tenants_see_their_own(void **state)
{
	struct fixture *f = *state;
	struct reject *list;

	note(f, "one", "shop", "malformed", "x");
	note(f, "two", "shop", "malformed", "x");
	assert_int_equal(rejects_list(f->rejects, "one", &f->arena, &list), 1);
	assert_string_equal(list[0].tenant, "one");
	assert_int_equal(rejects_list(f->rejects, "on", &f->arena, &list), 0);
	assert_int_equal(rejects_list(f->rejects, NULL, &f->arena, &list), 2);
}

static void the_list_is_of_the_last_and_its_counters_go_on(void **state)
{
	struct fixture *f = *state;
	struct reject_counter *counters;
	struct reject *list;
	char service[32];

	for (int i = 0; i < REJECT_MAX_ROWS + 50; i++) {
		snprintf(service, sizeof(service), "s%d", i);
		note(f, "t", service, "malformed", "x");
	}
	assert_int_equal(rejects_list(f->rejects, "t", &f->arena, &list), REJECT_MAX_ROWS);
	assert_string_equal(list[0].service, "s249");
	assert_string_equal(list[REJECT_MAX_ROWS - 1].service, "s50");
	assert_int_equal(rejects_counters(f->rejects, &f->arena, &counters), 1);
	assert_int_equal(counters[0].count, REJECT_MAX_ROWS + 50);
}

/* Whoever may choose tenants must not fill the memory, nor make a counter go back. */
static void tenants_beyond_the_bound_are_counted_together(void **state)
{
	struct fixture *f = *state;
	struct reject_counter *counters;
	char tenant[32];
	uint64_t sum = 0, others = 0;
	size_t n;

	for (int i = 0; i < 2000; i++) {
		snprintf(tenant, sizeof(tenant), "t%d", i);
		note(f, tenant, "", i % 2 ? "malformed" : "samples_limit", "x");
	}
	n = rejects_counters(f->rejects, &f->arena, &counters);
	assert_in_range(n, 2, REJECT_MAX_COUNTERS);
	for (size_t i = 0; i < n; i++) {
		sum += counters[i].count;
		if (strcmp(counters[i].tenant, "other") == 0)
			others += counters[i].count;
	}
	assert_int_equal(sum, 2000);
	assert_int_equal(others, 2000 - (n - 2));
}

static void long_texts_are_cut(void **state)
{
	struct fixture *f = *state;
	struct reject *list;
	char text[2 * REJECT_TEXT_BYTES];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	note(f, text, text, text, text);
	assert_int_equal(rejects_list(f->rejects, NULL, &f->arena, &list), 1);
	assert_int_equal(strlen(list[0].text), REJECT_TEXT_BYTES - 1);
	assert_true(strlen(list[0].service) < sizeof(text) / 2);
	note(f, text, text, text, "again"); /* cut alike, it is the same */
	assert_int_equal(rejects_list(f->rejects, NULL, &f->arena, &list), 1);
	assert_int_equal(list[0].count, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_same_is_counted_and_its_last_text_kept),
		TEST(tenants_see_their_own),
		TEST(the_list_is_of_the_last_and_its_counters_go_on),
		TEST(tenants_beyond_the_bound_are_counted_together),
		TEST(long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
