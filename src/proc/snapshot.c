/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded memory: a recorder that wraps another reader, and the player of what it wrote.
 *
 * Both keep pages of 4096 bytes with one bit per byte that is known.  A byte read twice has the
 *value of the last read.  The format, little-endian, varints as in base/buf.h:
 *
 *	"PYROMEM1"
 *	varint number of runs
 *	run: varint gap from the end of the run before (the first: from 0) · varint length > 0 ·
 *bytes
 *
 * Runs rise and do not touch, so the player can refuse everything else, and a recording of the same
 * reads is the same file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "proc/memory.h"

#define SNAPSHOT_MAGIC "PYROMEM1"
#define SNAPSHOT_MAX_PAGES 65536 /* 256 MiB: a whole interpreter, more than a test should hold */
#define PAGE_BYTES 4096u

struct page {
	uint64_t number; /* address / PAGE_BYTES */
	uint8_t known[PAGE_BYTES / 8];
	uint8_t bytes[PAGE_BYTES];
};

struct recorded {
	struct memory memory;
	struct memory *inner; /* NULL: a player */
	struct map64 index;   /* page number -> place in pages */
	struct page **pages;
	size_t n, cap;
};

static struct recorded *recorded_of(struct memory *memory)
{
	return container_of(memory, struct recorded, memory);
}

static void recorded_free(struct memory *memory)
{
	struct recorded *recorded = recorded_of(memory);

	for (size_t i = 0; i < recorded->n; i++)
		free(recorded->pages[i]);
	free(recorded->pages);
	map64_done(&recorded->index);
	free(recorded);
}

static struct page *page_find(const struct recorded *recorded, raddr_t addr)
{
	const uint32_t *place = map64_get(&recorded->index, addr / PAGE_BYTES);

	return place ? recorded->pages[*place] : NULL;
}

/* NULL past the limit. */
static struct page *page_make(struct recorded *recorded, raddr_t addr)
{
	struct page *page = page_find(recorded, addr);

	if (page || recorded->n >= SNAPSHOT_MAX_PAGES)
		return page;
	page = xcalloc(1, sizeof(*page));
	page->number = addr / PAGE_BYTES;
	recorded->pages =
		vec_grow(recorded->pages, &recorded->cap, recorded->n + 1, sizeof(struct page *));
	*map64_put(&recorded->index, page->number, NULL) = (uint32_t)recorded->n;
	recorded->pages[recorded->n++] = page;
	return page;
}

static bool byte_is_known(const struct page *page, size_t at)
{
	return page->known[at / 8] >> (at % 8) & 1;
}

static int remember(struct recorded *recorded, raddr_t addr, const uint8_t *bytes, size_t len)
{
	while (len) {
		size_t at = addr % PAGE_BYTES;
		size_t part = min_of(len, PAGE_BYTES - at);
		struct page *page = page_make(recorded, addr);

		if (!page)
			return ERR_LIMIT;
		memcpy(page->bytes + at, bytes, part);
		for (size_t i = at; i < at + part; i++)
			page->known[i / 8] |= (uint8_t)(1u << (i % 8));
		addr += part;
		bytes += part;
		len -= part;
	}
	return 0;
}

static int recorder_readv(struct memory *memory, struct mem_span *spans, size_t n)
{
	struct recorded *recorded = recorded_of(memory);
	int r;

	/* The budget was charged here; inside, holes only cost calls. */
	memory_budget_set(recorded->inner, MEMORY_MAX_SPANS, UINT64_MAX);
	r = recorded->inner->ops->readv(recorded->inner, spans, n);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		int kept = spans[i].ok
				   ? remember(recorded, spans[i].addr, spans[i].into, spans[i].len)
				   : 0;

		if (kept < 0)
			return kept;
	}
	return r;
}

static const struct memory_ops recorder_ops = {.readv = recorder_readv, .free = recorded_free};

struct memory *memory_recorder_new(struct memory *inner)
{
	struct recorded *recorded = xcalloc(1, sizeof(*recorded));

	recorded->memory.ops = &recorder_ops;
	recorded->inner = inner;
	return &recorded->memory;
}

static int page_compare(const void *a, const void *b)
{
	uint64_t left = (*(struct page *const *)a)->number;
	uint64_t right = (*(struct page *const *)b)->number;

	return left < right ? -1 : left > right;
}

/* A run being collected: known bytes without a gap, possibly over several pages. */
struct run {
	struct buf bytes;
	raddr_t start;
	raddr_t last_end;
	struct buf out;
	uint64_t n;
};

