/* SPDX-License-Identifier: Apache-2.0 */
#include "format/markdown.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "format/amount.h"
#include "format/frame_kind.h"
#include "format/view_private.h"
#include "profile/table.h"

#define MAX_FUNCTIONS 25
#define MAX_STACKS 10
#define MAX_STACK_FRAMES 40 /* the innermost ones */

struct report {
	const struct format_output *output;
	struct arena arena;
	struct profile value; /* the column, without markers */
	struct view_stages stages;
	const char *unit;
	int64_t total;
	struct buf *out;
};

/* One line of plain text; HTML's own characters are entities in Markdown, too. */
static void put_text(struct buf *out, const char *text)
{
	char printable[1024];

	(void)utf8_printable(printable, sizeof(printable), text, strlen(text));
	for (const char *at = printable; *at; at++) {
		if (*at == '<')
			buf_puts(out, "&lt;");
		else if (*at == '&')
			buf_puts(out, "&amp;");
		else if (strchr("\\`*_{}[]()#|~$!>", *at))
			buf_printf(out, "\\%c", *at);
		else
			buf_putc(out, *at);
	}
}

static void put_place(const struct report *report, const struct frame *frame, uint32_t line)
{
	put_text(report->out, frame_place(report->value.names, frame));
	if (line && frame->file.v)
		buf_printf(report->out, ":%u", line);
}

static void put_name(const struct report *report, const struct frame *frame)
{
	struct str_id name = frame->qualname.v ? frame->qualname : frame->name;

	put_text(report->out, names_text(report->value.names, name, NULL));
}

static void put_cells(const struct report *report, int64_t value)
{
	buf_puts(report->out, "| ");
	amount_put(report->out, value, report->unit);
	buf_puts(report->out, " | ");
	amount_put_share(report->out, value, report->total);
	buf_putc(report->out, ' ');
}

static void put_functions(struct report *report, enum func_order order, const char *title)
{
	const struct names *names = report->value.names;
	struct func_row *rows;
	size_t n = func_table(report->stages.last, 0, order, &report->arena, &rows);

	buf_printf(
		report->out,
		"\n## %s\n\n| self | | total | | function | where |\n|--:|--:|--:|--:|---|---|\n",
		title);
	for (size_t i = 0; i < min_of(n, (size_t)MAX_FUNCTIONS); i++) {
		const struct frame *frame = names_func_get(names, rows[i].func);

		put_cells(report, rows[i].self);
		put_cells(report, rows[i].total);
		buf_puts(report->out, "| ");
		put_name(report, frame);
		buf_puts(report->out, " | ");
		put_place(report, frame, frame->first_line);
		buf_puts(report->out, " |\n");
	}
	if (n > MAX_FUNCTIONS)
		buf_printf(report->out, "\n%zu more functions.\n", n - MAX_FUNCTIONS);
}

/* ---- stacks ---- */

struct hot {
	uint32_t node;
	int64_t value;
};

static int compare_hot(const void *a, const void *b)
{
	const struct hot *one = a, *two = b;

	if (one->value != two->value)
		return one->value < two->value ? 1 : -1;
	return one->node < two->node ? -1 : 1;
}

static size_t find_hot(struct report *report, struct hot **ret_hot)
{
	const struct profile *profile = report->stages.last;
	struct hot *hot = arena_array(&report->arena, profile->tree.n, sizeof(*hot));
	size_t n = 0;

	for (uint32_t i = 0; i < profile->tree.n; i++) {
		int64_t value = profile_value(profile, 0, (struct node_id){i});

		if (value > 0)
			hot[n++] = (struct hot){i, value};
	}
	qsort(hot, n, sizeof(*hot), compare_hot);
	*ret_hot = hot;
	return n;
}

static void put_stack(struct report *report, const struct hot *hot, size_t number)
{
	const struct profile *profile = report->stages.last;
	struct frame_id path[TREE_MAX_DEPTH];
	size_t n = tree_path(&profile->tree, (struct node_id){hot->node}, path, TREE_MAX_DEPTH);
	size_t first = n > MAX_STACK_FRAMES ? n - MAX_STACK_FRAMES : 0;

	buf_printf(report->out, "\n%zu. ", number);
	amount_put(report->out, hot->value, report->unit);
	buf_puts(report->out, ", ");
	amount_put_share(report->out, hot->value, report->total);
	buf_puts(report->out, "\n");
	if (first)
		buf_printf(report->out, "   - %zu outer frames\n", first);
	for (size_t i = first; i < n; i++) {
		const struct frame *frame = names_frame_get(profile->names, path[i]);

		buf_puts(report->out, "   - ");
		put_name(report, frame);
		buf_putc(report->out, ' ');
		put_place(report, frame, frame->line);
		buf_putc(report->out, '\n');
	}
}

static void put_stacks(struct report *report)
{
	struct hot *hot;
	size_t n = find_hot(report, &hot);

	buf_puts(report->out, "\n## Hottest stacks\n");
	for (size_t i = 0; i < min_of(n, (size_t)MAX_STACKS); i++)
		put_stack(report, &hot[i], i + 1);
	if (n > MAX_STACKS)
		buf_printf(report->out, "\n%zu more stacks.\n", n - MAX_STACKS);
}

static void put_head(const struct report *report)
{
	const struct format_output *output = report->output;

	buf_puts(report->out, "# ");
	put_text(report->out, output->title ? output->title : "Profile");
	buf_puts(report->out, "\n\n");
	if (output->subtitle) {
		put_text(report->out, output->subtitle);
		buf_puts(report->out, "\n\n");
	}
	buf_puts(report->out, "Total: ");
	amount_put(report->out, report->total, report->unit);
	buf_putc(report->out, '\n');
}

int markdown_write(const struct format_output *output, struct buf *out, struct err *err)
{
	struct view_request request = {.column = output->column, .group = GROUP_LINE};
	struct report report = {.output = output, .out = out};
	int r;

	arena_init(&report.arena);
	view_value(output->profile, &request, &report.arena, &report.value);
	if (!report.value.n_columns)
		report.value.n_columns = 1; /* no data: one column of zeros */
	report.stages.last = &report.value;
	r = view_stages_run(&report.stages, &request, err);
	if (r == 0) {
		report.unit =
			names_text(report.value.names, report.value.columns[0].type.unit, NULL);
		report.total = profile_sum(report.stages.last, 0);
		put_head(&report);
		put_functions(&report, FUNC_BY_SELF, "Functions by their own time");
		put_functions(&report, FUNC_BY_TOTAL, "Functions with all that they call");
		put_stacks(&report);
	}
	view_stages_done(&report.stages);
	arena_done(&report.arena);
	return r < 0 ? r : view_out_check(out, err);
}
