/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writing half.  A record is put together in `record`, then appended to `block` with its kind
 * and length; a block that passes its target size goes to the sink.  Steady state allocates
 * nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "codec/crc.h"
#include "codec/zstd.h"
#include "format/capture.h"
#include "format/capture_private.h"

/* Fast enough to run beside the sampler; higher levels gain 5 % on these records. */
#define CAPTURE_ZSTD_LEVEL 3

/* Ids of the writer's tables -> numbers of the stream; 0: not defined yet. */
struct id_map {
	uint32_t *numbers;
	size_t cap;
	uint32_t last; /* number given last */
};

struct capture_writer {
	struct names *names;
	struct tree *tree;
	bool compress;
	capture_sink_fn *sink;
	void *ctx;
	int code; /* sticky: the first error of the sink */
	struct buf block, record, packed;
	struct id_map strings, frames, nodes;
	int64_t last_time_ns; /* of the last sample in this block */
	uint32_t path[TREE_MAX_DEPTH + 1];
};

struct capture_writer *capture_writer_new(struct names *names, struct tree *tree, bool compress,
					  capture_sink_fn *sink, void *ctx)
{
	struct capture_writer *writer = xcalloc(1, sizeof(*writer));

	writer->names = names;
	writer->tree = tree;
	writer->compress = compress;
	writer->sink = sink;
	writer->ctx = ctx;
	buf_init(&writer->block, CAPTURE_BLOCK_MAX_BYTES);
	buf_init(&writer->record, CAPTURE_BLOCK_MAX_BYTES);
	buf_init(&writer->packed, 2u * CAPTURE_BLOCK_MAX_BYTES);
	return writer;
}

void capture_writer_free(struct capture_writer *writer)
{
	if (!writer)
		return;
	buf_done(&writer->block);
	buf_done(&writer->record);
	buf_done(&writer->packed);
	free(writer->strings.numbers);
	free(writer->frames.numbers);
	free(writer->nodes.numbers);
	free(writer);
}

/* ---- blocks ---- */

static void put_le32(uint8_t *into, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		into[i] = (uint8_t)(value >> (8 * i));
}

static int send_block(struct capture_writer *writer, const char *payload, size_t len, uint8_t flags)
{
	uint8_t head[CAPTURE_BLOCK_HEAD_BYTES] = {0};

	memcpy(head, CAPTURE_MAGIC, 4);
	head[4] = CAPTURE_VERSION;
	head[5] = flags;
	put_le32(head + 8, (uint32_t)len);
	put_le32(head + 12, (uint32_t)writer->block.len);
	put_le32(head + 16, crc32_of(0, payload, len));
	if (payload == writer->packed.data + sizeof(head))
		memcpy(writer->packed.data, head, sizeof(head));
	else {
		buf_reset(&writer->packed);
		buf_put(&writer->packed, head, sizeof(head));
		buf_put(&writer->packed, payload, len);
	}
	return writer->sink(writer->ctx, writer->packed.data, sizeof(head) + len);
}

int capture_flush(struct capture_writer *writer)
{
	uint8_t room_for_head[CAPTURE_BLOCK_HEAD_BYTES] = {0};
	size_t packed_len;

	if (writer->code < 0 || !writer->block.len)
		return writer->code;
	buf_reset(&writer->packed);
	buf_put(&writer->packed, room_for_head, sizeof(room_for_head));
	if (writer->compress && zstd_compress(writer->block.data, writer->block.len,
					      CAPTURE_ZSTD_LEVEL, &writer->packed, NULL) < 0)
		return writer->code = ERR_LIMIT;
	packed_len = writer->packed.len - sizeof(room_for_head);
	if (writer->compress && packed_len < writer->block.len)
		writer->code = send_block(writer, writer->packed.data + sizeof(room_for_head),
					  packed_len, CAPTURE_BLOCK_ZSTD);
	else
		writer->code = send_block(writer, writer->block.data, writer->block.len, 0);
	buf_reset(&writer->block);
	writer->last_time_ns = 0;
	return writer->code;
}

/* Append what stands in writer->record as a record of that kind; an error stays in writer->code. */
static int end_record(struct capture_writer *writer, enum capture_record kind)
{
	const size_t frame_bytes = 16; /* kind and length, at most */

	if (writer->record.overflow)
		return ERR_LIMIT;
	if (writer->block.len + writer->record.len + frame_bytes > CAPTURE_BLOCK_MAX_BYTES &&
	    capture_flush(writer) < 0)
		return writer->code;
	buf_put_varint(&writer->block, kind);
	buf_put_varint(&writer->block, writer->record.len);
	buf_put(&writer->block, writer->record.data, writer->record.len);
	return writer->code;
}

/* The same, where the block may end afterwards: never inside of a sample's definitions. */
static int end_event(struct capture_writer *writer, enum capture_record kind)
{
	int r = end_record(writer, kind);

	if (r < 0 || writer->block.len < CAPTURE_BLOCK_TARGET_BYTES)
		return r;
	return capture_flush(writer);
}

static struct buf *begin_record(struct capture_writer *writer)
{
	buf_reset(&writer->record);
	return &writer->record;
}

