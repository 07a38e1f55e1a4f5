/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_memory.h"

#include <errno.h>

#include "base/vec.h"

#define ROOT_CFRAME 448 /* of a thread state: where its own _PyCFrame lies in ours */
#define STACK_BYTES (2u << 20)
#define PTHREAD_TID 720 /* as glibc has it */
#define ROOM 64		/* locals of every frame */

static int fake_readv(struct memory *memory, struct mem_span *spans, size_t n)
{
	struct fake_memory *fake = container_of(memory, struct fake_memory, memory);
	int whole = 0;

	if (fake->before_read)
		fake->before_read(fake, fake->n_reads);
	fake->n_reads++;
	for (size_t i = 0; i < n; i++) {
		raddr_t at = spans[i].addr - FAKE_BASE;

		if (fake->before_span)
			fake->before_span(fake, &spans[i]);
		spans[i].ok = at < FAKE_BYTES && spans[i].len <= FAKE_BYTES - at;
		if (!spans[i].ok)
			continue;
		memcpy(spans[i].into, fake->bytes + at, spans[i].len);
		whole++;
	}
	return whole;
}

static void fake_free(struct memory *memory)
{
	(void)memory; /* fake_done() */
}

static const struct memory_ops fake_ops = {.readv = fake_readv, .free = fake_free};

void fake_init(struct fake_memory *fake, const struct layout *layout)
{
	*fake = (struct fake_memory){
		.memory = {.ops = &fake_ops},
		.layout = layout,
		.bytes = xcalloc(FAKE_BYTES, 1),
		.next = FAKE_BASE + 4096,
	};
	fake->code_type = fake_alloc(fake, 1024);
	raddr_t name = fake_alloc(fake, 8);
	fake_put(fake, name, "code", 5);
	fake_put64(fake, fake->code_type + layout->object_bytes + 8u, name);
	memory_budget_set(&fake->memory, 1 << 20, 1ull << 40);
}

void fake_done(struct fake_memory *fake)
{
	free(fake->bytes);
}

raddr_t fake_alloc(struct fake_memory *fake, size_t len)
{
	raddr_t addr = fake->next;

	fake->next += (len + 15) & ~15ull;
	if (fake->next > FAKE_BASE + FAKE_BYTES)
		abort();
	return addr;
}

void fake_put(struct fake_memory *fake, raddr_t addr, const void *bytes, size_t len)
{
	if (addr < FAKE_BASE || addr - FAKE_BASE > FAKE_BYTES - len)
		abort();
	memcpy(fake->bytes + (addr - FAKE_BASE), bytes, len);
}

void fake_put64(struct fake_memory *fake, raddr_t addr, uint64_t value)
{
	fake_put(fake, addr, &value, sizeof(value));
}

void fake_put32(struct fake_memory *fake, raddr_t addr, uint32_t value)
{
	fake_put(fake, addr, &value, sizeof(value));
}

void fake_put8(struct fake_memory *fake, raddr_t addr, uint8_t value)
{
	fake_put(fake, addr, &value, sizeof(value));
}

raddr_t fake_ascii(struct fake_memory *fake, const char *text)
{
	const struct layout *layout = fake->layout;
	size_t len = strlen(text);
	raddr_t addr = fake_alloc(fake, layout->str_ascii_data + len + 1);

	fake_put64(fake, addr + layout->str_length, len);
	if (layout->str_state != NO_FIELD)
		fake_put32(fake, addr + layout->str_state,
			   (1u | 1u << 3 | 1u << 4) << layout->str_kind_shift);
	fake_put(fake, addr + layout->str_ascii_data, text, len);
	return addr;
}

raddr_t fake_bytes(struct fake_memory *fake, const void *bytes, size_t len)
{
	raddr_t addr = fake_alloc(fake, fake->layout->bytes_data + len + 1);

	fake_put64(fake, addr + fake->layout->bytes_size, len);
	fake_put(fake, addr + fake->layout->bytes_data, bytes, len);
	return addr;
}

static void add_copy(struct fake_memory *fake, raddr_t code)
{
	raddr_t list = fake_alloc(fake, 8 + 8 * (FAKE_COPY + 1));

	fake_put64(fake, code + fake->layout->co_tlbc, list);
	fake_put64(fake, list, FAKE_COPY + 1);
	fake_put64(fake, list + 8, code + fake->layout->co_code);
	fake_put64(fake, list + 8 + 8 * FAKE_COPY, fake_alloc(fake, 16));
}

