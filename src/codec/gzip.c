/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/gzip.h"

#include <libdeflate.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define GZIP_LEAST_BYTES 18 /* head and trailer */
#define GZIP_FIRST_GUESS 4  /* output : input, where the trailer says nothing sensible */

static void decompressor_free(struct libdeflate_decompressor **decompressor)
{
	libdeflate_free_decompressor(*decompressor);
}

static void compressor_free(struct libdeflate_compressor **compressor)
{
	libdeflate_free_compressor(*compressor);
}

bool gzip_is_gzip(const void *data, size_t len)
{
	const uint8_t *bytes = data;

	return len >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;
}

/*
 * The last four bytes say how long the last member is: right for nearly every body, and where they
 * lie the guess is merely doubled until it fits or the ceiling is reached.
 */
static size_t guess_output(const uint8_t *data, size_t len, size_t ceiling)
{
	struct cursor tail = cursor_over(data + len - 4, 4);
	size_t claimed = cursor_le32(&tail);
	size_t guess = claimed >= len / 2 ? claimed : len * GZIP_FIRST_GUESS;

	return max_of(min_of(guess, ceiling), (size_t)1);
}

static int over_ceiling(size_t ceiling, const struct codec_limits *limits, struct err *err)
{
	if (ceiling < limits->max_bytes)
		return err_because(err, ERR_LIMIT, "inflate_ratio_limit",
				   "the gzip body unpacks to more than %zu times its size",
				   limits->max_ratio);
	return err_because(err, ERR_LIMIT, "profile_size_limit",
			   "the gzip body unpacks to more than the limit of %zu bytes",
			   limits->max_bytes);
}

struct member_reader {
	struct libdeflate_decompressor *decompressor;
	const struct codec_limits *limits;
	struct codec_loan *loan;
	size_t ceiling; /* of the output of all members */
	size_t start;	/* out->len before the first member */
	size_t charged; /* bytes taken on the loan */
};

/* Room for `want` bytes, paid for on the loan before it is allocated. */
static char *member_room(struct member_reader *reader, size_t want, struct buf *out,
			 struct err *err)
{
	size_t total = out->len - reader->start + want;
	char *room;

	if (reader->loan && total > reader->charged) {
		if (codec_loan_take(reader->loan, total - reader->charged, err) < 0)
			return NULL;
		reader->charged = total;
	}
	room = buf_room(out, want);
	if (!room)
		err_because(err, ERR_LIMIT, "profile_size_limit",
			    "the gzip body unpacks to more than %zu bytes", out->ceiling);
	return room;
}

/* One member; returns how many bytes of input it took. */
static int member_read(struct member_reader *reader, const uint8_t *data, size_t len,
		       struct buf *out, size_t *ret_taken, struct err *err)
{
	size_t left = reader->ceiling - (out->len - reader->start);
	size_t room = guess_output(data, len, left);

	for (;;) {
		char *into = member_room(reader, room, out, err);
		size_t wrote;

		if (!into)
			return ERR_LIMIT;
		switch (libdeflate_gzip_decompress_ex(reader->decompressor, data, len, into, room,
						      ret_taken, &wrote)) {
		case LIBDEFLATE_SUCCESS:
			if (wrote > left)
				return over_ceiling(reader->ceiling, reader->limits, err);
			buf_grew(out, wrote);
			return 0;
		case LIBDEFLATE_INSUFFICIENT_SPACE:
			if (room >= left)
				return over_ceiling(reader->ceiling, reader->limits, err);
			room = min_of(room * 2, left);
			break;
		default:
			return err_set(err, ERR_CORRUPT, "the gzip body is damaged or cut off");
		}
	}
}

int gzip_decompress(const void *data, size_t len, const struct codec_limits *limits,
		    struct codec_loan *loan, struct buf *out, struct err *err)
{
	cleanup(decompressor_free) struct libdeflate_decompressor *decompressor =
		libdeflate_alloc_decompressor();
	const struct codec_limits own = codec_limits_on(limits, loan);
	struct member_reader reader = {
		.decompressor = decompressor,
		.limits = &own,
		.loan = loan,
		.ceiling = codec_limits_ceiling(&own, len),
		.start = out->len,
	};
	const uint8_t *at = data;
	int r = 0;

	if (!decompressor)
		abort();
	do {
		size_t taken = 0;

		if (len < GZIP_LEAST_BYTES || !gzip_is_gzip(at, len))
			r = err_set(err, ERR_CORRUPT, "the gzip body is damaged or cut off");
		else
			r = member_read(&reader, at, len, out, &taken, err);
		at += taken;
		len -= taken;
	} while (r == 0 && len);
	if (r < 0)
		out->len = reader.start;
	return r;
}

int gzip_compress(const void *data, size_t len, int level, struct buf *out, struct err *err)
{
	cleanup(compressor_free) struct libdeflate_compressor *compressor =
		libdeflate_alloc_compressor(level);
	size_t room, wrote;
	char *into;

	if (!compressor)
		abort();
	room = libdeflate_gzip_compress_bound(compressor, len);
	into = buf_room(out, room);
	if (!into)
		return err_set(err, ERR_LIMIT, "the gzip output is over its limit of %zu bytes",
			       out->ceiling);
	wrote = libdeflate_gzip_compress(compressor, data, len, into, room);
	buf_grew(out, wrote);
	return 0;
}
