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
#include "symbol/rust_private.h"

static void path(struct rust *rust, bool in_value);
static void type(struct rust *rust);

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
	rust_puts(rust, "'");
	if (!index) {
		rust_puts(rust, "_");
		return;
	}
	if (index > rust->lifetimes) {
		rust->is_bad = true;
		return;
	}
	uint64_t depth = rust->lifetimes - index;
	char letter = (char)('a' + depth % 26);

	if (depth < 26) {
		rust_put(rust, &letter, 1);
	} else {
		rust_puts(rust, "_");
		rust_put_number(rust, depth);
	}
}

/* "for<'a, 'b> "; returns what was bound before. */
static uint64_t binder(struct rust *rust)
{
	uint64_t before = rust->lifetimes, n = rust_tagged62(rust, 'G');

	if (!n)
		return before;
	rust_puts(rust, "for<");
	for (uint64_t i = 0; i < n && rust_enter(rust); i++, rust_leave(rust)) {
		rust_puts(rust, i ? ", " : "");
		rust->lifetimes++;
		put_lifetime(rust, 1);
	}
	rust_puts(rust, "> ");
	return before;
}

static void constant_number(struct rust *rust, char of)
{
	bool is_negative = rust_take(rust, 'n');
	const char *digits = rust->text + rust->at;
	uint64_t value = 0;
	size_t n = 0;

	for (char c; !rust->is_bad && (c = rust_next(rust)) != '_'; n++) {
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
						   : -1;

		if (digit < 0)
			rust->is_bad = true;
		value = value << 4 | (uint64_t)digit;
	}
	if (of == 'b' && n <= 1 && value <= 1) {
		rust_puts(rust, value ? "true" : "false");
	} else if (of == 'c' && n <= 6) {
		char bytes[4];

		rust_puts(rust, "'");
		rust_put(rust, bytes, utf8_put(bytes, (uint32_t)value));
		rust_puts(rust, "'");
	} else if (n > 16) {
		rust_puts(rust, is_negative ? "-0x" : "0x");
		rust_put(rust, digits, n);
	} else {
		rust_puts(rust, is_negative ? "-" : "");
		rust_put_number(rust, value);
	}
}

static void constant(struct rust *rust)
{
	if (!rust_enter(rust))
		return;
	char c = rust_next(rust);

	if (c == 'p') {
		rust_puts(rust, "_");
	} else if (c == 'B') {
		size_t after = rust_go_back(rust);

		if (after != SIZE_MAX) {
			constant(rust);
			rust->at = after;
		}
	} else if (strchr("abchijlmnostxy", c) && c) {
		constant_number(rust, c);
	} else {
		rust->is_bad = true; /* structured constants: no released compiler makes them */
	}
	rust_leave(rust);
}

static void function_type(struct rust *rust)
{
	uint64_t before = binder(rust);

	if (rust_take(rust, 'U'))
		rust_puts(rust, "unsafe ");
	if (rust_take(rust, 'K')) {
		rust_puts(rust, "extern \"");
		if (rust_take(rust, 'C')) {
			rust_puts(rust, "C");
		} else {
			struct rust_name abi = rust_identifier(rust);

			rust_put_identifier(rust, &abi);
		}
		rust_puts(rust, "\" ");
	}
	rust_puts(rust, "fn(");
	for (int i = 0; !rust->is_bad && !rust_take(rust, 'E'); i++) {
		rust_puts(rust, i ? ", " : "");
		type(rust);
	}
	rust_puts(rust, ")");
	if (!rust_take(rust, 'u')) {
		rust_puts(rust, " -> ");
		type(rust);
	}
	rust->lifetimes = before;
}

static void generic_arg(struct rust *rust)
{
	if (rust_take(rust, 'L'))
		put_lifetime(rust, rust_base62(rust));
	else if (rust_take(rust, 'K'))
		constant(rust);
	else
		type(rust);
}

/* A trait's path; true when its "<" is left open, so that bindings can join. */
static bool open_path(struct rust *rust)
{
	bool is_open = false;

	if (!rust_enter(rust))
		return false;
	if (rust_take(rust, 'B')) {
		size_t after = rust_go_back(rust);

		if (after != SIZE_MAX) {
			is_open = open_path(rust);
			rust->at = after;
		}
	} else if (rust_take(rust, 'I')) {
		path(rust, false);
		rust_puts(rust, "<");
		for (int i = 0; !rust->is_bad && !rust_take(rust, 'E'); i++) {
			rust_puts(rust, i ? ", " : "");
			generic_arg(rust);
		}
		is_open = true;
	} else {
		path(rust, false);
	}
	rust_leave(rust);
	return is_open;
}

static void dynamic_type(struct rust *rust)
{
	uint64_t before;

	rust_puts(rust, "dyn ");
	before = binder(rust);
	for (int i = 0; !rust->is_bad && !rust_take(rust, 'E'); i++) {
		rust_puts(rust, i ? " + " : "");
		bool is_open = open_path(rust);

		while (rust_take(rust, 'p')) {
			struct rust_name name = rust_identifier(rust);

			rust_puts(rust, is_open ? ", " : "<");
			is_open = true;
			rust_put_identifier(rust, &name);
			rust_puts(rust, " = ");
			type(rust);
		}
		rust_puts(rust, is_open ? ">" : "");
	}
	rust->lifetimes = before;
	if (!rust_take(rust, 'L')) {
		rust->is_bad = true;
		return;
	}
	uint64_t lifetime = rust_base62(rust);

	if (lifetime) {
		rust_puts(rust, " + ");
		put_lifetime(rust, lifetime);
	}
}

