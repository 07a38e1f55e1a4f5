/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads: what each does and did, where; above them who is stuck with whom.  Enter shows the stack of one, t shows
 * only it on all pages.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/threads_page.h"

#define CLUSTERS_MAX 3
#define CLUSTER_LEAST 2 /* threads */

/* ---- where a thread is ---- */

static const struct frame *frame_of(const struct shot *shot, uint32_t node)
{
	return names_frame_get(shot->names, (struct frame_id){shot->tree.frame[node]});
}

static uint32_t node_of(const struct shot *shot, struct node_id node)
{
	return node.v < shot->tree.n ? node.v : 0;
}

/* From a node outwards, the first frame whose kind is among the bits; 0: none. */
static struct frame_id frame_of_kinds(const struct shot *shot, struct node_id node, uint32_t kinds)
{
	for (uint32_t at = node_of(shot, node); at; at = shot->tree.parent[at])
		if (kinds & 1u << frame_of(shot, at)->kind)
			return (struct frame_id){shot->tree.frame[at]};
	return (struct frame_id){0};
}

#define KINDS_OF_CODE (~(1u << FRAME_MARKER))

struct frame_id stack_own_frame(const struct shot *shot, struct node_id node)
{
	struct frame_id python;

	for (uint32_t at = node_of(shot, node); at; at = shot->tree.parent[at])
		if (style_of_frame(shot->names, frame_of(shot, at)) == STYLE_OWN)
			return (struct frame_id){shot->tree.frame[at]};
	python = frame_of_kinds(shot, node, 1u << FRAME_PYTHON);
	return python.v ? python : frame_of_kinds(shot, node, KINDS_OF_CODE);
}

struct frame_id thread_place(const struct shot *shot, const struct tui_thread *thread)
{
	struct frame_id python = {0};

	/* The C library's function that sleeps says less than who called it. */
	if (thread_state_is_idle(thread->state))
		python = frame_of_kinds(shot, thread->node, 1u << FRAME_PYTHON);
	return python.v ? python : frame_of_kinds(shot, thread->node, KINDS_OF_CODE);
}

/* ---- who waits together ---- */

static bool may_be_stuck(const struct tui_thread *thread)
{
	return !thread->is_over && thread->state == STATE_WAITING_LOCK;
}

static void cluster_add(struct threads_page *page, size_t cap, const struct tui_thread *thread,
			struct frame_id frame, bool is_own)
{
	for (size_t i = 0; i < page->n_clusters; i++) {
		struct cluster *cluster = &page->clusters[i];

		if (cluster->frame == frame.v && cluster->state == thread->state) {
			cluster->n++;
			return;
		}
	}
	if (page->n_clusters < cap)
		page->clusters[page->n_clusters++] =
			(struct cluster){thread->state, frame.v, 1, is_own};
}

/* The program's own code first: pools whose workers wait for work do so in the library's. */
static int cluster_compare(const void *left, const void *right)
{
	const struct cluster *a = left, *b = right;

	if (a->is_own != b->is_own)
		return a->is_own ? -1 : 1;
	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	return a->frame < b->frame ? -1 : a->frame > b->frame;
}

#define CLUSTERS_COUNTED 64 /* places that are told apart */

static void clusters_make(struct tui *tui)
{
	struct threads_page *page = &tui->threads;
	const struct shot *shot = &tui->shot;

	page->clusters = arena_array(&page->arena, CLUSTERS_COUNTED, sizeof(*page->clusters));
	page->n_clusters = 0;
	for (size_t i = 0; i < tui->facts.n_threads; i++) {
		const struct tui_thread *thread = &tui->facts.threads[i];
		struct frame_id frame;
		bool is_own;

		if (!may_be_stuck(thread))
			continue;
		frame = stack_own_frame(shot, thread->node);
		if (!frame.v)
			continue;
		is_own = style_of_frame(shot->names, names_frame_get(shot->names, frame)) ==
			 STYLE_OWN;
		cluster_add(page, CLUSTERS_COUNTED, thread, frame, is_own);
	}
	qsort(page->clusters, page->n_clusters, sizeof(*page->clusters), cluster_compare);
	for (size_t i = 0; i < page->n_clusters; i++) {
		if (i == CLUSTERS_MAX || page->clusters[i].n < CLUSTER_LEAST) {
			page->n_clusters = i;
			break;
		}
	}
}

/* ---- rows ---- */

/* What asks for attention first. */
static int state_rank(enum thread_state state)
{
	static const uint8_t ranks[STATE_COUNT] = {
		[STATE_RUNNING_GIL] = 0,  [STATE_RUNNING] = 1, [STATE_WAITING_GIL] = 2,
		[STATE_WAITING_LOCK] = 3, [STATE_UNKNOWN] = 4, [STATE_WAITING_IO] = 5,
		[STATE_SLEEPING] = 6,	  [STATE_STOPPED] = 7,
	};

	return (unsigned int)state < STATE_COUNT ? ranks[state] : STATE_COUNT;
}

static int shares_compare(int64_t a, int64_t b)
{
	return a > b ? -1 : a < b;
}

