/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "sample/reader.h"
#include "sample/relay.h"
#include "sample/wire.h"

#define STOP_GRACE_NS (5 * NS_PER_S) /* for the last samples after session_stop() */
#define LEAVE_PATIENCE_NS (2 * NS_PER_S)
#define STOP_SLACK_NS NS_PER_S /* what keeper and kernel need on top, before we lose patience */
#define PIECES_PER_PUMP 64     /* so that a pump ends while the readers go on sending */

/* What comes from one place of the keeper's: one reader after the other. */
struct session_stream {
	uint32_t start; /* of the reader whose stream is being decoded; 0: none yet */
	struct relay_stream *relay;
	struct capture_reader *decoder; /* NULL: it has ended, or is not worth reading */
};

struct session {
	struct names *names;
	struct tree *tree;
	struct relay *relay;
	struct session_stream streams[KEEPER_MAX_READERS]; /* by slot */
	struct wire_receiver receiver;
	struct reader_config reader;
	struct keeper keeper;
	bool has_keeper, has_ended;
	int64_t stop_by_ns; /* the readers were asked to end and must have by then; 0: not asked */
	const struct capture_events *events;
	void *ctx;
	struct session_facts facts;
};

/* ---- start and end ---- */

static void *shared_page(size_t len)
{
	void *page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? NULL : page;
}

static void fill_reader_config(struct session *session, const struct session_config *config,
			       int wire_fd)
{
	session->reader.rate_hz = config->rate_hz;
	session->reader.duration_ns = config->duration_ns;
	session->reader.is_nonblocking = config->is_nonblocking;
	session->reader.is_once = config->is_once;
	session->reader.is_launched = config->is_launched;
	session->reader.with_idle = config->with_idle;
	session->reader.with_columns = config->with_columns;
	session->reader.with_sources = config->with_sources;
	session->reader.wire_fd = wire_fd;
}

int session_start(const struct session_config *config, struct names *names, struct tree *tree,
		  const struct capture_events *events, void *ctx, struct session **ret_session,
		  struct err *err)
{
	struct session *session = xcalloc(1, sizeof(*session));
	struct keeper_config keeper = {.reader = reader_run, .ctx = &session->reader};
	int fds[2], r = process_identify(config->pid, &keeper.root, err);

	session->names = names;
	session->tree = tree;
	session->events = events;
	session->ctx = ctx;
	session->relay = relay_new(events, ctx);
	session->receiver.fd = -1;
	if (r < 0) {
		session_free(session);
		return r;
	}
	session->reader.first_begun_ns = shared_page(sizeof(*session->reader.first_begun_ns));
	r = session->reader.first_begun_ns ? wire_open(fds) : -ENOMEM;
	if (r < 0) {
		session_free(session);
		return err_sys(err, r, "cannot start the reader");
	}
	session->receiver.fd = fds[0];
	fill_reader_config(session, config, fds[1]);
	r = keeper_start(&session->keeper, &keeper, err);
	close(fds[1]); /* keeper and reader hold it: it closes when both are gone */
	session->has_keeper = r == 0;
	if (r < 0) {
		session_free(session);
		return err_prefix(err, r, "cannot start the reader");
	}
	*ret_session = session;
	return 0;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	/* A reader that has said its last word lets the target go in order; killing is for the others. */
	if (session->has_keeper && session->has_ended)
		(void)!keeper_wait(&session->keeper, clock_monotonic_ns() + LEAVE_PATIENCE_NS);
	if (session->has_keeper)
		keeper_done(&session->keeper);
	if (session->receiver.fd >= 0)
		close(session->receiver.fd);
	if (session->reader.first_begun_ns)
		munmap(session->reader.first_begun_ns, sizeof(*session->reader.first_begun_ns));
	for (size_t i = 0; i < KEEPER_MAX_READERS; i++) {
		capture_reader_free(session->streams[i].decoder);
		relay_stream_free(session->streams[i].relay);
	}
	relay_free(session->relay);
	free(session);
}

