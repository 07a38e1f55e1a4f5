/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"

/* Room for one descriptor; the kernel closes what more somebody sends. */
union one_fd {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int wire_open(int fds[2])
{
	int size = 4 * WIRE_PIECE_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	/* A hint: at the kernel's default the front is woken somewhat more often. */
	(void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

void wire_init(struct wire *wire, int fd, struct wire_stream stream)
{
	*wire = (struct wire){.fd = fd, .stream = stream};
	buf_init(&wire->queue, WIRE_QUEUE_MAX_BYTES);
}

void wire_done(struct wire *wire)
{
	buf_done(&wire->queue);
}

size_t wire_waiting(const struct wire *wire)
{
	return wire->queue.len - wire->sent;
}

int wire_send(struct wire *wire)
{
	while (wire_waiting(wire) > 0) {
		size_t len = min_of(wire_waiting(wire), (size_t)WIRE_PIECE_BYTES);
		struct iovec parts[] = {
			{&wire->stream, sizeof(wire->stream)},
			{wire->queue.data + wire->sent, len},
		};
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = array_len(parts)};

		if (sendmsg(wire->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			if (errno == EINTR)
				continue;
			return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
		}
		wire->sent += len;
	}
	buf_reset(&wire->queue);
	wire->sent = 0;
	return 0;
}

int wire_put(struct wire *wire, const void *data, size_t len)
{
	if (wire->sent > 0 && wire->queue.len + len > WIRE_QUEUE_BUSY_BYTES) {
		buf_drop(&wire->queue, wire->sent);
		wire->sent = 0;
	}
	buf_put(&wire->queue, data, len);
	if (wire->queue.overflow)
		return -ENOBUFS;
	return wire_send(wire);
}

int wire_flush(struct wire *wire, int64_t deadline_ns)
{
	int r = wire_send(wire);

	while (r == 0 && wire_waiting(wire) > 0) {
		struct pollfd poll_fd = {.fd = wire->fd, .events = POLLOUT};
		int64_t left_ns = deadline_ns - clock_monotonic_ns();

		if (left_ns <= 0)
			return -ETIMEDOUT;
		if (poll(&poll_fd, 1, (int)min_of(left_ns / NS_PER_MS + 1, 1000)) < 0 &&
		    errno != EINTR)
			return -errno;
		r = wire_send(wire);
	}
	return r;
}

/* ---- files ---- */

void wire_send_file(struct wire *wire, int fd, const char *build_id, const char *path)
{
	struct iovec parts[] = {
		{&wire->stream, sizeof(wire->stream)},
		{(void *)(uintptr_t)build_id, strlen(build_id) + 1},
		{(void *)(uintptr_t)path, strnlen(path, WIRE_MAX_PATH_BYTES - 1)},
	};
	union one_fd control = {.bytes = {0}};
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = array_len(parts),
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	if (sendmsg(wire->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return; /* a name or two fewer; who else waits for the socket finds out what it has */
}

static int take_fd(struct msghdr *message)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(message);
	int fd;

	if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS ||
	    head->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -1;
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

/* "build id", NUL, path, and a NUL that wire_receive() has put behind it. */
static bool take_file(struct wire_piece *piece)
{
	const uint8_t *end = memchr(piece->data, '\0', piece->len);

	if (!end)
		return false;
	piece->build_id = (const char *)piece->data;
	piece->path = (const char *)end + 1;
	return true;
}

/* ---- receiving ---- */

int wire_receive(struct wire_receiver *receiver, struct wire_piece *ret_piece)
{
	struct iovec whole = {receiver->bytes, sizeof(receiver->bytes) - 1};
	union one_fd control;
	struct msghdr message = {
		.msg_iov = &whole,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct wire_piece piece;
	ssize_t n;

	do {
		n = recvmsg(receiver->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	piece.fd = take_fd(&message);
	receiver->bytes[n] = '\0';
	piece.data = receiver->bytes + sizeof(piece.stream);
	piece.len = (size_t)n - min_of((size_t)n, sizeof(piece.stream));
	if ((size_t)n < sizeof(piece.stream) || (piece.fd >= 0 && !take_file(&piece))) {
		if (piece.fd >= 0)
			close(piece.fd);
		return n == 0 ? -EPIPE : -EBADMSG;
	}
	memcpy(&piece.stream, receiver->bytes, sizeof(piece.stream));
	*ret_piece = piece;
	return 1;
}
