/* SPDX-License-Identifier: Apache-2.0 */
/*
 * querier.v1.QuerierService: what Grafana and profilecli ask, answered out of our store.
 *
 *	struct querier *call = querier_open(server, exchange, &method);
 *	if (!call)
 *		return;			(refused and finished)
 *	... append the answer, as proto, to call->unary.reply ...
 *	querier_end(call, r, &err);	(finishes: the answer in the dress of the question, or the error of r)
 *
 * Times are milliseconds, and so are the rules of Pyroscope: a selection needs a range, metadata may be asked without
 * one (of all times).
 */
#ifndef SERVER_QUERIER_H
#define SERVER_QUERIER_H

#include "profile/narrow.h"
#include "server/exemplars.h"
#include "server/pick.h"
#include "server/question.h"
#include "server/unary.h"

#define QUERIER_MAX_MATCHERS 16
#define QUERIER_MAX_NAMES 64

/* What a field of a request may be; messages number them differently. */
enum querier_param {
	QUERIER_NONE,
	QUERIER_START,
	QUERIER_END,
	QUERIER_TYPE,	  /* a profile type */
	QUERIER_SELECTOR, /* {a="b"} */
	QUERIER_MATCHERS, /* several of these: what one of them takes */
	QUERIER_NAME,
	QUERIER_NAMES, /* label names, group by */
	QUERIER_MAX_NODES,
	QUERIER_FORMAT,
	QUERIER_STEP,
	QUERIER_AGGREGATION,
	QUERIER_LIMIT,
	QUERIER_STACKS,	     /* types.v1.StackTraceSelector */
	QUERIER_PROFILE_IDS, /* of exemplars and spans: the ids as they came, in texts */
	QUERIER_TRACE_IDS,
	QUERIER_SPAN_IDS,
	QUERIER_EXEMPLARS,  /* types.v1.ExemplarType */
	QUERIER_QUERY_TYPE, /* of a heatmap */
};

#define QUERIER_FIELDS 12

struct querier_method {
	struct unary_method unary;
	uint8_t params[QUERIER_FIELDS]; /* enum querier_param by field number */
	const struct querier_method
		*side; /* of the two requests that it is made of; see querier_side() */
	bool needs_range;
};

struct querier {
	struct unary unary; /* of a side: without its rpc and its reply */
	struct server *server;
	struct http_exchange *exchange;
	const struct querier_method *method;

	const char *type, *selector_text, *name;
	const char *matchers[QUERIER_MAX_MATCHERS];
	const char *names[QUERIER_MAX_NAMES];
	size_t n_matchers, n_names;
	struct pick pick;
	int64_t start_ms, end_ms, max_nodes, format, aggregation, limit, exemplars, query_type;
	double step_s;
	struct narrow narrow; /* which stacks */
	/* Of `names` what the profile type says (they are not in there any more), and whether service_name stands twice. */
	struct labels constants;
	bool says_service, says_derived_service;

	const char *text; /* of the selector: type and labels */
	struct selector selector;
	struct store_query query; /* ready for the store */
	struct querier *sides;	  /* to be ended with this one */
};

struct querier *querier_open(struct server *server, struct http_exchange *exchange,
			     const struct querier_method *method) nodiscard;
void querier_end(struct querier *call, int r, const struct err *err);

/*
 * Of a request that is made of two: the one in that field, understood on its own; NULL with `err` filled.  It
 * ends with the call.
 */
struct querier *querier_side(struct querier *call, uint32_t number, struct err *err) nodiscard;

/*
 * Series by step, of the stacks that the call asks for: values change, what is covered does not.  ERR_LIMIT for more
 * points than there is time for.
 */
int querier_narrow_points(struct querier *call, struct store_line *lines, size_t n, int64_t step_ns,
			  struct err *err) nodiscard;

/*
 * "name:sample_type:sample_unit:period_type:period_unit"; a sixth part (":delta") is left out of *ret_type, which is in
 * the arena.
 */
int querier_check_type(struct arena *arena, const char *type, const char **ret_type,
		       struct err *err) nodiscard;

/* The values that one label has in the series of a query, sorted, each once; in the arena. */
struct querier_values {
	const char **items;
	size_t n;
};
int querier_values_of(struct store *store, const struct store_query *query, const char *name,
		      struct arena *arena, struct querier_values *ret_values,
		      struct err *err) nodiscard;

/* A message inside of the answer with one text, unless that is empty. */
void querier_put_text(struct buf *out, uint32_t number, const char *text);
/* The labels of a group, with what was asked for and is the same in all of them. */
void querier_put_group(struct querier *call, struct buf *out, uint32_t number,
		       const struct labels *group);
void querier_put_label(struct buf *out, uint32_t number, const char *name, const char *value);

/* types.v1.ExemplarType */
enum { EXEMPLAR_NONE = 1, EXEMPLAR_INDIVIDUAL = 2, EXEMPLAR_SPAN = 3 };
/* Grouped by the names of the call. */
int querier_find_exemplars(struct querier *call, enum store_exemplar_kind kind,
			   struct store_range range, struct exemplars *ret_exemplars,
			   struct err *err) nodiscard;
/* types.v1.Exemplar as that field; without the labels grouped by. */
void querier_put_exemplar(struct querier *call, uint32_t number, const struct exemplar *exemplar);

/* A double as proto has it: its eight bytes, and as a field. */
void querier_put_bits(struct buf *out, double value);
void querier_put_double(struct buf *out, uint32_t number, double value);

/* querier_schema.c */
extern const struct proto_json_message querier_schema_profile_types_request,
	querier_schema_profile_types, querier_schema_label_names_request,
	querier_schema_label_values_request, querier_schema_names, querier_schema_series_request,
	querier_schema_series, querier_schema_select_request, querier_schema_merge_request,
	querier_schema_series_select_request, querier_schema_select_series,
	querier_schema_select_stacks, querier_schema_stats, querier_schema_diff_request,
	querier_schema_diff, querier_schema_pprof_profile, querier_schema_nothing,
	querier_schema_heatmap_request, querier_schema_heatmap, querier_schema_span_request;

#endif
