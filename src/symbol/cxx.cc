// SPDX-License-Identifier: Apache-2.0
#include "symbol/cxx.h"

#include <cxxabi.h>

extern "C" char *cxx_demangle(const char *linked)
{
	int status = 0;
	char *name = abi::__cxa_demangle(linked, nullptr, nullptr, &status);

	return status == 0 ? name : nullptr;
}
