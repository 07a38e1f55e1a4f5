/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading half.  Blocks are collected in `pending` until they are whole, then unpacked and read
 * record by record.  What must stay true against hostile bytes:
 *
 *   1. Nothing is used before it was defined: every number is compared with what the stream gave
 * out.
 *   2. A node's parent has a smaller number, so the tree has no cycle.
 *   3. Memory is bounded by the limits of names and tree, and by two blocks.
 *   4. The first record is the header, nothing follows the end.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "codec/crc.h"
#include "codec/zstd.h"
#include "format/capture.h"
#include "format/capture_private.h"

struct capture_reader {
	struct names *names;
	struct tree *tree;
	struct capture_events events;
	void *ctx;

	struct buf pending; /* a block that is not whole yet */
	uint64_t good_bytes;
	struct arena texts; /* of one event */

	/* What the stream's numbers stand for; [0] is the empty one. */
	struct str_id *strings;
	struct frame_id *frames;
	struct node_id *nodes;
	size_t n_strings, strings_cap, n_frames, frames_cap, n_nodes, nodes_cap;
	uint8_t *has_process, *has_thread;
	size_t process_cap, thread_cap;

	int64_t last_time_ns; /* of the last sample in this block */
	bool has_header, has_end;
};

struct capture_reader *capture_reader_new(struct names *names, struct tree *tree,
					  const struct capture_events *events, void *ctx)
{
	struct capture_reader *reader = xcalloc(1, sizeof(*reader));

	reader->names = names;
	reader->tree = tree;
	reader->events = *events;
	reader->ctx = ctx;
	buf_init(&reader->pending, CAPTURE_BLOCK_HEAD_BYTES + (size_t)CAPTURE_BLOCK_MAX_BYTES);
	arena_init(&reader->texts);
	reader->strings = vec_grow(NULL, &reader->strings_cap, 1, sizeof(*reader->strings));
	reader->frames = vec_grow(NULL, &reader->frames_cap, 1, sizeof(*reader->frames));
	reader->nodes = vec_grow(NULL, &reader->nodes_cap, 1, sizeof(*reader->nodes));
	reader->n_strings = reader->n_frames = reader->n_nodes = 1;
	return reader;
}

void capture_reader_free(struct capture_reader *reader)
{
	if (!reader)
		return;
	buf_done(&reader->pending);
	arena_done(&reader->texts);
	free(reader->strings);
	free(reader->frames);
	free(reader->nodes);
	free(reader->has_process);
	free(reader->has_thread);
	free(reader);
}

uint64_t capture_good_bytes(const struct capture_reader *reader)
{
	return reader->good_bytes;
}

bool capture_is_complete(const struct capture_reader *reader)
{
	return reader->has_end && !reader->pending.len;
}

/* ---- fields ---- */

/* A text of a record: cleaned, terminated, in the arena of this event. */
static const char *take_text(struct capture_reader *reader, struct cursor *record, size_t max)
{
	uint64_t len = cursor_varint(record);
	const uint8_t *bytes = len <= max ? cursor_bytes(record, len) : NULL;
	size_t cap = (size_t)len * 3 + 1; /* each bad byte becomes three */
	char *text;

	if (!bytes) {
		record->bad = true;
		return "";
	}
	text = arena_alloc(&reader->texts, cap);
	utf8_clean(text, cap, (const char *)bytes, (size_t)len);
	return text;
}

static double take_double(struct cursor *record)
{
	uint64_t bits = cursor_le64(record);
	double value;

	memcpy(&value, &bits, sizeof(value));
	if (!isfinite(value))
		record->bad = true;
	return record->bad ? 0 : value;
}

static uint32_t take_u32(struct cursor *record)
{
	uint64_t value = cursor_varint(record);
	if (value > UINT32_MAX)
		record->bad = true;
	return record->bad ? 0 : (uint32_t)value;
}

static int32_t take_s32(struct cursor *record)
{
	int64_t value = cursor_zigzag(record);
	if (value < INT32_MIN || value > INT32_MAX)
		record->bad = true;
	return record->bad ? 0 : (int32_t)value;
}

