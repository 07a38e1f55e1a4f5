/* SPDX-License-Identifier: Apache-2.0 */
#include "tui/list.h"

#include "base/compiler.h"
#include "tui/tui.h"

void list_update(struct list *list, const void *rows, size_t n, list_key_fn *key_of)
{
	list->n = n;
	if (!n || !list->has_moved) {
		list->at = list->top = 0;
		list->key = n ? key_of(rows, 0) : 0;
		return;
	}
	list->at = min_of(list->at, n - 1);
	if (key_of(rows, list->at) == list->key)
		return;
	for (size_t i = 0; i < n; i++) {
		if (key_of(rows, i) == list->key) {
			list->at = i;
			return;
		}
	}
	list->key = key_of(rows, list->at);
}

void list_show(struct list *list, int height)
{
	size_t rows = (size_t)max_of(height, 1);

	list->height = height;
	if (list->at < list->top)
		list->top = list->at;
	if (list->at >= list->top + rows)
		list->top = list->at - rows + 1;
	/* No empty window behind the last row where the list grew shorter. */
	if (list->top + rows > list->n)
		list->top = list->n > rows ? list->n - rows : 0;
}

void list_choose(struct list *list, size_t i, const void *rows, list_key_fn *key_of)
{
	if (!list->n)
		return;
	list->at = min_of(i, list->n - 1);
	list->key = key_of(rows, list->at);
	list->has_moved = true;
}

bool list_move(struct list *list, uint32_t key, const void *rows, list_key_fn *key_of)
{
	size_t page = (size_t)max_of(list->height - 1, 1), at = list->at;

	switch (key) {
	case TUI_KEY_UP:
		at -= at > 0;
		break;
	case TUI_KEY_DOWN:
		at++;
		break;
	case TUI_KEY_PAGE_UP:
		at -= min_of(at, page);
		break;
	case TUI_KEY_PAGE_DOWN:
		at += page;
		break;
	case TUI_KEY_HOME:
		at = 0;
		break;
	case TUI_KEY_END:
		at = list->n;
		break;
	default:
		return false;
	}
	list_choose(list, at, rows, key_of);
	/* Back at the top it follows whoever is the first again. */
	if (key == TUI_KEY_HOME)
		list->has_moved = false;
	return true;
}
