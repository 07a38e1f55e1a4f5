/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long and how much is kept, as people write it (serve --keep):
 *
 *	[TENANT/]LEVEL=WHAT
 *
 *	LEVEL	10s 1m 10m 1h 1d, or all: of ages each level, of sizes their sum
 *	WHAT	an age ("30d"), a size of one tenant's files ("20GiB"; it ends in B), or forever
 *
 * A tenant's rules change what holds for all at that moment, so general rules come first.
 */
#ifndef SERVER_KEEP_RULES_H
#define SERVER_KEEP_RULES_H

#include "base/err.h"
#include "store/store.h"

#define KEEP_RULES_MAX_TENANTS 64

struct keep_rules {
	struct store_retention standard; /* set before the first rule */
	struct store_tenant_retention tenants[KEEP_RULES_MAX_TENANTS]; /* names are owned */
	size_t n_tenants;
};

void keep_rules_done(struct keep_rules *rules); /* all-zero is fine */
/* ERR_USAGE says what is wrong with it. */
int keep_rules_add(struct keep_rules *rules, const char *rule, struct err *err) nodiscard;

#endif
