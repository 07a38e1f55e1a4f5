/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all queries share: the parameters query, from and until, the ids to pick by (profiles, spans, traces: of those
 * that can be asked so), deadlines, errors, counting.
 *
 *	struct question query;
 *	if (!question_begin(&question, server, exchange, QUERY_VIEW))
 *		return;				(refused and finished)
 *	...
 *	question_end(&question, r, &err);		(finishes: the answer, or the error of r)
 */
#ifndef SERVER_QUESTION_H
#define SERVER_QUESTION_H

#include "codec/json.h"
#include "profile/labels.h"
#include "server/server_private.h"

/* Year 9999: later ends, and other nonsense, are refused. */
#define QUERY_LATEST_MS 253402300800000ll

struct question {
	struct server *server;
	struct http_exchange *exchange;
	enum query_kind kind;
	const char *title; /* text of the selector; "" for none */
	const char *text;  /* and of the ids that are picked: what answers are cached by */
	struct selector selector;
	struct store_query store; /* ready for the store */
	int64_t from_ms, until_ms;
	int64_t start_ns; /* monotonic */
};

bool question_begin(struct question *question, struct server *server,
		    struct http_exchange *exchange, enum query_kind kind) nodiscard;
/* Finish the exchange: the answer that was made, or, with r < 0, the error. */
void question_end(struct question *question, int r, const struct err *err);

/* Parameters that are numbers: `fallback` when absent; ERR_USAGE names the parameter. */
int question_int(const struct question *question, const char *name, int64_t least, int64_t most,
		 int64_t fallback, int64_t *ret_value, struct err *err) nodiscard;
/* A comma list, in the arena; those past `max` are ERR_USAGE. */
int question_list(const struct question *question, const char *name, size_t max,
		  const char **ret_items, size_t *ret_n, struct err *err) nodiscard;
/* NULL when absent or empty. */
const char *question_param(const struct question *question, const char *name);
/* Another pair of from and until (names given) and a selector; the store query shares the deadline. */
int question_range(struct question *question, const char *from, const char *until,
		   int64_t *ret_from_ms, int64_t *ret_until_ms, struct err *err) nodiscard;

/*
 * What every question asks the store with: the tenant, the deadline (the server's, at most the request's), and the
 * client that may leave.  `start_ns` is monotonic: when the request began.
 */
struct store_query question_ask(const struct server *server, const struct http_exchange *exchange,
				const struct selector *selector, struct store_range range,
				int64_t start_ns);
/* In the counters of /metrics. */
void question_count(struct server *server, enum query_kind kind, int64_t start_ns, bool is_good);

/* The answer's writer: JSON into the response. */
struct json_writer question_json(struct question *question);
/* The least power of 1,000 to divide by so that readers of JSON that know only doubles keep `most` exact. */
int64_t question_scale(int64_t most);
/* The value of a step; a level is the mean over the profiles of a series, summed over the series that are there. */
int64_t question_point(const struct store_point *point, bool is_gauge);
/* "nanoseconds" of "process_cpu:cpu:nanoseconds:cpu:nanoseconds"; "" when it has no such part. */
const char *question_unit_of(struct arena *arena, const char *profile_type);

#endif
