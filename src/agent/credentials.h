/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent shows a server, and how it knows the server. */
#ifndef AGENT_CREDENTIALS_H
#define AGENT_CREDENTIALS_H

#include "base/err.h"

#define CREDENTIALS_TOKEN_MAX_BYTES 1024

/* Borrowed; NULL: none. */
struct agent_credentials {
	/*
	 * A file that holds a token, which only its owner may read; it is read again before each request, so that a new
	 * token needs no restart.  Never the token itself: arguments show in ps.
	 */
	const char *token_file;
	const char *token;   /* from the environment */
	const char *tenant;  /* X-Scope-OrgID */
	const char *ca_file; /* PEM: whom to trust instead of the system's authorities */
};

/*
 * The token as it is now, "" when there is none.  ERR_USAGE, -EPERM: a file that is empty, holds more than a token, or that
 * others can read.
 */
int agent_token(const struct agent_credentials *credentials,
		char ret_token[CREDENTIALS_TOKEN_MAX_BYTES + 1], struct err *err) nodiscard;

#endif
