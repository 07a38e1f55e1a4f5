/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/streams.h"

#include <endian.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/zstd.h"

enum { MODE_PLAIN, MODE_ONE_FRAME, MODE_FRAMES };

#define FORM_VARINTS 0u
#define FORM_FINEST 3u
#define FORM_DIVIDED 0x80u
/* Symbols are bytes: three finer bits do for numbers below 2^34, two for all. */
#define FINEST_BELOW ((uint64_t)1 << 34)

#define PLAIN_BELOW_BYTES 48   /* a frame and its table would take that */
#define FRAMES_FROM_NUMBERS 96 /* and so for each run */
#define LOOK_NUMBERS 64	       /* of a run, to see if they repeat */

/* ---- bits ---- */

struct bits_out {
	struct buf *out;
	uint64_t pending;
	unsigned n; /* of pending, below 32 */
};

static void bits_put_few(struct bits_out *bits, uint64_t value, unsigned n)
{
	bits->pending |= value << bits->n;
	bits->n += n;
	if (bits->n < 32)
		return;
	buf_put(bits->out, &(uint32_t){htole32((uint32_t)bits->pending)}, 4);
	bits->pending >>= 32;
	bits->n -= 32;
}

static void bits_put(struct bits_out *bits, uint64_t value, unsigned n)
{
	if (n > 32) {
		bits_put_few(bits, value & UINT32_MAX, 32);
		value >>= 32;
		n -= 32;
	}
	bits_put_few(bits, value, n);
}

static void bits_end(struct bits_out *bits)
{
	for (unsigned at = 0; at < bits->n; at += 8)
		buf_putc(bits->out, (char)(bits->pending >> at));
}

struct bits_in {
	const uint8_t *data;
	uint64_t at, end; /* in bits */
	bool bad;
};

static uint64_t bits_take_slowly(struct bits_in *bits, unsigned n)
{
	uint64_t value = 0;

	if (n > 63 || bits->end - bits->at < n) {
		bits->bad = true;
		return 0;
	}
	for (unsigned i = 0; i < n; i++, bits->at++)
		value |= (uint64_t)(bits->data[bits->at / 8] >> bits->at % 8 & 1) << i;
	return value;
}

/* 57 bits fit into any eight bytes that are there. */
static inline uint64_t bits_take(struct bits_in *bits, unsigned n)
{
	uint64_t word;

	if (n > 57 || bits->end - bits->at < 64 + 7)
		return bits_take_slowly(bits, n);
	memcpy(&word, bits->data + bits->at / 8, 8);
	word = le64toh(word) >> bits->at % 8;
	bits->at += n;
	return word & (((uint64_t)1 << n) - 1);
}

/* ---- numbers ---- */

/* Numbers below 2^fine are their own symbols; above, 2^fine symbols share each power of two. */
static void put_symbols(const uint64_t *numbers, uint32_t n, unsigned form, uint64_t divisor,
			uint8_t turn, char *symbols, struct bits_out *bits)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t number = divisor > 1 ? numbers[i] / divisor : numbers[i];
		unsigned below = 0;

		if (number >> form) {
			below = 63 - form - (unsigned)__builtin_clzll(number);
			symbols[i] = (char)(((below << form) + (unsigned)(number >> below)) ^ turn);
			bits_put(bits, number & (((uint64_t)1 << below) - 1), below);
		} else {
			symbols[i] = (char)((unsigned)number ^ turn);
		}
	}
}

static void take_symbols(const uint8_t *symbols, uint32_t n, unsigned form, uint8_t turn,
			 struct bits_in *bits, uint64_t *out)
{
	const unsigned whole = 1u << form;

	for (uint32_t i = 0; i < n; i++) {
		unsigned symbol = symbols[i] ^ turn, below;

		if (symbol < whole) {
			out[i] = symbol;
			continue;
		}
		below = (symbol >> form) - 1;
		out[i] = (uint64_t)(whole | (symbol & (whole - 1))) << (below & 63) |
			 bits_take(bits, below);
	}
}

static bool take_varints(const uint8_t *data, size_t len, uint32_t n, uint64_t *out)
{
	struct cursor in = cursor_over(data, len);

	for (uint32_t i = 0; i < n; i++)
		out[i] = in.at < in.end && *in.at < 0x80 ? *in.at++ : cursor_list_varint(&in);
	return !in.bad && !cursor_left(&in);
}

/* ---- which form ---- */

static uint64_t divisor_of(const uint64_t *numbers, uint32_t n)
{
	uint64_t divisor = 0;

	for (uint32_t i = 0; i < n && divisor != 1; i++) {
		uint64_t rest = numbers[i];

		while (rest) {
			uint64_t next = divisor ? rest % divisor : 0;

			if (!divisor || !next) {
				divisor = divisor ? divisor : rest;
				break;
			}
			rest = divisor;
			divisor = next;
		}
	}
	return divisor ? divisor : 1;
}

