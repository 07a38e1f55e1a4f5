/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why something failed, in words for a person.
 *
 * A fallible function returns int: >= 0 is success, negative is -errno or an ERR_ code.  Where a
 * person will read the reason its last parameter is `struct err *err`: the caller's storage, may be
 * NULL, written only on failure.  The text is one line without a final full stop, says what to do
 * where that is known, and holds printable UTF-8 only: err_set() escapes control characters, so
 * that hostile names can be passed with %s.
 *
 *	return err_set(err, -ESRCH, "process %d has ended", pid);
 *	...
 *	if (r < 0)
 *		return err_prefix(err, r, "cannot read %s", path);	("cannot read x: no such
 * file")
 *
 * Any thread may call these; they touch nothing but their arguments.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/compiler.h"

#define ERR_TEXT_MAX 512

/* Our own codes start below every errno. */
enum {
	ERR_CORRUPT = -4097,	 /* bytes do not follow their format */
	ERR_LIMIT = -4098,	 /* a named limit was exceeded */
	ERR_UNSUPPORTED = -4099, /* understood, but not something we can do */
	ERR_USAGE = -4100,	 /* wrong argument on the command line or in a request */
	ERR_NOT_PYTHON = -4101,	 /* the process holds no Python that we know */
	ERR_TORN = -4102,	 /* a live process changed while it was read: try again or drop */
	ERR_GONE = -4103,	 /* the target ended */
	ERR_DUPLICATE = -4104,	 /* already known; counts as done */
};

struct err {
	int code;
	/*
	 * A fixed word for what was wrong, where someone counts ("samples_limit"): programs go by it, people by
	 * the text.  NULL: no word.
	 */
	const char *reason;
	char text[ERR_TEXT_MAX];
};

/* Store code and text; returns code, so that it can be returned in the same line. */
int err_set(struct err *err, int code, const char *fmt, ...) printf_like(3, 4);

/* Like err_set(), with a reason: a constant string. */
int err_because(struct err *err, int code, const char *reason, const char *fmt, ...)
	printf_like(4, 5);

/* Like err_set() with the text of `code` (see err_name()) appended after ": ". */
int err_sys(struct err *err, int code, const char *fmt, ...) printf_like(3, 4);

/* Put context in front of the text that is already there (advice behind it); returns code. */
int err_prefix(struct err *err, int code, const char *fmt, ...) printf_like(3, 4);
int err_suffix(struct err *err, int code, const char *fmt, ...) printf_like(3, 4);

/* "No such process" for -ESRCH, "corrupt data" for ERR_CORRUPT; a constant string. */
const char *err_name(int code);

#endif