static int thread_compare(const void *left, const void *right, void *ctx)
{
	const struct tui_thread *a = *(const struct tui_thread *const *)left;
	const struct tui_thread *b = *(const struct tui_thread *const *)right;
	enum thread_order order = *(const enum thread_order *)ctx;
	int way = 0;

	if (a->is_over != b->is_over)
		return a->is_over ? 1 : -1;
	if (order == THREAD_BY_BUSY)
		way = shares_compare(a->busy_ns, b->busy_ns);
	else if (order == THREAD_BY_CPU)
		way = shares_compare(a->cpu_ns, b->cpu_ns);
	else if (order == THREAD_BY_NAME)
		way = strcmp(a->name, b->name);
	if (!way && order != THREAD_BY_NAME)
		way = state_rank(a->state) - state_rank(b->state);
	if (!way)
		way = a->pid != b->pid ? (a->pid < b->pid ? -1 : 1) : 0;
	return way ? way : a->tid < b->tid ? -1 : a->tid > b->tid;
}

static uint64_t thread_key(const void *rows, size_t i)
{
	const struct tui_thread *thread = ((const struct tui_thread *const *)rows)[i];

	return (uint64_t)(uint32_t)thread->pid << 32 | (uint32_t)thread->tid;
}

static bool thread_is_wanted(const struct tui *tui, const struct tui_thread *thread)
{
	struct frame_id place;
	char text[WORDS_NAME_MAX];

	if (!*tui->filter || strcasestr(thread->name, tui->filter) ||
	    strcasestr(thread->process, tui->filter) ||
	    strcasestr(style_words_of_state(thread->state), tui->filter))
		return true;
	place = thread_place(&tui->shot, thread);
	if (!place.v)
		return false;
	words_both(text, tui->shot.names, names_frame_get(tui->shot.names, place));
	return strcasestr(text, tui->filter) != NULL;
}

static uint64_t stack_key(const void *rows, size_t i)
{
	(void)rows;
	return i;
}

/* The stack of the chosen thread. */
static void stack_make(struct tui *tui)
{
	struct threads_page *page = &tui->threads;
	const struct tree *tree = &tui->shot.tree;
	const struct tui_thread *thread = page->list.n ? page->rows[page->list.at] : NULL;
	uint32_t node = thread && thread->node.v < tree->n ? thread->node.v : 0;
	size_t n = 0;

	page->frames = arena_array(&page->arena, tree->depth[node], sizeof(*page->frames));
	for (; node; node = tree->parent[node]) {
		struct frame_id id = {tree->frame[node]};

		if (names_frame_get(tui->shot.names, id)->kind != FRAME_MARKER)
			page->frames[n++] = id;
	}
	list_update(&page->stack, page->frames, n, stack_key);
}

static void threads_make(struct tui *tui, const struct pane *pane)
{
	struct threads_page *page = &tui->threads;
	size_t n = 0;

	(void)pane;
	if (page->made_of == tui->version)
		return;
	arena_reset(&page->arena);
	page->rows = arena_array(&page->arena, tui->facts.n_threads, sizeof(struct tui_thread *));
	for (size_t i = 0; i < tui->facts.n_threads; i++)
		if (thread_is_wanted(tui, &tui->facts.threads[i]))
			page->rows[n++] = &tui->facts.threads[i];
	qsort_r((void *)page->rows, n, sizeof(struct tui_thread *), thread_compare, &page->order);
	list_update(&page->list, page->rows, n, thread_key);
	clusters_make(tui);
	stack_make(tui);
	page->made_of = tui->version;
}

static void threads_draw(struct tui *tui, const struct pane *pane)
{
	if (tui->threads.shows_stack)
		thread_stack_draw(tui, pane);
	else
		thread_rows_draw(tui, pane);
}

/* ---- keys ---- */

static const struct tui_thread *chosen(const struct threads_page *page)
{
	return page->list.at < page->list.n ? page->rows[page->list.at] : NULL;
}

static void only_toggle(struct tui *tui)
{
	const struct tui_thread *thread = chosen(&tui->threads);

	if (tui->only.v)
		tui->only = (struct frame_id){0};
	else if (thread)
		tui->only = thread->marker;
	snprintf(tui->only_name, sizeof(tui->only_name), "%s", thread ? thread->name : "");
	tui_touch_look(tui);
}

static bool stack_key_pressed(struct tui *tui, uint32_t key)
{
	struct threads_page *page = &tui->threads;

	if (list_move(&page->stack, key, page->frames, stack_key))
		return true;
	switch (key) {
	case '\r':
	case 'o':
		if (page->stack.at < page->stack.n)
			tui_open_source(tui, page->frames[page->stack.at]);
		return true;
	case 0x1b:
	case TUI_KEY_BACKSPACE:
	case TUI_KEY_LEFT:
	case 0x7f:
		page->shows_stack = false;
		return true;
	default:
		return false;
	}
}

static bool threads_key(struct tui *tui, uint32_t key)
{
	struct threads_page *page = &tui->threads;

	if (key == 't') {
		only_toggle(tui);
		return true;
	}
	if (page->shows_stack)
		return stack_key_pressed(tui, key);
	if (list_move(&page->list, key, page->rows, thread_key)) {
		stack_make(tui);
		return true;
	}
	switch (key) {
	case '\r':
	case 'o':
	case TUI_KEY_RIGHT:
		page->shows_stack = page->list.n > 0;
		page->list.has_moved = true;
		page->stack.has_moved = false;
		return true;
	case '1':
	case '2':
	case '3':
	case '4':
		page->order = (enum thread_order)(key - '1');
		break;
	case 's':
		page->order = (enum thread_order)((page->order + 1) % 4);
		break;
	default:
		return false;
	}
	tui_touch(tui);
	return true;
}

static const char *const threads_keys[] = {
	"Enter", "stack", "t", "only this", "1-4", "sort", "/", "filter", NULL,
};

const struct page page_threads = {
	.name = "Threads",
	.make = threads_make,
	.draw = threads_draw,
	.key = threads_key,
	.keys = threads_keys,
};
