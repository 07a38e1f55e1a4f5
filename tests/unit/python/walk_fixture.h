/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up process of each version, and what is read of its first thread. */
#ifndef TESTS_UNIT_PYTHON_WALK_FIXTURE_H
#define TESTS_UNIT_PYTHON_WALK_FIXTURE_H

#include "../unit.h"

#include "base/vec.h"
#include "fake_memory.h"
#include "python/python_private.h"

#define FIXTURE_VERSIONS 14
#define FIXTURE_NO_GIL 0x10000u /* added to a version: its build without */

extern const uint32_t fixture_versions[FIXTURE_VERSIONS];

struct fixture {
	struct fake_memory fake;
	struct fake_process process;
	struct names *names;
	struct python *python;
	raddr_t codes[3];
	struct python_look look;
};

/* End it before the next. */
void fixture_begin(struct fixture *fixture, uint32_t version);
void fixture_end(struct fixture *fixture);

#define for_each_version(fixture)                                                                  \
	for (size_t v = 0;                                                                         \
	     v < FIXTURE_VERSIONS ? (fixture_begin(fixture, fixture_versions[v]), true) : false;   \
	     fixture_end(fixture), v++)

/* A look, and the first thread read as one that stands still. */
int read_once(struct fixture *fixture);
/* As one that runs, and that nobody stops; `flags` beside PYTHON_ANY. */
int read_running(struct fixture *fixture, unsigned flags);
/* What python_stack() gives of it: "main:10;mid:20". */
void assert_stack(struct fixture *fixture, const char *expected);

#endif
