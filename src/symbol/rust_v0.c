/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rust's names of the second kind (RFC 2603), as rustc writes them since 1.59 when asked and by default
 * later.  A recursive grammar with references to earlier places, so:
 *   1. every production costs one step of a budget, which bounds the time whatever refers to what;
 *   2. nesting is bounded by a depth;
 *   3. a reference leads backwards only, and what comes out is bounded by its buffer.
 */
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/utf8.h"
#include "symbol/demangle.h"

#define STEPS_MAX 4096
#define DEPTH_MAX 128
#define PUNYCODE_MAX 256 /* characters of one identifier */

struct rust {
	const char *text; /* behind "_R" */
	size_t len, at;
	char *into;
	size_t n, cap;
	unsigned steps, depth;
	uint64_t lifetimes; /* bound by the binders around */
	bool is_bad, is_silent;
};

static void path(struct rust *rust, bool in_value);
static void type(struct rust *rust);

/* ---- the ends: input and output ---- */

static void put(struct rust *rust, const char *text, size_t len)
{
	if (rust->is_silent || rust->is_bad)
		return;
	len = min_of(len, rust->cap - 1 - rust->n);
	memcpy(rust->into + rust->n, text, len);
	rust->n += len;
}

static void puts_(struct rust *rust, const char *text)
{
	put(rust, text, strlen(text));
}

static void put_number(struct rust *rust, uint64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

	put(rust, text, (size_t)n);
}

static char peek(const struct rust *rust)
{
	return rust->at < rust->len ? rust->text[rust->at] : '\0';
}

static bool take(struct rust *rust, char c)
{
	if (rust->is_bad || peek(rust) != c || !c)
		return false;
	rust->at++;
	return true;
}

static char next(struct rust *rust)
{
	char c = peek(rust);

	if (c)
		rust->at++;
	else
		rust->is_bad = true;
	return c;
}

static bool enter(struct rust *rust)
{
	if (rust->is_bad || ++rust->steps > STEPS_MAX || ++rust->depth > DEPTH_MAX)
		rust->is_bad = true;
	return !rust->is_bad;
}

static void leave(struct rust *rust)
{
	rust->depth--;
}

/* ---- numbers ---- */

static int digit62(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'Z' ? c - 'A' + 36 : -1;
}

