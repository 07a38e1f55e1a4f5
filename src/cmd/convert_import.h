/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `convert` of what is no capture: a profile of any format that can be read, into any that can be written.
 */
#ifndef CMD_CONVERT_IMPORT_H
#define CMD_CONVERT_IMPORT_H

#include "cmd/render.h"

#define CONVERT_IMPORT_MAX_BYTES ((size_t)1 << 30)

struct convert_import {
	const char *path;
	const struct render_choice *choice;
	struct output *output;
	const char *perf_map; /* NULL: none */
	bool keep_markers;    /* processes and threads apart */
	bool by_function;
	bool is_output_error; /* out: what failed is the output */
};

/*
 * `err` holds why the file is no capture, and is completed when it is nothing else either.  `has_filter`: samples were
 * to be chosen, which only a capture has.
 */
int convert_import(struct convert_import *import, bool has_filter, struct err *err) nodiscard;

#endif
