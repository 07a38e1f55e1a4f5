/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An icicle: root on top, because that is where reading begins, and deep stacks grow into the page
 * instead of pushing the first rows out of it.  A row is ROW_PX high, the whole is PAGE_PX wide.
 */
#include "format/svg.h"

#include <string.h>

#include "base/utf8.h"
#include "format/amount.h"
#include "format/markup.h"
#include "format/svg_text.h"
#include "profile/flame.h"

#define PAGE_PX 1200
#define LEFT_PX 10
#define WIDE_PX 1180.0 /* svg.js has both too */
#define HEAD_PX 64
#define ROW_PX 17
#define FOOT_PX 52
#define TEXT_DOWN_PX 12.5
#define CHAR_PX 7.3 /* of the 12 px monospaced font, a little more than most have */
#define MIN_LABEL_CHARS 3
#define MIN_BOX_PX 0.1
#define ELLIPSIS "\xe2\x80\xa6"
#define TEXT_MAX_BYTES 240 /* of one name in a picture; the rest is an ellipsis */
#define TEXT_MAX_PRINTABLE                                                                         \
	(6 * TEXT_MAX_BYTES + 4) /* one byte becomes at most \xNN, three \uNNNN */

/* Colour classes, as svg.css and reference palette have them. */
enum colour { OWN, STDLIB, SITE, NATIVE, KERNEL, GC, MARKER, ALL, MERGED, COLOUR_COUNT };

static const struct {
	const char *class, *legend;
} colours[COLOUR_COUNT] = {
	[OWN] = {"own", "own Python"},
	[STDLIB] = {"stdlib", "standard library"},
	[SITE] = {"site", "site-packages"},
	[NATIVE] = {"native", "native"},
	[KERNEL] = {"kernel", "kernel"},
	[GC] = {"gc", "garbage collection"},
	[MARKER] = {"marker", "process, thread"},
	[ALL] = {"all", NULL},
	[MERGED] = {"merged", "merged: too small to draw"},
};

/* One picture while it is written. */
struct svg {
	const struct profile *profile;
	const struct flame *flame;
	const char *unit;
	struct buf *out;
	struct buf label, file; /* of the box at hand */
	double px_per_value;
	uint32_t rows;
	bool is_used[COLOUR_COUNT];
};

static enum colour python_colour(const char *file)
{
	if (strstr(file, "/site-packages/") || strstr(file, "/dist-packages/"))
		return SITE;
	if (strstr(file, "/lib/python") || !strncmp(file, "<frozen ", strlen("<frozen ")))
		return STDLIB;
	return OWN;
}

static bool ends_in_py(const char *file)
{
	size_t len = strlen(file);

	return len >= 3 && !strcmp(file + len - 3, ".py");
}

static enum colour box_colour(const struct svg *svg, uint32_t box)
{
	const struct names *names = svg->profile->names;
	const struct frame *frame =
		names_frame_get(names, (struct frame_id){svg->flame->frame[box]});
	const char *file = names_text(names, frame->file, NULL);

	if (svg->flame->merged[box])
		return MERGED;
	if (!svg->flame->frame[box])
		return ALL;
	switch (frame->kind) {
	case FRAME_NATIVE:
		return NATIVE;
	case FRAME_KERNEL:
		return KERNEL;
	case FRAME_MARKER:
		return strcmp(names_text(names, frame->name, NULL), "[GC]") ? MARKER : GC;
	case FRAME_OTHER:
		return ends_in_py(file) ? python_colour(file) : NATIVE;
	default:
		return python_colour(file);
	}
}

/* ---- texts of a box ---- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/*
 * Printable already here, so that columns can be counted, and short: thousands of boxes repeat a
 * name.
 */
