/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/vec.h"
#include "cmd/caller.h"

void top_sources_init(struct top_sources *sources, struct names *names, bool reads_disk)
{
	*sources = (struct top_sources){.names = names, .reads_disk = reads_disk};
}

void top_sources_done(struct top_sources *sources)
{
	for (size_t i = 0; i < sources->n; i++)
		free(sources->all[i].text);
	free(sources->all);
	map64_done(&sources->places);
	*sources = (struct top_sources){0};
}

/* The place of a file, made when it is not there. */
static struct top_source *place_of(struct top_sources *sources, const char *file, bool *ret_is_new)
{
	struct str_id id = names_cstr(sources->names, file);
	uint32_t *place = map64_put(&sources->places, id.v, ret_is_new);

	if (*ret_is_new) {
		sources->all = vec_grow(sources->all, &sources->cap, sources->n + 1,
					sizeof(*sources->all));
		*place = (uint32_t)sources->n++;
	}
	return &sources->all[*place];
}

static void keep(struct top_sources *sources, struct top_source *place, char *text, size_t len)
{
	sources->bytes += len;
	place->text = text;
	place->len = len;
}

/* Two processes may have two files of one name; the first is kept. */
static int on_source(void *ctx, const struct capture_source *source)
{
	struct top_sources *sources = ctx;
	bool is_new;
	struct top_source *place = place_of(sources, source->file, &is_new);

	if (!place->text && sources->bytes + source->len <= TOP_SOURCES_MAX_BYTES)
		keep(sources, place, xstrndup(source->text, source->len), source->len);
	return 0;
}

const struct capture_events *top_sources_events(void)
{
	static const struct capture_events events = {.source = on_source};

	return &events;
}

/* ---- from the disk ---- */

static char *read_text(int fd, size_t len, size_t *ret_len)
{
	char *text = xcalloc(len + 1, 1);
	size_t done = 0;
	ssize_t n = 1;

	while (done < len && n > 0) {
		n = read(fd, text + done, len - done);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			done += (size_t)n;
	}
	if (n < 0 || memchr(text, '\0', done)) {
		free(text);
		return NULL;
	}
	*ret_len = done;
	return text;
}

/* A name that a capture gives: only a regular file, that the person who called us may read, too. */
static char *read_file(const char *path, size_t *ret_len)
{
	uid_t own = geteuid();
	cleanup_fd int fd = -1;
	struct stat st;

	if (path[0] != '/' || (own != caller_uid() && seteuid(caller_uid()) < 0))
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (own != geteuid() && seteuid(own) < 0)
		abort(); /* never: it is our saved user */
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > (off_t)CAPTURE_SOURCE_MAX_BYTES)
		return NULL;
	return read_text(fd, (size_t)st.st_size, ret_len);
}

const char *top_sources_text(void *ctx, const char *file, size_t *ret_len, const char **ret_why)
{
	struct top_sources *sources = ctx;
	bool is_new;
	struct top_source *place = place_of(sources, file, &is_new);
	size_t len = 0;

	if (is_new && sources->reads_disk && sources->bytes < TOP_SOURCES_MAX_BYTES) {
		char *text = read_file(file, &len);

		if (text)
			keep(sources, place, text, len);
	}
	if (!place->text)
		*ret_why = sources->reads_disk ? "the capture does not hold it, and it is not here"
					       : "it did not come yet, or cannot be read";
	*ret_len = place->len;
	return place->text;
}
