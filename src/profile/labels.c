/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/labels.h"

#include <string.h>

#include "base/utf8.h"
#include "profile/label_scan.h"

#define BLANKS " \t\r\n"

/* Index of the label, or where it belongs; *ret_is_there says which. */
static size_t label_place(const struct labels *labels, const char *name, bool *ret_is_there)
{
	size_t i = 0;
	int order = 1;

	while (i < labels->n && (order = strcmp(labels->items[i].name, name)) < 0)
		i++;
	*ret_is_there = i < labels->n && order == 0;
	return i;
}

static const char *text_cleaned(struct arena *arena, const char *text)
{
	size_t len = strlen(text);
	char *out;

	if (utf8_is_valid(text, len))
		return arena_strndup(arena, text, len);
	out = arena_alloc(arena, 3 * len + 1);
	(void)utf8_clean(out, 3 * len + 1, text, len);
	return out;
}

static int label_remove(struct labels *labels, size_t place)
{
	memmove(&labels->items[place], &labels->items[place + 1],
		(labels->n - place - 1) * sizeof(*labels->items));
	labels->n--;
	return 0;
}

static int label_check(const char *name, const char *value, struct err *err)
{
	if (!*name)
		return err_because(err, ERR_USAGE, "invalid_labels", "a label needs a name");
	if (strlen(name) > LABEL_NAME_MAX_BYTES)
		return err_because(err, ERR_LIMIT, "label_name_too_long",
				   "label name is longer than %d bytes: %.64s…",
				   LABEL_NAME_MAX_BYTES, name);
	if (value && strlen(value) > LABEL_VALUE_MAX_BYTES)
		return err_because(err, ERR_LIMIT, "label_value_too_long",
				   "value of label %s is longer than %d bytes", name,
				   LABEL_VALUE_MAX_BYTES);
	return 0;
}

int labels_set(struct labels *labels, struct arena *arena, const char *name, const char *value,
	       struct err *err)
{
	bool is_there;
	size_t place;
	int r = label_check(name, value, err);

	if (r < 0)
		return r;
	name = text_cleaned(arena, name);
	value = text_cleaned(arena, value ? value : "");
	r = label_check(name, value, err); /* cleaning can make texts longer */
	if (r < 0)
		return r;
	place = label_place(labels, name, &is_there);
	if (!*value)
		return is_there ? label_remove(labels, place) : 0;
	if (!is_there) {
		if (labels->n == LABELS_MAX)
			return err_because(err, ERR_LIMIT, "max_label_names_per_series",
					   "more than %d labels", LABELS_MAX);
		memmove(&labels->items[place + 1], &labels->items[place],
			(labels->n - place) * sizeof(*labels->items));
		labels->n++;
	}
	labels->items[place] = (struct label){.name = name, .value = value};
	return 0;
}

const char *labels_get(const struct labels *labels, const char *name)
{
	bool is_there;
	size_t place = label_place(labels, name, &is_there);

	return is_there ? labels->items[place].value : NULL;
}

/* ---- text ---- */

static void string_format(const char *text, struct buf *out)
{
	buf_putc(out, '"');
	for (;;) {
		size_t plain = strcspn(text, "\n\"\\");

		buf_put(out, text, plain);
		text += plain;
		if (!*text)
			break;
		buf_putc(out, '\\');
		buf_putc(out, *text == '\n' ? 'n' : *text);
		text++;
	}
	buf_putc(out, '"');
}

static void name_format(const char *name, struct buf *out)
{
	size_t n = 0;

	if (label_name_begins(name[0]))
		while (label_name_goes_on(name[n]))
			n++;
	if (n && !name[n])
		buf_puts(out, name);
	else
		string_format(name, out);
}

void labels_format(const struct labels *labels, struct buf *out)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < labels->n; i++) {
		if (i)
			buf_putc(out, ',');
		name_format(labels->items[i].name, out);
		buf_putc(out, '=');
		string_format(labels->items[i].value, out);
	}
	buf_putc(out, '}');
}

static int label_parse(struct label_scan *scan, struct labels *labels, struct err *err)
{
	const char *name, *value;
	int r = label_scan_name(scan, &name, err);

	if (r < 0)
		return r;
	if (!label_scan_take(scan, '='))
		return label_scan_fail(scan, "'='", err);
	r = label_scan_string(scan, &value, err);
	if (r < 0)
		return r;
	if (labels_get(labels, name))
		return err_set(err, ERR_USAGE, "label %s is there twice", name);
	return labels_set(labels, scan->arena, name, value, err);
}

int labels_parse(const char *text, struct arena *arena, struct labels *ret_labels, struct err *err)
{
	struct label_scan scan = {.text = text, .at = text, .arena = arena};
	struct labels labels = {0};

	if (!label_scan_take(&scan, '{'))
		return label_scan_fail(&scan, "'{'", err);
	while (!label_scan_take(&scan, '}')) {
		int r = label_parse(&scan, &labels, err);

		if (r < 0)
			return r;
		if (!label_scan_take(&scan, ',') && label_scan_peek(&scan) != '}')
			return label_scan_fail(&scan, "',' or '}'", err);
	}
	if (label_scan_peek(&scan))
		return label_scan_fail(&scan, "the end", err);
	*ret_labels = labels;
	return 0;
}

/* ---- the name parameter of /ingest ---- */

/* Not label_scan_peek(): '#' begins no comment here. */
static char peek_plain(struct label_scan *scan)
{
	scan->at += strspn(scan->at, BLANKS);
	return *scan->at;
}

static bool take_plain(struct label_scan *scan, char c)
{
	if (peek_plain(scan) != c)
		return false;
	scan->at++;
	return true;
}

/* Text up to one of `stops`, without the spaces around it. */
static char *word_until(struct label_scan *scan, const char *stops)
{
	size_t len, whole;
	const char *at;

	(void)peek_plain(scan);
	at = scan->at;
	len = whole = strcspn(at, stops);
	while (len && strchr(BLANKS, at[len - 1]))
		len--;
	scan->at += whole;
	return arena_strndup(scan->arena, at, len);
}

static int app_label_parse(struct label_scan *scan, struct labels *labels, struct err *err)
{
	const char *name = word_until(scan, "=,{}");
	char next = peek_plain(scan);

	/* "app{debug}" and "app{debug": Pyroscope passes over a name that never gets its value. */
	if (*name && (next == '}' || !next))
		return 0;
	if (!*name)
		return label_scan_fail(scan, "a label name", err);
	if (!take_plain(scan, '='))
		return label_scan_fail(scan, "'='", err);
	return labels_set(labels, scan->arena, name, word_until(scan, ",}"), err);
}

int labels_parse_app_name(const char *text, struct arena *arena, char **ret_app,
			  struct labels *ret_labels, struct err *err)
{
	struct label_scan scan = {.text = text, .at = text, .arena = arena};
	struct labels labels = {0};
	char *app = word_until(&scan, "{}");

	if (!*app)
		return label_scan_fail(&scan, "the name of the application", err);
	if (peek_plain(&scan) == '}')
		return label_scan_fail(&scan, "'{'", err);
	if (take_plain(&scan, '{'))
		while (peek_plain(&scan) && !take_plain(&scan, '}')) {
			int r = app_label_parse(&scan, &labels, err);

			if (r < 0)
				return r;
			(void)take_plain(&scan, ',');
		}
	*ret_app = app;
	*ret_labels = labels;
	return 0;
}
