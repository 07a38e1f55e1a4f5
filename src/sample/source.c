/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "proc/maps.h"

void sources_done(struct sources *sources)
{
	free(sources->is_done);
	*sources = (struct sources){0};
}

static bool is_python_file(const char *path, size_t len)
{
	return len > 3 && memcmp(path + len - 3, ".py", 3) == 0;
}

/* The file of the next node whose file is not done; false when there is none. */
static bool next_file(struct sources *sources, struct str_id *ret_file)
{
	while (sources->next_node < sources->tree->n) {
		struct frame_id id = {sources->tree->frame[sources->next_node++]};
		struct str_id file = names_frame_get(sources->names, id)->file;
		size_t len;
		const char *path = names_text(sources->names, file, &len);

		sources->is_done = vec_grow(sources->is_done, &sources->is_done_cap, file.v + 1, 1);
		if (sources->is_done[file.v])
			continue;
		sources->is_done[file.v] = true;
		if (is_python_file(path, len)) {
			*ret_file = file;
			return true;
		}
	}
	return false;
}

/* The whole text, NUL-terminated; NULL when it cannot be had or is no text. */
static char *read_text(int fd, size_t *ret_len)
{
	char *text = xcalloc(CAPTURE_SOURCE_MAX_BYTES + 1, 1);
	size_t len = 0;
	ssize_t n;

	while (len < CAPTURE_SOURCE_MAX_BYTES) {
		n = read(fd, text + len, CAPTURE_SOURCE_MAX_BYTES - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (n < 0 || memchr(text, '\0', len)) {
		free(text);
		return NULL;
	}
	*ret_len = len;
	return text;
}

static int send_file(struct sources *sources, const char *path)
{
	cleanup_fd int fd = maps_open_path(sources->pid, path, CAPTURE_SOURCE_MAX_BYTES, NULL);
	cleanup_free char *text = NULL;
	struct capture_source source = {.process = sources->process_id, .file = path};

	if (fd < 0)
		return 0;
	text = read_text(fd, &source.len);
	if (!text || sources->sent_bytes + source.len > SOURCE_MAX_TOTAL_BYTES)
		return 0;
	source.text = text;
	sources->sent_bytes += source.len;
	return capture_write_source(sources->writer, &source);
}

int sources_send_next(struct sources *sources)
{
	struct str_id file;
	int r;

	if (!next_file(sources, &file))
		return 0;
	r = send_file(sources, names_text(sources->names, file, NULL));
	return r < 0 ? r : 1;
}
