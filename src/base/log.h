/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line on stderr per event: "pyrometer: warning: text", printable UTF-8 whatever the arguments
 * hold.  Modules below agent log debug only; people read errors from struct err.  Any thread may
 * call these; a line is one write().
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/compiler.h"

enum log_level { LOG_DEBUG_LEVEL, LOG_INFO_LEVEL, LOG_WARN_LEVEL, LOG_ERROR_LEVEL };

/* Lines below `level` are dropped; LOG_INFO_LEVEL at start.  The only mutable global of the
 * program. */
void log_set_level(enum log_level level);

void log_debug(const char *fmt, ...) printf_like(1, 2);
void log_info(const char *fmt, ...) printf_like(1, 2);
void log_warn(const char *fmt, ...) printf_like(1, 2);
void log_error(const char *fmt, ...) printf_like(1, 2);

#endif