static raddr_t instructions_of(const struct fake_memory *fake, raddr_t code)
{
	raddr_t list, copy;

	if (fake->layout->co_tlbc == NO_FIELD || code < FAKE_BASE ||
	    code - FAKE_BASE > FAKE_BYTES - 512)
		return code + fake->layout->co_code;
	memcpy(&list, fake->bytes + (code + fake->layout->co_tlbc - FAKE_BASE), sizeof(list));
	if (list < FAKE_BASE || list - FAKE_BASE > FAKE_BYTES - 64) /* no code, on purpose */
		return code;
	memcpy(&copy, fake->bytes + (list + 8 + 8 * FAKE_COPY - FAKE_BASE), sizeof(copy));
	return copy;
}

raddr_t fake_code(struct fake_memory *fake, const char *name, const char *file, uint32_t first_line)
{
	static const uint8_t lnotab[] = {16, 0}, location[] = {0x80 | 13 << 3 | 7, 0};
	const struct layout *layout = fake->layout;
	raddr_t addr = fake_alloc(fake, 512);
	raddr_t text = fake_ascii(fake, name);

	fake_put64(fake, addr + layout->object_type, fake->code_type);
	fake_put64(fake, addr + layout->co_name, text);
	fake_put64(fake, addr + layout->co_filename, fake_ascii(fake, file));
	fake_put32(fake, addr + layout->co_firstlineno, first_line);
	if (layout->lines == LINES_LOCATION) {
		fake_put64(fake, addr + layout->object_bytes, 8);
		fake_put64(fake, addr + layout->co_qualname, text);
		fake_put64(fake, addr + layout->co_linetable,
			   fake_bytes(fake, location, sizeof(location)));
	} else {
		fake_put64(fake, addr + layout->co_code, fake_bytes(fake, "0123456789abcdef", 16));
		fake_put64(fake, addr + layout->co_linetable,
			   fake_bytes(fake, lnotab, sizeof(lnotab)));
	}
	if (layout->co_tlbc != NO_FIELD)
		add_copy(fake, addr);
	return addr;
}

/* ---- a process ---- */

static size_t interp_bytes(const struct layout *layout)
{
	const uint32_t fields[] = {layout->is_modules, layout->is_code_generation,
				   layout->is_tlbc_generation};
	size_t bytes = 0;

	for (size_t i = 0; i < array_len(fields); i++)
		if (fields[i] != NO_FIELD)
			bytes = max_of(bytes, fields[i] + 512u);
	return bytes;
}

void fake_process(struct fake_memory *fake, struct fake_process *process)
{
	const struct layout *layout = fake->layout;

	process->runtime = fake_alloc(fake, layout->rt_gil != NO_FIELD ? 4096 : 1024);
	process->interp = fake_alloc(fake, interp_bytes(layout));
	process->gil = layout->rt_gil != NO_FIELD ? process->runtime + layout->rt_gil
						  : fake_alloc(fake, layout->gil_size);
	process->thread = fake_alloc(fake, 512);
	process->stack = fake_alloc(fake, STACK_BYTES);
	process->stack_end = process->stack + 16;
	fake_put64(fake, process->runtime + layout->rt_interpreters_head, process->interp);
	fake_put64(fake, process->interp + layout->is_threads_head, process->thread);
	if (layout->is_gil != NO_FIELD)
		fake_put64(fake, process->interp + layout->is_gil, process->gil);
	fake_put64(fake, process->gil + layout->gil_last_holder, process->thread);
	if (layout->ts_state != NO_FIELD)
		fake_put32(fake, process->thread + layout->ts_state, 1);
	else if (layout->gil_locked != NO_FIELD)
		fake_put32(fake, process->gil + layout->gil_locked, 1);
	process->gil_lock = fake_alloc(fake, 8);
	process->semaphore = fake_alloc(fake, 128);
	fake_put64(fake, process->gil_lock, process->semaphore);
	fake_put64(fake, process->thread + layout->ts_interp, process->interp);
	raddr_t pthread = fake_alloc(fake, 2048);
	fake_put32(fake, pthread + PTHREAD_TID, FAKE_PID);
	fake_put64(fake, process->thread + layout->ts_thread_id, pthread);
	if (layout->ts_native_thread_id != NO_FIELD)
		fake_put64(fake, process->thread + layout->ts_native_thread_id, FAKE_PID);
	if (layout->ts_stack_chunk != NO_FIELD) {
		fake_put64(fake, process->thread + layout->ts_stack_chunk, process->stack);
		fake_put64(fake, process->thread + layout->ts_stack_top + 8,
			   process->stack + STACK_BYTES);
	}
	if (layout->ts_base_frame != NO_FIELD) {
		process->base_frame =
			fake_frame(fake, process, fake_alloc(fake, 128), process->gil, 0, 3);
		fake_put64(fake, process->thread + layout->ts_base_frame, process->base_frame);
		fake_put64(fake, process->thread + layout->ts_frame, process->base_frame);
	}
	if (layout->ts_cframe != NO_FIELD) {
		process->root_cframe = process->thread + ROOT_CFRAME;
		process->cframe = fake_alloc(fake, 64);
		fake_put64(fake, process->cframe + layout->cframe_previous, process->root_cframe);
		fake_put64(fake, process->thread + layout->ts_cframe, process->cframe);
	}
}

