/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of /ingest:
 *
 *	groups, folded, collapsed	text, "main;work;foo 75"
 *	lines				text, "main;work;foo": every line counts 1
 *	trie, tree			format/preorder.h; also as Content-Type binary/octet-stream+trie
 *	pprof				the body, or the part "profile" of a form, with "sample_type_config" beside it
 *	jfr				the body, or the part "jfr" of a form, with "labels" beside it
 *	speedscope			each profile of the file is a series
 *	perf				text of perf script
 *
 * Without a format, or with one that nobody knows, a form is what its parts are called and a body what it looks
 * like: so `curl --data-binary @file` does for every one of them.  What looks like nothing is collapsed text.
 */
#include <string.h>

#include "base/clock.h"
#include "base/opt.h"
#include "codec/json.h"
#include "format/format.h"
#include "http/multipart.h"
#include "server/sample_types.h"
#include "server/upload_ingest_private.h"

#define DEFAULT_RATE_HZ 100
#define MAX_RATE_HZ 1000000
#define CONFIG_MAX_BYTES (64u << 10)
#define CONFIG_MAX_TYPES 64

/* Clients send 0 where it does not apply, which says as little as text that is no number: 0 then. */
static int64_t said_rate(const struct ingest *ingest)
{
	const char *text = ingest_param(ingest, "sampleRate");
	int64_t rate;

	return text && opt_parse_int(text, 1, MAX_RATE_HZ, &rate, NULL) == 0 ? rate : 0;
}

/* ---- sample_type_config: {"inuse_space":{"units":"bytes","aggregation":"average","display-name":"x","cumulative":false}} ---- */

static int begin_type(struct ingest *ingest, const char *name, size_t len, struct err *err)
{
	struct arena *arena = upload_arena(ingest->upload);

	if (ingest->n_types++ == CONFIG_MAX_TYPES)
		return err_set(err, ERR_LIMIT, "more than %d sample types", CONFIG_MAX_TYPES);
	ingest->type = arena_alloc(arena, sizeof(*ingest->type));
	ingest->type->name = arena_strndup(arena, name, len);
	ingest->type->next = (struct upload_type *)(uintptr_t)ingest->origin.types;
	ingest->origin.types = ingest->type;
	return 0;
}

static int on_config(void *ctx, const struct json_event *event, struct err *err)
{
	struct ingest *ingest = ctx;
	struct arena *arena = upload_arena(ingest->upload);
	const char *dot = strchr(event->path, '.');

	if (event->kind == JSON_OBJECT_BEGIN && *event->path && !dot)
		return begin_type(ingest, event->path, strlen(event->path), err);
	if (!dot || !ingest->type)
		return 0;
	if (event->kind == JSON_BOOL && strcmp(dot, ".cumulative") == 0)
		ingest->type->is_cumulative = event->truth;
	if (event->kind != JSON_STRING)
		return 0;
	if (strcmp(dot, ".display-name") == 0)
		ingest->type->display_name = arena_strndup(arena, event->text, event->len);
	else if (strcmp(dot, ".aggregation") == 0)
		ingest->type->is_gauge = json_event_is(event, "average");
	return 0;
}

static int read_config(struct ingest *ingest, const struct multipart_part *part, struct err *err)
{
	struct json_limits limits = {.max_bytes = CONFIG_MAX_BYTES, .max_depth = 4};
	int r = json_read(part->data, part->len, &limits, on_config, ingest, err);

	return r < 0 ? err_prefix(err, r, "sample_type_config") : 0;
}

/* ---- pprof ---- */

/*
 * Early clients for .NET write "inuse-space" where all others write "inuse_space"; those that do not say who they are
 * are known by it, as Pyroscope knows them.
 */
static bool is_dotnet(const struct ingest *ingest)
{
	const char *spy = ingest_param(ingest, "spyName");
	const struct upload_type *type = ingest->origin.types;

	if (spy && strcmp(spy, UNKNOWN_SPY) != 0)
		return strcmp(spy, "dotnetspy") == 0;
	while (type && strcmp(type->name, "inuse-space") != 0)
		type = type->next;
	return type;
}

static int read_pprof(struct ingest *ingest, const void *data, size_t len, struct err *err)
{
	int r = ingest_service(ingest, err);

	ingest->origin.has_dashes = is_dotnet(ingest);
	/* An SDK that had nothing to say: Pyroscope takes that, too. */
	if (r < 0 || !len)
		return r;
	return upload_pprof(ingest->upload, data, len, &ingest->origin, err);
}

/* ---- JFR ---- */

static int read_jfr(struct ingest *ingest, const void *data, size_t len,
		    const struct multipart_part *labels, struct err *err)
{
	int64_t rate = said_rate(ingest);
	struct upload_jfr jfr = {
		.data = data,
		.len = len,
		.labels = labels->len ? labels->data : NULL,
		.labels_len = labels->len,
		.period_ns = rate ? NS_PER_S / rate : 0,
	};
	int r = ingest_service(ingest, err);

	return r < 0 ? r : upload_jfr(ingest->upload, &jfr, &ingest->origin, err);
}

/* ---- forms ---- */

struct form {
	struct multipart_part profile, jfr, labels;
};

