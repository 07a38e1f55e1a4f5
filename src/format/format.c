/* SPDX-License-Identifier: Apache-2.0 */
#include "format/format.h"

#include <string.h>

#include "codec/gzip.h"
#include "format/collapsed.h"
#include "format/html.h"
#include "format/jfr.h"
#include "format/markdown.h"
#include "format/perf_script.h"
#include "format/pprof.h"
#include "format/speedscope.h"
#include "format/stacks_json.h"
#include "format/svg.h"

const struct format_limits format_limits_server = {
	.max_inflated_bytes = 64u << 20,
	.max_samples = 200000,
	.max_depth = 1024,
	.max_columns = 16,
};

const struct format_limits format_limits_local = {
	.max_inflated_bytes = (size_t)2 << 30,
	.max_samples = 100u << 20,
	.max_depth = 4224, /* what was recorded; markers and all below TREE_MAX_DEPTH */
	.max_columns = PROFILE_MAX_COLUMNS,
	.keep_columns = true,
};

static const char *const svg_endings[] = {".svg", NULL};
static const char *const html_endings[] = {".html", ".htm", NULL};
static const char *const raw_endings[] = {".txt", ".raw", ".collapsed", ".folded", NULL};
static const char *const speedscope_endings[] = {".speedscope.json", ".json", NULL};
static const char *const chrometrace_endings[] = {".chrometrace.json", ".trace.json", NULL};
static const char *const json_endings[] = {".stacks.json", NULL};
static const char *const markdown_endings[] = {".md", ".markdown", NULL};
static const char *const perf_endings[] = {".perf", ".perf.txt", NULL};
static const char *const jfr_endings[] = {".jfr", NULL};
static const char *const pprof_endings[] = {".pprof", ".pb.gz", ".pb", ".prof", NULL};

const struct format formats[] = {
	{
		.name = "flamegraph",
		.alias = "svg",
		.endings = svg_endings,
		.about = "flame graph as one SVG picture, with zoom and search where scripts run",
		.write = svg_write,
	},
	{
		.name = "html",
		.endings = html_endings,
		.about = "interactive report in one HTML file: flame graph, table and search",
		.write = html_write,
	},
	{
		.name = "raw",
		.alias = "collapsed",
		.endings = raw_endings,
		.about = "collapsed stacks, one line per stack, as flamegraph.pl reads them",
		.write = collapsed_write,
		.read = collapsed_read,
	},
	{
		.name = "speedscope",
		.endings = speedscope_endings,
		.about = "JSON for speedscope.app, every sample in order",
		.has_columns = true,
		.write = speedscope_write,
		.read = speedscope_read,
	},
	{
		.name = "chrometrace",
		.endings = chrometrace_endings,
		.about = "JSON for ui.perfetto.dev and chrome://tracing: each thread over time",
		.is_streamed = true,
		.has_columns = true,
	},
	{
		.name = "pprof",
		.endings = pprof_endings,
		.about = "profile.proto, gzipped, for go tool pprof and Pyroscope",
		.has_columns = true,
		.write = pprof_write,
		.read = pprof_read,
	},
	{
		.name = "json",
		.endings = json_endings,
		.about = "stacks and values as plain JSON, for scripts",
		.write = stacks_json_write,
	},
	{
		.name = "markdown",
		.endings = markdown_endings,
		.about = "summary to paste: the functions and stacks with the most time",
		.write = markdown_write,
	},
	{
		.name = "perf",
		.endings = perf_endings,
		.about = "text of `perf script`",
		.read = perf_script_read,
	},
	{
		.name = "jfr",
		.endings = jfr_endings,
		.about = "recording of Java's Flight Recorder or of async-profiler",
		.read = jfr_read,
	},
	{0},
};

const struct format *format_by_name(const char *name)
{
	for (const struct format *format = formats; format->name; format++)
		if (strcasecmp(format->name, name) == 0 ||
		    (format->alias && strcasecmp(format->alias, name) == 0))
			return format;
	return NULL;
}

const struct format *format_by_file_name(const char *path)
{
	const struct format *best = NULL;
	size_t best_len = 0, len = strlen(path);

	for (const struct format *format = formats; format->name; format++)
		for (const char *const *ending = format->endings; *ending; ending++) {
			size_t n = strlen(*ending);

			if (n < len && n > best_len && strcmp(path + len - n, *ending) == 0) {
				best = format;
				best_len = n;
			}
		}
	return best;
}

/* ---- sniffing ---- */

/* Enough to see what it is: of gzip only so much is unpacked. */
#define SNIFF_BYTES 4096

static const char *skip_blank(const char *text, const char *end)
{
	while (text < end && strchr(" \t\r\n", *text) && *text)
		text++;
	return text;
}

/* The first line that is neither empty nor a comment: where it ends is returned. */
static const char *first_line(const char **text, const char *end)
{
	const char *line_end;

	*text = skip_blank(*text, end);
	while (*text < end && **text == '#') {
		*text = memchr(*text, '\n', (size_t)(end - *text));
		*text = *text ? skip_blank(*text, end) : end;
	}
	line_end = memchr(*text, '\n', (size_t)(end - *text));
	return line_end ? line_end : end;
}

static bool looks_perf_script(const char *text, const char *end)
{
	const char *line_end = first_line(&text, end);

	return perf_script_is_header(text, (size_t)(line_end - text));
}

/* Its first line ends in a blank and digits. */
static bool looks_collapsed(const char *text, const char *end)
{
	const char *line_end = first_line(&text, end), *at;

	while (line_end > text && strchr(" \t\r", line_end[-1]) && line_end[-1])
		line_end--;
	for (at = line_end; at > text && at[-1] >= '0' && at[-1] <= '9';)
		at--;
	return at < line_end && at > text && (at[-1] == ' ' || at[-1] == '\t');
}

/* An object that begins with a member: "{main}" is where PHP's stacks begin. */
static bool looks_json(const char *text, const char *end)
{
	if (text == end || *text != '{')
		return false;
	text = skip_blank(text + 1, end);
	return text < end && (*text == '"' || *text == '}');
}

/* A pprof begins with a sample type: field 1, a message. */
static bool looks_pprof(const char *text, const char *end)
{
	return end - text > 2 && text[0] == 0x0a && (unsigned char)text[1] < 0x20;
}

const struct format *format_sniff(const void *data, size_t len)
{
	const char *text = data, *end = text + min_of(len, (size_t)SNIFF_BYTES);

	if (gzip_is_gzip(data, len) || looks_pprof(text, end))
		return format_by_name("pprof");
	if (jfr_is_jfr(data, len))
		return format_by_name("jfr");
	text = skip_blank(text, end);
	if (looks_json(text, end))
		return format_by_name("speedscope");
	if (looks_perf_script(text, end))
		return format_by_name("perf");
	return looks_collapsed(text, end) ? format_by_name("raw") : NULL;
}
