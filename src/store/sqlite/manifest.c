/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest of a backup: lines of text, the last of which proves the others.
 *
 *	pyrometer-backup 1
 *	moment NS
 *	file HASH BYTES INODE BYTES NS NAME	(or `damaged`; the second three: of the source)
 *	end HASH
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "profile/hash.h"
#include "store/sqlite/store_backup_private.h"

#define HEAD "pyrometer-backup 1\n"
#define MANIFEST_MAX_BYTES ((size_t)256 << 20)

void manifest_done(struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->n; i++)
		free(manifest->files[i].name);
	free(manifest->files);
	*manifest = (struct manifest){0};
}

struct manifest_file *manifest_add(struct manifest *manifest, const char *name)
{
	struct manifest_file *file;

	manifest->files = vec_grow(manifest->files, &manifest->cap, manifest->n + 1,
				   sizeof(*manifest->files));
	file = &manifest->files[manifest->n++];
	*file = (struct manifest_file){.name = xstrdup(name)};
	return file;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct manifest_file *)a)->name,
		      ((const struct manifest_file *)b)->name);
}

struct manifest_file *manifest_find(const struct manifest *manifest, const char *name)
{
	const struct manifest_file wanted = {.name = (char *)name};

	if (!manifest->n)
		return NULL;
	return bsearch(&wanted, manifest->files, manifest->n, sizeof(wanted), by_name);
}

/* ---- writing ---- */

static void print(const struct manifest *manifest, struct buf *out)
{
	buf_puts(out, HEAD);
	buf_printf(out, "moment %" PRId64 "\n", manifest->moment_ns);
	for (size_t i = 0; i < manifest->n; i++) {
		const struct manifest_file *file = &manifest->files[i];

		buf_printf(out,
			   "%s %016" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %s\n",
			   file->is_damaged ? "damaged" : "file", file->hash, file->bytes,
			   file->source_inode, file->source_bytes, file->source_changed_ns,
			   file->name);
	}
	buf_printf(out, "end %016" PRIx64 "\n", hash_stable(out->data, out->len));
}

int manifest_write(const struct manifest *manifest, const char *dir, struct err *err)
{
	cleanup_free char *path = copy_path(dir, MANIFEST_NAME);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	cleanup(buf_done) struct buf text = {0};

	buf_init(&text, MANIFEST_MAX_BYTES);
	print(manifest, &text);
	if (text.overflow)
		return err_set(err, ERR_LIMIT, "the store has too many files for a backup");
	if (fd < 0)
		return err_sys(err, -errno, "cannot make %s", path);
	for (size_t at = 0; at < text.len;) {
		ssize_t n = write(fd, text.data + at, text.len - at);

		if (n < 0 && errno != EINTR)
			return err_sys(err, -errno, "cannot write %s", path);
		at += (size_t)max_of(n, 0);
	}
	if (fsync(fd) < 0)
		return err_sys(err, -errno, "cannot write %s", path);
	return 0;
}

/* ---- reading ---- */

static bool is_name_inside(const char *name)
{
	return *name && *name != '/' && !strstr(name, "..");
}

/* One line, already cut off; false: it is none of ours. */
static bool read_line(struct manifest *manifest, const char *line)
{
	struct manifest_file file = {0}, *into;
	char kind[8] = "";
	int name_at = 0;

	if (sscanf(line, "moment %" SCNd64, &manifest->moment_ns) == 1)
		return true;
	if (sscanf(line, "%7s %" SCNx64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNd64 " %n", kind,
		   &file.hash, &file.bytes, &file.source_inode, &file.source_bytes,
		   &file.source_changed_ns, &name_at) != 6 ||
	    !name_at || !is_name_inside(line + name_at))
		return false;
	file.is_damaged = strcmp(kind, "damaged") == 0;
	if (!file.is_damaged && strcmp(kind, "file") != 0)
		return false;
	into = manifest_add(manifest, line + name_at);
	file.name = into->name;
	*into = file;
	return true;
}

/* The text before the last line, if that proves it; else NULL. */
static char *proven_end(char *text, size_t len)
{
	char *end = NULL, *at = text;
	uint64_t hash;

	while ((at = strstr(at, "\nend ")))
		end = ++at;
	if (strncmp(text, HEAD, strlen(HEAD)) != 0 || !end ||
	    sscanf(end, "end %" SCNx64, &hash) != 1 || text[len - 1] != '\n' ||
	    hash != hash_stable(text, (size_t)(end - text)))
		return NULL;
	return end;
}

static bool names_differ(const struct manifest *manifest)
{
	for (size_t i = 1; i < manifest->n; i++)
		if (strcmp(manifest->files[i - 1].name, manifest->files[i].name) == 0)
			return false;
	return true;
}

/* `text` has a NUL at its end, and is cut into lines. */
static int read_text(struct manifest *manifest, char *text, size_t len)
{
	char *end = proven_end(text, len);
	bool is_good = end;

	for (char *line = text + strlen(HEAD); is_good && line < end;) {
		char *newline = strchr(line, '\n');

		*newline = 0;
		is_good = read_line(manifest, line);
		line = newline + 1;
	}
	if (manifest->n)
		qsort(manifest->files, manifest->n, sizeof(*manifest->files), by_name);
	return is_good && names_differ(manifest) ? 0 : ERR_CORRUPT;
}

int manifest_read_text(struct manifest *manifest, const void *text, size_t len)
{
	cleanup_free char *copy = calloc(1, len + 1);
	int r;

	if (!copy)
		abort();
	if (len)
		memcpy(copy, text, len);
	*manifest = (struct manifest){0};
	r = read_text(manifest, copy, len);
	if (r < 0)
		manifest_done(manifest);
	return r;
}

static int slurp(const char *path, struct buf *text)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, buf_room(text, 65536), 65536)) > 0 && !text->overflow)
		buf_grew(text, (size_t)n);
	buf_putc(text, 0);
	return fd < 0 || n < 0 ? -errno : text->overflow ? ERR_LIMIT : 0;
}

int manifest_read(struct manifest *manifest, const char *dir, struct err *err)
{
	cleanup_free char *path = copy_path(dir, MANIFEST_NAME);
	cleanup(buf_done) struct buf text = {0};
	int r;

	*manifest = (struct manifest){0};
	buf_init(&text, MANIFEST_MAX_BYTES);
	r = slurp(path, &text);
	if (r == -ENOENT)
		return err_set(err, ERR_CORRUPT, "%s is no whole backup: it has no %s", dir,
			       MANIFEST_NAME);
	if (r < 0)
		return err_sys(err, r, "cannot read %s", path);
	r = manifest_read_text(manifest, text.data, text.len - 1);
	return r == 0 ? 0
		      : err_set(err, r, "%s is no whole backup: its %s is damaged", dir,
				MANIFEST_NAME);
}