/* A count of nanoseconds that cannot be negative. */
static int64_t take_ns(struct cursor *record)
{
	uint64_t value = cursor_varint(record);
	if (value > INT64_MAX)
		record->bad = true;
	return record->bad ? 0 : (int64_t)value;
}

/* An index into what was defined so far (invariant 1). */
static uint32_t take_number(struct cursor *record, size_t n_defined)
{
	uint64_t number = cursor_varint(record);
	if (number >= n_defined)
		record->bad = true;
	return record->bad ? 0 : (uint32_t)number;
}

/* An id that the writer chose, from 1; marked as defined. */
static uint32_t take_new_id(struct cursor *record, uint32_t max, uint8_t **flags, size_t *cap)
{
	uint32_t id = take_u32(record);
	if (!id || id > max)
		record->bad = true;
	if (record->bad)
		return 0;
	*flags = vec_grow(*flags, cap, (size_t)id + 1, 1);
	(*flags)[id] = 1;
	return id;
}

static uint32_t take_id(struct cursor *record, const uint8_t *flags, size_t cap)
{
	uint32_t id = take_u32(record);
	if (id >= cap || !flags[id])
		record->bad = true;
	return record->bad ? 0 : id;
}

/* ---- records; each returns 0, a callback's error, or leaves record->bad ---- */

static int read_header(struct capture_reader *reader, struct cursor *record)
{
	struct capture_header header;

	header.start_real_ns = cursor_zigzag(record);
	header.start_monotonic_ns = cursor_zigzag(record);
	header.rate_hz = take_double(record);
	header.flags = take_u32(record);
	header.command = take_text(reader, record, NAME_MAX_BYTES);
	header.host = take_text(reader, record, NAME_MAX_BYTES);
	header.version = take_text(reader, record, NAME_MAX_BYTES);
	if (reader->has_header)
		record->bad = true;
	if (record->bad)
		return 0;
	reader->has_header = true;
	return reader->events.header ? reader->events.header(reader->ctx, &header) : 0;
}

static int read_string(struct capture_reader *reader, struct cursor *record)
{
	size_t n = reader->n_strings;

	if (n > NAMES_MAX_STRINGS)
		return ERR_LIMIT;
	reader->strings =
		vec_grow(reader->strings, &reader->strings_cap, n + 1, sizeof(*reader->strings));
	reader->strings[reader->n_strings++] =
		names_str(reader->names, (const char *)record->at, cursor_left(record));
	return 0;
}

static struct str_id take_string(struct capture_reader *reader, struct cursor *record)
{
	return reader->strings[take_number(record, reader->n_strings)];
}

static int read_frame(struct capture_reader *reader, struct cursor *record)
{
	size_t n = reader->n_frames;
	struct frame frame;
	uint32_t kind;

	frame.name = take_string(reader, record);
	frame.qualname = take_string(reader, record);
	frame.file = take_string(reader, record);
	frame.module = take_string(reader, record);
	frame.build_id = take_string(reader, record);
	frame.address = cursor_varint(record);
	frame.line = take_u32(record);
	frame.first_line = take_u32(record);
	kind = take_u32(record);
	frame.column = cursor_left(record) ? take_u32(record) : 0;
	if (record->bad)
		return 0;
	if (n > NAMES_MAX_FRAMES)
		return ERR_LIMIT;
	/* A kind that a later version adds is shown as one that we do not know. */
	frame.kind = kind < FRAME_KIND_COUNT ? (uint8_t)kind : FRAME_OTHER;
	reader->frames =
		vec_grow(reader->frames, &reader->frames_cap, n + 1, sizeof(*reader->frames));
	reader->frames[reader->n_frames++] = names_frame(reader->names, &frame);
	return 0;
}

