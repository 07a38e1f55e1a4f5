/* SPDX-License-Identifier: Apache-2.0 */
/* Style and script of every SVG, made from svg.css and svg.js by the build. */
#ifndef FORMAT_SVG_TEXT_H
#define FORMAT_SVG_TEXT_H

extern const char svg_style[];
extern const char svg_script[];

#endif
