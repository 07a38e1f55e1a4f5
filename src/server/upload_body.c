/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "codec/gzip.h"
#include "codec/zstd.h"
#include "server/upload.h"

int upload_body(struct upload *upload, const struct http_request *request, struct buf *inflated,
		const uint8_t **ret_body, size_t *ret_len, struct err *err)
{
	const char *encoding = http_request_header(request, "content-encoding");
	size_t max_bytes = upload_limits(upload)->max_inflated_bytes;
	struct codec_limits limits = codec_limits_of(max_bytes);
	int r;

	*ret_body = request->body;
	*ret_len = request->body_len;
	if (!encoding || strcmp(encoding, "identity") == 0)
		return 0;
	buf_init(inflated, max_bytes);
	if (strcmp(encoding, "gzip") == 0)
		r = gzip_decompress(request->body, request->body_len, &limits, upload_loan(upload),
				    inflated, err);
	else if (strcmp(encoding, "zstd") == 0)
		r = zstd_decompress(request->body, request->body_len, &limits, upload_loan(upload),
				    inflated, err);
	else
		return err_set(err, ERR_UNSUPPORTED,
			       "this Content-Encoding is not known; use gzip, zstd or none");
	*ret_body = (const uint8_t *)inflated->data;
	*ret_len = inflated->len;
	return r;
}
