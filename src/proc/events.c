/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/events.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"

#define DATAGRAM_MAX_BYTES 8192
#define DATAGRAMS_PER_TAKE 4096 /* so that a storm of forks does not keep the caller here */
#define QUEUE_BYTES (4 << 20)	/* about 10,000 events */
#define NO_ANSWER INT_MIN

/* A datagram: netlink's head, the connector's, then the event with its payload behind 16 bytes. */
#define MESSAGE_AT NLMSG_HDRLEN
#define EVENT_AT (MESSAGE_AT + sizeof(struct cn_msg))
#define DETAIL_AT (EVENT_AT + 16)
#define DETAIL_WORDS 4 /* of a fork; the others have two that matter */

/* enum what of struct proc_event; as numbers, since newer headers moved the enum. */
enum { EVENT_NONE = 0, EVENT_FORK = 1, EVENT_EXEC = 2, EVENT_EXIT = (int)0x80000000 };

struct events {
	int fd;
};

/* ---- reading datagrams ---- */

static uint32_t word_at(const uint8_t *bytes, size_t at)
{
	uint32_t word;

	memcpy(&word, bytes + at, sizeof(word));
	return word;
}

static bool take_event(const uint8_t *bytes, struct process_event *ret_event)
{
	uint32_t detail[DETAIL_WORDS];

	for (size_t i = 0; i < DETAIL_WORDS; i++)
		detail[i] = word_at(bytes, DETAIL_AT + i * sizeof(detail[0]));
	switch ((int)word_at(bytes, EVENT_AT)) {
	case EVENT_FORK: /* parent's thread, parent, child's thread, child */
		*ret_event =
			(struct process_event){PROCESS_FORKED, (pid_t)detail[3], (pid_t)detail[1]};
		return detail[2] == detail[3];
	case EVENT_EXEC: /* thread, process */
		*ret_event = (struct process_event){PROCESS_EXECED, (pid_t)detail[1], 0};
		return true;
	case EVENT_EXIT:
		*ret_event = (struct process_event){PROCESS_ENDED, (pid_t)detail[1], 0};
		return detail[0] == detail[1];
	default:
		return false;
	}
}

/* One message: its length has been checked to hold an event of the longest kind that we read. */
static void parse_message(const uint8_t *bytes, uint32_t request, int *ret_ack,
			  process_event_fn *fn, void *ctx)
{
	struct process_event event;
	struct cn_msg message;

	memcpy(&message, bytes + MESSAGE_AT, sizeof(message));
	if (message.id.idx != CN_IDX_PROC || message.id.val != CN_VAL_PROC)
		return;
	if (word_at(bytes, EVENT_AT) == EVENT_NONE) {
		if (ret_ack && message.ack == request + 1)
			*ret_ack = -(int)(word_at(bytes, DETAIL_AT) & INT_MAX);
		return;
	}
	if (take_event(bytes, &event) && event.pid > 0 && event.parent >= 0)
		fn(ctx, &event);
}

void events_parse(const void *bytes, size_t len, uint32_t request, int *ret_ack,
		  process_event_fn *fn, void *ctx)
{
	const uint8_t *at = bytes;

	while (len >= DETAIL_AT + DETAIL_WORDS * sizeof(uint32_t)) {
		struct nlmsghdr head;
		size_t step;

		memcpy(&head, at, sizeof(head));
		if (head.nlmsg_len < DETAIL_AT + DETAIL_WORDS * sizeof(uint32_t) ||
		    head.nlmsg_len > len)
			return;
		parse_message(at, request, ret_ack, fn, ctx);
		step = min_of((size_t)NLMSG_ALIGN(head.nlmsg_len), len);
		at += step;
		len -= step;
	}
}

