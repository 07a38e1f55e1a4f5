// SPDX-License-Identifier: Apache-2.0
#include "regex/regex.h"

#include <cstdio>
#include <cstring>
#include <new>
#include <re2/re2.h>

struct regex {
	RE2 re;
	regex(const char *pattern, const RE2::Options &options) : re(pattern, options) {}
};

extern "C" struct regex *regex_new(const char *pattern, int flags, char *error, size_t cap)
{
	RE2::Options options;
	struct regex *out;

	if (strlen(pattern) > REGEX_MAX_BYTES) {
		snprintf(error, cap, "pattern is longer than %d bytes", REGEX_MAX_BYTES);
		return nullptr;
	}
	options.set_log_errors(false);
	options.set_max_mem(REGEX_MAX_MEMORY_BYTES);
	options.set_case_sensitive(!(flags & REGEX_IGNORE_CASE));
	options.set_dot_nl(true);
	out = new (std::nothrow) regex(pattern, options);
	if (out && !out->re.ok()) {
		snprintf(error, cap, "%s", out->re.error().c_str());
		delete out;
		return nullptr;
	}
	return out;
}

extern "C" void regex_free(struct regex *regex)
{
	delete regex;
}

extern "C" bool regex_match_full(const struct regex *regex, const char *text, size_t len)
{
	return RE2::FullMatch(re2::StringPiece(text, len), regex->re);
}

extern "C" bool regex_match_part(const struct regex *regex, const char *text, size_t len)
{
	return RE2::PartialMatch(re2::StringPiece(text, len), regex->re);
}
