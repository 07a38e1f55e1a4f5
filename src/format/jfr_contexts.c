/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the numbers in contextId mean, as Pyroscope's agent tells it beside the recording:
 *
 *	LabelsSnapshot{1 map<int64, Context> contexts, 2 map<int64, string> strings}
 *	Context{1 map<int64, int64> labels}	both numbers name strings
 *
 * Contexts are only found here; their labels are read when an event names one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "codec/proto.h"
#include "format/jfr_private.h"

#define MAX_ENTRIES (1u << 18) /* contexts, and strings */

static int bad(struct err *err)
{
	return err_set(err, ERR_CORRUPT, "the labels of the recording are not a LabelsSnapshot");
}

/* An entry of a map whose values are bytes. */
static int read_entry(struct cursor entry, struct map64 *map, struct cursor **values, size_t *n,
		      size_t *cap, struct err *err)
{
	struct cursor value = cursor_over(entry.at, 0);
	struct proto_field field;
	uint64_t key = 0;

	while (proto_next(&entry, &field)) {
		if (field.number == 1)
			key = field.value;
		else if (field.number == 2)
			value = proto_message(&field);
	}
	if (entry.bad || value.bad)
		return bad(err);
	if (*n == MAX_ENTRIES)
		return err_set(err, ERR_LIMIT,
			       "the labels of the recording have more than %u contexts or strings",
			       MAX_ENTRIES);
	*values = vec_grow(*values, cap, *n + 1, sizeof(**values));
	(*values)[*n] = value;
	*map64_put(map, key, NULL) = (uint32_t)++ * n;
	return 0;
}

int jfr_contexts_read(struct jfr_contexts *contexts, const void *snapshot, size_t len,
		      struct err *err)
{
	struct cursor message = cursor_over(snapshot, len);
	struct proto_field field;
	int r = 0;

	while (r == 0 && proto_next(&message, &field)) {
		if (field.number == 1)
			r = read_entry(proto_message(&field), &contexts->by_id, &contexts->messages,
				       &contexts->n_messages, &contexts->messages_cap, err);
		else if (field.number == 2)
			r = read_entry(proto_message(&field), &contexts->strings, &contexts->texts,
				       &contexts->n_texts, &contexts->texts_cap, err);
	}
	return r == 0 && message.bad ? bad(err) : r;
}

void jfr_contexts_done(struct jfr_contexts *contexts)
{
	map64_done(&contexts->by_id);
	map64_done(&contexts->strings);
	free(contexts->messages);
	free(contexts->texts);
	*contexts = (struct jfr_contexts){0};
}

/* Longer than any label may be, it is cut there: labels_set() says what is wrong with it. */
const char *jfr_context_string(const struct jfr_contexts *contexts, uint64_t id,
			       struct arena *arena)
{
	const uint32_t *index = map64_get(&contexts->strings, id);
	const struct cursor *text = index ? &contexts->texts[*index - 1] : NULL;

	return text ? arena_strndup(arena, (const char *)text->at,
				    min_of(cursor_left(text), (size_t)2 * LABEL_VALUE_MAX_BYTES))
		    : "";
}

static int read_pair(const struct jfr_contexts *contexts, struct cursor entry, struct arena *arena,
		     struct labels *labels, struct err *err)
{
	struct proto_field field;
	uint64_t id[2] = {0};
	const char *name;

	while (proto_next(&entry, &field))
		if (field.number == 1 || field.number == 2)
			id[field.number - 1] = field.value;
	if (entry.bad)
		return bad(err);
	name = jfr_context_string(contexts, id[0], arena);
	return *name ? labels_set(labels, arena, name, jfr_context_string(contexts, id[1], arena),
				  err)
		     : 0;
}

int jfr_context_labels(const struct jfr_contexts *contexts, uint64_t id, struct arena *arena,
		       struct labels *labels, struct err *err)
{
	const uint32_t *index = map64_get(&contexts->by_id, id);
	struct cursor message;
	struct proto_field field;
	int r = 0;

	if (!index)
		return 0;
	message = contexts->messages[*index - 1];
	while (r == 0 && proto_next(&message, &field))
		if (field.number == 1)
			r = read_pair(contexts, proto_message(&field), arena, labels, err);
	return r == 0 && message.bad ? bad(err) : r;
}
