/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire from the reader to the front: the capture stream in datagrams.
 *
 * A SOCK_SEQPACKET pair, so that a reader that is killed while it sends leaves no half of anything:
 * each datagram is the number of the reader's start (4 bytes, ours on both sides) and a piece of its
 * stream.  When the number changes a new reader has taken over, and a stream begins anew.
 *
 * The sending side never waits: what the socket does not take is queued, up to WIRE_QUEUE_MAX_BYTES.
 * A sender that finds the queue over WIRE_QUEUE_BUSY_BYTES stops sampling until it has drained (a front
 * that was stopped must not make the reader grow, nor make it deaf to its tracees).
 */
#ifndef SAMPLE_WIRE_H
#define SAMPLE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"

#define WIRE_PIECE_BYTES (32u << 10)
#define WIRE_QUEUE_BUSY_BYTES (1u << 20)
#define WIRE_QUEUE_MAX_BYTES (32u << 20)

/* Both ends, non-blocking and closed on exec: fds[0] for the front, fds[1] for readers. */
int wire_open(int fds[2]) nodiscard;

struct wire {
	int fd;
	uint32_t start; /* of this reader */
	struct buf queue;
	size_t sent; /* of the queue */
};

void wire_init(struct wire *wire, int fd, uint32_t start);
void wire_done(struct wire *wire);

/* Queue a block and send what can be sent.  -EPIPE: the front is gone; -ENOBUFS: queue full. */
int wire_put(struct wire *wire, const void *data, size_t len) nodiscard;
/* Send on: when the socket has become writable. */
int wire_send(struct wire *wire) nodiscard;
size_t wire_waiting(const struct wire *wire); /* bytes in the queue */
/* At the end: wait until all is sent, at most until `deadline_ns` (CLOCK_MONOTONIC). */
int wire_flush(struct wire *wire, int64_t deadline_ns) nodiscard;

struct wire_piece {
	uint32_t start;
	const uint8_t *data; /* valid until the next receive */
	size_t len;
};

struct wire_receiver {
	int fd;
	uint8_t bytes[sizeof(uint32_t) + WIRE_PIECE_BYTES];
};

/* 1: a piece, 0: none now, negative: the wire is broken. */
int wire_receive(struct wire_receiver *receiver, struct wire_piece *ret_piece) nodiscard;

#endif