static int read_node(struct capture_reader *reader, struct cursor *record)
{
	size_t n = reader->n_nodes;
	uint32_t parent = take_number(record, n);
	uint32_t frame = take_number(record, reader->n_frames);
	if (record->bad)
		return 0;
	if (n > TREE_MAX_NODES)
		return ERR_LIMIT;
	reader->nodes = vec_grow(reader->nodes, &reader->nodes_cap, n + 1, sizeof(*reader->nodes));
	reader->nodes[reader->n_nodes++] =
		tree_child(reader->tree, reader->nodes[parent], reader->frames[frame]);
	return 0;
}

static int read_process(struct capture_reader *reader, struct cursor *record)
{
	struct capture_process process;

	process.id = take_new_id(record, CAPTURE_MAX_PROCESSES, &reader->has_process,
				 &reader->process_cap);
	process.pid = take_s32(record);
	process.parent_pid = take_s32(record);
	process.start_ticks = cursor_zigzag(record);
	process.command = take_text(reader, record, NAME_MAX_BYTES);
	process.runtime = take_text(reader, record, NAME_MAX_BYTES);
	if (record->bad || !reader->events.process)
		return 0;
	return reader->events.process(reader->ctx, &process);
}

static int read_thread(struct capture_reader *reader, struct cursor *record)
{
	struct capture_thread thread;

	thread.id =
		take_new_id(record, CAPTURE_MAX_THREADS, &reader->has_thread, &reader->thread_cap);
	thread.process = take_id(record, reader->has_process, reader->process_cap);
	thread.tid = take_s32(record);
	thread.python_ident = cursor_varint(record);
	thread.name = take_text(reader, record, NAME_MAX_BYTES);
	if (record->bad || !reader->events.thread)
		return 0;
	return reader->events.thread(reader->ctx, &thread);
}

static int read_sample(struct capture_reader *reader, struct cursor *record)
{
	struct capture_sample sample;
	uint32_t state, flags;
	int64_t delta_ns = cursor_zigzag(record), time_ns;

	sample.thread = take_id(record, reader->has_thread, reader->thread_cap);
	sample.node = reader->nodes[take_number(record, reader->n_nodes)];
	state = take_u32(record);
	flags = take_u32(record);
	sample.wall_ns = take_ns(record);
	sample.cpu_ns = take_ns(record);
	sample.repeats = cursor_left(record) ? take_u32(record) : 0;
	if (record->bad || sample.repeats > CAPTURE_MAX_REPEATS ||
	    __builtin_add_overflow(reader->last_time_ns, delta_ns, &time_ns)) {
		record->bad = true;
		return 0;
	}
	reader->last_time_ns = sample.time_ns = time_ns;
	sample.state = state < STATE_COUNT ? (uint8_t)state : STATE_UNKNOWN;
	sample.flags = (uint8_t)flags;
	return reader->events.sample ? reader->events.sample(reader->ctx, &sample) : 0;
}

static int read_stats(struct capture_reader *reader, struct cursor *record)
{
	struct capture_stats stats = {.time_ns = cursor_zigzag(record)};

	stats.ticks = cursor_varint(record);
	stats.late_ticks = cursor_varint(record);
	stats.missed_ticks = cursor_varint(record);
	stats.samples = cursor_varint(record);
	stats.proven = cursor_varint(record);
	stats.paused = cursor_varint(record);
	stats.stepped = cursor_varint(record);
	stats.dropped = cursor_varint(record);
	stats.torn = cursor_varint(record);
	stats.errors = cursor_varint(record);
	stats.signals_passed = cursor_varint(record);
	stats.eintr_repaired = cursor_varint(record);
	stats.reader_cpu_ns = take_ns(record);
	stats.pause_total_ns = take_ns(record);
	stats.pause_max_ns = take_ns(record);
	stats.bytes_read = cursor_varint(record);
	stats.read_calls = cursor_varint(record);
	stats.pause_median_ns = take_ns(record);
	stats.traced = cursor_varint(record);
	/* Old captures end before one of these. */
	stats.pause_p99_ns = cursor_left(record) ? take_ns(record) : 0;
	for (size_t i = 0; i < CAPTURE_FAULTS && cursor_left(record); i++)
		stats.faults[i] = cursor_varint(record);
	stats.left_out = cursor_left(record) ? cursor_varint(record) : 0;
	for (size_t i = 0; i < CAPTURE_NATIVES && cursor_left(record); i++)
		stats.native[i] = cursor_varint(record);
	stats.native_bytes = cursor_left(record) ? cursor_varint(record) : 0;
	stats.native_outer = cursor_left(record) ? cursor_varint(record) : 0;
	if (record->bad || !reader->events.stats)
		return 0;
	return reader->events.stats(reader->ctx, &stats);
}

