/* SPDX-License-Identifier: Apache-2.0 */
/* Field numbers of profile.proto, the labels with a meaning of their own, a file's tables, and its samples on their
 * way into profiles. */
#ifndef FORMAT_PPROF_PRIVATE_H
#define FORMAT_PPROF_PRIVATE_H

enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING_TABLE = 6,
	PROFILE_DROP_FRAMES = 7,
	PROFILE_KEEP_FRAMES = 8,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
	PROFILE_DOC_URL = 15,

	VALUE_TYPE_TYPE = 1,
	VALUE_TYPE_UNIT = 2,

	SAMPLE_LOCATION_ID = 1,
	SAMPLE_VALUE = 2,
	SAMPLE_LABEL = 3,

	PPROF_LABEL_KEY = 1,
	PPROF_LABEL_STR = 2,
	PPROF_LABEL_NUM = 3,
	PPROF_LABEL_NUM_UNIT = 4,

	MAPPING_ID = 1,
	MAPPING_START = 2,
	MAPPING_LIMIT = 3,
	MAPPING_OFFSET = 4,
	MAPPING_FILENAME = 5,
	MAPPING_BUILD_ID = 6,
	MAPPING_HAS_FUNCTIONS = 7,
	MAPPING_HAS_FILENAMES = 8,
	MAPPING_HAS_LINES = 9,

	LOCATION_ID = 1,
	LOCATION_MAPPING_ID = 2,
	LOCATION_ADDRESS = 3,
	LOCATION_LINE = 4,

	LINE_FUNCTION_ID = 1,
	LINE_LINE = 2,
	LINE_COLUMN = 3,

	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_SYSTEM_NAME = 3,
	FUNCTION_FILENAME = 4,
	FUNCTION_START_LINE = 5,
};

#define PPROF_LABEL_PID "pid"
#define PPROF_LABEL_PROCESS "process"
#define PPROF_LABEL_THREAD_ID "thread_id"
#define PPROF_LABEL_THREAD_NAME "thread_name"
#define PPROF_LABEL_STATE "state"

#define PPROF_KERNEL_FILE "[kernel.kallsyms]" /* as perf and Go's tools name the kernel's mapping */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "format/format.h"
#include "format/stack.h"

/* ---- a file's tables, with every index checked: pprof_tables.c, pprof_ids.c ---- */

struct pprof_text {
	const char *bytes; /* not terminated */
	size_t len;
};

struct pprof_value_type {
	uint32_t type, unit; /* strings */
};

struct pprof_mapping {
	uint64_t id;
	uint32_t file, build_id; /* strings */
};

struct pprof_function {
	uint64_t id;
	uint32_t name, system_name, file; /* strings */
	uint32_t start_line;
};

struct pprof_location {
	uint64_t id;
	uint64_t address;
	uint32_t mapping;	      /* index + 1; 0: none */
	uint32_t first_line, n_lines; /* into lines, innermost first */
	uint8_t kind;		      /* enum frame_kind; FRAME_OTHER: the file does not say */
};

struct pprof_line {
	uint32_t function; /* index + 1; 0: none */
	uint32_t line, column;
};

/* Ids that the file chose -> index + 1: 1, 2, 3 … as they mostly are; else an array, and a table for large ones. */
struct pprof_ids {
	uint64_t n_counted, n_places;
	uint32_t *places;
	struct map64 map;
};

/* Borrows from the bytes of the file.  Release with pprof_tables_done(), all-zero is fine. */
struct pprof_tables {
	struct pprof_text *strings;
	struct pprof_value_type *types;
	struct cursor *samples;
	struct pprof_mapping *mappings;
	struct pprof_function *functions;
	struct pprof_location *locations;
	struct pprof_line *lines;
	size_t n_strings, n_types, n_samples, n_mappings, n_functions, n_locations, n_lines;
	size_t strings_cap, types_cap, samples_cap, mappings_cap, functions_cap, locations_cap,
		lines_cap;
	struct pprof_ids mapping_ids, function_ids, location_ids;
	struct pprof_value_type period_type;
	int64_t period, time_ns, duration_ns;
};

int pprof_tables_read(struct pprof_tables *tables, const void *data, size_t len,
		      const struct format_limits *limits, struct err *err) nodiscard;
void pprof_tables_done(struct pprof_tables *tables);

/* A string index of `field`: ERR_CORRUPT when negative or past the end. */
int pprof_check_string(const struct pprof_tables *tables, uint64_t index, const char *field,
		       struct err *err) nodiscard;

/* Of `n` entries that begin with their id (64 bits): ERR_CORRUPT when one is 0 or two are equal. */
int pprof_ids_init(struct pprof_ids *ids, const void *entries, size_t n, size_t entry_bytes,
		   struct err *err) nodiscard;
void pprof_ids_done(struct pprof_ids *ids); /* all-zero is fine */
uint32_t pprof_ids_find_sparse(const struct pprof_ids *ids, uint64_t id);

/* Index + 1 of the entry with that id; 0: there is none. */
static inline uint32_t pprof_ids_find(const struct pprof_ids *ids, uint64_t id)
{
	if (id <= ids->n_counted)
		return (uint32_t)id;
	return id < ids->n_places ? ids->places[id] : pprof_ids_find_sparse(ids, id);
}

/* ---- names and frames of a file's tables: pprof_frames.c ---- */

