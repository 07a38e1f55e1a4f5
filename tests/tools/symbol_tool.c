/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests that ask other programs about the same addresses:
 *
 *	symbol_tool DEBUG_DIRS FILE BUILD_ID < ADDRESSES
 *	symbol_tool perf-map|jitdump FILE "" < ADDRESSES	of code that was made at run time
 *
 * BUILD_ID "-": none, the path is trusted.  Addresses are hex, one a line.  Prints, as JSON, for each address the
 * list of [function, file, line], innermost first; then the facts as the last line.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "symbol/symbol.h"

#define MOST_ADDRESSES 200000

static void print_text(const char *text)
{
	putchar('"');
	for (; *text; text++)
		if (*text == '"' || *text == '\\' || (unsigned char)*text < 0x20)
			printf("\\u%04x", (unsigned char)*text);
		else
			putchar(*text);
	putchar('"');
}

static void print_node(const struct names *names, const struct tree *tree, struct node_id node)
{
	printf("[");
	for (uint32_t at = node.v; at; at = tree->parent[at]) {
		const struct frame *frame =
			names_frame_get(names, (struct frame_id){tree->frame[at]});

		printf("%s[", at == node.v ? "" : ", ");
		print_text(names_text(names, frame->name, NULL));
		printf(", ");
		print_text(names_text(names, frame->file, NULL));
		printf(", %u]", frame->line);
	}
	printf("]\n");
}

static struct node_id node_of(struct names *names, struct tree *tree, const char *path,
			      const char *build_id, uint64_t address)
{
	struct frame frame = {
		.kind = FRAME_NATIVE,
		.module = names_cstr(names, path),
		.build_id = names_cstr(names, strcmp(build_id, "-") == 0 ? "" : build_id),
		.address = address,
	};

	return tree_child(tree, (struct node_id){0}, names_frame(names, &frame));
}

/* Of process 1, whose code the file names; false: its argument is no such kind. */
static bool add_jit(struct symbolizer *symbolizer, const char *kind, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (strcmp(kind, "jitdump") == 0)
		return symbolizer_add_jitdump(symbolizer, 1, fd, NULL) == 0;
	if (strcmp(kind, "perf-map") == 0)
		return symbolizer_add_perf_map(symbolizer, 1, fd, NULL) == 0;
	close(fd);
	return false;
}

int main(int argc, char **argv)
{
	struct symbolizer_config config = {.trusts_paths = true, .debug_dirs = argv[1]};
	struct symbolizer *symbolizer;
	struct symbolizer_facts facts;
	struct err err = {0};
	struct tree tree;
	uint64_t address;
	int64_t begun_ns;

	if (argc != 4) {
		fprintf(stderr, "usage: symbol_tool DEBUG_DIRS FILE BUILD_ID|- < ADDRESSES\n");
		return 2;
	}
	tree_init(&tree);
	config.tree = &tree;
	config.names = names_new();
	if (symbolizer_new(&config, &symbolizer, &err) < 0) {
		fprintf(stderr, "symbol_tool: %s\n", err.text);
		return 1;
	}
	bool is_jit = add_jit(symbolizer, argv[1], argv[2]);
	begun_ns = clock_monotonic_ns();
	for (int n = 0; n < MOST_ADDRESSES && scanf("%" SCNx64, &address) == 1; n++) {
		struct node_id node = node_of(config.names, &tree, is_jit ? "[anonymous]" : argv[2],
					      argv[3], address);

		print_node(config.names, &tree, symbolizer_node(symbolizer, is_jit, node));
	}
	symbolizer_facts(symbolizer, &facts);
	printf("{\"asked\": %" PRIu64 ", \"found\": %" PRIu64
	       ", \"has_dwarf\": %s, \"bad_files\": %u, "
	       "\"missing_files\": %u, \"restarts\": %u, \"ns\": %" PRId64 "}\n",
	       facts.asked, facts.found, facts.has_dwarf ? "true" : "false", facts.bad_files,
	       facts.missing_files, facts.restarts, clock_monotonic_ns() - begun_ns);
	symbolizer_free(symbolizer);
	tree_done(&tree);
	names_free(config.names);
	return 0;
}
