/* SPDX-License-Identifier: Apache-2.0 */
#include "python/object.h"

#include <errno.h>

#include "base/utf8.h"

#define HEAD_BYTES 128	/* covers any string header: up to str_compact_data */
#define GUESS_BYTES 192 /* header and most names in one read */
#define ELLIPSIS "\xe2\x80\xa6"

struct text_head {
	uint32_t kind; /* bytes per character: 1, 2, 4 */
	bool is_ascii;
	bool is_apart; /* its characters are elsewhere: a str of a subclass */
	bool is_bytes; /* in an encoding that nobody tells */
	uint16_t data; /* offset of the characters */
	uint64_t length;
};

/* 2.7: bytes behind their number. */
static int parse_bytes_head(const struct layout *layout, const uint8_t *bytes,
			    struct text_head *ret_head)
{
	struct text_head head = {.kind = 1, .is_bytes = true, .data = layout->str_ascii_data};

	memcpy(&head.length, bytes + layout->str_length, sizeof(head.length));
	if (head.length > INT64_MAX)
		return ERR_CORRUPT;
	*ret_head = head;
	return 0;
}

/*
 * The state word: interned (2 bits, 8 in free-threaded 3.14+), kind (3), compact, ascii.  3.12 dropped `ready`
 * behind them, which we don't look at.
 */
static int parse_head(const struct layout *layout, const uint8_t *bytes, struct text_head *ret_head)
{
	uint32_t state;
	struct text_head head = {0};

	if (layout->str_state == NO_FIELD)
		return parse_bytes_head(layout, bytes, ret_head);
	memcpy(&head.length, bytes + layout->str_length, sizeof(head.length));
	memcpy(&state, bytes + layout->str_state, sizeof(state));
	state >>= layout->str_kind_shift;
	head.kind = state & 7;
	head.is_apart = !(state >> 3 & 1);
	head.is_ascii = state >> 4 & 1;
	head.data = head.is_ascii ? layout->str_ascii_data : layout->str_compact_data;
	if ((head.is_apart && layout->str_indirect == NO_FIELD) ||
	    (head.kind != 1 && head.kind != 2 && head.kind != 4) || head.length > INT64_MAX)
		return ERR_CORRUPT;
	*ret_head = head;
	return 0;
}

/* What is not in the `have` bytes of `bytes` yet; *ret_data is where the characters begin there. */
static int read_chars(struct memory *memory, const struct layout *layout, raddr_t str,
		      const struct text_head *head, size_t n, uint8_t *bytes, size_t have,
		      const uint8_t **ret_data)
{
	size_t need = head->data + n * head->kind;
	raddr_t apart;
	int r = 0;

	*ret_data = head->is_apart ? bytes : bytes + head->data;
	if (head->is_apart) {
		r = memory_read_u64(memory, str + layout->str_indirect, &apart);
		if (r == 0 && n)
			r = memory_read(memory, apart, bytes, n * head->kind);
		return r == -EFAULT ? ERR_CORRUPT : r;
	}
	return need > have ? memory_read(memory, str + have, bytes + have, need - have) : 0;
}

/* Nearly always UTF-8; of anything else nothing is guessed and nothing lost. */
static void put_bytes(struct buf *out, const char *data, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint32_t code;
		size_t len = utf8_next(data + i, n - i, &code);

		if (code == 0xfffd || code == 0)
			buf_printf(out, "\\x%02x", (uint8_t)data[i]);
		else
			buf_put(out, data + i, len);
		i += len;
	}
}

static void put_chars(struct buf *out, const uint8_t *data, size_t n, const struct text_head *head)
{
	if (head->is_bytes) {
		put_bytes(out, (const char *)data, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t code = 0;
		char text[4];

		memcpy(&code, data + i * head->kind, head->kind);
		if (code == 0)
			code = 0xfffd; /* strings of ours have no NUL */
		buf_put(out, text, utf8_put(text, code));
	}
}

int object_text_head(struct memory *memory, const struct layout *layout, raddr_t str, size_t max,
		     struct buf *out, bool *ret_is_cut)
{
	uint8_t bytes[HEAD_BYTES + OBJECT_MAX_CHARS * 4];
	size_t have = GUESS_BYTES;
	struct text_head head;

	/* A short string at the end of its page: the guess reaches into nothing, the header does not. */
	int r = memory_read(memory, str, bytes, have);
	if (r == -EFAULT) {
		have = layout->str_ascii_data;
		r = memory_read(memory, str, bytes, have);
	}
	if (r < 0)
		return r;
	r = parse_head(layout, bytes, &head);
	if (r < 0)
		return r;
	size_t n = (size_t)min_of(head.length, (uint64_t)min_of(max, (size_t)OBJECT_MAX_CHARS));
	const uint8_t *data;
	r = read_chars(memory, layout, str, &head, n, bytes, have, &data);
	if (r < 0)
		return r;
	buf_reset(out);
	put_chars(out, data, n, &head);
	*ret_is_cut = n < head.length;
	return 0;
}

int object_text(struct memory *memory, const struct layout *layout, raddr_t str, struct buf *out)
{
	bool is_cut;
	int r = object_text_head(memory, layout, str, OBJECT_MAX_CHARS, out, &is_cut);

	if (r == 0 && is_cut)
		buf_puts(out, ELLIPSIS);
	return r;
}

int object_bytes(struct memory *memory, const struct layout *layout, raddr_t bytes, struct buf *out)
{
	uint64_t size;
	int r = memory_read_u64(memory, bytes + layout->bytes_size, &size);

	if (r < 0)
		return r;
	if (size > out->ceiling)
		return ERR_LIMIT;
	buf_reset(out);
	if (!size)
		return 0;
	char *room = buf_room(out, size);
	if (!room)
		return ERR_LIMIT;
	r = memory_read(memory, bytes + layout->bytes_data, room, size);
	if (r < 0)
		return r;
	buf_grew(out, size);
	return 0;
}
