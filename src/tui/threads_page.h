/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of the page of threads share: page_threads.c makes it, threads_draw.c draws it. */
#ifndef TUI_THREADS_PAGE_H
#define TUI_THREADS_PAGE_H

#include "tui/tui_private.h"

/* Where it is: its innermost frame, of one that waits the innermost of Python; 0: nowhere. */
struct frame_id thread_place(const struct shot *shot, const struct tui_thread *thread);

void thread_rows_draw(struct tui *tui, const struct pane *pane);
/* The stack of the chosen thread. */
void thread_stack_draw(struct tui *tui, const struct pane *pane);

#endif