static void put_text(struct buf *record, const char *text)
{
	size_t len = text ? min_of(strlen(text), (size_t)NAME_MAX_BYTES) : 0;

	buf_put_varint(record, len);
	buf_put(record, text ? text : "", len);
}

static void put_double(struct buf *record, double value)
{
	uint64_t bits;
	uint8_t bytes[8];

	memcpy(&bits, &value, sizeof(bits));
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(bits >> (8 * i));
	buf_put(record, bytes, sizeof(bytes));
}

/* ---- definitions ---- */

static bool is_defined(const struct id_map *map, uint32_t id)
{
	return !id || (id < map->cap && map->numbers[id]);
}

static uint32_t number_of(const struct id_map *map, uint32_t id)
{
	return id ? map->numbers[id] : 0;
}

static void define(struct id_map *map, uint32_t id)
{
	map->numbers = vec_grow(map->numbers, &map->cap, (size_t)id + 1, sizeof(*map->numbers));
	map->numbers[id] = ++map->last;
}

static void define_string(struct capture_writer *writer, struct str_id id)
{
	const char *text;
	size_t len;

	if (is_defined(&writer->strings, id.v))
		return;
	text = names_text(writer->names, id, &len);
	buf_put(begin_record(writer), text, len);
	end_record(writer, RECORD_STRING);
	define(&writer->strings, id.v);
}

static void define_frame(struct capture_writer *writer, struct frame_id id)
{
	const struct frame *frame = names_frame_get(writer->names, id);
	const struct str_id texts[] = {frame->name, frame->qualname, frame->file, frame->module,
				       frame->build_id};
	struct buf *record;

	if (is_defined(&writer->frames, id.v))
		return;
	for (size_t i = 0; i < array_len(texts); i++)
		define_string(writer, texts[i]);
	record = begin_record(writer);
	for (size_t i = 0; i < array_len(texts); i++)
		buf_put_varint(record, number_of(&writer->strings, texts[i].v));
	buf_put_varint(record, frame->address);
	buf_put_varint(record, frame->line);
	buf_put_varint(record, frame->first_line);
	buf_put_varint(record, frame->kind);
	if (frame->column)
		buf_put_varint(record, frame->column);
	end_record(writer, RECORD_FRAME);
	define(&writer->frames, id.v);
}

/* Up to the nearest ancestor that the stream knows, then down again. */
static void define_node(struct capture_writer *writer, struct node_id node)
{
	const struct tree *tree = writer->tree;
	uint32_t id = node.v, n = 0;

	for (; !is_defined(&writer->nodes, id); id = tree->parent[id])
		writer->path[n++] = id;
	while (n--) {
		struct buf *record;

		id = writer->path[n];
		define_frame(writer, (struct frame_id){tree->frame[id]});
		record = begin_record(writer);
		buf_put_varint(record, number_of(&writer->nodes, tree->parent[id]));
		buf_put_varint(record, number_of(&writer->frames, tree->frame[id]));
		end_record(writer, RECORD_NODE);
		define(&writer->nodes, id);
	}
}

/* ---- events ---- */

int capture_write_header(struct capture_writer *writer, const struct capture_header *header)
{
	struct buf *record = begin_record(writer);

	buf_put_zigzag(record, header->start_real_ns);
	buf_put_zigzag(record, header->start_monotonic_ns);
	put_double(record, header->rate_hz);
	buf_put_varint(record, header->flags);
	put_text(record, header->command);
	put_text(record, header->host);
	put_text(record, header->version);
	return end_event(writer, RECORD_HEADER);
}

int capture_write_process(struct capture_writer *writer, const struct capture_process *process)
{
	struct buf *record = begin_record(writer);

	buf_put_varint(record, process->id);
	buf_put_zigzag(record, process->pid);
	buf_put_zigzag(record, process->parent_pid);
	buf_put_zigzag(record, process->start_ticks);
	put_text(record, process->command);
	put_text(record, process->runtime);
	return end_event(writer, RECORD_PROCESS);
}

int capture_write_thread(struct capture_writer *writer, const struct capture_thread *thread)
{
	struct buf *record = begin_record(writer);

	buf_put_varint(record, thread->id);
	buf_put_varint(record, thread->process);
	buf_put_zigzag(record, thread->tid);
	buf_put_varint(record, thread->python_ident);
	put_text(record, thread->name);
	return end_event(writer, RECORD_THREAD);
}

int capture_write_sample(struct capture_writer *writer, const struct capture_sample *sample)
{
	struct buf *record;

	define_node(writer, sample->node);
	/* Now, not below: the time is told from the last sample of the same block. */
	if (writer->block.len >= CAPTURE_BLOCK_TARGET_BYTES && capture_flush(writer) < 0)
		return writer->code;
	record = begin_record(writer);
	buf_put_zigzag(record, sample->time_ns - writer->last_time_ns);
	buf_put_varint(record, sample->thread);
	buf_put_varint(record, number_of(&writer->nodes, sample->node.v));
	buf_put_varint(record, sample->state);
	buf_put_varint(record, sample->flags);
	buf_put_varint(record, (uint64_t)max_of(sample->wall_ns, (int64_t)0));
	buf_put_varint(record, (uint64_t)max_of(sample->cpu_ns, (int64_t)0));
	if (sample->repeats)
		buf_put_varint(record, min_of(sample->repeats, CAPTURE_MAX_REPEATS));
	writer->last_time_ns = sample->time_ns;
	return end_event(writer, RECORD_SAMPLE);
}

