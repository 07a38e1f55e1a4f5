/* SPDX-License-Identifier: Apache-2.0 */
/* What compilers make of names; c++filt and rustfilt agree with the tables but for what is left out on purpose. */
#include "../unit.h"

#include <string.h>

#include "base/compiler.h"
#include "symbol/demangle.h"

static const struct {
	const char *linked, *name;
} cases[] = {
	{"main", "main"},
	{"memcpy@@GLIBC_2.14", "memcpy"},
	{"printf@plt", "printf@plt"},
	{"_ZN3foo3bazERKSs@plt", "foo::baz@plt"},
	{"compute.part.0", "compute"},
	{"compute.constprop.0.isra.0", "compute"},
	{"compute.cold", "compute"},
	{"_start", "_start"},
	{".hidden", ".hidden"},
	{"_Z", "_Z"},
	/* C++ */
	{"_ZN3foo3Bar3bazERKSs", "foo::Bar::baz"},
	{"_ZNK3foo3Bar3bazEv", "foo::Bar::baz"},
	{"_Z3addIiET_S0_S0_", "add<int>"},
	{"_ZN12_GLOBAL__N_16hiddenEi", "(anonymous namespace)::hidden"},
	{"_ZN3FooclEi", "Foo::operator()"},
	{"_ZN3FoocvbEv", "Foo::operator bool"},
	{"_ZN3FoolsERKS_", "Foo::operator<<"},
	{"_ZN3FooptEv", "Foo::operator->"},
	{"_ZnwmSt11align_val_t", "operator new"},
	{"_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back"},
	{"_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()"},
	{"_ZNSt8functionIFviEEC1Ev", "std::function<void (int)>::function"},
	{"_ZN6shapes8describeB5cxx11ERKSt6vectorIiSaIiEEi", "shapes::describe"},
	{"_ZTV3Foo", "vtable for Foo"},
	{"_Z1fPFviE", "f"},
	{"_ZN4core3f32E", "core::f32"},
	{"_Z3runv.cold", "run"},
	/* Rust, legacy */
	{"_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"},
	{"_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h930"
	 "b740aa94f1d3aE",
	 "<Test + 'static as foo::Bar<Test>>::bar"},
	{"_ZN3foo17h05af221e174051e9E.llvm.1234", "foo"},
	/* Rust, v0 (RFC 2603 and rustc's own tests) */
	{"_RNvC6_123foo3bar", "123foo::bar"},
	{"_RNvCs1234_7mycrate3foo", "mycrate::foo"},
	{"_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y",
	 "utf8_idents::\u10e1\u10d0\u10ed\u10db\u10d4\u10da\u10d0\u10d3_"
	 "\u10d2\u10d4\u10db\u10e0\u10d8\u10d4\u10da\u10d8_\u10e1\u10d0\u10d3\u10d8\u10da\u10d8"},
	{"_RNCNCNgCs6DXkGYLi8lr_2cc5spawn00B5_", "cc::spawn::{closure#0}::{closure#0}"},
	{"_RNCINkXs25_NgCsbmNqQUJIY6D_4core5sliceINyB9_4IterhENuNgNoBb_"
	 "4iter8iterator8Iterator9rpositionNCNgNpB9_6memchr7memrchrs_0E0Bb_",
	 "<core::slice::Iter<u8> as "
	 "core::iter::iterator::Iterator>::rposition::<core::slice::memchr::memrchr::{closure#1}>::"
	 "{closure#0}"},
	{"_RINbNbCskIICzLVDPPb_5alloc5alloc8box_freeDINbNiB4_5boxed5FnBoxuEp6OutputuEL_"
	 "ECs1iopQbuBiw2_3std",
	 "alloc::alloc::box_free::<dyn alloc::boxed::FnBox<(), Output = ()>>"},
	{"_RINtC8arrayvec8ArrayVechKj7b_E", "arrayvec::ArrayVec::<u8, 123>"},
	{"_RMC0INtC8arrayvec8ArrayVechKj7b_E", "<arrayvec::ArrayVec<u8, 123>>"},
	{"_RINvC3foo3barRShQmE", "foo::bar::<&[u8], &mut u32>"},
	{"_RINvC3foo3barTEThETtmEE", "foo::bar::<(), (u8,), (u16, u32)>"},
	{"_RINvC3foo3barFKCPhEuE", "foo::bar::<extern \"C\" fn(*const u8)>"},
	{"_RINvC3foo3barKb1_Kc61_Kan5_E", "foo::bar::<true, 'a', -5>"},
	/* Cython */
	{"__pyx_pw_4demo_1work", "demo.work"},
	{"__pyx_pf_4demo_work", "demo.work"},
	{"__pyx_f_4demo_5Point_length", "demo.Point.length"},
	{"__pyx_pw_5numpy_6random_6mtrand_11RandomState_3seed",
	 "numpy.random.mtrand.RandomState.seed"},
	{"__pyx_pymod_exec_demo", "__pyx_pymod_exec_demo"},
};