static void tuple_type(struct rust *rust)
{
	int n = 0;

	rust_puts(rust, "(");
	for (; !rust->is_bad && !rust_take(rust, 'E'); n++) {
		rust_puts(rust, n ? ", " : "");
		type(rust);
	}
	rust_puts(rust, n == 1 ? ",)" : ")");
}

static void reference_type(struct rust *rust, bool is_mutable)
{
	rust_puts(rust, "&");
	if (rust_take(rust, 'L')) {
		uint64_t lifetime = rust_base62(rust);

		if (lifetime) {
			put_lifetime(rust, lifetime);
			rust_puts(rust, " ");
		}
	}
	rust_puts(rust, is_mutable ? "mut " : "");
	type(rust);
}

static void sequence_type(struct rust *rust, bool has_length)
{
	rust_puts(rust, "[");
	type(rust);
	if (has_length) {
		rust_puts(rust, "; ");
		constant(rust);
	}
	rust_puts(rust, "]");
}

static void type(struct rust *rust)
{
	const char *basic = basic_type(rust_peek(rust));

	if (!rust_enter(rust))
		return;
	if (basic) {
		rust_next(rust);
		rust_puts(rust, basic);
	} else if (rust_take(rust, 'R') || rust_take(rust, 'Q')) {
		reference_type(rust, rust->text[rust->at - 1] == 'Q');
	} else if (rust_take(rust, 'P') || rust_take(rust, 'O')) {
		rust_puts(rust, rust->text[rust->at - 1] == 'P' ? "*const " : "*mut ");
		type(rust);
	} else if (rust_take(rust, 'A') || rust_take(rust, 'S')) {
		sequence_type(rust, rust->text[rust->at - 1] == 'A');
	} else if (rust_take(rust, 'T')) {
		tuple_type(rust);
	} else if (rust_take(rust, 'F')) {
		function_type(rust);
	} else if (rust_take(rust, 'D')) {
		dynamic_type(rust);
	} else if (rust_take(rust, 'B')) {
		size_t after = rust_go_back(rust);

		if (after != SIZE_MAX) {
			type(rust);
			rust->at = after;
		}
	} else {
		path(rust, false);
	}
	rust_leave(rust);
}

/* ---- paths ---- */

/* Where an impl stands is not shown: its type says more. */
static void skip_impl_path(struct rust *rust)
{
	bool was_silent = rust->is_silent;

	(void)rust_tagged62(rust, 's');
	rust->is_silent = true;
	path(rust, false);
	rust->is_silent = was_silent;
}

static void nested_path(struct rust *rust, bool in_value)
{
	char space = rust_next(rust);

	path(rust, in_value);
	uint64_t number = rust_tagged62(rust, 's');
	struct rust_name name = rust_identifier(rust);

	if (space >= 'A' && space <= 'Z') { /* what the compiler made */
		rust_puts(rust, "::{");
		if (space == 'C')
			rust_puts(rust, "closure");
		else if (space == 'S')
			rust_puts(rust, "shim");
		else
			rust_put(rust, &space, 1);
		if (name.len) {
			rust_puts(rust, ":");
			rust_put_identifier(rust, &name);
		}
		rust_puts(rust, "#");
		rust_put_number(rust, number);
		rust_puts(rust, "}");
	} else if (space >= 'a' && space <= 'z') {
		rust_puts(rust, name.len ? "::" : "");
		rust_put_identifier(rust, &name);
	} else {
		rust->is_bad = true;
	}
}

static void generic_path(struct rust *rust, bool in_value)
{
	path(rust, in_value);
	rust_puts(rust, in_value ? "::<" : "<");
	for (int i = 0; !rust->is_bad && !rust_take(rust, 'E'); i++) {
		rust_puts(rust, i ? ", " : "");
		generic_arg(rust);
	}
	rust_puts(rust, ">");
}

static void impl_path(struct rust *rust, char tag)
{
	if (tag != 'Y')
		skip_impl_path(rust);
	rust_puts(rust, "<");
	type(rust);
	if (tag != 'M') {
		rust_puts(rust, " as ");
		path(rust, false);
	}
	rust_puts(rust, ">");
}

static void path(struct rust *rust, bool in_value)
{
	if (!rust_enter(rust))
		return;
	char tag = rust_next(rust);

	if (tag == 'C') {
		(void)rust_tagged62(rust, 's');
		struct rust_name name = rust_identifier(rust);

		rust_put_identifier(rust, &name);
	} else if (tag == 'N') {
		nested_path(rust, in_value);
	} else if (tag == 'M' || tag == 'X' || tag == 'Y') {
		impl_path(rust, tag);
	} else if (tag == 'I') {
		generic_path(rust, in_value);
	} else if (tag == 'B') {
		size_t after = rust_go_back(rust);

		if (after != SIZE_MAX) {
			path(rust, in_value);
			rust->at = after;
		}
	} else {
		rust->is_bad = true;
	}
	rust_leave(rust);
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
	if (!rust.is_bad && rust_peek(&rust) >= 'A' &&
	    rust_peek(&rust) <= 'Z') { /* who instantiated it */
		rust.is_silent = true;
		path(&rust, false);
	}
	if (rust.is_bad || rust.at != rust.len || !rust.n)
		return false;
	into[rust.n] = '\0';
	return true;
}
