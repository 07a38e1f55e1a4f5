/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static int err_store(struct err *err, int code, const char *reason, const char *text)
{
	if (err) {
		err->code = code;
		err->reason = reason;
		utf8_printable(err->text, sizeof(err->text), text, strlen(text));
	}
	return code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	char text[2 * ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return err_store(err, code, NULL, text);
}

int err_because(struct err *err, int code, const char *reason, const char *fmt, ...)
{
	char text[2 * ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return err_store(err, code, reason, text);
}

int err_sys(struct err *err, int code, const char *fmt, ...)
{
	char what[ERR_TEXT_MAX], text[2 * ERR_TEXT_MAX + 8];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	snprintf(text, sizeof(text), "%s: %s", what, err_name(code));
	return err_store(err, code, NULL, text);
}

int err_prefix(struct err *err, int code, const char *fmt, ...)
{
	char what[ERR_TEXT_MAX], text[2 * ERR_TEXT_MAX + 8];
	va_list args;

	if (!err)
		return code;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	snprintf(text, sizeof(text), "%s: %s", what, err->text);
	return err_store(err, code, err->reason, text);
}

int err_suffix(struct err *err, int code, const char *fmt, ...)
{
	char more[ERR_TEXT_MAX], text[2 * ERR_TEXT_MAX + 8];
	va_list args;

	if (!err)
		return code;
	va_start(args, fmt);
	vsnprintf(more, sizeof(more), fmt, args);
	va_end(args);
	snprintf(text, sizeof(text), "%s%s", err->text, more);
	return err_store(err, code, err->reason, text);
}

const char *err_name(int code)
{
	switch (code) {
	case ERR_CORRUPT:
		return "corrupt data";
	case ERR_LIMIT:
		return "limit exceeded";
	case ERR_UNSUPPORTED:
		return "not supported";
	case ERR_USAGE:
		return "wrong usage";
	case ERR_NOT_PYTHON:
		return "not a Python process";
	case ERR_TORN:
		return "changed while it was read";
	case ERR_GONE:
		return "the process has ended";
	case ERR_DUPLICATE:
		return "already known";
	default: {
		/* strerrordesc_np: the constant English text, whatever the locale; glibc 2.32. */
		const char *text = strerrordesc_np(-code);

		return text ? text : "unknown error";
	}
	}
}
