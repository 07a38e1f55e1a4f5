/* SPDX-License-Identifier: Apache-2.0 */
/*
 * numpy's scalars: the object's head, then the number as C has it (numpy/arrayscalars.h, the same from 1.x to 2.x),
 * aligned to its own size.
 */
#include <string.h>

#include "python/value.h"

#define SCALAR_MAX_BYTES 32

enum scalar { SCALAR_BOOL, SCALAR_SIGNED, SCALAR_UNSIGNED, SCALAR_REAL, SCALAR_COMPLEX };

static const struct {
	const char *name;
	uint8_t scalar;
	uint8_t bytes; /* of the number, of one part where it is complex */
} scalars[] = {
	{"bool", SCALAR_BOOL, 1},
	{"bool_", SCALAR_BOOL, 1},
	{"int8", SCALAR_SIGNED, 1},
	{"int16", SCALAR_SIGNED, 2},
	{"int32", SCALAR_SIGNED, 4},
	{"intc", SCALAR_SIGNED, 4},
	{"int64", SCALAR_SIGNED, 8},
	{"longlong", SCALAR_SIGNED, 8},
	{"uint8", SCALAR_UNSIGNED, 1},
	{"uint16", SCALAR_UNSIGNED, 2},
	{"uint32", SCALAR_UNSIGNED, 4},
	{"uintc", SCALAR_UNSIGNED, 4},
	{"uint64", SCALAR_UNSIGNED, 8},
	{"ulonglong", SCALAR_UNSIGNED, 8},
	{"float16", SCALAR_REAL, 2},
	{"float32", SCALAR_REAL, 4},
	{"float64", SCALAR_REAL, 8},
	{"float128", SCALAR_REAL, 16},
	{"longdouble", SCALAR_REAL, 16},
	{"complex64", SCALAR_COMPLEX, 4},
	{"complex128", SCALAR_COMPLEX, 8},
	{"complex256", SCALAR_COMPLEX, 16},
	{"clongdouble", SCALAR_COMPLEX, 16},
};

uint8_t value_numpy_find(const char *type_name)
{
	static const char module[] = "numpy.";

	if (strncmp(type_name, module, sizeof(module) - 1) != 0)
		return 0;
	for (size_t i = 0; i < array_len(scalars); i++)
		if (strcmp(type_name + sizeof(module) - 1, scalars[i].name) == 0)
			return (uint8_t)(i + 1);
	return 0;
}

static long double half_of(uint16_t bits)
{
	int exponent = bits >> 10 & 31;
	long double fraction = bits & 1023;
	long double value;

	if (exponent == 31)
		value = fraction > 0 ? __builtin_nanl("") : __builtin_infl();
	else if (exponent == 0)
		value = __builtin_ldexpl(fraction, -24);
	else
		value = __builtin_ldexpl(1024 + fraction, exponent - 25);
	return bits & 0x8000 ? -value : value;
}

static long double real_of(const uint8_t *bytes, size_t n, enum value_real *ret_kind)
{
	uint16_t half;
	float single;
	double real;
	long double extended = 0;

	switch (n) {
	case 2:
		memcpy(&half, bytes, sizeof(half));
		*ret_kind = REAL_HALF;
		return half_of(half);
	case 4:
		memcpy(&single, bytes, sizeof(single));
		*ret_kind = REAL_SINGLE;
		return single;
	case 8:
		memcpy(&real, bytes, sizeof(real));
		*ret_kind = REAL_DOUBLE;
		return real;
	default:
		memcpy(&extended, bytes, 10); /* the other six bytes are padding */
		*ret_kind = REAL_EXTENDED;
		return extended;
	}
}

/* The 80-bit form has patterns that are no number; arithmetic on them is undefined: the explicit bit tells. */
static bool is_extended(const uint8_t *bytes)
{
	uint16_t exponent;

	memcpy(&exponent, bytes + 8, sizeof(exponent));
	return !(exponent & 0x7fff) == !(bytes[7] & 0x80);
}

static int64_t integer_of(const uint8_t *bytes, size_t n, bool is_signed)
{
	uint64_t value = 0;
	unsigned unused = (unsigned)(64 - 8 * n);

	memcpy(&value, bytes, n);
	if (is_signed)
		return (int64_t)(value << unused) >> unused;
	return (int64_t)value;
}

static void put_scalar(struct value_reader *reader, enum scalar scalar, const uint8_t *bytes,
		       size_t n)
{
	enum value_real kind = REAL_DOUBLE;
	long double first, second;

	switch (scalar) {
	case SCALAR_BOOL:
		value_printf(reader, "%s", bytes[0] ? "True" : "False");
		break;
	case SCALAR_SIGNED:
		value_printf(reader, "%lld", (long long)integer_of(bytes, n, true));
		break;
	case SCALAR_UNSIGNED:
		value_printf(reader, "%llu", (unsigned long long)integer_of(bytes, n, false));
		break;
	case SCALAR_REAL:
		first = real_of(bytes, n, &kind);
		value_real(reader, first, kind, true);
		break;
	case SCALAR_COMPLEX:
		first = real_of(bytes, n, &kind);
		second = real_of(bytes + n, n, &kind);
		value_complex(reader, first, second, kind);
		break;
	}
}

int value_numpy(struct value_reader *reader, uint8_t which, raddr_t object)
{
	enum scalar scalar = (enum scalar)scalars[which - 1].scalar;
	size_t bytes = scalars[which - 1].bytes, n = scalar == SCALAR_COMPLEX ? 2 * bytes : bytes;
	uint8_t number[SCALAR_MAX_BYTES];
	/* Heads are multiples of 16 bytes, so that no number needs padding in front. */
	int r = memory_read(reader->memory, object + reader->layout->object_bytes, number, n);

	if (r < 0)
		return r;
	if (bytes == 16 &&
	    !(is_extended(number) && (scalar != SCALAR_COMPLEX || is_extended(number + 16))))
		return ERR_CORRUPT;
	put_scalar(reader, scalar, number, bytes);
	return 0;
}
