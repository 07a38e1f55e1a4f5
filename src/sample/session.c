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
	void (*file)(void *ctx, const char *build_id, const char *path, int fd);
	void *file_ctx;
	uint32_t n_files;
	int64_t stop_by_ns; /* the readers were asked to end and must have by then; 0: not asked */
	struct process_id root;
	int64_t end_ns; /* of a tree, which may be without any reader then; 0: none */
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
	session->reader.wants = (config->with_columns ? TARGET_COLUMNS : 0) |
				(config->without_collector ? 0 : TARGET_COLLECTOR) |
				(config->with_native || config->with_kernel ? TARGET_NATIVE : 0) |
				(config->with_kernel ? TARGET_KERNEL : 0);
	session->reader.locals = config->locals;
	session->reader.with_sources = config->with_sources;
	session->reader.with_tree = config->with_tree;
	session->reader.root = config->pid;
	session->reader.wire_fd = wire_fd;
}

/* Before the fork: processes that begin from here on are told. */
static struct events *open_events(struct session *session, const struct session_config *config)
{
	struct events *events = NULL;

	if (!config->with_tree || config->is_once)
		return NULL;
	if (events_open(&events, &session->facts.without_events) < 0)
		return NULL;
	return events;
}

int session_start(const struct session_config *config, struct names *names, struct tree *tree,
		  const struct capture_events *events, void *ctx, struct session **ret_session,
		  struct err *err)
{
	struct session *session = xcalloc(1, sizeof(*session));
	struct keeper_config keeper = {
		.reader = reader_run,
		.ctx = &session->reader,
		.with_tree = config->with_tree,
		.is_once = config->is_once,
		.is_new = config->is_launched,
	};
	int fds[2], r = process_identify(config->pid, &keeper.root, err);

	session->names = names;
	session->tree = tree;
	session->file = config->file;
	session->file_ctx = config->file_ctx;
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
	session->root = keeper.root;
	fill_reader_config(session, config, fds[1]);
	keeper.events = open_events(session, config);
	if (config->with_tree && config->duration_ns)
		session->end_ns = clock_monotonic_ns() + config->duration_ns;
	r = keeper_start(&session->keeper, &keeper, err);
	events_close(keeper.events);
	close(fds[1]); /* keeper and readers hold it: it closes when all are gone */
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

/* One process of a tree is not all; of a single one it is. */
static void count_failure(struct session *session, int code, const char *text)
{
	if (session->facts.failed++ == 0)
		err_set(&session->facts.first_failure, code, "%s", text);
}

static void count_broken_off(struct session *session)
{
	for (size_t i = 0; i < KEEPER_MAX_READERS; i++) {
		const struct session_stream *stream = &session->streams[i];

		if (stream->decoder && !relay_stream_end(stream->relay))
			count_failure(session, -EIO, "its reader was killed too often");
	}
}

/* Nobody is left to be read, or all were asked to end. */
static int tree_is_over(struct session *session)
{
	const struct err *failure = &session->facts.first_failure;
	bool is_root_gone = !process_is_alive(session->root);
	int pid = session->root.pid;
	struct err err;

	count_broken_off(session);
	if (relay_processes(session->relay) == 0 && session->facts.failed)
		return end_with(session, failure->code, failure->text);
	if (relay_processes(session->relay) == 0)
		err_set(&err, is_root_gone ? ERR_GONE : ERR_NOT_PYTHON,
			"no Python was found in process %d or below it", pid);
	else if (is_root_gone && !session->stop_by_ns)
		err_set(&err, ERR_GONE, "process %d and what it started have ended", pid);
	else
		return end_with(session, 0, "");
	return end_with(session, err.code, err.text);
}

static int keeper_is_gone(struct session *session)
{
	struct err err;
	int code = keeper_wait(&session->keeper, clock_monotonic_ns() + NS_PER_S);

	if (code == -EOWNERDEAD)
		err_set(&err, -EIO, "somebody killed the process that watches the reader");
	else if (session->reader.with_tree)
		return tree_is_over(session);
	else if (keeper_kills(&session->keeper) > 0)
		err_set(&err, -EIO,
			"the reader had to be killed %u times, since reading the target's memory "
			"or "
			"pausing it did not come to an end",
			keeper_kills(&session->keeper));
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

static void close_decoder(struct session_stream *stream)
{
	capture_reader_free(stream->decoder);
	stream->decoder = NULL;
}

/* A stream has said its last word: of a single process that is the end of all. */
static int stream_has_ended(struct session *session, struct session_stream *stream)
{
	const struct capture_end *end = relay_stream_end(stream->relay);

	close_decoder(stream);
	if (!session->reader.with_tree)
		return end_with(session, end->code, end->text);
	if (end->code != 0 && end->code != ERR_GONE)
		count_failure(session, end->code, end->text);
	return 0;
}

/* A stream that breaks the rules ends itself; an event function that fails ends the recording. */
static int stream_is_bad(struct session *session, struct session_stream *stream, int code,
			 const struct err *err)
{
	if (!session->reader.with_tree || relay_code(session->relay) < 0)
		return code;
	close_decoder(stream);
	count_failure(session, code, err->text);
	return 0;
}

static void take_file(struct session *session, const struct wire_piece *piece)
{
	if (!session->file || session->n_files >= SESSION_MAX_FILES) {
		close(piece->fd);
		return;
	}
	session->n_files++;
	session->file(session->file_ctx, piece->build_id, piece->path, piece->fd);
}

static int decode(struct session *session, const struct wire_piece *piece, struct err *err)
{
	struct session_stream *stream;
	struct err own = {0};
	int r;

	if (piece->stream.slot >= KEEPER_MAX_READERS)
		return 0; /* forged */
	stream = &session->streams[piece->stream.slot];
	if (piece->stream.start > stream->start)
		next_stream(session, stream, piece->stream.start);
	if (piece->stream.start < stream->start || !stream->decoder)
		return 0; /* of one that is dead, or behind its last word */
	r = capture_feed(stream->decoder, piece->data, piece->len, &own);
	if (r < 0) {
		r = stream_is_bad(session, stream, r, &own);
		if (r < 0 && err)
			*err = own;
		return r;
	}
	return relay_stream_end(stream->relay) ? stream_has_ended(session, stream) : 0;
}

/* The readers end themselves when the time is over, if there are any. */
static void look_at_clock(struct session *session)
{
	int64_t now_ns = clock_monotonic_ns();

	relay_set_now(session->relay, now_ns);
	if (session->end_ns && now_ns > session->end_ns)
		session_stop(session);
}

int session_pump(struct session *session, struct err *err)
{
	look_at_clock(session);
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
		if (piece.fd >= 0) {
			take_file(session, &piece);
			continue;
		}
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
	ret_facts->processes = relay_processes(session->relay);
	ret_facts->found = atomic_load(&session->keeper.facts->found);
	ret_facts->left_out = atomic_load(&session->keeper.facts->left_out);
}
