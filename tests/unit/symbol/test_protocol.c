/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "symbol/protocol.h"

static void protocol_gives_requests_back(void **state)
{
	struct protocol_request look = {.kind = PROTOCOL_LOOK, .object = 7, .n = 2}, out;
	struct protocol_request open = {
		.kind = PROTOCOL_OPEN, .object = 4095, .flags = PROTOCOL_MAIN | PROTOCOL_ALT};
	struct buf bytes;

	(void)state;
	look.looks[0] = (struct protocol_look){1, 0x1234};
	look.looks[1] = (struct protocol_look){UINT32_MAX, UINT64_MAX};
	buf_init(&bytes, PROTOCOL_MAX_BYTES);
	protocol_put_request(&bytes, &look);
	assert_int_equal(protocol_get_request(bytes.data, bytes.len, &out), 0);
	assert_int_equal(out.object, 7);
	assert_int_equal(out.n, 2);
	assert_int_equal(out.looks[1].tag, UINT32_MAX);
	assert_true(out.looks[1].address == UINT64_MAX);
	for (size_t cut = 0; cut < bytes.len; cut++)
		assert_int_equal(protocol_get_request(bytes.data, cut, &out), ERR_CORRUPT);
	buf_reset(&bytes);
	protocol_put_request(&bytes, &open);
	assert_int_equal(protocol_get_request(bytes.data, bytes.len, &out), 0);
	assert_int_equal(out.flags, PROTOCOL_MAIN | PROTOCOL_ALT);
	bytes.data[2] = 0x7f; /* an object past the limit */
	assert_int_equal(protocol_get_request(bytes.data, bytes.len, &out), ERR_CORRUPT);
	buf_done(&bytes);
}

static void protocol_gives_answers_back(void **state)
{
	static struct protocol_answer answer, out;
	struct buf bytes;

	(void)state;
	answer.tag = 9;
	answer.n = 2;
	answer.frames[0] = (struct protocol_frame){"outer", "a.c", 5, 3, 10, 8};
	answer.frames[1] = (struct protocol_frame){"inner", "", 5, 0, 0, 0};
	buf_init(&bytes, PROTOCOL_MAX_BYTES);
	protocol_put_answer(&bytes, &answer);
	assert_int_equal(protocol_get_answer(bytes.data, bytes.len, &out), 0);
	assert_int_equal(out.tag, 9);
	assert_int_equal(out.n, 2);
	assert_memory_equal(out.frames[0].name, "outer", 5);
	assert_int_equal(out.frames[0].line, 10);
	assert_int_equal(out.frames[1].file_len, 0);
	for (size_t cut = 0; cut < bytes.len; cut++)
		assert_int_equal(protocol_get_answer(bytes.data, cut, &out), ERR_CORRUPT);
	buf_done(&bytes);
}

static void protocol_keeps_the_innermost_of_what_has_no_room(void **state)
{
	static struct protocol_answer answer, out;
	static char name[5000], file[5000];
	struct buf bytes;

	(void)state;
	memset(name, 'n', sizeof(name));
	memset(file, 'f', sizeof(file));
	answer.n = PROTOCOL_MAX_FRAMES;
	for (uint32_t i = 0; i < answer.n; i++)
		answer.frames[i] =
			(struct protocol_frame){name, file, sizeof(name), sizeof(file), i, i};
	buf_init(&bytes, PROTOCOL_MAX_BYTES);
	protocol_put_answer(&bytes, &answer);
	assert_false(bytes.overflow);
	assert_int_equal(protocol_get_answer(bytes.data, bytes.len, &out), 0);
	assert_true(out.n > 4);
	assert_int_equal(out.frames[out.n - 1].line, PROTOCOL_MAX_FRAMES - 1);
	assert_int_equal(out.frames[0].name_len, PROTOCOL_NAME_BYTES);
	buf_done(&bytes);
}

static void protocol_passes_descriptors(void **state)
{
	int pair[2], fds[PROTOCOL_MAX_FDS];
	char byte = 'x';

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	const int two[] = {pair[0], pair[1]};

	assert_int_equal(protocol_send(pair[0], &byte, 1, two, 2), 0);
	assert_int_equal(protocol_receive(pair[1], &byte, 1, fds, false), 1);
	assert_true(fds[0] >= 0 && fds[1] >= 0);
	assert_int_equal(fds[2], -1);
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(protocol_receive(pair[1], &byte, 1, fds, false), -EAGAIN);
	/* Larger than there is room for: nothing of it is kept. */
	assert_int_equal(protocol_send(pair[0], "longer", 6, two, 2), 0);
	assert_int_equal(protocol_receive(pair[1], &byte, 1, fds, false), -EMSGSIZE);
	assert_int_equal(fds[0], -1);
	close(pair[0]);
	assert_int_equal(protocol_receive(pair[1], &byte, 1, fds, false), 0);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protocol_gives_requests_back),
		cmocka_unit_test(protocol_gives_answers_back),
		cmocka_unit_test(protocol_keeps_the_innermost_of_what_has_no_room),
		cmocka_unit_test(protocol_passes_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
