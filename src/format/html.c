/* SPDX-License-Identifier: Apache-2.0 */
#include "format/html.h"

#include <string.h>

#include "base/arena.h"
#include "codec/json.h"
#include "format/amount.h"
#include "format/markup.h"
#include "format/view.h"
#include "profile/flame.h"
#include "profile/table.h"

#define STATIC_ROWS 50 /* of the table for readers without JavaScript */

static void row_put(const struct profile *profile, const struct func_row *row, int64_t whole,
		    struct buf *out)
{
	const struct frame *frame = names_func_get(profile->names, row->func);
	struct str_id name = frame->qualname.v ? frame->qualname : frame->name;

	buf_puts(out, "<tr><td>");
	markup_puts(out, names_text(profile->names, name, NULL));
	buf_puts(out, "</td><td>");
	markup_puts(out, names_text(profile->names, frame->file, NULL));
	buf_puts(out, "</td><td>");
	amount_put_share(out, row->self, whole);
	buf_puts(out, "</td><td>");
	amount_put_share(out, row->total, whole);
	buf_puts(out, "</td></tr>\n");
}

/* The same numbers as in the interactive table, for who cannot run it. */
static void static_table_put(const struct format_output *output, struct buf *out)
{
	const struct profile *profile = output->profile;
	int64_t whole = profile_sum(profile, output->column);
	struct func_row *rows;
	struct arena arena;
	size_t n;

	arena_init(&arena);
	n = func_table(profile, output->column, FUNC_BY_SELF, &arena, &rows);
	buf_puts(out, "<noscript><h1>");
	markup_puts(out, output->title ? output->title : "pyrometer");
	buf_puts(out, "</h1><p>");
	markup_puts(out, output->subtitle ? output->subtitle : "");
	buf_printf(out, "</p><p>%zu of %zu functions; the flame graph needs JavaScript.  In all: ",
		   min_of(n, (size_t)STATIC_ROWS), n);
	amount_put(out, whole,
		   names_text(profile->names, profile->columns[output->column].type.unit, NULL));
	buf_puts(out, "</p><table><thead><tr><th>Function</th><th>File</th><th>Self</th>"
		      "<th>Total</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < min_of(n, (size_t)STATIC_ROWS); i++)
		row_put(profile, &rows[i], whole, out);
	buf_puts(out, "</tbody></table></noscript>\n");
	arena_done(&arena);
}

/* "cpu" in nanoseconds is what the page calls process_cpu:cpu:nanoseconds:cpu:nanoseconds. */
static void profile_type_put(const struct format_output *output, struct json_writer *json)
{
	const struct profile *profile = output->profile;
	const struct sample_type *type = &profile->columns[output->column].type;
	const char *name = names_text(profile->names, type->type, NULL);
	const char *unit = names_text(profile->names, type->unit, NULL);
	struct buf text;

	buf_init(&text, 8 * (NAME_MAX_BYTES + 1));
	buf_printf(&text, "%s%s:%s:%s:%s:%s", strcmp(name, "cpu") ? "" : "process_", name, name,
		   unit, name, unit);
	json_member_str(json, "profile_type", text.data);
	buf_done(&text);
}

/* {"title":…,"subtitle":…,"view":…}: no '<' can leave its string. */
static int data_put(const struct format_output *output, struct buf *out, struct err *err)
{
	int64_t ms = output->profile->duration_ns / 1000000;
	struct view_facts facts = {.covered_ms = ms, .wall_ms = ms, .series = 1};
	struct view_request request = {.column = output->column,
				       .group = GROUP_FUNCTION,
				       .is_split = true,
				       .max_nodes = FLAME_MAX_NODES,
				       .max_rows = UINT32_MAX,
				       .json_flags = JSON_ESCAPE_MARKUP};
	struct json_writer json;
	int r;

	json_writer_init(&json, out, JSON_ESCAPE_MARKUP);
	json_object(&json);
	json_member_str(&json, "title", output->title ? output->title : "");
	json_member_str(&json, "subtitle", output->subtitle ? output->subtitle : "");
	profile_type_put(output, &json);
	json_key(&json, "view");
	json_raw(&json, "", 0);
	r = view_write(output->profile, &request, &facts, out, err);
	json_end(&json);
	return r;
}

static void head_put(const struct html_bundle *bundle, const struct format_output *output,
		     struct buf *out)
{
	buf_puts(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width\">\n"
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"");
	markup_puts(out, bundle->policy);
	buf_puts(out, "\">\n<title>");
	markup_puts(out, output->title ? output->title : "pyrometer");
	/* Nothing may stand between the tags and the text: the policy has its checksum. */
	buf_printf(out, "</title>\n<style>%s</style></head>\n<body>\n", bundle->style);
}

int html_write_with(const struct html_bundle *bundle, const struct format_output *output,
		    struct buf *out, struct err *err)
{
	int r;

	if (output->column >= output->profile->n_columns)
		return err_set(err, ERR_USAGE, "the profile has no values to draw");
	head_put(bundle, output, out);
	static_table_put(output, out);
	buf_puts(out, "<script id=\"pyrometer-data\" type=\"application/json\">");
	r = data_put(output, out, err);
	if (r < 0)
		return r;
	buf_puts(out, "</script>\n<script>");
	buf_puts(out, bundle->script);
	buf_puts(out, "</script>\n</body></html>\n");
	if (out->overflow)
		return err_set(err, ERR_LIMIT, "the report is larger than %zu bytes", out->ceiling);
	return 0;
}

int html_write(const struct format_output *output, struct buf *out, struct err *err)
{
	if (!html_bundle_is_built())
		return err_set(err, ERR_UNSUPPORTED,
			       "this build has no web bundle; configure with -Dweb=enabled "
			       "(needs Node 18), or write -f flamegraph");
	return html_write_with(&html_bundle, output, out, err);
}
