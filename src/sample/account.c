/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/account.h"

#include "base/compiler.h"

/* A sample carries this part of what its thread is owed beyond one period. */
#define ACCOUNT_CATCH_UP 16

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

int64_t account_take_cpu(struct account *account, int64_t charged_ns, int64_t period_ns)
{
	int64_t owed = charged_ns - account->cpu_ns, given = owed;

	if (owed <= 0)
		return 0;
	if (period_ns > 0)
		given = min_of(owed, period_ns + (owed - period_ns) / ACCOUNT_CATCH_UP);
	account->cpu_ns += given;
	return given;
}

int64_t ledger_rest(const struct ledger *ledger, int64_t total_ns, int64_t owed_ns)
{
	int64_t rest = total_ns - ledger->base_ns - ledger->given_ns - owed_ns;

	return rest > 0 ? rest : 0;
}
