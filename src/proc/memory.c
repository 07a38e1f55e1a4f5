/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/memory.h"

#include <assert.h>
#include <errno.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "base/vec.h"

struct live {
	struct memory memory;
	pid_t pid;
};

void memory_budget_set(struct memory *memory, uint32_t calls, uint64_t bytes)
{
	memory->left = (struct memory_budget){.calls = calls, .bytes = bytes};
}

static int charge(struct memory *memory, const struct mem_span *spans, size_t n)
{
	uint64_t bytes = 0;

	if (n > MEMORY_MAX_SPANS)
		return ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		if (spans[i].len > MEMORY_MAX_SPAN_BYTES)
			return ERR_LIMIT;
		bytes += spans[i].len;
	}
	if (!memory->left.calls || bytes > memory->left.bytes)
		return ERR_LIMIT;
	memory->left.calls--;
	memory->left.bytes -= bytes;
	memory->used.calls++;
	memory->used.bytes += bytes;
	return 0;
}

int memory_readv(struct memory *memory, struct mem_span *spans, size_t n)
{
	int r = charge(memory, spans, n);

	for (size_t i = 0; i < n; i++)
		spans[i].ok = false;
	return r < 0 ? r : memory->ops->readv(memory, spans, n);
}

int memory_read(struct memory *memory, raddr_t addr, void *into, size_t len)
{
	struct mem_span span = {.addr = addr, .into = into, .len = len};
	int r = memory_readv(memory, &span, 1);

	if (r < 0)
		return r;
	return span.ok ? 0 : -EFAULT;
}

int memory_read_u64(struct memory *memory, raddr_t addr, uint64_t *ret_value)
{
	uint64_t value;
	int r = memory_read(memory, addr, &value, sizeof(value));

	if (r < 0)
		return r;
	*ret_value = value;
	return 0;
}

void memory_free(struct memory *memory)
{
	if (memory)
		memory->ops->free(memory);
}

/*
 * What lies between two spans in one page is read along: to find a page again costs 0.3 us, as much as copying all of it.
 * Returns its bytes, or APART.
 */
#define PAGE 4096ull
#define APART SIZE_MAX

static size_t gap_before(const struct mem_span *spans, size_t i)
{
	raddr_t end;

	if (!i || !spans[i - 1].len)
		return APART;
	end = spans[i - 1].addr + spans[i - 1].len;
	if (spans[i].addr < end || (end - 1) / PAGE != spans[i].addr / PAGE)
		return APART;
	return spans[i].addr - end;
}

/*
 * Mark the spans that `bytes` cover whole.  The kernel fills them in order and stops at the first
 * page that is not mapped, possibly inside a span.  Returns how many spans are done with: those
 * that were filled, and the one it stopped at.
 */
static size_t settle(struct mem_span *spans, size_t n, size_t bytes, int *filled)
{
	for (size_t i = 0; i < n; i++) {
		size_t gap = gap_before(spans, i);

		if (gap != APART)
			bytes -= min_of(gap, bytes);
		if (spans[i].len > bytes)
			return i + 1;
		spans[i].ok = true;
		(*filled)++;
		bytes -= spans[i].len;
	}
	return n;
}

/* One call: -1 with errno, or how many bytes were read, those between spans among them. */
static ssize_t read_spans(pid_t pid, const struct mem_span *spans, size_t n)
{
	struct iovec local[2 * MEMORY_MAX_SPANS], remote[MEMORY_MAX_SPANS];
	uint8_t between[PAGE];
	size_t n_local = 0, n_remote = 0;

	for (size_t i = 0; i < n; i++) {
		size_t gap = gap_before(spans, i);

		if (gap == APART)
			remote[n_remote++] = (struct iovec){
				.iov_base = (void *)(uintptr_t)spans[i].addr,
				.iov_len = spans[i].len,
			};
		else
			remote[n_remote - 1].iov_len += gap + spans[i].len;
		if (gap != APART && gap)
			local[n_local++] = (struct iovec){.iov_base = between, .iov_len = gap};
		local[n_local++] =
			(struct iovec){.iov_base = spans[i].into, .iov_len = spans[i].len};
	}
	return process_vm_readv(pid, local, n_local, remote, n_remote, 0);
}

static int live_readv(struct memory *memory, struct mem_span *spans, size_t n)
{
	struct live *live = container_of(memory, struct live, memory);
	size_t done = 0;
	int filled = 0;

	assert(n <= MEMORY_MAX_SPANS);
	while (done < n) {
		ssize_t bytes = read_spans(live->pid, spans + done, n - done);

		if (bytes < 0 && errno != EFAULT)
			return -errno;
		done += settle(spans + done, n - done, bytes < 0 ? 0 : (size_t)bytes, &filled);
		/* Each hole costs a call more, so holes are paid for as well. */
		if (done < n) {
			if (!memory->left.calls)
				break;
			memory->left.calls--;
			memory->used.calls++;
		}
	}
	return filled;
}

static void live_free(struct memory *memory)
{
	free(container_of(memory, struct live, memory));
}

static const struct memory_ops live_ops = {.readv = live_readv, .free = live_free};

struct memory *memory_live_new(pid_t pid)
{
	struct live *live = xcalloc(1, sizeof(*live));

	live->memory.ops = &live_ops;
	live->pid = pid;
	return &live->memory;
}
