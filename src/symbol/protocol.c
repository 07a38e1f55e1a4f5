/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/protocol.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/err.h"

/* ---- requests ---- */

void protocol_put_request(struct buf *out, const struct protocol_request *request)
{
	buf_put_varint(out, request->kind);
	buf_put_varint(out, request->object);
	if (request->kind == PROTOCOL_OPEN) {
		buf_put_varint(out, request->flags);
		return;
	}
	buf_put_varint(out, request->n);
	for (uint32_t i = 0; i < request->n; i++) {
		buf_put_varint(out, request->looks[i].tag);
		buf_put_varint(out, request->looks[i].address);
	}
}

/* A number that must be at most so much. */
static uint32_t take_small(struct cursor *cursor, uint32_t most)
{
	uint64_t value = cursor_varint(cursor);

	if (value > most)
		cursor->bad = true;
	return (uint32_t)value;
}

int protocol_get_request(const void *data, size_t len, struct protocol_request *ret_request)
{
	struct cursor cursor = cursor_over(data, len);
	struct protocol_request request = {.kind = take_small(&cursor, PROTOCOL_LOOK)};

	request.object = take_small(&cursor, PROTOCOL_MAX_OBJECTS - 1);
	if (request.kind == PROTOCOL_OPEN)
		request.flags = take_small(&cursor, 2 * PROTOCOL_TABLES_ONLY - 1);
	else if (request.kind == PROTOCOL_LOOK)
		request.n = take_small(&cursor, PROTOCOL_MAX_LOOKS);
	else
		cursor.bad = true;
	for (uint32_t i = 0; i < request.n && !cursor.bad; i++) {
		request.looks[i].tag = take_small(&cursor, UINT32_MAX);
		request.looks[i].address = cursor_varint(&cursor);
	}
	if (cursor.bad || cursor_left(&cursor))
		return ERR_CORRUPT;
	*ret_request = request;
	return 0;
}

/* ---- answers ---- */

static void put_text(struct buf *out, const char *text, size_t len, size_t most)
{
	len = min_of(len, most);
	buf_put_varint(out, len);
	buf_put(out, text, len);
}

static void put_frames(struct buf *out, const struct protocol_answer *answer, uint32_t from)
{
	buf_put_varint(out, answer->tag);
	buf_put_varint(out, answer->n - from);
	for (uint32_t i = from; i < answer->n; i++) {
		const struct protocol_frame *frame = &answer->frames[i];

		put_text(out, frame->name, frame->name_len, PROTOCOL_NAME_BYTES);
		put_text(out, frame->file, frame->file_len, PROTOCOL_FILE_BYTES);
		buf_put_varint(out, frame->line);
		buf_put_varint(out, frame->first_line);
	}
}

void protocol_put_answer(struct buf *out, const struct protocol_answer *answer)
{
	uint32_t from = 0;

	for (put_frames(out, answer, from); out->overflow && from < answer->n;) {
		from += (answer->n - from + 1) / 2;
		out->overflow = false;
		buf_reset(out);
		put_frames(out, answer, from);
	}
}

static const char *take_text(struct cursor *cursor, size_t most, size_t *ret_len)
{
	uint32_t len = take_small(cursor, (uint32_t)most);
	const uint8_t *text = cursor->bad ? NULL : cursor_bytes(cursor, len);

	*ret_len = text ? len : 0;
	return text ? (const char *)text : "";
}

int protocol_get_answer(const void *data, size_t len, struct protocol_answer *ret_answer)
{
	struct cursor cursor = cursor_over(data, len);

	ret_answer->tag = take_small(&cursor, UINT32_MAX);
	ret_answer->n = take_small(&cursor, PROTOCOL_MAX_FRAMES);
	for (uint32_t i = 0; i < ret_answer->n && !cursor.bad; i++) {
		struct protocol_frame *frame = &ret_answer->frames[i];

		frame->name = take_text(&cursor, PROTOCOL_NAME_BYTES, &frame->name_len);
		frame->file = take_text(&cursor, PROTOCOL_FILE_BYTES, &frame->file_len);
		frame->line = take_small(&cursor, INT32_MAX);
		frame->first_line = take_small(&cursor, INT32_MAX);
	}
	return cursor.bad || cursor_left(&cursor) ? ERR_CORRUPT : 0;
}

/* ---- the socket ---- */

int protocol_send(int fd, const void *data, size_t len, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(PROTOCOL_MAX_FDS * sizeof(int))];
	} control = {0};
	struct iovec part = {(void *)data, len};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (n_fds) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);

		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(head), fds, n_fds * sizeof(int));
	}
	while (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static void take_fds(struct msghdr *message, int fds[PROTOCOL_MAX_FDS])
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head;
	     head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		memcpy(fds, CMSG_DATA(head), min_of(n, (size_t)PROTOCOL_MAX_FDS) * sizeof(int));
	}
}

int protocol_receive(int fd, void *data, size_t cap, int fds[PROTOCOL_MAX_FDS], bool is_waiting)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(PROTOCOL_MAX_FDS * sizeof(int))];
	} control;
	struct iovec part = {data, cap};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	for (size_t i = 0; i < PROTOCOL_MAX_FDS; i++)
		fds[i] = -1;
	do {
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | (is_waiting ? 0 : MSG_DONTWAIT));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_fds(&message, fds);
	if (!(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return (int)n;
	for (size_t i = 0; i < PROTOCOL_MAX_FDS; i++) {
		cleanup_close_fd(&fds[i]);
		fds[i] = -1;
	}
	return -EMSGSIZE;
}
