/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "codec/json_private.h"

#define NUMBER_MAX_BYTES 64

struct reader {
	struct json_walk walk;
	/* Per open level: is a key expected next?  Sequences never expect one. */
	bool is_mapping[JSON_MAX_DEPTH + 1], wants_key[JSON_MAX_DEPTH + 1];
	size_t n_documents;
};

static bool is_number(const char *text, size_t len)
{
	char copy[NUMBER_MAX_BYTES], *end;

	if (!len || len >= sizeof(copy) || !memchr("-0123456789.", text[0], 12))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strspn(copy, "0123456789+-.eE") != len)
		return false;
	(void)strtod(copy, &end);
	return !*end;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

static struct json_event event_of(const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (is_plain && (!len || is_word(text, len, "~") || is_word(text, len, "null")))
		return (struct json_event){.kind = JSON_NULL};
	if (is_plain && (is_word(text, len, "true") || is_word(text, len, "false")))
		return (struct json_event){.kind = JSON_BOOL, .truth = text[0] == 't'};
	return (struct json_event){.kind = is_plain && is_number(text, len) ? JSON_NUMBER
									    : JSON_STRING,
				   .text = text,
				   .len = len};
}

/* A value has ended: in a mapping the next scalar is a key. */
static void end_value(struct reader *reader)
{
	reader->wants_key[reader->walk.depth] = reader->is_mapping[reader->walk.depth];
}

static bool on_scalar(struct reader *reader, const yaml_event_t *event)
{
	bool go_on;

	if (reader->wants_key[reader->walk.depth]) {
		json_walk_key(&reader->walk, (const char *)event->data.scalar.value,
			      event->data.scalar.length);
		reader->wants_key[reader->walk.depth] = false;
		return true;
	}
	go_on = json_walk_value(&reader->walk, event_of(event));
	end_value(reader);
	return go_on;
}

static bool on_open(struct reader *reader, bool is_mapping)
{
	if (reader->wants_key[reader->walk.depth]) {
		reader->walk.code =
			err_set(reader->walk.err, ERR_UNSUPPORTED, "a key has to be a word");
		return false;
	}
	if (!json_walk_open(&reader->walk, !is_mapping))
		return false;
	reader->is_mapping[reader->walk.depth] = is_mapping;
	end_value(reader);
	return true;
}

static bool on_close(struct reader *reader)
{
	bool go_on = json_walk_close(&reader->walk);

	end_value(reader);
	return go_on;
}

static bool refuse(struct reader *reader, const char *what)
{
	reader->walk.code =
		err_set(reader->walk.err, ERR_UNSUPPORTED, "%s are not taken here", what);
	return false;
}

static bool on_yaml(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return reader->n_documents++ == 0 || refuse(reader, "several documents");
	case YAML_ALIAS_EVENT:
		return refuse(reader, "aliases");
	case YAML_SCALAR_EVENT:
		if (event->data.scalar.anchor || event->data.scalar.tag)
			return refuse(reader, "anchors and tags");
		return on_scalar(reader, event);
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.anchor || event->data.sequence_start.tag)
			return refuse(reader, "anchors and tags");
		return on_open(reader, false);
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.anchor || event->data.mapping_start.tag)
			return refuse(reader, "anchors and tags");
		return on_open(reader, true);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(reader);
	default:
		return true;
	}
}

static int read_events(yaml_parser_t *parser, struct reader *reader, struct err *err)
{
	bool is_over = false;

	while (!is_over) {
		yaml_event_t event;
		size_t line;

		if (!yaml_parser_parse(parser, &event))
			return err_set(err, ERR_CORRUPT, "not valid YAML near line %zu: %s",
				       parser->problem_mark.line + 1,
				       parser->problem ? parser->problem : "unreadable");
		line = event.start_mark.line + 1;
		is_over = event.type == YAML_STREAM_END_EVENT;
		if (!on_yaml(reader, &event)) {
			yaml_event_delete(&event);
			return err_prefix(err, reader->walk.code, "line %zu", line);
		}
		yaml_event_delete(&event);
	}
	return 0;
}

int yaml_read(const void *data, size_t len, const struct json_limits *limits,
	      json_event_fn *on_event, void *ctx, struct err *err)
{
	struct reader *reader;
	yaml_parser_t parser;
	int r;

	if (len > limits->max_bytes)
		return err_set(err, ERR_LIMIT, "the YAML text has %zu bytes, the limit is %zu", len,
			       limits->max_bytes);
	if (!yaml_parser_initialize(&parser))
		abort();
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		abort();
	json_walk_init(&reader->walk, "YAML", limits, on_event, ctx, err);
	yaml_parser_set_input_string(&parser, data, len);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	r = read_events(&parser, reader, err);
	free(reader);
	yaml_parser_delete(&parser);
	return r;
}
