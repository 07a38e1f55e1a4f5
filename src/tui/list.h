/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of rows of which one is chosen, longer than the window that shows it.
 *
 * Rows change places and come and go with every refresh, so the choice is kept by a key that names the row, not
 * by its place.  Until the user moves, the choice is the first row, whichever that is.
 */
#ifndef TUI_LIST_H
#define TUI_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct list {
	size_t n;	/* rows */
	size_t at, top; /* the chosen one, and the first that is shown */
	int height;	/* of the window, as it was drawn last */
	uint64_t key;	/* of the chosen one */
	bool has_moved;
};

typedef uint64_t list_key_fn(const void *rows, size_t i);

/* There are other rows now: find the chosen one among them, else stay near. */
void list_update(struct list *list, const void *rows, size_t n, list_key_fn *key_of);
/* A window of that height will be drawn: keep the chosen row in it. */
void list_show(struct list *list, int height);
/* Arrows, pages, Home and End; false: the key is none of them. */
bool list_move(struct list *list, uint32_t key, const void *rows, list_key_fn *key_of);
void list_choose(struct list *list, size_t i, const void *rows, list_key_fn *key_of);

#endif
