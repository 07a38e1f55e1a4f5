/* SPDX-License-Identifier: Apache-2.0 */
#include "format/frame_kind.h"

#include <string.h>

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
