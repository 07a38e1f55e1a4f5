/* SPDX-License-Identifier: Apache-2.0 */
/* Included before every C file by the build: functions that are too easy to use wrongly do not
 * compile. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* Their declarations must come before the poison. */
#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef alloca
#undef strcpy
#undef strcat
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atof gets alloca localtime gmtime

#endif