static void run_close(struct run *run)
{
	if (!run->bytes.len)
		return;
	buf_put_varint(&run->out, run->start - run->last_end);
	buf_put_varint(&run->out, run->bytes.len);
	buf_put(&run->out, run->bytes.data, run->bytes.len);
	run->last_end = run->start + run->bytes.len;
	run->n++;
	buf_reset(&run->bytes);
}

static void run_add_page(struct run *run, const struct page *page)
{
	raddr_t base = page->number * PAGE_BYTES;

	for (size_t i = 0; i < PAGE_BYTES; i++) {
		if (!byte_is_known(page, i))
			continue;
		if (run->bytes.len && run->start + run->bytes.len != base + i)
			run_close(run);
		if (!run->bytes.len)
			run->start = base + i;
		buf_putc(&run->bytes, (char)page->bytes[i]);
	}
}

static int write_all(int fd, const char *data, size_t len, struct err *err)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, -errno, "cannot write the snapshot");
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The pages are sorted in place; their index is made anew. */
static void pages_sort(struct recorded *recorded)
{
	qsort(recorded->pages, recorded->n, sizeof(struct page *), page_compare);
	for (size_t i = 0; i < recorded->n; i++)
		*map64_put(&recorded->index, recorded->pages[i]->number, NULL) = (uint32_t)i;
}

int memory_recorder_write(struct memory *recorder, int fd, struct err *err)
{
	struct recorded *recorded = recorded_of(recorder);
	const size_t ceiling = 2 * (size_t)SNAPSHOT_MAX_PAGES * PAGE_BYTES;
	struct run run = {0};
	struct buf head;
	int r;

	buf_init(&head, 32);
	buf_init(&run.bytes, ceiling);
	buf_init(&run.out, ceiling);
	if (recorded->n)
		pages_sort(recorded);
	for (size_t i = 0; i < recorded->n; i++)
		run_add_page(&run, recorded->pages[i]);
	run_close(&run);
	buf_puts(&head, SNAPSHOT_MAGIC);
	buf_put_varint(&head, run.n);
	r = write_all(fd, head.data, head.len, err);
	if (r >= 0)
		r = write_all(fd, run.out.data, run.out.len, err);
	buf_done(&head);
	buf_done(&run.bytes);
	buf_done(&run.out);
	return r;
}

static bool span_play(const struct recorded *recorded, const struct mem_span *span)
{
	for (size_t i = 0; i < span->len; i++) {
		raddr_t addr = span->addr + i;
		const struct page *page = page_find(recorded, addr);

		if (!page || !byte_is_known(page, addr % PAGE_BYTES))
			return false;
		((uint8_t *)span->into)[i] = page->bytes[addr % PAGE_BYTES];
	}
	return true;
}

static int player_readv(struct memory *memory, struct mem_span *spans, size_t n)
{
	int filled = 0;

	for (size_t i = 0; i < n; i++) {
		spans[i].ok = span_play(recorded_of(memory), &spans[i]);
		filled += spans[i].ok;
	}
	return filled;
}

static const struct memory_ops player_ops = {.readv = player_readv, .free = recorded_free};

static int player_load(struct recorded *recorded, struct cursor *cursor)
{
	uint64_t runs = cursor_varint(cursor);
	raddr_t end = 0;

	for (uint64_t i = 0; i < runs && !cursor->bad; i++) {
		uint64_t gap = cursor_varint(cursor);
		uint64_t len = cursor_varint(cursor);
		const uint8_t *bytes = cursor_bytes(cursor, len);
		raddr_t start;

		if (!bytes || !len || (i && !gap) || __builtin_add_overflow(end, gap, &start) ||
		    __builtin_add_overflow(start, len, &end))
			return ERR_CORRUPT;
		if (remember(recorded, start, bytes, len) < 0)
			return ERR_LIMIT;
	}
	return cursor->bad || cursor_left(cursor) ? ERR_CORRUPT : 0;
}

struct memory *memory_snapshot_new(const void *data, size_t len, struct err *err)
{
	struct cursor cursor = cursor_over(data, len);
	const uint8_t *magic = cursor_bytes(&cursor, strlen(SNAPSHOT_MAGIC));
	struct recorded *recorded;
	int r;

	if (!magic || memcmp(magic, SNAPSHOT_MAGIC, strlen(SNAPSHOT_MAGIC)) != 0) {
		err_set(err, ERR_CORRUPT, "not a memory snapshot");
		return NULL;
	}
	recorded = xcalloc(1, sizeof(*recorded));
	recorded->memory.ops = &player_ops;
	r = player_load(recorded, &cursor);
	if (r < 0) {
		err_sys(err, r, "damaged memory snapshot");
		recorded_free(&recorded->memory);
		return NULL;
	}
	return &recorded->memory;
}
