/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proc/memory.h"
#include "unit.h"

static char data[3 * 4096];

static raddr_t at(const void *pointer)
{
	return (raddr_t)(uintptr_t)pointer;
}

static void read_some(struct memory *memory, size_t offset, size_t len)
{
	char into[sizeof(data)];

	memory_budget_set(memory, 1, sizeof(data));
	assert_int_equal(memory_read(memory, at(data + offset), into, len), 0);
	assert_memory_equal(into, data + offset, len);
}

/* What was recorded, as bytes; free() them. */
static char *recording(struct memory *recorder, size_t *ret_len)
{
	int fd = memfd_create("snapshot", MFD_CLOEXEC);
	char *bytes;

	assert_int_equal(memory_recorder_write(recorder, fd, NULL), 0);
	*ret_len = (size_t)lseek(fd, 0, SEEK_END);
	bytes = malloc(*ret_len);
	assert_int_equal(pread(fd, bytes, *ret_len, 0), *ret_len);
	close(fd);
	return bytes;
}

static struct memory *recorder_of_self(struct memory **ret_live)
{
	*ret_live = memory_live_new(getpid());
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 256);
	return memory_recorder_new(*ret_live);
}

static void played_memory_equals_what_was_read(void **state)
{
	struct memory *live, *recorder = recorder_of_self(&live), *player;
	char into[64], *bytes;
	size_t len;

	(void)state;
	read_some(recorder, 5000, 20);
	read_some(recorder, 100, 9000); /* over page borders */
	read_some(recorder, 12000, 1);
	bytes = recording(recorder, &len);
	memory_free(recorder);
	memory_free(live);
	player = memory_snapshot_new(bytes, len, NULL);
	assert_non_null(player);
	read_some(player, 100, 9000);
	read_some(player, 12000, 1);
	memory_budget_set(player, 2, sizeof(data));
	assert_int_equal(memory_read(player, at(data + 99), into, 2), -EFAULT);
	assert_int_equal(memory_read(player, at(data + 12000), into, 2), -EFAULT);
	memory_free(player);
	free(bytes);
}

static void last_read_of_a_byte_wins(void **state)
{
	struct memory *live, *recorder = recorder_of_self(&live), *player;
	char *bytes;
	size_t len;

	(void)state;
	read_some(recorder, 10, 30);
	data[20] = 99;
	read_some(recorder, 20, 1);
	bytes = recording(recorder, &len);
	player = memory_snapshot_new(bytes, len, NULL);
	read_some(player, 10, 30);
	memory_free(player);
	memory_free(recorder);
	memory_free(live);
	free(bytes);
}

static void damaged_snapshots_are_refused_or_harmless(void **state)
{
	struct memory *live, *recorder = recorder_of_self(&live);
	size_t len, refused = 0;
	char *bytes;

	(void)state;
	read_some(recorder, 0, 50);
	read_some(recorder, 8000, 10);
	bytes = recording(recorder, &len);
	for (size_t cut = 0; cut < len; cut++) {
		struct memory *player = memory_snapshot_new(bytes, cut, NULL);

		assert_null(player);
		refused++;
	}
	for (size_t i = 0; i < 8 * len; i++) {
		struct memory *player;

		bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
		player = memory_snapshot_new(bytes, len, NULL);
		refused += !player;
		memory_free(player);
		bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
	}
	assert_true(refused > len + 64);
	memory_free(recorder);
	memory_free(live);
	free(bytes);
}

static void giant_runs_are_refused(void **state)
{
	static const char huge[] = "PYROMEM1\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01xyz";
	static const char many[] = "PYROMEM1\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";

	(void)state;
	assert_null(memory_snapshot_new(huge, sizeof(huge) - 1, NULL));
	assert_null(memory_snapshot_new(many, sizeof(many) - 1, NULL));
	assert_null(memory_snapshot_new("PYROMEM2", 8, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(played_memory_equals_what_was_read),
		cmocka_unit_test(last_read_of_a_byte_wins),
		cmocka_unit_test(damaged_snapshots_are_refused_or_harmless),
		cmocka_unit_test(giant_runs_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