static void demangle_gives_the_name_that_a_programmer_knows(void **state)
{
	char name[DEMANGLE_MAX_BYTES];

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		size_t len = demangle(cases[i].linked, name);

		assert_string_equal(name, cases[i].name);
		assert_int_equal(len, strlen(name));
	}
}

static void demangle_leaves_what_is_malformed(void **state)
{
	static const char *const malformed[] = {
		"_R",
		"_RNvC",
		"_RNvC3fo",
		"_RB_",
		"_RNvB_3foo",
		"_RNvC3foo3barX",
		"_RINvC3foo3barL0_E",
		"_ZN3foo17h0123E",
		"__pyx_pw_",
		"__pyx_pw_9demo_x",
		"_RC99999999999999999999foo",
	};
	char name[DEMANGLE_MAX_BYTES];

	(void)state;
	for (size_t i = 0; i < array_len(malformed); i++) {
		demangle(malformed[i], name);
		assert_string_equal(name, malformed[i]);
	}
}

/* Each reference doubles what comes out: the budget ends it. */
static void demangle_bounds_references_that_multiply(void **state)
{
	static char linked[4096] = "_RINvC1a1b";
	char name[DEMANGLE_MAX_BYTES];
	size_t at = strlen(linked), last = at - 2;

	(void)state;
	at += (size_t)snprintf(linked + at, sizeof(linked) - at, "TmmE");
	for (int i = 0; i < 60; i++) {
		char digits[16];
		size_t here = at - 2, place = last - 1, n = 0;

		do {
			digits[n++] =
				"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					[place % 62];
			place /= 62;
		} while (place);
		linked[at++] = 'T';
		for (int twice = 0; twice < 2; twice++) {
			linked[at++] = 'B';
			for (size_t d = n; d-- > 0;)
				linked[at++] = digits[d];
			linked[at++] = '_';
		}
		linked[at++] = 'E';
		last = here + 1;
	}
	linked[at++] = 'E';
	demangle(linked, name);
	assert_true(strlen(name) < DEMANGLE_MAX_BYTES);
}

static void demangle_cuts_names_without_end(void **state)
{
	static char linked[DEMANGLE_LINKED_MAX + 100];
	char name[DEMANGLE_MAX_BYTES];

	(void)state;
	memset(linked, 'x', sizeof(linked) - 1);
	assert_int_equal(demangle(linked, name), DEMANGLE_MAX_BYTES - 1);
	memcpy(linked, "_R", 2);
	memset(linked + 2, 'N', sizeof(linked) - 3);
	demangle(linked, name);
	memset(linked + 2, 'S', 4000);
	linked[4002] = '\0';
	demangle(linked, name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(demangle_gives_the_name_that_a_programmer_knows),
		cmocka_unit_test(demangle_leaves_what_is_malformed),
		cmocka_unit_test(demangle_bounds_references_that_multiply),
		cmocka_unit_test(demangle_cuts_names_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
