/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tables cost: unwind_tables FILE... opens each file, decodes every function of it (a profiler decodes
 * those that stacks pass through), and keeps all of them open.  A line per file and one of all together;
 * tests/bench/unwind.py reads them.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/vec.h"
#include "resident.h"
#include "unwind/table.h"

struct cost {
	double open_us, decode_us;
	size_t functions, rows, bytes;
};

static int measure(const char *path, struct table *table, struct rows *rows, struct cost *ret_cost)
{
	struct elf *elf;
	int64_t start = clock_monotonic_ns();
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int r = elf_open(fd, &elf, NULL);
	if (r < 0)
		return r;
	table_init(table, elf);
	int64_t opened = clock_monotonic_ns();
	size_t n = 0;
	const struct eh_index *index = table->frame ? eh_frame_index(table->frame) : NULL;
	for (size_t i = 0; index && i < index->n; i++) {
		const struct function *function;

		if (rows_are_full(rows))
			rows_forget(rows); /* as the unwinder does */
		if (table_function(table, rows, index->base + index->starts[i], &function) > 0)
			n += function->n;
	}
	*ret_cost = (struct cost){.open_us = (double)(opened - start) / 1e3,
				  .decode_us = (double)(clock_monotonic_ns() - opened) / 1e3,
				  .functions = index ? index->n : 0,
				  .rows = n,
				  .bytes = table_bytes(table)};
	return 0;
}

int main(int argc, char **argv)
{
	struct rows rows = {0};
	struct table *tables = xcalloc((size_t)argc, sizeof(*tables));

	for (int i = 1; i < argc; i++) {
		struct cost cost = {0};

		if (measure(argv[i], &tables[i], &rows, &cost) < 0) {
			fprintf(stderr, "%s: cannot be read\n", argv[i]);
			continue;
		}
		printf("%s functions %zu rows %zu open_us %.0f decode_us %.0f index_bytes %zu\n",
		       argv[i], cost.functions, cost.rows, cost.open_us, cost.decode_us,
		       cost.bytes);
	}
	printf("all rules %zu rows_bytes %zu rss_kb %ld\n", rows.n_rules, rows_bytes(&rows),
	       resident_kb());
	for (int i = 1; i < argc; i++)
		table_done(&tables[i]);
	free(tables);
	rows_done(&rows);
	return 0;
}
