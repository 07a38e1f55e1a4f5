/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For files of this folder only: what the grammar of Rust's names is made of.  Whatever goes wrong sets `is_bad`, which
 * stays set; then everything gives nothing and takes nothing.
 */
#ifndef SYMBOL_RUST_PRIVATE_H
#define SYMBOL_RUST_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rust {
	const char *text; /* behind "_R" */
	size_t len, at;
	char *into;
	size_t n, cap;
	unsigned steps, depth;
	uint64_t lifetimes; /* bound by the binders around */
	bool is_bad, is_silent;
};

/* Output; past the room there is it is cut. */
void rust_put(struct rust *rust, const char *text, size_t len);
void rust_puts(struct rust *rust, const char *text);
void rust_put_number(struct rust *rust, uint64_t value);

/* Input: the next character, '\0' at the end; whether it is this one, and take it; take any. */
char rust_peek(const struct rust *rust);
bool rust_take(struct rust *rust, char c);
char rust_next(struct rust *rust);

/* One step of the budget, one level deeper; false when either is used up. */
bool rust_enter(struct rust *rust);
void rust_leave(struct rust *rust);

/* "_" is 0, "0_" is 1, ... */
uint64_t rust_base62(struct rust *rust);
/* An optional number with its tag: 0 when it is not there, else one more than what stands there. */
uint64_t rust_tagged62(struct rust *rust, char tag);

struct rust_name {
	const char *text;
	size_t len;
	bool is_punycode;
};

struct rust_name rust_identifier(struct rust *rust);
void rust_put_identifier(struct rust *rust, const struct rust_name *id);

/*
 * Behind a "B": goes to the place before it that is named, and returns where to go back to; SIZE_MAX when nothing is to
 * be read there.
 */
size_t rust_go_back(struct rust *rust);

#endif
