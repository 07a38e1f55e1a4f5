/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of speedscope_read.c in pyrometer-reader, which has no JSON reader. */
#include "format/speedscope.h"

int speedscope_read(const void *data, size_t len, const struct format_limits *limits,
		    struct profile *into, struct err *err)
{
	(void)data;
	(void)len;
	(void)limits;
	(void)into;
	return err_set(err, ERR_UNSUPPORTED,
		       "pyrometer-reader does not read speedscope files: use pyrometer convert");
}
