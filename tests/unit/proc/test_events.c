/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/events.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "unit.h"

#define NO_ACK 1
#define MAX_SEEN 16

/* As Linux 6.18 sent them: the answer to a request, a new process, its exec and end, a thread and its end. */
static const char recorded_ack[] =
	"4c00000003000000c92b0100000000000100000001000000c92b01004e0000002800000000000000"
	"00000000b66088273a0d0000000000000000000000000000000000000000000000000000";
static const char recorded_fork[] =
	"4c00000003000000ca2b0100000000000100000001000000ca2b0100000000002800000001000000"
	"00000000ebf789273a0d00009c7100009c710000e4710000e47100000000000000000000";
static const char recorded_exec[] =
	"4c00000003000000e2060100000000000100000001000000e2060100000000002800000002000000"
	"01000000f15e8d273a0d0000e4710000e471000000000000000000000000000000000000";
static const char recorded_exit[] =
	"4c00000003000000e3060100000000000100000001000000e3060100000000002800000000000080"
	"01000000049394273a0d0000e4710000e471000000000000110000009c7100009c710000";
static const char recorded_thread[] =
	"4c00000003000000cb2b0100000000000100000001000000cb2b0100000000002800000001000000"
	"000000008c355b283a0d00009a7100009a710000e57100009c7100000000000000000000";
static const char recorded_thread_exit[] =
	"4c00000003000000cc2b0100000000000100000001000000cc2b0100000000002800000000000080"
	"0000000098ebfb283a0d0000e57100009c71000000000000ffffffff0000000000000000";

struct seen {
	struct process_event events[MAX_SEEN];
	size_t n;
};

static void see(void *ctx, const struct process_event *event)
{
	struct seen *seen = ctx;

	assert_true(event->pid > 0);
	if (seen->n < MAX_SEEN)
		seen->events[seen->n++] = *event;
}

static size_t unhex(const char *text, uint8_t *bytes)
{
	size_t n = 0;

	for (; text[2 * n]; n++) {
		unsigned byte;

		assert_int_equal(sscanf(text + 2 * n, "%2x", &byte), 1);
		bytes[n] = (uint8_t)byte;
	}
	return n;
}

static void recorded_events_are_understood(void **state)
{
	static const struct {
		const char *hex;
		size_t n;
		struct process_event event;
	} cases[] = {
		{recorded_ack, 0, {0}},
		{recorded_fork, 1, {PROCESS_FORKED, 29156, 29084}},
		{recorded_exec, 1, {PROCESS_EXECED, 29156, 0}},
		{recorded_exit, 1, {PROCESS_ENDED, 29156, 0}},
		{recorded_thread, 0, {0}},
		{recorded_thread_exit, 0, {0}},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct seen seen = {.n = 0};
		uint8_t bytes[128];
		size_t len = unhex(cases[i].hex, bytes);

		events_parse(bytes, len, 0, NULL, see, &seen);
		assert_int_equal(seen.n, cases[i].n);
		if (seen.n)
			assert_memory_equal(&seen.events[0], &cases[i].event,
					    sizeof(cases[i].event));
	}
}

static void an_answer_is_that_to_our_own_request(void **state)
{
	struct seen seen = {.n = 0};
	uint8_t bytes[128];
	size_t len = unhex(recorded_ack, bytes);
	int ack = NO_ACK;

	(void)state;
	events_parse(bytes, len, 4711, &ack, see, &seen);
	assert_int_equal(ack, NO_ACK);
	events_parse(bytes, len, 77, &ack, see, &seen);
	assert_int_equal(ack, 0);
	bytes[52] = 1; /* EPERM */
	events_parse(bytes, len, 77, &ack, see, &seen);
	assert_int_equal(ack, -1);
}

static void several_messages_of_a_datagram_are_read(void **state)
{
	struct seen seen = {.n = 0};
	uint8_t bytes[512];
	size_t len = unhex(recorded_fork, bytes);

	(void)state;
	len += unhex(recorded_exec, bytes + len);
	len += unhex(recorded_exit, bytes + len);
	events_parse(bytes, len, 0, NULL, see, &seen);
	assert_int_equal(seen.n, 3);
}

/* Every cut, and every length that the head may claim: read in bounds (a sanitizer watches), no event. */
static void hostile_lengths_are_refused(void **state)
{
	uint8_t bytes[128];
	size_t len = unhex(recorded_fork, bytes);

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		struct seen seen = {.n = 0};
		uint8_t *copy = xcalloc(1, max_of(cut, (size_t)1));

		memcpy(copy, bytes, cut);
		events_parse(copy, cut, 0, NULL, see, &seen);
		assert_int_equal(seen.n, 0);
		free(copy);
	}
	for (uint32_t claim = 0; claim < 4096; claim++) {
		struct seen seen = {.n = 0};

		memcpy(bytes, &claim, sizeof(claim));
		events_parse(bytes, len, 0, NULL, see, &seen);
		assert_int_equal(seen.n, claim >= 68 && claim <= len);
	}
	memset(bytes, 0xff, 4);
	events_parse(bytes, len, 0, NULL, see, &(struct seen){.n = 0});
}

static void pids_that_nobody_has_are_left_out(void **state)
{
	struct seen seen = {.n = 0};
	uint8_t bytes[128];
	size_t len = unhex(recorded_exec, bytes);

	(void)state;
	memset(bytes + 52, 0xff, 8);
	events_parse(bytes, len, 0, NULL, see, &seen);
	memset(bytes + 52, 0, 8);
	events_parse(bytes, len, 0, NULL, see, &seen);
	assert_int_equal(seen.n, 0);
}

/* What became of one child: a bit per kind of event. */
struct life {
	pid_t child;
	unsigned kinds;
};

static void follow(void *ctx, const struct process_event *event)
{
	struct life *life = ctx;

	if (event->pid == life->child &&
	    (event->kind != PROCESS_FORKED || event->parent == getpid()))
		life->kinds |= 1u << event->kind;
}

/* Takes rights and the first namespaces: elsewhere the reason is what is tested. */
static void the_kernel_tells_of_a_child(void **state)
{
	int64_t deadline_ns = clock_monotonic_ns() + 10 * NS_PER_S;
	struct life life = {.kinds = 0};
	struct events *events;
	struct err err = {0};

	(void)state;
	if (events_open(&events, &err) < 0) {
		assert_true(strlen(err.text) > 20);
		print_message("process events cannot be had here: %s\n", err.text);
		skip();
	}
	life.child = fork();
	if (life.child == 0) {
		execlp("true", "true", NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(life.child, NULL, 0), life.child);
	while (life.kinds != 7 && clock_monotonic_ns() < deadline_ns) {
		struct pollfd fd = {.fd = events_fd(events), .events = POLLIN};

		poll(&fd, 1, 100);
		/* On a busy machine some may be lost; then nothing can be said. */
		if (events_take(events, follow, &life) < 0)
			break;
	}
	assert_int_equal(life.kinds, 7);
	events_close(events);
	events_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_events_are_understood),
		cmocka_unit_test(an_answer_is_that_to_our_own_request),
		cmocka_unit_test(several_messages_of_a_datagram_are_read),
		cmocka_unit_test(hostile_lengths_are_refused),
		cmocka_unit_test(pids_that_nobody_has_are_left_out),
		cmocka_unit_test(the_kernel_tells_of_a_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
