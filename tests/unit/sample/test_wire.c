/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "sample/wire.h"

struct pair {
	int fds[2];
	struct wire wire;
	struct wire_receiver receiver;
};

static void open_pair(struct pair *pair, uint32_t start)
{
	assert_int_equal(wire_open(pair->fds), 0);
	wire_init(&pair->wire, pair->fds[1], (struct wire_stream){.slot = 3, .start = start});
	pair->receiver.fd = pair->fds[0];
}

static void close_pair(struct pair *pair)
{
	wire_done(&pair->wire);
	close(pair->fds[0]);
	close(pair->fds[1]);
}

static void wire_carries_bytes_and_the_number_of_the_start(void **state)
{
	struct pair pair;
	struct wire_piece piece;

	(void)state;
	open_pair(&pair, 7);
	assert_int_equal(wire_receive(&pair.receiver, &piece), 0);
	assert_int_equal(wire_put(&pair.wire, "hello", 5), 0);
	assert_int_equal(wire_receive(&pair.receiver, &piece), 1);
	assert_int_equal(piece.stream.slot, 3);
	assert_int_equal(piece.stream.start, 7);
	assert_int_equal(piece.len, 5);
	assert_memory_equal(piece.data, "hello", 5);
	close_pair(&pair);
}

static void wire_carries_files_with_their_names(void **state)
{
	struct pair pair;
	struct wire_piece piece;
	char text[6] = "";
	int file[2];

	(void)state;
	open_pair(&pair, 7);
	assert_int_equal(pipe(file), 0);
	assert_int_equal(write(file[1], "inside", 6), 6);
	wire_send_file(&pair.wire, file[0], "c0ffee", "/usr/lib/libfoo.so");
	close(file[0]);
	assert_int_equal(wire_put(&pair.wire, "hello", 5), 0);
	assert_int_equal(wire_receive(&pair.receiver, &piece), 1);
	assert_true(piece.fd >= 0);
	assert_int_equal(piece.stream.start, 7);
	assert_string_equal(piece.build_id, "c0ffee");
	assert_string_equal(piece.path, "/usr/lib/libfoo.so");
	assert_int_equal(read(piece.fd, text, sizeof(text)), 6);
	assert_memory_equal(text, "inside", 6);
	close(piece.fd);
	close(file[1]);
	assert_int_equal(wire_receive(&pair.receiver, &piece), 1);
	assert_int_equal(piece.fd, -1);
	assert_memory_equal(piece.data, "hello", 5);
	close_pair(&pair);
}

static int send_raw(int socket, int fd, const void *bytes, size_t len)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct iovec part = {(void *)(uintptr_t)bytes, len};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	return (int)sendmsg(socket, &message, 0);
}

/* A descriptor without a build id's end, or without a stream: refused, and closed. */
static void wire_refuses_files_without_names(void **state)
{
	struct pair pair;
	struct wire_piece piece;
	int file[2];

	(void)state;
	open_pair(&pair, 1);
	assert_int_equal(pipe(file), 0);
	assert_true(send_raw(pair.fds[1], file[1], "01234567nameless", 16) > 0);
	assert_int_equal(wire_receive(&pair.receiver, &piece), -EBADMSG);
	assert_true(send_raw(pair.fds[1], file[1], "0123", 4) > 0);
	assert_int_equal(wire_receive(&pair.receiver, &piece), -EBADMSG);
	close(file[1]);
	assert_int_equal(read(file[0], &piece, 1), 0); /* nobody else has it */
	close(file[0]);
	close_pair(&pair);
}

/* The sender never waits, and everything arrives in order once the receiver is back. */
static void wire_queues_what_the_socket_does_not_take(void **state)
{
	static uint8_t block[100000];
	struct pair pair;
	struct wire_piece piece;
	size_t got = 0, total = 20 * sizeof(block);

	(void)state;
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 31 >> 3);
	open_pair(&pair, 1);
	for (int i = 0; i < 20; i++)
		assert_int_equal(wire_put(&pair.wire, block, sizeof(block)), 0);
	assert_true(wire_waiting(&pair.wire) > WIRE_QUEUE_BUSY_BYTES);
	while (got < total) {
		int r = wire_receive(&pair.receiver, &piece);

		if (r == 0)
			assert_int_equal(wire_send(&pair.wire), 0);
		for (size_t i = 0; r > 0 && i < piece.len; i++)
			assert_int_equal(piece.data[i], block[(got + i) % sizeof(block)]);
		got += r > 0 ? piece.len : 0;
	}
	assert_int_equal(got, total);
	assert_int_equal(wire_waiting(&pair.wire), 0);
	close_pair(&pair);
}

static void wire_refuses_more_than_its_queue(void **state)
{
	size_t len = WIRE_QUEUE_MAX_BYTES / 2;
	uint8_t *block = calloc(1, len);
	struct pair pair;

	(void)state;
	open_pair(&pair, 1);
	assert_int_equal(wire_put(&pair.wire, block, len), 0);
	assert_int_equal(wire_put(&pair.wire, block, len), 0);
	assert_int_equal(wire_put(&pair.wire, block, len), -ENOBUFS);
	assert_int_equal(wire_flush(&pair.wire, clock_monotonic_ns() + NS_PER_MS), -ETIMEDOUT);
	close_pair(&pair);
	free(block);
}

static void wire_says_when_the_other_side_is_gone(void **state)
{
	struct pair pair;
	struct wire_piece piece;

	(void)state;
	open_pair(&pair, 1);
	close(pair.fds[0]);
	assert_int_equal(wire_put(&pair.wire, "x", 1), -EPIPE);
	wire_done(&pair.wire);
	close(pair.fds[1]);
	open_pair(&pair, 1);
	close(pair.fds[1]);
	assert_int_equal(wire_receive(&pair.receiver, &piece), -EPIPE);
	wire_done(&pair.wire);
	close(pair.fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_carries_bytes_and_the_number_of_the_start),
		cmocka_unit_test(wire_carries_files_with_their_names),
		cmocka_unit_test(wire_refuses_files_without_names),
		cmocka_unit_test(wire_queues_what_the_socket_does_not_take),
		cmocka_unit_test(wire_refuses_more_than_its_queue),
		cmocka_unit_test(wire_says_when_the_other_side_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
