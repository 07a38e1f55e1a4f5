/* SPDX-License-Identifier: Apache-2.0 */
#include "tui/words.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

#define SMALLEST_SHARE 0.05 /* percent: less would print as 0.0 */

void words_share(char out[WORDS_MAX], int64_t value, int64_t whole)
{
	double percent = whole ? 100.0 * (double)value / (double)whole : 0;

	if (value <= 0 || !whole)
		snprintf(out, WORDS_MAX, "-");
	else if (percent < SMALLEST_SHARE)
		snprintf(out, WORDS_MAX, "<0.1%%");
	else if (percent >= 99.95)
		snprintf(out, WORDS_MAX, "%.0f%%", min_of(percent, 99999.0));
	else
		snprintf(out, WORDS_MAX, "%.1f%%", percent);
}

void words_time(char out[WORDS_MAX], int64_t ns)
{
	long long seconds = (long long)(ns / NS_PER_S);

	if (ns <= 0)
		snprintf(out, WORDS_MAX, "-");
	else if (ns < NS_PER_S)
		snprintf(out, WORDS_MAX, "%lldms", (long long)((ns + NS_PER_MS / 2) / NS_PER_MS));
	else if (seconds < 100)
		snprintf(out, WORDS_MAX, "%.2fs", (double)ns / (double)NS_PER_S);
	else if (seconds < 6000)
		snprintf(out, WORDS_MAX, "%lldm%02llds", seconds / 60, seconds % 60);
	else if (seconds < 360000)
		snprintf(out, WORDS_MAX, "%lldh%02lldm", seconds / 3600, seconds / 60 % 60);
	else
		snprintf(out, WORDS_MAX, "%lldd", seconds / 86400);
}

void words_change(char out[WORDS_MAX], double change, double noise)
{
	double size = change < 0 ? -change : change;

	if (size <= noise || size < 0.005)
		snprintf(out, WORDS_MAX, "=");
	else
		snprintf(out, WORDS_MAX, size < 100 ? "%+.2f" : "%+.0f", change);
}

/* Leave a buffer's last bytes out rather than half a character. */
static void copy(char out[WORDS_NAME_MAX], const char *text)
{
	utf8_clean(out, WORDS_NAME_MAX, text, strlen(text));
}

void words_frame(char out[WORDS_NAME_MAX], const struct names *names, const struct frame *frame)
{
	const char *qualname = names_text(names, frame->qualname, NULL);
	const char *name = *qualname ? qualname : names_text(names, frame->name, NULL);
	const char *kind = frame->kind == FRAME_NATIVE	 ? "C "
			   : frame->kind == FRAME_KERNEL ? "k "
							 : "";
	char text[WORDS_NAME_MAX];

	snprintf(text, sizeof(text), "%s%s", kind, *name ? name : "?");
	copy(out, text);
}

static const char *place_of(const struct names *names, const struct frame *frame)
{
	const char *file = names_text(names, frame->file, NULL);

	if (frame->kind == FRAME_KERNEL)
		return "[kernel]";
	return *file ? file : names_text(names, frame->module, NULL);
}

static void with_line(char out[WORDS_NAME_MAX], const char *place, uint32_t line)
{
	char text[WORDS_NAME_MAX], number[WORDS_MAX] = "";
	size_t len = strlen(place), room;

	if (line)
		snprintf(number, sizeof(number), ":%u", line);
	/* The end of a path tells more than its start. */
	room = sizeof(text) - strlen(number) - 1;
	if (len > room)
		place += len - room;
	while (((uint8_t)*place & 0xc0) == 0x80)
		place++;
	snprintf(text, sizeof(text), "%s%s", place, number);
	copy(out, text);
}

/* Where a function begins, for one that stands for all of its lines. */
static uint32_t line_of(const struct frame *frame)
{
	return frame->line ? frame->line : frame->first_line;
}

void words_path(char out[WORDS_NAME_MAX], const struct names *names, const struct frame *frame)
{
	const char *place = place_of(names, frame);

	with_line(out, place, *place ? line_of(frame) : 0);
}

void words_place(char out[WORDS_NAME_MAX], const struct names *names, const struct frame *frame)
{
	const char *place = place_of(names, frame), *slash = strrchr(place, '/');

	if (slash && slash[1])
		place = slash + 1;
	with_line(out, place, *place ? line_of(frame) : 0);
}

void words_both(char out[WORDS_NAME_MAX], const struct names *names, const struct frame *frame)
{
	char name[WORDS_NAME_MAX], place[WORDS_NAME_MAX], text[2 * WORDS_NAME_MAX + 4];

	words_frame(name, names, frame);
	words_place(place, names, frame);
	if (*place)
		snprintf(text, sizeof(text), "%s (%s)", name, place);
	else
		snprintf(text, sizeof(text), "%s", name);
	copy(out, text);
}
