/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of an import: to the querier that is read, and to the server that takes. */
#ifndef SERVER_IMPORT_PRIVATE_H
#define SERVER_IMPORT_PRIVATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/client.h"
#include "profile/labels.h"
#include "server/import.h"

/* One side, and how to talk to it. */
struct import_peer {
	struct http_client *client;
	const struct import_side *side;
	const volatile bool *is_cancelled;
	char *url; /* without a final slash */
	char *bearer;
	/* A Pyroscope's ranges hold their last millisecond, those of a Pyrometer end before it. */
	bool ends_before;
};

int import_peer_open(struct import_peer *peer, const struct import_side *side,
		     const volatile bool *is_cancelled, struct err *err) nodiscard;
void import_peer_close(struct import_peer *peer); /* all-zero is fine */
/* What kind of server is it? */
int import_peer_probe(struct import_peer *peer, struct err *err) nodiscard;

struct import_range {
	int64_t from_ms, until_ms; /* [from, until) */
};

struct import_texts {
	const char **items;
	size_t n;
};

struct import_series {
	struct labels labels; /* without internal ones */
};

struct import_series_list {
	struct import_series *items;
	size_t n;
};

struct import_point {
	int64_t end_ms; /* right edge of its step */
	double value;
};

struct import_points {
	struct import_point *items;
	size_t n;
};

/* Results are in the arena. */
int import_types(struct import_peer *peer, struct import_range range, struct arena *arena,
		 struct import_texts *ret_types, struct err *err) nodiscard;
/* `selector`: of the type and what the user asks for. */
int import_names(struct import_peer *peer, struct import_range range, const char *selector,
		 struct arena *arena, struct import_texts *ret_names, struct err *err) nodiscard;
int import_list_series(struct import_peer *peer, struct import_range range, const char *selector,
		       const struct import_texts *names, struct arena *arena,
		       struct import_series_list *ret_list, struct err *err) nodiscard;
int import_steps(struct import_peer *peer, struct import_range range, const char *type,
		 const char *selector, int64_t step_ms, bool is_average, struct arena *arena,
		 struct import_points *ret_points, struct err *err) nodiscard;
/* Appends the pprof; ERR_LIMIT when it is too large for an answer. */
int import_profile(struct import_peer *peer, struct import_range range, const char *type,
		   const char *selector, struct buf *pprof, struct err *err) nodiscard;
/* `request` is a PushRequest. */
int import_push(struct import_peer *peer, const struct buf *request, struct err *err) nodiscard;

#endif
