/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of the page of threads share: page_threads.c makes it, threads_draw.c draws it. */
#ifndef TUI_THREADS_PAGE_H
#define TUI_THREADS_PAGE_H

#include "tui/tui_private.h"

/* The innermost frame that is no marker; 0: none. */
struct frame_id thread_leaf(const struct shot *shot, struct node_id node);

void thread_rows_draw(struct tui *tui, const struct pane *pane);
/* The stack of the chosen thread. */
void thread_stack_draw(struct tui *tui, const struct pane *pane);

#endif