static int read_local(struct capture_reader *reader, struct cursor *record)
{
	struct capture_local local;

	local.thread = take_id(record, reader->has_thread, reader->thread_cap);
	local.frame = take_u32(record);
	local.address = cursor_varint(record);
	local.flags = (uint8_t)take_u32(record);
	local.name = take_text(reader, record, NAME_MAX_BYTES);
	local.text = take_text(reader, record, NAME_MAX_BYTES);
	if (record->bad || !reader->events.local)
		return 0;
	return reader->events.local(reader->ctx, &local);
}

static int read_source(struct capture_reader *reader, struct cursor *record)
{
	struct capture_source source;

	source.process = take_id(record, reader->has_process, reader->process_cap);
	source.file = take_text(reader, record, NAME_MAX_BYTES);
	source.text = take_text(reader, record, CAPTURE_SOURCE_MAX_BYTES);
	if (record->bad || !reader->events.source)
		return 0;
	source.len = strlen(source.text);
	return reader->events.source(reader->ctx, &source);
}

static int read_end(struct capture_reader *reader, struct cursor *record)
{
	struct capture_end end;

	end.time_ns = cursor_zigzag(record);
	end.code = take_s32(record);
	end.exit_status = take_s32(record);
	end.text = take_text(reader, record, NAME_MAX_BYTES);
	if (record->bad)
		return 0;
	reader->has_end = true;
	return reader->events.end ? reader->events.end(reader->ctx, &end) : 0;
}

typedef int record_fn(struct capture_reader *reader, struct cursor *record);

static record_fn *const record_readers[] = {
	[RECORD_HEADER] = read_header,	 [RECORD_STRING] = read_string,
	[RECORD_FRAME] = read_frame,	 [RECORD_NODE] = read_node,
	[RECORD_PROCESS] = read_process, [RECORD_THREAD] = read_thread,
	[RECORD_SAMPLE] = read_sample,	 [RECORD_STATS] = read_stats,
	[RECORD_END] = read_end,	 [RECORD_SOURCE] = read_source,
	[RECORD_LOCAL] = read_local,
};

/* ---- blocks ---- */

static int bad_block(const struct capture_reader *reader, const char *what, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "the capture is damaged behind byte %llu: %s",
		       (unsigned long long)reader->good_bytes, what);
}

static int read_record(struct capture_reader *reader, uint64_t kind, struct cursor record,
		       struct err *err)
{
	int r;

	if (kind >= array_len(record_readers) || !record_readers[kind])
		return 0;
	if (reader->has_end || (!reader->has_header && kind != RECORD_HEADER))
		return bad_block(reader, "a record stands outside of header and end", err);
	if (err)
		*err = (struct err){0};
	r = record_readers[kind](reader, &record);
	arena_reset(&reader->texts);
	if (record.bad)
		return bad_block(reader, "a record names something undefined or is cut off", err);
	if (r == ERR_LIMIT && err && !err->text[0])
		return err_set(err, r,
			       "the capture holds more names or stacks than this program allows");
	return r;
}

static int read_payload(struct capture_reader *reader, const void *payload, size_t len,
			struct err *err)
{
	struct cursor records = cursor_over(payload, len);

	reader->last_time_ns = 0;
	while (cursor_left(&records)) {
		uint64_t kind = cursor_varint(&records), record_len = cursor_varint(&records);
		const uint8_t *bytes = cursor_bytes(&records, record_len);
		int r;

		if (!bytes)
			return bad_block(reader, "a record is longer than its block", err);
		r = read_record(reader, kind, cursor_over(bytes, (size_t)record_len), err);
		if (r < 0)
			return r;
	}
	return 0;
}

