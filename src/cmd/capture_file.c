/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/vec.h"

#define READ_BYTES (256u << 10)

int capture_file_open(struct capture_file *file, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return err_sys(err, -errno, "cannot read %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, -EINVAL, "cannot read %s: not a regular file", path);
	}
	file->path = path;
	file->fd = fd;
	file->bytes = st.st_size;
	return 0;
}

void capture_file_done(struct capture_file *file)
{
	if (file->fd > 0)
		close(file->fd);
	file->fd = 0;
}

int capture_file_feed(struct capture_file *file, struct capture_reader *reader, const bool *until,
		      struct err *err)
{
	cleanup_free char *bytes = xcalloc(1, READ_BYTES);
	int64_t done = 0;
	int r = 0;

	if (lseek(file->fd, 0, SEEK_SET) < 0)
		return err_sys(err, -errno, "cannot read %s", file->path);
	while (r == 0 && !(until && *until)) {
		ssize_t n = read(file->fd, bytes, READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, -errno, "cannot read the capture");
		if (n == 0)
			return 0;
		r = capture_feed(reader, bytes, (size_t)n, err);
		done += n;
		if (file->on_progress)
			file->on_progress(file->progress_ctx, done, file->bytes);
	}
	return r;
}

int capture_file_verdict(const struct capture_file *file, const struct capture_reader *reader,
			 int code)
{
	if (code < 0 && capture_good_bytes(reader) == 0)
		return code;
	if (code == 0 && capture_is_complete(reader))
		return 0;
	log_warn("%s is %s; its first %llu bytes are used", file->path,
		 code < 0 ? "damaged" : "cut off (the recording did not end in order)",
		 (unsigned long long)capture_good_bytes(reader));
	return 1;
}
