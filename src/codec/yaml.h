/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML 1.1 for configuration files, as the same events that JSON gives (codec/json.h), over libyaml.
 *
 * One document.  Plain scalars that look like numbers are JSON_NUMBER, true and false JSON_BOOL, null, ~ and nothing
 * JSON_NULL; all else, and whatever is quoted, is JSON_STRING.  Anchors, aliases and tags are refused: no
 * configuration of ours needs them, and an alias is how a small file becomes a large one.
 */
#ifndef CODEC_YAML_H
#define CODEC_YAML_H

#include "codec/json.h"

/*
 * ERR_CORRUPT (with the line) when it is not YAML, ERR_UNSUPPORTED for what is refused, ERR_LIMIT past the limits, or
 * what `on_event` returned, its text with the line in front.
 */
int yaml_read(const void *data, size_t len, const struct json_limits *limits,
	      json_event_fn *on_event, void *ctx, struct err *err) nodiscard;

#endif
