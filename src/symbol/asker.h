/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of addresses in files, and the asking of a worker for what is not.
 *
 *   frame:  new ──▶ waiting ──▶ known, or unknown (for good)
 *   file:   new ──▶ whole ──▶ tables only ──▶ bad		a step each time it costs a worker
 *	     new ──▶ missing
 *
 * One request is on its way at a time, of one file and up to PROTOCOL_MAX_LOOKS addresses.  When its worker ends or
 * gives no sign for the patience, the file is to blame, and what was not answered is asked again of a new one.
 */
#ifndef SYMBOL_ASKER_H
#define SYMBOL_ASKER_H

#include "base/map.h"
#include "symbol/protocol.h"
#include "symbol/symbol.h"
#include "symbol/worker.h"

/* Workers that were lost, after which nobody is asked any more. */
#define ASKER_MOST_RESTARTS 100
#define ASKER_MOST_ROOTS 16

enum asker_answer {
	ASKER_NEW, /* not asked yet */
	ASKER_WAITING,
	ASKER_UNKNOWN,
	ASKER_KNOWN, /* and all above: which result, plus this */
};

enum asker_mode {
	ASKER_WHOLE,
	ASKER_TABLES_ONLY,
	ASKER_BAD,
	ASKER_MISSING,
};

struct asker_file {
	struct str_id build_id, path;
	int fd; /* that somebody has opened; -1: none */
	enum asker_mode mode;
	uint32_t opened_in; /* number of the worker that has it; 0: none */
	bool has_answered;
	struct protocol_look *waiting;
	size_t n_waiting, cap;
};

struct asker_result {
	uint32_t first, n; /* in frames */
};

struct asker {
	const struct symbolizer_config *config; /* borrowed */
	struct nursery nursery;
	int worker; /* socket; -1: none runs */
	uint32_t worker_number;
	struct asker_file *files;
	size_t n_files, files_cap;
	int roots[ASKER_MOST_ROOTS];
	size_t n_roots;
	struct map64 file_of; /* build id, or path without one */
	size_t next_file;     /* taken in turn */
	uint32_t *answers;    /* by frame id: enum asker_answer */
	size_t answers_cap;
	struct asker_result *results;
	size_t n_results, results_cap;
	struct frame_id *frames;
	size_t n_frames, frames_cap;
	struct { /* the request on its way */
		uint32_t file;
		uint32_t n, n_answered;
		struct protocol_look looks[PROTOCOL_MAX_LOOKS];
		int64_t deadline_ns;
	} flight;
	struct buf out;
	char *datagram;
	struct protocol_answer answer;
	struct symbolizer_facts facts;
};

int asker_init(struct asker *asker, const struct symbolizer_config *config,
	       struct err *err) nodiscard;
void asker_done(struct asker *asker);

void asker_add_root(struct asker *asker, int fd);
void asker_add_file(struct asker *asker, const char *build_id, const char *path, int fd);

/* What is known of a frame with an address; asks when it is new. */
enum asker_answer asker_frame(struct asker *asker, struct frame_id id);
/* Of a known frame: the frames that stand for it, outermost first. */
const struct frame_id *asker_result(const struct asker *asker, struct frame_id id, uint32_t *ret_n);
/* Has the file of a frame never answered yet? */
bool asker_is_first(struct asker *asker, struct frame_id id);

bool asker_is_busy(const struct asker *asker);
void asker_pump(struct asker *asker);
/* Wait for answers, at most so long. */
void asker_wait(struct asker *asker, int64_t wait_ns);

#endif
