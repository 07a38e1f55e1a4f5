/* SPDX-License-Identifier: Apache-2.0 */
/* docs/openapi.json, as the build linked it in: what machines read of docs/API.md. */
#ifndef SERVER_OPENAPI_H
#define SERVER_OPENAPI_H

extern const char openapi_text[];

#endif
