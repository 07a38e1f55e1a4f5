/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the first corpus of fuzz_block: write_store_seeds tests/fuzz/corpus/block.  Rows as the store writes them, of
 * blocks short and packed, with and without a track, and of spans.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/sqlite/exemplar_block.h"

#define T0 1763800000000000000
#define S 1000000000
#define MAX_NODES 400

static const char *corpus;

static void save(const char *name, const struct buf *head, const struct buf *data)
{
	cleanup_file FILE *file = NULL;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", corpus, name);
	file = fopen(path, "we");
	if (!file || head->len > UINT16_MAX ||
	    fprintf(file, "%c%c", (int)(head->len & 0xff), (int)(head->len >> 8)) != 2 ||
	    fwrite(head->data, 1, head->len, file) != head->len ||
	    fwrite(data->data, 1, data->len, file) != data->len) {
		perror(path);
		exit(1);
	}
}

static void save_block(const char *name, uint32_t n_nodes, bool has_track)
{
	uint32_t nodes[MAX_NODES];
	int64_t values[2][MAX_NODES];
	struct track track = {0};
	struct block block = {.key = {1, T0, 0, 1, 60ll * S},
			      .n_profiles = 6,
			      .n_samples = 600,
			      .covered_ns = 60ll * S,
			      .columns = {1, 2},
			      .n_columns = 2,
			      .n_nodes = n_nodes,
			      .nodes = nodes,
			      .values = {values[0], values[1]}};
	struct cover cover = {0};
	struct block_room room;
	struct buf head, data;

	for (uint32_t i = 0; i < n_nodes; i++) {
		nodes[i] = 3 * i + i % 3;
		values[0][i] = 10000000ll * (i % 7 + 1);
		values[1][i] = i % 5 ? 0 : 1;
		block.totals[0] += values[0][i];
		block.totals[1] += values[1][i];
	}
	for (int i = 0; i < 6; i++)
		track_add(&track,
			  (struct track_entry){
				  .t_ns = T0 + 10ll * i * S, .len_ns = 10ll * S, .begins = true},
			  (int64_t[]){block.totals[0] / 6, block.totals[1] / 6}, 2);
	block.track = has_track ? &track : NULL;
	cover_add(&cover, T0, T0 + 20ll * S);
	cover_add(&cover, T0 + 30ll * S, T0 + 60ll * S);
	buf_init(&head, UINT16_MAX);
	buf_init(&data, 1 << 20);
	block_room_init(&room);
	if (block_write(&block, &cover, &room, &head, &data, NULL) < 0)
		abort();
	block_room_done(&room);
	save(name, &head, &data);
	buf_done(&head);
	buf_done(&data);
	cover_done(&cover);
	track_done(&track);
}

static void save_spans(const char *name, uint32_t n_spans)
{
	struct spans *spans = spans_new();
	uint32_t map[] = {0, 4, 9, 11}, columns[] = {1};
	struct exemplar_source source = {
		.spans = spans, .map = map, .columns = columns, .n_columns = 1, .max_spans = 100};
	struct exemplar_pack pack;
	struct arena arena;

	for (uint32_t i = 0; i < n_spans; i++) {
		struct span span = {.id = {i + 1}};

		span.trace.bytes[0] = (uint8_t)(i % 3);
		for (uint32_t node = 1; node < array_len(map); node++)
			spans_add(spans, spans_index(spans, &span), (struct node_id){node}, 0,
				  10000000ll * (i + node));
	}
	arena_init(&arena);
	if (exemplar_pack(&source, &arena, &pack, NULL) < 0)
		abort();
	save(name, &pack.head, &pack.data);
	exemplar_pack_done(&pack);
	arena_done(&arena);
	spans_free(spans);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
		return 2;
	}
	corpus = argv[1];
	save_block("empty", 0, false);
	save_block("one", 1, false);
	save_block("short", 5, true);
	save_block("packed", MAX_NODES, false);
	save_block("packed-track", MAX_NODES, true);
	save_spans("spans", 3);
	save_spans("spans-packed", 80);
	return 0;
}
