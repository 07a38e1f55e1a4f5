/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request's profiles on their way to disk.
 *
 *	upload_new() ─ upload_pprof(), upload_counts() … ─ upload_commit() ─▶ done(), once
 *	                                └─ an error ─ upload_free()
 *
 *   1. Everything is decoded and checked before anything is put: a request is refused as a whole.
 *   2. `done` is called when every profile of the request is on disk, or with the first error after
 *      the last answer of the store; from the store's thread as a rule.
 *   3. A request is decoded by one thread, under the server's limits and byte budget.
 *
 * What becomes of a pprof: sample labels that make series are added to the series' labels (internal
 * and span labels are left out); levels (heap in use, goroutines) and flows are put apart, because
 * ranges average the first and sum the second; counters (delta.h) become flows when they are put.
 */
#ifndef SERVER_UPLOAD_H
#define SERVER_UPLOAD_H

#include "profile/labels.h"
#include "server/caller.h"
#include "server/rpc.h"
#include "server/server_private.h"

#define UPLOAD_MAX_PROFILES 1000
/* A profile that does not say how long it is, and whose request does not either. */
#define UPLOAD_DEFAULT_DURATION_NS (10ll * 1000000000)
/*
 * A flow that says when it began and not how long it is: a range that begins with it has all of it (the canary of
 * Pyroscope's own tools asks for the five seconds behind), which ten seconds would be spread beyond.
 */
#define UPLOAD_MOMENT_NS (1ll * 1000000000)

struct upload;

typedef void upload_done_fn(void *ctx, int code, const char *text);

/* Text formats: which sample type the numbers are. */
struct upload_unit {
	const char *metric, *type, *unit;
	int64_t factor; /* a count times this is a value */
	bool is_gauge;
	bool is_said; /* by the request; else the default */
};

/* What the request says about its profiles. */
struct upload_origin {
	const struct labels *labels; /* of the series */
	const char *id;		     /* NULL: none */
	const char *metric;	     /* __name__; NULL: by the sample types (sample_types.h) */
	int64_t from_ns, until_ns;   /* 0: the request does not say */
	bool is_gauge;		     /* all of it, whatever the sample types */
	bool has_dashes; /* in sample types, where others have '_': early clients for .NET */
	/* Nobody says that it is a difference: sample types that count may do so since the program began. */
	bool may_be_cumulative;
	/* What sample types are by their names (sample_type_config), linked. */
	const struct upload_type *types;
	const struct upload_unit *counts; /* what counts stand for; NULL: for themselves */
};

struct upload_type {
	const char *name;
	const char *display_name; /* says the metric; NULL: the name does */
	bool is_gauge, is_cumulative;
	struct upload_type *next;
};

struct item; /* a profile in it */

/* The caller is that of the exchange, which ends after the upload. */
struct upload *upload_new(struct server *server, const struct caller *caller) nodiscard;
void upload_free(struct upload *upload);
/* How long the body was, as sent and inflated: counted, and what is lost when it is refused. */
void upload_note_body(struct upload *upload, size_t sent_bytes, size_t inflated_bytes);
struct codec_loan *upload_loan(struct upload *upload);
struct arena *upload_arena(struct upload *upload);

/* Errors: ERR_CORRUPT, ERR_LIMIT, ERR_USAGE, ERR_UNSUPPORTED. */
int upload_pprof(struct upload *upload, const void *data, size_t len,
		 const struct upload_origin *origin, struct err *err) nodiscard;

/*
 * One profile whose samples come in, split by their labels: begin, give upload_split_series to the reader (as struct
 * pprof_split takes it), end; or drop what came, when the profile turns out to be broken.
 */
struct upload_split {
	struct upload *upload;
	const struct upload_origin *origin; /* borrowed until the end */
	struct item **first;
	size_t n_before;
	/* Of the series to come; may change from one to the next.  Series of unlike kinds are kept apart. */
	const char *metric; /* NULL: the origin's, else by the sample types */
	const void *kind;
};
void upload_split_begin(struct upload_split *split, struct upload *upload,
			const struct upload_origin *origin);
int upload_split_series(void *split, const struct labels *labels, struct profile **ret_profile,
			struct err *err) nodiscard;
int upload_split_end(struct upload_split *split, struct err *err) nodiscard;
void upload_split_drop(struct upload_split *split);
struct names *upload_names(struct upload *upload);
const struct limits *upload_limits(const struct upload *upload);
const struct format_limits *upload_format_limits(const struct upload *upload);

/* A JFR recording, gzipped or not, and what its contexts mean (format/jfr.h), likewise; `labels` NULL: nothing. */
struct upload_jfr {
	const void *data, *labels;
	size_t len, labels_len;
	int64_t period_ns; /* of a sample; 0: as the recording says */
};
int upload_jfr(struct upload *upload, const struct upload_jfr *jfr,
	       const struct upload_origin *origin, struct err *err) nodiscard;

/* What a gzip member holds, in `out`; other bytes stay where they are. */
int upload_inflate(struct upload *upload, const void **data, size_t *len, struct buf *out,
		   struct err *err) nodiscard;

/* Bodies that do not say what they count (origin->counts does); the last two may. */
enum upload_kind {
	UPLOAD_GROUPS, /* collapsed: "main;work;foo 75" */
	UPLOAD_LINES,  /* "main;work;foo": every line counts 1 */
	UPLOAD_TRIE,   /* format/preorder.h */
	UPLOAD_TREE,
	UPLOAD_SPEEDSCOPE, /* a series for each of its profiles */
	UPLOAD_PERF,	   /* perf script */
};
int upload_counts(struct upload *upload, enum upload_kind kind, const void *data, size_t len,
		  const struct upload_origin *origin, struct err *err) nodiscard;
/* Hands the upload over: it is freed when the store is done. */
void upload_commit(struct upload *upload, upload_done_fn *done, void *ctx);

/*
 * The body of a request behind its Content-Encoding: in place, or in `inflated`, which is the caller's to
 * release with buf_done() in any case.
 */
int upload_body(struct upload *upload, const struct http_request *request, struct buf *inflated,
		const uint8_t **ret_body, size_t *ret_len, struct err *err) nodiscard;

/* ---- answers ---- */

struct upload_answer {
	enum upload_refusal refusal;
	const char *word; /* of the JSON and of /metrics */
	int status;
	int rpc_code; /* enum rpc_code */
};
/* What to tell the client about that error of any function above. */
const struct upload_answer *upload_answer_of(int code);
/* The same as the end of a call. */
void upload_fail(struct rpc *rpc, int code, const char *text);
const char *upload_refusal_name(enum upload_refusal refusal);
/*
 * The upload was refused with err->code while it was decoded: count it and what was lost with it, list it (reject.h), and
 * append to `err` which limit it was and how to change it.  Lost are the samples decoded by then, one for what was not,
 * and all bytes.
 */
void upload_refused(struct upload *upload, struct err *err);
/* The same of one profile that cannot be read, while the others go on: one sample. */
void upload_refused_profile(struct upload *upload, struct err *err);
/* The same of a request that cannot be unpacked: one sample, and the bytes as sent. */
void upload_unread(struct server *server, const struct http_exchange *exchange, struct err *err);

/* The series limit of the store; told apart from limits of the request. */
#define UPLOAD_ERR_SERIES (-5000)

#endif
