/* SPDX-License-Identifier: Apache-2.0 */
#include "driver_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "codec/json.h"

#define MAX_LINE_BYTES ((size_t)64 << 20)

static void list_add(struct list *list, const char *text, size_t len)
{
	list->texts = vec_grow(list->texts, &list->cap, list->n + 1, sizeof(char *));
	list->texts[list->n++] = xstrndup(text, len);
}

static void list_done(struct list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->texts[i]);
	free(list->texts);
}

void request_done(struct request *request)
{
	char *const texts[] = {request->what,	request->dir,	 request->tenant,   request->id,
			       request->labels, request->period, request->selector, request->of};

	for (size_t i = 0; i < array_len(texts); i++)
		free(texts[i]);
	list_done(&request->columns);
	list_done(&request->stacks);
	list_done(&request->group_by);
	list_done(&request->spans);
	list_done(&request->profile_ids);
	list_done(&request->span_ids);
	list_done(&request->trace_ids);
	free(request->values);
}

static char **text_field(struct request *request, const char *path)
{
	const struct {
		const char *path;
		char **field;
	} fields[] = {{"do", &request->what},		{"dir", &request->dir},
		      {"tenant", &request->tenant},	{"id", &request->id},
		      {"labels", &request->labels},	{"period", &request->period},
		      {"selector", &request->selector}, {"of", &request->of}};

	for (size_t i = 0; i < array_len(fields); i++)
		if (strcmp(fields[i].path, path) == 0)
			return fields[i].field;
	return NULL;
}

static struct list *list_field(struct request *request, const char *path)
{
	const struct {
		const char *path;
		struct list *field;
	} fields[] = {{"columns[]", &request->columns},	       {"stacks[]", &request->stacks},
		      {"group_by[]", &request->group_by},      {"spans[]", &request->spans},
		      {"span_ids[]", &request->span_ids},      {"trace_ids[]", &request->trace_ids},
		      {"profile_ids[]", &request->profile_ids}};

	for (size_t i = 0; i < array_len(fields); i++)
		if (strcmp(fields[i].path, path) == 0)
			return fields[i].field;
	return NULL;
}

static int64_t *number_field(struct request *request, const char *path)
{
	const struct {
		const char *path;
		int64_t *field;
	} fields[] = {{"now", &request->now},		{"start", &request->start},
		      {"duration", &request->duration}, {"from", &request->from},
		      {"until", &request->until},	{"step", &request->step},
		      {"gauge", &request->gauge},	{"max_nodes", &request->max_nodes},
		      {"samples", &request->n_samples}, {"max_series", &request->max_series},
		      {"total", &request->total}};

	for (size_t i = 0; i < array_len(fields); i++)
		if (strcmp(fields[i].path, path) == 0)
			return fields[i].field;
	return NULL;
}

static int on_number(struct request *request, const struct json_event *event)
{
	int64_t *field = number_field(request, event->path), value;

	if (json_event_int(event, &value) < 0)
		return ERR_USAGE;
	if (field)
		*field = value;
	if (strcmp(event->path, "values[]") == 0) {
		request->values = vec_grow(request->values, &request->values_cap,
					   request->n_values + 1, sizeof(int64_t));
		request->values[request->n_values++] = value;
	}
	if (strcmp(event->path, "sizes[]") == 0 && request->n_sizes < 5)
		request->sizes[request->n_sizes++] = value;
	if (strcmp(event->path, "retention[]") == 0 && request->n_retention < 5)
		request->retention[request->n_retention++] = value;
	return 0;
}

static int on_event(void *ctx, const struct json_event *event, struct err *err)
{
	struct request *request = ctx;
	struct list *list;
	char **text;

	(void)err;
	if (event->kind == JSON_NUMBER)
		return on_number(request, event);
	if (event->kind != JSON_STRING)
		return 0;
	text = text_field(request, event->path);
	if (text)
		*text = xstrndup(event->text, event->len);
	list = list_field(request, event->path);
	if (list)
		list_add(list, event->text, event->len);
	return 0;
}

int request_read(struct request *request, const char *line, size_t len, struct err *err)
{
	const struct json_limits limits = {.max_bytes = MAX_LINE_BYTES, .max_depth = 8};

	return json_read(line, len, &limits, on_event, request, err);
}
