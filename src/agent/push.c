/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/push.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "codec/gzip.h"
#include "codec/proto.h"
#include "format/pprof.h"

enum {
	PUSH_SERIES = 1,
	SERIES_LABELS = 1,
	SERIES_SAMPLES = 2,
	LABEL_NAME = 1,
	LABEL_VALUE = 2,
	SAMPLE_PROFILE = 1,
	SAMPLE_ID = 2,
};

/* RFC 9562: the version in the high nibble of byte 6, the variant in the high bits of byte 8. */
void push_format_id(uint64_t boot, uint64_t sequence, char into[PUSH_ID_BYTES])
{
	uint64_t high = (boot & ~0xf000ull) | 0x8000;
	uint64_t low = (sequence & (UINT64_MAX >> 2)) | 1ull << 63;

	snprintf(into, PUSH_ID_BYTES, "%08x-%04x-%04x-%04x-%012llx", (unsigned int)(high >> 32),
		 (unsigned int)(high >> 16 & 0xffff), (unsigned int)(high & 0xffff),
		 (unsigned int)(low >> 48), (unsigned long long)(low & 0xffffffffffffull));
}

static void put_label(struct buf *out, const char *name, const char *value)
{
	size_t begin = proto_begin(out, SERIES_LABELS);

	proto_put_str(out, LABEL_NAME, name);
	proto_put_str(out, LABEL_VALUE, value);
	proto_end(out, begin);
}

static int put_series(struct push_source *source, struct profile *profile, const char *metric,
		      const char *type, struct buf *out, struct err *err)
{
	struct pprof_write_opts opts = {.only_type = type};
	size_t begin = proto_begin(out, PUSH_SERIES), sample, raw;
	char id[PUSH_ID_BYTES];
	int r;

	put_label(out, LABEL_METRIC, metric);
	for (size_t i = 0; i < source->labels.n; i++)
		put_label(out, source->labels.items[i].name, source->labels.items[i].value);
	profile->period_type = names_cstr(profile->names, type);
	profile->period_unit = names_cstr(profile->names, "nanoseconds");
	sample = proto_begin(out, SERIES_SAMPLES);
	raw = proto_begin(out, SAMPLE_PROFILE);
	r = pprof_write_profile(profile, &opts, out, err);
	proto_end(out, raw);
	push_format_id(source->boot, ++source->sequence, id);
	proto_put_str(out, SAMPLE_ID, id);
	proto_end(out, sample);
	proto_end(out, begin);
	return r;
}

int push_encode(struct push_source *source, struct profile *profile, struct buf *out,
		struct err *err)
{
	cleanup(buf_done) struct buf plain = {.ceiling = PUSH_MAX_BYTES};
	int r = put_series(source, profile, "process_cpu", "cpu", &plain, err);

	if (r == 0)
		r = put_series(source, profile, "wall", "wall", &plain, err);
	if (r < 0)
		return err_prefix(err, r, "cannot encode a profile to push");
	return gzip_compress(plain.data, plain.len, GZIP_DEFAULT_LEVEL, out, err);
}
