/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The viewer inside every HTML report: one script and one style sheet, made from web/ by the build.
 *
 * A report is this document and nothing else; it opens from disk and asks no network:
 *
 *	<!doctype html><html lang="en"><head><meta charset="utf-8">
 *	<meta name="viewport" content="width=device-width, initial-scale=1">
 *	<meta http-equiv="Content-Security-Policy" content="POLICY">
 *	<title>TITLE</title><style>STYLE</style></head><body>
 *	<noscript>a table of the first functions</noscript>
 *	<script id="pyrometer-data" type="application/json">DATA</script>
 *	<script>SCRIPT</script></body></html>
 *
 * DATA is {"title":"…","subtitle":"…","profile_type":"…","view":VIEW}, in which every '<' is written
 * as \u003c; VIEW is an answer of GET /api/v1/view with the whole tree in it, and profile_type (may
 * be absent: then no cores are shown) is as in DESIGN's "names that last".  POLICY names the checksums
 * of SCRIPT and STYLE, so that nothing else in the document can ever run, whatever the names in it
 * say; between their tags stands nothing but them.  Neither contains "</script" or "</style".
 */
#ifndef FORMAT_HTML_BUNDLE_H
#define FORMAT_HTML_BUNDLE_H

#include <stdbool.h>

struct html_bundle {
	const char *script; /* all three are empty texts when the build had no Node */
	const char *style;
	const char *policy; /* for the content of the Content-Security-Policy element */
};

extern const struct html_bundle html_bundle;

/* False: this program was built with -Dweb=disabled, or without Node; say so instead of writing. */
bool html_bundle_is_built(void);

#endif
