/* SPDX-License-Identifier: Apache-2.0 */
/* C++ names by libstdc++: the one shim around it. */
#ifndef SYMBOL_CXX_H
#define SYMBOL_CXX_H

#ifdef __cplusplus
extern "C" {
#endif

/* The whole name with parameters; free() it.  NULL when it is no C++ name. */
char *cxx_demangle(const char *linked);

#ifdef __cplusplus
}
#endif

#endif
