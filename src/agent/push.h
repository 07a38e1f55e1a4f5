/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a push: push.v1.PushRequest, protobuf, gzipped. */
#ifndef AGENT_PUSH_H
#define AGENT_PUSH_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "profile/labels.h"
#include "profile/profile.h"

#define PUSH_PATH "/push.v1.PusherService/Push"
#define PUSH_CONTENT_TYPE "application/proto"
#define PUSH_MAX_BYTES ((size_t)48 << 20)
#define PUSH_ID_BYTES 37

/* Who sends: the labels of every series (without __name__), and what makes its ids. */
struct push_source {
	struct labels labels;
	uint64_t boot;	   /* random, of this run */
	uint64_t sequence; /* of the last profile */
};

/* A UUID (version 8: of our own making) of boot and sequence. */
void push_format_id(uint64_t boot, uint64_t sequence, char into[PUSH_ID_BYTES]);

/*
 * Append the request for one window (agent/window.h) as two series, process_cpu and wall.  Sets the
 * profile's period type.
 */
int push_encode(struct push_source *source, struct profile *profile, struct buf *out,
		struct err *err) nodiscard;

#endif
