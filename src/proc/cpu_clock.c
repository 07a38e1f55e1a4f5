/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/cpu_clock.h"

#include <asm/perf_regs.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RING_PAGES 4 /* of readings: a power of 2; 30 whole ones and more */
#define RECORD_MAX 2048

#if defined(__x86_64__)
#define USER_REGS ((1ull << PERF_REG_X86_IP) | (1ull << PERF_REG_X86_SP))
enum { SP_FIRST = PERF_REG_X86_SP < PERF_REG_X86_IP };
#elif defined(__aarch64__)
#define USER_REGS ((1ull << PERF_REG_ARM64_PC) | (1ull << PERF_REG_ARM64_SP))
enum { SP_FIRST = PERF_REG_ARM64_SP < PERF_REG_ARM64_PC };
#endif

static size_t ring_bytes(void)
{
	return RING_PAGES * (size_t)sysconf(_SC_PAGESIZE);
}

static int open_event(pid_t tid, int64_t period_ns)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = (uint64_t)period_ns,
		.sample_type = PERF_SAMPLE_TIME | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER,
		.sample_regs_user = USER_REGS,
		.exclude_callchain_user = 1,
		.exclude_hv = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	long fd = syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static int refuse(struct err *err, int code)
{
	if (code == -EACCES || code == -EPERM)
		return err_set(err, -EPERM,
			       "kernel stacks of running threads are not allowed here: that takes "
			       "CAP_PERFMON, or kernel.perf_event_paranoid at 1 or less");
	return err_sys(err, code, "kernel stacks of running threads cannot be had here");
}

int cpu_clock_open(struct cpu_clock *clock, pid_t tid, int64_t period_ns, struct err *err)
{
	int fd = open_event(tid, period_ns);
	void *ring;

	if (fd < 0)
		return refuse(err, fd);
	ring = mmap(NULL, ring_bytes() + (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED) {
		int code = -errno;

		close(fd);
		return refuse(err, code);
	}
	*clock = (struct cpu_clock){.fd = fd, .ring = ring};
	return 0;
}

void cpu_clock_close(struct cpu_clock *clock)
{
	if (!clock->ring)
		return;
	munmap(clock->ring, ring_bytes() + (size_t)sysconf(_SC_PAGESIZE));
	close(clock->fd);
	*clock = (struct cpu_clock){0};
}

/* Records may wrap at the ring's end. */
static void copy_out(const struct cpu_clock *clock, uint64_t at, void *into, size_t len)
{
	const char *data = (const char *)clock->ring + sysconf(_SC_PAGESIZE);
	size_t size = ring_bytes(), from = (size_t)(at % size), first = min_of(len, size - from);

	memcpy(into, data + from, first);
	memcpy((char *)into + first, data, len - first);
}

static bool is_mark(uint64_t ip)
{
	return ip >= (uint64_t)PERF_CONTEXT_MAX;
}

/* { time; n; ips[n]; abi; regs[2] } after the header; `n_words` of them. */
static bool take_record(const uint64_t *words, size_t n_words, struct cpu_clock_reading *reading)
{
	uint64_t n = n_words > 2 ? words[1] : UINT64_MAX;
	const uint64_t *regs;

	if (n > n_words - 2 || n_words - 2 - n < 1)
		return false;
	reading->time_ns = (int64_t)words[0];
	reading->n_kernel = 0;
	for (uint64_t i = 0; i < n && reading->n_kernel < CPU_CLOCK_FRAMES; i++)
		if (!is_mark(words[2 + i]))
			reading->kernel[reading->n_kernel++] = words[2 + i];
	regs = words + 2 + n;
	reading->user_pc = reading->user_sp = 0;
	if (regs[0] != PERF_SAMPLE_REGS_ABI_NONE && n_words - 2 - n >= 3) {
		reading->user_sp = regs[SP_FIRST ? 1 : 2];
		reading->user_pc = regs[SP_FIRST ? 2 : 1];
	}
	return true;
}

bool cpu_clock_read(struct cpu_clock *clock, struct cpu_clock_reading *ret_reading)
{
	struct perf_event_mmap_page *page = clock->ring;
	uint64_t words[RECORD_MAX / sizeof(uint64_t)];
	bool is_reading = false;

	while (page && !is_reading) {
		uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
		uint64_t tail = page->data_tail;
		struct perf_event_header header;

		if (tail == head)
			return false;
		copy_out(clock, tail, &header, sizeof(header));
		if (header.size < sizeof(header))
			return false; /* not as the kernel writes it */
		if (header.type == PERF_RECORD_SAMPLE && header.size <= sizeof(words)) {
			size_t len = header.size - sizeof(header);

			copy_out(clock, tail + sizeof(header), words, len);
			is_reading = take_record(words, len / sizeof(words[0]), ret_reading);
		}
		__atomic_store_n(&page->data_tail, tail + header.size, __ATOMIC_RELEASE);
	}
	return is_reading;
}

int cpu_clock_check(struct err *err)
{
	struct cpu_clock clock = {0};
	int r = cpu_clock_open(&clock, 0, 1000000000, err);

	cpu_clock_close(&clock);
	return r;
}