struct pprof_function_frame {
	struct frame frame; /* without a line */
	uint64_t made_for;  /* mapping and kind */
	uint32_t function;
	bool is_made;
};

/* By index, id + 1; made on first use. */
struct pprof_frames {
	const struct pprof_tables *tables;
	struct names *names;
	struct stack *stack;
	uint32_t *strings, *line_frames;
	uint32_t *
		location_frames; /* of locations that are one frame, as all but those with inlined ones are */
	struct pprof_function_frame
		*function_frames;   /* by the lower bits of index + 1, 0: of lines without one */
	uint32_t n_function_frames; /* power of two */
	uint8_t *file_kinds;	    /* by string: what a file of that name holds */
	uint64_t pushed;	    /* frames so far, inlined ones counted */
};

void pprof_frames_init(struct pprof_frames *frames, const struct pprof_tables *tables,
		       struct names *names, struct stack *stack);
void pprof_frames_done(struct pprof_frames *frames); /* all-zero is fine */

struct str_id pprof_string_id(struct pprof_frames *frames, uint32_t index);
const char *pprof_string_text(struct pprof_frames *frames, uint32_t index);
/* Push the frames of a location, the innermost inlined one first. */
void pprof_push_location(struct pprof_frames *frames, uint32_t index);

/* ---- samples into profiles: pprof_samples.c ---- */

#define PPROF_MAX_LABELS_PER_SAMPLE 64

struct pprof_label {
	uint64_t key, str; /* strings; str 0: a number */
	int64_t num;
};

struct pprof_series;
struct pprof_path;

struct pprof_samples {
	const struct pprof_tables *tables;
	struct names *names;
	const struct pprof_split *split;
	struct stack stack;
	struct arena arena; /* of one look-up of labels */
	uint64_t seed;
	struct pprof_frames frames;
	int64_t *sample_value; /* per type: the value of one sample; 0: it does not tell */

	struct pprof_series *series;
	size_t n_series, series_cap;

	/* Of the sample at hand. */
	int64_t *values;
	size_t n_values;
	struct pprof_label labels[PPROF_MAX_LABELS_PER_SAMPLE]; /* but those of requests */
	size_t n_labels;
	struct span span;    /* the request that it was taken in */
	bool is_span_spoilt; /* it names one, but not by an id */

	/* Stacks that were read, as the file has them: with labels the same ones come again and again. */
	struct pprof_path *paths;
	size_t n_paths, paths_cap;
	struct idtab path_tab;

	/* What the labels of the last sample meant. */
	struct pprof_label last_labels[PPROF_MAX_LABELS_PER_SAMPLE];
	size_t n_last_labels;
	struct pprof_series *at_series; /* NULL: nothing known yet */
	struct node_id at_base;
	size_t at_state;
};

/* All is borrowed.  Tables have to be complete. */
void pprof_samples_init(struct pprof_samples *samples, const struct pprof_tables *tables,
			const struct format_limits *limits, struct names *names,
			const struct pprof_split *split);
void pprof_samples_done(struct pprof_samples *samples); /* all-zero is fine */

/* A sample: begin, what it has in any order (locations innermost first, a value per type), add. */
void pprof_sample_begin(struct pprof_samples *samples);
static inline int pprof_sample_location(struct pprof_samples *samples, uint32_t index,
					struct err *err) nodiscard;
int pprof_sample_value(struct pprof_samples *samples, uint64_t value, struct err *err) nodiscard;
int pprof_sample_label(struct pprof_samples *samples, const struct pprof_label *label,
		       struct err *err) nodiscard;
int pprof_sample_add(struct pprof_samples *samples, struct err *err) nodiscard;
/*
 * In two steps, for who can name a stack by bytes that stay: what its labels and values say, first; then, if its node is
 * not known, its locations; then its values.
 */
int pprof_sample_settle(struct pprof_samples *samples, struct err *err) nodiscard;
bool pprof_sample_find(struct pprof_samples *samples, const void *bytes, size_t len,
		       struct node_id *ret_node) nodiscard;
/* The node of the locations, remembered for those bytes. */
struct node_id pprof_sample_learn(struct pprof_samples *samples, const void *bytes, size_t len);
int pprof_sample_add_at(struct pprof_samples *samples, struct node_id node,
			struct err *err) nodiscard;
/*
 * The request that it was taken in; labels that come later and say so, too, win.  `is_spoilt`: what it was named by was
 * no id.
 */
void pprof_sample_span(struct pprof_samples *samples, const struct span *span, bool is_spoilt);
/* Where there was none: the types are all that is known, and stay. */
int pprof_samples_none(struct pprof_samples *samples, struct err *err) nodiscard;

/* Locations times their inlined lines, over the whole file: seconds of work, not minutes. */
#define PPROF_MAX_FRAMES_PUSHED (256u << 20)

int pprof_too_many_frames(struct err *err) nodiscard;

static inline int pprof_sample_location(struct pprof_samples *samples, uint32_t index,
					struct err *err)
{
	uint32_t known = samples->frames.location_frames[index];

	if (known) {
		samples->frames.pushed++;
		stack_push(&samples->stack, (struct frame_id){known - 1});
	} else {
		pprof_push_location(&samples->frames, index);
	}
	return samples->frames.pushed > PPROF_MAX_FRAMES_PUSHED ? pprof_too_many_frames(err) : 0;
}

#endif
