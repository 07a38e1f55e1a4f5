/* SPDX-License-Identifier: Apache-2.0 */
/* What a client is told about an upload that was not taken: one table for every interface. */
#include <errno.h>

#include "server/rpc.h"
#include "server/upload.h"

static const struct upload_answer answers[] = {
	[UPLOAD_MALFORMED] = {UPLOAD_MALFORMED, "malformed", 400, RPC_INVALID_ARGUMENT},
	[UPLOAD_INVALID] = {UPLOAD_INVALID, "invalid", 400, RPC_INVALID_ARGUMENT},
	[UPLOAD_TOO_LARGE] = {UPLOAD_TOO_LARGE, "too_large", 413, RPC_RESOURCE_EXHAUSTED},
	[UPLOAD_UNSUPPORTED] = {UPLOAD_UNSUPPORTED, "unsupported", 415, RPC_UNIMPLEMENTED},
	[UPLOAD_SERIES_LIMIT] = {UPLOAD_SERIES_LIMIT, "series_limit", 429, RPC_RESOURCE_EXHAUSTED},
	[UPLOAD_BUSY] = {UPLOAD_BUSY, "busy", 503, RPC_UNAVAILABLE},
	[UPLOAD_DISK_FULL] = {UPLOAD_DISK_FULL, "disk_full", 507, RPC_UNAVAILABLE},
	[UPLOAD_INTERNAL] = {UPLOAD_INTERNAL, "internal", 500, RPC_INTERNAL},
};

const struct upload_answer *upload_answer_of(int code)
{
	static const struct {
		int code;
		enum upload_refusal refusal;
	} map[] = {
		{ERR_CORRUPT, UPLOAD_MALFORMED},
		{ERR_USAGE, UPLOAD_INVALID},
		{ERR_LIMIT, UPLOAD_TOO_LARGE},
		{ERR_UNSUPPORTED, UPLOAD_UNSUPPORTED},
		{UPLOAD_ERR_SERIES, UPLOAD_SERIES_LIMIT},
		{-EAGAIN, UPLOAD_BUSY},
		{-ENOSPC, UPLOAD_DISK_FULL},
	};

	for (size_t i = 0; i < array_len(map); i++)
		if (map[i].code == code)
			return &answers[map[i].refusal];
	return &answers[UPLOAD_INTERNAL];
}

void upload_fail(struct rpc *rpc, int code, const char *text)
{
	const struct upload_answer *answer = upload_answer_of(code);

	/* Connect's clients go by the code, ours by the status: 507 is told as unavailable. */
	rpc_fail(rpc, (enum rpc_code)answer->rpc_code, answer->status == 507 ? 0 : answer->status,
		 text);
}

const char *upload_refusal_name(enum upload_refusal refusal)
{
	return answers[refusal].word;
}
