/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/cleanup.h"
#include "format/collapsed.h"
#include "format/collapsed_private.h"
#include "format/stack_text.h"

/* Of the good lines; more is another format. */
#define COLLAPSED_BAD_PERCENT 1

struct reader {
	struct profile *into;
	const struct format_limits *limits;
	bool is_bare;
	struct stack_text text;
	size_t column;
};

/* ---- one line ---- */

/* The count behind the last blank; returns the length of the stack before it, or 0. */
static size_t split_count(const char *line, size_t len, int64_t *ret_value)
{
	int64_t value = 0;
	size_t at = len;

	while (at && line[at - 1] != ' ' && line[at - 1] != '\t')
		at--;
	if (!at || at == len)
		return 0;
	for (size_t i = at; i < len; i++)
		if (line[i] < '0' || line[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, line[i] - '0', &value))
			return 0;
	while (at && (line[at - 1] == ' ' || line[at - 1] == '\t'))
		at--;
	*ret_value = value;
	return at;
}

static bool read_line(struct reader *reader, const char *line, size_t len)
{
	struct profile *into = reader->into;
	int64_t value = 1;
	struct node_id node = {0};

	if (!reader->is_bare)
		len = split_count(line, len, &value);
	if (!len)
		return false;
	if (len != strlen(COLLAPSED_NO_STACK) || memcmp(line, COLLAPSED_NO_STACK, len) != 0) {
		stack_text_push(&reader->text, line, len);
		if (!reader->text.stack.n)
			return false;
		node = stack_node(&reader->text.stack, &into->tree, into->names, node, false);
	}
	profile_add(into, reader->column, node, value);
	into->n_samples += min_of(value, INT64_MAX - into->n_samples);
	return true;
}

/* ---- the whole ---- */

static size_t line_length(const char *text, const char *end)
{
	const char *newline = memchr(text, '\n', (size_t)(end - text));
	size_t len = (size_t)((newline ? newline : end) - text);

	return len;
}

static int read_all(struct reader *reader, const char *text, const char *end,
		    struct collapsed_result *result, struct err *err)
{
	for (uint64_t number = 1; text < end; number++) {
		size_t len = line_length(text, end), trimmed = len;

		while (trimmed && strchr(" \t\r", text[trimmed - 1]) && text[trimmed - 1])
			trimmed--;
		if (!trimmed || text[0] == '#') {
			/* neither good nor bad */
		} else if (read_line(reader, text, trimmed)) {
			if (++result->n_good > reader->limits->max_samples)
				return err_because(err, ERR_LIMIT, "samples_limit",
						   "more than %u stacks: send shorter ranges",
						   reader->limits->max_samples);
		} else {
			result->n_bad++;
			if (!result->first_bad)
				result->first_bad = number;
		}
		text += len + 1;
	}
	return 0;
}

static int refuse_other_encodings(const uint8_t *data, size_t len, struct err *err)
{
	if (len >= 2 &&
	    ((data[0] == 0xff && data[1] == 0xfe) || (data[0] == 0xfe && data[1] == 0xff)))
		return err_set(err, ERR_UNSUPPORTED,
			       "the text is UTF-16: send collapsed stacks as UTF-8");
	return 0;
}

static void reader_done(struct reader *reader)
{
	stack_text_done(&reader->text);
}

int collapsed_read_lines(const void *data, size_t len, const struct format_limits *limits,
			 const struct collapsed_opts *opts, struct profile *into,
			 struct collapsed_result *ret_result, struct err *err)
{
	cleanup(reader_done) struct reader reader = {
		.into = into, .limits = limits, .is_bare = opts->is_bare};
	struct collapsed_result result = {0};
	const char *text = data, *end = text + len;
	int column = profile_column(into, opts->type ? opts->type : "samples",
				    opts->unit ? opts->unit : "count", NULL);
	int r = refuse_other_encodings(data, len, err);

	if (r < 0)
		return r;
	if (column < 0)
		return err_set(err, column, "the profile has too many columns already");
	if (len > limits->max_inflated_bytes)
		return err_set(err, ERR_LIMIT, "the text has %zu bytes, the limit is %zu", len,
			       limits->max_inflated_bytes);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	reader.column = (size_t)column;
	stack_text_init(&reader.text, into->names, limits->max_depth);
	r = read_all(&reader, text, end, &result, err);
	if (r < 0)
		return r;
	*ret_result = result;
	if (!result.n_good && !result.n_bad)
		return err_set(err, ERR_CORRUPT,
			       "no collapsed stacks: the text is empty (a line is "
			       "'frame;frame;frame COUNT')");
	if (!result.n_good || result.n_bad * 100 > result.n_good * COLLAPSED_BAD_PERCENT)
		return err_set(err, ERR_CORRUPT,
			       "not collapsed stacks: %llu of %llu lines are bad, the first is "
			       "line %llu (a "
			       "line is 'frame;frame;frame COUNT')",
			       (unsigned long long)result.n_bad,
			       (unsigned long long)(result.n_bad + result.n_good),
			       (unsigned long long)result.first_bad);
	return 0;
}

int collapsed_read(const void *data, size_t len, const struct format_limits *limits,
		   struct profile *into, struct err *err)
{
	struct collapsed_opts opts = {0};
	struct collapsed_result result;

	return collapsed_read_lines(data, len, limits, &opts, into, &result, err);
}
