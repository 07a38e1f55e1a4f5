/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/demangle.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "symbol/cxx.h"

/* ---- Rust, legacy: a nested C++ name whose last part is a hash ---- */

#define HASH_CHARS 17 /* "h" and 16 digits */

static bool is_hash(const char *text, size_t len)
{
	if (len != HASH_CHARS || *text != 'h')
		return false;
	for (size_t i = 1; i < len; i++)
		if (!isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

/* The length before a part; 0 when there is none (or it says 0). */
static size_t take_length(const char **at, size_t left)
{
	size_t value = 0;

	for (; left && isdigit((unsigned char)**at) && value < DEMANGLE_LINKED_MAX; (*at)++, left--)
		value = value * 10 + (size_t)(**at - '0');
	return value;
}

/* "$LT$" and its like; returns how many bytes of the text it is, 0 for none. */
static size_t unescape(const char *text, size_t len, char out[4], size_t *ret_n)
{
	static const struct {
		const char *code;
		char c;
	} codes[] = {{"$SP$", '@'}, {"$BP$", '*'}, {"$RF$", '&'}, {"$LT$", '<'},
		     {"$GT$", '>'}, {"$LP$", '('}, {"$RP$", ')'}, {"$C$", ','}};

	for (size_t i = 0; i < array_len(codes); i++) {
		size_t n = strlen(codes[i].code);

		if (n <= len && memcmp(text, codes[i].code, n) == 0) {
			out[0] = codes[i].c;
			*ret_n = 1;
			return n;
		}
	}
	uint32_t code = 0;
	size_t n = 2;

	if (len < 4 || text[1] != 'u')
		return 0;
	for (; n < len && n < 8 && isxdigit((unsigned char)text[n]); n++)
		code = code * 16 + (uint32_t)(isdigit((unsigned char)text[n])
						      ? text[n] - '0'
						      : (text[n] | 32) - 'a' + 10);
	if (n == 2 || n >= len || text[n] != '$')
		return 0;
	*ret_n = utf8_put(out, code);
	return n + 1;
}

struct out {
	char *into;
	size_t n;
};

static void put(struct out *out, const char *text, size_t len)
{
	len = min_of(len, (size_t)DEMANGLE_MAX_BYTES - 1 - out->n);
	memcpy(out->into + out->n, text, len);
	out->n += len;
}

static void put_part(struct out *out, const char *text, size_t len)
{
	if (len > 1 && text[0] == '_' && text[1] == '$') { /* only there to begin with a letter */
		text++;
		len--;
	}
	for (size_t step; len; text += step, len -= step) {
		char bytes[4];
		size_t n = 0;

		step = *text == '$' ? unescape(text, len, bytes, &n) : 0;
		if (step) {
			put(out, bytes, n);
		} else if (len > 1 && text[0] == '.' && text[1] == '.') {
			put(out, "::", 2);
			step = 2;
		} else {
			put(out, text, 1);
			step = 1;
		}
	}
}

bool demangle_rust_legacy(const char *linked, char into[DEMANGLE_MAX_BYTES])
{
	struct out out = {.into = into};
	size_t left = strnlen(linked, DEMANGLE_LINKED_MAX);
	const char *at = linked, *end = linked + left;
	bool has_hash = false;

	if (left < 4 || left >= DEMANGLE_LINKED_MAX || memcmp(linked, "_ZN", 3) != 0)
		return false;
	for (at += 3; at < end && *at != 'E';) {
		size_t len = take_length(&at, (size_t)(end - at));

		if (!len || len > (size_t)(end - at) || has_hash)
			return false;
		has_hash = is_hash(at, len) && at + len < end && at[len] == 'E';
		if (!has_hash) {
			put(&out, "::", out.n ? 2 : 0);
			put_part(&out, at, len);
		}
		at += len;
	}
	into[out.n] = '\0';
	return has_hash && out.n && at < end;
}

/* ---- Cython: a prefix, parts with their lengths, a number, the function's name ---- */

bool demangle_cython(const char *linked, char into[DEMANGLE_MAX_BYTES])
{
	static const char *const prefixes[] = {"__pyx_pw_", "__pyx_pf_", "__pyx_f_", "__pyx_mdef_"};
	struct out out = {.into = into};
	size_t left = strnlen(linked, DEMANGLE_LINKED_MAX), n_prefix = 0;
	const char *at = linked, *end = linked + left;

	for (size_t i = 0; i < array_len(prefixes) && !n_prefix; i++)
		if (strncmp(linked, prefixes[i], strlen(prefixes[i])) == 0)
			n_prefix = strlen(prefixes[i]);
	if (!n_prefix || left >= DEMANGLE_LINKED_MAX)
		return false;
	at += n_prefix;
	for (;;) {
		const char *part = at;
		size_t len = take_length(&part, (size_t)(end - at));

		/* A part is as long as it says and has "_" behind it; else the number is the last name's. */
		if (!len || len + 1 >= (size_t)(end - part) || part[len] != '_')
			break;
		put(&out, part, len);
		put(&out, ".", 1);
		at = part + len + 1;
	}
	while (at < end && isdigit((unsigned char)*at))
		at++;
	if (!out.n || at == end)
		return false;
	put(&out, at, (size_t)(end - at));
	into[out.n] = '\0';
	return true;
}

/* ---- C++: the name without its signature ---- */

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Where the last operator's name begins, behind the keyword ("operator<"); NULL for none. */
static char *operator_of(char *name)
{
	char *found = NULL;

	for (char *at = name; (at = strstr(at, "operator")); at += 8)
		if ((at == name || !is_word(at[-1])) && !is_word(at[8]))
			found = at + 8;
	return found;
}

/* The opening bracket of the parameters, which end the name but for words such as "const"; NULL. */
static char *find_parameters(char *name)
{
	char *close = strrchr(name, ')');
	int depth = 0;

	if (!close)
		return NULL;
	for (char *at = close; at >= name; at--) {
		if (*at == ')')
			depth++;
		else if (*at == '(' && --depth == 0)
			return at == name ? NULL : at;
	}
	return NULL;
}

/* Behind the last blank that stands outside of all brackets: what is before is the return type. */
static char *find_name(char *name, const char *end)
{
	char *from = name;
	int depth = 0;

	for (char *at = name; at < end; at++) {
		if (strchr("<({[", *at))
			depth++;
		else if (strchr(">)}]", *at) && !(*at == '>' && at > name && at[-1] == '-'))
			depth -= depth > 0;
		else if (*at == ' ' && depth == 0)
			from = at + 1;
	}
	return from;
}

/* "[abi:cxx11]": of interest to linkers only. */
static void remove_abi_tags(char *name)
{
	char *tag, *end;

	while ((tag = strstr(name, "[abi:")) && (end = strchr(tag, ']')))
		memmove(tag, end + 1, strlen(end + 1) + 1);
}

void demangle_without_signature(char *name)
{
	char *clone = strstr(name, " [clone");
	char *operator_end, *parameters, *from;

	if (clone)
		*clone = '\0';
	remove_abi_tags(name);
	operator_end = operator_of(name);
	parameters = find_parameters(name);
	/* "operator()(int)": the first pair is the name's own. */
	if (operator_end && parameters == operator_end && !strncmp(operator_end, "()", 2))
		parameters = operator_end[2] ? operator_end + 2 : NULL;
	/* "(anonymous namespace)::f" without parameters, "f(int)::{lambda()#1}" whose name ends in braces. */
	if (parameters && (!strncmp(parameters, "(anonymous", 10) || strchr(parameters, '}')))
		parameters = NULL;
	if (parameters)
		*parameters = '\0';
	if (!parameters || *name == '\0')
		return;
	from = find_name(name, operator_end ? operator_end - 8 : parameters);
	if (from > name && *from)
		memmove(name, from, strlen(from) + 1);
}

static bool demangle_cxx(const char *linked, char into[DEMANGLE_MAX_BYTES])
{
	cleanup_free char *name = cxx_demangle(linked);

	if (!name)
		return false;
	demangle_without_signature(name);
	utf8_clean(into, DEMANGLE_MAX_BYTES, name, strlen(name));
	return *into != '\0';
}

/* ---- what linkers and compilers hang on ---- */

/* Where the name ends: before a version, a clone, a part moved elsewhere. */
static size_t plain_length(const char *linked)
{
	static const char *const tails[] = {".cold",	  ".part.", ".constprop.", ".isra.",
					    ".lto_priv.", ".llvm.", ".localalias"};
	size_t len = strcspn(linked, "@");

	for (size_t i = 0; i < array_len(tails); i++) {
		const char *tail = strstr(linked, tails[i]);

		if (tail && tail > linked)
			len = min_of(len, (size_t)(tail - linked));
	}
	return len ? len : strlen(linked);
}

/* The jump to another library's function is not that function. */
static void keep_plt(const char *linked, char into[DEMANGLE_MAX_BYTES])
{
	size_t len = strnlen(linked, DEMANGLE_LINKED_MAX), n = strlen(into);

	if (len > 4 && memcmp(linked + len - 4, "@plt", 4) == 0 && n + 5 <= DEMANGLE_MAX_BYTES)
		memcpy(into + n, "@plt", 5);
}

size_t demangle(const char *linked, char into[DEMANGLE_MAX_BYTES])
{
	size_t len = plain_length(linked);
	cleanup_free char *plain = xstrndup(linked, min_of(len, (size_t)DEMANGLE_LINKED_MAX));

	if (len >= DEMANGLE_LINKED_MAX ||
	    !(demangle_rust_v0(plain, into) || demangle_rust_legacy(plain, into) ||
	      (strncmp(plain, "_Z", 2) == 0 && demangle_cxx(plain, into)) ||
	      demangle_cython(plain, into)))
		utf8_clean(into, DEMANGLE_MAX_BYTES, plain, strlen(plain));
	keep_plt(linked, into);
	return strlen(into);
}