struct block_head {
	uint8_t flags;
	uint32_t packed_len, unpacked_len, crc;
};

static int read_head(const struct capture_reader *reader, struct block_head *ret_head,
		     struct err *err)
{
	struct cursor head = cursor_over(reader->pending.data, CAPTURE_BLOCK_HEAD_BYTES);
	const uint8_t *magic = cursor_bytes(&head, 4);
	uint8_t version = cursor_u8(&head);
	const uint8_t *zeros;
	if (memcmp(magic, CAPTURE_MAGIC, 4) != 0)
		return bad_block(reader, "no block begins here", err);
	if (version != CAPTURE_VERSION)
		return err_set(
			err, ERR_UNSUPPORTED,
			"the capture has format version %u, this program reads version %u: use "
			"the pyrometer that wrote it",
			version, CAPTURE_VERSION);
	ret_head->flags = cursor_u8(&head);
	zeros = cursor_bytes(&head, 2);
	ret_head->packed_len = cursor_le32(&head);
	ret_head->unpacked_len = cursor_le32(&head);
	ret_head->crc = cursor_le32(&head);
	if (ret_head->packed_len > CAPTURE_BLOCK_MAX_BYTES ||
	    ret_head->unpacked_len > CAPTURE_BLOCK_MAX_BYTES)
		return bad_block(reader, "a block is longer than 4 MiB", err);
	if (ret_head->flags & ~CAPTURE_BLOCK_ZSTD || zeros[0] || zeros[1] ||
	    (!ret_head->flags && ret_head->packed_len != ret_head->unpacked_len))
		return bad_block(reader, "the head of a block is wrong", err);
	return 0;
}

static void unpacked_done(struct buf *unpacked)
{
	buf_done(unpacked);
}

static int read_block(struct capture_reader *reader, const struct block_head *head, struct err *err)
{
	const char *payload = reader->pending.data + CAPTURE_BLOCK_HEAD_BYTES;
	struct codec_limits limits = {.max_bytes = head->unpacked_len};
	cleanup(unpacked_done) struct buf unpacked;

	buf_init(&unpacked, CAPTURE_BLOCK_MAX_BYTES + 1u);
	if (crc32_of(0, payload, head->packed_len) != head->crc)
		return bad_block(reader, "a checksum is wrong", err);
	if (!(head->flags & CAPTURE_BLOCK_ZSTD))
		return read_payload(reader, payload, head->packed_len, err);
	if (zstd_decompress(payload, head->packed_len, &limits, NULL, &unpacked, NULL) < 0 ||
	    unpacked.len != head->unpacked_len)
		return bad_block(reader, "a block does not unpack", err);
	return read_payload(reader, unpacked.data, unpacked.len, err);
}

/* Take bytes until `need` of them are pending; false when the input ends before. */
static bool collect(struct capture_reader *reader, size_t need, const char **at, size_t *len)
{
	size_t take = min_of(need - reader->pending.len, *len);

	buf_put(&reader->pending, *at, take);
	*at += take;
	*len -= take;
	return reader->pending.len == need;
}

int capture_feed(struct capture_reader *reader, const void *data, size_t len, struct err *err)
{
	const char *at = data;

	while (len) {
		struct block_head head = {0};
		int r;

		if (reader->pending.len < CAPTURE_BLOCK_HEAD_BYTES &&
		    !collect(reader, CAPTURE_BLOCK_HEAD_BYTES, &at, &len))
			break;
		r = read_head(reader, &head, err);
		if (r < 0)
			return r;
		if (!collect(reader, CAPTURE_BLOCK_HEAD_BYTES + (size_t)head.packed_len, &at, &len))
			break;
		r = read_block(reader, &head, err);
		if (r < 0)
			return r;
		reader->good_bytes += reader->pending.len;
		buf_reset(&reader->pending);
	}
	return 0;
}
