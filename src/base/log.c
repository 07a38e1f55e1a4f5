/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"

#define LOG_LINE_MAX 1024

static atomic_int level_shown = LOG_INFO_LEVEL;

void log_set_level(enum log_level level)
{
	atomic_store(&level_shown, (int)level);
}

static void log_line(enum log_level level, const char *kind, const char *fmt, va_list args)
{
	char text[LOG_LINE_MAX], clean[LOG_LINE_MAX], line[LOG_LINE_MAX + 64];
	int len;

	if ((int)level < atomic_load(&level_shown))
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	utf8_printable(clean, sizeof(clean), text, strlen(text));
	len = snprintf(line, sizeof(line), "pyrometer: %s%s\n", kind, clean);
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		return; /* nowhere left to say it */
}

void log_debug(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_DEBUG_LEVEL, "debug: ", fmt, args);
	va_end(args);
}

void log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_INFO_LEVEL, "", fmt, args);
	va_end(args);
}

void log_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_WARN_LEVEL, "warning: ", fmt, args);
	va_end(args);
}

void log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_ERROR_LEVEL, "error: ", fmt, args);
	va_end(args);
}
