/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over every file of a folder, and over mutations of each that are the same every time. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1u << 20)
#define MUTATIONS 2000 /* of each file, unless the command line says otherwise */

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

/* A few bytes, words or ends changed, as fuzzers do. */
static size_t mutate(uint8_t *data, size_t size, uint64_t *seed)
{
	static const uint64_t extremes[] = {0,	    1,		0x7f,  0xff,
					    0xffff, 0x7fffffff, ~0ull, 1ull << 63};

	for (uint64_t n = 1 + next_random(seed) % 4; n && size > 8; n--) {
		size_t at = next_random(seed) % (size - 8);

		switch (next_random(seed) % 4) {
		case 0:
			data[at] = (uint8_t)next_random(seed);
			break;
		case 1:
			memcpy(data + at, &extremes[next_random(seed) % 8], 8);
			break;
		case 2:
			memmove(data + at, data + next_random(seed) % (size - 8), 8);
			break;
		default:
			size -= next_random(seed) % (size / 4 + 1);
			break;
		}
	}
	return size;
}

static int run_file(const char *path, int mutations)
{
	static uint8_t data[FILE_MAX], copy[FILE_MAX];
	FILE *file = fopen(path, "rbe");
	uint64_t seed = 1;

	if (!file)
		return -1;
	size_t size = fread(data, 1, sizeof(data), file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	for (int i = 0; i < mutations; i++) {
		memcpy(copy, data, size);
		LLVMFuzzerTestOneInput(copy, mutate(copy, size, &seed));
	}
	return 0;
}

int main(int argc, char **argv)
{
	DIR *dir = argc == 2 || argc == 3 ? opendir(argv[1]) : NULL;
	int mutations = argc == 3 ? (int)strtol(argv[2], NULL, 10) : MUTATIONS;
	int n = 0;

	if (!dir) {
		fprintf(stderr, "usage: %s CORPUS_FOLDER [MUTATIONS]\n", argv[0]);
		return 2;
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		char path[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
		if (run_file(path, mutations) < 0)
			return 1;
		n++;
	}
	closedir(dir);
	printf("%d files\n", n);
	return n == 0;
}
