/* SPDX-License-Identifier: Apache-2.0 */
#include "server/querier_select.h"

#include <string.h>

#include "format/dot.h"
#include "profile/flame.h"

#define VALUE_COLUMN 0

static void narrow(const struct querier *call, struct querier_selection *selection)
{
	const struct profile *merged = selection->entry->merged.profile;

	profile_init(&selection->narrowed, merged->names);
	selection->profile = merged;
	if (narrow_is_all(&call->narrow))
		return;
	narrow_profile(&call->narrow, merged, &selection->narrowed);
	selection->profile = &selection->narrowed;
}

static int take_ids(struct querier *call, struct err *err)
{
	if (call->pick.spans.n && call->pick.traces.n)
		return err_set(err, ERR_USAGE,
			       "span_selector and trace_id_selector cannot be combined");
	return pick_read(&call->pick, &call->exchange->arena, &call->query, &call->text, err);
}

int querier_select(struct querier *call, struct querier_selection *ret_selection, struct err *err)
{
	int r = take_ids(call, err);

	if (r == 0)
		r = merged_cache_take(call->server->cache, &call->query, call->text,
				      &ret_selection->entry, err);
	if (r == 0)
		narrow(call, ret_selection);
	return r;
}

void querier_select_done(struct querier *call, struct querier_selection *selection)
{
	profile_done(&selection->narrowed);
	merged_cache_return(call->server->cache, selection->entry);
}

int querier_select_two(struct querier *const sides[2], struct querier_selection ret_selection[2],
		       struct err *err)
{
	struct merged_entry *entry[2];
	int r = take_ids(sides[0], err);

	if (r == 0)
		r = take_ids(sides[1], err);
	if (r == 0)
		r = merged_cache_take_two(sides[0]->server->cache,
					  (struct store_query[]){sides[0]->query, sides[1]->query},
					  (const char *const[]){sides[0]->text, sides[1]->text},
					  entry, err);
	for (int i = 0; r == 0 && i < 2; i++) {
		ret_selection[i].entry = entry[i];
		narrow(sides[i], &ret_selection[i]);
	}
	return r;
}

void querier_select_two_done(struct querier *call, struct querier_selection selection[2])
{
	profile_done(&selection[0].narrowed);
	profile_done(&selection[1].narrowed);
	merged_cache_return(call->server->cache, selection[0].entry);
	if (selection[1].entry != selection[0].entry)
		merged_cache_return(call->server->cache, selection[1].entry);
}

/* ---- DOT ---- */

static const char *service_of(const struct selector *selector)
{
	for (size_t i = 0; i < selector->n; i++)
		if (selector->items[i].op == MATCH_EQ &&
		    strcmp(selector->items[i].name, LABEL_SERVICE) == 0)
			return selector->items[i].value;
	return "profile";
}

void querier_write_dot(const struct selector *selector, const struct profile *profile,
		       int64_t max_nodes, struct buf *out)
{
	struct dot_opts opts = {
		.title = service_of(selector),
		.column = VALUE_COLUMN,
		.max_nodes =
			(uint32_t)min_of(max_of(max_nodes, (int64_t)0), (int64_t)FLAME_MAX_NODES),
	};
	struct profile named;

	profile_init(&named, profile->names);
	narrow_to_names(profile, &named);
	dot_write(&named, &opts, out);
	profile_done(&named);
}
