/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/utf8.h"
#include "format/collapsed.h"
#include "format/collapsed_private.h"
#include "format/frame_kind.h"
#include "format/stack_text.h"

/* What no eye sees: C1, turned directions, no width.  The bytes it takes, 0 for any other. */
static size_t hidden(const char *text, uint32_t *ret_code)
{
	size_t taken;

	if ((unsigned char)*text < 0x80)
		return 0;
	taken = utf8_next(text, strnlen(text, 4), ret_code);
	return *ret_code <= 0xffff && !utf8_code_is_printable(*ret_code) ? taken : 0;
}

/* '#' would make a comment of a line that it begins. */
static bool needs_escape(const char *text, bool begins_line)
{
	unsigned char c = (unsigned char)*text;
	uint32_t code;

	return c < 0x20 || c == 0x7f || c == ';' || (c == '\\' && text[1] == 'x') ||
	       (c == '\\' && stack_text_escape(text, strnlen(text, 6), &code)) ||
	       (c == '#' && begins_line) || hidden(text, &code);
}

static void put_text(struct buf *out, const char *text)
{
	bool begins_line = !out->len || out->data[out->len - 1] == '\n';
	size_t plain;
	uint32_t code;

	for (; *text; text += plain) {
		for (plain = 0; text[plain] && !needs_escape(text + plain, begins_line && !plain);
		     plain++)
			;
		buf_put(out, text, plain);
		begins_line = false;
		if (hidden(text + plain, &code)) {
			plain += hidden(text + plain, &code);
			buf_printf(out, "\\u%04x", code);
		} else if (text[plain]) {
			buf_printf(out, "\\x%02x", (unsigned char)text[plain++]);
		}
	}
}

static void put_frame(const struct names *names, struct frame_id id, struct buf *out)
{
	const struct frame *frame = names_frame_get(names, id);
	const char *place = frame_place(names, frame);

	put_text(out, names_text(names, frame->name, NULL));
	if (frame->kind == FRAME_KERNEL) {
		buf_puts(out, COLLAPSED_KERNEL_SUFFIX);
		return;
	}
	if (!*place)
		return;
	buf_puts(out, " (");
	put_text(out, place);
	if (frame->line && frame->file.v)
		buf_printf(out, ":%u", frame->line);
	buf_putc(out, ')');
}

/* The column that is written: entries where they are asked for and known. */
static size_t value_column(const struct format_output *output)
{
	int entries = profile_find_column(output->profile, "samples", "count", NULL);

	return output->count_entries && entries >= 0 ? (size_t)entries : output->column;
}

int collapsed_write(const struct format_output *output, struct buf *out, struct err *err)
{
	const struct profile *profile = output->profile;
	size_t column = value_column(output);
	struct frame_id path[TREE_MAX_DEPTH];

	for (uint32_t node = 0; node < profile->tree.n && !out->overflow; node++) {
		int64_t value = profile_value(profile, column, (struct node_id){node});
		size_t n;

		if (value <= 0)
			continue;
		n = tree_path(&profile->tree, (struct node_id){node}, path, TREE_MAX_DEPTH);
		for (size_t i = 0; i < n; i++) {
			if (i)
				buf_putc(out, ';');
			put_frame(profile->names, path[i], out);
		}
		if (!n)
			buf_puts(out, COLLAPSED_NO_STACK);
		buf_printf(out, " %lld\n", (long long)value);
	}
	if (out->overflow)
		return err_set(err, ERR_LIMIT,
			       "the collapsed output is over its limit of %zu bytes", out->ceiling);
	return 0;
}
