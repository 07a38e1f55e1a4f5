/* SPDX-License-Identifier: Apache-2.0 */
#include "store/cover.h"

#include <stdlib.h>

#include "base/vec.h"

#define UNITE_FIRST_AT 4096

void cover_done(struct cover *cover)
{
	free(cover->items);
	*cover = (struct cover){0};
}

void cover_reset(struct cover *cover)
{
	cover->n = 0;
	cover->is_united = true;
}

void cover_add(struct cover *cover, int64_t from_ns, int64_t until_ns)
{
	if (from_ns >= until_ns)
		return;
	if (cover->n && cover->items[cover->n - 1].until_ns == from_ns) {
		cover->items[cover->n - 1].until_ns = until_ns;
		cover->is_united = false;
		return;
	}
	if (cover->unite_at < UNITE_FIRST_AT)
		cover->unite_at = UNITE_FIRST_AT;
	if (cover->n >= cover->unite_at) {
		cover_unite(cover);
		cover->unite_at = max_of(2 * cover->n, (size_t)UNITE_FIRST_AT);
	}
	cover->items = vec_grow(cover->items, &cover->cap, cover->n + 1, sizeof(*cover->items));
	cover->items[cover->n++] = (struct store_range){from_ns, until_ns};
	cover->is_united = false;
}

/* Where the run that begins at `at` ends: its stretches begin in order. */
static size_t run_end(const struct store_range *items, size_t at, size_t n)
{
	for (at++; at < n && items[at - 1].from_ns <= items[at].from_ns; at++)
		;
	return at;
}

static void merge_runs(const struct store_range *items, size_t from, size_t middle, size_t until,
		       struct store_range *out)
{
	size_t a = from, b = middle;

	for (size_t i = from; i < until; i++)
		out[i] = b == until || (a < middle && items[a].from_ns <= items[b].from_ns)
				 ? items[a++]
				 : items[b++];
}

/*
 * By their beginnings.  What comes is a few long runs, one for each series: two by two they are merged until there is
 * one.
 */
static void sort_runs(struct cover *cover)
{
	size_t n = cover->n, runs;
	struct store_range *out;

	if (run_end(cover->items, 0, n) == n)
		return;
	out = xcalloc(cover->cap, sizeof(*out));
	do {
		struct store_range *items = cover->items;

		runs = 0;
		for (size_t from = 0, middle, until; from < n; from = until, runs++) {
			middle = run_end(items, from, n);
			until = middle < n ? run_end(items, middle, n) : n;
			merge_runs(items, from, middle, until, out);
		}
		cover->items = out;
		out = items;
	} while (runs > 1);
	free(out);
}

void cover_unite(struct cover *cover)
{
	if (!cover->is_united)
		cover_close_gaps(cover, 1);
}

void cover_close_gaps(struct cover *cover, int64_t gap_ns)
{
	size_t kept = 0;

	cover->is_united = true;
	if (!cover->n)
		return;
	sort_runs(cover);
	for (size_t i = 1; i < cover->n; i++) {
		struct store_range *last = &cover->items[kept];
		const struct store_range *next = &cover->items[i];

		if (next->from_ns - last->until_ns < gap_ns)
			last->until_ns = max_of(last->until_ns, next->until_ns);
		else
			cover->items[++kept] = *next;
	}
	cover->n = kept + 1;
}

/* First stretch that ends after `at_ns`. */
static size_t first_after(const struct cover *cover, int64_t at_ns)
{
	size_t low = 0, high = cover->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (cover->items[mid].until_ns <= at_ns)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int64_t cover_length(struct cover *cover, int64_t from_ns, int64_t until_ns)
{
	int64_t sum = 0;

	cover_unite(cover);
	for (size_t i = first_after(cover, from_ns); i < cover->n; i++) {
		int64_t from = max_of(cover->items[i].from_ns, from_ns);
		int64_t until = min_of(cover->items[i].until_ns, until_ns);

		if (from >= until)
			break;
		sum += until - from;
	}
	return sum;
}
