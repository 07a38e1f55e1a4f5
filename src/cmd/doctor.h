/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What doctor finds: a list of checks, each with a verdict, one line for a person and what helps.
 */
#ifndef CMD_DOCTOR_H
#define CMD_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "tui/term.h"

#define DOCTOR_MAX_CHECKS 40
#define DOCTOR_REMEDY_MAX 256

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_NOTE,	/* works, but is good to know */
	DOCTOR_PROBLEM, /* something will not work */
};

struct doctor_check {
	const char *name; /* "yama": for programs; lasts */
	enum doctor_verdict verdict;
	bool is_of_target; /* of the process, not of the machine */
	char text[ERR_TEXT_MAX];
	char remedy[DOCTOR_REMEDY_MAX]; /* a command or a setting; "" when there is none to give */
};

struct doctor {
	struct doctor_check checks[DOCTOR_MAX_CHECKS];
	size_t n;
	bool is_of_target; /* of what is added from now on */
};

/* Add a check; more than DOCTOR_MAX_CHECKS is our own mistake.  `text` is cleaned to printable UTF-8. */
struct doctor_check *doctor_add(struct doctor *doctor, const char *name,
				enum doctor_verdict verdict, const char *text, ...)
	printf_like(4, 5);
void doctor_remedy(struct doctor_check *check, const char *text, ...) printf_like(2, 3);
bool doctor_has_problem(const struct doctor *doctor);

/* What is checked: the machine, by its readings (proc/surroundings.h), and one process on it. */
struct surroundings;
void doctor_machine(struct doctor *doctor, const struct surroundings *here);
void doctor_target(struct doctor *doctor, pid_t pid);

/* For where `term` says; lines are broken at its width when it is a terminal. */
void doctor_print_text(const struct doctor *doctor, const struct term *term, struct buf *out);
void doctor_print_json(const struct doctor *doctor, struct buf *out);

#endif
