/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that no Python has. */
#include "forged.h"

#include <string.h>

/* ---- frames ---- */

static raddr_t frame(struct forge *forge, raddr_t code, raddr_t previous)
{
	return fake_frame(&forge->fake, &forge->process, 0, code, previous, 0);
}

static void link_frames(struct forge *forge, raddr_t from, raddr_t to)
{
	const struct layout *layout = forge->fake.layout;

	fake_put64(&forge->fake, from + layout->frame_previous, to);
	if (layout->frame_is_entry != NO_FIELD)
		fake_put8(&forge->fake, from + layout->frame_is_entry, 0);
}

static void cycle_of(struct forge *forge, size_t n, raddr_t code)
{
	raddr_t first = frame(forge, code, 0), last = first;

	for (size_t i = 1; i < n; i++)
		last = frame(forge, code, last);
	link_frames(forge, first, last);
	fake_current(&forge->fake, &forge->process, last);
}

static void cycle_of_one(struct forge *forge)
{
	cycle_of(forge, 1, forge->codes[0]);
}

static void cycle_of_two(struct forge *forge)
{
	cycle_of(forge, 2, forge->codes[0]);
}

static void cycle_of_a_thousand(struct forge *forge)
{
	cycle_of(forge, 1000, forge->codes[0]);
}

/* A walk that counts only frames that have names would never end. */
static void cycle_without_names(struct forge *forge)
{
	raddr_t code = fake_code(&forge->fake, "f", "f.py", 1);

	fake_put64(&forge->fake, code + forge->fake.layout->co_filename, NOWHERE);
	cycle_of(forge, 3, code);
}

static void deep(struct forge *forge)
{
	raddr_t at = forge->leaf;

	for (int i = 0; i < 5000; i++)
		at = fake_frame(&forge->fake, &forge->process, fake_alloc(&forge->fake, 256),
				forge->codes[i % 3], at, 0);
	fake_current(&forge->fake, &forge->process, at);
}

static void frame_at(struct forge *forge, raddr_t addr)
{
	fake_current(&forge->fake, &forge->process, addr);
}

static void frame_nowhere(struct forge *forge)
{
	frame_at(forge, NOWHERE);
}

static void frame_in_the_kernel(struct forge *forge)
{
	frame_at(forge, 0xffff888000000000ull);
}

static void frame_at_the_last_byte(struct forge *forge)
{
	frame_at(forge, ~7ull);
}

static void frame_between_words(struct forge *forge)
{
	frame_at(forge, forge->leaf + 3);
}

static void frame_before_nowhere(struct forge *forge)
{
	link_frames(forge, forge->leaf, NOWHERE);
}

static void frame_without_code(struct forge *forge)
{
	fake_put64(&forge->fake, forge->leaf + forge->fake.layout->frame_code, 0);
}

static void code_nowhere(struct forge *forge)
{
	fake_put64(&forge->fake, forge->leaf + forge->fake.layout->frame_code, NOWHERE);
}

static void code_that_is_none(struct forge *forge)
{
	fake_put64(&forge->fake, forge->leaf + forge->fake.layout->frame_code,
		   forge->fake.code_type);
}

static void instruction_elsewhere(struct forge *forge)
{
	const struct layout *layout = forge->fake.layout;

	if (layout->instr_unit)
		fake_put32(&forge->fake, forge->leaf + layout->frame_instr, 0x7fffffff);
	else
		fake_put64(&forge->fake, forge->leaf + layout->frame_instr, NOWHERE);
}

/* ---- strings and tables ---- */

static void name_with(struct forge *forge, uint64_t length, uint32_t state)
{
	const struct layout *layout = forge->fake.layout;
	raddr_t text = fake_ascii(&forge->fake, "lie");

	fake_put64(&forge->fake, text + layout->str_length, length);
	if (state)
		fake_put32(&forge->fake, text + layout->str_state, state);
	fake_put64(&forge->fake, forge->codes[2] + layout->co_name, text);
}

static void name_endless(struct forge *forge)
{
	name_with(forge, INT64_MAX, 0);
}

static void name_of_negative_length(struct forge *forge)
{
	name_with(forge, UINT64_MAX, 0);
}

static void name_of_4_gb(struct forge *forge)
{
	name_with(forge, 1ull << 32, 0);
}

static void name_of_no_kind(struct forge *forge)
{
	name_with(forge, 3, 1u << 5 | 1u << 6);
}

static void name_of_an_unknown_kind(struct forge *forge)
{
	name_with(forge, 3, 7u << 2 | 1u << 5);
}

/* Terminal codes, separators of formats, a lone surrogate, text that runs right to left. */
static void name_hostile(struct forge *forge)
{
	static const uint16_t chars[] = {'<', 'b',  '>',    0x1b,   '[',  '3', '1', 'm',
					 ';', '\n', 0xd800, 0x202e, 0x9b, 0,   '"', 0xfffe};
	const struct layout *layout = forge->fake.layout;
	raddr_t text = fake_alloc(&forge->fake, layout->str_compact_data + sizeof(chars));

	fake_put64(&forge->fake, text + layout->str_length, array_len(chars));
	fake_put32(&forge->fake, text + layout->str_state, 2u << 2 | 1u << 5);
	fake_put(&forge->fake, text + layout->str_compact_data, chars, sizeof(chars));
	fake_put64(&forge->fake, forge->codes[2] + layout->co_name, text);
}

static void table_of(struct forge *forge, uint64_t size)
{
	const struct layout *layout = forge->fake.layout;
	raddr_t table = fake_bytes(&forge->fake, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);

	fake_put64(&forge->fake, table + layout->bytes_size, size);
	fake_put64(&forge->fake, forge->codes[2] + layout->co_linetable, table);
}