struct runtime fake_runtime(const struct fake_memory *fake, const struct fake_process *process)
{
	struct runtime runtime = {.addr = process->runtime, .layout = *fake->layout};

	if (fake->layout->rt_gil == NO_FIELD && fake->layout->is_gil == NO_FIELD) {
		runtime.gil.holder = process->gil;
		if (fake->layout->version < 0x0300)
			runtime.gil.lock = process->gil_lock;
		else {
			runtime.gil.futexes[0].start = process->gil_lock;
			runtime.gil.futexes[0].end = process->gil_lock + 8;
		}
	}
	return runtime;
}

void fake_release_gil(struct fake_memory *fake, const struct fake_process *process)
{
	if (fake->layout->ts_state != NO_FIELD)
		fake_put32(fake, process->thread + fake->layout->ts_state, 0);
	else if (fake->layout->gil_locked != NO_FIELD)
		fake_put32(fake, process->gil + fake->layout->gil_locked, 0);
	else
		fake_put64(fake, process->gil + fake->layout->gil_last_holder, 0);
}

raddr_t fake_frame(struct fake_memory *fake, struct fake_process *process, raddr_t addr,
		   raddr_t code, raddr_t previous, uint8_t owner)
{
	const struct layout *layout = fake->layout;

	if (!addr) {
		addr = process->stack_end;
		process->stack_end += layout->frame_instr + 72 + ROOM;
		process->stack_end &= ~7ull;
	}
	fake_put64(fake, addr + layout->frame_previous, previous);
	fake_put64(fake, addr + layout->frame_code, code ? code | (layout->frame_code_tag & 1) : 0);
	if (layout->frame_tlbc_index != NO_FIELD)
		fake_put32(fake, addr + layout->frame_tlbc_index, FAKE_COPY);
	if (layout->instr_unit)
		fake_put32(fake, addr + layout->frame_instr, 4u / layout->instr_unit);
	else
		fake_put64(fake, addr + layout->frame_instr, instructions_of(fake, code) + 4);
	/* Its stack pointer is not there while it runs: -1, or NULL from 3.14 on. */
	if (layout->chain != CHAIN_OBJECTS)
		fake_put32(fake, addr + layout->frame_instr + 8,
			   layout->version < 0x030e ? UINT32_MAX : 0);
	if (layout->frame_owner != NO_FIELD)
		fake_put8(fake, addr + layout->frame_owner, owner);
	if (layout->frame_is_entry != NO_FIELD)
		fake_put8(fake, addr + layout->frame_is_entry, !previous);
	return addr;
}

void fake_current(struct fake_memory *fake, const struct fake_process *process, raddr_t frame)
{
	const struct layout *layout = fake->layout;

	if (layout->ts_cframe != NO_FIELD)
		fake_put64(fake, process->cframe + layout->cframe_current, frame);
	else
		fake_put64(fake, process->thread + layout->ts_frame, frame);
	if (layout->ts_stack_top != NO_FIELD)
		fake_put64(fake, process->thread + layout->ts_stack_top, process->stack_end);
}

raddr_t fake_stack(struct fake_memory *fake, struct fake_process *process, const raddr_t *codes,
		   size_t n)
{
	raddr_t frame = 0;

	if (process->base_frame)
		frame = process->base_frame;
	else if (fake->layout->chain == CHAIN_SHIMS)
		frame = fake_frame(fake, process, fake_alloc(fake, 128), codes[0], 0, 3);
	for (size_t i = 0; i < n; i++)
		frame = fake_frame(fake, process, 0, codes[i], frame, 0);
	fake_current(fake, process, frame);
	return frame;
}
