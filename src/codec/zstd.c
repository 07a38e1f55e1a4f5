/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/zstd.h"

#include <stdlib.h>
#include <zstd.h>

#include "base/cleanup.h"

#define ZSTD_LEAST_ROOM ((size_t)4096)

static void stream_free(ZSTD_DCtx **stream)
{
	ZSTD_freeDCtx(*stream);
}

static int over_ceiling(size_t ceiling, struct err *err)
{
	return err_because(err, ERR_LIMIT, "profile_size_limit",
			   "the zstd body unpacks to more than its limit of %zu bytes", ceiling);
}

/*
 * The content size in a frame's head is a claim: it is a first guess here, and the stream is read
 * to its end whatever it says.
 */
static size_t first_room(const void *data, size_t len, size_t ceiling)
{
	unsigned long long claimed = ZSTD_getFrameContentSize(data, len);

	if (claimed == ZSTD_CONTENTSIZE_UNKNOWN || claimed == ZSTD_CONTENTSIZE_ERROR)
		claimed = (unsigned long long)len * 4;
	return (size_t)max_of(min_of(claimed, (unsigned long long)ceiling), 1ull);
}

struct output {
	struct buf *out;
	struct codec_loan *loan;
	size_t start;	/* out->len before the first frame */
	size_t charged; /* bytes taken on the loan */
};

/* `want` more bytes, paid for on the loan before they are allocated. */
static char *output_room(struct output *output, size_t want, struct err *err)
{
	size_t total = output->out->len - output->start + want;
	char *room;

	if (output->loan && total > output->charged) {
		if (codec_loan_take(output->loan, total - output->charged, err) < 0)
			return NULL;
		output->charged = total;
	}
	room = buf_room(output->out, want);
	if (!room)
		over_ceiling(output->out->ceiling, err);
	return room;
}

/* Frames until the input ends; `room` bytes of output at a time. */
static int stream_read(ZSTD_DCtx *stream, ZSTD_inBuffer in, size_t room, size_t ceiling,
		       struct output *output, struct err *err)
{
	size_t hint = 1; /* 0 between frames */

	while (in.pos < in.size || hint) {
		ZSTD_outBuffer piece = {.dst = output_room(output, room, err), .size = room};
		size_t in_before = in.pos, left;

		if (!piece.dst)
			return ERR_LIMIT;
		hint = ZSTD_decompressStream(stream, &piece, &in);
		if (ZSTD_isError(hint))
			return err_set(err, ERR_CORRUPT, "the zstd body is damaged");
		buf_grew(output->out, piece.pos);
		left = ceiling - (output->out->len - output->start);
		if (hint && in.pos == in_before && !piece.pos)
			return left ? err_set(err, ERR_CORRUPT, "the zstd body is cut off")
				    : over_ceiling(ceiling, err);
		/* No room is enough for the checksum behind the last byte. */
		room = min_of(max_of(room, ZSTD_LEAST_ROOM), left);
	}
	return 0;
}

int zstd_decompress(const void *data, size_t len, const struct codec_limits *limits,
		    struct codec_loan *loan, struct buf *out, struct err *err)
{
	cleanup(stream_free) ZSTD_DCtx *stream = ZSTD_createDCtx();
	struct output output = {.out = out, .loan = loan, .start = out->len};
	const struct codec_limits own = codec_limits_on(limits, loan);
	size_t ceiling = codec_limits_ceiling(&own, len);
	ZSTD_inBuffer in = {.src = data, .size = len};
	int r;

	if (!stream)
		abort();
	r = stream_read(stream, in, first_room(data, len, ceiling), ceiling, &output, err);
	if (r < 0)
		out->len = output.start;
	return r;
}

struct zstd_decoder {
	ZSTD_DCtx *context;
};

struct zstd_decoder *zstd_decoder_new(void)
{
	struct zstd_decoder *decoder = malloc(sizeof(*decoder));

	if (!decoder)
		abort();
	decoder->context = ZSTD_createDCtx();
	if (!decoder->context)
		abort();
	return decoder;
}

void zstd_decoder_free(struct zstd_decoder *decoder)
{
	if (decoder)
		ZSTD_freeDCtx(decoder->context);
	free(decoder);
}

int zstd_decode(struct zstd_decoder *decoder, const void *data, size_t len, void *out,
		size_t out_len)
{
	size_t wrote = ZSTD_decompressDCtx(decoder->context, out, out_len, data, len);

	return ZSTD_isError(wrote) || wrote != out_len ? ERR_CORRUPT : 0;
}

int zstd_compress(const void *data, size_t len, int level, struct buf *out, struct err *err)
{
	size_t room = ZSTD_compressBound(len), wrote;
	char *into = buf_room(out, room);

	if (!into)
		return err_set(err, ERR_LIMIT, "the zstd output is over its limit of %zu bytes",
			       out->ceiling);
	wrote = ZSTD_compress(into, room, data, len, level);
	if (ZSTD_isError(wrote))
		return err_set(err, ERR_LIMIT, "zstd cannot compress %zu bytes: %s", len,
			       ZSTD_getErrorName(wrote));
	buf_grew(out, wrote);
	return 0;
}
