/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/vec.h"
#include "profile/names_private.h"

#define OVER_LIMIT_NAME "[names over limit]"
#define ELLIPSIS "\xe2\x80\xa6"
/* What a shortened name keeps of each end; both and the ellipsis fit into NAME_MAX_BYTES. */
#define NAME_END_BYTES ((NAME_MAX_BYTES - sizeof(ELLIPSIS)) / 2)

/* ---- strings ---- */

static struct str_id string_add(struct names *names, const struct text *text)
{
	struct str_id id = {names->n_strings};
	char *copy = arena_strndup(&names->arena, text->data, text->len);

	names->strings = vec_grow_raw(names->strings, &names->strings_cap, id.v + 1u,
				      sizeof(*names->strings));
	names->strings[id.v] = (struct text){copy, text->len, text->hash};
	names->text_bytes += text->len;
	names->n_strings++;
	idtab_add(&names->string_tab, text->hash, id.v);
	return id;
}

/* The marker may be one more than the ceiling allows: that is what it is for. */
static struct str_id string_over_limit(struct names *names)
{
	struct text text = text_over(names, OVER_LIMIT_NAME, strlen(OVER_LIMIT_NAME));
	uint32_t id = idtab_find(&names->string_tab, text.hash, text_equal, names, &text);

	names->over_limit++;
	return id != UINT32_MAX ? (struct str_id){id} : string_add(names, &text);
}

/* One that is valid, short enough and not there yet. */
static struct str_id string_add_new(struct names *names, const struct text *text)
{
	if (names->n_strings >= names->max_strings ||
	    names->text_bytes + text->len > NAMES_MAX_TEXT_BYTES)
		return string_over_limit(names);
	return string_add(names, text);
}

struct str_id names_intern_text(struct names *names, const struct text *text)
{
	uint32_t id = idtab_find(&names->string_tab, text->hash, text_equal, names, text);

	return id != UINT32_MAX ? (struct str_id){id} : string_add_new(names, text);
}

