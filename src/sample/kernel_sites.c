/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/kernel_sites.h"

#include <stddef.h>

static struct kernel_site *find(struct kernel_sites *sites, uint64_t pc)
{
	for (size_t i = 0; i < KERNEL_SITES_MAX; i++)
		if (sites->items[i].pc == pc)
			return &sites->items[i];
	return NULL;
}

static struct kernel_site *make(struct kernel_sites *sites, uint64_t pc)
{
	struct kernel_site *oldest = &sites->items[0];

	for (size_t i = 1; i < KERNEL_SITES_MAX; i++)
		if (sites->items[i].used_ns < oldest->used_ns)
			oldest = &sites->items[i];
	*oldest = (struct kernel_site){.pc = pc};
	return oldest;
}

void kernel_sites_owe(struct kernel_sites *sites, const struct cpu_clock_reading *look,
		      int64_t period_ns)
{
	struct kernel_site *site;

	if (!look->user_pc || !look->n_kernel)
		return;
	site = find(sites, look->user_pc);
	if (!site)
		site = make(sites, look->user_pc);
	site->owed_ns += period_ns;
	site->used_ns = look->time_ns;
	site->look = *look;
}

const struct cpu_clock_reading *kernel_sites_pay(struct kernel_sites *sites, uint64_t pc,
						 int64_t cost_ns)
{
	struct kernel_site *site = pc ? find(sites, pc) : NULL;

	if (!site || 2 * site->owed_ns < cost_ns)
		return NULL;
	site->owed_ns = min_of(site->owed_ns - cost_ns, KERNEL_SITES_OWED_SAMPLES * cost_ns);
	return &site->look;
}
