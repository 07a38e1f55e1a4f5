/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part of a profile: the stacks that begin at a call site, without the frames that nobody wants to see, or as many
 * nodes as somebody can take.
 *
 * Functions are meant by name: the qualified one, where a frame has one, or the plain one.  Marker frames at the root
 * (process, thread) are no part of a stack here: they neither match nor go.
 *
 * As the transforms of profile.h, each function writes into an initialised, empty profile that shares the names.
 */
#ifndef PROFILE_NARROW_H
#define PROFILE_NARROW_H

#include "profile/profile.h"

#define NARROW_MAX_NAMES 1024	  /* of a call site, or of a list of functions */
#define NARROW_MAX_EXPRESSIONS 32 /* of a list */

struct regex;

/* Functions by name or by expression, anchored as in selectors; texts are borrowed. */
struct narrow_list {
	const char **names;
	size_t n_names;
	struct regex *expressions[NARROW_MAX_EXPRESSIONS]; /* owned */
	size_t n_expressions;
};

struct narrow {
	const char **call_site; /* outermost first: stacks that begin with these functions */
	size_t n_call_site;
	/* Frames that stay (none given: all) and frames that go; their time stays, with their callers. */
	struct narrow_list include, exclude;
	bool is_pgo;		   /* narrow_for_pgo() is asked for, with: */
	uint32_t pgo_frames;	   /* innermost ones that stay; 0: all */
	bool pgo_aggregates_leafs; /* without the line that was running */
};

void narrow_done(struct narrow *narrow); /* all-zero is fine */
/* Does narrow_profile() keep everything as it is? */
bool narrow_is_all(const struct narrow *narrow);
/* ERR_USAGE: not an expression; ERR_LIMIT. */
int narrow_add_expression(struct narrow_list *list, const char *pattern, struct err *err) nodiscard;

/* The call site is looked for in what the lists leave: what a client sees is what it can point at. */
void narrow_profile(const struct narrow *narrow, const struct profile *from, struct profile *into);
/*
 * Functions by the name that is shown and nothing else, as the trees of Pyroscope know them: no markers at the root, no
 * files, no lines.
 */
void narrow_to_names(const struct profile *from, struct profile *into);
/* What compilers take for profile-guided optimisation: only the innermost frames of each stack. */
void narrow_for_pgo(const struct narrow *narrow, const struct profile *from, struct profile *into);
/*
 * By column 0, which alone is filled: the `max_nodes` largest nodes beside the root, as flame_layout() chooses them (0: its
 * default); what is too small below a node is its child "other".
 */
void narrow_to_nodes(const struct profile *from, uint32_t max_nodes, struct arena *arena,
		     struct profile *into);

#endif
