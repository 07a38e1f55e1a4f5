/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/kernel_rights.h"

#include "base/log.h"
#include "proc/cpu_clock.h"
#include "proc/kernel_names.h"
#include "proc/kernel_stack.h"

void kernel_rights_warn(void)
{
	int (*const checks[])(struct err * err) = {cpu_clock_check, kernel_stack_check,
						   kernel_names_check};

	for (size_t i = 0; i < array_len(checks); i++) {
		struct err err = {0};

		if (checks[i](&err) < 0)
			log_warn("--kernel: %s", err.text);
	}
}
