/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ground-truth program under the profiler: started, recorded, judged, ended.
 *
 * The program's text (selftest_programs.h) is written into a folder of its own below $TMPDIR, which is gone again
 * as soon as the program has begun.  The recording is a child of ours, this very binary, since a recording gives up
 * its rights for good.  The program runs as the caller's user and dies with us.
 */
#ifndef CMD_SELFTEST_RUN_H
#define CMD_SELFTEST_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cmd/truth.h"
#include "format/capture.h"

#define SELFTEST_EXAMPLE_MAX 240
#define SELFTEST_NAME_MAX 64

struct selftest_case {
	const char *python;  /* path, or a name to be found on $PATH */
	const char *program; /* "flat" */
	const char *text;
	double seconds, rate_hz;
	bool is_nonblocking;
};

struct selftest_result {
	char runtime[SELFTEST_NAME_MAX]; /* "CPython 3.11.2" */
	uint64_t samples, impossible, wrong_lines;
	char example
		[SELFTEST_EXAMPLE_MAX]; /* the inner end of the first bad stack; "" without one */
	bool has_distance;
	double distance, floor;
	struct capture_stats stats; /* the last of the recording */
};

/*
 * Fails as the recording does (-EPERM, ERR_UNSUPPORTED, …, with its words), or when the program does not run on
 * this interpreter (ERR_NOT_PYTHON).
 */
int selftest_run(const struct selftest_case *which, struct selftest_result *ret_result,
		 struct err *err) nodiscard;

#endif
