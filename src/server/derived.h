/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels that every series has at Pyroscope without saying so, and that its clients list, select and group by: the parts
 * of the profile type (__type__, __unit__, …), and __service_name__.
 */
#ifndef SERVER_DERIVED_H
#define SERVER_DERIVED_H

#include "profile/labels.h"

#define DERIVED_SERVICE "__service_name__" /* another name of service_name */

/* Their names; __name__ and __profile_type__ are among them. */
extern const char *const derived_names[];
extern const size_t derived_n;

/* What the profile type says about a label, in the arena; NULL: nothing, it is no part of it. */
const char *derived_value(struct arena *arena, const char *profile_type, const char *name);

/*
 * Matchers of such labels become matchers of what there is: the profile type, the service.  ERR_USAGE and ERR_LIMIT as of
 * selector_parse(); the selector is empty then.
 */
int derived_resolve(struct selector *selector, struct arena *arena, struct err *err) nodiscard;

#endif
