/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/config_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "codec/yaml.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)
#define FILE_DEPTH 4
#define OPTION_NAME "config" /* a file names no other */

struct config_reader {
	const struct opt *opts;
	struct arena *arena;
	void *into;
};

/* "listen" of the paths "listen" and "listen[]". */
static const char *key_of(struct config_reader *reader, const struct json_event *event)
{
	return arena_strndup(reader->arena, event->path, strcspn(event->path, "[."));
}

static int set(struct config_reader *reader, const char *key, const struct json_event *event,
	       struct err *err)
{
	const char *text = event->kind == JSON_BOOL
				   ? event->truth ? "true" : "false"
				   : arena_strndup(reader->arena, event->text, event->len);

	if (strlen(text) != (event->kind == JSON_BOOL ? strlen(text) : event->len))
		return err_set(err, ERR_USAGE, "%s: its value holds a NUL", key);
	return opt_set(reader->opts, key, text, reader->into, err);
}

static bool is_known(const struct opt *opts, const char *key)
{
	for (; opts->name; opts++)
		if (strcmp(opts->name, key) == 0)
			return strcmp(key, OPTION_NAME) != 0;
	return false;
}

static bool is_list(const struct opt *opts, const char *key)
{
	while (strcmp(opts->name, key) != 0)
		opts++;
	return opts->kind == OPT_LIST;
}

static int on_event(void *ctx, const struct json_event *event, struct err *err)
{
	struct config_reader *reader = ctx;
	const char *key = key_of(reader, event);
	bool is_item = strcmp(event->path + strlen(key), "[]") == 0;

	if (!*event->path)
		return event->kind == JSON_OBJECT_BEGIN || event->kind == JSON_OBJECT_END ||
				       event->kind == JSON_NULL
			       ? 0
			       : err_set(err, ERR_USAGE, "it has to be lines of NAME: VALUE");
	if (!is_known(reader->opts, key))
		return err_set(err, ERR_USAGE, "'%s' is no option that can be set here", key);
	switch (event->kind) {
	case JSON_ARRAY_BEGIN:
	case JSON_ARRAY_END:
		if (!is_item && is_list(reader->opts, key))
			return 0;
		return err_set(err, ERR_USAGE, "%s takes one value", key);
	case JSON_STRING:
	case JSON_NUMBER:
	case JSON_BOOL:
		return set(reader, key, event, err);
	default:
		return err_set(err, ERR_USAGE, "%s has no value", key);
	}
}

int config_file_read(const char *path, const struct opt *opts, struct arena *arena, void *into,
		     struct err *err)
{
	struct json_limits limits = {.max_bytes = FILE_MAX_BYTES, .max_depth = FILE_DEPTH};
	struct config_reader reader = {opts, arena, into};
	cleanup_file FILE *file = fopen(path, "re");
	cleanup_free char *data = NULL;
	size_t len;
	int r;

	if (!file)
		return err_sys(err, -errno, "cannot read %s", path);
	data = xcalloc(1, FILE_MAX_BYTES + 1);
	len = fread(data, 1, FILE_MAX_BYTES + 1, file);
	if (ferror(file))
		return err_sys(err, -EIO, "cannot read %s", path);
	r = yaml_read(data, len, &limits, on_event, &reader, err);
	return r < 0 ? err_prefix(err, r, "%s", path) : 0;
}
