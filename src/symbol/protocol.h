/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What front and worker say to each other, a datagram each (SOCK_SEQPACKET).
 *
 *	open	kind 1 · object · flags			and the descriptors that the flags name, in their order
 *	look	kind 2 · object · n · n times (tag · address)
 *	answer	tag · n · n times (name · file · line · first line)	for each tag, in their order
 *
 * Numbers are varints, texts have their length before them.  Pure bytes: both sides decode as hostile, the
 * front because its worker reads other people's files, the worker because it costs nothing.
 */
#ifndef SYMBOL_PROTOCOL_H
#define SYMBOL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define PROTOCOL_MAX_BYTES (64u << 10) /* of a datagram */
#define PROTOCOL_MAX_OBJECTS 4096
#define PROTOCOL_MAX_LOOKS 64
#define PROTOCOL_MAX_FRAMES 64
#define PROTOCOL_MAX_FDS 3
#define PROTOCOL_NAME_BYTES 1024 /* longer ones are cut */
#define PROTOCOL_FILE_BYTES 2048

enum protocol_kind {
	PROTOCOL_OPEN = 1,
	PROTOCOL_LOOK = 2,
};

enum {
	PROTOCOL_MAIN = 1,  /* the program or library itself */
	PROTOCOL_DEBUG = 2, /* its separate debug file */
	PROTOCOL_ALT = 4,   /* what that shares with others (dwz) */
	PROTOCOL_TABLES_ONLY = 8,
};

struct protocol_look {
	uint32_t tag;
	uint64_t address;
};

struct protocol_request {
	enum protocol_kind kind;
	uint32_t object;
	uint32_t flags; /* of open */
	uint32_t n;	/* of look */
	struct protocol_look looks[PROTOCOL_MAX_LOOKS];
};

struct protocol_frame {
	const char *name; /* not terminated, any bytes */
	const char *file;
	size_t name_len, file_len;
	uint32_t line, first_line;
};

struct protocol_answer {
	uint32_t tag;
	uint32_t n;					   /* 0: nothing is known */
	struct protocol_frame frames[PROTOCOL_MAX_FRAMES]; /* outermost first; into the datagram */
};

void protocol_put_request(struct buf *out, const struct protocol_request *request);
/* 0 or ERR_CORRUPT. */
int protocol_get_request(const void *data, size_t len,
			 struct protocol_request *ret_request) nodiscard;

/* Frames that have no room are left out from the outside, so that the innermost stays. */
void protocol_put_answer(struct buf *out, const struct protocol_answer *answer);
int protocol_get_answer(const void *data, size_t len, struct protocol_answer *ret_answer) nodiscard;

/* A datagram with descriptors (of which the caller keeps its own); 0 or -errno. */
int protocol_send(int fd, const void *data, size_t len, const int *fds, size_t n_fds) nodiscard;
/*
 * Returns the bytes, 0 at the end of the connection, -errno.  All PROTOCOL_MAX_FDS are set, to -1 where none came.
 */
int protocol_receive(int fd, void *data, size_t cap, int fds[PROTOCOL_MAX_FDS],
		     bool is_waiting) nodiscard;

#endif