/* Are at most half of the numbers looked at different? */
static bool do_repeat(const uint64_t *numbers, uint32_t n)
{
	uint64_t seen[LOOK_NUMBERS];
	uint32_t n_seen = 0, looks = min_of(n, (uint32_t)LOOK_NUMBERS);

	for (uint32_t i = 0; i < looks; i++) {
		uint64_t number = numbers[(uint64_t)i * n / looks];
		uint32_t at = 0;

		while (at < n_seen && seen[at] != number)
			at++;
		seen[at] = number;
		n_seen += at == n_seen;
		if (n_seen * 2 > looks)
			return false;
	}
	return true;
}

/* Fewer finer bits where the symbols of short runs would cost more than they tell. */
static unsigned form_of_nodes(uint32_t n)
{
	return n < 1024 ? 1 : FORM_FINEST;
}

static unsigned form_of_column(const uint64_t *numbers, uint32_t n)
{
	uint64_t all = 0;

	if (do_repeat(numbers, n))
		return FORM_VARINTS;
	for (uint32_t i = 0; i < n; i++)
		all |= numbers[i];
	return all < FINEST_BELOW ? FORM_FINEST : FORM_FINEST - 1;
}

/* ---- writing ---- */

struct writing {
	struct block_room *room; /* raw: the runs */
	struct buf *heads;
	struct bits_out bits;
	size_t ends[STREAMS_MAX]; /* of runs in raw */
};

static void put_varints(const uint64_t *numbers, uint32_t n, uint64_t divisor, struct buf *out)
{
	for (uint32_t i = 0; i < n; i++)
		buf_put_varint(out, numbers[i] / divisor);
}

static void put_run(struct writing *writing, const struct streams *streams, size_t run)
{
	const uint64_t *numbers = streams->runs[run];
	struct buf *raw = &writing->room->raw;
	uint64_t divisor = run ? divisor_of(numbers, streams->n) : 1;
	unsigned form = run ? form_of_column(numbers, streams->n) : form_of_nodes(streams->n);
	size_t before = raw->len;
	char *symbols;

	buf_putc(writing->heads, (char)(form | (divisor > 1 ? FORM_DIVIDED : 0)));
	if (divisor > 1)
		buf_put_varint(writing->heads, divisor);
	if (form == FORM_VARINTS) {
		put_varints(numbers, streams->n, divisor, raw);
		buf_put_varint(writing->heads, raw->len - before);
	} else if ((symbols = buf_room(raw, streams->n))) {
		put_symbols(numbers, streams->n, form, divisor, run ? UINT8_MAX : 0, symbols,
			    &writing->bits);
		buf_grew(raw, streams->n);
	}
	writing->ends[run] = raw->len;
}

static int compress(struct block_room *room, size_t from, size_t until, struct buf *out,
		    struct err *err)
{
	if (!room->encoder)
		room->encoder = zstd_encoder_new(ZSTD_OF_SYMBOLS);
	return zstd_encode(room->encoder, room->raw.data + from, until - from, out, err);
}

static int compress_each(struct writing *writing, const struct streams *streams, struct buf *out,
			 struct err *err)
{
	cleanup(buf_done) struct buf frame = {0};
	size_t from = 0;
	int r = 0;

	buf_init(&frame, BLOCK_MAX_BYTES);
	for (size_t run = 0; run < streams->n_runs && r == 0; run++) {
		buf_reset(&frame);
		r = compress(writing->room, from, writing->ends[run], &frame, err);
		buf_put_varint(out, frame.len);
		buf_put(out, frame.data, frame.len);
		from = writing->ends[run];
	}
	return r;
}

static int put_frames(struct writing *writing, const struct streams *streams, struct buf *out,
		      struct err *err)
{
	const struct buf *raw = &writing->room->raw;
	cleanup(buf_done) struct buf frames = {0};
	bool is_one = streams->is_quick || streams->n < FRAMES_FROM_NUMBERS;
	bool is_plain = raw->len < PLAIN_BELOW_BYTES;
	int r = 0;

	buf_init(&frames, BLOCK_MAX_BYTES);
	if (!is_plain)
		r = is_one ? compress(writing->room, 0, raw->len, &frames, err)
			   : compress_each(writing, streams, &frames, err);
	is_plain = is_plain || frames.len >= raw->len;
	buf_putc(out, is_plain ? MODE_PLAIN : is_one ? MODE_ONE_FRAME : MODE_FRAMES);
	buf_put(out, writing->heads->data, writing->heads->len);
	buf_put(out, is_plain ? raw->data : frames.data, is_plain ? raw->len : frames.len);
	return r;
}

