/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/account.h"

#include "base/compiler.h"

/*
 * A sample carries this part of what its thread is owed beyond the spacing of ticks; less at high rates, where
 * the kernel's account moves once for many samples.
 */
#define CATCH_UP 16
#define CATCH_UP_NS 16000000

int64_t account_take_wall(struct account *account, int64_t now_ns)
{
	int64_t passed = max_of(now_ns - account->wall_ns, (int64_t)0);

	account->wall_ns += passed;
	return passed;
}

int64_t account_take_cpu(struct account *account, int64_t charged_ns, int64_t spacing_ns)
{
	int64_t owed = max_of(charged_ns - account->cpu_ns, (int64_t)0), given = owed;

	int64_t parts = spacing_ns > 0 ? max_of((int64_t)CATCH_UP, CATCH_UP_NS / spacing_ns) : 1;

	if (spacing_ns > 0)
		given = min_of(owed, spacing_ns + (owed - spacing_ns) / parts);
	account->cpu_ns += given;
	return given;
}

int64_t ledger_rest(const struct ledger *ledger, int64_t total_ns, int64_t owed_ns)
{
	int64_t rest = total_ns - ledger->base_ns - ledger->given_ns - owed_ns;

	return rest > 0 ? rest : 0;
}
