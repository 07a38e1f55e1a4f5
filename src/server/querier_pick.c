/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of a call, as what the store picks by. */
#include <string.h>

#include "server/querier_select.h"

static int read_spans(const struct querier *call, struct store_pick *pick, struct err *err)
{
	struct span_id *spans =
		arena_array(&call->exchange->arena, call->span_ids.n + 1, sizeof(*spans));

	for (size_t i = 0; i < call->span_ids.n; i++) {
		const char *text = call->span_ids.items[i];

		if (span_id_parse(text, strlen(text), &spans[i]) < 0)
			return err_set(err, ERR_USAGE,
				       "invalid span id \"%.64s\": 16 hexadecimal digits are one",
				       text);
	}
	pick->spans = spans;
	pick->n_spans = call->span_ids.n;
	return 0;
}

static int read_traces(const struct querier *call, struct store_pick *pick, struct err *err)
{
	struct trace_id *traces =
		arena_array(&call->exchange->arena, call->trace_ids.n + 1, sizeof(*traces));

	for (size_t i = 0; i < call->trace_ids.n; i++) {
		const char *text = call->trace_ids.items[i];

		if (trace_id_parse(text, strlen(text), &traces[i]) < 0)
			return err_set(err, ERR_USAGE,
				       "invalid trace id \"%.64s\": 32 hexadecimal digits are one",
				       text);
	}
	pick->traces = traces;
	pick->n_traces = call->trace_ids.n;
	return 0;
}

/* What is merged is cached by its text: ids are a part of it that no selector can be. */
static void add_text(struct querier *call)
{
	const struct querier_ids *lists[] = {&call->profile_ids, &call->trace_ids, &call->span_ids};
	struct arena *arena = &call->exchange->arena;
	struct buf text;

	buf_init(&text, (size_t)QUERIER_MAX_IDS * array_len(lists) * 4096 + (1u << 20));
	buf_puts(&text, call->text);
	for (size_t i = 0; i < array_len(lists); i++) {
		buf_printf(&text, "\n%zu", i);
		for (size_t k = 0; k < lists[i]->n; k++)
			buf_printf(&text, "\n%.4000s", lists[i]->items[k]);
	}
	call->text = arena_strndup(arena, text.data, text.len);
	buf_done(&text);
}

int querier_pick(struct querier *call, struct err *err)
{
	struct store_pick *pick;
	int r;

	if (!call->profile_ids.n && !call->trace_ids.n && !call->span_ids.n)
		return 0;
	pick = arena_alloc(&call->exchange->arena, sizeof(*pick));
	pick->profile_ids = call->profile_ids.items;
	pick->n_profile_ids = call->profile_ids.n;
	r = read_spans(call, pick, err);
	if (r == 0)
		r = read_traces(call, pick, err);
	if (r < 0)
		return r;
	call->query.pick = pick;
	add_text(call);
	return 0;
}
