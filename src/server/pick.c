/* SPDX-License-Identifier: Apache-2.0 */
#include "server/pick.h"

#include <string.h>

#include "base/buf.h"

/* Arrays double: what the arena holds of the smaller ones is as much again. */
int pick_add(struct pick_ids *ids, struct arena *arena, const char *text, struct err *err)
{
	bool is_full = (ids->n & (ids->n - 1)) == 0;
	const char **items = ids->items;

	if (ids->n == PICK_MAX_IDS)
		return err_set(err, ERR_LIMIT, "more than %d ids", PICK_MAX_IDS);
	if (is_full) {
		items = arena_array(arena, ids->n ? 2 * ids->n : 1, sizeof(*items));
		if (ids->n)
			memcpy(items, ids->items, ids->n * sizeof(*items));
		ids->items = items;
	}
	items[ids->n++] = text;
	return 0;
}

static int read_spans(const struct pick_ids *ids, struct arena *arena, struct store_pick *pick,
		      struct err *err)
{
	struct span_id *spans = arena_array(arena, ids->n + 1, sizeof(*spans));

	for (size_t i = 0; i < ids->n; i++) {
		const char *text = ids->items[i];

		if (span_id_parse(text, strlen(text), &spans[i]) < 0)
			return err_set(err, ERR_USAGE,
				       "invalid span id \"%.64s\": 16 hexadecimal digits are one",
				       text);
	}
	pick->spans = spans;
	pick->n_spans = ids->n;
	return 0;
}

static int read_traces(const struct pick_ids *ids, struct arena *arena, struct store_pick *pick,
		       struct err *err)
{
	struct trace_id *traces = arena_array(arena, ids->n + 1, sizeof(*traces));

	for (size_t i = 0; i < ids->n; i++) {
		const char *text = ids->items[i];

		if (trace_id_parse(text, strlen(text), &traces[i]) < 0)
			return err_set(err, ERR_USAGE,
				       "invalid trace id \"%.64s\": 32 hexadecimal digits are one",
				       text);
	}
	pick->traces = traces;
	pick->n_traces = ids->n;
	return 0;
}

/* What is merged is cached by its text: ids are a part of it that no selector can be. */
static void add_text(const struct pick *pick, struct arena *arena, const char **text)
{
	const struct pick_ids *lists[] = {&pick->profiles, &pick->traces, &pick->spans};
	struct buf all;

	buf_init(&all, (size_t)PICK_MAX_IDS * array_len(lists) * 4096 + (1u << 20));
	buf_puts(&all, *text);
	for (size_t i = 0; i < array_len(lists); i++) {
		buf_printf(&all, "\n%zu", i);
		for (size_t k = 0; k < lists[i]->n; k++)
			buf_printf(&all, "\n%.4000s", lists[i]->items[k]);
	}
	*text = arena_strndup(arena, all.data, all.len);
	buf_done(&all);
}

int pick_read(const struct pick *pick, struct arena *arena, struct store_query *query,
	      const char **text, struct err *err)
{
	struct store_pick *own;
	int r;

	if (!pick->profiles.n && !pick->traces.n && !pick->spans.n)
		return 0;
	own = arena_alloc(arena, sizeof(*own));
	own->profile_ids = pick->profiles.items;
	own->n_profile_ids = pick->profiles.n;
	r = read_spans(&pick->spans, arena, own, err);
	if (r == 0)
		r = read_traces(&pick->traces, arena, own, err);
	if (r < 0)
		return r;
	query->pick = own;
	add_text(pick, arena, text);
	return 0;
}
