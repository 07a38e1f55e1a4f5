/* SPDX-License-Identifier: Apache-2.0 */
/* A linker's name of any bytes, by our own decoders (libstdc++'s may crash; only workers call it). */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "symbol/demangle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[DEMANGLE_MAX_BYTES], *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if ((demangle_rust_v0(text, name) || demangle_rust_legacy(text, name) ||
	     demangle_cython(text, name)) &&
	    strlen(name) >= sizeof(name))
		abort();
	demangle_without_signature(text);
	free(text);
	return 0;
}
