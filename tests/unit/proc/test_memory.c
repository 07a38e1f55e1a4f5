/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/vec.h"
#include "unit.h"

static raddr_t at(const void *pointer)
{
	return (raddr_t)(uintptr_t)pointer;
}

static struct memory *own_memory(void)
{
	struct memory *memory = memory_live_new(getpid());

	memory_budget_set(memory, 100, 1 << 20);
	return memory;
}

/* Two pages, the second not mapped. */
static char *page_before_hole(void)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(pages + 4096, 4096);
	return pages;
}

static void spans_around_a_hole_are_read(void **state)
{
	struct memory *memory = own_memory();
	char first[] = "first", last[] = "last", into[4][8] = {{0}};
	char *page = page_before_hole();
	struct mem_span spans[] = {
		{.addr = at(first), .into = into[0], .len = 6},
		{.addr = at(page + 4092), .into = into[1], .len = 8}, /* half of it is mapped */
		{.addr = 8, .into = into[2], .len = 8},
		{.addr = at(last), .into = into[3], .len = 5},
	};

	(void)state;
	assert_int_equal(memory_readv(memory, spans, 4), 2);
	assert_true(spans[0].ok && !spans[1].ok && !spans[2].ok && spans[3].ok);
	assert_string_equal(into[0], "first");
	assert_string_equal(into[3], "last");
	munmap(page, 4096);
	memory_free(memory);
}

/* Spans of one page are fetched together: each still has its own bytes, and fails by itself. */
static void neighbours_have_their_own_bytes(void **state)
{
	struct memory *memory = own_memory();
	char into[7][16];
	char *page = page_before_hole();
	struct mem_span spans[] = {
		{.addr = at(page + 16), .into = into[0], .len = 8},
		{.addr = at(page + 24), .into = into[1], .len = 8},    /* adjoins */
		{.addr = at(page + 4000), .into = into[2], .len = 8},  /* far, in the same page */
		{.addr = at(page + 4004), .into = into[3], .len = 8},  /* overlaps */
		{.addr = at(page + 100), .into = into[4], .len = 8},   /* lies before */
		{.addr = at(page + 4090), .into = into[5], .len = 16}, /* half of it is mapped */
		{.addr = at(page + 4108), .into = into[6], .len = 8},  /* beside it */
	};

	(void)state;
	for (int i = 0; i < 4096; i++)
		page[i] = (char)(i * 7 + i / 256);
	assert_int_equal(memory_readv(memory, spans, array_len(spans)), 5);
	for (size_t i = 0; i < array_len(spans); i++) {
		assert_int_equal(spans[i].ok, i < 5);
		if (spans[i].ok)
			assert_memory_equal(into[i], (void *)(uintptr_t)spans[i].addr, 8);
	}
	munmap(page, 4096);
	memory_free(memory);
}

/* The page in which the second lies is there, the one in which the first begins is not. */
static void a_neighbour_of_a_hole_is_read(void **state)
{
	struct memory *memory = own_memory();
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char into[3][16] = {{0}};
	struct mem_span spans[] = {
		{.addr = at(pages + 4090), .into = into[0], .len = 16},
		{.addr = at(pages + 4096 + 50), .into = into[1], .len = 5},
		{.addr = at(pages + 4096 + 80), .into = into[2], .len = 5},
	};

	(void)state;
	memcpy(pages + 4096 + 50, "next", 5);
	memcpy(pages + 4096 + 80, "last", 5);
	munmap(pages, 4096);
	assert_int_equal(memory_readv(memory, spans, 3), 2);
	assert_true(!spans[0].ok && spans[1].ok && spans[2].ok);
	assert_string_equal(into[1], "next");
	assert_string_equal(into[2], "last");
	munmap(pages + 4096, 4096);
	memory_free(memory);
}

static void budget_refuses_without_reading(void **state)
{
	struct memory *memory = own_memory();
	uint64_t value = 7, got = 0;
	struct mem_span span = {.addr = at(&value), .into = &got, .len = 8};

	(void)state;
	memory_budget_set(memory, 2, 12);
	assert_int_equal(memory_readv(memory, &span, 1), 1);
	assert_int_equal(memory_readv(memory, &span, 1), ERR_LIMIT);
	assert_false(span.ok);
	memory_budget_set(memory, 0, 100);
	assert_int_equal(memory_read_u64(memory, at(&value), &got), ERR_LIMIT);
	memory_budget_set(memory, 10, 1 << 30);
	span.len = MEMORY_MAX_SPAN_BYTES + 1;
	assert_int_equal(memory_readv(memory, &span, 1), ERR_LIMIT);
	assert_int_equal(memory->used.calls, 1);
	assert_int_equal(memory->used.bytes, 8);
	memory_free(memory);
}

static void holes_are_paid_for(void **state)
{
	struct memory *memory = own_memory();
	struct mem_span spans[64];
	char into[8];

	(void)state;
	for (int i = 0; i < 64; i++)
		spans[i] = (struct mem_span){.addr = 8, .into = into, .len = 8};
	memory_budget_set(memory, 5, 1 << 20);
	assert_int_equal(memory_readv(memory, spans, 64), 0);
	assert_int_equal(memory->left.calls, 0);
	memory_free(memory);
}

static void errors_tell_a_hole_from_an_end(void **state)
{
	struct memory *memory = own_memory();
	uint64_t value;

	(void)state;
	assert_int_equal(memory_read_u64(memory, 8, &value), -EFAULT);
	memory_free(memory);
	memory = memory_live_new(0x7ffffff0);
	memory_budget_set(memory, 1, 8);
	assert_int_equal(memory_read_u64(memory, 8, &value), -ESRCH);
	memory_free(memory);
	memory_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_around_a_hole_are_read),
		cmocka_unit_test(neighbours_have_their_own_bytes),
		cmocka_unit_test(a_neighbour_of_a_hole_is_read),
		cmocka_unit_test(budget_refuses_without_reading),
		cmocka_unit_test(holes_are_paid_for),
		cmocka_unit_test(errors_tell_a_hole_from_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
