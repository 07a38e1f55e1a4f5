/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "profile/label_scan.h"
#include "profile/labels.h"
#include "regex/regex.h"

#define REGEX_ERROR_BYTES 256

static int op_parse(struct label_scan *scan, enum matcher_op *ret_op, struct err *err)
{
	static const struct {
		char text[3];
		enum matcher_op op;
	} ops[] = {{"=~", MATCH_RE}, {"!~", MATCH_NRE}, {"!=", MATCH_NE}, {"=", MATCH_EQ}};

	(void)label_scan_peek(scan);
	for (size_t i = 0; i < array_len(ops); i++) {
		size_t len = strlen(ops[i].text);

		if (!strncmp(scan->at, ops[i].text, len)) {
			scan->at += len;
			*ret_op = ops[i].op;
			return 0;
		}
	}
	return label_scan_fail(scan, "one of = != =~ !~", err);
}

/* Takes the next place of the selector, so that selector_done() finds the expression. */
static int matcher_add(struct selector *selector, struct matcher matcher, struct err *err)
{
	char why[REGEX_ERROR_BYTES];

	if (selector->n == SELECTOR_MAX_MATCHERS)
		return err_set(err, ERR_LIMIT, "more than %d matchers", SELECTOR_MAX_MATCHERS);
	if (!*matcher.name)
		return err_set(err, ERR_USAGE, "a matcher needs a label name");
	if (strlen(matcher.name) > LABEL_NAME_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "label name is longer than %d bytes",
			       LABEL_NAME_MAX_BYTES);
	if (matcher.op == MATCH_RE || matcher.op == MATCH_NRE) {
		matcher.regex = regex_new(matcher.value, 0, why, sizeof(why));
		if (!matcher.regex)
			return err_set(err, ERR_USAGE, "regular expression of %.64s: %s",
				       matcher.name, why);
	} else if (strlen(matcher.value) > LABEL_VALUE_MAX_BYTES) {
		return err_set(err, ERR_LIMIT, "value of %.64s is longer than %d bytes",
			       matcher.name, LABEL_VALUE_MAX_BYTES);
	}
	selector->items[selector->n++] = matcher;
	return 0;
}

int selector_add(struct selector *selector, const char *name, enum matcher_op op, const char *value,
		 struct err *err)
{
	return matcher_add(selector, (struct matcher){.name = name, .op = op, .value = value}, err);
}

/* A metric name is a profile type when it holds ':'.  There is one at most, in front or, quoted, inside. */
static int metric_add(struct selector *selector, const char *name, struct err *err)
{
	struct matcher matcher = {.op = MATCH_EQ, .value = name};

	matcher.name = strchr(name, ':') ? LABEL_TYPE : LABEL_METRIC;
	if (selector->has_metric)
		return err_set(err, ERR_USAGE, "the metric's name stands twice: \"%.64s\"", name);
	selector->has_metric = true;
	return matcher_add(selector, matcher, err);
}

static int matcher_parse(struct label_scan *scan, struct selector *selector, struct err *err)
{
	struct matcher matcher = {0};
	char first = label_scan_peek(scan), next;
	int r = label_scan_name(scan, &matcher.name, err);

	if (r < 0)
		return r;
	next = label_scan_peek(scan);
	if (first && strchr("\"'`", first) && (next == ',' || next == '}'))
		return metric_add(selector, matcher.name, err);
	r = op_parse(scan, &matcher.op, err);
	if (r < 0)
		return r;
	r = label_scan_string(scan, &matcher.value, err);
	if (r < 0)
		return r;
	return matcher_add(selector, matcher, err);
}

static int metric_parse(struct label_scan *scan, struct selector *selector, struct err *err)
{
	char first = label_scan_peek(scan);
	size_t len = 0;

	if (!label_name_begins(first) && first != ':')
		return 0;
	while (label_name_goes_on(scan->at[len]) || scan->at[len] == ':')
		len++;
	scan->at += len;
	return metric_add(selector, arena_strndup(scan->arena, scan->at - len, len), err);
}

static int selector_scan(struct label_scan *scan, struct selector *selector, struct err *err)
{
	int r = metric_parse(scan, selector, err);

	if (r < 0)
		return r;
	if (label_scan_take(scan, '{')) {
		while (!label_scan_take(scan, '}')) {
			r = matcher_parse(scan, selector, err);
			if (r < 0)
				return r;
			if (!label_scan_take(scan, ',') && label_scan_peek(scan) != '}')
				return label_scan_fail(scan, "',' or '}'", err);
		}
	}
	return label_scan_peek(scan) ? label_scan_fail(scan, "the end", err) : 0;
}

int selector_parse(const char *text, struct arena *arena, struct selector *ret_selector,
		   struct err *err)
{
	struct label_scan scan = {.text = text, .at = text, .arena = arena};
	struct selector selector = {0};
	int r = selector_scan(&scan, &selector, err);

	if (r < 0) {
		selector_done(&selector);
		return r;
	}
	*ret_selector = selector;
	return 0;
}

void selector_done(struct selector *selector)
{
	for (size_t i = 0; i < selector->n; i++)
		regex_free(selector->items[i].regex);
	*selector = (struct selector){0};
}

static bool matcher_match(const struct matcher *matcher, const char *value)
{
	switch (matcher->op) {
	case MATCH_EQ:
		return !strcmp(matcher->value, value);
	case MATCH_NE:
		return strcmp(matcher->value, value) != 0;
	case MATCH_RE:
		return regex_match_full(matcher->regex, value, strlen(value));
	case MATCH_NRE:
		return !regex_match_full(matcher->regex, value, strlen(value));
	}
	return false;
}

bool selector_match(const struct selector *selector, const struct labels *labels)
{
	for (size_t i = 0; i < selector->n; i++) {
		const char *value = labels_get(labels, selector->items[i].name);

		if (!matcher_match(&selector->items[i], value ? value : ""))
			return false;
	}
	return true;
}
