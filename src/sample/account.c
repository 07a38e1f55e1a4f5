/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/account.h"

static int64_t take(int64_t *from_ns, int64_t now_ns)
{
	int64_t passed = now_ns - *from_ns;

	if (passed <= 0)
		return 0;
	*from_ns = now_ns;
	return passed;
}

int64_t account_take_wall(struct account *account, int64_t now_ns)
{
	return take(&account->wall_ns, now_ns);
}

int64_t account_take_cpu(struct account *account, int64_t charged_ns)
{
	return take(&account->cpu_ns, charged_ns);
}

int64_t ledger_rest(const struct ledger *ledger, int64_t total_ns, int64_t owed_ns)
{
	int64_t rest = total_ns - ledger->base_ns - ledger->given_ns - owed_ns;

	return rest > 0 ? rest : 0;
}
