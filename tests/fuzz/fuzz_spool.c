/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a segment of a spool: what is read is a record or counted, and the spool takes new ones after it. */
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/spool.h"

static char dir[] = "/tmp/fuzz-spool-XXXXXX";

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info;
	(void)kind;
	return at->level ? remove(path) : 0;
}

static void end(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	rmdir(dir);
}

static void begin(void)
{
	if (!mkdtemp(dir))
		abort();
	atexit(end);
}

static void write_segment(const uint8_t *data, size_t size)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/0000000000000007.spool", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

/* All records; of those that hold `wanted` how many there were. */
static int take_all(struct spool *spool, const char *wanted)
{
	struct buf record;
	int n = 0;

	buf_init(&record, SPOOL_RECORD_MAX_BYTES);
	while (spool_peek(spool, &record) == 0) {
		n += record.len == strlen(wanted) && memcmp(record.data, wanted, record.len) == 0;
		buf_reset(&record);
		spool_pop(spool);
	}
	buf_done(&record);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool has_begun;
	struct spool *spool;

	if (!has_begun)
		begin();
	has_begun = true;
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	write_segment(data, size);
	if (spool_open(dir, (size_t)8 << 20, &spool, NULL) < 0)
		abort();
	if (spool_put(spool, "behind it", strlen("behind it"), NULL) < 0)
		abort();
	if (take_all(spool, "behind it") < 1)
		abort();
	spool_close(spool);
	return 0;
}
