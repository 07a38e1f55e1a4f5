/* SPDX-License-Identifier: Apache-2.0 */
#include "format/frame_kind.h"

#include <stdbool.h>
#include <string.h>

#include "format/marker.h"

static const struct {
	const char *ending;
	enum frame_kind kind;
} endings[] = {
	{".py", FRAME_PYTHON},	{".pyx", FRAME_PYTHON}, {".pyw", FRAME_PYTHON},
	{".pyi", FRAME_PYTHON}, {".c", FRAME_NATIVE},	{".cc", FRAME_NATIVE},
	{".cpp", FRAME_NATIVE}, {".cxx", FRAME_NATIVE}, {".h", FRAME_NATIVE},
	{".hh", FRAME_NATIVE},	{".hpp", FRAME_NATIVE}, {".rs", FRAME_NATIVE},
	{".s", FRAME_NATIVE},	{".S", FRAME_NATIVE},	{".so", FRAME_NATIVE},
	{".go", FRAME_NATIVE},
};

enum frame_kind frame_kind_of_file(const char *file)
{
	size_t len = strlen(file);
	const char *dot = strrchr(file, '.');

	if (len > 2 && file[0] == '<' && file[len - 1] == '>')
		return FRAME_PYTHON;
	if (strstr(file, ".so."))
		return FRAME_NATIVE;
	for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strcmp(dot, endings[i].ending) == 0)
			return endings[i].kind;
	return FRAME_OTHER;
}

static bool is_marker(const char *name)
{
	size_t len = strlen(name);

	return (len > 2 && name[0] == '[' && name[len - 1] == ']') ||
	       marker_parse(name).kind != MARKER_NONE;
}

struct frame_id frame_of_place(struct names *names, const char *name, const char *place,
			       uint32_t line, uint32_t column)
{
	struct frame frame = {.kind = FRAME_OTHER, .line = line, .column = column};

	if (!*place && is_marker(name))
		return marker_frame(names, name);
	frame.name = names_cstr(names, name);
	if (strcmp(place, FRAME_KERNEL_PLACE) == 0) {
		frame.kind = FRAME_KERNEL;
		return names_frame(names, &frame);
	}
	frame.kind = (uint8_t)frame_kind_of_file(place);
	if (frame.kind == FRAME_NATIVE && !line && strstr(place, ".so"))
		frame.module = names_cstr(names, place);
	else
		frame.file = names_cstr(names, place);
	return names_frame(names, &frame);
}

const char *frame_place(const struct names *names, const struct frame *frame)
{
	const char *file = names_text(names, frame->file, NULL);

	if (frame->kind == FRAME_KERNEL)
		return FRAME_KERNEL_PLACE;
	if (frame->kind == FRAME_MARKER)
		return "";
	return *file ? file : names_text(names, frame->module, NULL);
}
