/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the web page, made from web/ by the build and linked in.  Constant, no locks, no
 * cost.
 *
 * The page routes by itself: GET / and every GET below /s/ answer web_asset_find("/").  All else is
 * looked up by its path.  Asset paths below /a/ carry a checksum, so they never change
 * (is_immutable: Cache-Control "public, max-age=31536000, immutable"; the others "no-cache" with
 * the ETag).
 */
#ifndef SERVER_WEB_ASSETS_H
#define SERVER_WEB_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

struct web_asset {
	const char *path;	    /* "/", "/a/app.0f3c….js" */
	const char *mime;	    /* value of Content-Type */
	const char *etag;	    /* with its quotes */
	const char *policy;	    /* value of Content-Security-Policy, or NULL */
	const unsigned char *bytes; /* as they are … */
	size_t n_bytes;
	const unsigned char *
		gzip; /* … and gzipped, for clients that accept it; NULL where that saves nothing */
	size_t n_gzip;
	bool is_immutable;
};

/* Sorted by path; web_assets_n is 0 when the build had no Node. */
extern const struct web_asset web_assets[];
extern const size_t web_assets_n;

/* False: this program was built with -Dweb=disabled, or without Node; tell the visitor so. */
bool web_is_built(void);

/* The file at exactly that path (no query part), or NULL. */
const struct web_asset *web_asset_find(const char *path);

#endif