const char *capture_fault_words(enum capture_fault fault)
{
	static const char *const words[CAPTURE_FAULTS] = {
		[CAPTURE_FAULT_CYCLE] = "its frames lead back to themselves",
		[CAPTURE_FAULT_WILD_FRAME] = "a frame lies where nothing is, or is none",
		[CAPTURE_FAULT_NO_BASE] = "its frames end where a stack does not begin",
		[CAPTURE_FAULT_BAD_CODE] = "a frame's code, or what that names, is none",
		[CAPTURE_FAULT_TOO_MUCH] = "there is more to read than one sample may",
		[CAPTURE_FAULT_LISTS] = "the lists of threads are not whole",
	};

	return fault < CAPTURE_FAULTS ? words[fault] : "unknown";
}

const char *capture_native_words(enum capture_native native)
{
	static const char *const words[CAPTURE_NATIVES] = {
		[CAPTURE_NATIVE_COMPLETE] = "complete to their base",
		[CAPTURE_NATIVE_RECOVERED] = "of those with a caller that was found by searching",
		[CAPTURE_NATIVE_INNER] = "with their inner frames only",
		[CAPTURE_NATIVE_MISMATCH] = "not in step with Python's frames",
		[CAPTURE_NATIVE_UNPAUSED] = "of threads that ran and were not paused",
		[CAPTURE_NATIVE_TOO_DEEP] = "deeper than is read",
		[CAPTURE_NATIVE_NO_TABLE] = "through code without unwind information",
		[CAPTURE_NATIVE_NO_REG] = "of which the frame pointer is not known",
		[CAPTURE_NATIVE_BAD_MEMORY] = "that could not be read",
		[CAPTURE_NATIVE_BAD_RULE] = "that do not rise, or with damaged unwind information",
		[CAPTURE_NATIVE_LATER] = "before their tables were ready",
	};

	return native < CAPTURE_NATIVES ? words[native] : "unknown";
}

int capture_write_stats(struct capture_writer *writer, const struct capture_stats *stats)
{
	const uint64_t counts[] = {
		stats->ticks,
		stats->late_ticks,
		stats->missed_ticks,
		stats->samples,
		stats->proven,
		stats->paused,
		stats->stepped,
		stats->dropped,
		stats->torn,
		stats->errors,
		stats->signals_passed,
		stats->eintr_repaired,
		(uint64_t)max_of(stats->reader_cpu_ns, (int64_t)0),
		(uint64_t)max_of(stats->pause_total_ns, (int64_t)0),
		(uint64_t)max_of(stats->pause_max_ns, (int64_t)0),
		stats->bytes_read,
		stats->read_calls,
		(uint64_t)max_of(stats->pause_median_ns, (int64_t)0),
		stats->traced,
		(uint64_t)max_of(stats->pause_p99_ns, (int64_t)0),
	};
	struct buf *record = begin_record(writer);

	buf_put_zigzag(record, stats->time_ns);
	for (size_t i = 0; i < array_len(counts); i++)
		buf_put_varint(record, counts[i]);
	for (size_t i = 0; i < CAPTURE_FAULTS; i++)
		buf_put_varint(record, stats->faults[i]);
	buf_put_varint(record, stats->left_out);
	for (size_t i = 0; i < CAPTURE_NATIVES; i++)
		buf_put_varint(record, stats->native[i]);
	buf_put_varint(record, stats->native_bytes);
	buf_put_varint(record, stats->native_outer);
	return end_event(writer, RECORD_STATS);
}

int capture_write_local(struct capture_writer *writer, const struct capture_local *local)
{
	struct buf *record = begin_record(writer);

	buf_put_varint(record, local->thread);
	buf_put_varint(record, local->frame);
	buf_put_varint(record, local->address);
	buf_put_varint(record, local->flags);
	put_text(record, local->name);
	put_text(record, local->text);
	return end_event(writer, RECORD_LOCAL);
}

int capture_write_source(struct capture_writer *writer, const struct capture_source *source)
{
	struct buf *record = begin_record(writer);

	if (source->len > CAPTURE_SOURCE_MAX_BYTES)
		return ERR_LIMIT;
	buf_put_varint(record, source->process);
	put_text(record, source->file);
	buf_put_varint(record, source->len);
	buf_put(record, source->text, source->len);
	return end_event(writer, RECORD_SOURCE);
}

int capture_write_end(struct capture_writer *writer, const struct capture_end *end)
{
	struct buf *record = begin_record(writer);

	buf_put_zigzag(record, end->time_ns);
	buf_put_zigzag(record, end->code);
	buf_put_zigzag(record, end->exit_status);
	put_text(record, end->text);
	return end_event(writer, RECORD_END);
}
