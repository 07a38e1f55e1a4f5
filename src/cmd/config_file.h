/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command's options out of a YAML (or JSON) file: keys are the names of the options, without dashes; what may be given
 * again is a list.
 *
 *	listen: [127.0.0.1:4040, "[::1]:4040"]
 *	retention: 30d
 *	tenants: true
 *
 * An unknown key, or a value that the option refuses, is an error of one line that names the file and the line.
 */
#ifndef CMD_CONFIG_FILE_H
#define CMD_CONFIG_FILE_H

#include "base/arena.h"
#include "base/opt.h"

/* Texts lie in the arena, which has to outlive `into`. */
int config_file_read(const char *path, const struct opt *opts, struct arena *arena, void *into,
		     struct err *err) nodiscard;

#endif
