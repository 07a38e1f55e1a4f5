/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of HTTP/2 is one request and its answer: nghttp2's callbacks, in the loop's thread. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/h2_private.h"

/* ---- opening ---- */

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct h2_conn *conn = ctx;
	struct h2_stream *stream;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	/* nghttp2 has given the connection up (too many resets), but still reads what it was fed. */
	if (!nghttp2_session_want_read(session))
		return 0;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		abort();
	stream->conn = conn;
	stream->id = frame->hd.stream_id;
	stream->exchange = exchange_new(conn->front->server, h2_wake, stream, conn->peer);
	stream->next = conn->streams;
	if (conn->streams)
		conn->streams->prev = stream;
	conn->streams = stream;
	nghttp2_session_set_stream_user_data(session, stream->id, stream);
	return 0;
}

static bool is_name(const uint8_t *name, size_t len, const char *text)
{
	return strlen(text) == len && memcmp(name, text, len) == 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *ctx)
{
	struct h2_stream *stream = stream_of(session, frame->hd.stream_id);
	struct exchange *exchange = stream ? stream->exchange : NULL;
	const char *text = (const char *)value;

	(void)flags, (void)ctx;
	if (!exchange || stream->is_admitted) /* trailers of the request tell us nothing */
		return 0;
	if (is_name(name, name_len, ":method"))
		exchange_set_method(exchange, text, value_len);
	else if (is_name(name, name_len, ":path"))
		exchange_set_target(exchange, text, value_len);
	else if (is_name(name, name_len, ":authority"))
		exchange_add_header(exchange, "host", 4, text, value_len);
	else if (is_name(name, name_len, "host") &&
		 http_request_header(&exchange->pub.request, "host"))
		return 0; /* nghttp2 lets both through; :authority counts */
	else if (name[0] != ':')
		exchange_add_header(exchange, (const char *)name, name_len, text, value_len);
	return 0;
}

/* ---- answers ---- */

static nghttp2_nv nv_of(struct arena *arena, const char *name, const char *value)
{
	char *lower = arena_strndup(arena, name, strlen(name));

	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return (nghttp2_nv){.name = (uint8_t *)lower,
			    .namelen = strlen(lower),
			    .value = (uint8_t *)(uintptr_t)value,
			    .valuelen = strlen(value)};
}

static ssize_t on_read_answer(nghttp2_session *session, int32_t id, uint8_t *out, size_t max,
			      uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	struct h2_stream *stream = source->ptr;
	const struct http_response *answer = &stream->exchange->pub.response;
	nghttp2_nv trailers[HTTP_MAX_TRAILERS];
	const char *data;
	size_t len;

	(void)ctx;
	data = answer_body(stream->exchange, &len);
	max = min_of(max, len - stream->sent);
	if (max)
		memcpy(out, data + stream->sent, max);
	stream->sent += max;
	if (stream->sent < len)
		return (ssize_t)max;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (!answer->n_trailers)
		return (ssize_t)max;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	for (size_t i = 0; i < answer->n_trailers; i++)
		trailers[i] = nv_of(&stream->exchange->pub.arena, answer->trailers[i].name,
				    answer->trailers[i].value);
	(void)nghttp2_submit_trailer(session, id, trailers, answer->n_trailers);
	return (ssize_t)max;
}

static void submit_answer(struct h2_stream *stream)
{
	struct exchange *exchange = stream->exchange;
	struct http_response *answer = &exchange->pub.response;
	struct arena *arena = &exchange->pub.arena;
	nghttp2_nv headers[HTTP_MAX_ANSWER_HEADERS + 3];
	nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = on_read_answer};
	char status[16];
	bool has_body;
	size_t n = 0, len;

	(void)answer_body(exchange, &len);
	has_body = exchange->pub.request.method != HTTP_HEAD && (len || answer->n_trailers);
	snprintf(status, sizeof(status), "%d", answer->status);
	headers[n++] = nv_of(arena, ":status", status);
	for (size_t i = 0; i < answer->n_headers; i++)
		headers[n++] = nv_of(arena, answer->headers[i].name, answer->headers[i].value);
	if (answer->n_trailers)
		headers[n++] = nv_of(arena, "trailer", answer->trailers[0].name);
	else if (answer->status != 204)
		headers[n++] = nv_of(arena, "content-length", arena_printf(arena, "%zu", len));
	(void)nghttp2_submit_response(stream->conn->session, stream->id, headers, n,
				      has_body ? &provider : NULL);
}

void h2_answer(struct h2_stream *stream)
{
	struct exchange *exchange = stream->exchange;

	if (atomic_load(&exchange->state) == EXCHANGE_ABANDONED) {
		exchange->front = NULL;
		stream->exchange = exchange_late(exchange);
		stream->exchange->front = stream;
	}
	submit_answer(stream);
}

/* ---- what comes in ---- */

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		   size_t len, void *ctx)
{
	struct h2_stream *stream = stream_of(session, id);

	(void)flags, (void)ctx;
	if (!stream || atomic_load(&stream->exchange->state) != EXCHANGE_READING)
		return 0;
	if (!exchange_add_body(stream->exchange, data, len))
		h2_answer(stream);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct h2_conn *conn = ctx;
	struct h2_stream *stream;

	conn->frame_ns = clock_monotonic_ns();
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	stream = stream_of(session, frame->hd.stream_id);
	if (!stream)
		return 0;
	if (!stream->is_admitted) {
		stream->is_admitted = true;
		if (!exchange_admit(stream->exchange))
			h2_answer(stream);
	}
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	stream->has_ended = true;
	if (atomic_load(&stream->exchange->state) == EXCHANGE_READING)
		exchange_dispatch(stream->exchange);
	return 0;
}

/* The answer is out, but the client still sends: it need not (RFC 9113, 8.1). */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct h2_stream *stream;

	(void)ctx;
	if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
	    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	stream = stream_of(session, frame->hd.stream_id);
	if (stream && !stream->has_ended)
		(void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id,
						NGHTTP2_NO_ERROR);
	return 0;
}

void h2_stream_free(struct h2_stream *stream)
{
	struct h2_conn *conn = stream->conn;

	*(stream->prev ? &stream->prev->next : &conn->streams) = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	stream->exchange->front = NULL;
	exchange_cancel(stream->exchange);
	exchange_drop(stream->exchange);
	free(stream);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
	struct h2_stream *stream = stream_of(session, id);

	(void)code, (void)ctx;
	if (stream)
		h2_stream_free(stream);
	return 0;
}

nghttp2_session_callbacks *h2_callbacks_new(void)
{
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&callbacks))
		abort(); /* only for lack of memory */
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	return callbacks;
}
