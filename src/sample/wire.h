/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire from the readers to the front: their capture streams in datagrams.
 *
 * One SOCK_SEQPACKET pair for all of them, so that a reader that is killed while it sends leaves no half
 * of anything: each datagram is the name of its stream (8 bytes, ours on both sides) and a piece of
 * it.  A stream is named by the slot of its reader and the number of its start, which no other has;
 * when the number of a slot changes a new reader has taken over, and a stream begins anew.
 *
 * Beside the streams go files: a descriptor of one that the target has mapped, which the front has no right (or, in
 * a container, no path) to open, with its build id and path.  Each is a datagram of its own, in no order with the
 * streams, and is left out when the socket is full.
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
#define WIRE_MAX_PATH_BYTES 4096
#define WIRE_QUEUE_BUSY_BYTES (1u << 20)
#define WIRE_QUEUE_MAX_BYTES (32u << 20)

/* Both ends, non-blocking and closed on exec: fds[0] for the front, fds[1] for readers. */
int wire_open(int fds[2]) nodiscard;

struct wire_stream {
	uint32_t slot, start; /* as in struct keeper_job */
};

struct wire {
	int fd;
	struct wire_stream stream; /* of this reader */
	struct buf queue;
	size_t sent; /* of the queue */
};

void wire_init(struct wire *wire, int fd, struct wire_stream stream);
void wire_done(struct wire *wire);

/* Queue a block and send what can be sent.  -EPIPE: the front is gone; -ENOBUFS: queue full. */
int wire_put(struct wire *wire, const void *data, size_t len) nodiscard;
/* Send on: when the socket has become writable. */
int wire_send(struct wire *wire) nodiscard;
size_t wire_waiting(const struct wire *wire); /* bytes in the queue */
/* A file, borrowed; the front gets a descriptor of its own. */
void wire_send_file(struct wire *wire, int fd, const char *build_id, const char *path);
/* At the end: wait until all is sent, at most until `deadline_ns` (CLOCK_MONOTONIC). */
int wire_flush(struct wire *wire, int64_t deadline_ns) nodiscard;

struct wire_piece {
	struct wire_stream stream;
	const uint8_t *data; /* valid until the next receive */
	size_t len;
	int fd; /* of a file, the receiver's to close; -1: a piece of the stream */
	const char *build_id, *path; /* of a file, likewise valid until the next receive */
};

struct wire_receiver {
	int fd;
	uint8_t bytes[sizeof(struct wire_stream) + WIRE_PIECE_BYTES + 1];
};

/* 1: a piece, 0: none now, negative: the wire is broken. */
int wire_receive(struct wire_receiver *receiver, struct wire_piece *ret_piece) nodiscard;

#endif
