/* SPDX-License-Identifier: Apache-2.0 */
#include "python/version.h"

#include <ctype.h>

#include "base/cleanup.h"
#include "base/vec.h"

#define CHUNK_BYTES (256u << 10)
#define OVERLAP_BYTES 64u
#define MAX_MINOR 99

struct version version_from_hex(uint64_t hex)
{
	static const char *const levels[16] = {[0xa] = "a", [0xb] = "b", [0xc] = "rc"};
	struct version version = {.minor = (uint16_t)(hex >> 16), .micro = (uint8_t)(hex >> 8)};
	const char *level = levels[hex >> 4 & 15];

	if (level)
		snprintf(version.text, sizeof(version.text), "%u.%u.%u%s%u",
			 (unsigned)(hex >> 24 & 255), (unsigned)(hex >> 16 & 255),
			 (unsigned)(hex >> 8 & 255), level, (unsigned)(hex & 15));
	else
		snprintf(version.text, sizeof(version.text), "%u.%u.%u",
			 (unsigned)(hex >> 24 & 255), (unsigned)(hex >> 16 & 255),
			 (unsigned)(hex >> 8 & 255));
	return version;
}

/* A number of at most two digits; advances *at.  -1 when there is none. */
static int take_number(const char **at, const char *end)
{
	int value = -1;

	for (int digits = 0; *at < end && digits < 2 && isdigit((unsigned char)**at); digits++)
		value = max_of(value, 0) * 10 + *(*at)++ - '0';
	return value;
}

/* "2.7" or "3.N"; advances *at behind it. */
static uint16_t take_minor(const char **at, const char *end)
{
	int major = take_number(at, end);

	if ((major != 2 && major != 3) || *at >= end || **at != '.')
		return 0;
	++*at;
	int minor = take_number(at, end);
	unsigned both = (unsigned)major << 8 | (unsigned)minor;
	return minor < 0 || minor > MAX_MINOR ? 0 : (uint16_t)both;
}

struct version version_from_path(const char *path)
{
	struct version version = {0};
	const char *slash = strrchr(path, '/');
	const char *name = strstr(slash ? slash + 1 : path, "python");

	if (!name)
		return version;
	const char *at = name + strlen("python");
	version.minor = take_minor(&at, at + strlen(at));
	version.micro = VERSION_NO_MICRO;
	if (version.minor)
		snprintf(version.text, sizeof(version.text), "%u.%u", version.minor >> 8,
			 version.minor & 255);
	return version;
}

/* At text[0]: 3.11.2, then an optional a1, b2, rc1, +, then " (". */
static struct version parse(const char *text, const char *end)
{
	struct version version = {0};
	const char *at = text;
	uint16_t minor = take_minor(&at, end);

	if (!minor || at >= end || *at++ != '.')
		return version;
	int micro = take_number(&at, end);
	if (micro < 0)
		return version;
	while (at < end && (isalnum((unsigned char)*at) || *at == '+') && at - text < 16)
		at++;
	if (end - at < 2 || at[0] != ' ' || at[1] != '(')
		return version;
	version.minor = minor;
	version.micro = (uint8_t)micro;
	snprintf(version.text, sizeof(version.text), "%.*s", (int)(at - text), text);
	return version;
}

struct version version_from_bytes(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes, *end = text + len;

	for (const char *at = text; at < end; at++) {
		at = memchr(at, '.', (size_t)(end - at));
		if (!at)
			break;
		bool is_start = at > text && (at - 1 == text || !isalnum((unsigned char)at[-2]));
		if (!is_start || (at[-1] != '3' && at[-1] != '2'))
			continue;
		struct version version = parse(at - 1, end);
		if (version.minor)
			return version;
	}
	return (struct version){0};
}

struct version version_from_memory(struct memory *memory, raddr_t start, raddr_t end)
{
	cleanup_free uint8_t *chunk = xcalloc(CHUNK_BYTES, 1);

	for (raddr_t at = start; at < end; at += CHUNK_BYTES - OVERLAP_BYTES) {
		size_t len = (size_t)min_of(end - at, CHUNK_BYTES);

		if (memory_read(memory, at, chunk, len) < 0)
			continue;
		struct version version = version_from_bytes(chunk, len);
		if (version.minor)
			return version;
		if (len < CHUNK_BYTES)
			break;
	}
	return (struct version){0};
}
