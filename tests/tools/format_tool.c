/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests that ask other programs about our files:
 *
 *	format_tool sample SEED FLAGS FORMAT OUT	a made-up profile as a file
 *	format_tool sums FILE...			what each file holds, as a line of JSON
 *	format_tool read N FILE				reads it N times; prints the CPU seconds
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "codec/json.h"
#include "format/format.h"
#include "profile/table.h"
#include "sample_profiles.h"

#define MAX_BYTES ((size_t)1 << 30)

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "format_tool: %s: %s\n", what, why);
	return 1;
}

static int load(const char *path, struct buf *out)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *room;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	buf_init(out, MAX_BYTES);
	room = buf_room(out, (size_t)st.st_size);
	if (!room || read(fd, room, (size_t)st.st_size) != st.st_size)
		return -1;
	buf_grew(out, (size_t)st.st_size);
	return 0;
}

static int write_sample(char **argv)
{
	const struct format *format = format_by_name(argv[2]);
	struct names *names = names_new();
	struct profile profile;
	struct format_output output = {.profile = &profile, .title = "sample"};
	cleanup_file FILE *file = fopen(argv[3], "we");
	struct err err = {0};
	struct buf out;
	int r;

	if (!format || !file)
		return fail(argv[3], "no such format, or not writable");
	profile_init(&profile, names);
	sample_profile(&profile, (uint32_t)strtoul(argv[0], NULL, 10),
		       (uint32_t)strtoul(argv[1], NULL, 10));
	buf_init(&out, MAX_BYTES);
	r = format->write(&output, &out, &err);
	if (r == 0 && fwrite(out.data, 1, out.len, file) != out.len)
		r = fail(argv[3], "cannot write");
	else if (r < 0)
		r = fail(argv[3], err.text);
	buf_done(&out);
	profile_done(&profile);
	names_free(names);
	return r;
}

static void put_columns(struct json_writer *json, const struct profile *profile)
{
	json_key(json, "columns");
	json_array(json);
	for (size_t i = 0; i < profile->n_columns; i++) {
		const struct sample_type *type = &profile->columns[i].type;

		json_object(json);
		json_member_str(json, "type", names_text(profile->names, type->type, NULL));
		json_member_str(json, "unit", names_text(profile->names, type->unit, NULL));
		json_member_str(json, "state", names_text(profile->names, type->state, NULL));
		json_member_int(json, "sum", profile_sum(profile, i));
		json_end(json);
	}
	json_end(json);
}

static void put_functions(struct json_writer *json, const struct profile *profile)
{
	struct func_row *rows;
	struct arena arena;
	size_t n;

	arena_init(&arena);
	json_key(json, "functions");
	json_array(json);
	n = profile->n_columns ? func_table(profile, 0, FUNC_BY_SELF, &arena, &rows) : 0;
	for (size_t i = 0; i < n; i++) {
		const struct frame *frame = names_func_get(profile->names, rows[i].func);

		json_object(json);
		json_member_str(json, "name", names_text(profile->names, frame->name, NULL));
		json_member_int(json, "self", rows[i].self);
		json_member_int(json, "total", rows[i].total);
		json_end(json);
	}
	json_end(json);
	arena_done(&arena);
}

static int print_sums(const char *path)
{
	cleanup(buf_done) struct buf bytes = {0}, text = {.ceiling = MAX_BYTES};
	const struct format *format;
	struct names *names;
	struct profile profile;
	struct json_writer json;
	struct err err = {0};
	int r;

	if (load(path, &bytes) < 0)
		return fail(path, "cannot read");
	format = format_sniff(bytes.data, bytes.len);
	names = names_new();
	profile_init(&profile, names);
	r = format ? format->read(bytes.data, bytes.len, &format_limits_server, &profile, &err)
		   : ERR_UNSUPPORTED;
	json_writer_init(&json, &text, 0);
	json_object(&json);
	json_member_str(&json, "file", path);
	json_member_str(&json, "format", format ? format->name : NULL);
	json_member_int(&json, "code", r);
	json_member_str(&json, "error", err.text);
	json_member_int(&json, "start", profile.start_ns);
	json_member_int(&json, "samples", profile.n_samples);
	put_columns(&json, &profile);
	put_functions(&json, &profile);
	json_end(&json);
	puts(text.data);
	profile_done(&profile);
	names_free(names);
	return 0;
}

static int time_reading(int n, const char *path)
{
	cleanup(buf_done) struct buf bytes = {0};
	int64_t start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (load(path, &bytes) < 0)
		return fail(path, "cannot read");
	for (int i = 0; i < n; i++) {
		struct names *names = names_new();
		struct profile profile;
		struct err err;

		profile_init(&profile, names);
		if (format_sniff(bytes.data, bytes.len)
			    ->read(bytes.data, bytes.len, &format_limits_server, &profile, &err) <
		    0)
			return fail(path, err.text);
		profile_done(&profile);
		names_free(names);
	}
	printf("%.6f\n", (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start_ns) / NS_PER_S);
	return 0;
}

int main(int argc, char **argv)
{
	int r = 0;

	if (argc == 6 && strcmp(argv[1], "sample") == 0)
		return write_sample(argv + 2);
	if (argc == 4 && strcmp(argv[1], "read") == 0)
		return time_reading((int)strtol(argv[2], NULL, 10), argv[3]);
	if (argc < 3 || strcmp(argv[1], "sums") != 0)
		return fail("usage", "sample SEED FLAGS FORMAT OUT | sums FILE... | read N FILE");
	for (int i = 2; i < argc && r == 0; i++)
		r = print_sums(argv[i]);
	return r;
}
