/* SPDX-License-Identifier: Apache-2.0 */
#include "format/marker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct frame_id marker_frame(struct names *names, const char *name)
{
	struct frame frame = {.name = names_cstr(names, name), .kind = FRAME_MARKER};

	return names_frame(names, &frame);
}

static struct frame_id marker_make(struct names *names, const char *word, int64_t id,
				   const char *text)
{
	char name[NAME_MAX_BYTES];
	bool has_text = text && *text;

	if (id && has_text)
		snprintf(name, sizeof(name), "%s %" PRId64 ": %s", word, id, text);
	else if (id)
		snprintf(name, sizeof(name), "%s %" PRId64, word, id);
	else if (has_text)
		snprintf(name, sizeof(name), "%s: %s", word, text);
	else
		return (struct frame_id){0};
	return marker_frame(names, name);
}

struct frame_id marker_process(struct names *names, int64_t pid, const char *command)
{
	return marker_make(names, "process", pid, command);
}

struct frame_id marker_thread(struct names *names, int64_t tid, const char *name)
{
	return marker_make(names, "thread", tid, name);
}

/* Behind the word: " ID", " ID: text" or ": text", nothing else. */
static bool parse_rest(const char *rest, struct marker *marker)
{
	if (rest[0] == ' ') {
		int64_t id = 0;

		rest++;
		if (*rest < '1' || *rest > '9')
			return false;
		for (; *rest >= '0' && *rest <= '9'; rest++)
			if (__builtin_mul_overflow(id, 10, &id) ||
			    __builtin_add_overflow(id, *rest - '0', &id))
				return false;
		marker->id = id;
		if (!*rest)
			return true;
	}
	if (rest[0] != ':' || rest[1] != ' ' || !rest[2])
		return false;
	marker->text = rest + 2;
	return true;
}

struct marker marker_parse(const char *name)
{
	static const struct {
		const char *word;
		enum marker_kind kind;
	} words[] = {{"process", MARKER_PROCESS}, {"thread", MARKER_THREAD}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct marker marker = {.kind = words[i].kind, .text = ""};
		size_t len = strlen(words[i].word);

		if (strncmp(name, words[i].word, len) == 0 && parse_rest(name + len, &marker))
			return marker;
	}
	return (struct marker){.text = ""};
}

struct marker marker_of(const struct names *names, struct frame_id id)
{
	const struct frame *frame = names_frame_get(names, id);

	if (frame->kind != FRAME_MARKER)
		return (struct marker){.text = ""};
	return marker_parse(names_text(names, frame->name, NULL));
}
