/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/unpack.h"

#include <errno.h>
#include <lzma.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/vec.h"

#define PIECE_BYTES (64u << 10)

static int put(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int run(lzma_stream *stream, int fd)
{
	cleanup_free uint8_t *piece = xcalloc(1, PIECE_BYTES);
	lzma_ret state = LZMA_OK;

	while (state == LZMA_OK) {
		stream->next_out = piece;
		stream->avail_out = PIECE_BYTES;
		state = lzma_code(stream, LZMA_FINISH);
		if (stream->total_out > UNPACK_MAX_BYTES)
			return ERR_LIMIT;
		int r = put(fd, piece, PIECE_BYTES - stream->avail_out);
		if (r < 0)
			return r;
	}
	return state == LZMA_STREAM_END ? 0 : ERR_CORRUPT;
}

int unpack_xz(const void *packed, size_t len)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	cleanup_fd int fd = memfd_create("symbols", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (lzma_stream_decoder(&stream, UNPACK_MEMORY_BYTES, 0) != LZMA_OK)
		return -ENOMEM;
	stream.next_in = packed;
	stream.avail_in = len;
	int r = run(&stream, fd);
	lzma_end(&stream);
	return r < 0 ? r : take_fd(&fd);
}
