/* SPDX-License-Identifier: Apache-2.0 */
#include "format/amount.h"

#include <string.h>

#include "format/markup.h"

struct step {
	double size; /* from this value on */
	const char *name;
};

static const struct step time_steps[] = {
	{3600e9, "h"}, {120e9, "min"}, {1e9, "s"}, {1e6, "ms"}, {1e3, "\xc2\xb5s"}, {0, "ns"},
};

static const struct step byte_steps[] = {
	{1024.0 * 1024 * 1024, "GiB"},
	{1024.0 * 1024, "MiB"},
	{1024, "KiB"},
	{0, "B"},
};

/* Minutes begin at two of them, but count from one. */
static double step_unit(const struct step *step)
{
	if (!strcmp(step->name, "min"))
		return 60e9;
	return step->size > 0 ? step->size : 1;
}

static void scaled_put(struct buf *out, int64_t value, const struct step *steps)
{
	double amount = (double)value, size = amount < 0 ? -amount : amount;

	while (size < steps->size)
		steps++;
	if (steps->size > 0)
		buf_printf(out, "%.2f %s", amount / step_unit(steps), steps->name);
	else
		buf_printf(out, "%lld %s", (long long)value, steps->name);
}

void amount_put(struct buf *out, int64_t value, const char *unit)
{
	if (!strcmp(unit, "nanoseconds")) {
		scaled_put(out, value, time_steps);
	} else if (!strcmp(unit, "bytes")) {
		scaled_put(out, value, byte_steps);
	} else {
		buf_printf(out, "%lld ", (long long)value);
		markup_puts(out, !strcmp(unit, "count") ? "samples" : unit);
	}
}

void amount_put_share(struct buf *out, int64_t value, int64_t whole)
{
	buf_printf(out, "%.2f %%", whole ? 100.0 * (double)value / (double)whole : 0.0);
}
