/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes and libraries that the JVM and its libraries make up at run time carry a number, an address or a
 * random word.  Each process has other ones, so that profiles of two processes, or of one before and after its
 * restart, would not compare, and the dictionary would grow for ever.  The changing part becomes '_', in the
 * words that Pyroscope uses.
 */
#include <string.h>

#include "format/jfr_private.h"

static bool is_all_of(const char *text, const char *set)
{
	return text[strspn(text, set)] == '\0';
}

static void keep(struct buf *name, size_t len)
{
	buf_cut(name, len);
	buf_putc(name, '_');
}

static void replace(struct buf *name, const char *with)
{
	buf_reset(name);
	buf_puts(name, with);
}

/* jdk/internal/reflect/GeneratedMethodAccessor31 */
static bool merge_accessor(struct buf *name)
{
	static const char *const prefixes[] = {"jdk/internal/reflect/GeneratedMethodAccessor",
					       "jdk/internal/reflect/GeneratedConstructorAccessor"};

	for (size_t i = 0; i < array_len(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (strncmp(name->data, prefixes[i], n) == 0 && name->data[n] &&
		    is_all_of(name->data + n, "0123456789")) {
			keep(name, n);
			return true;
		}
	}
	return false;
}

/* org/example/OrderService$$Lambda$669.0x0000000800fd7318, Fib$$Lambda/0x00007ffa600c4da0, … */
static bool merge_lambda(struct buf *name)
{
	static const char lambda[] = "$$Lambda";
	const char *at = strstr(name->data, lambda);

	if (!at || at == name->data)
		return false;
	at += sizeof(lambda) - 1;
	if (!*at || !is_all_of(at, "$./+x0123456789abcdef"))
		return false;
	keep(name, (size_t)(at - name->data));
	return true;
}

/* OrderService$$EnhancerBySpringCGLIB$$1a2b3c4d */
static bool merge_enhancer(struct buf *name)
{
	static const char enhancer[] = "$$EnhancerBySpringCGLIB$$";
	const char *at = strstr(name->data, enhancer);

	if (!at || at == name->data)
		return false;
	keep(name, (size_t)(at - name->data) + sizeof(enhancer) - 1);
	return true;
}

/* Libraries that are unpacked into a temporary file: "./tmp/libzstd-jni-1.5.1-16931311898282279136.so (deleted)". */
static bool merge_library(struct buf *name)
{
	static const struct {
		const char *part;
		const char *becomes;
	} libraries[] = {
		{"libzstd-jni-", "libzstd-jni-_.so"},
		{"amazonCorrettoCryptoProvider", "libamazonCorrettoCryptoProvider_.so"},
		{"libasyncProfiler-", "libasyncProfiler-_.so"},
	};
	const char *so = strstr(name->data, ".so");

	if (!so || (so[3] && strcmp(so + 3, " (deleted)") != 0))
		return false;
	for (size_t i = 0; i < array_len(libraries); i++)
		if (strstr(name->data, libraries[i].part)) {
			replace(name, libraries[i].becomes);
			return true;
		}
	return false;
}

void jfr_merge_generated(struct buf *name)
{
	if (!name->len)
		return;
	(void)(merge_accessor(name) || merge_lambda(name) || merge_enhancer(name) ||
	       merge_library(name));
}