static int read_part(struct ingest *ingest, const struct multipart_part *part, struct form *form,
		     struct err *err)
{
	if (strcmp(part->name, "profile") == 0)
		form->profile = *part;
	else if (strcmp(part->name, "jfr") == 0)
		form->jfr = *part;
	else if (strcmp(part->name, "labels") == 0)
		form->labels = *part;
	else if (strcmp(part->name, "sample_type_config") == 0)
		return read_config(ingest, part, err);
	else if (strcmp(part->name, "prev_profile") == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "prev_profile: this client sends cumulative profiles; update it, "
			       "newer ones send differences");
	return 0;
}

static int read_parts(struct ingest *ingest, struct form *form, struct err *err)
{
	const char *type = http_request_header(&ingest->exchange->request, "content-type");
	struct multipart_part part;
	struct multipart parts;
	int r = multipart_begin(&parts, type, ingest->body, ingest->len, err);

	while (r == 0 && (r = multipart_next(&parts, &part, err)) == 1)
		r = read_part(ingest, &part, form, err);
	return r;
}

static int read_form(struct ingest *ingest, const char *format, struct err *err)
{
	struct form form = {0};
	bool wants_jfr = format && strcmp(format, "jfr") == 0;
	bool wants_pprof = format && strcmp(format, "pprof") == 0;
	int r = read_parts(ingest, &form, err);

	if (r < 0)
		return r;
	if (form.jfr.data && !wants_pprof)
		return read_jfr(ingest, form.jfr.data, form.jfr.len, &form.labels, err);
	if (form.profile.data && !wants_jfr)
		return read_pprof(ingest, form.profile.data, form.profile.len, err);
	return err_set(err, ERR_USAGE, "the form has no part named %s",
		       wants_jfr ? "jfr" : "profile");
}

/* ---- bodies that are one file ---- */

static int read_counts(struct ingest *ingest, enum upload_kind kind, const void *data, size_t len,
		       struct err *err)
{
	int64_t rate = said_rate(ingest);
	struct upload_unit unit;
	int r;

	/* Of one request, which old SDKs sent beside the whole: Pyroscope takes and forgets it, too. */
	if (labels_get(&ingest->labels, "profile_id"))
		return 0;
	sample_types_of_text(ingest->app, ingest_param(ingest, "units"),
			     rate ? rate : DEFAULT_RATE_HZ, &unit);
	r = ingest_service(ingest, err);
	ingest->origin.counts = &unit;
	if (r == 0)
		r = upload_counts(ingest->upload, kind, data, len, &ingest->origin, err);
	ingest->origin.counts = NULL;
	return r;
}

/* How a body is read. */
enum reading { READ_PPROF, READ_JFR, READ_COUNTS };

struct body_format {
	const char *name; /* as in `format`, and behind the '+' of the content type */
	enum reading reading;
	enum upload_kind kind;
};

static const struct body_format formats_of_bodies[] = {
	{"groups", READ_COUNTS, UPLOAD_GROUPS},
	{"folded", READ_COUNTS, UPLOAD_GROUPS},
	{"collapsed", READ_COUNTS, UPLOAD_GROUPS},
	{"lines", READ_COUNTS, UPLOAD_LINES},
	{"trie", READ_COUNTS, UPLOAD_TRIE},
	{"tree", READ_COUNTS, UPLOAD_TREE},
	{"speedscope", READ_COUNTS, UPLOAD_SPEEDSCOPE},
	{"perf", READ_COUNTS, UPLOAD_PERF},
	{"pprof", READ_PPROF, UPLOAD_GROUPS},
	{"jfr", READ_JFR, UPLOAD_GROUPS},
};

static const struct body_format *find_format(const char *name)
{
	for (size_t i = 0; i < array_len(formats_of_bodies); i++)
		if (strcmp(formats_of_bodies[i].name, name) == 0)
			return &formats_of_bodies[i];
	return NULL;
}

static int read_file(struct ingest *ingest, const struct body_format *format, const void *data,
		     size_t len, struct err *err)
{
	static const struct multipart_part no_labels = {0};

	switch (format->reading) {
	case READ_PPROF:
		return read_pprof(ingest, data, len, err);
	case READ_JFR:
		return read_jfr(ingest, data, len, &no_labels, err);
	case READ_COUNTS:
		break;
	}
	return read_counts(ingest, format->kind, data, len, err);
}

/* By its first bytes, behind gzip. */
static int read_sniffed(struct ingest *ingest, struct err *err)
{
	const void *data = ingest->body;
	size_t len = ingest->len;
	struct buf inflated = {0};
	const struct body_format *format = NULL;
	const struct format *seen;
	int r = upload_inflate(ingest->upload, &data, &len, &inflated, err);

	if (r == 0) {
		seen = format_sniff(data, len);
		if (seen)
			format = find_format(seen->name);
		r = read_file(ingest, format ? format : &formats_of_bodies[0], data, len, err);
	}
	buf_done(&inflated);
	return r;
}

int ingest_read_body(struct ingest *ingest, struct err *err)
{
	static const char binary[] = "binary/octet-stream+";
	const char *name = ingest_param(ingest, "format");
	const struct body_format *format = name ? find_format(name) : NULL;
	char type[64];

	http_request_media_type(&ingest->exchange->request, type, sizeof(type));
	if (strcmp(type, "multipart/form-data") == 0 &&
	    (!format || format->reading == READ_PPROF || format->reading == READ_JFR))
		return read_form(ingest, name, err);
	if (!format && strncmp(type, binary, strlen(binary)) == 0)
		format = find_format(type + strlen(binary));
	if (format)
		return read_file(ingest, format, ingest->body, ingest->len, err);
	return read_sniffed(ingest, err);
}
