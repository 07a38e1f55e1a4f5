/* SPDX-License-Identifier: Apache-2.0 */
/* What changed most between two ranges, function by function. */
#include <math.h>
#include <stdlib.h>

#include "format/view_diff_private.h"

/* One function that either range has. */
struct change {
	const struct diff_row *row;
	int64_t a, b;	/* the values compared */
	int64_t change; /* b's, as if its range were as long as a's, less a's */
};

static int compare_changes(const void *left, const void *right)
{
	const struct change *a = left, *b = right;
	int64_t size_a = llabs(a->change), size_b = llabs(b->change);

	if (size_a != size_b)
		return size_a < size_b ? 1 : -1;
	return a->row->func.v < b->row->func.v ? -1 : 1;
}

static size_t changes_make(struct view_diff *diff, enum view_order order,
			   struct change **ret_changes)
{
	struct change *changes = arena_array(&diff->arena, diff->n_rows + 1, sizeof(*changes));

	for (size_t i = 0; i < diff->n_rows; i++) {
		const struct diff_row *row = &diff->rows[i];
		struct change *change = &changes[i];

		change->row = row;
		change->a = order == VIEW_BY_TOTAL ? row->total_a : row->self_a;
		change->b = order == VIEW_BY_TOTAL ? row->total_b : row->self_b;
		change->change = llround((double)change->b * diff->scale_b) - change->a;
	}
	if (diff->n_rows)
		qsort(changes, diff->n_rows, sizeof(*changes), compare_changes);
	*ret_changes = changes;
	return diff->n_rows;
}

static const char *kind_of(const struct diff_row *row)
{
	if (!row->total_a)
		return "new";
	return row->total_b ? "changed" : "gone";
}

static void change_write(const struct view_diff *diff, const struct change *change,
			 struct json_writer *json)
{
	int64_t noise = view_diff_noise(diff, change->a, change->b);

	json_object(json);
	view_func_write(diff->stages.last->names, change->row->func, json);
	json_member_int(json, "self", change->row->self_a);
	json_member_int(json, "self_b", change->row->self_b);
	json_member_int(json, "total", change->row->total_a);
	json_member_int(json, "total_b", change->row->total_b);
	json_member_int(json, "change", change->change);
	json_member_int(json, "noise", noise);
	json_member_bool(json, "is_noise", llabs(change->change) <= noise);
	json_member_str(json, "what", kind_of(change->row));
	json_end(json);
}

static void changes_put(struct view_diff *diff, const struct view_page *page,
			struct json_writer *json)
{
	struct change *changes;
	size_t n = changes_make(diff, page->order, &changes);

	json_object(json);
	view_diff_head_write(diff, json);
	json_member_int(json, "total", profile_sum(diff->stages.last, 0));
	json_member_int(json, "total_b", profile_sum(diff->stages.last, 1));
	json_member_uint(json, "rows", n);
	json_key(json, "changes");
	json_array(json);
	for (size_t i = page->offset; i < n && i - page->offset < page->limit; i++)
		change_write(diff, &changes[i], json);
	json_end(json);
	json_end(json);
}

int view_write_changes(const struct profile *a, const struct profile *b,
		       const struct view_request *request, const struct view_page *page,
		       const struct view_facts *facts_a, const struct view_facts *facts_b,
		       struct buf *out, struct err *err)
{
	struct view_diff diff;
	struct json_writer json;
	int r;

	view_diff_init(&diff, a, b, request, facts_a, facts_b);
	r = view_diff_make(&diff, err);
	if (r == 0) {
		json_writer_init(&json, out, request->json_flags);
		changes_put(&diff, page, &json);
	}
	view_diff_done(&diff);
	return r < 0 ? r : view_out_check(out, err);
}