int streams_write(const struct streams *streams, struct block_room *room, struct buf *out,
		  size_t *ret_raw_bytes, struct err *err)
{
	cleanup(buf_done) struct buf heads = {0}, bits = {0};
	struct writing writing = {.room = room, .heads = &heads, .bits = {.out = &bits}};
	int r;

	buf_init(&heads, STREAMS_MAX * 32);
	buf_init(&bits, BLOCK_MAX_BYTES);
	buf_reset(&room->raw);
	for (size_t run = 0; run < streams->n_runs; run++)
		put_run(&writing, streams, run);
	bits_end(&writing.bits);
	buf_put_varint(out, bits.len);
	r = put_frames(&writing, streams, out, err);
	buf_put(out, bits.data, bits.len);
	if (r < 0)
		return r;
	if (room->raw.overflow || bits.overflow || out->overflow)
		return err_set(err, ERR_LIMIT, "a block of %u stacks and %zu columns is too large",
			       streams->n, streams->n_runs - 1);
	*ret_raw_bytes = room->raw.len;
	return 0;
}

/* ---- reading ---- */

struct run_head {
	unsigned form;
	uint64_t divisor, bytes;
};

static bool read_heads(struct cursor *in, const struct streams_shape *shape, struct run_head *heads)
{
	uint64_t sum = 0;

	for (size_t run = 0; run < shape->n_runs; run++) {
		unsigned form = cursor_u8(in);
		struct run_head *head = &heads[run];

		head->form = form & ~FORM_DIVIDED;
		head->divisor = form & FORM_DIVIDED ? cursor_varint(in) : 1;
		head->bytes = head->form == FORM_VARINTS ? cursor_varint(in) : shape->n;
		if (head->form > FORM_FINEST || head->bytes > shape->raw_bytes)
			return false;
		sum += head->bytes;
	}
	return !in->bad && sum == shape->raw_bytes;
}

/* All runs, one behind the other; NULL: damaged. */
static const uint8_t *read_runs(struct cursor *in, unsigned mode, const struct streams_shape *shape,
				const struct run_head *heads, struct block_room *room)
{
	size_t at = 0;
	char *into;

	if (mode == MODE_PLAIN)
		return cursor_left(in) == shape->raw_bytes ? in->at : NULL;
	buf_reset(&room->raw);
	into = buf_room(&room->raw, shape->raw_bytes);
	if (!into || mode > MODE_FRAMES)
		return NULL;
	if (!room->decoder)
		room->decoder = zstd_decoder_new();
	if (mode == MODE_ONE_FRAME)
		return zstd_decode(room->decoder, in->at, cursor_left(in), into,
				   shape->raw_bytes) == 0
			       ? (const uint8_t *)into
			       : NULL;
	for (size_t run = 0; run < shape->n_runs; at += heads[run++].bytes) {
		uint64_t len = cursor_varint(in);
		const uint8_t *frame = cursor_bytes(in, len);

		if (!frame || zstd_decode(room->decoder, frame, (size_t)len, into + at,
					  (size_t)heads[run].bytes) < 0)
			return NULL;
	}
	return cursor_left(in) ? NULL : (const uint8_t *)into;
}

static bool read_run(const uint8_t *run, const struct run_head *head, bool is_column, uint32_t n,
		     struct bits_in *bits, uint64_t *out)
{
	bool is_good = true;

	if (head->form == FORM_VARINTS)
		is_good = take_varints(run, (size_t)head->bytes, n, out);
	else
		take_symbols(run, n, head->form, is_column ? UINT8_MAX : 0, bits, out);
	for (uint32_t i = 0; i < n && head->divisor != 1; i++)
		out[i] *= head->divisor;
	return is_good;
}

int streams_read(const void *data, size_t len, const struct streams_shape *shape,
		 struct block_room *room, uint64_t *out)
{
	struct cursor in = cursor_over(data, len);
	struct run_head heads[STREAMS_MAX];
	uint64_t n_bits = cursor_varint(&in);
	unsigned mode = cursor_u8(&in);
	struct bits_in bits = {0};
	const uint8_t *run;

	if (in.bad || shape->n_runs > STREAMS_MAX || n_bits > cursor_left(&in))
		return ERR_CORRUPT;
	in.end -= n_bits;
	bits.data = in.end;
	bits.end = n_bits * 8;
	if (!read_heads(&in, shape, heads))
		return ERR_CORRUPT;
	run = read_runs(&in, mode, shape, heads, room);
	for (size_t i = 0; run && i < shape->n_runs; run += heads[i++].bytes)
		if (!read_run(run, &heads[i], i > 0, shape->n, &bits, out + i * shape->n))
			return ERR_CORRUPT;
	return run && !bits.bad && bits.end - bits.at < 8 ? 0 : ERR_CORRUPT;
}