static void text_add(struct buf *out, const char *text)
{
	char printable[TEXT_MAX_PRINTABLE];
	size_t len = strlen(text), cut = min_of(len, (size_t)TEXT_MAX_BYTES);

	while (cut < len && cut && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	buf_put(out, printable, utf8_printable(printable, sizeof(printable), text, cut));
	if (cut < len)
		buf_puts(out, ELLIPSIS);
}

/* "foo (app.py:12)", as py-spy writes it. */
static void label_make(struct svg *svg, uint32_t box)
{
	const struct names *names = svg->profile->names;
	const struct frame *frame =
		names_frame_get(names, (struct frame_id){svg->flame->frame[box]});
	struct str_id name = frame->qualname.v ? frame->qualname : frame->name;

	buf_reset(&svg->label);
	if (svg->flame->merged[box]) {
		buf_printf(&svg->label, "%u merged", svg->flame->merged[box]);
	} else if (!svg->flame->frame[box]) {
		buf_puts(&svg->label, "all");
	} else {
		text_add(&svg->label, names_text(names, name, NULL));
		if (!frame->file.v)
			return;
		buf_puts(&svg->label, " (");
		text_add(&svg->label, base_name(names_text(names, frame->file, NULL)));
		if (frame->line)
			buf_printf(&svg->label, ":%u", frame->line);
		buf_putc(&svg->label, ')');
	}
}

/* First line the label, second the file: svg.js searches both and labels boxes with the first. */
static void tooltip_put(struct svg *svg, uint32_t box)
{
	const struct names *names = svg->profile->names;
	const struct frame *frame =
		names_frame_get(names, (struct frame_id){svg->flame->frame[box]});
	const char *file = names_text(names, frame->file, NULL);
	int64_t whole = svg->flame->total[0];

	buf_puts(svg->out, "<title>");
	markup_put(svg->out, svg->label.data, svg->label.len);
	buf_putc(svg->out, '\n');
	buf_reset(&svg->file);
	text_add(&svg->file, svg->flame->merged[box] ? "" : file);
	markup_put(svg->out, svg->file.data, svg->file.len);
	buf_putc(svg->out, '\n');
	amount_put(svg->out, svg->flame->total[box], svg->unit);
	buf_puts(svg->out, ", ");
	amount_put_share(svg->out, svg->flame->total[box], whole);
	buf_puts(svg->out, " of all, self ");
	amount_put_share(svg->out, svg->flame->merged[box] ? 0 : svg->flame->self[box], whole);
	buf_puts(svg->out, "</title>");
}

/*
 * Bytes of the text that fit into `room` columns; less than all of them leave one for the ellipsis.
 */
static size_t text_fit(const char *text, size_t len, size_t room)
{
	size_t at = 0, used = 0;
	uint32_t code;

	if (utf8_columns(text, len) <= room)
		return len;
	while (at < len) {
		size_t n = utf8_next(text + at, len - at, &code);

		used += utf8_columns(text + at, n);
		if (used >= room)
			break;
		at += n;
	}
	return at;
}

static void label_put(struct svg *svg, double x, double y, double width)
{
	double room = (width - 6) / CHAR_PX;
	size_t len;

	if (room < MIN_LABEL_CHARS)
		return;
	len = text_fit(svg->label.data, svg->label.len, (size_t)room);
	buf_printf(svg->out, "<text x=\"%.4f\" y=\"%.1f\">", x + 3, y + TEXT_DOWN_PX);
	markup_put(svg->out, svg->label.data, len);
	buf_puts(svg->out, len < svg->label.len ? ELLIPSIS "</text>" : "</text>");
}

static void box_put(struct svg *svg, uint32_t box)
{
	double x = LEFT_PX + (double)svg->flame->x[box] * svg->px_per_value;
	double width = (double)svg->flame->width[box] * svg->px_per_value;
	double y = HEAD_PX + svg->flame->depth[box] * ROW_PX;
	enum colour colour = box_colour(svg, box);

	svg->is_used[colour] = true;
	label_make(svg, box);
	buf_printf(svg->out, "<g class=\"b %s\" data-p=\"%u\">", colours[colour].class,
		   svg->flame->parent[box]);
	tooltip_put(svg, box);
	buf_printf(svg->out, "<rect x=\"%.4f\" y=\"%.0f\" width=\"%.4f\" height=\"%d\" rx=\"1\"/>",
		   x, y, width, ROW_PX - 1);
	label_put(svg, x, y, width);
	buf_puts(svg->out, "</g>\n");
}

/* ---- the page around it ---- */

static void head_put(struct svg *svg, const struct format_output *output)
{
	uint32_t height = HEAD_PX + svg->rows * ROW_PX + FOOT_PX;

	buf_printf(svg->out,
		   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" "
		   "height=\"%u\" viewBox=\"0 0 %d %u\">\n<title>",
		   PAGE_PX, height, PAGE_PX, height);
	markup_puts(svg->out, output->title ? output->title : "pyrometer");
	buf_printf(svg->out, "</title>\n<style>\n%s</style>\n", svg_style);
	buf_puts(svg->out,
		 "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" "
		 "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
		 "<rect width=\"6\" height=\"6\" style=\"fill:#edeff1;stroke:none\"/>"
		 "<path d=\"M0 0v6\" stroke=\"#b9bec5\" stroke-width=\"3\"/></pattern></defs>\n"
		 "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n"
		 "<text class=\"title\" x=\"600\" y=\"24\">");
	markup_puts(svg->out, output->title ? output->title : "pyrometer");
	buf_puts(svg->out, "</text>\n<text class=\"note middle\" x=\"600\" y=\"43\">");
	markup_puts(svg->out, output->subtitle ? output->subtitle : "");
	buf_printf(
		svg->out,
		"</text>\n<text id=\"reset\" class=\"button hide\" x=\"%d\" y=\"24\">Reset</text>\n"
		"<text id=\"search\" class=\"button end hide\" x=\"%d\" y=\"24\">Search</text>\n"
		"<text id=\"matched\" class=\"end\" x=\"%d\" y=\"57\"></text>\n",
		LEFT_PX, PAGE_PX - LEFT_PX, PAGE_PX - LEFT_PX);
}

static void legend_put(struct svg *svg, double y)
{
	double x = LEFT_PX;

	for (size_t i = 0; i < COLOUR_COUNT; i++) {
		if (!svg->is_used[i] || !colours[i].legend)
			continue;
		buf_printf(
			svg->out,
			"<g class=\"%s\"><rect x=\"%.1f\" y=\"%.1f\" width=\"11\" height=\"11\"/>"
			"</g><text class=\"note\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
			colours[i].class, x, y - 10, x + 16, y, colours[i].legend);
		x += 16 + CHAR_PX * (double)strlen(colours[i].legend) + 18;
	}
}

/* What the picture shows of what there is. */
static void foot_put(struct svg *svg)
{
	double y = HEAD_PX + svg->rows * ROW_PX + 18;
	uint32_t merged = 0;

	for (uint32_t i = 0; i < svg->flame->n; i++)
		merged += svg->flame->merged[i];
	buf_printf(svg->out, "<text class=\"note\" x=\"%d\" y=\"%.0f\">", LEFT_PX, y);
	if (!svg->flame->total[0])
		buf_puts(svg->out, "no samples");
	else
		amount_put(svg->out, svg->flame->total[0], svg->unit);
	buf_printf(svg->out, " in all, %u of %u boxes drawn", svg->flame->tree_nodes - merged,
		   svg->flame->tree_nodes);
	if (merged) {
		buf_puts(svg->out, ", ");
		amount_put_share(svg->out, svg->flame->merged_total, svg->flame->total[0]);
		buf_puts(svg->out, " in merged ones");
	}
	buf_puts(svg->out, "</text>\n");
	legend_put(svg, y + 20);
}

/* Nodes that are wide enough to be seen; the others are merged. */
static uint32_t visible_nodes(const struct profile *profile, size_t column, struct arena *arena)
{
	const int64_t *totals = profile_totals(profile, column, arena);
	double least = (double)totals[0] * MIN_BOX_PX / WIDE_PX;
	uint32_t n = 1;

	for (uint32_t i = 1; i < profile->tree.n; i++)
		n += totals[i] > 0 && (double)totals[i] >= least;
	return min_of(n, (uint32_t)SVG_MAX_BOXES);
}

static void svg_put(struct svg *svg, const struct format_output *output)
{
	int64_t whole = max_of(svg->flame->width[0], 1);

	svg->px_per_value = WIDE_PX / (double)whole;
	svg->rows = svg->flame->depth[svg->flame->n - 1] + 1u;
	head_put(svg, output);
	for (uint32_t i = 0; i < svg->flame->n; i++)
		box_put(svg, i);
	foot_put(svg);
	buf_printf(svg->out, "<script><![CDATA[\n%s]]></script>\n</svg>\n", svg_script);
}

int svg_write(const struct format_output *output, struct buf *out, struct err *err)
{
	const struct profile *profile = output->profile;
	struct svg svg = {.profile = profile, .out = out};
	struct flame_opts opts = {.column = output->column};
	struct flame flame;
	struct arena arena;

	if (output->column >= profile->n_columns)
		return err_set(err, ERR_USAGE, "the profile has no values to draw");
	arena_init(&arena);
	buf_init(&svg.label, 4 * TEXT_MAX_PRINTABLE);
	buf_init(&svg.file, 4 * TEXT_MAX_PRINTABLE);
	opts.max_nodes = visible_nodes(profile, output->column, &arena);
	flame_layout(profile, &opts, &arena, &flame);
	svg.flame = &flame;
	svg.unit = names_text(profile->names, profile->columns[output->column].type.unit, NULL);
	svg_put(&svg, output);
	buf_done(&svg.label);
	buf_done(&svg.file);
	arena_done(&arena);
	if (out->overflow)
		return err_set(err, ERR_LIMIT, "the picture is larger than %zu bytes",
			       out->ceiling);
	return 0;
}
