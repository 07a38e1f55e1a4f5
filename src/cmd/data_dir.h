/* SPDX-License-Identifier: Apache-2.0 */
/* The directory that keeps the profiles, for the commands that work on it. */
#ifndef CMD_DATA_DIR_H
#define CMD_DATA_DIR_H

#include "base/err.h"

#define DATA_DIR_BYTES 4096

/* Where it is when nobody says. */
int data_dir_default(char out[DATA_DIR_BYTES], struct err *err) nodiscard;
/* mkdir -p, the last part for the owner only; fails when it cannot be written to. */
int data_dir_make(const char *path, struct err *err) nodiscard;

#endif