static bool is_inside_character(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Head and tail of a valid text that is too long, cut at characters, into out[NAME_MAX_BYTES]. */
static size_t name_shorten(char *out, const char *text, size_t len)
{
	size_t head = NAME_END_BYTES, tail = len - NAME_END_BYTES, at;

	while (is_inside_character(text[head]))
		head--;
	while (tail < len && is_inside_character(text[tail]))
		tail++;
	memcpy(out, text, head);
	at = head;
	memcpy(out + at, ELLIPSIS, strlen(ELLIPSIS));
	at += strlen(ELLIPSIS);
	memcpy(out + at, text + tail, len - tail);
	return at + len - tail;
}

/* The slow way in, for texts that are not valid or too long: a bad byte grows to three. */
static struct str_id string_repaired(struct names *names, const char *text, size_t len)
{
	char raw[2 * NAME_MAX_BYTES], clean[3 * sizeof(raw) + 1], shortened[NAME_MAX_BYTES];
	const char *repaired = clean;
	struct text out;

	if (len > sizeof(raw)) {
		/* What lies between the ends is cut out anyway. */
		memcpy(raw, text, NAME_MAX_BYTES);
		memcpy(raw + NAME_MAX_BYTES, text + len - NAME_MAX_BYTES, NAME_MAX_BYTES);
		text = raw;
		len = sizeof(raw);
	}
	len = utf8_clean(clean, sizeof(clean), text, len);
	if (len > NAME_MAX_BYTES) {
		len = name_shorten(shortened, clean, len);
		repaired = shortened;
	}
	out = text_over(names, repaired, len);
	return names_intern_text(names, &out);
}

struct str_id names_str(struct names *names, const char *text, size_t len)
{
	struct text key;
	uint32_t id;

	if (!len)
		return (struct str_id){0};
	if (len > NAME_MAX_BYTES)
		return string_repaired(names, text, len);
	/* What is in the table is valid, so a text that was seen before needs no check. */
	key = text_over(names, text, len);
	id = idtab_find(&names->string_tab, key.hash, text_equal, names, &key);
	if (id != UINT32_MAX)
		return (struct str_id){id};
	return utf8_is_valid(text, len) ? string_add_new(names, &key)
					: string_repaired(names, text, len);
}

struct str_id names_cstr(struct names *names, const char *text)
{
	return names_str(names, text, strlen(text));
}

const char *names_text(const struct names *names, struct str_id id, size_t *ret_len)
{
	assert(id.v < names->n_strings);
	if (ret_len)
		*ret_len = names->strings[id.v].len;
	return names->strings[id.v].data;
}

uint32_t names_str_count(const struct names *names)
{
	return names->n_strings;
}

/* ---- frames and functions ---- */

static bool func_equal(const void *things, uint32_t id, const void *key)
{
	const struct names *names = things;

	return is_of_func(&names->frames[names->funcs[id].first_frame], key);
}

/* The function of a frame that is about to get the id `id`. */
static uint32_t func_intern(struct names *names, const struct frame *frame, uint64_t hash,
			    uint32_t id)
{
	uint32_t func = idtab_find(&names->func_tab, hash, func_equal, names, frame);

	if (func != UINT32_MAX)
		return func;
	func = names->n_funcs++;
	names->funcs = vec_grow_raw(names->funcs, &names->funcs_cap, names->n_funcs,
				    sizeof(*names->funcs));
	names->funcs[func] = (struct func){.first_frame = id};
	idtab_add(&names->func_tab, hash, func);
	return func;
}

static struct frame_id frame_add(struct names *names, const struct frame *frame, uint64_t func,
				 uint64_t hash)
{
	struct frame_id id = {names->n_frames++};

	names->frames = vec_grow_raw(names->frames, &names->frames_cap, names->n_frames,
				     sizeof(*names->frames));
	names->func_of = vec_grow_raw(names->func_of, &names->func_of_cap, names->n_frames,
				      sizeof(*names->func_of));
	names->frames[id.v] = *frame;
	names->func_of[id.v] = func_intern(names, frame, func, id.v);
	if (!frame->line && !frame->address)
		names->funcs[names->func_of[id.v]].plain_frame = id.v + 1;
	idtab_add(&names->frame_tab, hash, id.v);
	return id;
}

static struct frame_id frame_intern(struct names *names, const struct frame *frame,
				    bool is_limited);

struct frame_id names_intern_frame(struct names *names, const struct frame *frame, uint64_t func,
				   uint64_t hash, bool is_limited)
{
	uint32_t id = idtab_find(&names->frame_tab, hash, frame_equal, names, frame);

	if (id != UINT32_MAX)
		return (struct frame_id){id};
	if (is_limited && names->n_frames >= names->max_frames) {
		struct frame marker = {.name = string_over_limit(names), .kind = FRAME_MARKER};

		return frame_intern(names, &marker, false);
	}
	return frame_add(names, frame, func, hash);
}

static struct frame_id frame_intern(struct names *names, const struct frame *frame, bool is_limited)
{
	uint64_t func = func_hash(names->seed, frame);

	return names_intern_frame(names, frame, func, frame_hash(names->seed, func, frame),
				  is_limited);
}

struct frame_id names_frame(struct names *names, const struct frame *frame)
{
	struct frame normal = *frame;

	assert(max_of(max_of(frame->name.v, frame->qualname.v), frame->file.v) < names->n_strings);
	assert(max_of(frame->module.v, frame->build_id.v) < names->n_strings);
	if (normal.kind >= FRAME_KIND_COUNT)
		normal.kind = FRAME_OTHER;
	if (normal.kind == FRAME_MARKER)
		normal.line = normal.first_line = 0;
	if (!normal.line)
		normal.column = 0;
	return frame_intern(names, &normal, true);
}

const struct frame *names_frame_get(const struct names *names, struct frame_id id)
{
	assert(id.v < names->n_frames);
	return &names->frames[id.v];
}

uint32_t names_frame_count(const struct names *names)
{
	return names->n_frames;
}

struct func_id names_func_of(const struct names *names, struct frame_id id)
{
	assert(id.v < names->n_frames);
	return (struct func_id){names->func_of[id.v]};
}

uint32_t names_func_count(const struct names *names)
{
	return names->n_funcs;
}

struct frame_id names_func_frame(struct names *names, struct func_id id)
{
	struct frame frame = *names_func_get(names, id);

	if (names->funcs[id.v].plain_frame)
		return (struct frame_id){names->funcs[id.v].plain_frame - 1};
	frame.line = frame.column = 0;
	frame.address = 0;
	return frame_intern(names, &frame, false);
}

struct frame_id names_line_frame(struct names *names, struct frame_id id)
{
	struct frame frame = *names_frame_get(names, id);

	if (!frame.column)
		return id;
	frame.column = 0;
	return frame_intern(names, &frame, false);
}

const struct frame *names_func_get(const struct names *names, struct func_id id)
{
	assert(id.v < names->n_funcs);
	return &names->frames[names->funcs[id.v].first_frame];
}

/* ---- life ---- */

struct names *names_new(void)
{
	struct names *names = xcalloc(1, sizeof(*names));
	struct text empty;
	struct frame none = {0};

	names->seed = hash_seed();
	empty = text_over(names, "", 0);
	names_set_limits(names, NAMES_MAX_STRINGS, NAMES_MAX_FRAMES);
	arena_init(&names->arena);
	(void)string_add(names, &empty);
	(void)frame_intern(names, &none, false);
	return names;
}

void names_free(struct names *names)
{
	if (!names)
		return;
	arena_done(&names->arena);
	idtab_done(&names->string_tab);
	idtab_done(&names->frame_tab);
	idtab_done(&names->func_tab);
	free(names->strings);
	free(names->frames);
	free(names->func_of);
	free(names->funcs);
	free(names);
}

void names_set_limits(struct names *names, uint32_t max_strings, uint32_t max_frames)
{
	names->max_strings = min_of(max_strings, NAMES_MAX_STRINGS);
	names->max_frames = min_of(max_frames, NAMES_MAX_FRAMES);
}

void names_reserve(struct names *names, uint32_t strings, uint32_t frames)
{
	strings = names->n_strings + min_of(strings, names->max_strings - names->n_strings);
	frames = names->n_frames + min_of(frames, names->max_frames - names->n_frames);
	names->strings =
		vec_grow_raw(names->strings, &names->strings_cap, strings, sizeof(*names->strings));
	names->frames =
		vec_grow_raw(names->frames, &names->frames_cap, frames, sizeof(*names->frames));
	names->func_of =
		vec_grow_raw(names->func_of, &names->func_of_cap, frames, sizeof(*names->func_of));
	idtab_reserve(&names->string_tab, strings);
	idtab_reserve(&names->frame_tab, frames);
	idtab_reserve(&names->func_tab, frames / 2);
}

uint64_t names_over_limit(const struct names *names)
{
	return names->over_limit;
}