void session_stop(struct session *session)
{
	if (session->has_ended || session->stop_by_ns)
		return;
	session->stop_by_ns = clock_monotonic_ns() + STOP_GRACE_NS + STOP_SLACK_NS;
	keeper_stop(&session->keeper, STOP_GRACE_NS);
}

/* ---- events ---- */

void session_fds(const struct session *session, struct pollfd fds[SESSION_FDS])
{
	fds[0] = (struct pollfd){.fd = session->receiver.fd, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = session->keeper.pid_fd, .events = POLLIN};
}

/* A reader took over: what the last one had not finished is gone. */
static void next_stream(struct session *session, struct session_stream *stream, uint32_t start)
{
	if (!stream->relay)
		stream->relay = relay_stream_new(session->relay);
	else if (!relay_stream_end(stream->relay))
		session->facts.restarts++;
	relay_stream_next(stream->relay);
	capture_reader_free(stream->decoder);
	stream->decoder =
		capture_reader_new(session->names, session->tree, relay_events(), stream->relay);
	stream->start = start;
}

static int end_with(struct session *session, int code, const char *text)
{
	struct capture_end end = {.code = code, .exit_status = -1, .text = text};

	session->has_ended = true;
	return relay_end(session->relay, &end);
}

static int keeper_is_gone(struct session *session)
{
	struct err err;
	int code = keeper_wait(&session->keeper, clock_monotonic_ns() + NS_PER_S);

	if (code == -EOWNERDEAD)
		err_set(&err, -EIO, "somebody killed the process that watches the reader");
	else if (code > 128)
		err_set(&err, -EIO, "the reader was killed by signal %d too often", code - 128);
	else
		err_set(&err, -EIO, "the reader gave up");
	return end_with(session, err.code, err.text);
}

/* Keeper and reader were stopped or frozen by somebody: session_free() kills them. */
static int lose_patience(struct session *session)
{
	return end_with(session, -ETIMEDOUT, "the reader did not end when asked to, and is killed");
}

/* A stream that has said its last word needs no decoder, and may have been the last of all. */
static int stream_has_ended(struct session *session, struct session_stream *stream)
{
	const struct capture_end *end = relay_stream_end(stream->relay);

	capture_reader_free(stream->decoder);
	stream->decoder = NULL;
	return end_with(session, end->code, end->text);
}

static int decode(struct session *session, const struct wire_piece *piece, struct err *err)
{
	struct session_stream *stream;
	int r;

	if (piece->stream.slot >= KEEPER_MAX_READERS)
		return err_set(err, ERR_CORRUPT, "a reader named a place that there is not");
	stream = &session->streams[piece->stream.slot];
	if (piece->stream.start > stream->start)
		next_stream(session, stream, piece->stream.start);
	if (piece->stream.start < stream->start || !stream->decoder)
		return 0; /* of one that is dead, or behind its last word */
	r = capture_feed(stream->decoder, piece->data, piece->len, err);
	if (r == 0 && relay_stream_end(stream->relay))
		r = stream_has_ended(session, stream);
	return r;
}

int session_pump(struct session *session, struct err *err)
{
	for (int i = 0; i < PIECES_PER_PUMP && !session->has_ended; i++) {
		struct wire_piece piece;
		int r = wire_receive(&session->receiver, &piece);

		if (r == 0) {
			bool is_late =
				session->stop_by_ns && clock_monotonic_ns() > session->stop_by_ns;

			return is_late ? lose_patience(session) : 0;
		}
		if (r < 0) /* keeper and reader held the other end: both are gone */
			return keeper_is_gone(session);
		r = decode(session, &piece, err);
		if (r < 0)
			return r;
	}
	return 0;
}

bool session_has_ended(const struct session *session)
{
	return session->has_ended;
}

void session_facts(const struct session *session, struct session_facts *ret_facts)
{
	*ret_facts = session->facts;
	ret_facts->lost_ns = relay_lost_ns(session->relay);
	ret_facts->kills = keeper_kills(&session->keeper);
}
