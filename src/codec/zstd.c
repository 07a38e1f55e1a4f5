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

static char *room_for(struct buf *out, size_t room, struct err *err)
{
	char *into = buf_room(out, room);

	if (!into)
		err_set(err, ERR_LIMIT, "the zstd output is over its limit of %zu bytes",
			out->ceiling);
	return into;
}

static int note_wrote(size_t wrote, size_t len, struct buf *out, struct err *err)
{
	if (ZSTD_isError(wrote))
		return err_set(err, ERR_LIMIT, "zstd cannot compress %zu bytes: %s", len,
			       ZSTD_getErrorName(wrote));
	buf_grew(out, wrote);
	return 0;
}

struct zstd_encoder {
	ZSTD_CCtx *context;
};

/*
 * Longer matches only: in runs of few different symbols those of three to six are chance, and cost more than the
 * Huffman codes that they replace (5 % of such runs).
 */
static void set_for_symbols(ZSTD_CCtx *context)
{
	const struct {
		ZSTD_cParameter parameter;
		int value;
	} settings[] = {{ZSTD_c_strategy, ZSTD_dfast}, {ZSTD_c_minMatch, 7}};

	for (size_t i = 0; i < array_len(settings); i++)
		if (ZSTD_isError(ZSTD_CCtx_setParameter(context, settings[i].parameter,
							settings[i].value)))
			abort();
}

struct zstd_encoder *zstd_encoder_new(enum zstd_content content)
{
	struct zstd_encoder *encoder = malloc(sizeof(*encoder));

	if (!encoder)
		abort();
	encoder->context = ZSTD_createCCtx();
	if (!encoder->context)
		abort();
	if (content == ZSTD_OF_SYMBOLS)
		set_for_symbols(encoder->context);
	return encoder;
}

void zstd_encoder_free(struct zstd_encoder *encoder)
{
	if (encoder)
		ZSTD_freeCCtx(encoder->context);
	free(encoder);
}

int zstd_encode(struct zstd_encoder *encoder, const void *data, size_t len, struct buf *out,
		struct err *err)
{
	size_t room = ZSTD_compressBound(len);
	char *into = room_for(out, room, err);

	if (!into)
		return ERR_LIMIT;
	return note_wrote(ZSTD_compress2(encoder->context, into, room, data, len), len, out, err);
}

int zstd_compress(const void *data, size_t len, int level, struct buf *out, struct err *err)
{
	size_t room = ZSTD_compressBound(len);
	char *into = room_for(out, room, err);

	if (!into)
		return ERR_LIMIT;
	return note_wrote(ZSTD_compress(into, room, data, len, level), len, out, err);
}