/* "_" is 0, "0_" is 1, ... */
static uint64_t base62(struct rust *rust)
{
	uint64_t value = 0;

	if (take(rust, '_'))
		return 0;
	while (!rust->is_bad && !take(rust, '_')) {
		int digit = digit62(next(rust));

		if (digit < 0 || __builtin_mul_overflow(value, 62, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			rust->is_bad = true;
	}
	if (value == UINT64_MAX)
		rust->is_bad = true;
	return value + 1;
}

/* An optional number with its tag: 0 when it is not there, else one more than what stands there. */
static uint64_t tagged62(struct rust *rust, char tag)
{
	return take(rust, tag) ? base62(rust) + 1 : 0;
}

static uint64_t decimal(struct rust *rust)
{
	uint64_t value = 0;

	if (peek(rust) < '0' || peek(rust) > '9')
		rust->is_bad = true;
	if (take(rust, '0'))
		return 0;
	while (!rust->is_bad && peek(rust) >= '0' && peek(rust) <= '9') {
		value = value * 10 + (uint64_t)(next(rust) - '0');
		if (value > DEMANGLE_LINKED_MAX)
			rust->is_bad = true;
	}
	return value;
}

/* ---- identifiers ---- */

static uint32_t adapt(uint32_t delta, uint32_t n_points, bool is_first)
{
	uint32_t k = 0;

	delta /= is_first ? 700 : 2;
	for (delta += delta / n_points; delta > 455; k += 36)
		delta /= 35;
	return k + 36 * delta / (delta + 38);
}

/* RFC 3492 with "_" for "-".  Returns how many characters, negative when malformed. */
static int punycode(const char *text, size_t len, uint32_t out[PUNYCODE_MAX])
{
	uint32_t code = 128, i = 0, bias = 72;
	size_t n = 0, at = 0, basic = len;

	while (basic > 0 && text[basic - 1] != '_')
		basic--;
	for (; basic > 0 && n + 1 < basic && n < PUNYCODE_MAX; n++)
		out[n] = (uint8_t)text[n];
	for (at = basic; at < len; n++, i++) {
		uint32_t old = i, weight = 1;

		for (uint32_t k = 36;; k += 36) {
			char c = at < len ? text[at++] : '\0';
			int digit = c >= 'a' && c <= 'z'   ? c - 'a'
				    : c >= '0' && c <= '9' ? c - '0' + 26
							   : -1;
			uint32_t edge = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias, step;

			if (digit < 0 || __builtin_mul_overflow((uint32_t)digit, weight, &step) ||
			    __builtin_add_overflow(i, step, &i))
				return -1;
			if ((uint32_t)digit < edge)
				break;
			if (__builtin_mul_overflow(weight, 36 - edge, &weight))
				return -1;
		}
		uint32_t n_points = (uint32_t)n + 1;

		bias = adapt(i - old, n_points, old == 0);
		code += i / n_points;
		i %= n_points;
		if (n >= PUNYCODE_MAX || code > 0x10ffff)
			return -1;
		memmove(out + i + 1, out + i, (n - i) * sizeof(*out));
		out[i] = code;
	}
	return (int)n;
}

static void put_punycode(struct rust *rust, const char *text, size_t len)
{
	uint32_t codes[PUNYCODE_MAX];
	int n = punycode(text, len, codes);

	if (n < 0)
		rust->is_bad = true;
	for (int i = 0; i < n; i++) {
		char bytes[4];

		put(rust, bytes, utf8_put(bytes, codes[i]));
	}
}

struct identifier {
	const char *text;
	size_t len;
	bool is_punycode;
};

static struct identifier identifier(struct rust *rust)
{
	struct identifier out = {.is_punycode = take(rust, 'u')};

	out.len = decimal(rust);
	(void)take(rust, '_'); /* where the name begins with a digit or "_" */
	if (rust->is_bad || out.len > rust->len - rust->at) {
		rust->is_bad = true;
		return (struct identifier){.text = ""};
	}
	out.text = rust->text + rust->at;
	rust->at += out.len;
	return out;
}

static void put_identifier(struct rust *rust, const struct identifier *id)
{
	if (id->is_punycode)
		put_punycode(rust, id->text, id->len);
	else
		put(rust, id->text, id->len);
}

/* ---- references: "B" and a place before it ---- */

/* Returns where to go back to; SIZE_MAX when nothing is to be read there. */
static size_t go_back(struct rust *rust)
{
	size_t here = rust->at - 1;
	uint64_t place = base62(rust);
	size_t after = rust->at;

	if (rust->is_bad || place >= here) {
		rust->is_bad = true;
		return SIZE_MAX;
	}
	if (rust->is_silent)
		return SIZE_MAX;
	rust->at = (size_t)place;
	return after;
}

/* ---- types ---- */

static const char *basic_type(char c)
{
	static const char *const names[26] = {
		['a' - 'a'] = "i8",   ['b' - 'a'] = "bool",  ['c' - 'a'] = "char",
		['d' - 'a'] = "f64",  ['e' - 'a'] = "str",   ['f' - 'a'] = "f32",
		['h' - 'a'] = "u8",   ['i' - 'a'] = "isize", ['j' - 'a'] = "usize",
		['l' - 'a'] = "i32",  ['m' - 'a'] = "u32",   ['n' - 'a'] = "i128",
		['o' - 'a'] = "u128", ['p' - 'a'] = "_",     ['s' - 'a'] = "i16",
		['t' - 'a'] = "u16",  ['u' - 'a'] = "()",    ['v' - 'a'] = "...",
		['x' - 'a'] = "i64",  ['y' - 'a'] = "u64",   ['z' - 'a'] = "!",
	};

	return c >= 'a' && c <= 'z' ? names[c - 'a'] : NULL;
}

/* De Bruijn: 0 is erased, 1 the innermost bound. */
static void put_lifetime(struct rust *rust, uint64_t index)
{
	puts_(rust, "'");
	if (!index) {
		puts_(rust, "_");
		return;
	}
	if (index > rust->lifetimes) {
		rust->is_bad = true;
		return;
	}
	uint64_t depth = rust->lifetimes - index;
	char letter = (char)('a' + depth % 26);

	if (depth < 26) {
		put(rust, &letter, 1);
	} else {
		puts_(rust, "_");
		put_number(rust, depth);
	}
}

/* "for<'a, 'b> "; returns what was bound before. */
static uint64_t binder(struct rust *rust)
{
	uint64_t before = rust->lifetimes, n = tagged62(rust, 'G');

	if (!n)
		return before;
	puts_(rust, "for<");
	for (uint64_t i = 0; i < n && enter(rust); i++, leave(rust)) {
		puts_(rust, i ? ", " : "");
		rust->lifetimes++;
		put_lifetime(rust, 1);
	}
	puts_(rust, "> ");
	return before;
}

static void constant_number(struct rust *rust, char of)
{
	bool is_negative = take(rust, 'n');
	const char *digits = rust->text + rust->at;
	uint64_t value = 0;
	size_t n = 0;

	for (char c; !rust->is_bad && (c = next(rust)) != '_'; n++) {
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
						   : -1;

		if (digit < 0)
			rust->is_bad = true;
		value = value << 4 | (uint64_t)digit;
	}
	if (of == 'b' && n <= 1 && value <= 1) {
		puts_(rust, value ? "true" : "false");
	} else if (of == 'c' && n <= 6) {
		char bytes[4];

		puts_(rust, "'");
		put(rust, bytes, utf8_put(bytes, (uint32_t)value));
		puts_(rust, "'");
	} else if (n > 16) {
		puts_(rust, is_negative ? "-0x" : "0x");
		put(rust, digits, n);
	} else {
		puts_(rust, is_negative ? "-" : "");
		put_number(rust, value);
	}
}

static void constant(struct rust *rust)
{
	if (!enter(rust))
		return;
	char c = next(rust);

	if (c == 'p') {
		puts_(rust, "_");
	} else if (c == 'B') {
		size_t after = go_back(rust);

		if (after != SIZE_MAX) {
			constant(rust);
			rust->at = after;
		}
	} else if (strchr("abchijlmnostxy", c) && c) {
		constant_number(rust, c);
	} else {
		rust->is_bad = true; /* structured constants: no released compiler makes them */
	}
	leave(rust);
}

static void function_type(struct rust *rust)
{
	uint64_t before = binder(rust);

	if (take(rust, 'U'))
		puts_(rust, "unsafe ");
	if (take(rust, 'K')) {
		puts_(rust, "extern \"");
		if (take(rust, 'C')) {
			puts_(rust, "C");
		} else {
			struct identifier abi = identifier(rust);

			put_identifier(rust, &abi);
		}
		puts_(rust, "\" ");
	}
	puts_(rust, "fn(");
	for (int i = 0; !rust->is_bad && !take(rust, 'E'); i++) {
		puts_(rust, i ? ", " : "");
		type(rust);
	}
	puts_(rust, ")");
	if (!take(rust, 'u')) {
		puts_(rust, " -> ");
		type(rust);
	}
	rust->lifetimes = before;
}

static void generic_arg(struct rust *rust)
{
	if (take(rust, 'L'))
		put_lifetime(rust, base62(rust));
	else if (take(rust, 'K'))
		constant(rust);
	else
		type(rust);
}

/* A trait's path; true when its "<" is left open, so that bindings can join. */
static bool open_path(struct rust *rust)
{
	bool is_open = false;

	if (!enter(rust))
		return false;
	if (take(rust, 'B')) {
		size_t after = go_back(rust);

		if (after != SIZE_MAX) {
			is_open = open_path(rust);
			rust->at = after;
		}
	} else if (take(rust, 'I')) {
		path(rust, false);
		puts_(rust, "<");
		for (int i = 0; !rust->is_bad && !take(rust, 'E'); i++) {
			puts_(rust, i ? ", " : "");
			generic_arg(rust);
		}
		is_open = true;
	} else {
		path(rust, false);
	}
	leave(rust);
	return is_open;
}

static void dynamic_type(struct rust *rust)
{
	uint64_t before;

	puts_(rust, "dyn ");
	before = binder(rust);
	for (int i = 0; !rust->is_bad && !take(rust, 'E'); i++) {
		puts_(rust, i ? " + " : "");
		bool is_open = open_path(rust);

		while (take(rust, 'p')) {
			struct identifier name = identifier(rust);

			puts_(rust, is_open ? ", " : "<");
			is_open = true;
			put_identifier(rust, &name);
			puts_(rust, " = ");
			type(rust);
		}
		puts_(rust, is_open ? ">" : "");
	}
	rust->lifetimes = before;
	if (!take(rust, 'L')) {
		rust->is_bad = true;
		return;
	}
	uint64_t lifetime = base62(rust);

	if (lifetime) {
		puts_(rust, " + ");
		put_lifetime(rust, lifetime);
	}
}

static void tuple_type(struct rust *rust)
{
	int n = 0;

	puts_(rust, "(");
	for (; !rust->is_bad && !take(rust, 'E'); n++) {
		puts_(rust, n ? ", " : "");
		type(rust);
	}
	puts_(rust, n == 1 ? ",)" : ")");
}

static void reference_type(struct rust *rust, bool is_mutable)
{
	puts_(rust, "&");
	if (take(rust, 'L')) {
		uint64_t lifetime = base62(rust);

		if (lifetime) {
			put_lifetime(rust, lifetime);
			puts_(rust, " ");
		}
	}
	puts_(rust, is_mutable ? "mut " : "");
	type(rust);
}

static void sequence_type(struct rust *rust, bool has_length)
{
	puts_(rust, "[");
	type(rust);
	if (has_length) {
		puts_(rust, "; ");
		constant(rust);
	}
	puts_(rust, "]");
}

static void type(struct rust *rust)
{
	const char *basic = basic_type(peek(rust));

	if (!enter(rust))
		return;
	if (basic) {
		next(rust);
		puts_(rust, basic);
	} else if (take(rust, 'R') || take(rust, 'Q')) {
		reference_type(rust, rust->text[rust->at - 1] == 'Q');
	} else if (take(rust, 'P') || take(rust, 'O')) {
		puts_(rust, rust->text[rust->at - 1] == 'P' ? "*const " : "*mut ");
		type(rust);
	} else if (take(rust, 'A') || take(rust, 'S')) {
		sequence_type(rust, rust->text[rust->at - 1] == 'A');
	} else if (take(rust, 'T')) {
		tuple_type(rust);
	} else if (take(rust, 'F')) {
		function_type(rust);
	} else if (take(rust, 'D')) {
		dynamic_type(rust);
	} else if (take(rust, 'B')) {
		size_t after = go_back(rust);

		if (after != SIZE_MAX) {
			type(rust);
			rust->at = after;
		}
	} else {
		path(rust, false);
	}
	leave(rust);
}

/* ---- paths ---- */

/* Where an impl stands is not shown: its type says more. */
static void skip_impl_path(struct rust *rust)
{
	bool was_silent = rust->is_silent;

	(void)tagged62(rust, 's');
	rust->is_silent = true;
	path(rust, false);
	rust->is_silent = was_silent;
}

static void nested_path(struct rust *rust, bool in_value)
{
	char space = next(rust);

	path(rust, in_value);
	uint64_t number = tagged62(rust, 's');
	struct identifier name = identifier(rust);

	if (space >= 'A' && space <= 'Z') { /* what the compiler made */
		puts_(rust, "::{");
		if (space == 'C')
			puts_(rust, "closure");
		else if (space == 'S')
			puts_(rust, "shim");
		else
			put(rust, &space, 1);
		if (name.len) {
			puts_(rust, ":");
			put_identifier(rust, &name);
		}
		puts_(rust, "#");
		put_number(rust, number);
		puts_(rust, "}");
	} else if (space >= 'a' && space <= 'z') {
		puts_(rust, name.len ? "::" : "");
		put_identifier(rust, &name);
	} else {
		rust->is_bad = true;
	}
}

static void generic_path(struct rust *rust, bool in_value)
{
	path(rust, in_value);
	puts_(rust, in_value ? "::<" : "<");
	for (int i = 0; !rust->is_bad && !take(rust, 'E'); i++) {
		puts_(rust, i ? ", " : "");
		generic_arg(rust);
	}
	puts_(rust, ">");
}

static void impl_path(struct rust *rust, char tag)
{
	if (tag != 'Y')
		skip_impl_path(rust);
	puts_(rust, "<");
	type(rust);
	if (tag != 'M') {
		puts_(rust, " as ");
		path(rust, false);
	}
	puts_(rust, ">");
}

static void path(struct rust *rust, bool in_value)
{
	if (!enter(rust))
		return;
	char tag = next(rust);

	if (tag == 'C') {
		(void)tagged62(rust, 's');
		struct identifier name = identifier(rust);

		put_identifier(rust, &name);
	} else if (tag == 'N') {
		nested_path(rust, in_value);
	} else if (tag == 'M' || tag == 'X' || tag == 'Y') {
		impl_path(rust, tag);
	} else if (tag == 'I') {
		generic_path(rust, in_value);
	} else if (tag == 'B') {
		size_t after = go_back(rust);

		if (after != SIZE_MAX) {
			path(rust, in_value);
			rust->at = after;
		}
	} else {
		rust->is_bad = true;
	}
	leave(rust);
}

bool demangle_rust_v0(const char *linked, char into[DEMANGLE_MAX_BYTES])
{
	size_t len = strnlen(linked, DEMANGLE_LINKED_MAX);
	struct rust rust = {.into = into, .cap = DEMANGLE_MAX_BYTES};

	if (len < 3 || len >= DEMANGLE_LINKED_MAX || memcmp(linked, "_R", 2) != 0 ||
	    linked[2] < 'A' || linked[2] > 'Z')
		return false;
	rust.text = linked + 2;
	rust.len = strcspn(rust.text, ".$@");
	path(&rust, true);
	if (!rust.is_bad && peek(&rust) >= 'A' && peek(&rust) <= 'Z') { /* who instantiated it */
		rust.is_silent = true;
		path(&rust, false);
	}
	if (rust.is_bad || rust.at != rust.len || !rust.n)
		return false;
	into[rust.n] = '\0';
	return true;
}
