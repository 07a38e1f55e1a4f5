/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the JFR reader share: bytes and texts, types, constants, frames, contexts; see format/jfr.h. */
#ifndef FORMAT_JFR_PRIVATE_H
#define FORMAT_JFR_PRIVATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "format/jfr.h"
#include "format/stack.h"

/* ---- bytes: jfr_bytes.c ---- */

/* As it stands in the file; decoded where somebody wants to read it. */
struct jfr_text {
	uint8_t encoding; /* enum jfr_encoding */
	const uint8_t *bytes;
	size_t len;	   /* in bytes */
	uint64_t constant; /* JFR_TEXT_CONSTANT: id of a string */
};

enum jfr_encoding {
	JFR_TEXT_NULL,
	JFR_TEXT_EMPTY,
	JFR_TEXT_CONSTANT,
	JFR_TEXT_UTF8,
	JFR_TEXT_CHARS, /* UTF-16 code units */
	JFR_TEXT_LATIN1,
};

/* Longer texts are cut: names keep no more anyway, and one long text may be named a million times. */
#define JFR_TEXT_MAX_BYTES 4096

/* A cursor that knows whether the chunk's numbers are compressed. */
struct jfr_cursor {
	struct cursor bytes;
	bool is_compressed;
};

/* A number of that many bytes where numbers are not compressed. */
uint64_t jfr_number(struct jfr_cursor *at, size_t n_bytes);
uint64_t jfr_u64(struct jfr_cursor *at);
uint32_t jfr_u32(struct jfr_cursor *at); /* bad when it does not fit */
struct jfr_text jfr_text(struct jfr_cursor *at);
/* Append it as UTF-8; of a constant nothing. */
void jfr_text_decode(const struct jfr_text *text, bool is_compressed, struct buf *out);

/* ---- types: jfr_types.c ---- */

enum jfr_shape {
	JFR_STRUCT,
	JFR_BYTE,  /* and boolean */
	JFR_SHORT, /* and char */
	JFR_INT,
	JFR_LONG,
	JFR_FLOAT,
	JFR_DOUBLE,
	JFR_STRING,
};

/* Fields that somebody reads, of whatever type. */
enum jfr_slot {
	JFR_STACK_TRACE,
	JFR_STATE,
	JFR_SAMPLES,
	JFR_TLAB_SIZE,
	JFR_ALLOCATION_SIZE,
	JFR_WEIGHT,
	JFR_SIZE,
	JFR_DURATION,
	JFR_CONTEXT,
	JFR_SPAN,
	JFR_SPAN_NAME,
	JFR_TRACE_HIGH,
	JFR_TRACE_LOW,
	JFR_ID,
	JFR_NAME,
	JFR_VALUE,
	JFR_TRUNCATED,
	JFR_FRAMES,
	JFR_METHOD,
	JFR_LINE,
	JFR_TYPE,
	JFR_STRING_FIELD,
	JFR_DESCRIPTION,
	JFR_SLOT_COUNT,
	JFR_NO_SLOT = JFR_SLOT_COUNT,
};

struct jfr_field {
	uint64_t type_id;
	uint32_t type;	  /* index */
	uint8_t slot;	  /* enum jfr_slot */
	bool is_constant; /* an id in the constants of its type */
	bool is_array;
};

/* What somebody reads, of whatever number; JFR_OTHER: nobody. */
enum jfr_known {
	JFR_OTHER,
	JFR_TRACE,
	JFR_FRAME,
	JFR_METHOD_TYPE,
	JFR_CLASS,
	JFR_SYMBOL,
	JFR_TEXT_TYPE, /* java.lang.String */
	JFR_THREAD_STATE,
	JFR_FRAME_TYPE,
	JFR_POOL_COUNT, /* so far: things with constants */
	JFR_SETTING = JFR_POOL_COUNT,
	JFR_EXECUTION,
	JFR_WALL_CLOCK,
	JFR_IN_TLAB,
	JFR_OUT_TLAB,
	JFR_ALLOC_SAMPLE,
	JFR_MONITOR,
	JFR_PARK,
	JFR_LIVE,
	JFR_MALLOC,
	JFR_KNOWN_COUNT,
};

