/* SPDX-License-Identifier: Apache-2.0 */
/* zstd of whole blocks, with the same promises as codec/gzip.h. */
#ifndef CODEC_ZSTD_H
#define CODEC_ZSTD_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "codec/budget.h"

#define ZSTD_DEFAULT_LEVEL 3

/* Append what the frames hold.  ERR_CORRUPT, ERR_LIMIT; `out` is as before then. */
int zstd_decompress(const void *data, size_t len, const struct codec_limits *limits,
		    struct codec_loan *loan, struct buf *out, struct err *err) nodiscard;

/*
 * For many short frames whose length is known: what decoding needs (about 100 kB, which cost more to get than a
 * frame of 1 kB costs to decode) is kept from one to the next.  An object of one thread.
 */
struct zstd_decoder;

struct zstd_decoder *zstd_decoder_new(void) nodiscard;
void zstd_decoder_free(struct zstd_decoder *decoder);
/* What the frames hold, exactly `out_len` bytes, into `out`; else ERR_CORRUPT. */
int zstd_decode(struct zstd_decoder *decoder, const void *data, size_t len, void *out,
		size_t out_len) nodiscard;

/* The same for making them. */
struct zstd_encoder;
enum zstd_content {
	ZSTD_OF_ANYTHING,
	ZSTD_OF_SYMBOLS, /* bytes of few values, in an order of chance */
};

struct zstd_encoder *zstd_encoder_new(enum zstd_content content) nodiscard;
void zstd_encoder_free(struct zstd_encoder *encoder);
/* Append one frame, with its size in the head. */
int zstd_encode(struct zstd_encoder *encoder, const void *data, size_t len, struct buf *out,
		struct err *err) nodiscard;

/* Append one frame, with its size in the head.  Level 1 to 19. */
int zstd_compress(const void *data, size_t len, int level, struct buf *out,
		  struct err *err) nodiscard;

#endif
