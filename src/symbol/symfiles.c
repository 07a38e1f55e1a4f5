/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/symfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "codec/crc.h"
#include "elf/elf.h"

#define LINK_MAX_BYTES 4096 /* of the sections that name files */

static int find_below(int root, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	if (root == SYMFILES_OWN_ROOT)
		return open(path, O_PATH | O_CLOEXEC);
	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

int symfiles_open(int root, const char *path)
{
	cleanup_fd int found = find_below(root, path);
	char again[64];
	struct stat st;
	int fd;

	if (found < 0 || fstat(found, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", found);
	fd = open(again, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

void symfiles_done(struct symfiles *files)
{
	cleanup_close_fd(&files->module);
	cleanup_close_fd(&files->debug);
	cleanup_close_fd(&files->alt);
}

/* ---- what a file says about itself ---- */

static void to_hex(const uint8_t *bytes, size_t n, char hex[FILES_BUILD_ID_CHARS])
{
	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	hex[2 * n] = '\0';
}

/* Its headers, with a descriptor of its own; NULL when it is no ELF file. */
static struct elf *look_into(int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct elf *elf;

	return own >= 0 && elf_open(own, &elf, NULL) == 0 ? elf : NULL;
}

void symfiles_build_id(int fd, char ret_hex[FILES_BUILD_ID_CHARS])
{
	struct elf *elf = look_into(fd);
	uint8_t id[ELF_BUILD_ID_MAX];
	int n = elf ? elf_build_id(elf, id) : -ENOENT;

	to_hex(id, n > 0 ? (size_t)n : 0, ret_hex);
	elf_close(elf);
}

static bool has_build_id(int fd, const char *wanted)
{
	char hex[FILES_BUILD_ID_CHARS];

	symfiles_build_id(fd, hex);
	return strcmp(hex, wanted) == 0;
}

static bool has_section(const struct elf *elf, const char *name)
{
	struct elf_range range;

	return elf_section(elf, name, &range) == 0 && range.size > 0;
}

/* ---- folders of debug files ---- */

typedef int symfiles_try_fn(int root, const char *dir, const void *ctx);

/* The first descriptor that `try` gives for one of the folders; -ENOENT. */
static int each_dir(int root, const char *dirs, symfiles_try_fn *try, const void *ctx)
{
	char dir[PATH_MAX];
	int fd = -ENOENT;

	while (*dirs && fd < 0) {
		size_t len = strcspn(dirs, ":");

		if (len && len < sizeof(dir)) {
			memcpy(dir, dirs, len);
			dir[len] = '\0';
			fd = try(root, dir, ctx);
		}
		dirs += len + (dirs[len] == ':');
	}
	return fd;
}

static int try_build_id(int root, const char *dir, const void *ctx)
{
	const char *id = ctx;
	char path[PATH_MAX];
	cleanup_fd int fd = -1;

	if (snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug", dir, id, id + 2) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = symfiles_open(root, path);
	return fd >= 0 && has_build_id(fd, id) ? take_fd(&fd) : -ENOENT;
}

static int find_by_build_id(int root, const char *dirs, const char *id)
{
	return strlen(id) > 2 && strspn(id, "0123456789abcdef") == strlen(id)
		       ? each_dir(root, dirs, try_build_id, id)
		       : -ENOENT;
}

/* ---- .gnu_debuglink: a name and a checksum ---- */

struct debug_link {
	const char *name;
	const char *folder; /* of the module, with its final slash; "" for none */
	uint32_t crc;
	const char *build_id;
};

static bool has_checksum(int fd, uint32_t wanted)
{
	cleanup_free uint8_t *piece = xcalloc(1, 1u << 20);
	struct stat st;
	uint32_t crc = 0;
	off_t at = 0;
	ssize_t n;

	if (fstat(fd, &st) < 0 || st.st_size > FILES_CHECKSUM_MAX_BYTES)
		return false;
	while ((n = pread(fd, piece, 1u << 20, at)) > 0) {
		crc = crc32_of(crc, piece, (size_t)n);
		at += n;
	}
	return n == 0 && crc == wanted;
}

static int try_link(int root, const char *path, const struct debug_link *link)
{
	cleanup_fd int fd = symfiles_open(root, path);
	char hex[FILES_BUILD_ID_CHARS];

	if (fd < 0)
		return fd;
	symfiles_build_id(fd, hex);
	if (*hex && *link->build_id ? strcmp(hex, link->build_id) == 0
				    : has_checksum(fd, link->crc))
		return take_fd(&fd);
	return -ENOENT;
}

static int try_link_in(int root, const char *dir, const void *ctx)
{
	const struct debug_link *link = ctx;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s%s%s", dir, link->folder, link->name) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	return try_link(root, path, link);
}

static int find_by_link(int root, const struct elf *elf, const struct symfiles_wanted *wanted)
{
	cleanup_free uint8_t *bytes = NULL;
	cleanup_free char *folder = NULL;
	char beside[PATH_MAX];
	size_t len, name_len;
	int fd;

	if (elf_section_bytes(elf, ".gnu_debuglink", LINK_MAX_BYTES, &bytes, &len) < 0)
		return -ENOENT;
	name_len = strlen((const char *)bytes);
	size_t crc_at = (name_len + 4) & ~(size_t)3;
	if (!name_len || crc_at + 4 > len || strchr((const char *)bytes, '/'))
		return -ENOENT;
	folder = xstrdup(wanted->path);
	char *slash = strrchr(folder, '/');
	if (slash)
		slash[1] = '\0';
	else
		*folder = '\0';
	struct debug_link link = {
		.name = (const char *)bytes, .folder = folder, .build_id = wanted->build_id};
	memcpy(&link.crc, bytes + crc_at, sizeof(link.crc));
	fd = try_link_in(root, "", &link);
	if (fd < 0 && snprintf(beside, sizeof(beside), "%s.debug/%s", folder, link.name) <
			      (int)sizeof(beside))
		fd = try_link(root, beside, &link);
	return fd >= 0 ? fd : each_dir(root, wanted->debug_dirs, try_link_in, &link);
}

/* ---- .gnu_debugaltlink: a path and a build id ---- */

/* A path that is no absolute one begins in the folder of the file that says it. */
static int open_beside(int root, int fd, const char *name)
{
	char own[64], path[PATH_MAX];
	ssize_t len;

	if (*name == '/')
		return symfiles_open(root, name);
	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	len = readlink(own, path, sizeof(path) - 1);
	if (len <= 0)
		return -ENOENT;
	path[len] = '\0';
	char *slash = strrchr(path, '/');
	size_t left = slash ? sizeof(path) - (size_t)(slash + 1 - path) : 0;
	if (!slash || strlen(name) >= left)
		return -ENAMETOOLONG;
	memcpy(slash + 1, name, strlen(name) + 1);
	return symfiles_open(root, path);
}

static int find_alt(int root, int debug_fd, const char *dirs)
{
	struct elf *elf = look_into(debug_fd);
	cleanup_free uint8_t *bytes = NULL;
	cleanup_fd int fd = -1;
	char id[FILES_BUILD_ID_CHARS];
	size_t len, name_len;
	int r = elf ? elf_section_bytes(elf, ".gnu_debugaltlink", LINK_MAX_BYTES, &bytes, &len)
		    : -ENOENT;

	elf_close(elf);
	if (r < 0)
		return r;
	name_len = strlen((const char *)bytes) + 1;
	if (name_len >= len || len - name_len > ELF_BUILD_ID_MAX)
		return -ENOENT;
	to_hex(bytes + name_len, len - name_len, id);
	fd = find_by_build_id(root, dirs, id);
	if (fd < 0)
		fd = open_beside(root, debug_fd, (const char *)bytes);
	return fd >= 0 && has_build_id(fd, id) ? take_fd(&fd) : -ENOENT;
}

/* ---- all of them ---- */

static int open_module(int root, const struct symfiles_wanted *wanted)
{
	cleanup_fd int fd = wanted->fd >= 0 ? fcntl(wanted->fd, F_DUPFD_CLOEXEC, 0) : -1;

	if (fd >= 0)
		return take_fd(&fd);
	if (wanted->path[0] != '/' || (!*wanted->build_id && !wanted->trusts_path))
		return -ENOENT;
	fd = symfiles_open(root, wanted->path);
	return fd >= 0 && (!*wanted->build_id || has_build_id(fd, wanted->build_id)) ? take_fd(&fd)
										     : -ENOENT;
}

static int find_debug(int root, const struct symfiles_wanted *wanted, int module)
{
	struct elf *elf = module >= 0 ? look_into(module) : NULL;
	bool has_own = elf && (has_section(elf, ".debug_info") || has_section(elf, ".zdebug_info"));
	int fd = has_own ? -ENOENT : find_by_build_id(root, wanted->debug_dirs, wanted->build_id);

	if (fd < 0 && elf && !has_own)
		fd = find_by_link(root, elf, wanted);
	elf_close(elf);
	return fd < 0 ? -1 : fd;
}

/* What is missing yet, below one root. */
static void find_in(int root, const struct symfiles_wanted *wanted, struct symfiles *files)
{
	int fd;

	if (files->module < 0) {
		fd = open_module(root, wanted);
		files->module = fd < 0 ? -1 : fd;
	}
	if (files->debug < 0)
		files->debug = find_debug(root, wanted, files->module);
	if (files->alt < 0 && (files->module >= 0 || files->debug >= 0)) {
		fd = find_alt(root, files->debug >= 0 ? files->debug : files->module,
			      wanted->debug_dirs);
		files->alt = fd < 0 ? -1 : fd;
	}
}

int symfiles_find(const struct symfiles_wanted *wanted, struct symfiles *ret_files)
{
	struct symfiles files = {.module = -1, .debug = -1, .alt = -1};

	for (size_t i = 0; i < wanted->n_roots; i++)
		find_in(wanted->roots[i], wanted, &files);
	/* Without a build id our file of that path is another than theirs. */
	if (*wanted->build_id || !wanted->n_roots)
		find_in(SYMFILES_OWN_ROOT, wanted, &files);
	if (files.module < 0 && files.debug < 0)
		return -ENOENT;
	*ret_files = files;
	return 0;
}