struct jfr_type {
	uint64_t id;
	uint8_t shape; /* enum jfr_shape */
	uint8_t known; /* enum jfr_known */
	uint32_t first_field, n_fields, n_slots;
};

struct jfr_types {
	struct jfr_type *types;
	struct jfr_field *fields;
	size_t n_types, n_fields, types_cap, fields_cap;
	struct map64 by_id;		 /* id -> index + 1 */
	uint32_t known[JFR_KNOWN_COUNT]; /* index + 1 */
};

/* Reads the metadata event that begins at `at`. */
int jfr_types_read(struct jfr_types *types, struct jfr_cursor at, struct err *err) nodiscard;
void jfr_types_done(struct jfr_types *types);
/* NULL: not in the metadata. */
const struct jfr_type *jfr_type_by_id(const struct jfr_types *types, uint64_t id);
const struct jfr_type *jfr_type_known(const struct jfr_types *types, enum jfr_known known);

/* ---- chunks and records: jfr_chunk.c ---- */

struct jfr_chunk {
	const uint8_t *begin, *end;
	bool is_compressed;
	int64_t start_ns, duration_ns;
	uint64_t ticks_hz;
	struct jfr_types types;
	struct map64
		pools[JFR_POOL_COUNT]; /* constant's id -> where it stands from the chunk's begin */
	size_t n_constants;
	uint64_t *steps; /* values that may still be stepped over, of the whole file */
};

/* The chunk at the front of what is left: its header, types and constants. */
int jfr_chunk_open(struct jfr_chunk *chunk, const uint8_t *data, size_t len, uint64_t *steps,
		   struct err *err) nodiscard;
void jfr_chunk_done(struct jfr_chunk *chunk);

struct jfr_event {
	uint64_t type_id;
	struct jfr_cursor fields;
};

/* Walks the events; 0 at the end, ERR_CORRUPT.  `*at` begins as NULL. */
int jfr_chunk_next(const struct jfr_chunk *chunk, const uint8_t **at, struct jfr_event *ret_event,
		   struct err *err) nodiscard;

/* The fields of one value that have slots. */
struct jfr_record {
	uint32_t is_there;		/* bits of slots; of others nothing is set */
	uint64_t value[JFR_SLOT_COUNT]; /* numbers, ids of constants, lengths of arrays */
	struct jfr_text text[JFR_SLOT_COUNT];
	struct jfr_cursor array; /* the last array that has a slot: at its first element */
	const struct jfr_type *array_type; /* NULL: ids of constants */
};

static inline bool jfr_record_has(const struct jfr_record *record, enum jfr_slot slot)
{
	return record->is_there & 1u << slot;
}

/* Moves behind the value.  These are false when it is cut off or malformed, or the steps are used up. */
bool jfr_record_read(struct jfr_chunk *chunk, struct jfr_cursor *at, const struct jfr_type *type,
		     struct jfr_record *ret_record) nodiscard;
bool jfr_event_read(struct jfr_chunk *chunk, const struct jfr_event *event,
		    const struct jfr_type *type, struct jfr_record *ret_record) nodiscard;
/* A constant of a known type; false when there is none, or it is malformed. */
bool jfr_constant(struct jfr_chunk *chunk, enum jfr_known known, uint64_t id,
		  struct jfr_record *ret_record) nodiscard;
/* Append the text of a field: itself, a constant string, or the symbol that it names. */
void jfr_field_text(struct jfr_chunk *chunk, const struct jfr_record *record, enum jfr_slot slot,
		    struct buf *out);

/* ---- frames of stack traces: jfr_frames.c ---- */

/* Of one chunk: its numbers mean nothing in the next one. */
struct jfr_frames {
	struct names *names;
	struct map64 methods[FRAME_KIND_COUNT]; /* method -> index + 1 of functions */
	struct map64 kinds;			/* frame type's id -> enum frame_kind */
	struct map64 lines;			/* (function, line) -> frame */
	struct frame *functions;
	size_t n_functions, functions_cap;
	struct buf name;
	uint64_t *pushed; /* frames pushed so far, of the whole file */
};

