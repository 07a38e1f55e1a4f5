/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of record_push.c in pyrometer-reader: it has no network, and no options that ask for it. */
#include "cmd/record_push.h"

int record_push_check(const struct record_push_options *options, struct err *err)
{
	return options->url ? err_set(err, ERR_USAGE,
				      "pyrometer-reader has no network: record into a file and "
				      "take that to where pyrometer is")
			    : 0;
}

int record_push_start(const struct record_push_options *options, struct sinks *sinks,
		      struct names *names, struct tree *tree, struct record_push **ret_push,
		      struct err *err)
{
	(void)options;
	(void)sinks;
	(void)names;
	(void)tree;
	(void)ret_push;
	return err_set(err, ERR_UNSUPPORTED, "pyrometer-reader has no network");
}

bool record_push_finish(struct record_push *push)
{
	(void)push;
	return true;
}

void record_push_free(struct record_push *push)
{
	(void)push;
}