/* One datagram of the kernel's own; 0: none is there. */
static ssize_t receive(const struct events *events, uint8_t *bytes, size_t cap)
{
	struct sockaddr_nl from = {0};
	socklen_t from_len = sizeof(from);
	ssize_t n =
		recvfrom(events->fd, bytes, cap, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return -errno;
	/* Any process may write to our address: that is no news. */
	if (from.nl_pid != 0)
		memset(bytes, 0, (size_t)n);
	return n;
}

int events_take(struct events *events, process_event_fn *fn, void *ctx)
{
	uint8_t bytes[DATAGRAM_MAX_BYTES];

	for (int i = 0; i < DATAGRAMS_PER_TAKE; i++) {
		ssize_t n = receive(events, bytes, sizeof(bytes));

		if (n <= 0)
			return (int)n;
		events_parse(bytes, (size_t)n, 0, NULL, fn, ctx);
	}
	return 0;
}

/* ---- opening ---- */

/* Before any of the machine's threads can wake us: forks and ends of processes, execs, answers. */
static int add_filter(int fd)
{
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define JUMP_IF(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htobe32(value), (yes), (no))
	struct sock_filter code[] = {
		/*  0 */ LOAD(EVENT_AT),
		/*  1 */ JUMP_IF((uint32_t)EVENT_NONE, 11, 0),
		/*  2 */ JUMP_IF((uint32_t)EVENT_EXEC, 10, 0),
		/*  3 */ JUMP_IF((uint32_t)EVENT_FORK, 0, 4),
		/*  4 */ LOAD(DETAIL_AT + 8), /* the child's thread and process */
		/*  5 */ BPF_STMT(BPF_MISC | BPF_TAX, 0),
		/*  6 */ LOAD(DETAIL_AT + 12),
		/*  7 */ BPF_STMT(BPF_JMP | BPF_JA, 4), /* to 12 */
		/*  8 */ JUMP_IF((uint32_t)EVENT_EXIT, 0, 5),
		/*  9 */ LOAD(DETAIL_AT), /* thread and process */
		/* 10 */ BPF_STMT(BPF_MISC | BPF_TAX, 0),
		/* 11 */ LOAD(DETAIL_AT + 4),
		/* 12 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
		/* 13 */ BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		/* 14 */ BPF_STMT(BPF_RET | BPF_K, 0),
	};
#undef LOAD
#undef JUMP_IF
	struct sock_fprog program = {.len = array_len(code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int open_socket(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
	cleanup_fd int fd =
		socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);
	int size = QUEUE_BYTES;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* Without the filter threads would wake us, too: dearer, not wrong. */
	(void)add_filter(fd);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return take_fd(&fd);
}

static void ignore_event(void *ctx, const struct process_event *event)
{
	(void)ctx, (void)event;
}

/* Ask for the news.  The kernel answers while we send, or, from within a namespace, not at all. */
static int subscribe(struct events *events)
{
	enum proc_cn_mcast_op wish = PROC_CN_MCAST_LISTEN;
	uint8_t bytes[NLMSG_SPACE(sizeof(struct cn_msg) + sizeof(wish))] = {0};
	uint32_t request = (uint32_t)getpid();
	struct nlmsghdr head = {.nlmsg_len = sizeof(bytes), .nlmsg_type = NLMSG_DONE};
	struct cn_msg message = {
		.id = {.idx = CN_IDX_PROC, .val = CN_VAL_PROC},
		.ack = request, /* `seq` of the answer counts the events of a CPU */
		.len = sizeof(wish),
	};
	uint8_t answer[DATAGRAM_MAX_BYTES];
	int ack = NO_ANSWER;
	ssize_t n;

	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + MESSAGE_AT, &message, sizeof(message));
	memcpy(bytes + EVENT_AT, &wish, sizeof(wish));
	if (send(events->fd, bytes, sizeof(bytes), 0) < 0)
		return -errno;
	while (ack == NO_ANSWER && (n = receive(events, answer, sizeof(answer))) > 0)
		events_parse(answer, (size_t)n, request, &ack, ignore_event, NULL);
	return ack == NO_ANSWER ? ERR_UNSUPPORTED : ack;
}

static int explain(int code, struct err *err)
{
	if (code == -EPERM || code == -EACCES)
		return err_set(
			err, -EPERM,
			"process events need CAP_NET_ADMIN: run as root, or give the program "
			"that capability");
	if (code == ERR_UNSUPPORTED)
		return err_set(
			err, code,
			"the kernel tells process events to its first user and pid namespace "
			"only: run outside of the container");
	if (code == -EPROTONOSUPPORT || code == -ECONNREFUSED)
		return err_set(err, ERR_UNSUPPORTED,
			       "this kernel has no process events (CONFIG_PROC_EVENTS)");
	return err_sys(err, code, "cannot listen to process events");
}

int events_open(struct events **ret_events, struct err *err)
{
	struct events events = {.fd = open_socket()};
	int r = events.fd < 0 ? events.fd : subscribe(&events);

	if (r < 0) {
		if (events.fd >= 0)
			close(events.fd);
		return explain(r, err);
	}
	*ret_events = xcalloc(1, sizeof(events));
	**ret_events = events;
	return 0;
}

void events_close(struct events *events)
{
	if (!events)
		return;
	close(events->fd);
	free(events);
}

int events_fd(const struct events *events)
{
	return events->fd;
}