void jfr_frames_init(struct jfr_frames *frames, struct names *names, uint64_t *pushed);
void jfr_frames_done(struct jfr_frames *frames);
/* Push the frames of a trace, innermost first. */
int jfr_push_trace(struct jfr_frames *frames, struct jfr_chunk *chunk, uint64_t trace,
		   struct stack *stack, struct err *err) nodiscard;

/* Names that the JVM numbers anew in each process lose the number: jfr_names.c. */
void jfr_merge_generated(struct buf *name);

/* ---- the agent's labels: jfr_contexts.c ---- */

struct jfr_contexts {
	struct map64 by_id;   /* context -> index + 1 of messages */
	struct map64 strings; /* id -> index + 1 of texts */
	struct cursor *messages, *texts;
	size_t n_messages, n_texts, messages_cap, texts_cap;
};

int jfr_contexts_read(struct jfr_contexts *contexts, const void *snapshot, size_t len,
		      struct err *err) nodiscard;
void jfr_contexts_done(struct jfr_contexts *contexts);
/* Add the labels of a context, if it is known; texts are in the arena. */
int jfr_context_labels(const struct jfr_contexts *contexts, uint64_t id, struct arena *arena,
		       struct labels *labels, struct err *err) nodiscard;
/* "" when it is not known. */
const char *jfr_context_string(const struct jfr_contexts *contexts, uint64_t id,
			       struct arena *arena);

/* ---- the reader: settings and chunks in jfr_read.c, samples in jfr_samples.c ---- */

#define JFR_EVENT_NAME_MAX_BYTES 64

enum jfr_kind_index {
	JFR_KIND_CPU,
	JFR_KIND_WALL,
	JFR_KIND_IN_TLAB,
	JFR_KIND_OUT_TLAB,
	JFR_KIND_MUTEX,
	JFR_KIND_BLOCK,
	JFR_KIND_LIVE,
	JFR_KIND_ALLOC_SAMPLE,
	JFR_KIND_MALLOC,
	JFR_KIND_COUNT,
};

/* A kind with one set of labels. */
struct jfr_series {
	uint64_t hash;
	enum jfr_kind_index kind;
	char *text; /* canonical form of the labels */
	struct profile *profile;
	size_t column, sum_column;
};

struct jfr_reader {
	const struct jfr_opts *opts;
	const struct format_limits *limits;
	const struct jfr_split *split;
	struct names *names;
	struct jfr_contexts contexts;
	struct arena arena; /* labels of a series while it is made */
	struct stack stack;
	struct buf text;
	uint64_t seed, steps, pushed;

	struct jfr_series *series;
	size_t n_series, series_cap;
	uint64_t n_samples;
	int64_t start_ns, duration_ns; /* from the first chunk's begin on */

	/* Settings; they stay until a later chunk says something else. */
	char event[JFR_EVENT_NAME_MAX_BYTES]; /* "itimer"; "": not said */
	int64_t period_ns, wall_period_ns;    /* 0: not said */

	/* Of the chunk at hand. */
	struct jfr_chunk chunk;
	struct jfr_frames frames;
	struct map64 states; /* thread state's id -> enum run_state */
	struct map64 series_of
		[JFR_KIND_COUNT]; /* hash of context and span's name -> index + 1 of series */
	struct map64 nodes;	  /* (series, trace's place) -> node */
};

/* One event of the chunk at hand into its profiles; what is no sample is left alone. */
int jfr_on_event(struct jfr_reader *reader, const struct jfr_event *event,
		 struct err *err) nodiscard;
void jfr_samples_done(struct jfr_reader *reader);

/* The text of a field, until the next one is asked for; "" where there is none. */
const char *jfr_record_text(struct jfr_reader *reader, const struct jfr_record *record,
			    enum jfr_slot slot);
/* ERR_CORRUPT for an event. */
int jfr_malformed(struct err *err) nodiscard;

#endif
