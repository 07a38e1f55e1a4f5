/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/convert_import.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "format/perf_script.h"
#include "symbol/jit.h"

static int read_file(const char *path, struct buf *into, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, -errno, "cannot read %s", path);
	if (st.st_size > (off_t)CONVERT_IMPORT_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "%s is larger than %zu MiB", path,
			       CONVERT_IMPORT_MAX_BYTES >> 20);
	buf_init(into, CONVERT_IMPORT_MAX_BYTES);
	do {
		char *room = buf_room(into, 1u << 20);

		if (!room)
			return err_set(err, ERR_LIMIT, "%s is too large", path);
		n = read(fd, room, 1u << 20);
		if (n > 0)
			buf_grew(into, (size_t)n);
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? err_sys(err, -errno, "cannot read %s", path) : 0;
}

/* ---- JIT code ---- */

static const char *find_jit(void *ctx, int64_t pid, uint64_t address)
{
	struct jit_found found;

	(void)pid; /* a person has said that this map is the one */
	return jit_code_find(ctx, address, &found) ? found.name : NULL;
}

static int read_perf_script(const struct buf *bytes, const char *perf_map, struct profile *profile,
			    struct err *err)
{
	struct perf_script_opts opts = {.find = find_jit};
	struct jit_code *code = jit_code_new();
	cleanup(buf_done) struct buf map = {0};
	int r = read_file(perf_map, &map, err);

	if (r == 0) {
		(void)perf_map_read(code, map.data, map.len, true);
		opts.ctx = code;
		r = perf_script_read_with(bytes->data, bytes->len, &format_limits_local, &opts,
					  profile, err);
	}
	jit_code_free(code);
	return r;
}

/* ---- the profile ---- */

static int read_profile(const struct convert_import *import, const struct buf *bytes,
			struct profile *profile, struct err *err)
{
	const struct format *format = format_by_file_name(import->path);
	const struct format *seen = format_sniff(bytes->data, bytes->len);

	/* What it holds says more than what it is called. */
	if (seen)
		format = seen;
	if (!format || !format->read)
		return err_set(err, ERR_CORRUPT,
			       "%s is not a capture, nor a profile of a known format",
			       import->path);
	if (import->perf_map && strcmp(format->name, "perf") != 0)
		return err_set(err, ERR_USAGE,
			       "--perf-map is for the text of perf script, which %s is not",
			       import->path);
	int r = import->perf_map
			? read_perf_script(bytes, import->perf_map, profile, err)
			: format->read(bytes->data, bytes->len, &format_limits_local, profile, err);

	return r < 0 ? err_prefix(err, r, "cannot read %s as %s", import->path, format->name) : 0;
}

/* Entries for formats that count; else time, of the CPU if there is. */
static size_t choose_column(const struct profile *profile, bool counts)
{
	int samples = profile_find_column(profile, "samples", "count", NULL);
	int column = counts ? samples : profile_find_column(profile, "cpu", "nanoseconds", NULL);

	if (column < 0 && !counts)
		column = samples == 0 && profile->n_columns > 1 ? 1 : 0;
	return column < 0 ? 0 : (size_t)column;
}

static int write_profile(struct convert_import *import, const struct profile *profile,
			 struct err *err)
{
	const struct format *format = import->choice->format;
	bool counts = strcmp(format->name, "raw") == 0;
	struct format_output what = {
		.profile = profile,
		.column = choose_column(profile, counts),
		.title = import->path,
		.count_entries = counts,
	};
	cleanup(buf_done) struct buf bytes = {0};
	int r;

	if (!format->write)
		return err_set(err, ERR_USAGE,
			       "%s shows samples one by one, which only a capture has",
			       format->name);
	buf_init(&bytes, FORMAT_MAX_OUTPUT_BYTES);
	r = format->write(&what, &bytes, err);
	if (r == 0 && bytes.overflow)
		r = err_set(err, ERR_LIMIT, "the result is larger than %zu MiB",
			    FORMAT_MAX_OUTPUT_BYTES >> 20);
	if (r < 0)
		return r;
	r = output_write_all(import->output, bytes.data, bytes.len, err);
	import->is_output_error = r < 0;
	return r;
}

/* Without what was not asked for, then written. */
static int simplify(struct convert_import *import, const struct profile *profile, struct err *err)
{
	struct profile bare, grouped;
	int r;

	profile_init(&bare, profile->names);
	profile_init(&grouped, profile->names);
	if (!import->keep_markers) {
		profile_drop_markers(profile, &bare);
		profile = &bare;
	}
	if (import->by_function) {
		profile_group(profile, GROUP_FUNCTION, &grouped);
		profile = &grouped;
	}
	r = write_profile(import, profile, err);
	profile_done(&bare);
	profile_done(&grouped);
	return r;
}

int convert_import(struct convert_import *import, bool has_filter, struct err *err)
{
	cleanup(buf_done) struct buf bytes = {0};
	struct names *names = names_new();
	struct profile profile;
	int r;

	profile_init(&profile, names);
	r = read_file(import->path, &bytes, err);
	if (r == 0)
		r = read_profile(import, &bytes, &profile, err);
	if (r == 0 && has_filter)
		r = err_set(
			err, ERR_USAGE,
			"%s is no capture: it has no samples to choose from by thread, process, "
			"time or mode",
			import->path);
	if (r == 0)
		r = simplify(import, &profile, err);
	profile_done(&profile);
	names_free(names);
	return r;
}
