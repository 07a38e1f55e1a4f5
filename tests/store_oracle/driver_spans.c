/* SPDX-License-Identifier: Apache-2.0 */
#include "driver_spans.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* Tests send what is right. */
static struct span parse(const char *text)
{
	struct span span = {.id = {0}};
	size_t len = strcspn(text, " ");

	if (*text != '-' && span_id_parse(text, len, &span.id) < 0)
		abort();
	text += len + 1;
	if (*text != '-' && trace_id_parse(text, strlen(text), &span.trace) < 0)
		abort();
	return span;
}

void driver_add_span(struct profile *profile, const char *text, struct node_id node,
		     const int64_t *values, size_t n)
{
	struct span span;
	uint32_t index;

	if (!*text)
		return;
	span = parse(text);
	if (!profile->spans)
		profile->spans = spans_new();
	index = spans_index(profile->spans, &span);
	for (uint32_t c = 0; c < n; c++)
		spans_add(profile->spans, index, node, c, values[c]);
}

struct store_pick *driver_pick(char *const *profiles, size_t n_profiles, char *const *spans,
			       size_t n_spans, char *const *traces, size_t n_traces,
			       struct arena *arena)
{
	struct store_pick *pick = arena_alloc(arena, sizeof(*pick));
	struct span_id *span_ids = arena_array(arena, n_spans + 1, sizeof(*span_ids));
	struct trace_id *trace_ids = arena_array(arena, n_traces + 1, sizeof(*trace_ids));

	for (size_t i = 0; i < n_spans; i++)
		if (span_id_parse(spans[i], strlen(spans[i]), &span_ids[i]) < 0)
			abort();
	for (size_t i = 0; i < n_traces; i++)
		if (trace_id_parse(traces[i], strlen(traces[i]), &trace_ids[i]) < 0)
			abort();
	*pick = (struct store_pick){
		.profile_ids = (const char *const *)profiles,
		.spans = span_ids,
		.traces = trace_ids,
		.n_profile_ids = n_profiles,
		.n_spans = n_spans,
		.n_traces = n_traces,
	};
	return n_profiles || n_spans || n_traces ? pick : NULL;
}

static int on_exemplar(void *ctx, const struct store_exemplar *exemplar, struct err *err)
{
	struct json_writer *json = ctx;
	char span[SPAN_TEXT_BYTES], trace[TRACE_TEXT_BYTES];
	struct buf labels;

	(void)err;
	buf_init(&labels, 1u << 20);
	labels_format(exemplar->labels, &labels);
	buf_putc(&labels, '\0');
	span_id_format(exemplar->span, span);
	trace_id_format(&exemplar->trace, trace);
	json_array(json);
	json_cstr(json, labels.data);
	json_cstr(json, exemplar->profile_id);
	json_cstr(json, span);
	json_cstr(json, trace);
	json_int(json, exemplar->time_ns);
	json_int(json, exemplar->value);
	json_end(json);
	buf_done(&labels);
	return 0;
}

int driver_exemplars(struct store *store, const struct store_query *query, bool of_spans,
		     struct json_writer *json, struct err *err)
{
	enum store_exemplar_kind kind = of_spans ? STORE_EXEMPLAR_SPAN : STORE_EXEMPLAR_PROFILE;
	struct store_exemplar_sum sum;
	int r;

	json_key(json, "exemplars");
	json_array(json);
	r = store->ops->exemplars(store, query, kind, on_exemplar, json, &sum, err);
	json_end(json);
	if (r == 0)
		json_member_bool(json, "partial", sum.is_partial);
	return r;
}
