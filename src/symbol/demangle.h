/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names as a programmer knows them, of names as linkers know them.
 *
 *	_ZN3foo3Bar3bazERKSs		foo::Bar::baz			C++, by libstdc++ (symbol/cxx.h)
 *	_RNvCs1234_7mycrate3foo		mycrate::foo			Rust, v0
 *	_ZN4core3fmt5write17h0123456789abcdefE	core::fmt::write	Rust, legacy
 *	__pyx_pw_4demo_3work		demo.work			Cython
 *	memcpy@@GLIBC_2.14, f.part.0	memcpy, f
 *	_ZN3foo3barEv@plt		foo::bar@plt			the jump to another library's
 *
 * Parameters and return types are left out: they make names long, and overloads are told apart by their lines.
 * Hostile names cost bounded time in our own decoders; libstdc++'s may take the process with it, which is
 * why only workers call this (symbol/worker.h).  No state; any thread.
 */
#ifndef SYMBOL_DEMANGLE_H
#define SYMBOL_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

#define DEMANGLE_MAX_BYTES 1024	  /* of what comes out, with its NUL; longer names are cut */
#define DEMANGLE_LINKED_MAX 16384 /* longer names are not looked into */

/* Always gives a name, if need be the linked one.  Returns its length. */
size_t demangle(const char *linked, char into[DEMANGLE_MAX_BYTES]);

/* The parts, false when the name is not of their kind (then `into` holds anything). */
bool demangle_rust_v0(const char *linked, char into[DEMANGLE_MAX_BYTES]);
bool demangle_rust_legacy(const char *linked, char into[DEMANGLE_MAX_BYTES]);
bool demangle_cython(const char *linked, char into[DEMANGLE_MAX_BYTES]);
/* "void f<int>(int) const" to "f<int>", in place. */
void demangle_without_signature(char *name);

#endif