static void table_endless(struct forge *forge)
{
	table_of(forge, 1ull << 30);
}

static void table_of_negative_length(struct forge *forge)
{
	table_of(forge, UINT64_MAX);
}

static void table_cut_off(struct forge *forge)
{
	table_of(forge, 8);
}

static void first_line_negative(struct forge *forge)
{
	fake_put32(&forge->fake, forge->codes[2] + forge->fake.layout->co_firstlineno, 0x80000000u);
}

/* ---- lists ---- */

static raddr_t thread_state(struct forge *forge)
{
	raddr_t thread = fake_alloc(&forge->fake, 400);

	fake_put64(&forge->fake, thread + forge->fake.layout->ts_interp, forge->process.interp);
	return thread;
}

static void threads_in_a_cycle(struct forge *forge)
{
	fake_put64(&forge->fake, forge->process.thread + forge->fake.layout->ts_next,
		   forge->process.thread);
}

static void threads_without_end(struct forge *forge)
{
	raddr_t at = forge->process.thread;

	for (int i = 0; i < 5000; i++) {
		raddr_t next = thread_state(forge);

		fake_put64(&forge->fake, at + forge->fake.layout->ts_next, next);
		at = next;
	}
}

static void thread_nowhere(struct forge *forge)
{
	fake_put64(&forge->fake, forge->process.thread + forge->fake.layout->ts_next, NOWHERE);
}

static void thread_of_another_interpreter(struct forge *forge)
{
	raddr_t other = thread_state(forge);

	fake_put64(&forge->fake, other + forge->fake.layout->ts_interp, NOWHERE);
	fake_put64(&forge->fake, forge->process.thread + forge->fake.layout->ts_next, other);
}

static void interpreters_in_a_cycle(struct forge *forge)
{
	fake_put64(&forge->fake, forge->process.interp + forge->fake.layout->is_next,
		   forge->process.interp);
}

/* Interlaced, since each is large: the fields of one lie between those of others. */
static void interpreters_without_end(struct forge *forge)
{
	const struct layout *layout = forge->fake.layout;
	uint32_t step = 24;
	raddr_t first = fake_alloc(&forge->fake, 512u << 10), at = forge->process.interp;

	while ((layout->is_threads_head - layout->is_next) % step == 0)
		step += 16;
	for (uint32_t i = 0; i < 3000; i++) {
		fake_put64(&forge->fake, at + layout->is_next, first + i * step);
		at = first + i * step;
	}
}

static void interpreter_nowhere(struct forge *forge)
{
	fake_put64(&forge->fake, forge->process.interp + forge->fake.layout->is_next, NOWHERE);
}

/* ---- the runtime ---- */

static void version_of_the_future(struct forge *forge)
{
	uint64_t hex = 0x036300f0;

	memcpy(forge->block + 8, &hex, sizeof(hex));
	Py_Version = hex;
}

static void offsets_with(struct forge *forge, uint16_t at, uint64_t value)
{
	memcpy(forge->block + at, &value, sizeof(value));
}

static void offset_beyond_its_struct(struct forge *forge)
{
	offsets_with(forge, 184, 0x8000);
}

static void offset_negative(struct forge *forge)
{
	offsets_with(forge, 40, ~7ull);
}

static void offset_between_words(struct forge *forge)
{
	offsets_with(forge, 232, 9);
}

static void struct_of_no_size(struct forge *forge)
{
	offsets_with(forge, 152, 0);
}

static void struct_without_end(struct forge *forge)
{
	offsets_with(forge, 272, 1ull << 60);
}

const struct lie forged_objects[] = {
	{"cycle-of-one", cycle_of_one},
	{"cycle-of-two", cycle_of_two},
	{"cycle-of-a-thousand", cycle_of_a_thousand},
	{"cycle-without-names", cycle_without_names},
	{"deep", deep},
	{"frame-nowhere", frame_nowhere},
	{"frame-in-the-kernel", frame_in_the_kernel},
	{"frame-at-the-last-byte", frame_at_the_last_byte},
	{"frame-between-words", frame_between_words},
	{"frame-before-nowhere", frame_before_nowhere},
	{"frame-without-code", frame_without_code},
	{"code-nowhere", code_nowhere},
	{"code-that-is-none", code_that_is_none},
	{"instruction-elsewhere", instruction_elsewhere},
	{"name-endless", name_endless},
	{"name-of-negative-length", name_of_negative_length},
	{"name-of-4-gb", name_of_4_gb},
	{"name-of-no-kind", name_of_no_kind},
	{"name-of-an-unknown-kind", name_of_an_unknown_kind},
	{"name-hostile", name_hostile},
	{"table-endless", table_endless},
	{"table-of-negative-length", table_of_negative_length},
	{"table-cut-off", table_cut_off},
	{"first-line-negative", first_line_negative},
	{"threads-in-a-cycle", threads_in_a_cycle},
	{"threads-without-end", threads_without_end},
	{"thread-nowhere", thread_nowhere},
	{"thread-of-another-interpreter", thread_of_another_interpreter},
	{"interpreters-in-a-cycle", interpreters_in_a_cycle},
	{"interpreters-without-end", interpreters_without_end},
	{"interpreter-nowhere", interpreter_nowhere},
	{"version-of-the-future", version_of_the_future},
	{"offset-beyond-its-struct", offset_beyond_its_struct},
	{"offset-negative", offset_negative},
	{"offset-between-words", offset_between_words},
	{"struct-of-no-size", struct_of_no_size},
	{"struct-without-end", struct_without_end},
	{NULL, NULL},
};
